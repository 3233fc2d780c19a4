"""The Mann-Whitney test, exact for small samples with equal scores as well."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EXACT_UP_TO = 8  # scores of the smaller sample: scipy's own bound for samples without equal scores
MOST_SCORES = 200  # of both samples: the work grows with the third power


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

    The p value is exact where the smaller sample has at most 8 scores and both together at most 200; otherwise it is
    the normal approximation with corrections for ties and continuity. Where scores are equal, it is exact given these
    scores: over all ways to deal them out to the two samples. The approximation would give p values below the least
    that so few scores allow.

    Args:
        a: scores of the first sample, [n1], n1 >= 1.
        b: scores of the second sample, [n2], n2 >= 1.

    Returns:
        U of the first sample and the two-sided p value; 1 if all scores are equal.

    Source: Mann & Whitney 1947; Lehmann 1975, "Nonparametrics: statistical methods based on ranks", section 1.4, for
    equal scores.
    """
    from scipy.stats import mannwhitneyu, rankdata

    scores = np.concatenate([a, b])
    if np.ptp(scores) == 0:
        return RankSums(len(a) * len(b) / 2, 1.0)
    small = min(len(a), len(b)) <= EXACT_UP_TO and len(scores) <= MOST_SCORES
    if not small or len(np.unique(scores)) == len(scores):
        given = mannwhitneyu(a, b, alternative="two-sided")
        return RankSums(float(given.statistic), float(given.pvalue))
    doubled = np.rint(2 * rankdata(scores)).astype(np.int64)  # mean ranks of equal scores are halves
    observed = int(doubled[: len(a)].sum())
    u = observed / 2 - len(a) * (len(a) + 1) / 2
    if len(b) < len(a):  # the ranks of one sample say those of the other
        return RankSums(u, _exact_p(doubled, len(b), int(doubled.sum()) - observed))
    return RankSums(u, _exact_p(doubled, len(a), observed))


def _exact_p(doubled: NDArray[np.int64], chosen: int, observed: int) -> float:
    """Compute the share of the choices of ranks whose sum is as far from its mean as the observed one, or farther.

    Args:
        doubled: twice the ranks of all scores, [n].
        chosen: size of the first sample.
        observed: twice the rank sum of the first sample.
    """
    total = int(doubled.sum())
    ways = np.zeros((chosen + 1, total + 1))  # [how many ranks, their sum] -> number of choices
    ways[0, 0] = 1.0
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, : total + 1 - rank].copy()
    sums = np.arange(total + 1)
    # Twice the mean of a sum is chosen * total / n: everything times n stays whole.
    distance = np.abs(sums * len(doubled) - chosen * total)
    far = distance >= abs(observed * len(doubled) - chosen * total)
    return float(ways[chosen, far].sum() / ways[chosen].sum())
