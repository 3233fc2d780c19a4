"""Several objectives of a search: their names, their values of a child, fronts and crowding."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, StrategyConfig
from nasbench.store.measured import split_names

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ERROR = "error"
COUNTED = ("params", "mult_adds")


class ObjectivesConfig(StrategyConfig):
    """The objectives of a search, all of them minimized."""

    objectives: str = Field(
        "error/params",
        description="two or three of error (1 - validation accuracy), params, mult_adds, and measured quantities such as latency "
        "and energy, which may name their conditions: error/latency[method=eager]",
    )

    @field_validator("objectives")
    @classmethod
    def _two_or_three(cls, text: str) -> str:
        """Store one spelling; refuse another number of names."""
        return "/".join(objective_names(text))

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives, in their order."""
        return objective_names(self.objectives)

    @property
    def measured(self) -> tuple[str, ...]:
        """The objectives that must be measured: a child's outcome does not have them by itself."""
        return measured_among(self.names)


def objective_names(text: str) -> tuple[str, ...]:
    """Parse the names of two or three objectives.

    Args:
        text: names with "/" or "," between, e.g. "error/params".

    Returns:
        The names.

    Raises:
        InputError: for another number of names, or one that is given twice.
    """
    parts, depth = [], 0
    for letter in text:  # conditions in brackets may hold both signs
        depth += (letter == "[") - (letter == "]")
        parts.append("," if letter == "/" and depth <= 0 else letter)
    names = tuple(name.replace("-", "_") if "[" not in name else name for name in split_names("".join(parts)))
    if len(names) not in (2, 3) or len(set(names)) < len(names):
        raise InputError(f"objectives takes two or three different names, e.g. error/params, got {text!r}")
    return names


def measured_among(names: Sequence[str]) -> tuple[str, ...]:
    """Select the objectives that must be measured.

    Args:
        names: objectives.

    Returns:
        All but the error and the counts, which every outcome has.
    """
    return tuple(name for name in names if name not in (ERROR, *COUNTED))


def costs_of(outcome: Outcome, names: Sequence[str]) -> tuple[float, ...]:
    """Return the objectives of a child; smaller is better.

    Args:
        outcome: its outcome.
        names: the objectives.

    Returns:
        One number per objective; the error of a failed child is 1.

    Raises:
        InputError: when a count or a measured quantity is not known of it, or it has status "ok" but no score.
    """
    values = []
    for name in names:
        if name == ERROR:
            value = 1.0 - outcome.val_acc if outcome.status == "ok" else 1.0
        elif name in COUNTED:
            value = float(getattr(outcome, name))
        else:
            value = outcome.measured.get(name, math.nan)
        if not math.isfinite(value) or (name in COUNTED and value < 0):
            raise InputError(
                f"child {outcome.index} ({outcome.architecture}) has no {name}; search for objectives that are known of every "
                "architecture, or measure them all (nasbench latency)"
            )
        values.append(value)
    return tuple(values)


def domination_ranks(values: FloatArray) -> IntArray:
    """Number the fronts: 0 for points that no other dominates, 1 for those that only points of rank 0 dominate, and so on.

    Args:
        values: [n, objectives], all to be minimized.

    Returns:
        [n], ranks from 0.

    Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III A.
    """
    if values.shape[1] == 2:
        return _ranks_of_pairs(values)
    no_worse = values[:, None, 0] <= values[None, :, 0]
    for column in values.T[1:]:
        no_worse &= column[:, None] <= column[None, :]
    dominates = no_worse & ~no_worse.T  # equal points do not dominate each other
    left = dominates.sum(axis=0)
    ranks = np.full(len(values), -1, dtype=np.int64)
    rank = 0
    while (ranks < 0).any():
        front = (left == 0) & (ranks < 0)
        ranks[front] = rank
        left = left - dominates[front].sum(axis=0)
        rank += 1
    return ranks


def _ranks_of_pairs(values: FloatArray) -> IntArray:
    """Ranks under two objectives, in one pass over the points in order of the first, then the second.

    A point is on the first front whose last point has a larger second objective, since that last point is its least; the
    last points of later fronts are larger. An equal point has the same rank.
    """
    ranks: list[int] = [0] * len(values)
    last: list[float] = []  # least second objective of each front so far, rising
    before: list[float] = []
    rank = 0
    points = values.tolist()
    for place in np.lexsort((values[:, 1], values[:, 0])).tolist():
        point = points[place]
        if point != before:
            rank, before = bisect_right(last, point[1]), point
            last[rank : rank + 1] = [point[1]]
        ranks[place] = rank
    return np.array(ranks, dtype=np.int64)


def crowding(values: FloatArray) -> FloatArray:
    """Compute how far the neighbours of each point of one front are apart; infinite at its ends.

    Args:
        values: [n, objectives], the points of one front.

    Returns:
        [n], distances >= 0.

    Source: Deb et al. 2002, section III B.
    """
    return _crowding_within(values, np.zeros(len(values), dtype=np.int64))


def _crowding_within(values: FloatArray, ranks: IntArray) -> FloatArray:
    """Crowding distances of the points of all fronts, each within its own: all fronts in one pass."""
    distances = np.zeros(len(values))
    if not len(values):
        return distances
    ends = np.cumsum(np.bincount(ranks))
    starts = ends - np.bincount(ranks)
    bounds = np.concatenate([starts, ends - 1])  # of fronts in the order by rank; every front has a point
    inner = np.ones(len(values), dtype=bool)
    inner[bounds] = False
    inside = np.flatnonzero(inner)
    for column in values.T:
        order = np.lexsort((column, ranks))
        ordered = column[order]
        distances[order[bounds]] = np.inf
        if len(inside):
            spread = (ordered[ends - 1] - ordered[starts])[ranks[order[inside]]]
            some = spread > 0
            here = inside[some]
            distances[order[here]] += (ordered[here + 1] - ordered[here - 1]) / spread[some]
    return distances


def ranks_and_crowding(values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the rank of each point, and its crowding distance within its front.

    Args:
        values: [n, objectives], all to be minimized.

    Returns:
        Ranks [n] and distances [n].
    """
    ranks = domination_ranks(values)
    return ranks, _crowding_within(values, ranks)


def best_first(values: FloatArray) -> IntArray:
    """Order points by rank, and within a rank the least crowded first; ties keep their order.

    Args:
        values: [n, objectives], all to be minimized.

    Returns:
        [n], positions.

    Source: Deb et al. 2002, section III C: the crowded-comparison operator.
    """
    ranks, distances = ranks_and_crowding(values)
    order: IntArray = np.lexsort((-distances, ranks))
    return order
