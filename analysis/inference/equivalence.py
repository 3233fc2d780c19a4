"""How much a comparison can say: equivalence tests, the difference that n runs can detect, the seeds that it takes.

A test that finds no difference does not show that there is none. Equivalence within a margin is shown by two one-sided
tests; where neither shows anything, the detectable difference says what the number of runs allowed.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nasbench.analysis.inference.distributions import t_above, t_below
from nasbench.analysis.inference.intervals import LEAST_RUNS, welch_error
from nasbench.errors import InputError
from nasbench.scores import judged_by

Floats = NDArray[np.float64]
SIGNIFICANT = 0.05  # the level of every test of the suite, after Holm's correction where there are several
MARGIN = 0.01  # differences of scores within +-1 percentage point count as equivalent, unless said otherwise
POWER = 0.8  # the usual probability with which a difference is to be found
MOST_SEEDS = 1_000_000
_CERTAIN = 100.0  # noncentrality from which a test of 2 runs a side or more is sure to find it


def usual_margin(margin: float | None = None) -> float | None:
    """Return the margin of equivalence: the given one, or 1 percentage point of accuracies.

    Args:
        margin: the given one, in the unit of the score by which runs are judged, > 0; None for none.

    Returns:
        The margin; None without one for another score than accuracy: a hundredth of a second or a nat may be more than
        all differences there are.
    """
    return margin if margin is not None or not judged_by().is_accuracy else MARGIN


def equivalence_p(first: Floats, second: Floats, margin: float = MARGIN) -> float:
    """P value of "the means differ by at least the margin": the larger of two one-sided Welch tests (TOST).

    Formula: max(P(T > (d + margin) / se), P(T < (d - margin) / se)), T of Student with Satterthwaite's degrees of
    freedom. Assumption: independent runs, means that are nearly normal.

    Args:
        first: scores of the first strategy, [n1].
        second: scores of the second strategy, [n2].
        margin: largest difference that does not matter, as a fraction, > 0.

    Returns:
        The p value; below 0.05 the strategies are equivalent within the margin. NaN with fewer than 5 scores on a side,
        or with a side whose scores are all equal.

    Raises:
        InputError: for a margin that is not positive.

    Source: Schuirmann 1987, "A comparison of the two one-sided tests procedure and the power approach"; Lakens 2017,
    "Equivalence tests".
    """
    if not margin > 0:
        raise InputError(f"a margin of equivalence is a positive fraction, e.g. 0.01 for 1 point; got {margin:g}")
    if min(len(first), len(second)) < LEAST_RUNS["difference"] or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    error, freedom = welch_error(first, second)
    apart = float(first.mean() - second.mean())
    above = t_above((apart + margin) / error, freedom)
    below = t_below((apart - margin) / error, freedom)
    return float(max(above, below))


def paired_equivalence_p(differences: Floats, margin: float = MARGIN) -> float:
    """P value of "the mean difference of pairs is at least the margin": the larger of two one-sided paired t tests (TOST).

    Args:
        differences: first - second of each pair, [n].
        margin: largest difference that does not matter, as a fraction, > 0.

    Returns:
        The p value; NaN with fewer than 5 pairs, or if all differences are equal.

    Raises:
        InputError: for a margin that is not positive.

    Source: as `equivalence_p`.
    """
    if not margin > 0:
        raise InputError(f"a margin of equivalence is a positive fraction, e.g. 0.01 for 1 point; got {margin:g}")
    n = len(differences)
    if n < LEAST_RUNS["difference"] or np.ptp(differences) == 0:
        return math.nan
    error, middle = float(differences.std(ddof=1)) / math.sqrt(n), float(differences.mean())
    above = t_above((middle + margin) / error, n - 1)
    return float(max(above, t_below((middle - margin) / error, n - 1)))


def power_of(
    difference: float, spreads: tuple[float, float], runs: tuple[float, float], alpha: float = SIGNIFICANT
) -> float:
    """Compute the probability that Welch's two-sided test finds a difference of means.

    Formula: P(|T| > t(1 - alpha / 2, f)), T noncentral with f of Satterthwaite and noncentrality d / se, se^2 = s_1^2 /
    n_1 + s_2^2 / n_2. Assumption: normal scores with these spreads.

    Args:
        difference: difference of the means, as a fraction; its sign does not matter.
        spreads: standard deviations of the scores of both strategies, >= 0, not both 0.
        runs: number of runs of each strategy, >= 2.
        alpha: level of the test, in (0, 1).

    Returns:
        The power, in [0, 1].

    Source: Cohen 1988, "Statistical power analysis for the behavioral sciences", chapter 2; equal spreads and runs give
    statsmodels' TTestIndPower.
    """
    parts = [spread**2 / n for spread, n in zip(spreads, runs)]
    freedom = sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, runs))
    return _power(abs(difference) / math.sqrt(sum(parts)), freedom, alpha)


def _power(shift: float, freedom: float, alpha: float) -> float:
    """Probability that |T| exceeds its two-sided bound, T noncentral with this noncentrality, >= 0."""
    from scipy.special import nctdtr, stdtrit

    if shift > _CERTAIN:
        return 1.0
    bound = float(stdtrit(freedom, 1 - alpha / 2))
    below = float(nctdtr(freedom, shift, -bound)) if shift < 3 else 0.0  # less than 1e-4 of the power, and unstable
    return 1 - float(nctdtr(freedom, shift, bound)) + below


def detectable_difference(
    spreads: tuple[float, float], runs: tuple[int, int], power: float = POWER, alpha: float = SIGNIFICANT
) -> float:
    """Compute the smallest difference of means that Welch's test finds with a given probability.

    Args:
        spreads: standard deviations of the scores of both strategies.
        runs: number of runs of each strategy.
        power: the probability, in (alpha, 1).
        alpha: level of one test, in (0, 1). After a correction for several tests the difference is larger.

    Returns:
        The difference, a fraction; NaN with fewer than 2 runs on a side or without any spread.

    Source: Cohen 1988, "Statistical power analysis for the behavioral sciences", chapter 2; see `power_of` for the
    formula.
    """
    from scipy.optimize import brentq

    if min(runs) < 2 or not max(spreads) > 0:
        return math.nan
    error = math.sqrt(sum(spread**2 / n for spread, n in zip(spreads, runs)))
    high = 4 * error
    while power_of(high, spreads, runs, alpha) < power:
        high *= 2
    return float(brentq(lambda apart: power_of(apart, spreads, runs, alpha) - power, 0.0, high, xtol=1e-6 * error))


def paired_detectable(spread: float, pairs: int, power: float = POWER, alpha: float = SIGNIFICANT) -> float:
    """Compute the smallest mean difference that a paired t test finds with a given probability.

    Args:
        spread: standard deviation of the differences of pairs.
        pairs: number of pairs.
        power: the probability, in (alpha, 1).
        alpha: level of one test, in (0, 1).

    Returns:
        The difference, in the unit of `spread`; NaN with fewer than two pairs or without spread.
    """
    from scipy.optimize import brentq

    if pairs < 2 or not spread > 0:
        return math.nan
    high = 4.0
    while _power(high, pairs - 1, alpha) < power:
        high *= 2
    shift = float(brentq(lambda shift: _power(shift, pairs - 1, alpha) - power, 0.0, high))
    return shift * spread / math.sqrt(pairs)


def seeds_needed(
    difference: float, spreads: tuple[float, float], power: float = POWER, alpha: float = SIGNIFICANT
) -> int:
    """Compute the number of seeds per strategy with which Welch's test finds a difference with a given probability.

    Args:
        difference: the difference to find, not 0; of accuracies a fraction in (-1, 1).
        spreads: standard deviations of the scores of both strategies.
        power: the probability, in (alpha, 1).
        alpha: level of one test, in (0, 1).

    Returns:
        The smallest number, >= 2.

    Raises:
        InputError: for a difference of 0 or of a whole accuracy, for scores without spread, or for a difference that
            would take more than a million seeds.

    Source: Cohen 1988, "Statistical power analysis for the behavioral sciences", chapter 2; see `power_of` for the
    formula.
    """
    if judged_by().is_accuracy and (difference == 0 or not abs(difference) < 1):  # percentage points were meant
        raise InputError(
            "the difference to find is a fraction between -1 and 1 other than 0, e.g. 0.005 for half a point; got "
            f"{difference:g}"
        )
    if difference == 0 or not math.isfinite(difference):
        raise InputError(f"the difference to find is a number other than 0, in the score's unit; got {difference:g}")
    if not max(spreads) > 0:
        raise InputError("scores without spread: every difference shows at once, so that no number of seeds follows")

    def found(n: int) -> bool:
        return power_of(difference, spreads, (n, n), alpha) >= power

    if not found(MOST_SEEDS):
        raise InputError(f"a difference of {difference:g} would take more than {MOST_SEEDS:,} seeds a side")
    low, high = 1, 2
    while not found(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
