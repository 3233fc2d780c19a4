"""Reference runs of the strategies with shared weights, made of the searches that `one_shot_table.py` stored.

python benchmarks/one_shot_reference.py --seeds 200

A search of that file is the one that `nasbench bench reference` would make: same task, options and random numbers. It takes a
minute of a core, so that none is made twice.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from one_shot_table import PRESETS, RESULTS, SUITE, TASK

from nasbench.api.benching import open_tasks
from nasbench.benchmark.definition import OpenTask, load_benchmark
from nasbench.benchmark.incumbents import Entry, TaskRuns, read_runs, write_runs
from nasbench.runners.bench.reference import reference_path, setting_of
from nasbench.runners.bench.replays import entry_of


def runs_of(rows: pd.DataFrame, opened: OpenTask) -> TaskRuns:
    """Make the runs of one strategy.

    Args:
        rows: its searches, by seed, with the columns of results/one_shot_searches.csv.
        opened: the task.

    Returns:
        The runs.

    Raises:
        SystemExit: when a search has no incumbents, as those that were made before these were stored.
    """
    without = rows.loc[rows["incumbents"].isna(), "seed"].tolist()
    if without:
        raise SystemExit(
            f"{rows['strategy'].iloc[0]}: no incumbents of {len(without)} seeds, e.g. {without[0]}: make them again"
        )
    found = [np.array(json.loads(text)).reshape(-1, 3) for text in rows["incumbents"]]
    whole = np.concatenate(found)
    codes = whole[:, 1].astype(np.int64)
    return TaskRuns(
        seeds=rows["seed"].to_numpy(dtype=np.int64),
        children=rows["children"].to_numpy(dtype=np.int64),
        spent=rows["spent"].to_numpy(dtype=float),
        runs=np.repeat(np.arange(len(found)), [len(each) for each in found]),
        places=whole[:, 0].astype(np.int64),
        codes=codes,
        seconds=whole[:, 2],
        outcomes=opened.searched.val_acc[codes],
        scores=opened.reported.reported_acc[codes],
        searcher_seconds=float(rows["supernet_seconds"].median()),
    )


def main() -> None:
    """Replace the runs of these strategies in the file of reference runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strategies", nargs="*", default=list(PRESETS), help="all of them unless some are named")
    parser.add_argument("--seeds", type=int, default=200, help="seeds 0, 1, ...")
    parser.add_argument("-i", "--input", type=Path, default=RESULTS)
    parser.add_argument("-o", "--output", type=Path, default=reference_path(SUITE))
    given = parser.parse_args()
    suite = load_benchmark(SUITE)
    opened = open_tasks(suite, [], [TASK])[0][TASK]
    searches = pd.read_csv(given.input).sort_values(["strategy", "seed"])
    earlier = read_runs(given.output)
    earlier.require(suite, given.output)
    entries: dict[str, Entry] = {entry.shown: entry for entry in earlier.entries}
    for name in given.strategies:
        rows = searches[(searches["strategy"] == name) & (searches["seed"] < given.seeds)]
        if rows["seed"].tolist() != list(range(given.seeds)):
            raise SystemExit(f"{name}: {len(rows)} searches of the seeds 0 to {given.seeds - 1}; make the others first")
        entries[name] = entry_of(setting_of(name), {TASK: runs_of(rows, opened)}, label=name)
    write_runs(given.output, replace(earlier, entries=tuple(entries[name] for name in sorted(entries))))


if __name__ == "__main__":
    main()
