"""Confidence intervals of means, medians, differences and probabilities: the one place that makes them.

Each method is here because its coverage was measured, at 5, 10, 20 and 50 runs, on normal, skewed and tied scores
(`benchmarks/calibration.py`; the table is in docs/statistics.md). Where a method does not hold, there is no interval,
and its text says "n too small". A percentile bootstrap is not among them: at 5 runs its 95% cover 80 to 84%.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasbench.analysis.inference.distributions import normal_quantile, t_quantile

Floats = NDArray[np.float64]
LEVEL = 0.95
TOLERANCE = 0.03  # by how much an interval may cover less than it says, before it is withheld
RESAMPLES = 1999  # (RESAMPLES + 1) / 40 is whole, so that 95% intervals end at resamples
LEAST_RUNS = {"mean": 5, "difference": 5, "improvement": 5, "iqm": 10, "pooled": 20}  # by measurement
DISTINCT = 0.6  # share of different scores from which an interquartile mean has an interval, by measurement
TOO_SMALL = "n too small"
ALL_EQUAL = "all scores are equal, no interval"
UNEVEN_SPREADS, SKEWED, FEW = 1.5, 0.5, 50  # `uneven_skew`: ratio, skewness and runs a side, chosen by simulation


@dataclass(frozen=True)
class Interval:
    """A confidence interval, or the reason why there is none.

    Args:
        low: lower end, NaN without an interval.
        high: upper end, NaN without an interval.
        method: its level and method, e.g. "95% Welch"; "n too small" and why, without an interval.
    """

    low: float
    high: float
    method: str

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def refused(why: str = "") -> Interval:
    """Make the result for an interval that cannot be computed, with the reason.

    Args:
        why: the reason; "" if there are too few runs.

    Returns:
        An interval with NaN as both limits.
    """
    return Interval(math.nan, math.nan, f"{TOO_SMALL} ({why})" if why else TOO_SMALL)


def all_equal() -> Interval:
    """Make the result for scores that are all equal, of which more runs alone would tell no more.

    Returns:
        An interval with NaN as both limits.
    """
    return Interval(math.nan, math.nan, ALL_EQUAL)


def mean_interval(
    strata: Floats | Sequence[Floats],
    rng: np.random.Generator | Callable[[], np.random.Generator],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    equal_strata: bool = False,
) -> Interval:
    """Interval of a mean: studentized bootstrap, of runs within their strata.

    Formula: [m - t_hi se, m - t_lo se], with t_lo and t_hi the quantiles of (m* - m) / se* over resamples and
    se = s / sqrt(n); over strata m = sum(w_h m_h) and se^2 = sum(w_h^2 s_h^2 / n_h), w_h = n_h / n, or 1 / strata.
    Assumption: runs are independent and have a variance; neither normality nor symmetry.

    Args:
        strata: the scores, [n]; or one array of scores per stratum (table), each resampled from itself.
        rng: generator of the resamples, or a function that makes it, which is called only if there are any.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 100.
        equal_strata: whether the mean is that of the strata's means, whatever their numbers of scores, and not that of all
            scores.

    Returns:
        The interval. None with fewer than 5 scores in a stratum, without spread, or where ties make so many resamples
        constant that an end is infinite.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", section 12.5.
    """
    groups = [strata] if isinstance(strata, np.ndarray) else [group for group in strata if len(group)]
    return mean_intervals([groups], rng, level, resamples, equal_strata)[0]


def mean_intervals(
    samples: Sequence[Sequence[Floats]],
    rng: np.random.Generator | Callable[[], np.random.Generator],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    equal_strata: bool = False,
) -> list[Interval]:
    """Intervals of the means of several scores of the same runs, each as `mean_interval` makes it, of the same resamples.

    Args:
        samples: for each score an array per stratum, [n_h]; the strata of all scores have the same runs.
        rng: see `mean_interval`.
        level: see `mean_interval`.
        resamples: see `mean_interval`.
        equal_strata: see `mean_interval`.

    Returns:
        An interval for each score.
    """
    weights: list[Floats] = []  # of each stratum: how often each run is drawn; drawing takes longer than all else
    found = []
    for groups in samples:
        if not groups or min(map(len, groups)) < LEAST_RUNS["mean"]:
            found.append(refused())
        elif all(np.ptp(group) == 0 for group in groups):
            found.append(all_equal())
        else:
            if not weights:
                drawing = rng() if callable(rng) else rng
                weights = [drawing.multinomial(n, np.full(n, 1 / n), size=resamples) / n for n in map(len, groups)]
            total = sum(map(len, groups))
            shares = [1 / len(groups) if equal_strata else len(group) / total for group in groups]
            found.append(_studentized(groups, shares, weights, level))
    return found


def _studentized(
    groups: Sequence[Floats], shares: Sequence[float], weights: Sequence[Floats], level: float
) -> Interval:
    """Studentized bootstrap of a mean over strata of these shares; weights are of each run in each resample, [resamples, n_h]."""
    resamples = len(weights[0])
    middle = sum(share * float(group.mean()) for share, group in zip(shares, groups))
    apart, drawn_square, square = np.zeros(resamples), np.zeros(resamples), 0.0
    for group, share, drawn_shares in zip(groups, shares, weights):
        n = len(group)
        away = group - group.mean()
        means = drawn_shares @ away
        apart += share * means
        drawn_square += share**2 * np.maximum(drawn_shares @ away**2 - means**2, 0) / (n - 1)
        square += share**2 * float(group.var(ddof=1)) / n
    error, tiny = math.sqrt(square), 1e-9 * math.sqrt(square)
    drawn = np.sqrt(drawn_square)
    constant = drawn <= tiny
    ratios = np.zeros(resamples)
    ratios[constant & (apart > tiny)], ratios[constant & (apart < -tiny)] = math.inf, -math.inf
    ratios[~constant] = apart[~constant] / drawn[~constant]
    ratios.sort()
    place = max(1, int((1 - level) / 2 * (resamples + 1)))
    low, high = middle - ratios[resamples - place] * error, middle - ratios[place - 1] * error
    if not (math.isfinite(low) and math.isfinite(high)):
        return refused("too many equal scores")
    return Interval(float(low), float(high), f"{level:.0%} studentized bootstrap")


def median_interval(scores: Floats, level: float = LEVEL) -> Interval:
    """Interval of a median: the pair of order statistics whose exact coverage is nearest above the level.

    Formula: [x_(r), x_(n+1-r)] covers with 1 - 2 P(B < r), B binomial of n and 1/2. The text gives that coverage: with
    5 scores it is their range, with 94%. Assumption: independent runs of one distribution, of any shape; ties make it
    cover more.

    Args:
        scores: the scores, [n].
        level: coverage in (0, 1).

    Returns:
        The interval; none if even the range of the scores covers less than the level by more than 3 points, or if all
        scores are equal.

    Source: Hollander, Wolfe & Chicken 2014, "Nonparametric Statistical Methods", section 3.6.
    """
    n = len(scores)
    rank, coverage = median_rank(n, level)
    if rank < 1:
        return refused()
    if np.ptp(scores) == 0:
        return all_equal()
    ordered = np.sort(scores)
    return Interval(float(ordered[rank - 1]), float(ordered[n - rank]), f"{coverage:.0%} order statistics")


@lru_cache(maxsize=1024)
def median_rank(n: int, level: float = LEVEL) -> tuple[int, float]:
    """Find the rank r of the order statistics that enclose a median, and their exact coverage.

    Args:
        n: number of scores, >= 0.
        level: coverage in (0, 1).

    Returns:
        The largest r with coverage 1 - 2 P(B < r) >= level, B binomial of n and 1/2, and that coverage; r is 1 if only
        the range comes within 3 points of the level, and 0 if n is too small.

    Source: that of `median_interval`.
    """
    from scipy.special import bdtr

    if n < 1:
        return 0, 0.0
    coverages = 1 - 2 * bdtr(np.arange(max(1, (n + 1) // 2), dtype=float), n, 0.5)  # of ranks 1, 2, ...
    enough = np.flatnonzero(coverages >= level)
    if len(enough):
        return int(enough[-1]) + 1, float(coverages[enough[-1]])
    within = coverages[0] >= level - TOLERANCE
    return (1, float(coverages[0])) if within else (0, float(coverages[0]))


def iqm_interval(scores: Floats, level: float = LEVEL) -> Interval:
    """Interval of an interquartile mean: Tukey and McLaughlin's t of the trimmed mean, for 10 scores or more.

    Formula: m_t +- t(h - 1) s_w / ((1 - 2 0.25) sqrt(n)) in the form sqrt((n - 1) s_w^2 / (h (h - 1))), with h = n - 2g
    scores left, g = floor(n / 4), and s_w^2 the variance of the winsorized scores. Assumption: independent runs.

    Args:
        scores: the scores, [n].
        level: coverage in (0, 1).

    Returns:
        The interval; none with fewer than 10 scores (it covers 91% of skewed ones at 5), or if fewer than 6 in 10
        scores are different: a quartile in the middle of a tie makes its error too small (it covers 90% of such scores
        at 50).

    Source: Tukey & McLaughlin 1963; Yuen 1974, "The two-sample trimmed t for unequal population variances", section 2.
    """
    n = len(scores)
    if n < LEAST_RUNS["iqm"]:
        return refused()
    if np.ptp(scores) == 0:
        return all_equal()
    if len(np.unique(scores)) < DISTINCT * n:
        return refused("too many equal scores")
    ordered, cut = np.sort(scores), n // 4
    left = n - 2 * cut
    winsorized = np.clip(ordered, ordered[cut], ordered[n - cut - 1])
    error = math.sqrt((n - 1) * float(winsorized.var(ddof=1)) / (left * (left - 1)))
    if not error > 0:  # the middle half is one tie
        return refused("too many equal scores")
    middle = float(ordered[cut : n - cut].mean())
    reach = t_quantile((1 + level) / 2, left - 1) * error
    return Interval(middle - reach, middle + reach, f"{level:.0%} trimmed t")


def pooled_interval(
    strata: Sequence[Floats],
    statistic: Callable[[Floats], Floats],
    rng: np.random.Generator,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Interval of a median or interquartile mean of the scores of several tables together: stratified bootstrap.

    Formula: quantiles of the statistic of resamples with n_h - 1 runs of each stratum, whose spread is that of n_h
    runs; resamples of n_h runs are too narrow. Assumption: independent runs, and a smooth statistic.

    Args:
        strata: scores, an array per stratum (table).
        statistic: from samples [resamples, scores] to [resamples].
        rng: generator of the resamples.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 100.

    Returns:
        The interval; none with fewer than 20 scores in a stratum (it covers 89 to 94% at 5 and at 10), or without
        spread.

    Source: Rao & Wu 1988, "Resampling inference with complex survey data"; Agarwal et al. 2021 (2108.13264), section 4.
    """
    groups = [group for group in strata if len(group)]
    if not groups or min(map(len, groups)) < LEAST_RUNS["pooled"]:
        return refused()
    drawn = [group[rng.integers(len(group), size=(resamples, len(group) - 1))] for group in groups]
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1)), [(1 - level) / 2, (1 + level) / 2])
    return (
        Interval(float(low), float(high), f"{level:.0%} stratified bootstrap") if high > low else refused("no spread")
    )


