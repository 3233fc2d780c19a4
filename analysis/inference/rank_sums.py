"""Tests of ranks: that of Mann and Whitney, exact for small samples with equal scores as well, and that of Brunner and Munzel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.analysis.inference.distributions import normal_above, t_above
from nasbench.analysis.inference.intervals import placements, welch_error

Floats = NDArray[np.float64]
EXACT_UP_TO = 8  # scores of the smaller sample: scipy's own bound for samples without equal scores
MOST_SCORES = 2000  # of both samples, where some are equal: a fifth of a second; the work grows with the square
MOST_ORDERED = 200  # of both samples, where all differ: the numbers of orders fit into 64 bits


class RankSums(NamedTuple):
    """Result of a two-sided Mann-Whitney test.

    Attributes:
        u: number of pairs in which the first sample is above the second, equal ones half.
        p: p value in (0, 1].
    """

    u: float
    p: float


def mann_whitney(a: Floats, b: Floats) -> RankSums:
    """Test whether scores of one sample tend to be higher than those of another.

    The p value is exact where the smaller sample has at most 8 scores and, if some are equal, both together at most
    2,000; otherwise it is the normal approximation with corrections for ties and continuity. Where scores are equal, it
    is exact given these scores: over all ways to deal them out to the two samples. The approximation would give p values
    below the least that so few scores allow.

    Args:
        a: scores of the first sample, [n1], n1 >= 1.
        b: scores of the second sample, [n2], n2 >= 1.

    Returns:
        U of the first sample and the two-sided p value; 1 if all scores are equal.

    Source: Mann & Whitney 1947; Lehmann 1975, "Nonparametrics: statistical methods based on ranks", section 1.4, for
    equal scores.
    """
    scores = np.concatenate([a, b])
    if np.ptp(scores) == 0:
        return RankSums(len(a) * len(b) / 2, 1.0)
    ranks, ties = mean_ranks(scores)
    u = float(ranks[: len(a)].sum() - len(a) * (len(a) + 1) / 2)
    smaller, larger = sorted((len(a), len(b)))
    no_ties = len(ties) == len(scores)
    if smaller <= EXACT_UP_TO and no_ties:
        if len(scores) <= MOST_ORDERED:
            return RankSums(u, _exact_p_without_ties(u, smaller, larger))
        from scipy.stats import mannwhitneyu

        return RankSums(u, float(mannwhitneyu(a, b, alternative="two-sided").pvalue))
    if smaller <= EXACT_UP_TO and len(scores) <= MOST_SCORES:
        doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks of equal scores are halves
        observed = int(doubled[: len(a)].sum())
        if len(b) < len(a):  # the ranks of one sample say those of the other
            return RankSums(u, _exact_p(doubled, len(b), int(doubled.sum()) - observed))
        return RankSums(u, _exact_p(doubled, len(a), observed))
    return RankSums(u, _approximate_p(u, smaller, larger, ties))


def brunner_munzel(a: Floats, b: Floats) -> float:
    """Test whether runs of one sample beat those of another in half of all pairs, whatever the two spreads are.

    Formula: T = (A - 1/2) / se, with A and se of `intervals.improvement_interval` (the probability that a score of the
    first is higher, and the error by placements), against t(f), f by Satterthwaite. With few scores the test is liberal:
    at 5 and 5 equal ones it rejects 8% at 5%. Mann and Whitney's is exact there, but takes equal spreads for granted.

    Args:
        a: scores of the first sample, [n1], n1 >= 2.
        b: scores of the second sample, [n2], n2 >= 2.

    Returns:
        The two-sided p value. 0 where every score of one sample is higher, since se is 0; 1 if all scores are equal.

    Source: Brunner & Munzel 2000, "The nonparametric Behrens-Fisher problem: asymptotic theory and a small-sample
    approximation".
    """
    of_first, of_second = placements(a, b)
    apart = float(of_first.mean()) - 0.5
    error, freedom = welch_error(of_first, of_second)
    if error > 0:
        return min(1.0, 2 * t_above(abs(apart) / error, freedom))
    return 1.0 if apart == 0 else 0.0


def mean_ranks(scores: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Rank scores from 1, equal ones by the mean of their ranks, as scipy's rankdata does.

    Args:
        scores: the scores, [n], without NaN.

    Returns:
        The ranks, [n], and how often each different score occurs, in the order of the scores.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = np.asarray(0.5 * (2 * last - counts + 1), dtype=np.float64)[place]
    return ranks, counts


def _exact_p_without_ties(u: float, smaller: int, larger: int) -> float:
    """Compute the two-sided p value of U among all orders of different scores.

    Formula: the numbers of orders with U = 0, 1, ... are the coefficients of prod_i (1 - q^(n2 + i)) / (1 - q^i), i from
    1 to n1.

    Source: Mann & Whitney 1947, whose recurrence these coefficients fulfil.
    """
    from scipy.special import binom

    pairs = smaller * larger
    orders = np.zeros(pairs // 2 + 1, dtype=np.int64)
    orders[0] = 1
    for each in range(1, smaller + 1):
        times = larger + each
        orders[times:] -= orders[:-times].copy()
        for start in range(min(each, len(orders))):
            orders[start::each] = np.cumsum(orders[start::each])
    at_most = np.cumsum(orders / binom(smaller + larger, smaller))
    return min(1.0, 2 * float(at_most[pairs - int(max(u, pairs - u))]))


def _approximate_p(u: float, smaller: int, larger: int, ties: NDArray[np.int64]) -> float:
    """Compute the two-sided p value of U by the normal approximation, corrected for equal scores and for continuity."""
    pairs, n = smaller * larger, smaller + larger
    spread = math.sqrt(pairs / 12 * ((n + 1) - int((ties**3 - ties).sum()) / (n * (n - 1))))
    return min(1.0, 2 * normal_above((max(u, pairs - u) - pairs / 2 - 0.5) / spread))


def _exact_p(doubled: NDArray[np.int64], chosen: int, observed: int) -> float:
    """Compute the share of the choices of ranks whose sum is as far from its mean as the observed one, or farther.

    Args:
        doubled: twice the ranks of all scores, [n].
        chosen: size of the first sample.
        observed: twice the rank sum of the first sample.
    """
    total = int(doubled.sum())
    most = int(np.sort(doubled)[-chosen:].sum())  # no choice has a larger sum
    ways = np.zeros((chosen + 1, most + 1))  # [how many ranks, their sum] -> number of choices
    ways[0, 0] = 1.0
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, : most + 1 - rank].copy()
    sums = np.arange(most + 1)
    # Twice the mean of a sum is chosen * total / n: everything times n stays whole.
    distance = np.abs(sums * len(doubled) - chosen * total)
    far = distance >= abs(observed * len(doubled) - chosen * total)
    return float(ways[chosen, far].sum() / ways[chosen].sum())
