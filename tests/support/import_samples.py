"""Small sources of every importer, as tests write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import accel_files
import naslib_files
import nats_pickles
import numpy as np
import pandas as pd
import pytest
from search_log_files import Told, options, reports, write_sqlite, write_synetune
from tfrecords import evaluation, metrics, record, write

from nasbench.spaces import get_space

CELLS = [
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
]
FEW = 40  # rows of a source that otherwise has a row for each cell
Sample = Callable[[Path, int], list[str]]
"""Writes a part of a source, the first or the second, and returns the words of its import without -o."""


def table(part: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cell": CELLS,
            "val": [0.9 - part / 10, np.nan, 0.7],
            "test": [0.8, np.nan, np.nan],
            "status": ["ok", "diverged", "ok"],
            "seconds": [100.0, 20.0, 80.0],
            "seed": [part, part, part],
            "curve": ["[0.5, 0.9]" if not part else "[0.5, 0.8]", "", "[0.6, 0.7]"],
        }
    )


MAPS = ("architecture=cell", "val_acc=val", "test_acc=test", "status=status", "device_seconds=seconds", "seed=seed")


def of_table(path: Path, kind: str, *maps: str) -> list[str]:
    given = [word for pair in (*MAPS, *maps) for word in ("--map", pair)]
    return [kind, str(path), "--space", "nasbench201", "--set", "data=cifar10", "--set", "protocol=theirs", *given]


def csv(folder: Path, part: int) -> list[str]:
    table(part).to_csv(folder / f"{part}.csv", index=False)
    return of_table(folder / f"{part}.csv", "csv", "val_acc_curve=curve")


def parquet(folder: Path, part: int) -> list[str]:
    pytest.importorskip("pyarrow")
    table(part).to_parquet(folder / f"{part}.parquet", index=False)
    return of_table(folder / f"{part}.parquet", "parquet")


def nasbench101(folder: Path, part: int) -> list[str]:
    matrix, operations = (
        [[0, 1, 0], [0, 0, 1], [0, 0, 0]],
        ["input", f"conv{3 - 2 * part}x{3 - 2 * part}-bn-relu", "output"],
    )
    evaluations = [evaluation(at, 50.0 * at, 0.5, 0.6, 0.7) for at in (0.0, 1.0, 2.0)]
    records = [
        record(f"{part}", epochs, matrix, operations, metrics(evaluations, 1000, 110.5)) for epochs in (4, 108, 108)
    ]
    return ["nasbench101", str(write(folder / f"{part}.tfrecord", records))]


def nats_bench(folder: Path, part: int) -> list[str]:
    def trained(dataset: str, seed: int) -> dict[str, object]:
        return {
            "arch": CELLS[part],
            "hp": "12",
            "dataset": dataset,
            "seed": seed,
            "flops_m": 1.5,
            "params_m": 0.25,
            "train_acc": {"0": 25.0, "1": 50.0},
            "train_times": {"0": 1.0, "1": 1.5},
            "eval_acc": {"ori-test@1": 30.0} | ({"x-valid@1": 40.0} if dataset != "cifar10" else {}),
        }

    records = [trained("cifar10", 777), trained("cifar10-valid", 777), trained("cifar10-valid", 888)]
    (folder / f"{part}.json").write_text(json.dumps(records))
    return ["nats-bench", str(folder / f"{part}.json")]


def json_table(folder: Path, part: int) -> list[str]:
    rows = [{"cell": cell, "val": 0.5 + part / 10, "seconds": 10.0, "seed": part} for cell in CELLS]
    (folder / f"{part}.json").write_text(json.dumps(rows))
    maps = ("architecture=cell", "val_acc=val", "device_seconds=seconds", "run_seed=seed")
    given = [word for pair in maps for word in ("--map", pair)]
    return ["json", str(folder / f"{part}.json"), "--space", "nasbench201", "--as-run", "--set", "strategy=rs", *given]


def optuna(folder: Path, part: int) -> list[str]:
    trials = [
        Told(options(0, 0, 0, 3), [0.5 + part / 10], reports={1: 0.4}, times=(0, 10)),
        Told(options(0, 0, 0, 2), state="PRUNED", reports={1: 0.3}, times=(5, 9)),
        Told(options(0, 0, 0, 1), state="FAIL", times=(9, 12)),
    ]
    path = write_sqlite(folder / f"{part}.db", {"tpe": trials})
    return ["optuna", path, "--space", "nasbench201", "--value", "val_acc", "--run-seed", str(part)]


def synetune(folder: Path, part: int) -> list[str]:
    rows = [*reports(0, [0.5, 0.4 - part / 10], "conv"), *reports(1, [0.9], "none", "STOP", start=5)]
    metadata = {"metric_names": ["valid_error"], "metric_mode": "min", "algorithm": "ASHA", "seed": part}
    return ["synetune", write_synetune(folder / f"asha-{part}", rows, metadata), "--value", "val_error"]


def archive(folder: Path, part: int) -> list[str]:
    """A whole archive is one part; the second part is that of another data set."""
    from nasbench.tabular.importers import nasbench201_archive as source

    cells = np.indices([5] * 6).reshape(6, -1).T[:: 1 if part < 0 else 625]
    names = {
        name
        for columns in source.DATA.values()
        for name in (columns.val, columns.test, *(a for _, a in columns.losses))
    }
    arrays = {name: np.linspace(10.0, 90.0, len(cells)) for name in names}
    numbers = {name: np.linspace(1.0, 2.0, len(cells)) for name in source._SHARED if name not in ("ops", "op_names")}
    labels = np.array(get_space("nasbench201").decisions[0].labels)
    np.savez(folder / f"{part}.npz", ops=cells, op_names=labels, **arrays, **numbers)
    return ["nasbench201", str(folder / f"{part}.npz"), "--data", ("cifar10", "cifar100")[part]]


def nats_bench_pickle(folder: Path, part: int) -> list[str]:
    """The first part is a benchmark file of two architectures, the second a folder of one."""
    archs = [get_space("nats-size").describe(get_space("nats-size").of_index(index)) for index in range(3)]
    made = {index: nats_pickles.architecture(index, archs[index], ("01", "02")) for index in ((0, 1), (2,))[part]}
    if part:
        return ["nats-bench", str(nats_pickles.folder(folder / "simple", made, archs))]
    return ["nats-bench", str(nats_pickles.dump(folder / "all.pickle.pbz2", nats_pickles.whole(made, archs)))]


def transnas(folder: Path, part: int) -> list[str]:
    cells = ("(2, 3, 2, 3, 2, 3)", "(0, 0, 1, 0, 0, 2)")[part]
    blocks = {
        f"zen/transbench101_micro/{task}/0": [
            (cells, score, 12.5 + part, 1.5),
            ("(1, 0, 0, 3, 0, 0)", score - 0.1, -1e8, 1.0),
        ]
        for task, score in (("class_object", 44.5), ("normal", 0.55), ("room_layout", -0.7), ("segmentsemantic", 94.1))
    }
    return ["transnas", str(naslib_files.write_zip(folder / f"{part}.zip", blocks))]


def nasbench_macro(folder: Path, part: int) -> list[str]:
    name = list(naslib_files.MACRO_NETWORKS)[part]
    found = {name: naslib_files.MACRO_NETWORKS[name]}
    return ["nasbench-macro", str(naslib_files.write_macro(folder / f"{part}.json", found))]


def suite_zero(folder: Path, part: int) -> list[str]:
    """The first part is a zip, the second the JSON form of the same data set."""
    cell = ("(4, 3, 3, 3, 2, 3)", "(0, 3, 1, 4, 2, 1)")[part]
    if part:
        values = {"synflow": 60.5, "params": 0.5, "val_accuracy": 80.0}
        (folder / "1.json").write_text(json.dumps({"nasbench201": {"cifar100": {cell: values}}}))
        return ["suite-zero", str(folder / "1.json")]
    blocks = {f"{proxy}/nasbench201/cifar100/0": [(cell, 88.2, 60.5, 0.5)] for proxy in ("synflow", "flops", "zen")}
    return ["suite-zero", str(naslib_files.write_zip(folder / "0.zip", blocks))]


def accel_nasbench(folder: Path, part: int) -> list[str]:
    files = [accel_files.training(0, 60.0 + part), accel_files.training(3, 50.0), accel_files.training(0, 61.0)]
    return ["accel-nasbench", str(accel_files.archive(folder / f"{part}.tar.gz", files))]


def hw_latency(folder: Path, part: int) -> list[str]:
    import torch

    path = folder / ("nb201_phone.pt", "nb201_card_256.pt")[part]
    torch.save([5.0 + part + index / 1e5 for index in range(FEW)], path)
    return ["hw-latency", str(path)]


SAMPLES: dict[str, Sample] = {
    "accel-nasbench": accel_nasbench,
    "csv": csv,
    "parquet": parquet,
    "json": json_table,
    "optuna": optuna,
    "synetune": synetune,
    "nasbench101": nasbench101,
    "hw-latency": hw_latency,
    "nats-bench": nats_bench,
    "nats-bench-pickle": nats_bench_pickle,
    "nasbench201-archive": archive,
    "nasbench-macro": nasbench_macro,
    "suite-zero": suite_zero,
    "transnas": transnas,
}
