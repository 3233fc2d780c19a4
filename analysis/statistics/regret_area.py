"""Mean regret of a search over its whole budget: the area under its regret curve, divided by the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import By, trajectories
from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS
from nasbench.analysis.plotting import style
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KNOWN = "the table's optimum"
FOUND = "the best that any run here found (the optimum is not known)"


def regret_areas(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    by: By = "gpu_hours",
    measure: str = "val_acc",
    optimum: float | None = None,
) -> pd.DataFrame:
    """Compute each run's mean regret, from the budget at which all runs have a score to the end of the longest run.

    The area is divided by the length of that interval, so its unit is an accuracy and not accuracy x hours. A run that
    ended earlier keeps its final value.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`) of one table.
        by: unit of the budget; see `anytime.trajectories`.
        measure: "val_acc" (best so far) or "test_acc" (of the incumbent, known only where it was retrained).
        optimum: the best of that measure in the whole table, in [0, 1]; None takes the best that any run here found.

    Returns:
        strategy, run, seed, by, measure, begin, end (of the stretch), optimum, optimum_is (text), area (mean regret, a
        fraction; NaN for a run without a score from `begin` on).

    Raises:
        InputError: for an optimum that some run surpasses, or another measure.
    """
    if measure not in ("val_acc", "test_acc"):
        raise InputError(f"a regret is of val_acc or test_acc, not of {measure!r}")
    table = trajectories(frame, runs, by)
    known = table[table[measure].notna()]
    best = float(known[measure].max()) if len(known) else float("nan")
    if optimum is not None and best > optimum + 1e-9:
        raise InputError(f"the optimum given is {optimum:g}, but a run found {best:g}; give that of {measure}")
    top = best if optimum is None else optimum
    begin = float(known.groupby("run")["spent"].min().max()) if len(known) else float("nan")
    end = float(table["spent"].max()) if len(table) else float("nan")
    courses = dict(iter(table.groupby("run", sort=False)))
    areas = [_mean_regret(courses.get(run), measure, top, begin, end) for run in runs["run"]]
    return (
        runs[["strategy", "run", "seed"]]
        .reset_index(drop=True)
        .assign(
            by=by,
            measure=measure,
            begin=begin,
            end=end,
            optimum=top,
            optimum_is=FOUND if optimum is None else KNOWN,
            area=areas,
        )
    )


def _mean_regret(course: pd.DataFrame | None, measure: str, top: float, begin: float, end: float) -> float:
    if course is None:
        return float("nan")
    spent, score = course["spent"].to_numpy(dtype=float), course[measure].to_numpy(dtype=float)
    place = int(np.searchsorted(spent, begin, side="right")) - 1
    if place < 0:
        return float("nan")
    regret = top - score[place:]
    if not end > begin:
        return float(regret[-1])
    steps = np.diff(np.append(np.maximum(spent[place:], begin), end))
    return float((regret * steps).sum() / (end - begin))


def area_summary(areas: pd.DataFrame, seed: int = 0, level: float = 0.95, resamples: int = 2000) -> pd.DataFrame:
    """Average the areas of each strategy's runs, with a bootstrap interval.

    Args:
        areas: result of `regret_areas`.
        seed: seed of the bootstrap over runs.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 1.

    Returns:
        strategy, runs, n (with an area), mean, low, high (fractions; NaN with fewer than 5), interval (text), optimum,
        optimum_is.
    """
    rows = []
    for strategy in style.in_order(areas["strategy"].tolist()):
        mine = areas[areas["strategy"] == strategy]
        values = mine["area"].dropna().to_numpy(dtype=float)
        low = high = float("nan")
        if len(values) >= ENOUGH_SEEDS:
            picks = generator(seed, strategy, "area").integers(len(values), size=(resamples, len(values)))
            low, high = np.quantile(values[picks].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
        enough = f"{level:.0%} bootstrap, seed {seed}" if len(values) >= ENOUGH_SEEDS else "insufficient"
        row = {
            "strategy": strategy,
            "runs": len(mine),
            "n": len(values),
            "mean": values.mean() if len(values) else np.nan,
        }
        row |= {"low": float(low), "high": float(high), "interval": f"n={len(values)}: {enough}"}
        rows.append(row | mine.iloc[0][["optimum", "optimum_is"]].to_dict())
    return pd.DataFrame(rows)


def draw_regret_areas(areas: pd.DataFrame, ax: Axes) -> None:
    """Draw every run's mean regret as a point and the strategy's mean as a line, one row per strategy.

    Args:
        areas: result of `regret_areas`.
        ax: one plot.
    """
    if not areas["area"].notna().any():
        style.say(ax, "No run has a score to take a regret of.")
        return
    strategies = style.in_order(areas["strategy"].tolist())[::-1]
    for place, strategy in enumerate(strategies):
        values = 100 * areas.loc[areas["strategy"] == strategy, "area"].dropna().to_numpy(dtype=float)
        look = style.look(strategy)
        spread = 0.22 * np.sin(2.4 * np.arange(len(values)))  # points are moved apart, in the same way at every drawing
        ax.scatter(values, place + spread, s=16, color=look.colour, marker=look.marker, alpha=0.55, linewidths=0)
        if len(values):
            ax.plot([values.mean()] * 2, [place - 0.36, place + 0.36], color=look.colour, linewidth=2.4)
    counts = areas.groupby("strategy")["area"].count()
    ax.set_yticks(range(len(strategies)), [f"{name}\n(n={counts[name]})" for name in strategies])
    for tick, strategy in zip(ax.get_yticklabels(), strategies):
        tick.set_color(style.look(strategy).colour)
    ax.set(xlabel="mean regret over the budget (percentage points)", ylim=(-0.6, len(strategies) - 0.4))
    ax.set_xlim(left=0)
    ax.grid(visible=False, axis="y")