def difference_interval(first: Floats, second: Floats, level: float = LEVEL) -> Interval:
    """Interval of a difference of means of independent runs: Welch's t.

    Formula: m_1 - m_2 +- t(f) sqrt(s_1^2 / n_1 + s_2^2 / n_2), f by Satterthwaite. Assumption: independent runs, and
    means that are nearly normal; equal skew on both sides cancels. With skew and a spread three times the other's it
    covers 90% at 5 runs a side; see `uneven_skew`.

    Args:
        first: scores of the first strategy, [n1].
        second: scores of the second strategy, [n2].
        level: coverage in (0, 1).

    Returns:
        The interval; none with fewer than 5 scores on a side, or with a side whose scores are all equal.

    Source: Welch 1947, "The generalization of 'Student's' problem when several different population variances are
    involved".
    """
    if min(len(first), len(second)) < LEAST_RUNS["difference"]:
        return refused()
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return refused("all scores of a side are equal")
    error, freedom = welch_error(first, second)
    reach = t_quantile((1 + level) / 2, freedom) * error
    apart = float(first.mean() - second.mean())
    return Interval(apart - reach, apart + reach, f"{level:.0%} Welch")


def uneven_skew(first: Floats, second: Floats) -> float:
    """Find samples like those for which intervals of a difference of means cover less than 92% instead of 95%.

    The rule: fewer than 50 runs on a side, spreads that differ by more than a factor 1.5, and a skewness of the wider
    side of more than 0.5 in size. Skew often does not show in 5 runs, so the rule misses cases. It was chosen so that at
    most 8% of comparisons have an interval that is wrong and are not found, for normal, uniform, gamma, log-normal and
    exponential scores with spreads up to 1:5.

    Args:
        first: scores of the first strategy, [n1].
        second: scores of the second strategy, [n2].

    Returns:
        Ratio of the larger to the smaller standard deviation if the rule applies, else NaN; NaN if a side's scores are
        all equal, because there is no interval then.
    """
    few = min(len(first), len(second))
    if not LEAST_RUNS["difference"] <= few < FEW or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    narrow, wide = sorted((first, second), key=lambda side: float(side.std(ddof=1)))
    ratio = float(wide.std(ddof=1) / narrow.std(ddof=1))
    skewness = float((((wide - wide.mean()) / wide.std()) ** 3).mean())
    return ratio if ratio > UNEVEN_SPREADS and abs(skewness) > SKEWED else math.nan


