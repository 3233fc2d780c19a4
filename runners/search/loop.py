"""The search loop: ask, train, journal, charge, tell, until the budget is spent; and the same from a journal, to resume."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nasbench.errors import NasbenchError
from nasbench.provenance import utc_now
from nasbench.runners.executors import Executor
from nasbench.runners.search.budget import SECONDS_PER_HOUR
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.rows import Proposal, evaluation_of, outcome, search_child_row, search_run_row
from nasbench.runners.search.watcher import SearchStopped, Watcher
from nasbench.runners.signals import undisturbed
from nasbench.store.cache import ScoreCache, source_row
from nasbench.store.format.schema import REPEATABLE_STATUSES
from nasbench.training.energy import EnergyMeter, counters_of
from nasbench.training.evaluation import Child, Evaluation


class ReplayMismatch(NasbenchError):
    """A stored run that its strategy does not reproduce, so that it cannot be resumed."""


class RowSink(Protocol):
    """Where rows go; `store.writer.ResultsWriter` is one."""

    def append_children(self, children: Sequence[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]]) -> None:
        """Keep finished children, all or none."""

    def put_run(self, row: Mapping[str, Any]) -> None:
        """Keep what is known of a run."""


CACHED_TOGETHER = 64  # cached children that are journalled at once, or
CACHED_SECONDS = 0.25  # as many as came in this time


class Search:
    """One run of one strategy under one budget.

    Every trained child is journalled before it is charged and told, so a run killed at any moment goes on from its file: the stored
    children are fed to a fresh strategy in the order in which they were told, and what was in training is trained again. Cached children
    that follow each other wait for the disk together, for a quarter of a second at most: what a kill loses of them is looked up again.

    Args:
        plan: what to run.
        stored: the run's rows so far, in commit order, each with "curves"; empty for a new run.
        sink: takes each new row, and has it on disk when it returns.
        cache: scores that need not be trained again; ignored where the plan says so.
        executor: where children are trained.
        progress: shows how it goes.
        stop: once set, the run ends as if interrupted; for runs that are not in the main thread.
        watcher: sees each child as it is committed, and may ask the run to stop; None for nobody.
    """

    def __init__(
        self,
        plan: SearchPlan,
        stored: Sequence[Mapping[str, Any]],
        sink: RowSink,
        cache: ScoreCache,
        executor: Executor,
        progress: Progress,
        stop: threading.Event | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.plan, self.sink, self.cache, self.executor, self.progress = plan, sink, cache, executor, progress
        self._stored_search = [row for row in stored if row["stage"] == "search"]
        self._stored_final = {int(row["index"]): row for row in stored if row["stage"] == "final"}
        self.stop = stop if stop is not None else threading.Event()
        self.watcher = watcher if watcher is not None else Watcher()
        self.ledger = plan.ledger()
        self.best: Mapping[str, Any] | None = None
        self._strategy = plan.strategy()
        self._asks = 0
        self._hashes: set[str] = set()
        self._outstanding: dict[int, Proposal] = {}
        self._training: dict[tuple[str, int], int] = {}  # (hash, seed) -> index of the child in training
        self._followers: dict[int, list[Proposal]] = {}  # the same child asked for again while it is in training
        self._ends_with_budget: set[int] = set()  # children whose time-out is the end of the budget
        self._incumbents: list[Proposal] = []
        self._unwritten: list[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]] = []  # cached children
        self._unwritten_since = 0.0
        self._over = False
        self._searcher_seconds = 0.0
        self._wall_before = 0.0
        self._opened = time.monotonic()
        self._started_at = utc_now()
        self._energy = EnergyMeter(counters_of(plan.config.devices) if executor.here else [])

    def run(self) -> None:
        """Run to the end of the budget, or go on where the file says the run was.

        Raises:
            ReplayMismatch: when the stored children are not what the strategy asks for.
            KeyboardInterrupt, SearchStopped: passed on after the run was marked as interrupted.
        """
        status = "failed"
        with self._energy:
            try:
                self._replay()
                self.watcher.started(self.ledger, self.best["val_acc"] if self.best is not None else math.nan)
                self._put_run("running")
                self.progress.start(self.ledger)
                self._search()
                self._stop_if_asked()
                self._final()
                self._put_run("complete")
                status = "complete"
            except (KeyboardInterrupt, SearchStopped):
                with undisturbed():
                    self._put_run("interrupted")
                status = "interrupted"
                raise
            finally:
                self.progress.close()
                self.watcher.ended(status)

    # -- asking and training ------------------------------------------------------------------------------------------

    def _search(self) -> None:
        if self._over:
            return
        for proposal in sorted(self._outstanding.values(), key=lambda item: item.index):
            self._dispatch(proposal)  # in training when the run was killed
        while True:
            self._stop_if_asked()
            self._fill()
            if self._over or not self._outstanding:
                return
            for index, evaluation in self._wait():
                self._finish(index, evaluation)
                if self._over:
                    return

    def _fill(self) -> None:
        while not self._over and self._may_ask():
            proposal = self._ask()
            if proposal is None:
                return
            self._dispatch(proposal)
            self._stop_if_asked()

    def _may_ask(self) -> bool:
        """Whether there is a free slot, and budget for one child more."""
        outstanding = len(self._outstanding)
        return outstanding < self.executor.slots and self.ledger.room(outstanding)

    def _ask(self) -> Proposal | None:
        began = time.perf_counter()
        architecture = self._strategy.ask()
        self._searcher_seconds += time.perf_counter() - began
        if architecture is None:
            return None
        index, digest = self._asks, architecture.hash
        proposal = Proposal(index, architecture, self.plan.child_seed(index), digest in self._hashes)
        self._asks += 1
        self._hashes.add(digest)
        self._outstanding[index] = proposal
        return proposal

    def _dispatch(self, proposal: Proposal) -> None:
        if self.plan.config.cached != "off":
            hit = self._hit(proposal)
            if hit is not None:
                self._commit_cached(proposal, hit)
                return
            if training_key(proposal) in self._training:
                self._followers.setdefault(self._training[training_key(proposal)], []).append(proposal)
                return
        self._train(proposal)

    def _hit(self, proposal: Proposal) -> Mapping[str, Any] | None:
        return self.cache.get(proposal.architecture.hash, self.plan.fingerprint, proposal.seed, test=False)

    def _train(self, proposal: Proposal) -> None:
        self._training[training_key(proposal)] = proposal.index
        left = self.ledger.device_seconds_left / self.executor.share  # past that the child could not count any more
        if left < self.plan.config.timeout_seconds:
            self._ends_with_budget.add(proposal.index)
        timeout = min(self.plan.config.timeout_seconds, left)
        self.executor.submit(
            proposal.index, Child(proposal.architecture, self.plan.protocol, proposal.seed, timeout_seconds=timeout)
        )

    def _finish(self, index: int, evaluation: Evaluation) -> None:
        proposal = self._outstanding[index]
        self._training.pop(training_key(proposal), None)
        row = self._commit(proposal, evaluation, evaluation.device_seconds, cached_from="")
        for follower in self._followers.pop(index, []):
            if not self._over:
                self._commit_cached(follower, {**row, "curves": evaluation.curves})

    def _wait(self) -> list[tuple[int, Evaluation]]:
        self._write_waiting()
        ended = self.executor.wait()
        if self.stop.is_set():  # workers were ended from outside: what came back is no result
            raise KeyboardInterrupt
        return ended

    # -- committing ---------------------------------------------------------------------------------------------------

    def _commit_cached(self, proposal: Proposal, hit: Mapping[str, Any]) -> None:
        evaluation = evaluation_of(hit, hit["curves"])
        charged = 0.0 if self.plan.config.cached == "free" else evaluation.device_seconds
        self._commit(proposal, evaluation, charged, cached_from=source_row(hit))

    def _commit(self, proposal: Proposal, evaluation: Evaluation, charged: float, cached_from: str) -> dict[str, Any]:
        """Journal a child, and only then charge it and tell it."""
        searcher = self._searcher_seconds
        self._searcher_seconds = 0.0
        self.ledger.wall_seconds = self._wall()
        cut_off = evaluation.status == "timed_out" and proposal.index in self._ends_with_budget
        counted = self.ledger.fits(charged + searcher * self.executor.share) and not cut_off
        told = outcome(proposal, evaluation, charged)
        row = {
            **search_child_row(self.plan, proposal, evaluation, "search"),
            "asked": self._asks_before(proposal),
            "reward": self._strategy.reward(told) if counted else math.nan,
            "gpu_hours": charged / SECONDS_PER_HOUR,
            "usd": charged / SECONDS_PER_HOUR * self.plan.usd_per_hour,
            "searcher_seconds": searcher,
            "wall_seconds": self.ledger.wall_seconds,
            "cached_from": cached_from,
            "counted": counted,
        }
        added = charged + searcher * self.executor.share if counted else 0.0
        row["spent_gpu_hours"] = (self.ledger.search_seconds + added) / SECONDS_PER_HOUR
        self._write(row, evaluation.curves, at_once=not cached_from)
        self.cache.add({**row, "curves": evaluation.curves})
        began = time.perf_counter()
        self._account(proposal, row, evaluation)
        self._searcher_seconds += time.perf_counter() - began
        training = len(self._training) + (0 if cached_from else 1)
        self.progress.child(self.ledger, self._best_text(), training * self.executor.share)
        self.watcher.committed(proposal, row, evaluation.curves, self.ledger, self.best is row)
        return row

    def _write(self, row: Mapping[str, Any], curves: Mapping[str, Sequence[float]], at_once: bool) -> None:
        """Journal a child, together with those that wait; a cached one may wait for the next."""
        if not self._unwritten:
            self._unwritten_since = time.monotonic()
        self._unwritten.append((row, curves))
        waited = time.monotonic() - self._unwritten_since
        if at_once or len(self._unwritten) >= CACHED_TOGETHER or waited >= CACHED_SECONDS:
            self._write_waiting()

    def _write_waiting(self) -> None:
        waiting, self._unwritten = self._unwritten, []  # first: Ctrl-C must not make them written twice
        if waiting:
            self.sink.append_children(waiting)

    def _asks_before(self, proposal: Proposal) -> int:
        """How many asks a replay makes before it tells this child."""
        return self._asks

    def _account(self, proposal: Proposal, row: Mapping[str, Any], evaluation: Evaluation) -> None:
        """Charge a journalled child and tell it; the same for a child just trained and for one read back."""
        del self._outstanding[proposal.index]
        if not row["counted"]:
            self._over = True
            return
        charged = row["gpu_hours"] * SECONDS_PER_HOUR
        self._charge(row, charged)
        self.ledger.children += 1
        if row["status"] == "ok" and (self.best is None or row["val_acc"] > self.best["val_acc"]):
            self.best = row
            self._incumbents.append(proposal)
        self._strategy.tell(outcome(proposal, evaluation, charged))

    def _charge(self, row: Mapping[str, Any], charged: float) -> None:
        # By this run's share: a cached child may have been trained with another.
        self.ledger.charge(self._strategy.charged_as, row["searcher_seconds"] * self.executor.share)
        if row["cached_from"]:
            self.ledger.charge("cached", charged)
        elif row["status"] not in REPEATABLE_STATUSES:
            self.ledger.charge("failed", charged)
        else:
            evaluating = row["eval_seconds"] * row["devices"]
            self.ledger.charge("evaluation", evaluating)
            self.ledger.charge("training", charged - evaluating)

    # -- resuming -----------------------------------------------------------------------------------------------------

    def _replay(self) -> None:
        """Ask and tell in the order in which the stored run did."""
        for row in self._stored_search:
            while self._asks < row["asked"]:
                if self._ask() is None:
                    self._mismatch(row, "nothing")
            proposal = self._outstanding.get(int(row["index"]))
            if proposal is None or list(proposal.architecture.choices) != json.loads(row["choices"]):
                self._mismatch(row, str(proposal.architecture.choices) if proposal else "nothing")
            assert proposal is not None
            self.ledger.wall_seconds = self._wall_before = row["wall_seconds"]
            self._account(proposal, row, evaluation_of(row, row["curves"]))
        self._searcher_seconds = 0.0  # charged when it was first spent
        self._opened = time.monotonic()

    def _mismatch(self, row: Mapping[str, Any], proposal: str) -> None:
        raise ReplayMismatch(
            f"run {self.plan.run} cannot be resumed: its child {row['index']} has the choices {row['choices']}, but strategy "
            f"{self.plan.config.strategy!r} now asks for {proposal}; resume with the version that made the file"
        )

    def _wall(self) -> float:
        return self._wall_before + time.monotonic() - self._opened

    # -- after the search ---------------------------------------------------------------------------------------------

    def _final(self) -> None:
        """Train the search's choices again and score them on the test set, which nothing before has read."""
        for row in self._stored_final.values():
            self.ledger.charge("final", row["gpu_hours"] * SECONDS_PER_HOUR)
        chosen = {"incumbents": self._incumbents, "best": self._incumbents[-1:], "none": []}[self.plan.config.final]
        todo: dict[int, Proposal] = {}
        for index, proposal in enumerate(chosen):
            if index in self._stored_final:
                continue
            todo[index] = Proposal(index, proposal.architecture, proposal.seed, proposal.duplicate)
        self._drain()
        waiting: list[int] = []
        for index, proposal in todo.items():
            hit = None
            if self.plan.config.cached != "off":
                hit = self.cache.get(proposal.architecture.hash, self.plan.fingerprint, proposal.seed, test=True)
            if hit is not None:
                self._commit_final(proposal, evaluation_of(hit, hit["curves"]), source_row(hit))
                continue
            child = Child(
                proposal.architecture,
                self.plan.protocol,
                proposal.seed,
                test=True,
                timeout_seconds=self.plan.config.timeout_seconds,
            )
            self.executor.submit(index, child)
            waiting.append(index)
        ended: dict[int, Evaluation] = {}
        while waiting:
            ended.update(self._wait())
            for index in self._finals_due(waiting, ended):
                self._commit_final(todo[index], ended.pop(index), "")
                waiting.remove(index)

    def _finals_due(self, waiting: Sequence[int], ended: Mapping[int, Evaluation]) -> list[int]:
        """Which final trainings are committed now, of those that wait in their order: all that have ended."""
        return list(ended)

    def _drain(self) -> None:
        """Forget the children that were in training when the budget ended: they lie beyond it."""
        if self._outstanding:
            self._outstanding.clear()
            self.executor.drop()

    def _commit_final(self, proposal: Proposal, evaluation: Evaluation, cached_from: str) -> None:
        charged = evaluation.device_seconds
        row = {
            **search_child_row(self.plan, proposal, evaluation, "final"),
            "asked": self._asks,
            "reward": math.nan,
            "gpu_hours": charged / SECONDS_PER_HOUR,
            "usd": charged / SECONDS_PER_HOUR * self.plan.usd_per_hour,
            "searcher_seconds": 0.0,
            "wall_seconds": self._wall(),
            "cached_from": cached_from,
            "counted": False,
            "spent_gpu_hours": self.ledger.search_seconds / SECONDS_PER_HOUR,
        }
        self._write(row, evaluation.curves, at_once=True)
        self.cache.add({**row, "curves": evaluation.curves})
        self.ledger.charge("final", charged)
        self.watcher.committed(proposal, row, evaluation.curves, self.ledger, incumbent=False)
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self.watcher.stop_reason:
            raise SearchStopped(self.watcher.stop_reason)

    def _put_run(self, status: str) -> None:
        self._write_waiting()
        self.ledger.wall_seconds = self._wall()
        self.sink.put_run(search_run_row(self.plan, self.ledger, status, self._started_at, self._spent_energy()))

    def _spent_energy(self) -> dict[str, Any]:
        """Of this attempt, by hardware counter; empty where there is none that can be read."""
        joules = self._energy.joules()
        return {"joules": joules, "seconds": self._energy.seconds} if joules else {}

    def _best_text(self) -> str:
        return f"{self.best['val_acc']:.4f} ({self.best['hash'][:8]})" if self.best is not None else "none yet"


def training_key(proposal: Proposal) -> tuple[str, int]:
    """What makes two children of a run the same training."""
    return proposal.architecture.hash, proposal.seed
