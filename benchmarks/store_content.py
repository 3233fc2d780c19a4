"""A results file of many children as a long project would leave it, made up: realistic types, ranges and repetition, from one seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench.store.format.columns import Data, Numbers, Text
from nasbench.store.format.schema import CHILD_COLUMNS, RUN_COLUMNS
from nasbench.store.maintenance.table_builder import Tables

EPOCHS = 8
RUN_CHILDREN = 5_000
STRATEGIES = ("random", "evolution", "reinforce", "ppo", "local_search")
VAL_IMAGES, TRAIN_IMAGES = 5_000, 45_000
BLOCKS = 5
START = np.datetime64("2026-01-01T00:00:00.000")


def made_up(children: int, seed: int = 0) -> Tables:
    """Tables of `children` rows with curves, and of their runs.

    Three in ten architectures come twice, 2% diverge halfway, accuracies are fractions of whole images, losses are means of float32
    numbers, and times are what a clock gives.

    Args:
        children: how many rows.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    runs = max(1, children // RUN_CHILDREN)
    run = np.minimum(np.arange(children) // RUN_CHILDREN, runs - 1)
    lengths = np.where(rng.random(children) < 0.02, EPOCHS // 2, EPOCHS)
    curves = _curves(rng, lengths)
    return Tables(
        children={column.name: column_ for column, column_ in _in_order(_children(rng, run, lengths, curves))},
        runs=_runs(runs),
        curves=curves,
        lengths=lengths.astype("<i8"),
    )


def _in_order(columns: Mapping[str, Data]) -> list[tuple[Any, Data]]:
    return [(column, columns[column.name]) for column in CHILD_COLUMNS]


def _curves(rng: np.random.Generator, lengths: Numbers) -> dict[str, Numbers]:
    count = int(lengths.sum())
    ends = np.cumsum(lengths)
    epoch = np.arange(count) - np.repeat(ends - lengths, lengths)
    skill = np.repeat(rng.normal(0.0, 0.3, len(lengths)), lengths)
    hardness = np.exp(-0.25 * epoch + 0.2 * skill) * (1.0 + 0.05 * rng.standard_normal(count))
    accuracy = np.clip(1.0 - 0.9 * hardness, 0.1, 1.0)
    return {
        "train_loss": (2.3 * hardness).astype("f4").astype("f8") * (1.0 / 352) * 352,
        "train_acc": np.round(accuracy * TRAIN_IMAGES) / TRAIN_IMAGES,
        "val_loss": _means(2.4 * hardness + 0.1, VAL_IMAGES),
        "val_acc": np.round(0.97 * accuracy * VAL_IMAGES) / VAL_IMAGES,
        "seconds": 12.0 + rng.gamma(4.0, 0.5, count),
    }


def _means(values: Numbers, images: int) -> Numbers:
    """Sums of float32 batches over the number of images."""
    means: Numbers = (values * images).astype("f4").astype("f8") / images
    return means


def _children(
    rng: np.random.Generator, run: Numbers, lengths: Numbers, curves: Mapping[str, Numbers]
) -> dict[str, Data]:
    count = len(run)
    last = np.cumsum(lengths) - 1
    which = rng.integers(0, max(1, round(0.7 * count)), count)
    asked = np.arange(count) % RUN_CHILDREN
    diverged = lengths < EPOCHS
    params = rng.integers(10_000, 3_000_000, count)[which]
    seconds = np.add.reduceat(curves["seconds"], np.cumsum(lengths) - lengths)
    evaluating, setup = 0.2 * seconds, rng.gamma(2.0, 0.02, count)
    spent = np.concatenate([np.cumsum(part) for part in np.split(seconds / 3600, _edges(run))])
    took = np.round(1000 * seconds).astype("m8[ms]")
    finished = START + np.cumsum(took)
    return {
        **_names(rng, run, which),
        "index": asked,
        "asked": asked + 1,
        "run_seed": run % 10,
        "seed": np.zeros(count, dtype="<i8"),
        "status": Text(diverged.astype(np.int64), ["ok", "diverged"]),
        "val_acc": curves["val_acc"][last],
        "val_acc_best": np.maximum.reduceat(curves["val_acc"], np.cumsum(lengths) - lengths),
        "val_loss": np.where(diverged, np.nan, curves["val_loss"][last]),
        "train_acc": curves["train_acc"][last],
        "train_loss": np.where(diverged, np.nan, curves["train_loss"][last]),
        "test_acc": np.full(count, np.nan),
        "test_loss": np.full(count, np.nan),
        "reward": curves["val_acc"][last] ** 3,
        "params": params,
        "mult_adds": 150 * params + 1024 * (params % 1000),
        "epochs": lengths.astype("<i8"),
        "train_seconds": seconds - evaluating,
        "eval_seconds": evaluating,
        "setup_seconds": setup,
        "device_seconds": seconds + setup,
        "gpu_hours": (seconds + setup) / 3600,
        "usd": 1.5 * (seconds + setup) / 3600,
        "searcher_seconds": rng.gamma(2.0, 1e-5, count),
        "spent_gpu_hours": spent,
        "wall_seconds": 3600 * spent,
        "peak_memory": 1024 * rng.integers(400_000, 500_000, count),
        "devices": np.ones(count),
        "duplicate": rng.random(count) < 0.3,
        "counted": np.ones(count, dtype=bool),
        "started_at": _times(finished - took),
        "finished_at": _times(finished),
    }


def _edges(run: Numbers) -> Numbers:
    edges: Numbers = np.flatnonzero(np.diff(run)) + 1
    return edges


def _names(rng: np.random.Generator, run: Numbers, which: Numbers) -> dict[str, Data]:
    """The columns of text but the times: a few values each, except for architectures."""
    kinds = int(which.max()) + 1
    digests, choices = rng.bytes(16 * kinds).hex(), _choices(rng, kinds)
    hashes = [digests[32 * kind : 32 * kind + 32] for kind in range(kinds)]

    def same(value: str) -> Text:
        return Text(np.zeros(len(run), dtype=np.int64), [value])

    return {
        "run": Text(run, _run_ids(int(run.max()) + 1)),
        "strategy": Text(run % len(STRATEGIES), list(STRATEGIES)),
        "hash": Text(which, hashes),
        "choices": Text(which, choices),
        "stage": same("search"),
        "space": same(f"nasnet:blocks={BLOCKS}"),
        "protocol": same("cifar_proxy"),
        "fingerprint": same("20b936add43c15a0"),
        "data": same("cifar10"),
        "error": same(""),
        "device": same("NVIDIA H100 80GB HBM3"),
        "cached_from": same(""),
    }


def _choices(rng: np.random.Generator, kinds: int) -> list[str]:
    """Two cells: for each block two inputs and two operations, as a JSON list."""
    highest = np.array([[2 + block, 2 + block, 13, 13] for block in range(BLOCKS)] * 2).reshape(-1)
    drawn = rng.integers(0, highest, (kinds, len(highest)))
    return ["[" + ",".join(map(str, row)) + "]" for row in drawn.tolist()]


def _times(moments: Numbers) -> Text:
    texts = [f"{text}+00:00" for text in np.datetime_as_string(moments, unit="ms").tolist()]
    return Text(np.arange(len(texts)), texts)


def _run_ids(runs: int) -> list[str]:
    return [f"{0x9E3779B97F4A7C15 * (number + 1) & (1 << 48) - 1:012x}" for number in range(runs)]


def _runs(runs: int) -> dict[str, Data]:
    ids = _run_ids(runs)
    fixed: dict[str, Sequence[Any]] = {
        "run": ids,
        "strategy": [STRATEGIES[number % len(STRATEGIES)] for number in range(runs)],
        "children": [RUN_CHILDREN] * runs,
        "status": ["complete"] * runs,
        "config": [f'{{"run": "{name}"}}' for name in ids],
    }
    blank = {"str": "", "int": 0, "float": 0.0, "bool": False}
    columns = {}
    for column in RUN_COLUMNS:
        values = fixed.get(column.name, [blank[column.type]] * runs)
        columns[column.name] = (
            Text(np.arange(runs), list(values))
            if column.type == "str"
            else np.array(values, dtype=_DTYPES[column.type])
        )
    return columns


_DTYPES = {"int": "<i8", "float": "<f8"}
