"""Friedman's test by permutation: exact for few tables, by drawn permutations for many.

The usual chi-square and F are limits for many tables. With 3 strategies and 2 tables that agree, F is infinite and its p 0,
while one in six pairs of orders agrees by chance.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_STATES = 300_000  # combinations of rank sums and orders that one step of the exact distribution may have
DRAWN = 99_999  # permutations drawn where the exact distribution is too large


@dataclass(frozen=True)
class PermutationP:
    """P value of a permutation test.

    Args:
        p: the p value, > 0.
        method: "exact", or how many permutations were drawn.
        least: the smallest p that tables without ties can give, that of complete agreement.
    """

    p: float
    method: str
    least: float


def friedman_p(ranks: Floats, seed: int = 0, most_states: int = MOST_STATES) -> PermutationP:
    """Compute the p value of the hypothesis that within each table every order of the strategies is equally likely.

    Formula: the share of all (k!)^N orders whose sum of squared rank sums is at least the observed one. Rank sums are
    kept sorted, as the statistic does not depend on which strategy has which, so that few different ones remain. Ties
    keep their mean ranks. Assumption: tables are independent.

    Args:
        ranks: ranks of the strategies within each table, [tables, strategies], mean ranks for ties.
        seed: seed of the drawn permutations.
        most_states: size of a step up to which the distribution is exact.

    Returns:
        The p value, how it was computed, and the smallest p value that so many tables can give.

    Source: Friedman 1937, "The use of ranks to avoid the assumption of normality"; exact tables of small N there.
    """
    tables, strategies = ranks.shape
    least = float(math.factorial(strategies)) ** (1 - tables)
    doubled = np.rint(2 * ranks).astype(np.int64)  # whole numbers, so that equal sums are equal
    observed = int((doubled.sum(axis=0) ** 2).sum())
    exact = _exact(doubled, observed, most_states)
    if exact is not None:
        return PermutationP(exact, "exact", least)
    rng, reached, drawn = np.random.default_rng(seed), 0, 0
    while drawn < DRAWN:
        count = min(10_000, DRAWN - drawn)
        orders = rng.permuted(np.broadcast_to(doubled, (count, tables, strategies)), axis=2)
        reached += int(((orders.sum(axis=1) ** 2).sum(axis=1) >= observed).sum())
        drawn += count
    return PermutationP((reached + 1) / (drawn + 1), f"of {DRAWN:,} drawn permutations", least)


def _exact(doubled: NDArray[np.int64], observed: int, most_states: int) -> float | None:
    """The exact p value; None if a step would have more states than allowed."""
    strategies = doubled.shape[1]
    if math.factorial(strategies) > most_states:
        return None
    orders = np.array(list(itertools.permutations(range(strategies))))
    sums: NDArray[np.int64] = np.sort(doubled[:1], axis=1)
    shares: NDArray[np.float64] = np.ones(1)
    for row in doubled[1:]:
        if len(sums) * len(orders) > most_states:
            return None
        every = np.sort((sums[:, None, :] + row[orders][None, :, :]).reshape(-1, strategies), axis=1)
        sums, place = np.unique(every, axis=0, return_inverse=True)
        each = np.repeat(shares / len(orders), len(orders))
        shares = np.bincount(place.reshape(-1), weights=each).astype(np.float64)
    return float(shares[(sums**2).sum(axis=1) >= observed].sum())
