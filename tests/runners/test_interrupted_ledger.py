"""What children in flight held when a run was interrupted: charged as uncounted, once, however often the run is resumed."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from metered import Metered
from searching import search, stable_rows, tiny_plan

from nasbench.runners.executors import ExecutorOptions
from nasbench.runners.executors.inline import InlineExecutor
from nasbench.runners.executors.local import LocalExecutor
from nasbench.runners.search.progress import Progress
from nasbench.runners.suite import run_plans
from nasbench.store.format.schema import CURVES, LEDGER_CATEGORIES
from nasbench.store.query import Results
from nasbench.training.evaluation import Evaluation


def run_row(path):
    return Results(str(path)).runs().iloc[0]


def charged_seconds(path) -> float:
    """Device-seconds of all categories, without those of the searcher within the budget."""
    run = run_row(path)
    return 3600 * (sum(run[f"{name}_hours"] for name in LEDGER_CATEGORIES) - run["searcher_hours"])


def stopped(plan, path, executor, error=KeyboardInterrupt):
    with pytest.raises(error):
        search(plan, path, executor)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("budget", ["12 children", "60 gpu-seconds"])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("slots", [1, 4])
def test_the_ledger_of_a_run_that_was_interrupted_twice_is_what_its_devices_were_held_for(
    tmp_path, slots, ordered, budget
):
    fields = {"final": "best", "final_seeds": 2, "cached": "off", "ordered": ordered, "executor": "local"}
    plan = tiny_plan(budget=budget, devices=("cpu",) * slots, **fields)
    attempts = [Metered(slots, stops_at=3), Metered(slots, stops_at=4), Metered(slots)]
    path = tmp_path / "a.h5"
    for number, executor in enumerate(attempts[:2], start=1):
        stopped(plan, path, executor)
        held = sum(each.held for each in attempts[:number])
        assert run_row(path)["status"] == "interrupted"
        assert charged_seconds(path) == pytest.approx(held, abs=0.5)  # the searcher's own seconds beyond the budget
        assert charged_seconds(path) >= held - 1e-6
    search(plan, path, attempts[2])
    held = sum(each.held for each in attempts)
    assert charged_seconds(path) == pytest.approx(held, abs=0.5)
    assert charged_seconds(path) >= held - 1e-6
    in_rows = 3600 * Results(str(path)).frame()["gpu_hours"].sum()
    assert held - in_rows > 1  # what this test is about


@pytest.mark.slow
def test_the_budget_is_not_charged_for_what_was_interrupted(tmp_path):
    fields = {"final": "none", "cached": "off", "executor": "local", "devices": ("cpu",) * 4, "ordered": True}
    plan = tiny_plan(budget="12 children", **fields)
    search(plan, tmp_path / "whole.h5", Metered(4))
    stopped(plan, tmp_path / "parts.h5", Metered(4, stops_at=5))
    resumed = search(plan, tmp_path / "parts.h5", Metered(4))
    assert stable_rows(tmp_path / "parts.h5") == stable_rows(tmp_path / "whole.h5")
    whole, parts = run_row(tmp_path / "whole.h5"), run_row(tmp_path / "parts.h5")
    for name in ("training", "evaluation", "cached", "failed", "supernet", "final"):
        assert parts[f"{name}_hours"] == pytest.approx(whole[f"{name}_hours"])
    assert 3600 * parts["uncounted_hours"] == pytest.approx(resumed.ledger.device_seconds["uncounted"])
    assert parts["uncounted_hours"] > whole["uncounted_hours"]


def test_an_interruption_in_the_final_stage_is_charged_too(tmp_path):
    fields = {"final": "best", "final_seeds": 3, "cached": "off", "executor": "local", "devices": ("cpu",) * 2}
    plan = tiny_plan(budget="5 children", **fields)
    first, second = Metered(2, stops_at=6), Metered(2)
    stopped(plan, tmp_path / "a.h5", first)
    assert len(Results(str(tmp_path / "a.h5")).frame(stage="final")) == 1
    before = run_row(tmp_path / "a.h5")["uncounted_hours"]
    assert before > 0
    search(plan, tmp_path / "a.h5", second)
    assert charged_seconds(tmp_path / "a.h5") == pytest.approx(first.held + second.held, abs=0.5)
    assert run_row(tmp_path / "a.h5")["uncounted_hours"] >= before


def test_an_attempt_that_is_killed_later_keeps_what_an_earlier_one_noted(tmp_path):
    """A kill and an error both leave the row of the run as the attempt wrote it when it began."""
    plan = tiny_plan(budget="60 gpu-seconds", final="none", cached="off", executor="local", devices=("cpu",) * 4)
    first, killed, last = Metered(4, stops_at=3), Metered(4, stops_at=2, stop=RuntimeError), Metered(4)
    stopped(plan, tmp_path / "a.h5", first)
    noted = run_row(tmp_path / "a.h5")["uncounted_hours"]
    assert noted > 0
    stopped(plan, tmp_path / "a.h5", killed, RuntimeError)
    assert run_row(tmp_path / "a.h5")["status"] == "running"
    assert run_row(tmp_path / "a.h5")["uncounted_hours"] == pytest.approx(noted, abs=0.5 / 3600)
    search(plan, tmp_path / "a.h5", last)
    in_flight = charged_seconds(tmp_path / "a.h5") - 3600 * Results(str(tmp_path / "a.h5")).frame()["gpu_hours"].sum()
    assert in_flight == pytest.approx(3600 * noted, abs=0.5)


class InlineMeter(InlineExecutor):
    """Measures from outside how long each training took, also one that Ctrl-C ended."""

    held = 0.0

    def wait(self):
        began = time.monotonic()
        try:
            return super().wait()
        finally:
            self.held += time.monotonic() - began


def test_ctrl_c_in_a_training_in_this_process(tmp_path, monkeypatch):
    trained = []

    def evaluate(child, device, share):
        trained.append(child)
        time.sleep(0.1)
        if len(trained) in (3, 5):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        curves = {column.name: (0.5,) for column in CURVES}
        return Evaluation(status="ok", val_acc=0.5, val_acc_best=0.5, train_seconds=0.1, curves=curves)

    monkeypatch.setattr("nasbench.training.evaluate.evaluate", evaluate)
    plan = tiny_plan(budget="6 children", final="none", cached="off")
    meters = [InlineMeter(ExecutorOptions()) for _ in range(3)]
    for meter in meters[:2]:
        stopped(plan, tmp_path / "a.h5", meter)
    search(plan, tmp_path / "a.h5", meters[2])
    held = sum(meter.held for meter in meters)
    assert held > 6 * 0.1 + 2 * 0.4
    assert charged_seconds(tmp_path / "a.h5") == pytest.approx(held, abs=0.3)


def test_ctrl_c_while_worker_processes_train(tmp_path):
    epochs = {"data": "fake:images=96,size=8,classes=3", "epochs": 100_000, "filters": 4, "validation": 0.5}
    fields = {"budget": "4 children", "final": "none", "cached": "off", "executor": "local"}
    plan = tiny_plan(devices=("cpu", "cpu"), set=epochs, **fields)
    executor = LocalExecutor(ExecutorOptions(devices=("cpu", "cpu")))
    began: list[float] = []
    pressed: list[float] = []

    def press() -> None:
        while any(slot._ready is None or not slot._ready.done() for slot in executor._slots):
            time.sleep(0.01)
        began.extend(max(slot._started, slot._ready.result()) for slot in executor._slots if slot._ready is not None)
        time.sleep(1.0)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    stopped(plan, tmp_path / "a.h5", executor)
    held = executor.share * sum(time.monotonic() - start for start in began)
    presser.join()
    assert len(Results(str(tmp_path / "a.h5")).frame()) == 0
    until_pressed = executor.share * sum(pressed[0] - start for start in began)  # a busy machine stops them later
    assert until_pressed <= charged_seconds(tmp_path / "a.h5") <= held


class StopsLater(Progress):
    """Presses Ctrl-C when this many children have been shown, three seconds later: workers beside it have started up."""

    def __init__(self, children: int) -> None:
        super().__init__("stops")
        self._left = children

    def child(self, *arguments, **options) -> None:
        super().child(*arguments, **options)
        self._left -= 1
        if self._left == 0:
            time.sleep(3.0)
            raise KeyboardInterrupt


@pytest.mark.slow
def test_searches_side_by_side_that_are_stopped_note_what_their_children_held(tmp_path):
    """The second search is in its first training, of minutes, when the first search is stopped."""
    long = {"data": "fake:images=96,size=8,classes=3", "epochs": 100_000, "filters": 4, "validation": 0.5}
    fields = {"executor": "local", "final": "none", "cached": "off"}
    plans = [tiny_plan(budget="5 children", **fields), tiny_plan(budget="5 children", set=long, **fields)]
    with pytest.raises(KeyboardInterrupt):
        run_plans(tmp_path / "a.h5", plans, [], 2, lambda plan: StopsLater(2))
    runs = Results(str(tmp_path / "a.h5")).runs().set_index("run")
    assert set(runs["status"]) == {"interrupted"}
    assert 3600 * runs.loc[plans[1].run, "uncounted_hours"] > 0.05


class LateInterrupt(InlineExecutor):
    """Ctrl-C half a second into the n-th training (from 0), of the search and of final trainings together."""

    def __init__(self, at: int) -> None:
        super().__init__(ExecutorOptions())
        self._left = at

    def wait(self):
        if self._left == 0:
            time.sleep(0.5)
            raise KeyboardInterrupt
        self._left -= 1
        return super().wait()


@pytest.mark.parametrize("at", [0, 2, 4], ids=["before the first child", "in the search", "in the final trainings"])
def test_wall_time_is_that_of_all_attempts_wherever_one_was_interrupted(tmp_path, at):
    """Three children and two final trainings: the half second that an interruption ended is not forgotten."""
    plan = tiny_plan(budget="3 children", final="best", final_seeds=2, cached="off")
    path = tmp_path / "a.h5"
    stopped(plan, path, LateInterrupt(at))
    first = run_row(path)["wall_seconds"]
    assert first >= 0.5
    search(plan, path)
    assert run_row(path)["wall_seconds"] > first
    walls = Results(str(path)).frame()["wall_seconds"].tolist()
    assert walls == sorted(walls)
    assert all(wall > first for wall in walls[at:])
    assert run_row(path)["wall_seconds"] >= walls[-1]
