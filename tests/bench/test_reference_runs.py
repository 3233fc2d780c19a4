"""The reference runs that ship: a sample of each strategy's searches is replayed, and files of runs are read as written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasbench.api.benching import open_tasks
from nasbench.benchmark.definition import load_benchmark
from nasbench.benchmark.incumbents import read_runs, runs_bytes, write_runs
from nasbench.errors import InputError
from nasbench.runners.bench.reference import equal_searches, make_reference, reference_path, reference_runs, setting_of
from nasbench.runners.bench.replays import replay_task
from nasbench.runners.bench.submissions import check_entry
from nasbench.tabular.array_files import packed

SUITE = load_benchmark("suite-v1")
SLOW = ("zero_cost",)  # seconds a search
REFERENCE = reference_runs(SUITE)


def test_they_ship_for_the_suite_in_few_bytes():
    assert {"random", "evolution", "local_search", "reinforce_logits"} <= {entry.shown for entry in REFERENCE.entries}
    assert reference_path("suite-v1").stat().st_size < 5_000_000
    for entry in REFERENCE.entries:
        assert [len(runs.seeds) for runs in entry.runs.values()] == [SUITE.protocol.reference_seeds] * len(SUITE.tasks)


def require_reproduced(entry, searches):
    opened, missing = open_tasks(SUITE)
    assert missing == []
    found = check_entry(entry, REFERENCE, SUITE, opened, searches, 1, run_code=False)
    assert [(each.reproduced, each.faults, len(each.sampled)) for each in found] == [(True, (), searches)] * len(found)


@pytest.mark.parametrize(
    "entry", [each for each in REFERENCE.entries if each.shown not in SLOW], ids=lambda each: each.shown
)
def test_a_sample_of_each_strategy_is_replayed(entry):
    require_reproduced(entry, 1)


@pytest.mark.slow
@pytest.mark.parametrize("entry", REFERENCE.entries, ids=lambda each: each.shown)
def test_a_larger_sample_is_replayed(entry):
    require_reproduced(entry, 5)


def test_smaller_budgets_are_beginnings_of_the_largest():
    opened, _ = open_tasks(SUITE)
    (name,) = opened
    task = opened[name].task
    runs, _ = replay_task(setting_of("evolution"), opened[name], SUITE.protocol, range(4), timed=False)
    for size in ("small", "medium"):
        budgets = dict.fromkeys(task.budgets, task.budgets[size])
        smaller = replace(opened[name], task=task.model_copy(update={"budgets": budgets}))
        alone, _ = replay_task(setting_of("evolution"), smaller, SUITE.protocol, range(4), timed=False)
        end = alone.at(np.inf)
        assert runs.codes[runs.at(task.seconds(size))].tolist() == alone.codes[end].tolist()


def test_files_of_runs_read_as_they_were_written(tmp_path, made):
    write_runs(tmp_path / "runs.npz", made)
    again = read_runs(tmp_path / "runs.npz")
    assert runs_bytes(again) == runs_bytes(made)
    for entry, read in zip(made.entries, again.entries, strict=True):
        for task, runs in entry.runs.items():
            assert equal_searches(read.runs[task], runs) == len(runs.seeds)


def test_damaged_files_of_runs_are_one_line(tmp_path, made):
    content = runs_bytes(made)
    path = tmp_path / "runs.npz"
    for broken in (
        b"",
        content[:100],
        content[: len(content) // 2],
        packed({"kind": "another", "format": 1}, {}),
    ):
        path.write_bytes(broken)
        with pytest.raises(InputError) as error:
            read_runs(path)
        assert len(str(error.value).splitlines()) == 1


def test_runs_of_another_suite_are_refused(made):
    with pytest.raises(InputError, match="scores of different suites are not compared"):
        made.require(SUITE, "runs.npz")


def test_reference_runs_are_made_once_and_what_cannot_search_is_named():
    opened, _ = open_tasks(SUITE)
    stored, counted = [], []

    def ended(strategy, searches):
        counted.append((strategy, searches))

    arguments = (SUITE, opened, ["random", "pnas"], 3, 1)
    found, skipped = make_reference(*arguments, None, ended, stored.append)
    assert [each.strategy for each in skipped] == ["pnas"]
    assert (len(stored), counted) == (1, [("random", 3)])
    again, _ = make_reference(*arguments, found, ended, stored.append)
    assert (len(stored), counted) == (1, [("random", 3)])
    assert [entry.shown for entry in again.entries] == ["random"]
    expected = next(entry for entry in REFERENCE.entries if entry.shown == "random")
    for task, runs in found.entries[0].runs.items():
        assert equal_searches(runs, expected.runs[task]) == 3
