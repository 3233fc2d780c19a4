"""Which configurations are the same run: executors on this machine, spellings of a budget, ids of earlier versions."""

from __future__ import annotations

from pathlib import Path

import commands
import pytest
from searching import stable_rows, tiny_plan

import nasbench
from nasbench.errors import InputError
from nasbench.runners.executors import ExecutorOptions
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_search, plan_stored
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.resuming import plans_to_resume
from nasbench.runners.suite import Suite, plans_of, run_plans
from nasbench.store.query import Results

FAKE = {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4, "validation": 0.5}
WORDS = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "4 children", "--final-seeds", "0")
WORDS += tuple(word for key, value in FAKE.items() for word in ("--set", f"{key}={value}"))


def call(path: Path, **fields) -> nasbench.Run:
    given = {
        "space": "nasnet:blocks=1",
        "strategy": "random",
        "budget": "4 children",
        "set": FAKE,
        "progress": False,
        "final_seeds": 0,
    }
    return nasbench.search(**{**given, "output": path, **fields})


class Stopped(Progress):
    """Presses Ctrl-C at the first child."""

    def child(self, ledger, best, busy, cached=False):
        raise KeyboardInterrupt


def run_as_earlier_versions(path: Path, plan: SearchPlan) -> None:
    """Store a search in this process under the id of its own that it had."""
    assert plan.run == plan.ids[1]
    run_plans(path, [plan], [], 1, lambda plan: Progress("test"))


@pytest.mark.slow
def test_the_command_and_the_call_from_python_are_one_run(tmp_path):
    path = tmp_path / "a.h5"
    first = call(path, callbacks=[lambda child: child.stop("enough")])
    assert first.status == "interrupted"
    done = commands.nasbench(*WORDS, "-o", str(path))  # in a worker process
    assert done.code == 0, done.err
    assert first.id in done.out
    with Results(path) as results:
        assert results.runs()[["run", "status"]].to_numpy().tolist() == [[first.id, "complete"]]
    call(tmp_path / "whole.h5")
    assert stable_rows(path) == stable_rows(tmp_path / "whole.h5")
    before = path.read_bytes()
    assert call(path).id == first.id
    assert path.read_bytes() == before


def test_a_new_run_has_the_id_of_worker_processes():
    here, workers = tiny_plan(executor="inline"), tiny_plan(executor="local")
    assert here.run != workers.run  # as stored by earlier versions
    assert here.as_new().run == workers.as_new().run == workers.run
    several = tiny_plan(executor="local", children_per_device=2)
    assert several.as_new().run == several.run != workers.run


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_a_stored_search_in_this_process_keeps_its_id(tmp_path, executor):
    path, plan = tmp_path / "a.h5", tiny_plan(budget="4 children")
    run_as_earlier_versions(path, plan)
    before = path.read_bytes()
    again = call(path, executor="inline") if executor == "inline" else commands.nasbench(*WORDS, "-o", str(path))
    assert path.read_bytes() == before
    assert (again.id if executor == "inline" else again.out.splitlines()[1].split()[0]) == plan.run


@pytest.mark.slow
def test_an_interrupted_search_of_an_earlier_version_goes_on_under_its_id(tmp_path):
    path, plan = tmp_path / "a.h5", tiny_plan(budget="4 children")
    with pytest.raises(KeyboardInterrupt):
        run_plans(path, [plan], [], 1, lambda plan: Stopped("test"))
    done = commands.nasbench(*WORDS, "-o", str(path))
    assert done.code == 0, done.err
    with Results(path) as results:
        runs = results.runs()
    assert runs[["run", "status"]].to_numpy().tolist() == [[plan.run, "complete"]]
    config = SearchConfig.model_validate_json(runs["config"].iloc[0])
    assert config.executor == "local"
    assert plan_stored(config, plan.run).run == plan.run
    run_as_earlier_versions(tmp_path / "whole.h5", plan)
    assert stable_rows(path) == stable_rows(tmp_path / "whole.h5")


def test_a_suite_refuses_the_same_search_in_two_executors():
    search = {"space": "nasnet:blocks=1", "budget": "1 child", "strategy": "random", "set": FAKE}
    suite = Suite(name="mine", search=search, matrix={"executor": ["inline", "local"]})
    with pytest.raises(InputError, match="two searches of the suite are the same"):
        plans_of(suite.searches())


