"""Results files whose shape makes looking at them slow: many runs, many strategies, long trainings; made up from one seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasbench.spaces import get_space
from nasbench.store.format.columns import Data, Numbers, Text
from nasbench.store.format.schema import CHILD_COLUMNS, RUN_COLUMNS, Column
from nasbench.store.maintenance.table_builder import Tables

SPACE = "nasbench201"
ARCHITECTURES = 4_000  # different ones among the children
START = np.datetime64("2026-01-01T00:00:00.000")
NAMED = ("random", "evolution", "reinforce", "ppo")
RATE = 1.5  # USD per device-hour
_TYPES = {"int": "<i8", "float": "<f8", "bool": "?"}


@dataclass(frozen=True)
class Shape:
    """Size of a made-up results file.

    Args:
        runs: number of runs.
        children: number of children per run, >= 1.
        strategies: number of different strategy names; the first is random search.
        epochs: epochs per child.
    """

    runs: int
    children: int
    strategies: int
    epochs: int


def made_up(shape: Shape, seed: int = 0) -> Tables:
    """Tables of complete searches of NAS-Bench-201's space, without retrained rows.

    One child in fifty failed, architectures repeat within and between runs, and all runs have the same budget in
    children.

    Args:
        shape: size of the file.
        seed: of everything.

    Returns:
        The tables.
    """
    rng = np.random.default_rng(seed)
    count = shape.runs * shape.children
    run = np.repeat(np.arange(shape.runs), shape.children)
    failed = rng.random(count) < 0.02
    lengths = np.where(failed, 0, shape.epochs).astype("<i8")
    children = _children(rng, shape, run, failed)
    return Tables(
        children=_columns(CHILD_COLUMNS, children, count),
        runs=_columns(RUN_COLUMNS, _runs(shape, children), shape.runs),
        curves=_curves(rng, lengths, children["val_acc"]),
        lengths=lengths,
    )


def strategy_names(count: int) -> list[str]:
    """Names of strategies: known ones, then numbered ones.

    Args:
        count: how many.
    """
    return [*NAMED, *(f"strategy_{number:04}" for number in range(count))][:count]


def _columns(schema: Sequence[Column], given: Mapping[str, Any], count: int) -> dict[str, Data]:
    """Columns in the schema's order; those that are not given are blank."""
    columns: dict[str, Data] = {}
    for column in schema:
        value = given.get(column.name, "" if column.type == "str" else 0)
        if isinstance(value, Text):
            columns[column.name] = value
        elif column.type == "str":
            columns[column.name] = Text(np.zeros(count, dtype=np.int64), [value])
        else:
            columns[column.name] = np.broadcast_to(np.asarray(value, dtype=_TYPES[column.type]), count).copy()
    return columns


