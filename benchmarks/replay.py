"""Replayed searches against the loops of the field over NATS-Bench's API, in one run; and the whole published table from start to plot.

OMP_NUM_THREADS=1 python benchmarks/replay.py ../shared/data/nb201_tss.npz

All times are of the processor, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import Measurement, keep
from reference_searches import Query, api_query, evolution, random_search, reinforce

from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_one_by_one
from nasbench.runners.search.budget import Budget
from nasbench.tabular.tables import Table, read_table

SEEDS = range(500)
BUDGET = ReplayBudget(Budget.parse("12000 s"))
MANY = 20_000
REFERENCE_SECONDS = 4.0  # of the processor for each strategy, spread over the rounds
ROUNDS = 4
AGAINST = "loop over nats_bench 1.8"
STRATEGIES: dict[str, tuple[Setting, Callable[[Query, float, int], tuple[str, int]]]] = {
    "random": (Setting.of("random", {}), random_search),
    "evolution": (Setting.of("evolution", {"population": 10, "sample": 3, "identity": 0}), evolution),
    "reinforce_logits": (Setting.of("reinforce_logits", {}), reinforce),
}


def reference_rate(
    search: Callable[[Query, float, int], tuple[str, int]], query: Query, first_seed: int
) -> tuple[int, float, list[str]]:
    """Evaluations, processor seconds and choices of the loop in one round."""
    choices: list[str] = []
    evaluations, began = 0, time.process_time()
    while time.process_time() - began < REFERENCE_SECONDS / ROUNDS:
        choice, queries = search(query, BUDGET.budget.limit, first_seed + len(choices))
        evaluations += queries
        choices.append(choice)
    return evaluations, time.process_time() - began, choices


def compare(name: str, table: Table, query: Query) -> list[Measurement]:
    """Interleave both, and print what the loop's searches chose as a check of the loop."""
    setting, search = STRATEGIES[name]
    search(query, 500.0, 0)  # lazy imports
    replay(table, setting, range(2), BUDGET)
    theirs = ours = apart = np.zeros(2)
    choices: list[str] = []
    for turn in range(ROUNDS):
        evaluations, seconds, chosen = reference_rate(search, query, 1000 * turn)
        theirs = theirs + np.array([evaluations, seconds])
        choices += chosen
        began = time.process_time()
        found = replay(table, setting, SEEDS, BUDGET)
        ours = ours + np.array([found.children.sum(), time.process_time() - began])
        began = time.process_time()
        some = replay_one_by_one(table, setting, range(20), BUDGET)
        apart = apart + np.array([some.children.sum(), time.process_time() - began])
    tests = 100 * np.array([_test(table, choice) for choice in choices])
    mine = 100 * found.frame()["test_acc"]
    print(
        f"{name}: the loop's choices {tests.mean():.2f} +- {tests.std(ddof=1):.2f} over {len(tests)} seeds; "
        f"ours {mine.mean():.2f} +- {mine.std():.2f} over {len(mine)}"
    )
    rates = [evaluations / seconds for evaluations, seconds in (theirs, ours, apart)]
    unit = "evaluations a processor second"
    return [
        Measurement(f"replay of {name}, in step", rates[1] / rates[0], AGAINST, rates[1], rates[0], unit),
        Measurement(f"replay of {name}, ask and tell", rates[2] / rates[0], AGAINST, rates[2], rates[0], unit),
    ]


def _test(table: Table, choice: str) -> float:
    architecture = table.space.parse(choice)  # type: ignore[attr-defined]
    return float(table.test_acc[int(table.code(np.array(architecture.choices)))])


def whole_table(path: Path) -> Measurement:
    """Processor seconds of the command that replays the published table and draws it, imports and all."""
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        words = ["replay", "--table", str(path), "--plot", f"{folder}/regret"]
        subprocess.run([Path(sys.executable).with_name("nasbench"), *words], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measurement(
        "published table, 3 x 500 searches, start to plot",
        10 / seconds,
        "the goal of 10 s",
        seconds,
        10.0,
        "processor s",
    )


def many_children(table: Table) -> list[Measurement]:
    """One search of 20,000 children through ask, ledger and tell, and how much more memory that takes than one of 2,000."""
    rows = []
    for name in ("random", "evolution"):
        setting, peaks = STRATEGIES[name][0], []
        began = time.process_time()
        replay_one_by_one(table, setting, [0], ReplayBudget(Budget.parse(f"{MANY} children")))
        seconds = time.process_time() - began
        for children in (MANY // 10, MANY):
            tracemalloc.start()
            replay_one_by_one(table, setting, [0], ReplayBudget(Budget.parse(f"{children} children")))
            peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
            tracemalloc.stop()
        note = f"peak memory {peaks[1]:.1f} MB, of {MANY // 10:,} children {peaks[0]:.1f} MB"
        rows.append(
            Measurement(
                f"{MANY:,} children of {name}", 60 / seconds, "the goal of 60 s", seconds, 60.0, "processor s", note
            )
        )
    return rows


def main() -> None:
    """Parse, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    path = parser.parse_args().table
    table = read_table(path)
    query = api_query(table, path.parent / "nats_tss_3arch_full_records.json.gz")
    archs = [str(table.architecture(code)) for code in range(2000)]
    began = time.process_time()
    for arch in archs:
        query(arch)
    print(f"one query of the API: {(time.process_time() - began) / len(archs) * 1e6:.0f} us")
    keep(
        [row for name in STRATEGIES for row in compare(name, table, query)] + [whole_table(path), *many_children(table)]
    )


if __name__ == "__main__":
    main()
