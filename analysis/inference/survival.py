"""Time until something happens, with runs in which it did not happen yet: Kaplan and Meier's estimate and its intervals.

Everything here takes `spent` [runs], what a run had spent when it reached the target or was last watched, and `reached`
[runs], false for a run that was still searching then (it is censored). Of one target and one unit of spending.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.analysis.inference.intervals import LEVEL, TOO_SMALL, proportion_interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LEAST_RUNS = 5  # for an interval
LEAST_REACHED = 2  # for an interval of the restricted mean: one event has no spread


@dataclass(frozen=True)
class Curve:
    """Kaplan and Meier's estimate.

    Args:
        times: [times], increasing: each spending at which a run reached the target or is censored.
        share: [times], share of runs that have reached it by then, in [0, 1].
        at_risk: [times], runs that were still searching just before.
        events: [times], runs that reached it then.
    """

    times: Floats
    share: Floats
    at_risk: Floats
    events: Floats


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Args:
        value: the number; NaN if the data do not give it.
        low: lower end; NaN if the data do not give it.
        high: upper end; inf if it lies beyond the budget, NaN if there is no interval.
        text: level and method of the interval, or the reason why there is none.
    """

    value: float
    low: float
    high: float
    text: str


def censored(spent: Floats, reached: Bools) -> Any:
    """Convert spending to scipy's form of right-censored data.

    Args:
        spent: [runs], what each run spent until it reached the target, or in all, >= 0.
        reached: [runs], whether it reached the target.

    Returns:
        An object of `scipy.stats.CensoredData`.
    """
    from scipy.stats import CensoredData

    return CensoredData.right_censored(spent, ~reached)


def kaplan_meier(spent: Floats, reached: Bools) -> Curve:
    """Estimate the share of runs that have reached the target, by spending.

    Args:
        spent: [runs], what each run spent until it reached the target, or in all, >= 0.
        reached: [runs], whether it reached the target.

    Returns:
        The share at each distinct spending, with the numbers of runs at risk and of runs that reached the target there.

    Source: Kaplan & Meier 1958, "Nonparametric estimation from incomplete observations".
    """
    from scipy.stats import ecdf

    times = np.unique(spent)
    share = np.asarray(ecdf(censored(spent, reached)).cdf.evaluate(times), dtype=float)
    at_risk = np.array([(spent >= time).sum() for time in times], dtype=float)
    events = np.array([(reached & (spent == time)).sum() for time in times], dtype=float)
    return Curve(times, share, at_risk, events)


