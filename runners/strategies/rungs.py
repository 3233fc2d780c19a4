"""What strategies that stop trainings early share: their options, the epochs of rungs, brackets of successive halving."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, Proposal, Strategy, StrategyConfig
from nasbench.spaces.base import Architecture, Space

I = TypeVar("I")  # noqa: E741 - what is trained: an architecture, or its position in a table
C = TypeVar("C", bound="RungConfig")

Rung = tuple[int, int]
"""Number of children, and the epoch up to which they are trained."""


class RungConfig(StrategyConfig):
    """Options of strategies that train many architectures for a few epochs, and few of them for all."""

    eta: int = Field(
        3, ge=2, description="of the children of a rung, one in eta goes on to the next (1603.06560: 3 or 4)"
    )
    min_epochs: int = Field(
        1, ge=1, description="r, epochs of the lowest rung (ours; a unit of the resource in 1603.06560)"
    )
    max_epochs: int = Field(
        0, ge=0, description="R, epochs of the highest rung; 0: all epochs of the protocol, or of the table in a replay"
    )


def epochs_of_rungs(lowest: int, highest: int, eta: int) -> tuple[int, ...]:
    """List the epochs up to which the rungs train: lowest, lowest x eta, ..., highest.

    Args:
        lowest: r, >= 1.
        highest: R, >= r.
        eta: reduction factor, >= 2.

    Returns:
        Rising epochs, the last of which is R.

    Raises:
        InputError: when R is 0 or below r.

    Source: Li et al. 2020 (1810.05934), algorithm 2.
    Deviation: where R / r is no power of eta, the highest rung is R all the same, so that it holds whole trainings.
    """
    if highest < lowest:
        raise InputError(
            f"max_epochs is {highest}, below min_epochs {lowest}: give the epochs of a whole training, or fewer min_epochs"
        )
    epochs = []
    while lowest < highest:
        epochs.append(lowest)
        lowest *= eta
    return (*epochs, highest)


def hyperband_brackets(highest: int, lowest: int, eta: int) -> list[list[Rung]]:
    """Make the brackets of Hyperband, from the one with the most children to that of whole trainings.

    Args:
        highest: R, epochs of a whole training.
        lowest: r, least epochs, >= 1; 1 in the paper.
        eta: reduction factor, >= 2.

    Returns:
        One list of rungs per bracket s = s_max, ..., 0.

    Raises:
        InputError: when R is 0 or below r.

    Source: Li et al. 2017 (1603.06560), algorithm 1; numbers of children as in its table 1 (R = 81, eta = 3):
        floor((s_max + 1) / (s + 1)) eta^s, which the published table and HpBandSter use.
    Deviation: algorithm 1 as printed has ceil((s_max + 1) eta^s / (s + 1)), which gives 34, 15 and 8 children where the
        table has 27, 9 and 6. Epochs are rounded to whole ones.
    """
    if highest < lowest:
        raise InputError(
            f"max_epochs is {highest}, below min_epochs {lowest}: give the epochs of a whole training, or fewer min_epochs"
        )
    most = 0
    while lowest * eta ** (most + 1) <= highest:
        most += 1
    brackets = []
    for s in range(most, -1, -1):
        children = (most + 1) // (s + 1) * eta**s
        brackets.append([(children // eta**i, max(round(highest / eta ** (s - i)), 1)) for i in range(s + 1)])
    return brackets


@dataclass(frozen=True)
class Job(Generic[I]):
    """What to train next.

    Args:
        item: the architecture.
        epochs: epoch up to which to train.
        continues: number of the proposal that goes on; None for a training from the start.
    """

    item: I
    epochs: int
    continues: int | None = None


class Core(ABC, Generic[I]):
    """Base class of the algorithms themselves, apart from what an architecture is; scores are higher the better.

    The strategy runs it with architectures, a replay with positions of a table, so that both choose the same.
    """

    @abstractmethod
    def ask(self) -> Job[I] | None:
        """Choose what to train next.

        Returns:
            The next training; None to wait for outcomes.
        """

    @property
    def ready(self) -> bool:
        """Whether `ask` returns the same whatever the outcomes of what is in training are."""
        return False

    @abstractmethod
    def tell(self, index: int, score: float | None) -> None:
        """Receive the outcome of a training.

        Args:
            index: its number in the order of `ask`, from 0, None answers left out.
            score: validation accuracy at the epoch that was asked for; None for a failure, which never goes on.
        """


class _Bracket(Generic[I]):
    """A bracket of successive halving: its rungs from the present one on, and what is in this one."""

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self.rungs = deque(rungs)
        self.queue: deque[tuple[I, int] | None] = deque([None] * self.rungs[0][0])
        self.scored: list[tuple[float, int, I, int]] = []
        self.place = self.open = 0  # children of the rung that have begun, and of these the ones in training

    def climb(self) -> bool:
        """Begin the next rung with the best of this one; False if there is none."""
        self.rungs.popleft()
        self.scored.sort(key=_rank)
        going = self.scored[: self.rungs[0][0]] if self.rungs else []
        self.queue, self.scored, self.place = deque((item, index) for _, _, item, index in going), [], 0
        return bool(going)


class Halving(Core[I]):
    """Brackets of successive halving: a rung begins when the one before it is complete.

    With one child in training at a time, brackets follow one another. With several, a child of the oldest bracket that has
    one comes first; where every bracket waits for the end of a rung, the next bracket begins, so that no device is idle.

    Args:
        brackets: the brackets without end.
        draw: draws a new architecture for the lowest rung of a bracket.

    Source: Falkner, Klein, Hutter 2018 (1807.01774), section 4.2, whose released code (HpBandSter) begins brackets so.
    """

    def __init__(self, brackets: Iterator[Sequence[Rung]], draw: Callable[[], I]) -> None:
        self._brackets, self._draw = brackets, draw
        self._asked = 0
        self._active: list[_Bracket[I]] = []  # the oldest first
        self._open: dict[
            int, tuple[I, int, _Bracket[I]]
        ] = {}  # index -> what is in training, and its place in the rung

    @property
    def ready(self) -> bool:
        """Whether a rung that has begun has children that have not; see `Core.ready`."""
        return any(bracket.queue for bracket in self._active)

    def ask(self) -> Job[I]:
        """Train the next child of the oldest bracket that has one, or the first of a new bracket."""
        bracket = next((each for each in self._active if each.queue), None)
        if bracket is None:
            bracket = _Bracket(next(self._brackets))
            self._active.append(bracket)
        waiting = bracket.queue.popleft()
        item, continues = (self._draw(), None) if waiting is None else waiting
        self._open[self._asked] = item, bracket.place, bracket
        self._asked += 1
        bracket.place += 1
        bracket.open += 1
        return Job(item, bracket.rungs[0][1], continues)

    def tell(self, index: int, score: float | None) -> None:
        """Rank a child in its rung, and begin the bracket's next rung after the last one; see `Core.tell`."""
        item, place, bracket = self._open.pop(index)
        bracket.open -= 1
        if score is not None:
            bracket.scored.append((-score, place, item, index))
        if not bracket.queue and not bracket.open and not bracket.climb():
            self._active.remove(bracket)


