"""Runs whose children are committed in the order of asking: the rows of a sequential run, with any number of slots."""

from __future__ import annotations

import hashlib
import heapq

import pytest
from searching import search, stable_rows, tiny_plan

from nasbench.runners.executors import ExecutorOptions
from nasbench.runners.executors.base import Executor
from nasbench.training.evaluation import Child, Evaluation

# Rows of two runs differ in these because the runs are two: their ids, and what a child holds of its device.
APART = ("run", "cached_from", "devices")

BATCHED = {
    "random": {},
    "ppo": {"batch": 4},
    "reinforce": {"batch": 3},
    "evolution": {"population": 5, "sample": 2},
    "local_search": {"move": "best"},
    "pnas": {"first": 5, "beam": 4, "candidates": 50, "predictor": "mlp", "ensemble": 2, "epochs": 2},
    "bananas": {"initial": 4, "batch": 4, "candidates": 10, "ensemble": 2, "layers": 2, "epochs": 3},
    "gp": {"initial": 4, "batch": 3, "candidates": 10, "kernel": "hamming"},
    "npenas": {"initial": 4, "batch": 4, "candidates": 10, "predictor": "forest", "trees": 5},
    "nsga2": {"population": 4},
    "mo_evolution": {"population": 5, "sample": 2},
    "parego": {"initial": 4, "batch": 3, "candidates": 10},
}


class Shuffled(Executor):
    """Ends its children in an order of its own, on a simulated clock; scores and outcomes are functions of the child."""

    def __init__(self, slots: int, interrupt_after: int = -1) -> None:
        super().__init__(ExecutorOptions(children_per_device=slots))
        self._now, self._running = 0.0, []
        self._left, self.most = interrupt_after, 0

    def submit(self, ticket: int, child: Child) -> None:
        draw = int(hashlib.blake2b(f"{child.architecture.hash}{child.seed}".encode(), digest_size=4).hexdigest(), 16)
        score, failed = (draw % 997) / 997, draw % 7 == 0
        seconds = 1.0 + (draw * (ticket + 1)) % 13
        heapq.heappush(self._running, (self._now + seconds, ticket, score, failed))
        self.most = max(self.most, len(self._running))

    def wait(self) -> list[tuple[int, Evaluation]]:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        self._now, ticket, score, failed = heapq.heappop(self._running)
        curves = dict.fromkeys(("train_loss", "train_acc", "val_loss", "val_acc", "seconds"), (score,))
        if failed:
            return [(ticket, Evaluation(status="failed", error="drawn to fail", train_seconds=1.0))]
        return [(ticket, Evaluation(status="ok", val_acc=score, epochs=1, train_seconds=1.0, curves=curves))]

    def drop(self) -> list[tuple[int, Evaluation]]:
        self._running.clear()
        return []

    def close(self) -> None:
        self._running.clear()


def plan(strategy: str, **fields):
    given = {"budget": "24 children", "final": "none", "space": "nasnet:blocks=2,combinations=add"}
    return tiny_plan(strategy=strategy, options=BATCHED[strategy], **{**given, **fields})


def comparable(path):
    """Rows without times and without what differs between any two runs; of a reused score only that it is one."""
    rows = []
    for row in stable_rows(path):
        origin = str(row["cached_from"]).partition("/")[2]
        rows.append({**{name: value for name, value in row.items() if name not in APART}, "origin": origin})
    return rows


@pytest.mark.sampled(1)
@pytest.mark.parametrize("strategy", sorted(BATCHED))
def test_rows_of_a_parallel_ordered_run_are_those_of_a_sequential_run(tmp_path, strategy):
    search(plan(strategy), tmp_path / "sequential.h5", Shuffled(1))
    executor = Shuffled(4)
    search(plan(strategy, ordered=True, children_per_device=4, executor="local"), tmp_path / "ordered.h5", executor)
    assert executor.most > 1
    assert comparable(tmp_path / "ordered.h5") == comparable(tmp_path / "sequential.h5")


def test_final_trainings_are_committed_in_their_order_too(tmp_path):
    given = plan("random", final="incumbents", ordered=True, children_per_device=4, executor="local")
    search(given, tmp_path / "ordered.h5", Shuffled(4))
    finals = [row["index"] for row in stable_rows(tmp_path / "ordered.h5") if row["stage"] == "final"]
    assert len(finals) > 2
    assert finals == list(range(len(finals)))


def test_an_interrupted_ordered_run_goes_on_with_another_number_of_slots(tmp_path):
    given = plan("ppo", ordered=True, children_per_device=4, executor="local")
    search(given, tmp_path / "whole.h5", Shuffled(4))
    with pytest.raises(KeyboardInterrupt):
        search(given, tmp_path / "parts.h5", Shuffled(4, interrupt_after=9))
    search(given, tmp_path / "parts.h5", Shuffled(2))
    assert comparable(tmp_path / "parts.h5") == comparable(tmp_path / "whole.h5")


def test_without_it_children_are_committed_as_they_finish_and_the_run_says_so(tmp_path):
    from nasbench.store.query import Results

    given = plan("random", children_per_device=4, executor="local")
    search(given, tmp_path / "a.h5", Shuffled(4))
    results = Results(str(tmp_path / "a.h5"))
    assert results.frame()["index"].tolist() != sorted(results.frame()["index"])
    assert '"ordered":false' in results.runs()["config"].iloc[0]
    ordered = plan("random", ordered=True, children_per_device=4, executor="local")
    assert ordered.run != given.run


@pytest.mark.slow
@pytest.mark.parametrize("strategy", sorted(BATCHED))
def test_an_interrupted_run_of_every_strategy_goes_on(tmp_path, strategy):
    given = plan(strategy, budget="14 children")
    search(given, tmp_path / "whole.h5", Shuffled(1))
    interrupted = 0
    for after in (1, 4, 5):
        try:
            search(given, tmp_path / "parts.h5", Shuffled(1, interrupt_after=after))
        except KeyboardInterrupt:
            interrupted += 1
    assert interrupted >= 2  # a search that repeats children trains fewer
    search(given, tmp_path / "parts.h5", Shuffled(1))
    assert comparable(tmp_path / "parts.h5") == comparable(tmp_path / "whole.h5")


@pytest.mark.slow
def test_two_worker_processes_in_order_give_the_rows_of_one(tmp_path):
    fields = {"budget": "5 children", "final": "none"}
    search(tiny_plan(**fields), tmp_path / "one.h5")
    search(tiny_plan(**fields, ordered=True, executor="local", children_per_device=2), tmp_path / "two.h5")
    assert comparable(tmp_path / "two.h5") == comparable(tmp_path / "one.h5")
