from __future__ import annotations

import math

import numpy as np
import pytest
from searching import search, stable_rows, tiny_plan

from nasbench.errors import InputError, UnknownName
from nasbench.runners.executors.base import Executor, ExecutorOptions
from nasbench.runners.executors.inline import InlineExecutor
from nasbench.runners.search.loop import ResumeMismatch
from nasbench.runners.strategies import STRATEGIES, Outcome
from nasbench.store.query import Results
from nasbench.training.evaluation import Evaluation


class InterruptedAt(InlineExecutor):
    """Ctrl-C while the n-th child (from 0) is in training."""

    def __init__(self, options: ExecutorOptions, at: int) -> None:
        super().__init__(options)
        self._left = at

    def wait(self):
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        return super().wait()


class Timed(Executor):
    """Makes up evaluations that take a given number of device-seconds each; any number of slots; last in, first out."""

    def __init__(self, seconds: list[float], slots: int = 1, status: str = "ok") -> None:
        super().__init__(ExecutorOptions(children_per_device=slots))
        self._seconds, self._status, self.submitted = seconds, status, []
        self._waiting = []

    def submit(self, ticket, child):
        self.submitted.append((ticket, child))
        self._waiting.append((ticket, child))

    def wait(self):
        ticket, child = self._waiting.pop()
        seconds = self._seconds[ticket % len(self._seconds)]
        score = (int(child.architecture.hash[:4], 16) % 1000) / 1000
        return [
            (
                ticket,
                Evaluation(
                    status=self._status,
                    val_acc=score,
                    val_acc_best=score,
                    train_seconds=seconds / self.share,
                    devices=self.share,
                    curves=dict.fromkeys(("train_loss", "train_acc", "val_loss", "val_acc", "seconds"), (score,)),
                ),
            )
        ]

    def drop(self):
        self._waiting.clear()
        return []

    def close(self):
        self._waiting.clear()


def test_a_search_spends_its_children_and_scores_its_incumbents_on_the_test_set(tmp_path):
    search(tiny_plan(), tmp_path / "a.h5")
    results = Results(str(tmp_path / "a.h5"))
    children, finals = results.frame(stage="search"), results.frame(stage="final")
    assert len(children) == 6
    assert children["counted"].all()
    assert children["test_acc"].isna().all()
    assert (children["status"] == "ok").all()
    best_so_far = children["val_acc"].cummax()
    incumbents = children[children["val_acc"] > best_so_far.shift(fill_value=-1.0)]
    assert finals["hash"].tolist() == incumbents["hash"].tolist()
    assert finals["test_acc"].notna().all()
    # the same training again: the same bits
    assert finals["val_acc"].tolist() == incumbents["val_acc"].tolist()
    run = results.runs().iloc[0]
    assert run["status"] == "complete"
    assert run["children"] == 6
    spent = children["gpu_hours"].sum() + children["searcher_seconds"].sum() / 3600
    hours = run["training_hours"] + run["evaluation_hours"] + run["cached_hours"] + run["searcher_hours"]
    assert math.isclose(hours, spent, rel_tol=1e-9)
    assert math.isclose(run["final_hours"], finals["gpu_hours"].sum(), rel_tol=1e-9)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("strategy", ["random", "reinforce", "ppo"])
@pytest.mark.parametrize("at", [0, 1, 4, 6, 7])
def test_interrupted_and_resumed_equals_never_interrupted(tmp_path, strategy, at):
    options = {"random": {}, "reinforce": {"batch": 2}, "ppo": {"batch": 3}}[strategy]
    plan = tiny_plan(strategy=strategy, options=options, final_seeds=2)  # two final trainings or more
    search(plan, tmp_path / "whole.h5")
    with pytest.raises(KeyboardInterrupt):
        search(plan, tmp_path / "parts.h5", InterruptedAt(ExecutorOptions(), at))
    assert Results(str(tmp_path / "parts.h5")).runs()["status"].tolist() == ["interrupted"]
    search(plan, tmp_path / "parts.h5")
    assert stable_rows(tmp_path / "parts.h5") == stable_rows(tmp_path / "whole.h5")