def share_limits(spent: Floats, reached: Bools, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Compute pointwise limits of the share of runs that have reached the target, at each time of `kaplan_meier`.

    They are log-log limits of Greenwood's variance. That variance is 0 for a share of 0 or 1, so there they are
    Wilson's limits with the runs at risk as n (with all runs for a share of 1).

    Args:
        spent: [runs], what each run spent until it reached the target, or in all, >= 0.
        reached: [runs], whether it reached the target.
        level: coverage in (0, 1).

    Returns:
        Lower and upper limits, [times] each; NaN with fewer than 5 runs.

    Source: Borgan & Liestol 1990 for log-log; Wilson 1927.
    """
    from scipy.stats import ecdf

    curve = kaplan_meier(spent, reached)
    if len(spent) < LEAST_RUNS:
        return np.full(len(curve.times), np.nan), np.full(len(curve.times), np.nan)
    low: Floats = np.full(len(curve.times), np.nan)
    high = low
    if reached.any():
        with warnings.catch_warnings():  # scipy warns about limits that do not exist; Wilson's take their place
            warnings.simplefilter("ignore", RuntimeWarning)
            limits = ecdf(censored(spent, reached)).cdf.confidence_interval(level, method="log-log")
        low, high = (np.asarray(side.evaluate(curve.times), dtype=float) for side in (limits.low, limits.high))
    none, whole = curve.share < 1e-12, curve.share > 1 - 1e-12
    wide = np.array([proportion_interval(0.0, at_risk, level).high for at_risk in curve.at_risk])
    low, high = np.where(none, 0.0, low), np.where(none, wide, high)
    # Once all have reached it nobody is left at risk: the n of Wilson's interval is that of the start.
    return np.where(whole, proportion_interval(1.0, len(spent), level).low, low), np.where(whole, 1.0, high)


def median_time(spent: Floats, reached: Bools, level: float = LEVEL) -> Estimate:
    """Estimate the spending by which half of the runs have reached the target.

    Args:
        spent: [runs], what each run spent until it reached the target, or in all, >= 0.
        reached: [runs], whether it reached the target.
        level: coverage in (0, 1).

    Returns:
        The first time at which the estimated share is a half or more, NaN if it stays below; its limits are the times
        at which those of the share cross a half (NaN below all of them, inf beyond the budget).

    Source: Brookmeyer & Crowley 1982, on the log-log scale.
    """
    curve = kaplan_meier(spent, reached)
    middle = _first(curve.times, curve.share >= 0.5 - 1e-12, math.nan)
    if len(spent) < LEAST_RUNS:
        return Estimate(middle, math.nan, math.nan, TOO_SMALL)
    low, high = share_limits(spent, reached, level)
    return Estimate(
        middle,
        _first(curve.times, high >= 0.5, math.nan),
        _first(curve.times, low >= 0.5, math.inf),
        f"{level:.0%} Brookmeyer-Crowley",
    )


def restricted_mean(spent: Floats, reached: Bools, horizon: float, level: float = LEVEL) -> Estimate:
    """Mean spending of a run until it reaches the target or the horizon, whichever is first.

    Formula: the area under the share of runs still searching, from 0 to the horizon; its variance is Greenwood's sum of
    A(t)^2 d / (r (r - d)) over the times t, with A(t) the area beyond t, d the events and r the runs at risk.

    Args:
        spent: see this module.
        reached: see this module.
        horizon: budget up to which every run was watched, > 0.
        level: coverage in (0, 1).

    Returns:
        The mean with its normal interval within [0, horizon]. No interval, and why in the text, with fewer than 5 runs,
        with fewer than 2 that reached the target, or if all runs took the same: its width would be 0.

    Source: Klein & Moeschberger 2003, "Survival Analysis", section 4.5.
    """
    from scipy.stats import norm

    if not horizon > 0:
        return Estimate(math.nan, math.nan, math.nan, "a run spent nothing, so that no stretch was watched in all")
    curve = kaplan_meier(np.minimum(spent, horizon), reached & (spent <= horizon))
    searching = np.concatenate([[1.0], 1 - curve.share])
    steps = np.diff(np.append(curve.times, horizon), prepend=0.0) * searching
    area = float(steps.sum())
    rest = area - np.cumsum(steps[:-1])  # area beyond each time
    remain = curve.at_risk * (curve.at_risk - curve.events)
    terms = np.where(remain > 0, rest**2 * curve.events / np.where(remain > 0, remain, 1), 0.0)
    reach = float(norm.ppf((1 + level) / 2)) * math.sqrt(max(0.0, float(terms.sum())))
    count = int((reached & (spent <= horizon)).sum())
    if len(spent) < LEAST_RUNS:
        return Estimate(area, math.nan, math.nan, TOO_SMALL)
    if count < LEAST_REACHED or not reach > 1e-12 * horizon:
        why = f"{count} of {len(spent)} runs reached it" if count < LEAST_REACHED else "all runs took the same"
        return Estimate(area, math.nan, math.nan, f"{TOO_SMALL} ({why})")
    return Estimate(area, max(0.0, area - reach), min(horizon, area + reach), f"{level:.0%} Greenwood")


def _first(times: Floats, where: Bools, otherwise: float) -> float:
    return float(times[where][0]) if where.any() else otherwise
