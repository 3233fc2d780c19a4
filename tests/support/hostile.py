"""A results file whose texts are made to harm: names of strategies, data, protocols and devices, errors, folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.spaces import get_space
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, LEDGER_CATEGORIES, RUN_COLUMNS
from nasbench.store.writer import ResultsWriter

TEXTS = (
    "\x1b[31mred\x1b[0m \x9b2J",
    "two\nlines\tand\ra return\x0b\x0c\x85",
    "=cmd|' /C calc'!A0",
    "+1+cmd",
    "@SUM(A1)",
    "-2+3+cmd|'x'!A0",
    "a|b|c `d` *e* _f_ [g](javascript:alert(1))",
    "$\\badcmd{$",
    "\\input{x} $x_1^2$ & % # ~ { }",
    "latin \udce9\udcff",
    "\u202egnp.exe\u2066 \u200f",
    "<script>alert(1)</script></script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% x %}",
    "zero\0byte\ufffe\uffff",
    '\'; DROP "x", y',
    "ünïcødé 中文 🎉",
    "x" * 10_000,
)
ALL = " ".join(text for text in TEXTS if len(text) < 1000)
BLANK = {"int": 0, "float": float("nan"), "bool": False, "str": ""}


def hostile_file(
    path: Path,
    texts: tuple[str, ...] = TEXTS,
    seeds: int = 3,
    children: int = 6,
    of_runs: Mapping[str, Any] | None = None,
    of_children: Mapping[str, Any] | None = None,
) -> Path:
    """Write searches of random search and of one strategy per text, on the space of NAS-Bench-201.

    Args:
        path: the results file.
        texts: names of strategies.
        seeds: searches per strategy.
        children: children per search, of which the best is trained again and tested.
        of_runs: other values of columns of all runs.
        of_children: other values of columns of all children.

    Returns:
        The path.
    """
    rng = np.random.default_rng(0)
    space = get_space("nasbench201")
    common = {"space": "nasbench201", "protocol": ALL, "fingerprint": "f00d" * 4, "data": ALL}
    with ResultsWriter(path) as writer:
        for number, strategy in enumerate(("random", *texts)):
            for seed in range(seeds):
                name = f"{number:06x}{seed:06x}"
                rows = []
                for index in range(children):
                    failed = index == 2
                    architecture = space.random(rng)
                    counts = space.count(architecture)
                    row: dict[str, Any] = {column.name: BLANK[column.type] for column in CHILD_COLUMNS}
                    row |= common | {
                        "run": name,
                        "index": index,
                        "asked": index + 1,
                        "stage": "search",
                        "strategy": strategy,
                        "run_seed": seed,
                        "seed": seed,
                        "hash": architecture.hash,
                        "choices": json.dumps(list(architecture.choices)),
                        "status": "failed" if failed else "ok",
                        "error": ALL if failed else "",
                        "val_acc": float("nan") if failed else 0.5 + 0.4 * rng.random(),
                        "params": counts.params,
                        "mult_adds": counts.mult_adds,
                        "epochs": 0 if failed else 3,
                        "train_seconds": 5.0,
                        "eval_seconds": 1.0,
                        "setup_seconds": 0.1,
                        "device_seconds": 6.1,
                        "gpu_hours": 6.1 / 3600,
                        "usd": 0.001,
                        "searcher_seconds": 0.1,
                        "spent_gpu_hours": (index + 1) * 6.1 / 3600,
                        "wall_seconds": (index + 1) * 7.0,
                        "peak_memory": -1,
                        "device": ALL,
                        "devices": 1.0,
                        "counted": True,
                        "started_at": "2026-01-01T00:00:00Z",
                    }
                    row["val_acc_best"] = row["reward"] = row["val_acc"]
                    rows.append(row)
                best = max(rows, key=lambda row: row["val_acc"] if row["status"] == "ok" else 0.0)
                rows.append(best | {"stage": "final", "index": 0, "test_acc": best["val_acc"] - 0.01})
                for row in rows:
                    row |= of_children or {}
                    epochs = range(row["epochs"])
                    writer.append_child(
                        row, {curve.name: [row["val_acc"]] * len(epochs) for curve in CURVES} if epochs else {}
                    )
                run: dict[str, Any] = {column.name: BLANK[column.type] for column in RUN_COLUMNS}
                known = {
                    "run": name,
                    "strategy": strategy,
                    "seed": seed,
                    "data_digest": "0123456789abcdef",
                    "budget": f"{children} children",
                    "status": "complete",
                    "children": children,
                    "usd": 0.01,
                    "wall_seconds": 50.0,
                    **{f"{category}_hours": 0.0 for category in LEDGER_CATEGORIES},
                    "training_hours": children * 6.1 / 3600,
                    "final_hours": 6.1 / 3600,
                    "config": json.dumps({"strategy": strategy, "options": {ALL: ALL}, "set": {}, "protocol": ALL}),
                    "provenance": json.dumps(
                        {"command": ["nasbench", "run", *TEXTS], "host": ALL, "packages": {ALL: ALL}}
                    ),
                }
                writer.put_run(run | common | known | (of_runs or {}))
    return path
