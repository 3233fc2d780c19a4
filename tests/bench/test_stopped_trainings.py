"""Strategies that stop trainings, on the suite's table with curves: runs, files of runs, and checks of submissions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbench.api.benching import open_tasks
from nasbench.benchmark.definition import load_benchmark
from nasbench.benchmark.incumbents import BenchmarkRuns, TaskScale, read_runs, write_runs
from nasbench.runners.bench.reference import equal_searches, setting_of
from nasbench.runners.bench.replays import entry_of, replay_task
from nasbench.runners.bench.submissions import check_entry

SUITE = load_benchmark("suite-v1")
SEEDS = range(4)


@pytest.fixture(scope="module")
def opened():
    return open_tasks(SUITE)[0]


def runs_of(name, opened):
    setting = setting_of(name)
    found = {task: replay_task(setting, each, SUITE.protocol, SEEDS) for task, each in opened.items()}
    scales = {task: TaskScale.of(each) for task, each in opened.items()}
    entry = entry_of(setting, {task: runs for task, (runs, _) in found.items()})
    return BenchmarkRuns(SUITE.name, SUITE.digest, scales, (entry,)), found


@pytest.mark.parametrize("name", ["asha", "hyperband", "dehb"])
def test_they_are_benched_stored_and_checked(name, opened, tmp_path):
    runs, found = runs_of(name, opened)
    (entry,) = runs.entries
    for task, (each, children) in found.items():
        table = opened[task].searched
        stopped = each.stops > 0
        assert stopped.any()
        assert not stopped.all()
        assert each.searcher_seconds > 0
        whole = table.val_acc[each.codes]
        assert np.array_equal(each.outcomes[~stopped], whole[~stopped])
        until = table.curves.val_acc[table.curves.kinds[each.codes], each.stops - 1]
        assert np.array_equal(each.outcomes[stopped], until[stopped])
        assert np.array_equal(each.scores, opened[task].reported.reported_acc[each.codes])  # of whole trainings
        assert each.spent.max() <= opened[task].task.seconds("large")
        assert children.children.tolist() == each.children.tolist()
    write_runs(tmp_path / "runs.npz", runs)
    again = read_runs(tmp_path / "runs.npz")
    for task, runs_again in again.entries[0].runs.items():
        assert equal_searches(runs_again, entry.runs[task]) == len(SEEDS)
    checked = check_entry(again.entries[0], again, SUITE, opened, 2, 0, run_code=False)
    assert [(each.reproduced, each.faults) for each in checked] == [(True, ())] * len(opened)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda runs: {"stops": np.zeros_like(runs.stops)}, "outcomes are not the table's"),
        (lambda runs: {"stops": np.where(runs.stops > 0, 99, 0)}, "stopped at epochs which this strategy or table"),
        (lambda runs: {"seconds": runs.seconds * 0.01}, "came earlier than their trainings end"),
    ],
)
def test_changed_stops_and_seconds_are_faults(change, fault, opened):
    runs, _ = runs_of("asha", opened)
    (entry,) = runs.entries
    changed = replace(entry, runs={task: replace(each, **change(each)) for task, each in entry.runs.items()})
    checked = check_entry(changed, replace(runs, entries=(changed,)), SUITE, opened, 1, 0, run_code=False)
    assert all(fault in " ".join(each.faults) for each in checked)


def test_a_strategy_of_whole_trainings_stops_none(opened):
    runs, found = runs_of("random", opened)
    (entry,) = runs.entries
    changed = replace(
        entry, runs={task: replace(each, stops=np.ones_like(each.stops)) for task, each in entry.runs.items()}
    )
    checked = check_entry(changed, replace(runs, entries=(changed,)), SUITE, opened, 1, 0, run_code=False)
    assert all("stopped at epochs" in " ".join(each.faults) for each in checked)
    assert not any(each.stops.any() for each, _ in found.values())