def _rank(scored: tuple[float, int, Any, int]) -> tuple[float, int]:
    return scored[:2]


class Ladder(Core[I]):
    """Rungs that children climb one by one: whoever is among the best of a rung goes on, and a new child begins otherwise.

    Args:
        epochs: epochs of the rungs, rising.
        eta: reduction factor, >= 2.
        draw: draws a new architecture.
    """

    def __init__(self, epochs: Sequence[int], eta: int, draw: Callable[[], I]) -> None:
        self._epochs, self._eta, self._draw = tuple(epochs), eta, draw
        self._asked = self._told = 0
        self._open: dict[int, tuple[int, I]] = {}
        below = range(len(self._epochs) - 1)
        self._results = [0 for _ in below]
        self._waiting: list[list[tuple[float, int, int, I]]] = [[] for _ in below]  # heaps, the best first
        self._gone: list[list[tuple[float, int]]] = [[] for _ in below]  # ranks of those that went on, the best first

    def ask(self) -> Job[I]:
        """Let a child of the highest rung possible go on, or begin a new one."""
        for rung in range(len(self._epochs) - 2, -1, -1):
            waiting = self._waiting[rung]
            if not waiting:
                continue
            best = waiting[0]
            gone = self._gone[rung]
            # All results better than the best waiting one have gone on, so this is its place in the rung.
            if bisect_left(gone, best[:2]) < self._results[rung] // self._eta:
                _, _, index, item = heappop(waiting)
                insort(gone, best[:2])
                return self._start(rung + 1, item, index)
        return self._start(0, self._draw(), None)

    def _start(self, rung: int, item: I, continues: int | None) -> Job[I]:
        self._open[self._asked] = rung, item
        self._asked += 1
        return Job(item, self._epochs[rung], continues)

    def tell(self, index: int, score: float | None) -> None:
        """Rank a child in its rung; see `Core.tell`."""
        rung, item = self._open.pop(index)
        self._told += 1
        if rung == len(self._epochs) - 1:
            return
        self._results[rung] += 1
        if score is not None:
            heappush(self._waiting[rung], (-score, self._told, index, item))