def paired_interval(differences: Floats, level: float = LEVEL) -> Interval:
    """Interval of the mean of paired differences: Student's t.

    Formula: m +- t(n - 1) s / sqrt(n). Assumption: pairs are independent of each other and their differences nearly
    normal; what both sides of a pair share, as the difficulty of a table, cancels, and with it most of the skew.

    Args:
        differences: first - second of each pair, [n].
        level: coverage in (0, 1).

    Returns:
        The interval; none with fewer than 5 pairs, or if all differences are equal.

    Source: Student 1908, "The probable error of a mean".
    """
    n = len(differences)
    if n < LEAST_RUNS["difference"]:
        return refused()
    if np.ptp(differences) == 0:
        return refused("all differences are equal")
    reach = t_quantile((1 + level) / 2, n - 1) * float(differences.std(ddof=1)) / math.sqrt(n)
    middle = float(differences.mean())
    return Interval(middle - reach, middle + reach, f"{level:.0%} paired t")


def welch_error(first: Floats, second: Floats) -> tuple[float, float]:
    """Compute the standard error of a difference of means, for unequal variances.

    Args:
        first: scores, [n1], n1 >= 2.
        second: scores, [n2], n2 >= 2.

    Returns:
        Standard error, and Satterthwaite's degrees of freedom.

    Source: Satterthwaite 1946, "An approximate distribution of estimates of variance components".
    """
    parts = [float(group.var(ddof=1)) / len(group) for group in (first, second)]
    below = sum(part**2 / (len(group) - 1) for part, group in zip(parts, (first, second)))
    freedom = sum(parts) ** 2 / below if below > 0 else float(len(first) + len(second) - 2)
    return math.sqrt(sum(parts)), freedom


