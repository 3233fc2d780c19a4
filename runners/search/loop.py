"""The search loop: ask, train, store, charge, tell, until the budget is spent.

A stored run is resumed by the same steps.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nasbench.errors import InputError, NasbenchError, blamed_on
from nasbench.provenance import utc_now
from nasbench.runners.executors import Executor
from nasbench.runners.search.accountant import Accountant
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Ledger
from nasbench.runners.search.commit_policy import AsTheyFinish, CommitPolicy, InOrder
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.continuing import Base, Reached
from nasbench.runners.search.final_stage import FinalStage
from nasbench.runners.search.log import log_child, log_end, log_start
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.row_writer import RowSink, RowWriter
from nasbench.runners.search.rows import (
    EarlierAttempts,
    Proposal,
    evaluation_of,
    outcome,
    search_child_row,
    search_run_row,
    seconds_of_hit,
)
from nasbench.runners.search.spent_energy import SpentEnergy
from nasbench.runners.search.watcher import SearchStopped, Watcher
from nasbench.runners.signals import interruptions_deferred, undisturbed
from nasbench.runners.strategies.proposals import resolved
from nasbench.spaces import Architecture
from nasbench.spaces.proxies import ProxyLimits
from nasbench.spaces.stored_choices import choices_of
from nasbench.store.cache import ScoreCache, source_row
from nasbench.training.energy import EnergyMeter, counters_of
from nasbench.training.evaluation import Child, Evaluation, Keeper

if TYPE_CHECKING:
    from nasbench.models.checkpoints import Checkpoints, Point
    from nasbench.models.incumbent import IncumbentModel

_log = logging.getLogger(__name__)


class ResumeMismatch(NasbenchError):
    """The strategy does not reproduce the stored run, so it cannot be resumed."""


class Search:
    """One run of one strategy under one budget.

    Every trained child is stored before it is charged and before the strategy receives its outcome. Therefore a run
    that is killed at any moment can be resumed from its file: a fresh strategy receives the stored outcomes in the same
    order, and children that were in training are trained again. Cache hits are written in batches (`RowWriter`); those
    that a kill loses are looked up again.

    Args:
        plan: the search to run.
        stored: the run's rows so far, in commit order, each with "curves"; empty for a new run.
        sink: writes each new row; it is on the disk when the call returns.
        cache: scores of earlier trainings, which are reused; ignored if the plan says so.
        executor: trains the children.
        progress: progress display.
        stop: when set, the run ends as if interrupted; for runs outside the main thread.
        watcher: is notified of each committed child, and may request the run to stop; None for no watcher.
        earlier: what earlier attempts of this run spent beyond the stored rows, see `rows.earlier_attempts`; None for none.
        kept: model file of the incumbent; None to keep no weights.
        measured: latencies that earlier attempts of this run measured, for a limit on the latency.
        checkpoints: folder of the trainings that stopped early; None to train children that continue them from the
            start.
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
        earlier: EarlierAttempts | None = None,
        kept: IncumbentModel | None = None,
        measured: Sequence[Mapping[str, Any]] = (),
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.plan, self.cache, self.executor, self.progress = plan, cache, executor, progress
        self._stored_search = [row for row in stored if row["stage"] == "search"]
        self._stored_final = {int(row["index"]): row for row in stored if row["stage"] == "final"}
        self.stop = stop if stop is not None else threading.Event()
        self.watcher = watcher if watcher is not None else Watcher()
        self._kept = kept
        self._writer = RowWriter(sink)
        self._earlier = earlier if earlier is not None else EarlierAttempts()
        self._accountant = Accountant(plan.ledger(), executor.share, plan.strategy_kind.charged_as, self._earlier)
        if plan.latency_meter is not None:
            plan.latency_meter.remember(measured)
        with self._accountant.searcher():  # some strategies draw their first architectures here
            self._strategy = plan.strategy()
        self._asks = 0
        self._hashes: set[str] = set()
        self._outstanding: dict[int, Proposal] = {}
        self._training: dict[tuple[str, int, int], int] = {}  # `training_key` -> index of the uncommitted training
        self._checkpoints = checkpoints
        self._reached = Reached(plan.protocol.epochs, by_hash=plan.config.cached != "off")
        self._bases: dict[int, Base | None] = {}  # of uncommitted children that were handed out or found in the cache
        self._seeds: dict[int, int] = {}  # training seeds of proposals that stop early, by index
        self._in_executor = 0
        self._ended: dict[int, Evaluation] = {}  # evaluations from the executor that are not committed yet, by index
        self._ends_with_budget: set[int] = set()  # children whose time-out was shortened to the end of the budget
        self._over = False
        self._repeated = 0  # stored rows of the search that are charged
        self._repeats = True  # whether an earlier attempt is being repeated
        policy = InOrder if plan.config.ordered else AsTheyFinish
        self._policy: CommitPolicy = policy(self, reuse=plan.config.cached != "off")
        self._started_at = utc_now()
        self._energy = EnergyMeter(counters_of(plan.config.devices) if executor.here else [])

    @property
    def ledger(self) -> Ledger:
        """Ledger of the run."""
        return self._accountant.ledger

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The row of the incumbent; None before the first score."""
        return self._accountant.best

    def run(self) -> None:
        """Run to the end of the budget. A stored run continues where it stopped.

        Raises:
            ResumeMismatch: when the stored children are not those that the strategy proposes.
            KeyboardInterrupt: passed on after the run was marked as interrupted.
            SearchStopped: when the watcher stopped the run, after it was marked as interrupted.
        """
        status = "failed"
        with self._energy:
            try:
                log_start(self.plan, self.executor, len(self._stored_search) + len(self._stored_final))
                self._repeat_stored()
                self.watcher.started(self.ledger, self.best["val_acc"] if self.best is not None else math.nan)
                self._put_run("running")
                self.progress.start(self.ledger)
                self._search()
                self._stop_if_asked()
                self._tell_of_unused_warm_start()
                self._final()
                self._put_run("complete")
                status = "complete"
            except (KeyboardInterrupt, SearchStopped):
                with undisturbed():
                    self._end_repeat()
                    self._charge_unfinished()
                    self._put_run("interrupted")
                status = "interrupted"
                raise
            finally:
                self.progress.close()
                log_end(self.plan, status, self.ledger)
                self.watcher.ended(status)

    def _tell_of_unused_warm_start(self) -> None:
        """Say that a strategy never drew from the pool of the warm start: its class cannot tell, if it says nothing."""
        limits = getattr(getattr(self._strategy, "space", None), "limits", None)
        if isinstance(limits, ProxyLimits) and limits.unasked:
            _log.warning(
                "run %s: the warm start changed nothing: strategy %r never calls space.random; leave warm_start out, and set "
                "begins_at_random = False in its class",
                *(self.plan.run, self.plan.config.strategy),
            )

    # -- asking and training ------------------------------------------------------------------------------------------

    def _search(self) -> None:
        if self._over:
            return
        for proposal in sorted(self._outstanding.values(), key=lambda item: item.index):
            self._policy.dispatch(proposal)  # in training when the run was killed
        while True:
            self._stop_if_asked()
            self._fill()
            if self._over or not self._outstanding:
                return
            for index, evaluation in self._wait():
                self._in_executor -= 1
                self._policy.finished(index, evaluation)
                if self._over:
                    return

    def _fill(self) -> None:
        while not self._over and self.ledger.room(len(self._outstanding)) and self._policy.may_ask():
            proposal = self._ask()
            if proposal is None:
                return
            self._policy.dispatch(proposal)
            self._stop_if_asked()

    def _ask(self) -> Proposal | None:
        with self._accountant.searcher():
            with blamed_on(f"strategy {self.plan.config.strategy!r}, ask()"):
                given = self._strategy.ask()
            if given is not None:
                asked = resolved(given, self.plan.space, self.plan.config.strategy, self.plan.protocol.epochs)
                self._require_allowed(asked.architecture)  # measures a latency that the strategy has not asked for
                self._measured(asked.architecture)
        self._store_latencies()
        if given is None:
            return None
        index, digest = self._asks, asked.architecture.hash
        seed = self._seeds.get(index if asked.continues is None else asked.continues, self.plan.child_seed(index))
        proposal = Proposal(index, asked.architecture, seed, digest in self._hashes, asked.epochs, asked.continues)
        if asked.epochs:
            self._seeds[index] = seed
        self._asks += 1
        self._hashes.add(digest)
        self._outstanding[index] = proposal
        return proposal

    def _store_latencies(self) -> None:
        """Store what was measured for the limits, before a child depends on it: a resumed run chooses by the same values."""
        if self.plan.latency_meter is not None:
            self._writer.append_measurements(self.plan.latency_meter.take_new())

    def _measured(self, architecture: Architecture) -> dict[str, float]:
        """Measured objectives of an architecture: measured once, when it is proposed."""
        meter = self.plan.latency_meter
        return {name: meter(architecture) for name in self.plan.options.measured if meter is not None}

    def _require_allowed(self, architecture: Architecture) -> None:
        if not self.plan.searched.allows(architecture):
            counts = architecture.space.count(architecture, self.plan.scale)
            raise InputError(
                f"strategy {self.plan.config.strategy!r} proposes an architecture with params {counts.params:,} and "
                f"mult_adds {counts.mult_adds:,}, which {self.plan.config.where_arch!r} does not allow; a strategy "
                "that makes architectures by decode must ask space.allows first"
            )

    # -- steps that the commit policy arranges (`CommitActions`) ------------------------------------------------------

    @property
    def outstanding(self) -> Mapping[int, Proposal]:
        """Proposals that are not committed yet, by index, in the order of the proposals."""
        return self._outstanding

    @property
    def over(self) -> bool:
        """Whether the budget has ended: nothing more is committed."""
        return self._over

    @property
    def slots(self) -> int:
        """Children that the executor trains at once."""
        return self.executor.slots

    @property
    def in_executor(self) -> int:
        """Children that the executor trains now."""
        return self._in_executor

    def may_ask_ahead(self, outstanding: int) -> bool:
        """Whether the next proposal does not depend on pending outcomes; see `CommitActions`."""
        return self._strategy.asks_ahead(outstanding)

    def repeats(self, proposal: Proposal) -> int | None:
        """Index of an uncommitted child that is the same training; see `CommitActions`."""
        return self._training.get(training_key(proposal))

    def hit(self, proposal: Proposal) -> Mapping[str, Any] | None:
        """Cached row of the same training; see `CommitActions`."""
        epochs = proposal.stop_epoch
        return self.cache.get(
            proposal.architecture.hash, self.plan.fingerprint, proposal.seed, test=False, epochs=epochs
        )

    def train(self, proposal: Proposal) -> None:
        """Hand a proposal to the executor; see `CommitActions`."""
        self._training[training_key(proposal)] = proposal.index
        self._in_executor += 1
        # a child that takes longer could not be counted any more
        left = self.ledger.device_seconds_left / self.executor.share
        if left < self.plan.config.timeout_seconds:
            self._ends_with_budget.add(proposal.index)
        timeout = min(self.plan.config.timeout_seconds, left)
        best = self.best["val_acc"] if self.best is not None else math.nan
        keeper: Keeper | None = self._kept.keeper(proposal.index, best) if self._kept is not None else None
        base = self._bases[proposal.index] = self._reached.base(proposal)
        if proposal.stop_epoch or base is not None:
            keeper = self._checkpointing(proposal, base, keeper)
        child = Child(
            proposal.architecture,
            self.plan.protocol,
            proposal.seed,
            timeout_seconds=timeout,
            keeper=keeper,
            epochs=proposal.stop_epoch,
        )
        self.executor.submit(proposal.index, child)

    def _checkpointing(self, proposal: Proposal, base: Base | None, inner: Keeper | None) -> Keeper | None:
        """Make the keeper of a child that stops early, or continues one that did."""
        from nasbench.models.checkpoints import KeepCheckpoint, Point

        if self._checkpoints is None:
            return inner
        digest, seed, stop = proposal.architecture.hash, proposal.seed, proposal.stop_epoch
        return KeepCheckpoint(
            source=self._checkpoints.path(Point(digest, seed, base.epochs)) if base is not None else None,
            target=self._checkpoints.path(Point(digest, seed, stop)) if stop else None,
            identity={"hash": digest, "seed": seed, "fingerprint": self.plan.fingerprint, "run": self.plan.run},
            inner=inner,
        )

    def _tidy_checkpoints(self, proposal: Proposal, row: Mapping[str, Any]) -> None:
        """Remove checkpoints that are behind their training, or exceed the limit, now that a child is stored."""
        from nasbench.models.checkpoints import Point

        if self._checkpoints is None or not (proposal.stop_epoch or row["continues"]):
            return
        needed: set[Point] = set()
        for other in self._outstanding.values():
            if (base := self._bases.get(other.index)) is not None:
                needed.add(Point(other.architecture.hash, other.seed, base.epochs))
        self._checkpoints.committed(Point(row["hash"], proposal.seed, int(row["epochs"])), needed)

    def commit_trained(self, proposal: Proposal, evaluation: Evaluation) -> Mapping[str, Any]:
        """Store a trained child, charge it and give its outcome to the strategy; see `CommitActions`."""
        self._training.pop(training_key(proposal), None)
        row = self._commit(proposal, evaluation, self._added(proposal, evaluation), cached_from="")
        return {**row, "curves": evaluation.curves}

    def _added(self, proposal: Proposal, evaluation: Evaluation) -> float:
        """Device-seconds of a trained child, without those for which the child that it continues was charged."""
        base = self._bases.get(proposal.index)
        return base.added(evaluation) if base is not None else evaluation.device_seconds

    def commit_cached(self, proposal: Proposal, hit: Mapping[str, Any]) -> None:
        """Store a child with the scores of an earlier training; see `CommitActions`."""
        evaluation = evaluation_of(hit, hit["curves"])
        base = self._bases[proposal.index] = self._reached.base(proposal)
        charged = seconds_of_hit(self.plan, evaluation)
        if base is not None and charged:
            charged = base.added(evaluation)
        self._commit(proposal, evaluation, charged, cached_from=source_row(hit))

    def _wait(self) -> list[tuple[int, Evaluation]]:
        self._writer.flush()
        ended = self.executor.wait()
        if self.stop.is_set():  # workers were ended from outside: their evaluations are no results
            raise KeyboardInterrupt
        self._ended.update(ended)
        return ended

    # -- committing ---------------------------------------------------------------------------------------------------

    def _commit(self, proposal: Proposal, evaluation: Evaluation, charged: float, cached_from: str) -> dict[str, Any]:
        """Store a child, then charge it and give its outcome to the strategy."""
        accountant = self._accountant
        searcher = accountant.take_searcher_seconds()
        cut_off = evaluation.status == "timed_out" and proposal.index in self._ends_with_budget
        counted = accountant.counts(charged, searcher) and not cut_off and not self._over
        if cached_from and not counted:
            charged = 0.0  # its price exceeds the budget, and it held no device
        row = {
            **search_child_row(self.plan, proposal, evaluation, "search"),
            "asked": self._policy.asks_before(proposal, self._asks),
            "reward": self._strategy.reward(outcome(proposal, evaluation, charged)) if counted else math.nan,
            "gpu_hours": charged / SECONDS_PER_HOUR,
            "usd": charged / SECONDS_PER_HOUR * self.plan.usd_per_hour,
            "searcher_seconds": searcher,
            "wall_seconds": self.ledger.wall_seconds,
            "cached_from": cached_from,
            "counted": counted,
        }
        if (base := self._bases.get(proposal.index)) is not None:
            row["continues"] = f"{self.plan.run}/{base.index}"
        added = accountant.device_seconds(charged, searcher) if counted else 0.0
        row["spent_gpu_hours"] = (self.ledger.search_seconds + added) / SECONDS_PER_HOUR
        with interruptions_deferred():  # a row that is stored is also charged
            if self._kept is not None:  # before the row: a child that a kill loses is trained and kept again
                self._kept.committed(proposal.index, counted and accountant.is_better(row))
            self._writer.write(row, evaluation.curves, at_once=not cached_from)
            self._account(proposal, row)
        self._tidy_checkpoints(proposal, row)
        self.cache.add({**row, "curves": evaluation.curves})
        log_child(row)
        with accountant.searcher():
            self._tell(proposal, row, evaluation)
        training = min(self._in_executor + (0 if cached_from else 1), self.executor.slots)
        busy = training * self.executor.share
        self.progress.child(self.ledger, accountant.best_text(), busy, cached=bool(cached_from) and counted)
        self.watcher.committed(proposal, row, evaluation.curves, self.ledger, self.best is row)
        return row

    def _account(self, proposal: Proposal, row: Mapping[str, Any]) -> None:
        """Charge a stored child, new or from an earlier attempt."""
        del self._outstanding[proposal.index]
        self._ended.pop(proposal.index, None)
        self._bases.pop(proposal.index, None)
        self._reached.add(row)
        if row["counted"]:
            self._accountant.enter(proposal, row)
        else:
            self._over = True
            self._accountant.enter_uncounted(row)

    def _tell(self, proposal: Proposal, row: Mapping[str, Any], evaluation: Evaluation) -> None:
        """Give the outcome of a stored child to the strategy, if it is counted."""
        if row["counted"]:
            with blamed_on(f"strategy {self.plan.config.strategy!r}, tell()"):
                seconds = row["gpu_hours"] * SECONDS_PER_HOUR
                self._strategy.tell(outcome(proposal, evaluation, seconds, self._measured(proposal.architecture)))

    # -- resuming -----------------------------------------------------------------------------------------------------

    def _repeat_stored(self) -> None:
        """Call `ask` and `tell` in the order of the stored run."""
        for row in self._stored_search:
            while self._asks < row["asked"]:
                if self._ask() is None:
                    self._mismatch(row, "nothing")
            proposal = self._outstanding.get(int(row["index"]))
            if proposal is None or not _is_of(proposal, row):
                self._mismatch(row, _text_of(proposal) if proposal else "nothing")
            assert proposal is not None
            self._accountant.restore_wall(row["wall_seconds"])
            with interruptions_deferred():  # a row is charged once, see `_end_repeat`
                self._account(proposal, row)
                self._repeated += 1
            with self._accountant.searcher():
                self._tell(proposal, row, evaluation_of(row, row["curves"]))
        self._end_repeat()

    def _end_repeat(self) -> None:
        """Charge what of the earlier attempts is not charged yet, and begin to measure; nothing at the second call.

        An attempt that is interrupted while it repeats the stored rows has not charged all of them. The row of the run
        that it stores holds them all the same.
        """
        if not self._repeats:
            return
        self._repeats = False
        for row in [*self._stored_search[self._repeated :], *self._stored_final.values()]:
            self._accountant.charge_stored(row)
        # An attempt may have gone on after the last child of the search: in a training that it did not end, or in final ones.
        walls = [row["wall_seconds"] for row in (*self._stored_search[-1:], *self._stored_final.values())]
        self._accountant.restore_wall(max([self._earlier.wall_seconds, *walls]))
        self._accountant.restored(len(self._stored_search))

    def _mismatch(self, row: Mapping[str, Any], proposal: str) -> None:
        raise ResumeMismatch(
            f"run {self.plan.run} cannot be resumed: its child {row['index']} has the choices {row['choices']}"
            f"{_until(int(row['stop_epoch']))}, but "
            f"strategy {self.plan.config.strategy!r} now proposes {proposal}; resume with the version that made the file"
        )

    # -- after the search ---------------------------------------------------------------------------------------------

    def _final(self) -> None:
        self._drain()
        stage = FinalStage(
            self.plan,
            self._writer,
            self.cache,
            self.executor,
            self._accountant,
            self._asks,
            self._ended,
            self._final_committed,
        )
        stage.run(self._stored_final, self._wait, self._policy.finals_due)

    def _final_committed(self, proposal: Proposal, row: Mapping[str, Any], evaluation: Evaluation) -> None:
        log_child(row)
        self.watcher.committed(proposal, row, evaluation.curves, self.ledger, incumbent=False)
        self._stop_if_asked()

    def _drain(self) -> None:
        """End the children that were in training when the budget ended, and store them as not counted."""
        if self._outstanding:
            self._ended.update(self.executor.drop())
            for proposal in [each for index, each in self._outstanding.items() if index in self._ended]:
                evaluation = self._ended[proposal.index]
                self._commit(proposal, evaluation, self._added(proposal, evaluation), cached_from="")
            self._outstanding.clear()
        self._in_executor = 0
        self._accountant.close()

    def _charge_unfinished(self) -> None:
        """Charge the time without a row: of children in training, which are trained again, and of the searcher."""
        self._ended.update(self.executor.drop())
        self._accountant.charge_without_row(sum(evaluation.device_seconds for evaluation in self._ended.values()))
        self._accountant.close()

    def _stop_if_asked(self) -> None:
        if self.watcher.stop_reason:
            raise SearchStopped(self.watcher.stop_reason)

    def _put_run(self, status: str) -> None:
        self.ledger.wall_seconds = self._accountant.wall_seconds()
        beside = self._accountant.without_row, self._accountant.usd_without_row
        row = search_run_row(self.plan, self.ledger, status, self._started_at, self._spent_energy(), *beside)
        self._writer.put_run(row)

    def _spent_energy(self) -> dict[str, Any]:
        """Energy spent in all attempts, by hardware counter; empty if no counter could be read."""
        return SpentEnergy(self._energy.joules(), self._energy.seconds).after(self._earlier.energy).noted()


def _is_of(proposal: Proposal, row: Mapping[str, Any]) -> bool:
    """Whether a stored row can be that of a proposal."""
    same = list(proposal.architecture.choices) == choices_of(row["choices"])
    return same and proposal.stop_epoch == int(row["stop_epoch"])


def _text_of(proposal: Proposal) -> str:
    return f"{proposal.architecture.choices}{_until(proposal.stop_epoch)}"


def _until(stop_epoch: int) -> str:
    return f" up to epoch {stop_epoch}" if stop_epoch else ""


def training_key(proposal: Proposal) -> tuple[str, int, int]:
    """Make a key that is equal for two children of a run if they are the same training.

    Args:
        proposal: a proposal.

    Returns:
        Hash of the architecture, the training seed, and the epoch at which the training stops.
    """
    return proposal.architecture.hash, proposal.seed, proposal.stop_epoch