class Sieve(Core[I]):
    """Rungs at which each child is judged once, when it arrives: it goes on if it is among the best so far, or ends.

    Args:
        epochs: epochs of the rungs, rising.
        eta: reduction factor, >= 2.
        draw: draws a new architecture.
    """

    def __init__(self, epochs: Sequence[int], eta: int, draw: Callable[[], I]) -> None:
        self._epochs, self._eta, self._draw = tuple(epochs), eta, draw
        self._asked = 0
        self._open: dict[int, tuple[int, I]] = {}
        self._results: list[list[float]] = [[] for _ in self._epochs[:-1]]  # negated scores, sorted
        self._going: deque[tuple[int, I, int]] = deque()

    def ask(self) -> Job[I]:
        """Let the child go on that waits longest, or begin a new one."""
        rung, item, continues = self._going.popleft() if self._going else (0, self._draw(), None)
        self._open[self._asked] = rung, item
        self._asked += 1
        return Job(item, self._epochs[rung], continues)

    def tell(self, index: int, score: float | None) -> None:
        """Judge a child by the results of its rung so far; see `Core.tell`."""
        rung, item = self._open.pop(index)
        if score is None or rung == len(self._epochs) - 1:
            return
        results = self._results[rung]
        insort(results, -score)
        if bisect_left(results, -score) * self._eta <= len(results):
            self._going.append((rung + 1, item, index))


class RungStrategy(Strategy[C]):
    """Base class of strategies that are a core with random draws and options of rungs."""

    asks_epochs = True
    draws_uniformly: ClassVar[bool] = True
    """Whether new architectures are draws of `Space.random` from a generator of the strategy's seed, used for no more."""

    def __init__(self, space: Space, seed: int, config: C | None = None) -> None:
        super().__init__(space, seed, config)
        self._core = self.core(lambda: self._draw())

    @abstractmethod
    def core(self, draw: Callable[[], Any]) -> Core[Any]:
        """Make the algorithm.

        Args:
            draw: draws a new architecture.

        Returns:
            The algorithm, before its first `ask`.
        """

    @abstractmethod
    def _draw(self) -> Architecture:
        """Draw a new architecture."""

    def ask(self) -> Proposal | None:
        """Propose the next training of the algorithm; None to wait for outcomes."""
        job = self._core.ask()
        return None if job is None else Proposal(job.item, job.epochs, job.continues)

    def tell(self, outcome: Outcome) -> None:
        """Give the score at the epoch that was reached to the algorithm.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child has status "ok" but no score.
        """
        self._core.tell(outcome.index, score_of(outcome, self.reward(outcome)))


def score_of(outcome: Outcome, reward: float) -> float | None:
    """Return the reward by which a child is ranked.

    Args:
        outcome: the outcome of the child.
        reward: its reward.

    Returns:
        The reward; None for a child that failed, which cannot go on.

    Raises:
        InputError: when the child has status "ok" and a reward that is not finite.
    """
    if outcome.status != "ok":
        return None
    if not math.isfinite(reward):
        raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
    return reward
