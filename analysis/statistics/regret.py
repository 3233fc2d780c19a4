"""Regret of searches of a complete table: how far their choice is from the table's best, by budget.

The table's optimum is known. The regret is the difference between the best test score of the table and the test score of
the search's choice, which is the first of its children with the best validation score so far. Scores are accuracies, or
what the table is judged by; without test scores, they are those on validation data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.scores import ACCURACY, TEST_ACC, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID_POINTS = 120
QUARTILES = (0.25, 0.75)


def regret(courses: pd.DataFrame, optimum: float, budget: float) -> pd.DataFrame:
    """Compute the regret over seeds at each budget.

    Args:
        courses: one row per change of a search's choice: strategy, seed, spent, test_acc.
        optimum: the best score of the table, oriented as those of the courses.
        budget: budget at which all searches end, in the unit of `spent`; > 0.

    Returns:
        strategy, budget (evenly spaced on a logarithmic scale, from where each search of every strategy has a choice),
        runs, mean, low,
        high: the mean regret and its quartiles over seeds, as fractions, or in the unit of the score.

    Raises:
        InputError: when a column is missing.
    """
    require_columns(courses, ("strategy", "seed", "spent", "test_acc"), "the courses")
    if courses.empty:
        return pd.DataFrame(columns=["strategy", "budget", "runs", "mean", "low", "high"])
    begun = float(courses.groupby(["strategy", "seed"])["spent"].min().max())
    grid = np.geomspace(begun, max(budget, begun), GRID_POINTS)
    grid[0] = begun  # rounding must not make the grid start before the last search's first child
    parts = []
    for strategy in style.in_order(courses["strategy"].unique().tolist()):
        rows = courses[courses["strategy"] == strategy]
        values = optimum - _at(rows, grid)
        low, high = np.quantile(values, QUARTILES, axis=0)
        parts.append(
            pd.DataFrame(
                {
                    "strategy": strategy,
                    "budget": grid,
                    "runs": len(values),
                    "mean": values.mean(axis=0),
                    "low": low,
                    "high": high,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _at(rows: pd.DataFrame, grid: np.ndarray) -> np.ndarray:
    """Test accuracy of the choices, [searches, budgets]."""
    rows = rows.sort_values(["seed", "spent"], kind="stable")
    spent, tests = rows["spent"].to_numpy(dtype=float), rows["test_acc"].to_numpy(dtype=float)
    seeds = rows["seed"].to_numpy()
    starts = np.flatnonzero(np.append(True, seeds[1:] != seeds[:-1]))
    ends = np.append(starts[1:], len(rows))
    return np.stack([tests[a:b][np.searchsorted(spent[a:b], grid, side="right") - 1] for a, b in zip(starts, ends)])


def draw_regret(
    data: pd.DataFrame,
    ax: Axes,
    unit: str,
    score: Score = ACCURACY,
    measure: str = "test_acc",
    named: bool = True,
) -> None:
    """Draw the mean regret of each strategy with its quartiles.

    Args:
        data: result of `regret`.
        ax: one plot.
        unit: unit of the budget, for the axis.
        score: the score whose regret it is.
        measure: "test_acc" or "val_acc": the part of the data.
        named: whether to write the strategies' names at the ends of the lines.
    """
    if data.empty:
        style.say(ax, f"No search has a choice with a {score.words(measure)}.")
        return
    ends, factor = [], score.factor
    for strategy in style.in_order(data["strategy"].unique().tolist()):
        rows, look = data[data["strategy"] == strategy], style.look(strategy)
        budget, mean = rows["budget"].to_numpy(dtype=float), factor * rows["mean"].to_numpy(dtype=float)
        low, high = (factor * rows[name].to_numpy(dtype=float) for name in ("low", "high"))
        ax.fill_between(budget, low, high, step="post", color=look.colour, alpha=0.12, linewidth=0)
        ax.plot(
            budget, mean, drawstyle="steps-post", color=look.colour, linestyle=style.line_style(strategy), linewidth=1.8
        )
        ends.append((float(mean[-1]), f"{strategy} (n={int(rows['runs'].iloc[0])})", look.colour))
    ax.set(xlabel=f"budget spent ({unit})", ylabel=_label(score, measure))
    style.logarithmic(ax, float(data["budget"].min()), float(data["budget"].max()))
    ax.set_xlim(data["budget"].min(), data["budget"].max())
    _regret_axis(ax, factor * data[["mean", "low", "high"]].to_numpy(dtype=float))
    if named:
        style.label_ends(ax, ends)


def _label(score: Score, measure: str) -> str:
    """Label of the regret axis: the score that it is of, and its unit."""
    if score.is_accuracy:
        return f"{'test' if measure == TEST_ACC else 'validation'} regret (percentage points)"
    return f"regret of {score.name(measure)}" + (f" ({score.unit})" if score.unit else "")


def _regret_axis(ax: Axes, values: np.ndarray) -> None:
    """Set the regret axis: logarithmic between smallest and largest value, or linear if a mean regret is 0."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    means = values[:, 0]
    if not (means > 0).all():
        ax.set_ylim(bottom=0)
        return
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short(value)))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(0.6 * means.min(), 1.3 * values.max())


def plot_regret(
    data: pd.DataFrame,
    unit: str,
    notes: Sequence[str] = (),
    about: str = "",
    score: Score = ACCURACY,
    measure: str = "test_acc",
    best: str = "the table's best",
) -> Figure:
    """Make a figure of `draw_regret` with its caption.

    Args:
        data: result of `regret`.
        unit: unit of the budget, for the axis.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.
        score: see `draw_regret`.
        measure: see `draw_regret`.
        best: what the distance is from, for the title.

    Returns:
        The figure.
    """
    with style.theme():
        figure = style.new_figure(7.0, 4.4)
        ax = figure.subplots()
        ax.set_title(f"Distance of the searches' choice from {best}", loc="left")
        caption(
            figure, about, "Lines: mean over seeds; bands: from the lower to the upper quartile of the seeds.", notes
        )
        draw_regret(data, ax, unit, score, measure)
    return figure


def choices_beside_published(choices: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Put the choices of replayed searches beside published results, one row per strategy.

    Args:
        choices: one row per search: strategy, children, val_acc, test_acc.
        published: one row per strategy at most: strategy, test_acc, test_sd, paper.

    Returns:
        strategy, seeds, n (searches with a choice), children (mean), val_acc (mean), test_acc, test_sd (mean and
        standard deviation of the choices), published_acc, published_sd, difference (of the means), paper; NaN and '' if
        nothing was published.

    Raises:
        InputError: when a column is missing.
    """
    require_columns(choices, ("strategy", "children", "val_acc", "test_acc"), "the choices")
    require_columns(published, ("strategy", "test_acc", "test_sd", "paper"), "the published rows")
    groups = choices.groupby("strategy", sort=False)
    table = groups.agg(
        seeds=("children", "size"),
        n=("val_acc", "count"),
        children=("children", "mean"),
        val_acc=("val_acc", "mean"),
        test_acc=("test_acc", "mean"),
        test_sd=("test_acc", "std"),
    )
    beside = published.set_index("strategy")
    table["published_acc"] = beside["test_acc"].reindex(table.index)
    table["published_sd"] = beside["test_sd"].reindex(table.index)
    table["difference"] = table["test_acc"] - table["published_acc"]
    table["paper"] = beside["paper"].reindex(table.index).fillna("")
    order = style.in_order(table.index.tolist())
    return table.loc[order].reset_index()