def placements(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Compute for each run which share of the other side's runs the first side's run beats, equal ones half.

    Args:
        first: scores of the first strategy, [n1], n1 >= 1.
        second: scores of the second strategy, [n2], n2 >= 1.

    Returns:
        The share of runs of the second that each run of the first beats, [n1], and the share of runs of the first that
        beat each run of the second, [n2]. The mean of both is A12.

    Source: DeLong, DeLong & Clarke-Pearson 1988.
    """

    def beaten(runs: Floats, others: Floats) -> Floats:
        others = np.sort(others)
        return (np.searchsorted(others, runs, "left") + np.searchsorted(others, runs, "right")) / 2 / len(others)

    return beaten(first, second), 1 - beaten(second, first)


def improvement_interval(first: Floats, second: Floats, level: float = LEVEL) -> Interval:
    """Interval of the probability that a run of the first beats one of the second (A12): t on the logit scale.

    Formula: that of logit(A) +- t(f) se / (A (1 - A)). The squared se sums, over both sides, the variance of each run's
    share of beaten runs over the number of runs (DeLong's placements), so it does not assume equal spreads; f is
    Satterthwaite's. Where every run of one side is better, that variance is 0, and Newcombe's method 5 serves.
    Assumption: independent runs.

    Args:
        first: scores of the first strategy, [n1].
        second: scores of the second strategy, [n2].
        level: coverage in (0, 1).

    Returns:
        The interval, within [0, 1]; none with fewer than 5 scores on a side, or if all scores are equal.

    Source: the variance: DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated
    receiver operating characteristic curves"; degrees of freedom: Brunner & Munzel 2000, "The nonparametric
    Behrens-Fisher problem"; the logit scale: Perme & Manevski 2019, "Confidence intervals for the Mann-Whitney test".
    """
    from scipy.special import expit, logit

    m, n = len(first), len(second)
    if min(m, n) < LEAST_RUNS["improvement"]:
        return refused()
    if np.ptp(np.concatenate([first, second])) == 0:
        return all_equal()
    of_first, of_second = placements(first, second)
    found = float(of_first.mean())
    error, freedom = welch_error(of_first, of_second)
    if found in (0, 1):
        return _newcombe_interval(found, m, n, level)
    reach = t_quantile((1 + level) / 2, freedom) * error / (found * (1 - found))
    return Interval(float(expit(logit(found) - reach)), float(expit(logit(found) + reach)), f"{level:.0%} logit t")


def _newcombe_interval(found: float, m: int, n: int, level: float) -> Interval:
    """Interval of A12 by Newcombe's method 5, which has a width where every run of one side is better.

    Formula: the ends solve (p - A)^2 = z^2 p (1 - p) (1 + N ((1 - p) / (2 - p) + p / (1 + p))) / (n1 n2), with
    N = (n1 + n2) / 2 - 1: Hanley and McNeil's variance at the end and not at the estimate, as Wilson's for a share.

    Source: Newcombe 2006, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2",
    method 5.
    """
    from scipy.optimize import brentq

    z, more = normal_quantile((1 + level) / 2), (m + n) / 2 - 1

    def outside(p: float) -> float:
        variance = p * (1 - p) * (1 + more * ((1 - p) / (2 - p) + p / (1 + p))) / (m * n)
        return (p - found) ** 2 - z**2 * variance

    # Both ends of [0, 1] solve the equation where A lies on them; the other solution is the interval's end.
    low = 0.0 if found == 0 else float(brentq(outside, 0.0, min(found, 1 - 1e-9)))
    high = 1.0 if found == 1 else float(brentq(outside, max(found, 1e-9), 1.0))
    return Interval(low, high, f"{level:.0%} Newcombe")


def proportion_interval(share: float, n: float, level: float = LEVEL) -> Interval:
    """Compute Wilson's score interval of a share of runs, which has a width also at shares of 0 and 1.

    Formula: (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n). Assumption: independent runs.

    Args:
        share: the share, in [0, 1].
        n: number of runs, > 0; may be a fraction, as the effective number of a weighted share.
        level: coverage in (0, 1).

    Returns:
        The interval, within [0, 1]; without limits if `share` or `n` is out of range.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not n > 0 or not 0 <= share <= 1:
        return refused()
    z = normal_quantile((1 + level) / 2)
    centre, below = share + z**2 / (2 * n), 1 + z**2 / n
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low = 0.0 if share == 0 else (centre - reach) / below
    high = 1.0 if share == 1 else (centre + reach) / below
    return Interval(low, high, f"{level:.0%} Wilson")