def test_resuming_with_another_strategy_state_is_refused(tmp_path, monkeypatch):
    plan = tiny_plan()
    with pytest.raises(KeyboardInterrupt):
        search(plan, tmp_path / "a.h5", InterruptedAt(ExecutorOptions(), 3))
    kind = STRATEGIES.get("random")
    monkeypatch.setattr(kind, "ask", lambda self: self.space.decode([0] * len(self.space.decisions)))
    with pytest.raises(ResumeMismatch, match="cannot be resumed"):
        search(plan, tmp_path / "a.h5")


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("budget", ["100 gpu-seconds", "0.05 usd"])
def test_no_overshoot(tmp_path, slots, budget):
    plan = tiny_plan(
        budget=budget, price="3.6", final="none", children_per_device=slots, executor="local", cached="off"
    )
    run = search(plan, tmp_path / "a.h5", Timed([7.0, 11.0, 3.0], slots))
    frame = Results(str(tmp_path / "a.h5")).frame()
    assert run.ledger.spent <= run.ledger.budget.limit
    counted = frame[frame["counted"]]
    assert len(frame) == len(counted) + 1  # the one that would have crossed is kept, uncounted
    left = frame[~frame["counted"]].iloc[0]["gpu_hours"] * 3600
    assert run.ledger.search_seconds + left > {"gpu-seconds": 100.0, "usd": 50.0}[budget.split()[1]]
    assert counted["spent_gpu_hours"].is_monotonic_increasing


def test_out_of_order_outcomes_resume_exactly(tmp_path):
    plan = tiny_plan(strategy="ppo", options={"batch": 2}, budget="20 children", final="none", cached="off")

    class Stops(Timed):
        def wait(self):
            if len(self.submitted) == 12:
                raise KeyboardInterrupt
            return super().wait()

    with pytest.raises(KeyboardInterrupt):
        search(plan, tmp_path / "a.h5", Stops([1.0], slots=3))
    resumed = Timed([1.0], slots=3)
    search(plan, tmp_path / "a.h5", resumed)
    frame = Results(str(tmp_path / "a.h5")).frame()
    assert sorted(frame["index"]) == list(range(20))
    # what was in training when the run stopped is trained again, first
    done = set(frame["index"][:9])
    assert [ticket for ticket, _ in resumed.submitted][:3] == sorted(set(range(12)) - done)


def test_a_cached_child_is_charged_what_it_cost(tmp_path):
    first = tiny_plan(final="none")
    search(first, tmp_path / "a.h5")
    again = tiny_plan(final="none", budget="5 children")  # the same asks under another budget: another run
    search(again, tmp_path / "a.h5")
    frame = Results(str(tmp_path / "a.h5")).frame()
    fresh, cached = frame[frame["run"] == first.run][:5], frame[frame["run"] == again.run]
    assert (cached["cached_from"] == [f"{first.run}/{index}" for index in range(5)]).all()
    assert np.array_equal(cached["gpu_hours"], fresh["gpu_hours"])
    assert np.array_equal(cached["val_acc"], fresh["val_acc"])
    assert Results(str(tmp_path / "a.h5")).runs().set_index("run").loc[again.run, "cached_hours"] > 0
    free = tiny_plan(final="none", budget="5 children", cached="free")
    assert search(free, tmp_path / "a.h5").ledger.device_seconds["cached"] == 0.0


def test_test_scores_of_cached_finals_do_not_reach_a_search(tmp_path):
    search(tiny_plan(), tmp_path / "a.h5")
    search(tiny_plan(budget="5 children", final="none"), tmp_path / "a.h5")
    assert Results(str(tmp_path / "a.h5")).frame(stage="search")["test_acc"].isna().all()


def test_the_same_child_in_training_is_not_trained_twice(tmp_path, monkeypatch):
    plan = tiny_plan(budget="6 children", final="none")
    monkeypatch.setattr(
        STRATEGIES.get("random"), "ask", lambda self: self.space.decode([1] * len(self.space.decisions))
    )
    executor = Timed([5.0], slots=3)
    run = search(plan, tmp_path / "a.h5", executor)
    assert len(executor.submitted) == 1
    assert run.ledger.device_seconds["training"] == 5.0
    assert run.ledger.device_seconds["cached"] == 25.0
    frame = Results(str(tmp_path / "a.h5")).frame()
    assert frame["duplicate"].tolist() == [False] + [True] * 5


def test_failures_are_charged_and_told(tmp_path, monkeypatch):
    told: list[Outcome] = []
    plan = tiny_plan(final="none", cached="off")
    monkeypatch.setattr(STRATEGIES.get("random"), "tell", lambda self, outcome: told.append(outcome))
    run = search(plan, tmp_path / "a.h5", Timed([2.0], status="out_of_memory"))
    assert run.ledger.device_seconds["failed"] == 12.0
    assert run.best is None
    assert [(item.index, item.status) for item in told] == [(index, "out_of_memory") for index in range(6)]
    assert Results(str(tmp_path / "a.h5")).frame()["reward"].tolist() == [0.0] * 6


