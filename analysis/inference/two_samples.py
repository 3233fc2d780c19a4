"""Comparison of two samples of scores: effect sizes, tests, intervals, and Holm's correction over several of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.inference.distributions import t_above
from nasbench.analysis.inference.equivalence import MARGIN, detectable_difference, equivalence_p
from nasbench.analysis.inference.intervals import (
    LEAST_RUNS,
    LEVEL,
    difference_interval,
    improvement_interval,
    uneven_skew,
    welch_error,
)
from nasbench.analysis.inference.rank_sums import brunner_munzel, mann_whitney
from nasbench.analysis.inference.verdicts import finding

Floats = NDArray[np.float64]
_MAGNITUDES = ((0.56, "negligible"), (0.64, "small"), (0.71, "medium"))  # Vargha & Delaney 2000, section 4
COMPARISON = (
    *("n_first", "n_second", "difference", "difference_low", "difference_high", "interval"),
    *("improvement", "improvement_low", "improvement_high"),
    *("cliffs_delta", "hedges_g", "magnitude", "u", "p"),
    *("mann_whitney_p", "brunner_munzel_p", "welch_t", "welch_p"),
    *("margin", "tost_p", "detectable", "uneven_skew"),
)


def compare_groups(a: Floats, b: Floats, level: float = LEVEL, margin: float | None = MARGIN) -> dict[str, Any]:
    """Compare the scores of two strategies, as independent samples.

    Args:
        a: scores of the first strategy, [n1].
        b: scores of the second strategy, [n2].
        level: coverage of the intervals in (0, 1).
        margin: margin of equivalence, a fraction, > 0; None where no difference is known to be too small to matter: such
            scores are never called equivalent.

    Returns:
        n_first, n_second; difference (of means, first - second) with difference_low, difference_high and interval
        (`intervals.difference_interval`); improvement (the probability that a run of first beats one of second, ties
        half; Vargha and Delaney's A12) with improvement_low and improvement_high (`intervals.improvement_interval`);
        cliffs_delta (2 A12 - 1), hedges_g, magnitude (of A12, in words); u and mann_whitney_p (`rank_sums.mann_whitney`),
        brunner_munzel_p (`rank_sums.brunner_munzel`), p (the larger of these two); welch_t, welch_p; margin, tost_p (`equivalence.equivalence_p`), detectable
        (`equivalence.detectable_difference`, a fraction); uneven_skew (`intervals.uneven_skew`). Intervals and tests are NaN with fewer than 5 scores on a
        side. The larger p is that of "both tests reject": Mann and Whitney's alone rejects equal strategies too often where
        the side with fewer runs has the larger spread (17 to 25% at 5 and 200 runs), Brunner and Munzel's alone where both
        have few runs.

    Source: Mann & Whitney 1947; Brunner & Munzel 2000; Berger 1982, "Multiparameter hypothesis testing and acceptance
    sampling", for a p value of two tests that must both reject; Welch 1947; Vargha & Delaney 2000, "A critique and improvement of the CL common
    language effect size statistics of McGraw and Wong", for A12.
    """
    row: dict[str, Any] = {"n_first": len(a), "n_second": len(b)} | _effects(a, b)
    apart, better = difference_interval(a, b, level), improvement_interval(a, b, level)
    row |= {"difference_low": apart.low, "difference_high": apart.high, "interval": apart.method}
    row |= {"improvement_low": better.low, "improvement_high": better.high}
    row |= dict.fromkeys(("u", "p", "mann_whitney_p", "brunner_munzel_p", "welch_t", "welch_p", "detectable"), math.nan)
    tost_p = math.nan if margin is None else equivalence_p(a, b, margin)
    row |= {"margin": math.nan if margin is None else margin, "tost_p": tost_p, "uneven_skew": uneven_skew(a, b)}
    if min(len(a), len(b)) < LEAST_RUNS["difference"]:
        return row
    ranks, uneven = mann_whitney(a, b), brunner_munzel(a, b)
    row |= {"u": ranks.u, "p": max(ranks.p, uneven), "mann_whitney_p": ranks.p, "brunner_munzel_p": uneven}
    if np.ptp(a) > 0 or np.ptp(b) > 0:
        error, freedom = welch_error(a, b)
        ratio = row["difference"] / error
        row |= {"welch_t": ratio, "welch_p": 2 * t_above(abs(ratio), freedom)}
    if not apart.known:  # a side without spread: what its runs could show is as unknown as the interval
        return row
    spreads = float(a.std(ddof=1)), float(b.std(ddof=1))
    return row | {"detectable": detectable_difference(spreads, (len(a), len(b)))}


def corrected(table: pd.DataFrame, parametric: str = "welch_p") -> pd.DataFrame:
    """Add Holm's correction over the rows of a table of comparisons, and their findings.

    Args:
        table: rows of `compare_groups`, or of pairs, all tests of one family.
        parametric: column with the p values of the t test.

    Returns:
        The table with p_holm, the t test's p after the correction (welch_p_holm), and tost_p_holm; comparisons and
        tost_comparisons (number of rows with a p and with a tost_p, over which these are corrected); and finding
        (`verdicts.finding`).
    """
    added = {f"{name}_holm": holm(table[name].to_numpy(dtype=float)) for name in ("p", parametric, "tost_p")}
    made = {"comparisons": int(table["p"].notna().sum()), "tost_comparisons": int(table["tost_p"].notna().sum())}
    table = table.assign(**added, **made)
    return table.assign(finding=[finding(row) for row in table.to_dict("records")])


def holm(p: Floats) -> Floats:
    """Apply Holm's step-down correction to p values.

    Args:
        p: [tests], p values; NaN (no test was made) stays NaN and does not count as a test.

    Returns:
        [tests], corrected p values in [0, 1].

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p, dtype=float)
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def hedges_g(a: Floats, b: Floats) -> float:
    """Compute the standardised difference of means with Hedges's correction for small samples.

    Args:
        a: scores of the first strategy, [n1].
        b: scores of the second strategy, [n2].

    Returns:
        g, positive if the first mean is higher; NaN if the scores have no spread or there are fewer than three.

    Source: Hedges 1981, "Distribution theory for Glass's estimator of effect size", equation 6e: the exact factor by
    the gamma function.
    """
    free = len(a) + len(b) - 2
    if free < 1:
        return math.nan
    pooled = math.sqrt(
        ((len(a) - 1) * a.var(ddof=1) if len(a) > 1 else 0.0) + ((len(b) - 1) * b.var(ddof=1) if len(b) > 1 else 0.0)
    )
    pooled /= math.sqrt(free)
    if not pooled > 0:
        return math.nan
    log_factor = math.lgamma(free / 2) - math.lgamma((free - 1) / 2) if free > 1 else -math.inf
    factor = math.exp(log_factor) / math.sqrt(free / 2)
    return float((a.mean() - b.mean()) / pooled * factor)


def _effects(a: Floats, b: Floats) -> dict[str, Any]:
    if not len(a) or not len(b):
        return {
            "difference": math.nan,
            "improvement": math.nan,
            "cliffs_delta": math.nan,
            "hedges_g": math.nan,
            "magnitude": "",
        }
    better = float(_beats(a, b).mean())
    larger = max(better, 1 - better)
    magnitude = next((name for bound, name in _MAGNITUDES if larger < bound), "large")
    return {
        "difference": float(a.mean() - b.mean()),
        "improvement": better,
        "cliffs_delta": 2 * better - 1,
        "hedges_g": hedges_g(a, b),
        "magnitude": magnitude,
    }


def _beats(a: Floats, b: Floats) -> Floats:
    """Compare all pairs of runs, [runs of first, runs of second]: 1 if the first is better, 1/2 if equal, else 0."""
    matrix: Floats = (np.sign(a[:, None] - b[None, :]) + 1) / 2
    return matrix
