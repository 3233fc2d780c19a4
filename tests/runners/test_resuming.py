"""What a file's stored configurations become again: infinite numbers of earlier versions, and runs that cannot go on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import nasbench
from searching import tiny_plan
from store_rows import run

from nasbench.errors import InputError
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_new
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.resuming import plans_to_resume
from nasbench.runners.suite import Suite, plans_of, run_plans
from nasbench.store.maintenance.merging import merge_files
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter


class Stopped(Progress):
    """Presses Ctrl-C at the first child."""

    def child(self, *arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt


def interrupt(path: Path, *plans: SearchPlan) -> str:
    """Begin searches in a file, and stop each after its first child."""
    for plan in plans:
        with pytest.raises(KeyboardInterrupt):
            run_plans(path, [plan], [], 1, lambda plan: Stopped("test"))
    return str(path)


@pytest.mark.parametrize("name", ["timeout", "checkpoint_gib", "grace_seconds", "cpus_per_child"])
def test_an_infinite_number_is_refused_as_it_could_not_be_read_back(name):
    given = {"strategy": "random", "space": "nasnet:blocks=1", "budget": "2 children", "executor": "ray"}
    hint = ", or 0 for never" if name == "timeout" else ""
    with pytest.raises(InputError, match=rf"{name}=inf cannot be stored, .*: give a finite number{hint}$"):
        plan_new(SearchConfig(**{**given, name: math.inf}))


def test_an_infinite_option_of_a_strategy_is_refused_in_suites_too():
    search = {"space": "nasnet:blocks=1", "budget": "1 child", "strategy": "ppo"}
    suite = Suite(name="mine", search=search, options={"ppo": {"learning_rate": math.inf}})
    with pytest.raises(InputError, match="learning_rate=inf cannot be stored"):
        plans_of(suite.searches())


@pytest.mark.parametrize(
    "words", [("run", "--strategy", "random", "--budget", "1 child"), ("table", "build", "-o", "a.h5")]
)
def test_the_command_says_how_a_time_out_never_comes(tmp_path, words):
    done = nasbench(*words, "--space", "nasnet:blocks=1", "--timeout", "inf", cwd=tmp_path)
    assert done.code == 2
    assert "timeout=inf cannot be stored" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert list(tmp_path.rglob("*.h5")) == []


@pytest.mark.parametrize("name", ["timeout", "checkpoint_gib", "grace_seconds"])
def test_a_run_that_was_stored_with_an_infinite_number_goes_on_under_its_id(tmp_path, name):
    """Earlier versions took such numbers, and JSON has null for them."""
    plan = tiny_plan(budget="2 children", **{name: math.inf})
    path = interrupt(tmp_path / "a.h5", plan)
    with Results(path) as results:
        assert f'"{name}":null' in results.runs()["config"].iloc[0]
    (resumed,) = plans_to_resume(path)
    assert (resumed.config, resumed.run) == (plan.config, plan.run)


def test_a_run_that_cannot_go_on_is_left_out_and_named(tmp_path):
    """Rule: the runs of a file go on, each by itself; the exit code is 2 only if none can."""
    plan = plan_new(tiny_plan(budget="1 children", final="none").config)
    path = interrupt(tmp_path / "a.h5", plan)
    with ResultsWriter(path) as writer:
        writer.put_run(run("lost", status="interrupted"))  # as a repair makes it, without a configuration
    with pytest.warns(UserWarning, match=r"^run lost is left out: run lost of .*a\.h5 has no stored configuration"):
        assert [each.run for each in plans_to_resume(path)] == [plan.run]
    with pytest.raises(InputError, match=r"run lost of .*a\.h5 has no stored configuration"):
        plans_to_resume(path, "lost")
    done = nasbench("resume", path)
    assert done.code == 0
    assert "note: run lost is left out" in done.err
    with Results(path) as results:
        assert results.runs()["status"].tolist() == ["complete", "interrupted"]
    assert f"nothing to resume, run {plan.run} is complete" in nasbench("resume", path, "--run", plan.run).out
    again = nasbench("resume", path)
    assert again.code == 2
    assert again.err.startswith("error: run lost of ")
    assert len(again.err.strip().splitlines()) == 1


def test_several_runs_that_cannot_go_on_are_one_line(tmp_path):
    path = str(tmp_path / "a.h5")
    with ResultsWriter(path) as writer:
        for number in range(5):
            writer.put_run(run(f"lost{number}", status="interrupted"))
    done = nasbench("resume", path)
    assert done.code == 2
    assert "none of the 5 unfinished runs of" in done.err
    assert "run lost2: run lost2 of" in done.err
    assert done.err.strip().endswith("; and 2 more")
    assert len(done.err.strip().splitlines()) == 1


def test_a_run_that_a_merge_kept_says_where_it_goes_on(tmp_path):
    plan = plan_new(tiny_plan(budget="2 children").config)
    files = [interrupt(tmp_path / f"{name}.h5", plan) for name in "ab"]
    merge_files(files, str(tmp_path / "c.h5"), "keep")  # their seconds differ
    said = rf"run {plan.run}~2 of .* is a copy of run {plan.run} of {files[1]}, .*: resume it in that file"
    with pytest.warns(UserWarning, match=said):
        assert [each.config for each in plans_to_resume(tmp_path / "c.h5")] == [plan.config]
    with pytest.raises(InputError, match=said):
        plans_to_resume(tmp_path / "c.h5", f"{plan.run}~2")


def test_a_run_whose_id_is_not_that_of_its_configuration_says_so(tmp_path):
    plan = replace(tiny_plan(budget="2 children"), run="0123456789ab")
    path = interrupt(tmp_path / "a.h5", plan)
    with pytest.raises(InputError, match=r"run 0123456789ab of .* does not have the id of its configuration"):
        plans_to_resume(path)
