"""What a file's stored configurations become again: infinite numbers of earlier versions, and runs that cannot go on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from commands import nasbench
from searching import tiny_plan

from nasbench.errors import InputError
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_new
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.resuming import plans_to_resume
from nasbench.runners.suite import Suite, plans_of, run_plans
from nasbench.store.query import Results


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


def test_the_command_says_how_a_time_out_never_comes(tmp_path):
    words = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "1 child", "--timeout", "inf")
    done = nasbench(*words, cwd=tmp_path)
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
