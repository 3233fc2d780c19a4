"""Every importer's output is sound, listed, and survives merge, export, diff, migrate and repair."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from search_log_files import Told, options, reports, write_sqlite, write_synetune
from tfrecords import evaluation, metrics, record, write

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.importers.about import NO_TIMES, about
from nasbench.tabular.importers.importer_base import Group
from nasbench.tabular.importers.registry import IMPORTERS

CELLS = [
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
]
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
    return ["nasbench201", str(folder / f"{part}.json")]


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


SAMPLES: dict[str, Sample] = {
    "csv": csv,
    "parquet": parquet,
    "json": json_table,
    "optuna": optuna,
    "synetune": synetune,
    "nasbench101": nasbench101,
    "nats-bench": nats_bench,
    "nasbench201-archive": archive,
}


def done(*words: str) -> str:
    found = nasbench(*words)
    assert (found.code, found.err) == (0, ""), (words, found.err, found.out)
    return found.out


@pytest.mark.parametrize("name", list(IMPORTERS))
def test_an_import_is_a_results_file_like_any_other(name: str, tmp_path: Path) -> None:
    files = []
    for part in (0, 1):
        files.append(str(tmp_path / f"part{part}.h5"))
        printed = done("import", *SAMPLES[name](tmp_path, part), "-o", files[-1])
        assert " read, " in printed
        assert "sound" in done("check", files[-1])
        with Results(files[-1]) as results:
            frame, runs = results.frame(), results.runs()
        assert len(frame) > 0
        # Hours of a run are those of its trainings, each charged once.
        hours = frame.groupby("run")["gpu_hours"].sum(min_count=1).reindex(runs["run"]).to_numpy()
        categories = [column for column in runs.columns if column.endswith("_hours")]
        np.testing.assert_allclose(runs[categories].sum(axis=1, min_count=1), np.nan_to_num(hours), rtol=1e-12)
        accuracies = frame[["val_acc", "test_acc", "train_acc", "val_acc_best"]].to_numpy()
        assert (np.isnan(accuracies) | ((accuracies >= 0) & (accuracies <= 1))).all()
        assert (frame["status"] == "ok").to_numpy()[~np.isnan(frame[["val_acc", "test_acc"]]).all(axis=1)].all()

        listed = done("status", files[-1])
        for run, strategy, seed in zip(runs["run"], runs["strategy"], runs["seed"]):
            (line,) = [line for line in listed.splitlines() if line.startswith(run)]
            mine = frame[frame["run"] == run]
            stage = "search" if (mine["stage"] == "search").any() else "final"
            assert line.split()[:5] == [run, strategy, str(seed), "complete", str((mine["stage"] == stage).sum())]
            assert "100% of" in line

        before = Path(files[-1]).read_bytes()
        done("repair", files[-1])
        assert Path(files[-1]).read_bytes() == before
        assert {path.name for path in tmp_path.glob("part*")} == {Path(file).name for file in files}
        done("migrate", files[-1])
        assert Path(files[-1]).read_bytes() == before
        assert f"{len(frame)} children are the same in both" in done("diff", files[-1], files[-1])

        for ending in ("csv", "jsonl", "parquet"):
            if ending == "parquet":
                pytest.importorskip("pyarrow")
            for what in ("children", "runs", "curves"):
                done("export", files[-1], "--what", what, "-o", str(tmp_path / f"{what}{part}.{ending}"))
        exported = pd.read_csv(tmp_path / f"children{part}.csv")
        pd.testing.assert_series_equal(exported["val_acc"], frame["val_acc"])

    done("merge", *files, "-o", str(tmp_path / "all.h5"))
    assert "sound" in done("check", str(tmp_path / "all.h5"))
    with Results(files) as parts, Results(tmp_path / "all.h5") as merged:
        assert len(merged) == len(parts)
        if name != "nasbench201-archive":  # its second part is another data set
            groups = merged.frame().groupby(["protocol", "data", "stage"])["fingerprint"]
            assert groups.nunique().max() == 1


@pytest.mark.parametrize("name", list(IMPORTERS))
def test_an_import_of_one_source_is_the_same_twice(name: str, tmp_path: Path) -> None:
    words = SAMPLES[name](tmp_path, 0)
    for file in ("a.h5", "b.h5"):
        done("import", *words, "-o", str(tmp_path / file))
    assert "children are the same in both" in done("diff", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"))
    merged = done("merge", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), "-o", str(tmp_path / "c.h5"))
    with Results(tmp_path / "a.h5") as one, Results(tmp_path / "c.h5") as both:
        assert len(one) == len(both), merged


@pytest.mark.parametrize("name", list(IMPORTERS))
def test_the_list_says_of_an_importer_what_it_reads_and_what_its_source_lacks(name: str, tmp_path: Path) -> None:
    found = about(name, IMPORTERS.get(name))
    assert all(text.strip() and len(text) < 300 for _, text in found.lines)
    assert found.times is None or "https://" in found.published
    listed = done("import", "--list")
    assert f"\n{name}\n" in f"\n{listed}"
    assert all(text in listed for _, text in found.lines)
    words = SAMPLES[name](tmp_path, 0)
    assert found.command.split()[0] in words[0] or words[0] in found.command.split()[0].split("|")
    done("import", *words, "-o", str(tmp_path / "a.h5"))
    with Results(tmp_path / "a.h5") as results:
        timed = bool(results.frame()["device_seconds"].notna().any())
    assert found.times is None or timed == found.times
    assert (NO_TIMES in dict(found.lines)["lacks"]) == (found.times is False)


def test_an_importer_without_a_description_is_named() -> None:
    with pytest.raises(InputError, match="the importer 'odd' has no description"):
        about("odd", len)


@pytest.mark.parametrize("field", ["space", "protocol", "data", "split", "epochs"])
def test_a_fingerprint_is_of_everything_that_decides_a_score(field: str) -> None:
    group = Group("nasbench201", "theirs", "cifar10", "a note", 12, "half of the training images")
    other = replace(group, **{field: 200 if field == "epochs" else "another"})
    assert other.fingerprint != group.fingerprint
    assert replace(group, notes="another").fingerprint == group.fingerprint
