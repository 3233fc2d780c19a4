"""Rows for the tests of the store: row `i` is always the same, so that what comes back can be compared with what must be there."""

from __future__ import annotations

import math
import os
import random
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, MEASUREMENT_COLUMNS, RUN_COLUMNS
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

BLANK = {"int": 0, "float": float("nan"), "bool": False, "str": ""}


def child(number: int, run: str = "run0", **columns: Any) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """A child and its curves; `number` decides every value that `columns` does not."""
    rng = random.Random(number)
    row: dict[str, Any] = {column.name: BLANK[column.type] for column in CHILD_COLUMNS}
    row |= {
        "run": run,
        "index": number,
        "stage": "search",
        "strategy": "random",
        "hash": f"{rng.getrandbits(128):032x}",
        "choices": str([rng.randrange(5) for _ in range(8)]),
        "fingerprint": "f" * 16,
        "seed": number,
        "status": "ok",
        "val_acc": rng.random(),
        "params": rng.randrange(10**7),
        "started_at": f"2026-01-01T00:{number // 60 % 60:02d}:{number % 60:02d}Z",
    }
    curves = {curve.name: [rng.random() for _ in range(number % 4)] for curve in CURVES}
    row["epochs"] = number % 4
    if row["epochs"]:
        row |= {"val_acc": curves["val_acc"][-1], "val_acc_best": max(curves["val_acc"])}
        row |= {name: curves[name][-1] for name in ("val_loss", "train_acc", "train_loss")}
    return row | columns, curves


def run(name: str = "run0", **columns: Any) -> dict[str, Any]:
    """A row of the runs table."""
    row: dict[str, Any] = {column.name: BLANK[column.type] for column in RUN_COLUMNS}
    return row | {"run": name, "status": "running"} | columns


def write(path: os.PathLike[str], count: int, start: int = 0) -> None:
    """Write children `start` to `start + count` and their run, and pack."""
    with ResultsWriter(path) as writer:
        writer.put_run(run(children=start + count))
        for number in range(start, start + count):
            writer.append_child(*child(number))


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in which NaN equals NaN, 0.0 is not -0.0 and 1 is not 1.0."""
    return {name: _distinct(value) for name, value in row.items()}


def _distinct(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_distinct(item) for item in value]
    return "nan" if isinstance(value, float) and math.isnan(value) else (type(value).__name__, repr(value))


def expected(count: int) -> list[dict[str, Any]]:
    """What `stored` gives for children 0 to `count`."""
    return [plain(row | {"curves": curves}) for row, curves in map(child, range(count))]


def stored(path: os.PathLike[str]) -> list[dict[str, Any]]:
    """Every child of run0 in a results file, in commit order."""
    with Results(path) as results:
        rows = [plain(row) for row in results.children_of("run0")]
        assert len(rows) == len(results)
        return rows


def fork_writer(path: os.PathLike[str], pack_bytes: int, durable: Callable[[int], None] = os.fsync) -> tuple[int, int]:
    """Start a process that appends children one after the other, for ever, and packs and reopens now and then.

    Returns:
        Its pid, and the end of a pipe into which it writes one byte for each child that was acknowledged.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(reading)
        os.fsync = durable
        _append_for_ever(path, pack_bytes, writing)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _append_for_ever(path: os.PathLike[str], pack_bytes: int, acknowledged: int) -> None:
    # A resumed run reads what is there and goes on behind it.
    number = len(Results(path)) if os.path.exists(path) or os.path.exists(os.fspath(path)[:-3] + ".journal") else 0
    rng = random.Random(time.time_ns())
    while True:
        with ResultsWriter(path, pack_bytes) as writer:
            for _ in range(rng.randrange(1, 60)):
                writer.append_child(*child(number))
                os.write(acknowledged, b".")
                number += 1


def measurement(number: int, **columns: Any) -> dict[str, Any]:
    """A latency; `number` decides every value that `columns` does not."""
    rng = random.Random(number)
    row: dict[str, Any] = {column.name: BLANK[column.type] for column in MEASUREMENT_COLUMNS}
    row |= {
        "hash": child(number)[0]["hash"],
        "space": "nasbench201",
        "choices": "[3,3,3,3,3,3]",
        "quantity": "latency",
        "unit": "s",
        "direction": "lower",
        "value": rng.random(),
        "n": 50,
        "device": "Abacus",
        "method": "eager",
        "batch": 1,
        "threads": 1,
        "measured_at": f"2026-01-01T00:00:{number % 60:02d}Z",
    }
    return row | columns


def measured(path: os.PathLike[str]) -> list[dict[str, Any]]:
    """Every measurement of a results file, in commit order."""
    with Results(path) as results:
        return [plain(row) for row in results.measurements().astype(object).to_dict("records")]
