"""The simulated clock: one search of a table with K devices, whose children end in the order of their times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError, blamed_on
from nasbench.runners.replay.guidance import ScoringSeconds
from nasbench.runners.search.budget import Ledger
from nasbench.runners.strategies import Outcome, Strategy
from nasbench.runners.strategies.proposals import resolved
from nasbench.runners.strategies.rungs import Core
from nasbench.spaces import Architecture
from nasbench.tabular.tables import Table
from nasbench.tabular.trainings import OutcomeFrom

I = TypeVar("I")  # noqa: E741 - see `rungs`

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class Scored(NamedTuple):
    """What a table knows of a training up to an epoch.

    Attributes:
        accuracy: validation accuracy at that epoch, in [0, 1]; NaN for a failure.
        seconds: device-seconds of a training from the start up to there.
    """

    accuracy: float
    seconds: float


ScoreOf = Callable[[int, int], Scored]
"""Function of a position in the table and an epoch at which a training stops, 0 for a whole one."""


@dataclass
class Course:
    """The counted children of one search, in the order in which they ended.

    Args:
        codes: positions in the table.
        stops: epochs at which they stopped; 0 for whole trainings.
        bases: epochs of the child that each continues; 0 for trainings from the start.
        costs: device-seconds that each was charged.
        ends: simulated seconds since the start at which each ended.
        indices: number of each in the order of the proposals.
        continues: index of the child that each continues; -1 for none.
        asked: number of `ask` calls before its `tell`.
        searcher: device-seconds of the searcher's work since the child before it, as a run stores them.
    """

    codes: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    continues: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    searcher: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Courses:
    """The courses of several searches, [runs, most children] each, padded at the end; see `Course`.

    Args:
        stops: epochs at which children stopped.
        bases: epochs of the children that they continue.
        costs: device-seconds charged; 0 at the end.
        ends: simulated times of their ends; that of the last child at the end.
        indices: their numbers in the order of the proposals.
        continues: indices of the children that they continue, -1 for none.
        asked: `ask` calls before their `tell`.
    """

    stops: IntArray
    bases: IntArray
    costs: FloatArray
    ends: FloatArray
    indices: IntArray
    continues: IntArray
    asked: IntArray

    @classmethod
    def of(cls, found: list[Course]) -> tuple[IntArray, Courses, FloatArray]:
        """Stack courses.

        Args:
            found: one course per search.

        Returns:
            Positions in the table, [runs, most children], -1 after the last; the rest; and the seconds of the searcher.
        """
        longest = max(len(each.codes) for each in found)

        def stacked(name: str, filler: float, kind: type) -> Any:
            out: NDArray[Any] = np.full((len(found), longest), filler, dtype=kind)
            for row, course in zip(out, found):
                values = getattr(course, name)
                row[: len(values)] = values
            return out

        ends = stacked("ends", -np.inf, np.float64)
        courses = cls(
            stacked("stops", 0, np.int64),
            stacked("bases", 0, np.int64),
            stacked("costs", 0.0, np.float64),
            np.maximum.accumulate(ends, axis=1) if longest else ends,
            stacked("indices", -1, np.int64),
            stacked("continues", -1, np.int64),
            stacked("asked", 0, np.int64),
        )
        return stacked("codes", -1, np.int64), courses, stacked("searcher", 0.0, np.float64)

    def without_costs(self, counted: NDArray[np.bool_]) -> Courses:
        """Return the courses as those of a table that does not say what a child costs.

        Args:
            counted: bools [runs, most children], which places hold a child.

        Returns:
            The courses whose costs and ends are NaN.
        """
        return replace(self, costs=np.where(counted, np.nan, 0.0), ends=np.full(self.ends.shape, np.nan))

    @classmethod
    def joined(cls, pieces: list[Courses]) -> Courses:
        """Stack the courses of several groups of searches.

        Args:
            pieces: courses, at least one.

        Returns:
            All searches, in the order of the pieces.
        """
        longest = max(piece.stops.shape[1] for piece in pieces)

        def padded(name: str, filler: float) -> Any:
            values = [getattr(piece, name) for piece in pieces]
            wide = [np.pad(each, ((0, 0), (0, longest - each.shape[1])), constant_values=filler) for each in values]
            return np.concatenate(wide)

        ends = padded("ends", -np.inf)
        return cls(
            padded("stops", 0),
            padded("bases", 0),
            padded("costs", 0.0),
            np.maximum.accumulate(ends, axis=1) if longest else ends,
            padded("indices", -1),
            padded("continues", -1),
            padded("asked", 0),
        )


class _Running(NamedTuple):
    """A child in training."""

    code: int
    stop: int
    base: int
    cost: float
    continues: int
    cut: bool


class _Clock(Generic[I]):
    """Devices, ledger and clock of one simulated search."""

    def __init__(self, ledger: Ledger, devices: int, score: ScoreOf) -> None:
        self._ledger, self._devices, self._score = ledger, devices, score
        self._ends: list[tuple[float, int]] = []  # heap: when children in training end, with their index
        self._running: dict[int, _Running] = {}
        self._reached: dict[int, tuple[int, int]] = {}  # index -> position and epochs of counted children
        self.course = Course()
        self.asked = 0
        self.now = 0.0
        self._searcher = 0.0  # seconds of the searcher's work that no child holds yet

    def free(self) -> bool:
        """Whether a device is free, and the budget allows another child."""
        return len(self._running) < self._devices and self._ledger.room(len(self._running))

    def think(self, seconds: float) -> None:
        """Let the searcher work. Children in training go on meanwhile; the next child that is counted holds the charge."""
        self.now += seconds
        self._searcher += seconds

    def start(self, code: int, stop: int, continues: int | None) -> None:
        """Begin a training now, or let an earlier one go on."""
        seconds = self._score(code, stop).seconds
        base = 0
        if continues is not None:
            there, base = self._reached.get(continues, (code, 0))
            if there != code:
                raise InputError(f"proposal {self.asked} is to continue child {continues}, of another architecture")
            if stop and base >= stop:
                base = 0  # nothing to add: it is trained from the start, as in a run
            if base:
                seconds = max(seconds - self._score(code, base).seconds, 0.0)
        left = self._ledger.device_seconds_left  # a child that takes longer is ended then, and ends the search
        index, self.asked = self.asked, self.asked + 1
        named = -1 if continues is None or not base else continues
        self._running[index] = _Running(code, stop, base, seconds, named, seconds > left)
        heappush(self._ends, (self.now + min(seconds, left), index))

    def ended(self) -> list[int]:
        """Go on to the next end of a training; return all that have ended then: in order, and those of one time as asked."""
        self.now = max(self.now, self._ends[0][0])
        ended = []
        while self._ends and self._ends[0][0] <= self.now:
            ended.append(heappop(self._ends)[1])
        return ended

    @property
    def idle(self) -> bool:
        """Whether nothing is in training."""
        return not self._running

    def count(self, index: int) -> tuple[int, int, float, float] | None:
        """Charge a child that has ended; None if it is not within the budget, which ends the search.

        Returns:
            Its position in the table, the epoch at which it stopped, its accuracy, and what it was charged.
        """
        child, ledger, course = self._running.pop(index), self._ledger, self.course
        ledger.wall_seconds = self.now
        if child.cut or not ledger.fits(child.cost + self._searcher):
            return None
        ledger.charge("searcher", self._searcher)
        ledger.charge("cached", child.cost)
        ledger.children += 1
        accuracy = self._score(child.code, child.stop).accuracy
        if child.stop and accuracy == accuracy:
            self._reached[index] = child.code, child.stop
        course.codes.append(child.code)
        course.stops.append(child.stop)
        course.bases.append(child.base)
        course.costs.append(child.cost)
        course.ends.append(self.now)
        course.indices.append(index)
        course.continues.append(child.continues)
        course.asked.append(self.asked)
        course.searcher.append(self._searcher)
        self._searcher = 0.0
        return child.code, child.stop, accuracy, child.cost


def simulate(
    table: Table,
    strategy: Strategy[Any],
    ledger: Ledger,
    devices: int,
    score: ScoreOf,
    measured: Sequence[str] = (),
    scoring: ScoringSeconds | None = None,
    outcome_from: OutcomeFrom = "mean",
) -> Course:
    """Search a table with `ask` and `tell`, as a run with K devices does that commits children as they finish.

    No score is reused: a repeated architecture is trained again, as with `cached=off`. A training that goes on costs the
    seconds between the two epochs.

    Args:
        table: the table.
        strategy: a new strategy.
        ledger: an empty ledger, which this changes.
        devices: number of devices, >= 1.
        score: score and cost of a training up to an epoch.
        measured: measured quantities of the table that the strategy asks for.
        scoring: account of the scores that guide the strategy; None for none.
        outcome_from: what the scores are of, see `Table.outcomes`.

    Returns:
        The counted children, in the order of their ends.

    Raises:
        InputError: when the strategy proposes what the table or the limits do not have.
    """
    name = getattr(strategy, "name", type(strategy).__name__)  # a class of one's own need not be registered
    epochs = table.curves.epochs if table.curves is not None and type(strategy).asks_epochs else 0
    clock: _Clock[Any] = _Clock(ledger, devices, score)
    account = scoring if scoring is not None else ScoringSeconds()
    proposed: dict[int, Architecture] = {}  # of children in training
    while True:
        while clock.free():
            with blamed_on(f"strategy {name!r}, ask()"):
                given = strategy.ask()
            clock.think(account.take())
            if given is None:
                break
            asked = resolved(given, table.space, name, epochs)
            architecture = asked.architecture
            if not strategy.space.allows(architecture):
                raise InputError(
                    f"strategy {name!r} proposes {architecture}, which the limits do not allow; a strategy that "
                    "makes architectures by decode must ask space.allows first"
                )
            code = table.position(architecture.choices)
            proposed[clock.asked] = architecture
            clock.start(code, asked.epochs, asked.continues)
        if clock.idle:
            return clock.course
        for index in clock.ended():
            counted = clock.count(index)
            if counted is None:
                return clock.course
            code, stop, accuracy, cost = counted
            reward = table.reward(accuracy, outcome_from)
            curve = _curve(table, score, code, stop, accuracy) if type(strategy).asks_epochs else ()
            with blamed_on(f"strategy {name!r}, tell()"):
                strategy.tell(
                    Outcome(
                        index=index,
                        architecture=proposed.pop(index),
                        status="failed" if math.isnan(accuracy) else "ok",
                        val_curve=curve,
                        val_acc=math.nan if math.isnan(accuracy) else reward,
                        params=int(table.params[code]),
                        mult_adds=int(table.mult_adds[code]),
                        device_seconds=cost,
                        epochs=len(curve),
                        measured={name: float(table.measured[name][code]) for name in measured},
                    )
                )


def _curve(table: Table, score: ScoreOf, code: int, stop: int, accuracy: float) -> tuple[float, ...]:
    """Validation accuracies up to where a training stopped."""
    if table.curves is None or math.isnan(accuracy):
        return ()
    last = stop or table.curves.epochs
    return (*(score(code, epoch).accuracy for epoch in range(1, last)), accuracy)


def simulate_core(core: Core[int], ledger: Ledger, devices: int, score: ScoreOf, epochs: int) -> Course:
    """Do the same as `simulate` with the algorithm alone, on positions of the table: some ten times as fast.

    Args:
        core: the algorithm, with draws of positions of the table.
        ledger: an empty ledger, which this changes.
        devices: number of devices, >= 1.
        score: score and cost of a training up to an epoch.
        epochs: epochs of a whole training.

    Returns:
        The counted children, in the order of their ends.
    """
    clock: _Clock[int] = _Clock(ledger, devices, score)
    while True:
        while clock.free():
            job = core.ask()
            if job is None:
                break
            clock.start(job.item, 0 if job.epochs == epochs else job.epochs, job.continues)
        if clock.idle:
            return clock.course
        for index in clock.ended():
            counted = clock.count(index)
            if counted is None:
                return clock.course
            accuracy = counted[2]
            core.tell(index, accuracy if accuracy == accuracy else None)