RAY = {
    "address": "head:6379",
    "gpus_per_child": 0.5,
    "cpus_per_child": 2.0,
    "memory_per_child": 3.0,
    "accelerator": "A100",
    "children_at_once": 4,
}


@pytest.mark.parametrize("name", RAY)
def test_options_of_ray_are_refused_where_another_executor_trains(tmp_path, name):
    """Rule: an option that differs from its default has an effect, or the search does not begin."""
    said = rf"{name}={RAY[name]!r} is only for executor 'ray', and the executor is '{{}}': leave {name} out"
    with pytest.raises(InputError, match=said.format("inline")):
        call(tmp_path / "a.h5", **{name: RAY[name]})
    search = {"space": "nasnet:blocks=1", "budget": "1 child", "strategy": "random", "set": FAKE, name: RAY[name]}
    with pytest.raises(InputError, match=said.format("local")):
        plans_of(Suite(name="mine", search=search).searches())
    assert list(tmp_path.iterdir()) == []
    same = ExecutorOptions.model_fields[name].default
    assert plans_of(Suite(name="mine", search={**search, name: same}).searches())


def test_a_stored_search_with_options_of_ray_goes_on_as_it_began(tmp_path):
    """Files of versions that took such options; an address for it is refused, as none of the runs has a cluster."""
    path, plan = tmp_path / "a.h5", tiny_plan(budget="2 children", gpus_per_child=1.0, accelerator="A100")
    with pytest.raises(KeyboardInterrupt):
        run_plans(path, [plan], [], 1, lambda plan: Stopped("test"))
    assert [each.run for each in plans_to_resume(path)] == [plan.run]
    with pytest.raises(InputError, match="address 'head:6379' is only for executor 'ray'"):
        plans_to_resume(path, address="head:6379")


@pytest.mark.parametrize("unit", ["seconds", "minutes", "hours", "days", "hour"])
def test_device_hours_and_gpu_hours_are_the_same_run(unit):
    config = {"strategy": "random", "space": "nasnet:blocks=2"}
    gpu, device = (
        plan_search(SearchConfig.model_validate({**config, "budget": f"2 {kind}-{unit}"})) for kind in ("gpu", "device")
    )
    assert gpu == device
    assert device.config.budget == f"2 gpu-{unit}"  # as stored by earlier versions
    assert device.budget.text == device.as_new().config.budget == f"2 gpu-{unit.removesuffix('s')}s"


SPELLINGS = {
    "3 children": ("3children", "3.0 children", " 3  Children"),
    "1 child": ("1 children", "1.0child"),
    "2 gpu-hours": ("2gpu-hours", "2.0 gpu-hour", "2 device-hours"),
    "0.5 usd": ("0.50 usd", ".5USD", "5e-1 usd"),
    "2 h": ("2 hours", "2h", "2.0 hour"),
    "10 min": ("10 minutes", "1e1min"),
    "90 s": ("90 seconds", "90.0s"),
}


@pytest.mark.parametrize(("usual", "others"), SPELLINGS.items())
def test_spellings_of_a_budget_are_one_run(usual, others):
    new = tiny_plan(budget=usual, price="1").as_new()
    for other in others:
        plan = tiny_plan(budget=other, price="1")
        assert (plan.as_new().run, plan.as_new().config.budget, plan.budget.text) == (new.run, usual, usual)


@pytest.mark.parametrize(
    ("stored", "asked"),
    [("3children", "3 children"), ("3.0 children", "3children"), ("60 min", "1 h"), ("2.0h", "2 h")],
)
def test_a_stored_spelling_of_a_budget_keeps_its_id(stored, asked):
    """Earlier versions stored the text as it was given; its run goes on under its id, and can be resumed."""
    old, new = tiny_plan(budget=stored, executor="local"), tiny_plan(budget=asked, executor="local").as_new()
    assert new.run != old.run
    found = new.as_stored({old.run})
    assert (found.run, found.config.budget) == (old.run, stored)
    assert plan_stored(found.config, found.run).run == old.run
    assert new.as_stored({old.run, new.run}).run == new.run
    assert new.as_stored({"0" * 12}) == new
