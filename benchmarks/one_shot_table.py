"""Strategies with shared weights on digits201-2, under the budget of docs/strategies-table.md; the super-network is charged.

ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE OMP_NUM_THREADS=1 python benchmarks/one_shot_table.py --seeds 165

Searches are appended one by one, and those that are there are not made again. Seconds are the processor's, as those of the table.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from one_shot import distinct
from scipy.stats import kendalltau

from nasbench.api.benching import open_tasks
from nasbench.benchmark.definition import Comparison, OpenTask, load_benchmark
from nasbench.benchmark.incumbents import TaskScale
from nasbench.kernels.portable import require_portable_process
from nasbench.runners.bench.replays import budget_of
from nasbench.runners.replay.replay import Setting
from nasbench.runners.strategies.one_shot import OneShotStrategy
from nasbench.spaces.nasbench201 import OPERATIONS

RESULTS = Path(__file__).resolve().parents[1] / "results" / "one_shot_searches.csv"
SUITE, TASK, PROTOCOL = "suite-v1", "digits201-2", "digits201-2"
CHILDREN = 300  # that the budget pays for, of mean cost
CLOSE = 0.99  # of the best score that a search can see
OWN_STREAMS = (
    68  # from this seed on, a search draws what `nasbench bench` lets it draw; the earlier ones took the seed itself
)
CELLS = 50  # of which shared and stand-alone scores are compared
SMALLER = "1"  # N of the super-network, 3 in the table's networks: DARTS, too, searches with 8 cells for networks of 20
PRESETS = {"darts": "auto", "gdas": "auto", "drnas": "auto", "pcdarts": "auto", "rs_ws": "auto", "enas": ""}


def setting_of(strategy: str) -> Setting:
    """The strategy with the options that fit the budget, where it has such a rule."""
    preset = PRESETS[strategy]
    options = {"protocol": PROTOCOL, "cells": SMALLER} | ({"preset": preset} if preset else {})
    return Setting.of(strategy, options, children=CHILDREN)


def searched(name: str, seed: int, opened: OpenTask, protocol: Comparison) -> dict[str, Any]:
    """Make one search, as a replay does: the super-network is charged first, then the table's seconds of each child.

    Args:
        name: the strategy.
        seed: seed of the search.
        opened: the task.
        protocol: the suite's.

    Returns:
        What is stored: processor seconds of the super-network; children; regrets of the first proposal and of the choice;
        seconds until 99% of the best score; Kendall's tau of shared and stand-alone scores; the incumbents: position among
        the children, position in the table and seconds spent of each child that was better than all before it; the seconds
        spent by the last child.
    """
    table, scale, setting = opened.searched, TaskScale.of(opened), setting_of(name)
    limit = budget_of(opened, protocol).budget.limit
    stream = setting.streams([seed])[0] if seed >= OWN_STREAMS else seed
    strategy = setting.kind(table.space, stream, setting.config)
    assert isinstance(strategy, OneShotStrategy)
    codes: list[int] = []
    incumbents: list[tuple[int, int, float]] = []
    spent, first, close = 0.0, math.nan, math.inf
    while True:
        began = time.process_time()
        proposed = strategy.ask()
        spent += time.process_time() - began
        first = first if codes else spent
        if proposed is None:
            break
        code = table.position(proposed.choices)
        if spent + float(table.seconds[code]) > limit:
            break
        spent += float(table.seconds[code])
        codes.append(code)
        if not incumbents or table.val_acc[code] > table.val_acc[incumbents[-1][1]]:
            incumbents.append((len(codes) - 1, code, round(spent, 3)))
        if close == math.inf and table.val_acc[code] >= CLOSE * scale.searched_best:
            close = spent
    chosen = codes[int(np.argmax(table.val_acc[codes]))]
    compared = distinct(table, CELLS)
    shared = strategy.score([table.architecture(code) for code in compared])
    history = getattr(strategy.trained, "history", [])
    weights = (
        np.array(history).reshape(len(history), len(table.space.decisions), -1) if history else np.empty((0, 6, 5))
    )
    heaviest = weights[-1].argmax(1) if len(weights) else np.array([], dtype=int)
    return {
        "strategy": name,
        "seed": seed,
        "epochs": setting.config.model_dump()["epochs"],
        "supernet_seconds": round(first, 3),
        "children": len(codes),
        "derived": str(table.architecture(codes[0])),
        "derived_regret": scale.best - float(opened.reported.reported_acc[codes[0]]),
        "derived_searched_regret": scale.searched_best - float(table.val_acc[codes[0]]),
        "regret": scale.best - float(opened.reported.reported_acc[chosen]),
        "searched_regret": scale.searched_best - float(table.val_acc[chosen]),
        "close_seconds": round(close, 3),
        "tau": float(kendalltau(shared, table.val_acc[compared]).statistic),
        "mean_weights": json.dumps(weights[-1].mean(0).round(4).tolist()) if len(weights) else "",
        "heaviest": json.dumps([int((heaviest == each).sum()) for each in range(len(OPERATIONS))])
        if len(weights)
        else "",
        "incumbents": json.dumps(incumbents),
        "spent": round(spent, 3),
    }


def main() -> None:
    """Make what is missing, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strategies", nargs="*", default=list(PRESETS), help="all of them unless some are named")
    parser.add_argument("--seeds", type=int, default=165)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    require_portable_process()
    suite = load_benchmark(SUITE)
    opened = open_tasks(suite, [])[0][TASK]
    rows = pd.read_csv(given.output).to_dict("records") if given.output.exists() else []
    there = {(row["strategy"], row["seed"]) for row in rows}
    for seed in range(given.seeds):
        for strategy in given.strategies:
            if (strategy, seed) not in there:
                rows.append(searched(strategy, seed, opened, suite.protocol))
                print(rows[-1], flush=True)
                pd.DataFrame(rows).sort_values(["strategy", "seed"]).to_csv(given.output, index=False)


if __name__ == "__main__":
    main()
