"""One-shot strategies on digits: skips over the epochs, shared against stand-alone scores, and the cell that is derived.

OMP_NUM_THREADS=1 nice -n 10 python benchmarks/one_shot.py results/digits201.h5 -o one_shot.csv --seeds 3 darts gdas rs_ws
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from nasbench.protocols.protocol import validated
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.one_shot import OneShotStrategy
from nasbench.runners.strategies.source_files import split_strategy
from nasbench.spaces.nasbench201 import OPERATIONS, SKIP
from nasbench.tabular.tables import Table, read_table


def strategy_of(text: str, table: Table, seed: int, options: dict[str, str]) -> OneShotStrategy[Any, Any]:
    """Make a strategy of "darts" or "darts:order=2"."""
    name, given = split_strategy(text)
    kind = STRATEGIES.get(name)
    assert issubclass(kind, OneShotStrategy), f"{name} shares no weights"
    mine = dict(each.split("=", 1) for each in filter(None, given.split(",")))
    return kind(table.space, seed, validated(kind.config_type, {**options, **mine}, f"options of {name}"))


def distinct(table: Table, count: int) -> list[int]:
    """Positions of random architectures of different hashes, the same in each call."""
    rng = np.random.default_rng(20261129)
    found: dict[str, int] = {}
    while len(found) < count:
        code = int(rng.integers(table.space.size))
        found.setdefault(table.architecture(code).hash, code)
    return list(found.values())


def measured(text: str, table: Table, seed: int, options: dict[str, str], codes: list[int]) -> dict[str, Any]:
    """One search: its derived cell, tau, and the course of its weights."""
    strategy = strategy_of(text, table, seed, options)
    began, processor = time.perf_counter(), time.process_time()
    derived = strategy.ask()
    assert derived is not None
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    shared = strategy.score([table.architecture(code) for code in codes])
    alone = table.val_acc[codes]
    code = table.position(derived.choices)
    history = getattr(strategy.trained, "history", [])
    weights = np.array(history).reshape(len(history), len(table.space.decisions), len(OPERATIONS))
    return {
        "strategy": text,
        "seed": seed,
        "tau": float(kendalltau(shared, alone).statistic),
        "n": len(codes),
        "derived": str(derived),
        "skips": derived.choices.count(SKIP),
        "val_acc": float(table.val_acc[code]),
        "test_acc": float(table.reported_acc[code]),
        "better": float((table.val_acc > table.val_acc[code]).mean()),
        "seconds": seconds,
        "processor_seconds": processor,
        "weights": json.dumps(weights.mean(1).round(4).tolist()),
        "argmax": json.dumps(
            [[int((row.argmax(1) == each).sum()) for each in range(len(OPERATIONS))] for row in weights]
        ),
    }


def main() -> None:
    """Parse, measure, write after each search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("strategies", nargs="+", metavar="NAME[:option=value,...]")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cells", type=int, default=150, help="architectures of the rank correlation")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="options of all strategies")
    parser.add_argument("-o", "--output", required=True)
    given = parser.parse_args()
    table = read_table(given.table)
    options = dict(each.split("=", 1) for each in given.set)
    codes = distinct(table, given.cells)
    rows = []
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        for text in given.strategies:
            rows.append(measured(text, table, seed, options, codes))
            shown = {key: value for key, value in rows[-1].items() if key not in ("weights", "argmax")}
            print(json.dumps(shown), flush=True)
            pd.DataFrame(rows).to_csv(given.output, index=False)


if __name__ == "__main__":
    main()
