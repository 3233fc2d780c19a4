"""Budget needed to reach a target, by Kaplan-Meier over runs; runs that never reach it are censored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import budget_label, spans_decades
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS
from nasbench.analysis.comparison.reaching import budget_to_target
from nasbench.analysis.inference.survival import censored, kaplan_meier, median_time, restricted_mean, share_limits
from nasbench.analysis.plotting import style
from nasbench.costs.units import DEVICE_HOURS
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["budget_to_target", "compare_reaches", "draw_targets", "survival", "target_summary"]

Floats = NDArray[np.float64]
MOST_MARKS = 20  # maximum of crosses per strategy; more would merge into a blot
MOST_BANDS = 3  # with more strategies the bands would hide each other; their limits are then in the data only


def survival(reaches: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Estimate the share of runs that have reached the target, by spending, after Kaplan and Meier.

    Args:
        reaches: result of `budget_to_target`, of one table.
        level: coverage in (0, 1) of the pointwise intervals; see `inference.survival.share_limits`.

    Returns:
        One row for each strategy and budget at which one of its runs reaches the target or is censored: strategy,
        spent, runs, reached (runs that have by then), share, low, high (fractions; NaN with fewer than 5 runs), unit.

    Source: Kaplan & Meier 1958, "Nonparametric estimation from incomplete observations".
    """
    parts = []
    for strategy in style.in_order(reaches["strategy"].unique().tolist()):
        spent, reached = _arrays(reaches, strategy)
        curve = kaplan_meier(spent, reached)
        low, high = share_limits(spent, reached, level)
        parts.append(
            pd.DataFrame(
                {
                    "strategy": strategy,
                    "spent": curve.times,
                    "runs": len(spent),
                    "reached": [int((reached & (spent <= time)).sum()) for time in curve.times],
                    "share": curve.share,
                    "low": low,
                    "high": high,
                    "unit": reaches["unit"].iloc[0] if "unit" in reaches else DEVICE_HOURS,
                }
            )
        )
    columns = ["strategy", "spent", "runs", "reached", "share", "low", "high", "unit"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def target_summary(reaches: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Median and restricted mean of the budget needed to reach the target, for each strategy.

    Args:
        reaches: result of `budget_to_target`, of one table.
        level: coverage in (0, 1) of the intervals.

    Returns:
        strategy, by, measure, target, n (runs), reached (runs that did); median (the budget by which half of the runs
        have, by Kaplan-Meier; NaN: not within the budget), median_low, median_high (Brookmeyer and Crowley's interval
        on the log-log scale; a bound that the data do not give is NaN for low and inf for high); horizon (the budget up
        to which every run was watched, the same for all); mean, mean_low, mean_high (restricted mean: the average
        spending of a run until it reaches the target or the horizon, with Greenwood's interval), mean_text (which
        interval, or why none); text. Intervals are NaN with fewer than 5 runs, that of the mean also with fewer than 2
        that reached the target.

    Raises:
        InputError: for reaches of several tables.

    Source: see `inference.survival`.
    """
    if reaches.empty:
        return pd.DataFrame(columns=["strategy", *_SUMMARY])
    _require_one_table(reaches)
    horizon = float(reaches["horizon"].iloc[0])
    rows = []
    for strategy in style.in_order(reaches["strategy"].unique().tolist()):
        spent, reached = _arrays(reaches, strategy)
        row: dict[str, Any] = {"strategy": strategy, **reaches.iloc[0][["by", "measure", "target"]].to_dict()}
        row |= {"n": len(spent), "reached": int(reached.sum()), "horizon": horizon}
        middle, mean = median_time(spent, reached, level), restricted_mean(spent, reached, horizon, level)
        row |= {"median": middle.value, "median_low": middle.low, "median_high": middle.high}
        row |= {"mean": mean.value, "mean_low": mean.low, "mean_high": mean.high, "mean_text": mean.text}
        rows.append({**row, "text": _text(row)})
    return pd.DataFrame(rows)[["strategy", *_SUMMARY]]


_SUMMARY = [
    *("by", "measure", "target", "n", "reached", "median", "median_low", "median_high"),
    *("horizon", "mean", "mean_low", "mean_high", "mean_text", "text"),
]


def _require_one_table(reaches: pd.DataFrame) -> None:
    tables = sorted(set(reaches["table"])) if "table" in reaches else []
    if len(tables) > 1:
        raise InputError(f"runs of several tables are never put together: {' / '.join(tables)}; take one at a time")


def compare_reaches(reaches: pd.DataFrame, baseline: str = "random") -> pd.DataFrame:
    """Test by log-rank tests whether each strategy reaches the target with another budget than a baseline.

    Args:
        reaches: result of `budget_to_target`, of one table.
        baseline: the strategy to compare with.

    Returns:
        strategy, n, n_baseline, statistic, p, p_holm; NaN with fewer than 5 runs on a side, or if no run of either
        reached it.

    Raises:
        InputError: when the baseline has no runs, or for reaches of several tables.

    Source: Mantel 1966, "Evaluation of survival data and two new rank order statistics arising in its consideration".
    """
    from scipy.stats import logrank

    from nasbench.analysis.statistics.significance import holm

    _require_one_table(reaches)
    names = style.in_order(reaches["strategy"].unique().tolist())
    if baseline not in names:
        raise InputError(f"no runs of {baseline!r} to compare with; strategies here: {', '.join(names)}")
    base = _arrays(reaches, baseline)
    rows = []
    for strategy in (name for name in names if name != baseline):
        mine = _arrays(reaches, strategy)
        row = {
            "strategy": strategy,
            "n": len(mine[0]),
            "n_baseline": len(base[0]),
            "statistic": math.nan,
            "p": math.nan,
        }
        if min(len(mine[0]), len(base[0])) >= ENOUGH_SEEDS and (mine[1].any() or base[1].any()):
            found = logrank(censored(*mine), censored(*base))
            row |= {"statistic": float(found.statistic), "p": float(found.pvalue)}
        rows.append(row)
    table = pd.DataFrame(rows, columns=["strategy", "n", "n_baseline", "statistic", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(dtype=float)))


def _arrays(reaches: pd.DataFrame, strategy: str) -> tuple[Floats, NDArray[np.bool_]]:
    mine = reaches[reaches["strategy"] == strategy]
    return mine["spent"].to_numpy(dtype=float), mine["reached"].to_numpy(dtype=bool)


def _text(row: dict[str, Any]) -> str:
    count = f"{row['reached']} of {row['n']} runs reached it"
    few = "; n too small for an interval" if row["n"] < ENOUGH_SEEDS else ""
    if math.isnan(row["median"]):
        return f"median not reached ({count}{few})"
    limits = ""
    if not few:
        high = style.short(row["median_high"]) if math.isfinite(row["median_high"]) else "beyond the budget"
        low = style.short(row["median_low"]) if not math.isnan(row["median_low"]) else "0"
        limits = f" [{low}, {high}]"
    return f"median {style.short(row['median'])}{limits} ({count}{few})"


def draw_targets(data: pd.DataFrame, ax: Axes, by: str = "gpu_hours", target: str = "the target") -> None:
    """Draw the share of runs that have reached the target, by spending; a + is a run that ended without reaching it.

    Args:
        data: result of `survival`.
        ax: one plot.
        by: unit of spending, a key of `anytime.BUDGET_LABELS`.
        target: the target, for the title.
    """
    if data.empty or not data["reached"].max() > 0:
        style.say(ax, "No run reached the target within its budget.")
        return
    last, ends = float(data["spent"].max()), []
    first = float(data.loc[data["share"] > 0, "spent"].min())
    log, many = spans_decades(first, last), data["strategy"].nunique() > MOST_BANDS
    for strategy in style.in_order(data["strategy"].unique().tolist()):
        rows, look = data[data["strategy"] == strategy], style.look(strategy)
        spent, share = rows["spent"].to_numpy(dtype=float), rows["share"].to_numpy(dtype=float)
        start = first / 2 if log else 0.0
        line = {"color": look.colour, "linestyle": style.line_style(strategy)}
        ax.plot([start, *spent, last], [0.0, *share, share[-1]], drawstyle="steps-post", linewidth=1.8, **line)
        sides = rows[["low", "high"]].ffill().fillna(0.0).to_numpy(dtype=float)
        if rows["low"].notna().any() and not many:
            ax.fill_between(spent, sides[:, 0], sides[:, 1], step="post", color=look.colour, alpha=0.1, linewidth=0)
        gone = np.diff(rows["reached"].to_numpy(), prepend=0) == 0
        marker, size = ("+", 7) if gone.sum() <= MOST_MARKS else ("|", 4)
        ax.plot(
            spent[gone],
            share[gone],
            linestyle="",
            marker=marker,
            color=look.colour,
            markersize=size,
            markeredgewidth=1.2,
        )
        runs = int(rows["runs"].iloc[0])
        few = ", insufficient" if runs < ENOUGH_SEEDS else ""
        ends.append((float(share[-1]), f"{strategy} ({int(rows['reached'].max())} of {runs}{few})", look.colour))
    ax.set_title(f"Runs that reached {target}", loc="left")
    top = float(data["share"].max())
    height = 1.0 if top > 0.6 else 1.25 * top
    unit = data["unit"].iloc[0] if "unit" in data else DEVICE_HOURS
    ax.set(xlabel=budget_label(by, unit), ylabel="share of runs (Kaplan-Meier)", ylim=(-0.02 * height, 1.02 * height))
    if log:
        style.logarithmic(ax, first / 2, last)
        ax.set_xlim(first / 2, last)
    else:
        ax.set_xlim(0, last)
    style.label_ends(ax, ends)
