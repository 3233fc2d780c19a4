"""Suites that extend another: their reference runs are joined, and what has no runs on a task is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

import nasbench
from nasbench.api.benching import open_tasks
from nasbench.benchmark.definition import load_benchmark
from nasbench.benchmark.incumbents import joined_runs
from nasbench.errors import InputError, UnknownName
from nasbench.runners.bench.reference import equal_searches, reference_runs

FULL = load_benchmark("suite-v1-full")


def suite_of(tasks):
    """A suite with the tasks of these names, in this order."""
    task = FULL.tasks[0]
    return FULL.model_copy(update={"tasks": tuple(task.model_copy(update={"name": name}) for name in tasks)})


def only(runs, task, names):
    """Runs on one task by some strategies."""
    entries = tuple(
        replace(entry, runs={task: entry.runs[task]}) for entry in runs.entries if not names or entry.shown in names
    )
    return replace(runs, scales={task: runs.scales[task]}, entries=entries, made={"of": task})


def test_runs_of_both_suites_are_joined_by_strategy(made):
    base, own = only(made, "third", ()), only(made, "first", ("good", "poor"))
    found = joined_runs(base, own, suite_of(["first", "second", "third"]))
    assert (found.suite, found.digest) == ("suite-v1-full", suite_of(["first", "second", "third"]).digest)
    assert found.tasks == ["first", "third"]  # in the order of the suite
    assert {entry.shown: sorted(entry.runs) for entry in found.entries} == {
        "good": ["first", "third"],
        "middling": ["third"],
        "poor": ["first", "third"],
    }
    for entry in found.entries:
        origin = next(each for each in made.entries if each.shown == entry.shown)
        assert all(equal_searches(runs, origin.runs[task]) == 8 for task, runs in entry.runs.items())
    assert found.made == {"of": "first"}
    alone = joined_runs(base, None, suite_of(["first", "third"]))
    assert (alone.tasks, alone.made) == (["third"], {"of": "third"})


def test_runs_of_one_name_with_other_options_are_not_joined(made):
    base, own = only(made, "third", ("good",)), only(made, "first", ("good",))
    changed = replace(own, entries=(replace(own.entries[0], options={"population": 3}),))
    (entry,) = joined_runs(base, changed, suite_of(["first", "third"])).entries
    assert sorted(entry.runs) == ["first"]
    assert entry.options == {"population": 3}


def test_runs_of_the_suite_itself_count_before_those_of_its_base(made):
    base, own = only(made, "first", ("good",)), only(made, "first", ("poor",))
    renamed = replace(own, entries=(replace(own.entries[0], label="good", strategy="good"),))
    (entry,) = joined_runs(base, renamed, suite_of(["first"])).entries
    assert equal_searches(entry.runs["first"], own.entries[0].runs["first"]) == 8


def test_the_full_suite_has_the_reference_runs_of_the_suite_that_it_extends():
    base, full = reference_runs(load_benchmark("suite-v1")), reference_runs(FULL)
    assert set(base.tasks) < set(full.tasks)
    joined = {entry.shown: entry for entry in full.entries}
    for entry in base.entries:
        for task, runs in entry.runs.items():
            assert equal_searches(joined[entry.shown].runs[task], runs) == len(runs.seeds)


def test_a_suite_with_other_outcomes_has_no_reference_runs_of_the_one_that_it_extends(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nextends = "suite-v1"\n')
    same = load_benchmark(str(path))
    assert len(reference_runs(same).entries) == len(reference_runs(load_benchmark("suite-v1")).entries)
    other = same.model_copy(update={"protocol": same.protocol.model_copy(update={"draw": "one"})})
    assert reference_runs(other) is None
    longer = same.model_copy(update={"protocol": same.protocol.model_copy(update={"seeds": 7})})
    assert reference_runs(longer) is not None  # the first seeds are the same searches


def test_a_reference_strategy_without_runs_on_a_task_is_named_and_not_compared(monkeypatch):
    suite = load_benchmark("suite-v1")
    shipped = reference_runs(suite)
    entries = tuple(replace(each, runs={}) if each.shown == "evolution" else each for each in shipped.entries)
    monkeypatch.setattr(
        "nasbench.runners.bench.reference.reference_runs", lambda suite: replace(shipped, entries=entries)
    )
    found = nasbench.bench("random", seeds=5, against=["evolution", "local_search"], progress=False)
    assert found.compared.strategies == ["random", "local_search"]
    tasks = ", ".join(task.name for task in suite.tasks)
    (said,) = [line for line in found.notes if line.startswith("Not compared")]
    assert said == (
        f"Not compared, without reference runs on {tasks}: evolution. --task chooses the tasks of a comparison."
    )
    with pytest.raises(InputError, match="no reference strategy of --against evolution has runs on all of these tasks"):
        nasbench.bench("random", seeds=5, against=["evolution"], progress=False)
    alone = nasbench.bench("random", seeds=5, against=[], progress=False)
    assert not [line for line in alone.notes if line.startswith("Not compared")]


def test_tasks_are_chosen_by_name(tmp_path):
    suite = load_benchmark("suite-v1")
    opened, missing = open_tasks(suite, tasks=["digits201-2"])
    assert (list(opened), missing) == (["digits201-2"], [])
    with pytest.raises(UnknownName, match="digits201-2"):
        open_tasks(suite, tasks=["nothing"])
    with pytest.raises(InputError, match="task 'nasbench201-cifar10' cannot be read here"):
        open_tasks(FULL, [tmp_path], ["digits201-2", "nasbench201-cifar10"])
    found = nasbench.bench("random", seeds=5, against=[], tasks=["digits201-2"], progress=False)
    assert found.runs.tasks == ["digits201-2"]