def test_mistakes_are_found_before_anything_is_spent():
    with pytest.raises(UnknownName, match="did you mean 'random'"):
        tiny_plan(strategy="randon")
    with pytest.raises(InputError, match="never ends"):
        tiny_plan(budget="1 usd", price="0")
    with pytest.raises(InputError, match="did you mean"):
        tiny_plan(set={"epoch": 3})


def test_run_id_depends_on_what_decides_the_rows():
    base = tiny_plan().run
    assert base == tiny_plan(devices=("cpu",)).run
    assert (
        len(
            {
                base,
                tiny_plan(seed=1).run,
                tiny_plan(budget="7 children").run,
                tiny_plan(set={"data": "fake", "epochs": 2}).run,
            }
        )
        == 4
    )


@pytest.mark.slow
@pytest.mark.parametrize("category", ["searcher", "supernet"])
def test_a_strategy_says_what_its_seconds_are_charged_as(tmp_path, monkeypatch, category):
    monkeypatch.setattr(STRATEGIES.get("reinforce"), "charged_as", category)
    plan = tiny_plan(strategy="reinforce", options={"batch": 2}, budget="4 children", final="none", cached="off")

    def charged(run):
        other = {"searcher": "supernet", "supernet": "searcher"}[category]
        assert run.ledger.device_seconds[other] == 0.0
        rows = Results(str(tmp_path / "a.h5")).frame()
        assert math.isclose(run.ledger.device_seconds[category], rows["searcher_seconds"].sum(), rel_tol=1e-9)
        assert math.isclose(rows["spent_gpu_hours"].iloc[-1] * 3600, run.ledger.search_seconds, rel_tol=1e-9)
        stored = Results(str(tmp_path / "a.h5")).runs().iloc[0]
        assert math.isclose(stored[f"{category}_hours"] * 3600, run.ledger.device_seconds[category], rel_tol=1e-9)
        return run.ledger.device_seconds

    first = charged(search(plan, tmp_path / "a.h5", Timed([1.0])))
    assert first[category] > 0
    again = charged(search(plan, tmp_path / "a.h5", Timed([1.0])))  # read back: charged as before
    del first["uncounted"], again["uncounted"]  # the seconds after the last child, which no row holds
    assert {name: pytest.approx(value) for name, value in first.items()} == again


class FailsFirst(Timed):
    """Its first trainings fail; each takes one device-second."""

    def __init__(self, failures: int) -> None:
        super().__init__([1.0], slots=3)
        self._failures = failures

    def wait(self):
        ((ticket, evaluation),) = super().wait()
        self._failures -= 1
        failed = Evaluation(status="failed", error="made up", train_seconds=1.0 / self.share, devices=self.share)
        return [(ticket, failed if self._failures >= 0 else evaluation)]


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize(("failures", "trained"), [(0, 1), (1, 2), (2, 3), (4, 4)])
def test_a_child_that_waits_for_an_equal_training_is_trained_if_that_fails(
    tmp_path, monkeypatch, ordered, failures, trained
):
    """Rule: a training that failed is never reused. Four proposals of one architecture, three slots."""
    plan = tiny_plan(budget="4 children", final="none", ordered=ordered, children_per_device=3, executor="local")
    same = plan.space.random(np.random.default_rng(0))
    monkeypatch.setattr(STRATEGIES.get("random"), "ask", lambda self: same)
    executor = FailsFirst(failures)
    search(plan, tmp_path / "a.h5", executor)
    results = Results(str(tmp_path / "a.h5"))
    frame, run = results.frame(), results.runs().iloc[0]
    assert [ticket for ticket, _ in executor.submitted] == list(range(trained))
    assert frame["status"].tolist() == ["failed"] * failures + ["ok"] * (4 - failures)
    assert frame["cached_from"].tolist() == [""] * trained + [f"{plan.run}/{trained - 1}"] * (4 - trained)
    hours = {name: round(run[f"{name}_hours"] * 3600, 6) for name in ("training", "cached", "failed")}
    assert hours == {"training": trained - failures, "cached": 4 - trained, "failed": failures}


def test_a_strategy_that_scores_networks_itself_follows_the_runs_protocol():
    plan = tiny_plan(strategy="zero_cost", options={"candidates": 5})
    config = plan.strategy().config
    assert (config.data, config.filters, config.device) == (plan.protocol.data, plan.protocol.filters, "cpu")
    other = tiny_plan(strategy="zero_cost", options={"candidates": 5, "filters": 2})
    assert other.strategy().config.filters == 2
