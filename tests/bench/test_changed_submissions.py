"""The check of submissions finds numbers that were changed: seconds of incumbents, selected seeds, impossible courses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbench.benchmark.definition import load_benchmark, open_task
from nasbench.runners.bench.submissions import check_entry


@pytest.fixture(scope="module")
def check(benched):
    suite = load_benchmark("suite-v1")
    entry = next(each for each in benched.runs.entries if each.strategy == "random")
    task = suite.tasks[0].name
    opened = {task: open_task(suite.tasks[0])}

    def checked(**columns):
        runs = replace(entry.runs[task], **columns)
        (found,) = check_entry(replace(entry, runs={task: runs}), benched.runs, suite, opened, 10, 0, False)
        return found

    return entry.runs[task], checked


def test_an_unchanged_entry_is_reproduced(check):
    _, checked = check
    assert checked().reproduced


def test_seconds_of_incumbents_are_compared(check):
    runs, checked = check
    found = checked(seconds=runs.seconds * 1.01)  # later than they came, within what the search spent for most
    assert found.equal == 0
    assert not found.reproduced


def test_incumbents_that_came_too_early_are_a_fault(check):
    runs, checked = check
    found = checked(seconds=runs.seconds * 0.01)
    assert found.faults == (
        "6 of 6 searches have incumbents that are no better than those before, or came earlier than their trainings end",
    )


def test_an_incumbent_that_is_no_better_is_a_fault(check):
    runs, checked = check
    last = int(np.flatnonzero(runs.runs == 0)[-1])
    assert last > 0
    codes, outcomes, scores = runs.codes.copy(), runs.outcomes.copy(), runs.scores.copy()
    for values in (codes, outcomes, scores):
        values[last] = values[last - 1]
    found = checked(codes=codes, outcomes=outcomes, scores=scores)
    assert [fault.split(" searches")[0] for fault in found.faults] == ["1 of 6"]


def test_selected_seeds_are_a_fault(check):
    runs, checked = check
    kept = runs.of_searches([1, 3, 4])
    found = checked(**{name: value for name, value in vars(kept).items() if name != "searcher_seconds"})
    assert found.faults == ("the seeds are not 0 to 2, so that searches may have been selected",)
    assert not found.reproduced


def test_negative_own_seconds_are_a_fault(check):
    _, checked = check
    assert checked(searcher_seconds=-5.0).faults == ("the strategy's own seconds are -5",)
