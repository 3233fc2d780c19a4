"""Mean regret of a search over its whole budget: the area under its regret curve, divided by the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import By, trajectories
from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import no_choice
from nasbench.analysis.comparison.reaching import (
    TableBudgets,
    budgets_of,
    require_finished,
    require_measure,
    require_tested,
    table_of_runs,
    watched_until,
)
from nasbench.analysis.inference.intervals import mean_interval
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.final_scores import Floats, require_regret
from nasbench.errors import InputError
from nasbench.scores import judged_by

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KNOWN = "the table's optimum"
FOUND = "the best that any run here found (the optimum is not known)"


def regret_areas(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    by: By = "gpu_hours",
    measure: str = "val_acc",
    optimum: Mapping[str, float] | None = None,
    budget: TableBudgets = None,
) -> pd.DataFrame:
    """Compute each run's mean regret over its whole budget.

    Formula: (1 / B) times the integral of (optimum - accuracy of the choice) from 0 to B. The area is divided by the
    budget B, so its unit is an accuracy and not accuracy x hours. Before its first score a run has chosen nothing, and
    nothing has accuracy 0: its regret is then the whole optimum (`waiting` is that part). So a run without a score has
    the largest area, and time for shared weights before the first score is charged. A run that ended earlier keeps its
    final value. Of another score than accuracy, nothing has the worst score of all children (`checks.no_choice`).

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`), complete; those of several tables are never compared.
        by: unit of the budget; see `anytime.trajectories`.
        measure: "val_acc" (best so far) or "test_acc" (of the incumbent; every incumbent needs a test score).
        optimum: table (see `reaching.table_of_runs`) -> the best of that measure in it, oriented; for other tables the
            best that any run here found.
        budget: the runs' budget in that unit, or one for each table; None if their budget is in another unit: what the run of the table that
            spent least had spent in all.

    Returns:
        strategy, table, run, seed, by, measure, budget, optimum, optimum_is (text), waiting and area (fractions;
        waiting is the part of area from before the first score), scored (whether the run has a score).

    Raises:
        InputError: for another measure, an unfinished run, a run that surpasses the optimum, an incumbent without a
            test score, or unknown spending.

    Source: score 0 before the first result: the area under the learning curve of the AutoDL challenge (Liu et al. 2021,
    2201.03801).
    """
    require_measure(measure)
    require_finished(runs, "a mean regret over the budget")
    tables = table_of_runs(frame, runs, measure)
    course = trajectories(frame, runs, by)
    if course["spent"].isna().any():
        raise InputError(f"some of these runs have no {by.replace('_', '-')}: what they spent is not known")
    if measure == "test_acc":
        require_tested(course, runs)
    ends = watched_until(course, runs, by, tables.map(budgets_of(tables, budget))).groupby(tables).min()
    known = course[course[measure].notna()]
    found = known.groupby(known["run"].map(tables))[measure].max()
    courses = dict(iter(known.groupby("run", sort=False)))
    nothing = no_choice(frame, measure)
    rows = []
    for _, run in runs[["strategy", "run", "seed"]].assign(table=tables.to_numpy()).iterrows():
        mine, table = courses.get(run["run"]), run["table"]
        given = optimum is not None and table in optimum
        top = float(optimum[table]) if optimum is not None and given else float(found.get(table, np.nan))
        spent, scores = (
            (np.zeros(0), np.zeros(0))
            if mine is None
            else (mine["spent"].to_numpy(dtype=float), mine[measure].to_numpy(dtype=float))
        )
        require_regret(run, top, float(scores.max(initial=nothing)))
        waiting, area = _mean_regret(spent, scores, top, float(ends[table]), nothing)
        rows.append(
            {
                **run[["strategy", "table", "run", "seed"]].to_dict(),
                "by": by,
                "measure": judged_by().name(measure),
                "budget": float(ends[table]),
                "optimum": judged_by().sign * top,
                "optimum_is": KNOWN if given else FOUND,
                "waiting": waiting,
                "area": area,
                "scored": bool(len(scores)),
            }
        )
    return pd.DataFrame(rows, columns=_AREAS)


_AREAS = [
    *("strategy", "table", "run", "seed", "by", "measure", "budget", "optimum", "optimum_is"),
    *("waiting", "area", "scored"),
]


def _mean_regret(spent: Floats, scores: Floats, top: float, budget: float, nothing: float = 0.0) -> tuple[float, float]:
    """Mean regret from before the first score, and over the whole budget, of a step function from `spent` on."""
    if not budget > 0:
        return top - nothing, top - nothing
    here = spent <= budget * (1 + 1e-12)  # without a budget, a longer run is cut where the shortest ends
    times, regrets = np.minimum(spent[here], budget), top - scores[here]
    steps = np.diff(np.concatenate([[0.0], times, [budget]])) / budget
    waiting = (top - nothing) * float(steps[0])
    return waiting, waiting + float((regrets * steps[1:]).sum())


def area_summary(areas: pd.DataFrame, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    """Average the areas of each strategy's runs on each table, with an interval.

    Args:
        areas: result of `regret_areas`.
        seed: seed of the bootstrap over runs.
        level: coverage in (0, 1).

    Returns:
        table, strategy, runs, scored (runs with a score; the others count with the whole optimum), mean, low, high
        (fractions; see `intervals.mean_interval`), waiting (mean), interval (text), optimum, optimum_is.
    """
    rows = []
    for table, on_table in areas.groupby("table", sort=True):
        for strategy in style.in_order(on_table["strategy"].unique().tolist()):
            mine = on_table[on_table["strategy"] == strategy]
            values = mine["area"].to_numpy(dtype=float)
            around = mean_interval(values, generator(seed, strategy, "area"), level)
            row = {"table": table, "strategy": strategy, "runs": len(mine), "scored": int(mine["scored"].sum())}
            low = max(0.0, around.low) if around.known else around.low  # no regret is negative
            row |= {"mean": float(values.mean()), "low": low, "high": around.high}
            row |= {"waiting": float(mine["waiting"].mean()), "interval": f"n={len(values)}: {around.method}"}
            rows.append(row | mine.iloc[0][["optimum", "optimum_is"]].to_dict())
    columns = ["table", "strategy", "runs", "scored", "mean", "low", "high", "waiting", "interval"]
    return pd.DataFrame(rows, columns=[*columns, "optimum", "optimum_is"])


def draw_regret_areas(areas: pd.DataFrame, ax: Axes) -> None:
    """Draw every run's mean regret as a point and the strategy's mean as a line, one row per strategy.

    Args:
        areas: result of `regret_areas`.
        ax: one plot.
    """
    if not areas["scored"].any():
        style.say(ax, "No run has a score to take a regret of.")
        return
    strategies = style.in_order(areas["strategy"].unique().tolist())[::-1]
    for place, strategy in enumerate(strategies):
        values = judged_by().factor * areas.loc[areas["strategy"] == strategy, "area"].dropna().to_numpy(dtype=float)
        look = style.look(strategy)
        spread = 0.22 * np.sin(2.4 * np.arange(len(values)))  # points are moved apart, in the same way at every drawing
        ax.scatter(values, place + spread, s=16, color=look.colour, marker=look.marker, alpha=0.55, linewidths=0)
        if len(values):
            ax.plot([values.mean()] * 2, [place - 0.36, place + 0.36], color=look.colour, linewidth=2.4)
    counts = areas.groupby("strategy")["area"].count()
    ax.set_yticks(range(len(strategies)), [f"{name}\n(n={counts[name]})" for name in strategies])
    for tick, strategy in zip(ax.get_yticklabels(), strategies):
        tick.set_color(style.look(strategy).colour)
    ax.set(xlabel=f"mean regret over the budget ({judged_by().points})", ylim=(-0.6, len(strategies) - 0.4))
    ax.set_xlim(left=0)
    ax.grid(visible=False, axis="y")
