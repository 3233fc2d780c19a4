"""Searches run into one file as the commands run them: stopped at any child, packed, and gone on with."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import pytest
from searching import stable_rows, tiny_plan

from nasbench.errors import InputError
from nasbench.runners.executors import EXECUTORS, Executor, ExecutorOptions
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.resuming import plans_to_resume
from nasbench.runners.search.rows import stored_command
from nasbench.runners.search.watcher import Watcher
from nasbench.runners.suite import SharedWriter, run_plans
from nasbench.store.files import ResultsPaths
from nasbench.store.format.schema import CURVES
from nasbench.store.query import Results
from nasbench.training.evaluation import Evaluation


class StoppedAt(Progress):
    """Presses Ctrl-C once that many children were shown; never for a negative number."""

    def __init__(self, children: int) -> None:
        super().__init__("stopped", io.StringIO())
        self._left = children

    def child(self, *arguments, **options) -> None:
        super().child(*arguments, **options)
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


def plans(executor: str) -> list[SearchPlan]:
    return [
        tiny_plan(strategy=strategy, budget="5 children", executor=executor) for strategy in ("random", "evolution")
    ]


def run_all(path: Path, stop: int = -1, jobs: int = 1) -> None:
    executor = "inline" if jobs == 1 else "local"
    run_plans(path, plans(executor), [], jobs, lambda plan: StoppedAt(stop))


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("stop", [1, 3])
def test_stopped_packed_and_gone_on_with_equals_never_stopped(tmp_path, stop):
    whole, parts = tmp_path / "whole.h5", tmp_path / "parts.h5"
    run_all(whole)
    with pytest.raises(KeyboardInterrupt):
        run_all(parts, stop)
    assert not ResultsPaths.of(parts).journal.exists()
    assert Results(str(parts)).runs()["status"].tolist() == ["interrupted"]
    run_all(parts)
    assert stable_rows(parts) == stable_rows(whole)


def test_a_second_ctrl_c_does_not_cut_off_the_note_of_the_first(tmp_path, monkeypatch):
    put_run = SharedWriter.put_run

    def disturbed(sink, row):
        if row["status"] == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
        put_run(sink, row)

    monkeypatch.setattr(SharedWriter, "put_run", disturbed)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_all(tmp_path / "x.h5", stop=2)
    assert Results(str(tmp_path / "x.h5")).runs()["status"].tolist() == ["interrupted"]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_searches_side_by_side_go_on_from_a_packed_file(tmp_path):
    path = tmp_path / "parts.h5"
    with pytest.raises(KeyboardInterrupt):
        run_all(path, stop=2, jobs=2)
    run_all(path, jobs=2)
    frame = Results(str(path)).frame(stage="search")
    assert frame.groupby("run")["index"].apply(sorted).tolist() == [list(range(5))] * 2
    assert set(Results(str(path)).runs()["status"]) == {"complete"}


def test_searches_that_would_train_side_by_side_in_this_process_are_refused(tmp_path):
    with pytest.raises(InputError, match="2 searches at the same time need the executor local or ray"):
        run_plans(tmp_path / "x.h5", plans("inline"), [], 2, lambda plan: StoppedAt(-1))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_is_complete_is_left_alone(tmp_path):
    run_all(tmp_path / "x.h5")
    before = stable_rows(tmp_path / "x.h5")
    run_all(tmp_path / "x.h5", stop=1)
    assert stable_rows(tmp_path / "x.h5") == before


class Shares(Executor):
    """Trains nothing: every child takes four seconds, in which it holds this executor's share of its device."""

    def __init__(self, options: ExecutorOptions) -> None:
        super().__init__(options)
        self._waiting: list[int] = []

    def submit(self, ticket, child):
        self._waiting.append(ticket)

    def wait(self):
        curves = {column.name: (0.5,) for column in CURVES}
        fields = {"val_acc": 0.5, "val_acc_best": 0.5, "curves": curves, "device": "cpu", "devices": self.share}
        return [(self._waiting.pop(0), Evaluation(status="ok", train_seconds=3.0, eval_seconds=1.0, **fields))]

    def drop(self):
        self._waiting.clear()
        return []

    def close(self):
        self._waiting.clear()


class StopsItself(Watcher):
    """Stops its search after so many children."""

    def __init__(self, children: int) -> None:
        self._left = children

    def committed(self, *arguments, **options) -> None:
        self._left -= 1
        if self._left == 0:
            self.stop_reason = "enough"


def four(runs_per_device: int) -> list[SearchPlan]:
    fields = {"budget": "3 children", "executor": "local", "final": "none", "cached": "off"}
    return [tiny_plan(seed=seed, runs_per_device=runs_per_device, **fields) for seed in range(4)]


def run_four(path: Path, plans: list[SearchPlan], jobs: int, stop: int = -1) -> None:
    run_plans(path, plans, [], jobs, lambda plan: StoppedAt(-1), watcher_for=lambda plan: StopsItself(stop))


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize(
    ("runs_per_device", "jobs", "then", "shares"),
    [
        (4, 4, 1, [1 / 4, 1]),  # a suite of four at once, then one after the other
        (1, 1, 4, [1, 1 / 4]),  # searches of their own, then side by side
        (4, 4, 2, [1 / 4, 1 / 2]),
        (4, 1, 1, [1 / 4, 1 / 4]),  # the user said that four searches share the device: three are other processes
    ],
)
def test_a_resumed_search_is_charged_for_the_jobs_that_run_now(
    tmp_path, monkeypatch, runs_per_device, jobs, then, shares
):
    """On one core, a child holds the part that the searches at the same time leave it."""
    monkeypatch.setattr(EXECUTORS, "get", lambda name: Shares)
    path, began = tmp_path / "a.h5", four(runs_per_device)
    run_four(path, began, jobs, stop=1)
    assert set(Results(str(path)).runs()["status"]) == {"interrupted"}
    plans = plans_to_resume(path)
    assert {plan.run for plan in plans} == {plan.run for plan in began}
    run_four(path, plans, then)
    with Results(str(path)) as results:
        frame, runs = results.frame(), results.runs().set_index("run")
    assert set(runs["status"]) == {"complete"}
    for run, rows in frame.groupby("run"):
        expected = [shares[0], shares[1], shares[1]]
        assert rows["devices"].tolist() == expected
        assert (3600 * rows["gpu_hours"]).tolist() == pytest.approx([4 * share for share in expected])
        # The searcher held the same shares, each in its attempt.
        searcher = (rows["searcher_seconds"] * expected).sum()
        assert 3600 * runs.loc[run, "searcher_hours"] == pytest.approx(searcher)
        charged = sum(runs.loc[run, f"{name}_hours"] for name in ("training", "evaluation", "searcher"))
        assert rows["spent_gpu_hours"].iloc[-1] == pytest.approx(charged)


@pytest.mark.usefixtures("one_core")
def test_fewer_searches_than_jobs_share_the_device_among_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(EXECUTORS, "get", lambda name: Shares)
    run_four(tmp_path / "a.h5", four(4)[:2], jobs=4)
    assert set(Results(str(tmp_path / "a.h5")).frame()["devices"]) == {1 / 2}


def test_a_run_of_a_version_that_stored_no_jobs_had_as_many_as_its_configuration_says():
    assert stored_command({"run": "a", "provenance": ""}, 4).jobs == 4
    for odd in ("[4]", "true", "0", '"4"', "2.5"):
        assert stored_command({"run": "a", "provenance": f'{{"searches_at_once": {odd}}}'}, 4).jobs == 4
