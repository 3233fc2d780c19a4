"""Speed-up over random search: how much less budget a strategy takes to reach what random search ends with."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import By
from nasbench.analysis.comparison.checks import BASELINE
from nasbench.analysis.comparison.reaching import budget_to_target, require_finished
from nasbench.analysis.inference.intervals import LEVEL, TOO_SMALL, median_rank
from nasbench.analysis.inference.survival import median_time
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.final_scores import final_scores
from nasbench.errors import InputError
from nasbench.scores import judged_by

Floats = NDArray[np.float64]


def speedups(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    by: By = "gpu_hours",
    measure: str = "val_acc",
    baseline: str = BASELINE,
    level: float = LEVEL,
    budget: float | None = None,
) -> pd.DataFrame:
    """Compute the ratio of the budgets that random search and each strategy take to reach its median final score.

    Formula: median budget of random search over that of the strategy, by Kaplan and Meier as in
    `targets.target_summary`: the budget by which half of the runs have reached the score. A run that does not reach it
    takes longer than any budget. The interval divides the ends of both medians' order-statistic intervals at
    1 - (1 - level) / 2 each, so that both hold together with at least the level (Bonferroni). The target is taken as
    given.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`), of one table.
        by: unit of the budget; see `anytime.trajectories`.
        measure: "val_acc" or "test_acc".
        baseline: the strategy to compare with.
        level: coverage in (0, 1).
        budget: the runs' budget in that unit; None if it is in another. See `reaching.budget_to_target`.

    Returns:
        strategy, n, reached (runs that reach the target), target, budget (median; inf if fewer than half reach it),
        speedup (NaN where a median is not reached), bound (text: the bound that is known then, "at most 0.9" or "at
        least 1.1", if the budget is given), low, high (0 and inf where the data give no end; NaN where n is too small),
        interval (text).

    Raises:
        InputError: for runs of several tables or unfinished ones, or without runs of the baseline that have a score.
    """
    require_finished(runs, "a speed-up")
    scores = final_scores(frame, runs, measure)
    if scores["table"].nunique() > 1:
        raise InputError("a speed-up is on one table; choose one with --where")
    known = scores.loc[scores["strategy"] == baseline, "score"].dropna()
    if known.empty:
        raise InputError(f"no run of {baseline!r} has a {measure}, so that there is no score to reach")
    target = judged_by().sign * float(known.median())
    reaches = budget_to_target(frame, runs, target, by, measure, budget)
    times, medians = {}, {}
    for name, mine in reaches.groupby("strategy"):
        spent, reached = mine["spent"].to_numpy(dtype=float), mine["reached"].to_numpy(dtype=bool)
        times[name] = np.sort(np.where(reached, spent, np.inf))
        middle = median_time(spent, reached).value
        medians[name] = math.inf if math.isnan(middle) else middle
    rows = []
    for name in style.in_order([name for name in times if name != baseline]):
        low, high, text = _interval(times[baseline], times[name], level)
        rows.append(
            {
                "strategy": name,
                "n": len(times[name]),
                "reached": int(np.isfinite(times[name]).sum()),
                "target": target,
                "budget": medians[name],
                "speedup": _speedup(medians[baseline], medians[name]),
                "bound": _bound(medians[baseline], medians[name], budget),
                "low": low,
                "high": high,
                "interval": text,
            }
        )
    columns = ["strategy", "n", "reached", "target", "budget", "speedup", "bound", "low", "high", "interval"]
    return pd.DataFrame(rows, columns=columns)


def _speedup(baseline: float, mine: float) -> float:
    return math.nan if math.isinf(baseline) or math.isinf(mine) else _ratio(baseline, mine)


def _bound(baseline: float, mine: float, budget: float | None) -> str:
    """Give the bound of the speed-up where one of the medians lies beyond the budget, rounded outwards."""
    if budget is None or math.isinf(baseline) == math.isinf(mine):
        return ""
    if math.isinf(mine):
        return f"at most {math.ceil(100 * baseline / budget) / 100:.2f}"
    return f"at least {math.floor(100 * budget / mine) / 100:.2f}"


def _ratio(above: float, below: float) -> float:
    if math.isinf(above) and math.isinf(below):
        return math.nan
    return above / below if below > 0 else math.inf


def _interval(baseline: Floats, mine: Floats, level: float) -> tuple[float, float, str]:
    each = 1 - (1 - level) / 2
    ends, coverage = [], 1.0
    for times in (baseline, mine):
        rank, covers = median_rank(len(times), each)
        if rank < 1 or covers < each:
            return math.nan, math.nan, f"{TOO_SMALL} (n={len(mine)} and {len(baseline)}; 7 are the least)"
        ends.append((float(times[rank - 1]), float(times[-rank])))
        coverage -= 1 - covers
    (base_low, base_high), (low, high) = ends
    lower = 0.0 if math.isinf(high) else _ratio(base_low, high)
    upper = math.inf if math.isinf(base_high) else _ratio(base_high, low)
    return lower, upper, f"n={len(mine)} and {len(baseline)}: at least {coverage:.0%} order statistics"
