"""Budget needed to reach a target, by Kaplan-Meier over runs; runs that never reach it are censored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import (
    By,
    budget_label,
    hours_unit,
    run_hours,
    run_rates,
    spans_decades,
    trajectories,
)
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.plotting import style
from nasbench.costs.units import DEVICE_HOURS
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
MOST_MARKS = 20  # maximum of crosses per strategy; more would merge into a blot
MOST_BANDS = 3  # with more strategies the bands would hide each other; their limits are then in the data only


def budget_to_target(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    target: float,
    by: By = "gpu_hours",
    measure: str = "val_acc",
) -> pd.DataFrame:
    """Spending of each run until it first reached the target or, if it never did, until it ended.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`); a run without a score is censored, too.
        target: accuracy in [0, 1] to reach.
        by: unit of spending; see `anytime.trajectories`.
        measure: "val_acc" (best so far) or "test_acc" (of the incumbent).

    Returns:
        strategy, run, seed, by, unit (name of that of device time), measure, target, spent (> 0), reached (False: censored at what the whole search had
        spent).

    Raises:
        InputError: for a target outside [0, 1], another measure, or unknown spending.
    """
    if not 0 <= target <= 1:
        raise InputError(f"the accuracy to reach is a fraction in [0, 1], got {target:g}")
    if measure not in ("val_acc", "test_acc"):
        raise InputError(f"a target is of val_acc or test_acc, not of {measure!r}")
    table = trajectories(frame, runs, by)
    if table["spent"].isna().any():
        raise InputError(f"some of these runs have no {by.replace('_', '-')}: what they spent is not known")
    first = table[table[measure] >= target].groupby("run")["spent"].min().reindex(runs["run"])
    reached = first.notna().to_numpy()
    ends = _ends(table, runs, by)
    spent = np.where(reached, first.to_numpy(dtype=float), ends)
    table = runs[["strategy", "run", "seed"]].reset_index(drop=True)
    unit = hours_unit(frame)
    return table.assign(by=by, unit=unit, measure=measure, target=target, spent=spent, reached=reached)


def _ends(table: pd.DataFrame, runs: pd.DataFrame, by: By) -> Floats:
    """Total spending of each search, including that after its last child."""
    last = table.groupby("run")["spent"].max().reindex(runs["run"]).fillna(0.0).to_numpy(dtype=float)
    if by in ("children", "wall"):
        return np.asarray(last, dtype=float)
    require_columns(runs, ("final_hours",), "the runs")
    hours = (run_hours(runs) - runs.set_index("run")["final_hours"]).to_numpy(dtype=float)
    charged = hours if by == "gpu_hours" else hours * run_rates(runs).to_numpy(dtype=float)
    return np.asarray(np.fmax(last, charged), dtype=float)


def survival(reaches: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Share of runs that have reached the target by spending: Kaplan and Meier's estimate.

    Args:
        reaches: result of `budget_to_target`, of one target.
        level: coverage in (0, 1) of the pointwise log-log intervals.

    Returns:
        One row for each strategy and budget at which one of its runs reaches the target or is censored: strategy,
        spent, runs, reached (runs that have by then), share, low, high (fractions; NaN with fewer than 5 runs), unit.
    """
    parts = []
    for strategy in style.in_order(reaches["strategy"].tolist()):
        spent, reached = _arrays(reaches, strategy)
        curve = _curve(spent, reached)
        low, high = (curve.share * math.nan,) * 2 if len(spent) < ENOUGH_SEEDS else _log_log(spent, reached, level)
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
        reaches: result of `budget_to_target`, of one target.
        level: coverage in (0, 1) of the intervals.

    Returns:
        strategy, by, measure, target, n (runs), reached (runs that did); median (the budget by which half of the runs
        have, by Kaplan-Meier; NaN: not within the budget), median_low, median_high (Brookmeyer and Crowley's interval
        on the log-log scale; a bound that the data do not give is NaN for low and inf for high); horizon (the budget up
        to which every strategy was watched); mean, mean_low, mean_high (restricted mean: the average spending of a run
        until it reaches the target or the horizon, with the interval by Greenwood's variance); text. With fewer than 5
        runs intervals are NaN and the text says insufficient.

    Source: Kaplan & Meier 1958; Brookmeyer & Crowley 1982; Klein & Moeschberger 2003, section 4.5, for the restricted
    mean.
    """
    if reaches.empty:
        return pd.DataFrame(columns=["strategy", *_SUMMARY])
    horizon = float(reaches.groupby("strategy")["spent"].max().min())
    rows = []
    for strategy in style.in_order(reaches["strategy"].tolist()):
        spent, reached = _arrays(reaches, strategy)
        row: dict[str, Any] = {"strategy": strategy, **reaches.iloc[0][["by", "measure", "target"]].to_dict()}
        row |= {"n": len(spent), "reached": int(reached.sum()), "horizon": horizon}
        row |= _median(spent, reached, level) | _restricted_mean(spent, reached, horizon, level)
        rows.append({**row, "text": _text(row)})
    return pd.DataFrame(rows)[["strategy", *_SUMMARY]]


_SUMMARY = [
    *("by", "measure", "target", "n", "reached", "median", "median_low", "median_high"),
    *("horizon", "mean", "mean_low", "mean_high", "text"),
]


def compare_reaches(reaches: pd.DataFrame, baseline: str = "random") -> pd.DataFrame:
    """Log-rank tests of each strategy against a baseline: does it reach the target with another budget?

    Args:
        reaches: result of `budget_to_target`, of one target.
        baseline: the strategy to compare with.

    Returns:
        strategy, n, n_baseline, statistic, p, p_holm; NaN with fewer than 5 runs on a side, or if no run of either
        reached it.

    Raises:
        InputError: when the baseline has no runs.
    """
    from scipy.stats import logrank

    from nasbench.analysis.statistics.significance import holm

    names = style.in_order(reaches["strategy"].tolist())
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
            found = logrank(_censored(*mine), _censored(*base))
            row |= {"statistic": float(found.statistic), "p": float(found.pvalue)}
        rows.append(row)
    table = pd.DataFrame(rows, columns=["strategy", "n", "n_baseline", "statistic", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(dtype=float)))


class _Curve:
    """Kaplan and Meier's estimate: the share that has reached the target at each time, and counts for its variance."""

    def __init__(self, times: Floats, share: Floats, at_risk: Floats, events: Floats) -> None:
        self.times, self.share, self.at_risk, self.events = times, share, at_risk, events


def _arrays(reaches: pd.DataFrame, strategy: str) -> tuple[Floats, NDArray[np.bool_]]:
    mine = reaches[reaches["strategy"] == strategy]
    return mine["spent"].to_numpy(dtype=float), mine["reached"].to_numpy(dtype=bool)


def _censored(spent: Floats, reached: NDArray[np.bool_]) -> Any:
    from scipy.stats import CensoredData

    return CensoredData.right_censored(spent, ~reached)


def _curve(spent: Floats, reached: NDArray[np.bool_]) -> _Curve:
    from scipy.stats import ecdf

    times = np.unique(spent)
    share = np.asarray(ecdf(_censored(spent, reached)).cdf.evaluate(times), dtype=float)
    at_risk = np.array([(spent >= time).sum() for time in times], dtype=float)
    events = np.array([(reached & (spent == time)).sum() for time in times], dtype=float)
    return _Curve(times, share, at_risk, events)


def _log_log(spent: Floats, reached: NDArray[np.bool_], level: float) -> tuple[Floats, Floats]:
    """Pointwise log-log limits of the share at each time; NaN where they do not exist because the share is 0 or 1."""
    import warnings

    from scipy.stats import ecdf

    times = np.unique(spent)
    if not reached.any():
        return np.full(len(times), np.nan), np.full(len(times), np.nan)
    with warnings.catch_warnings():  # scipy warns about limits that do not exist; they stay NaN here
        warnings.simplefilter("ignore", RuntimeWarning)
        limits = ecdf(_censored(spent, reached)).cdf.confidence_interval(level, method="log-log")
    low, high = (np.asarray(side.evaluate(times), dtype=float) for side in (limits.low, limits.high))
    return low, high


def _median(spent: Floats, reached: NDArray[np.bool_], level: float) -> dict[str, float]:
    """First time at which half have reached the target; its limits are where those of the share cross a half."""
    curve = _curve(spent, reached)
    found = {"median": _first(curve.times, curve.share >= 0.5 - 1e-12, math.nan)}
    if len(spent) < ENOUGH_SEEDS:
        return found | {"median_low": math.nan, "median_high": math.nan}
    low, high = _log_log(spent, reached, level)
    whole = curve.share >= 1  # beyond the last run there is no upper limit: it is above a half
    return found | {
        "median_low": _first(curve.times, (high >= 0.5) | whole, math.nan),
        "median_high": _first(curve.times, (low >= 0.5) | whole, math.inf),
    }


def _first(times: Floats, where: NDArray[np.bool_], otherwise: float) -> float:
    return float(times[where][0]) if where.any() else otherwise


def _restricted_mean(spent: Floats, reached: NDArray[np.bool_], horizon: float, level: float) -> dict[str, float]:
    """Area under the share of runs still searching, up to the horizon, and its interval."""
    from scipy.stats import norm

    curve = _curve(np.minimum(spent, horizon), reached & (spent <= horizon))
    searching = np.concatenate([[1.0], 1 - curve.share])
    steps = searching[: len(curve.times)] * np.diff(curve.times, prepend=0.0)
    area = float(steps.sum())
    if len(spent) < ENOUGH_SEEDS:
        return {"mean": area, "mean_low": math.nan, "mean_high": math.nan}
    rest = area - np.cumsum(steps)  # area beyond each time
    remain = curve.at_risk * (curve.at_risk - curve.events)
    terms = np.where(remain > 0, rest**2 * curve.events / np.where(remain > 0, remain, 1), 0.0)
    reach = float(norm.ppf((1 + level) / 2)) * math.sqrt(float(terms.sum()))
    return {"mean": area, "mean_low": max(0.0, area - reach), "mean_high": min(horizon, area + reach)}


def _text(row: dict[str, Any]) -> str:
    count = f"{row['reached']} of {row['n']} runs reached it"
    few = "; insufficient for an interval" if row["n"] < ENOUGH_SEEDS else ""
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
    for strategy in style.in_order(data["strategy"].tolist()):
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
