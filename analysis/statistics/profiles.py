"""Performance profiles: the share of a strategy's runs whose regret is within a threshold, for all thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.inference.intervals import proportion_interval
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.final_scores import score_intervals
from nasbench.scores import judged_by

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

THRESHOLDS = 200


def performance_profile(scores: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Share of runs whose regret is at most a threshold; each table has the same weight.

    Args:
        scores: result of `final_scores.below_best`: score is minus the regret. A run without a score is above every
            threshold.
        level: coverage of the pointwise intervals in (0, 1).

    Returns:
        strategy, regret (threshold, a fraction >= 0, up to the largest regret of all runs), runs, tables, share (in [0,
        1]), low, high (Wilson's interval, which has a width also at shares of 0 and 1; NaN with fewer than 5 runs on a
        table).

    Source: Agarwal et al. 2021 (2108.13264), section 4.2: run-score distributions; Wilson 1927, over several tables
    with the number of runs that has the variance of the weighted share.
    """
    require_columns(scores, ("strategy", "table", "score", "scored"), "the scores")
    scores = scores.assign(regret=(-scores["score"]).where(scores["scored"].astype(bool), np.inf))
    regrets = scores["regret"].to_numpy(dtype=float)
    known = regrets[np.isfinite(regrets)]
    if not len(known):
        return pd.DataFrame(columns=["strategy", "regret", "runs", "tables", "share", "low", "high"])
    grid = np.unique(np.concatenate([[0.0], known]))
    if len(grid) > THRESHOLDS:
        grid = np.linspace(0.0, known.max(), THRESHOLDS)
    parts = []
    for strategy in style.in_order(scores["strategy"].unique().tolist()):
        mine = scores[scores["strategy"] == strategy]
        tables = [group["regret"].to_numpy(dtype=float) for _, group in mine.groupby("table", sort=True)]
        shares = np.array([(regret[:, None] <= grid + 1e-12).mean(axis=0) for regret in tables])  # [tables, thresholds]
        counts = np.array([len(regret) for regret in tables])
        low = high = np.full(len(grid), np.nan)
        if counts.min() >= ENOUGH_SEEDS:
            low, high = _limits(shares, counts, level)
        part = {"strategy": strategy, "regret": grid, "runs": len(mine), "tables": len(tables)}
        parts.append(pd.DataFrame({**part, "share": shares.mean(axis=0), "low": low, "high": high}))
    return pd.concat(parts, ignore_index=True)


def regret_summary(scores: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Compute mean, median and interquartile mean of the regrets at the end, with intervals that end at 0 at the least.

    Args:
        scores: result of `final_scores.below_best`: score is minus the regret.
        seed: seed of the bootstrap over runs.

    Returns:
        As `final_scores.score_intervals`, of regrets (fractions >= 0).
    """
    found = score_intervals(scores.assign(score=-scores["score"]), seed)
    # no regret is negative, which a studentized interval does not know; adding 0 turns -0.0 into 0.0
    ends = found[["value", "low", "high"]].clip(lower=0.0) + 0.0
    return found.assign(**{name: ends[name] for name in ends})


def _limits(shares: np.ndarray, counts: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's limits of the mean of shares [tables, thresholds], of `counts` runs each."""
    share = shares.mean(axis=0)
    variance = (shares * (1 - shares) / counts[:, None]).sum(axis=0) / len(counts) ** 2
    spread = share * (1 - share)
    n = np.where(variance > 0, spread / np.where(variance > 0, variance, 1.0), counts.sum())
    found = [proportion_interval(each, effective, level) for each, effective in zip(share.tolist(), n.tolist())]
    return np.array([interval.low for interval in found]), np.array([interval.high for interval in found])


def draw_performance_profile(data: pd.DataFrame, ax: Axes) -> None:
    """Draw the share of runs within each regret, with bands if there are at most three strategies.

    Args:
        data: result of `performance_profile`.
        ax: one plot.
    """
    if data.empty:
        style.say(ax, "No run ended with a score.")
        return
    few, factor = data["strategy"].nunique() <= 3, judged_by().factor
    ends: list[tuple[float, int, Line2D]] = []
    for strategy in style.in_order(data["strategy"].unique().tolist()):
        rows, look = data[data["strategy"] == strategy], style.look(strategy)
        regret, share, low, high = (rows[name].to_numpy(dtype=float) for name in ("regret", "share", "low", "high"))
        if few and np.isfinite(low).any():
            ax.fill_between(factor * regret, low, high, step="post", color=look.colour, alpha=0.12, linewidth=0)
        (line,) = ax.plot(factor * regret, share, drawstyle="steps-post", linewidth=1.8, color=look.colour)
        line.set_linestyle(style.line_style(strategy))
        unsure = "" if np.isfinite(low).any() else ", n too small"
        line.set_label(f"{strategy} (n={int(rows['runs'].iloc[0])}{unsure})")
        half = float(regret[share >= 0.5][0]) if share[-1] >= 0.5 else np.inf
        ends.append((half, len(ends), line))
    # A legend, best median first: all lines end at 1, so labels at their ends could not distinguish them.
    ax.legend(
        handles=[line for _, _, line in sorted(ends, key=lambda end: end[:2])], loc="lower right", fontsize="small"
    )
    ax.set(
        xlabel=f"regret at the end ({judged_by().points} {'below' if judged_by().sign > 0 else 'above'} the best)",
        ylabel="share of runs within it",
        ylim=(-0.02, 1.02),
    )
    ax.set_xlim(0, factor * float(data["regret"].max()) or 1.0)