def _children(rng: np.random.Generator, shape: Shape, run: Numbers, failed: Numbers) -> dict[str, Any]:
    count = len(run)
    space = get_space(SPACE)
    some = list({each.hash: each for each in (space.random(rng) for _ in range(ARCHITECTURES))}.values())
    which = rng.integers(0, len(some), count)
    skill = rng.normal(0.0, 0.05, len(some))
    counts = [space.count(each) for each in some]
    score = np.where(failed, np.nan, np.clip(0.8 + skill[which] + rng.normal(0.0, 0.01, count), 0.1, 1.0).round(4))
    seconds = rng.gamma(4.0, 30.0, count)
    spent = (seconds / 3600).reshape(shape.runs, shape.children).cumsum(axis=1).reshape(-1)
    began = START + np.round(1000 * (3600 * spent - seconds)).astype("m8[ms]")
    ended = START + np.round(3_600_000 * spent).astype("m8[ms]")
    index = np.arange(count) % shape.children
    first = np.zeros(count, dtype=bool)
    first[np.unique(run * len(some) + which, return_index=True)[1]] = True
    return {
        **_shared(shape, run),
        "run": Text(run, _run_ids(shape.runs)),
        "index": index,
        "asked": index + 1,
        "stage": "search",
        "run_seed": run // shape.strategies,
        "hash": Text(which, [each.hash for each in some]),
        "choices": Text(which, [json.dumps(each.choices, separators=(",", ":")) for each in some]),
        "status": Text(failed.astype(np.int64), ["ok", "failed"]),
        "error": Text(failed.astype(np.int64), ["", "RuntimeError: made up"]),
        "val_acc": score,
        "val_acc_best": score,
        "val_loss": 2.0 * (1 - score),
        "train_acc": score,
        "train_loss": 1.8 * (1 - score),
        "test_acc": np.nan,
        "test_loss": np.nan,
        "reward": score,
        "params": np.array([each.params for each in counts])[which],
        "mult_adds": np.array([each.mult_adds for each in counts])[which],
        "published_params": -1,
        "published_mult_adds": -1,
        "epochs": np.where(failed, 0, shape.epochs),
        "train_seconds": 0.8 * seconds,
        "eval_seconds": 0.2 * seconds,
        "device_seconds": seconds,
        "gpu_hours": seconds / 3600,
        "usd": RATE * seconds / 3600,
        "spent_gpu_hours": spent,
        "wall_seconds": 3600 * spent,
        "peak_memory": -1,
        "device": "cpu",
        "devices": 1.0,
        "platform": "made up",
        "duplicate": ~first,
        "counted": True,
        "started_at": _times(began),
        "finished_at": _times(ended),
    }


def _shared(shape: Shape, run: Numbers) -> dict[str, Any]:
    """What children have in common with their runs."""
    return {
        "strategy": Text(run % shape.strategies, strategy_names(shape.strategies)),
        "space": SPACE,
        "protocol": "digits",
        "fingerprint": "20b936add43c15a0",
        "data": "digits",
    }


def _runs(shape: Shape, children: Mapping[str, Any]) -> dict[str, Any]:
    number, ids, budget = np.arange(shape.runs), _run_ids(shape.runs), f"{shape.children} children"
    hours = np.asarray(children["spent_gpu_hours"]).reshape(shape.runs, shape.children)[:, -1]
    names = strategy_names(shape.strategies)
    configs = [
        json.dumps({"strategy": names[each % shape.strategies], "options": {}, "space": SPACE, "budget": budget})
        for each in number.tolist()
    ]
    return {
        **_shared(shape, number),
        "run": Text(number, ids),
        "data_digest": "7f637ebeae96085d69a835c98cb0dfae",
        "seed": number // shape.strategies,
        "budget": budget,
        "status": "complete",
        "children": shape.children,
        "training_hours": 0.8 * hours,
        "evaluation_hours": 0.2 * hours,
        "usd": RATE * hours,
        "wall_seconds": 3600 * hours,
        "started_at": "2026-01-01T00:00:00.000+00:00",
        "finished_at": _times(START + np.round(3_600_000 * hours).astype("m8[ms]")),
        "config": Text(number, configs),
        "provenance": json.dumps({"command": ["nasbench", "suite", "run", "made-up"], "processor": "made up"}),
    }


def _curves(rng: np.random.Generator, lengths: Numbers, last: Numbers) -> dict[str, Numbers]:
    """Curves that rise to each child's last score."""
    ends = np.cumsum(lengths)
    epoch = np.arange(int(ends[-1])) - np.repeat(ends - lengths, lengths)
    share = (epoch + 1) / np.repeat(np.maximum(lengths, 1), lengths)
    score = np.repeat(last, lengths) * share**0.3
    return {
        "train_loss": 1.8 * (1 - score),
        "train_acc": score,
        "val_loss": 2.0 * (1 - score),
        "val_acc": score,
        "seconds": 12.0 + rng.gamma(4.0, 0.5, len(score)),
    }


def _times(moments: Numbers) -> Text:
    texts = [f"{text}+00:00" for text in np.datetime_as_string(moments, unit="ms").tolist()]
    return Text(np.arange(len(texts)), texts)


def _run_ids(runs: int) -> list[str]:
    return [f"{0x9E3779B97F4A7C15 * (number + 1) & (1 << 48) - 1:012x}" for number in range(runs)]
