"""Comparison of strategies: best validation accuracy so far and test accuracy of the incumbent, by budget.

The incumbent of a run is the first of its counted children with the highest validation accuracy so far. Its test
accuracy comes from the retrained rows (stage "final") of the same run and hash; if it was not retrained, the test
accuracy is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import (
    anytime,
    budget_label,
    hours_unit,
    run_hours,
    run_rates,
    spans_decades,
    trajectories,
)
from nasbench.analysis.comparison.bands import MEASURES, bands, interval_name, median_with_ends, with_simultaneous
from nasbench.analysis.comparison.checks import check_comparable
from nasbench.analysis.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "anytime",
    "bands",
    "check_comparable",
    "draw_compare",
    "interval_name",
    "plot_compare",
    "readable",
    "run_hours",
    "run_rates",
    "summarize",
    "trajectories",
    "with_simultaneous",
]


def summarize(frame: pd.DataFrame, runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Summarize each strategy: its scores with intervals, and its costs.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        level: coverage of the intervals in (0, 1).

    Returns:
        strategy; runs; n, val_acc, val_low, val_high, interval (final best validation, median over seeds, with the order
        statistics around it); n_test,
        test_acc, test_low, test_high, test_interval (of the retrained incumbents); children, distinct (counted children
        and different hashes, totals); duplicates and failures (totals among the counted); search_gpu_hours,
        final_gpu_hours and usd (median a run, usd of both); unit (name of that of the hours); searcher_share (searcher's part of the search's hours, all
        runs together; NaN where nothing was charged).
    """
    table, unit = trajectories(frame, runs), hours_unit(frame)
    last = runs[["run", "strategy"]].merge(table.groupby("run")[["val_acc", "test_acc"]].last(), on="run", how="left")
    counted = frame[(frame["stage"] == "search") & frame["counted"].astype(bool)]
    hours, final = run_hours(runs), runs.set_index("run")["final_hours"]
    rows = []
    for strategy in style.in_order(runs["strategy"].tolist()):
        mine = last[last["strategy"] == strategy]
        ids = mine["run"].to_numpy()
        children = counted[counted["run"].isin(ids)]
        row: dict[str, Any] = {"strategy": strategy, "runs": len(mine)}
        for measure, prefix, count, name in (
            ("val_acc", "val", "n", "interval"),
            ("test_acc", "test", "n_test", "test_interval"),
        ):
            scores = mine[measure].to_numpy(dtype=float)
            middle, low, high = median_with_ends(scores, level)
            n = int(np.isfinite(scores).sum())
            row |= {count: n, measure: middle, f"{prefix}_low": low, f"{prefix}_high": high}
            row[name] = interval_name(n, level)
        search = (hours - final).loc[ids]
        searcher = runs.set_index("run").loc[ids, "searcher_hours"].sum()
        row |= {
            "children": len(children),
            "distinct": children.groupby("run")["hash"].nunique().sum(),
            "duplicates": int(children["duplicate"].sum()),
            "failures": int((children["status"] != "ok").sum()),
            "search_gpu_hours": search.median(),
            "final_gpu_hours": final.loc[ids].median(),
            "unit": unit,
            "usd": runs.set_index("run").loc[ids, "usd"].median(),
            "searcher_share": searcher / search.sum() if search.sum() > 0 else np.nan,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def readable(summary: pd.DataFrame) -> pd.DataFrame:
    """Format the table of `summarize`: accuracies in % with intervals, counts and costs as short texts.

    Args:
        summary: result of `summarize`.

    Returns:
        One row per strategy; all values are texts.
    """
    if summary.empty:
        return summary
    columns: dict[str, list[str]] = {"strategy": [], "seeds": []}
    headings = (
        "validation %, median",
        "test %, median",
        "children",
        "duplicates",
        "failed",
        summary["unit"].iloc[0],
        "USD",
        "searcher",
    )
    columns |= {heading: [] for heading in headings}
    for row in summary.itertuples():
        share = "-" if np.isnan(row.searcher_share) else f"{row.searcher_share:.1%}"
        texts = (
            _interval_text(row.val_acc, row.val_low, row.val_high, row.interval),
            _interval_text(row.test_acc, row.test_low, row.test_high, row.test_interval),
            f"{row.children}",
            f"{row.duplicates}",
            f"{row.failures}",
            f"{row.search_gpu_hours:.3g} + {row.final_gpu_hours:.3g} final",
            f"{row.usd:.3g}",
            share,
        )
        columns["strategy"].append(row.strategy)
        columns["seeds"].append(str(row.runs))
        for heading, text in zip(headings, texts):
            columns[heading].append(text)
    return pd.DataFrame(columns)


def _interval_text(middle: float, low: float, high: float, interval: str) -> str:
    if np.isnan(middle):
        return interval
    if low == high == middle:
        return f"{100 * middle:.2f} ({interval})"
    return f"{100 * middle:.2f} [{100 * low:.2f}, {100 * high:.2f}] ({interval})"


def draw_compare(data: pd.DataFrame, ax: Axes, measure: str = "val_acc") -> None:
    """Draw the best validation accuracy so far, or the incumbents' test accuracy, by budget spent.

    Args:
        data: result of `bands`. A line starts at the budget at which all runs that ever have a score have one.
        ax: one plot.
        measure: "val_acc" or "test_acc".
    """
    rows = data[(data["measure"] == measure) & data["median"].notna()]
    if rows.empty:
        style.say(ax, _nothing(measure))
        return
    ax.set_title(MEASURES[measure], loc="left")
    ax.set(xlabel=budget_label(rows["by"].iloc[0], rows["unit"].iloc[0]), ylabel="accuracy (fraction)")
    parts = [rows[rows["strategy"] == strategy] for strategy in style.in_order(rows["strategy"].tolist())]
    ends = [_draw_strategy(ax, part) for part in parts]
    strip = 0.0
    if measure == "test_acc":
        # Often only final incumbents are retrained, so lines have no length: the end points are then drawn beside the
        # axis.
        strip = 0.05 + 0.05 * len(parts)
        for place, part in enumerate(parts):
            _draw_end(ax, part, 10.0 * (place + 1))
    _budget_axis(ax, data["budget"].to_numpy(dtype=float), strip)
    ax.margins(y=0.08)
    ax.autoscale_view(scalex=False)
    style.label_ends(ax, ends)


def _nothing(measure: str) -> str:
    if measure == "test_acc":
        return "No incumbent was retrained and tested: there are no rows of stage 'final' for them."
    return "No child finished with a score."


def _complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Budgets at which all runs that ever have a score have one. A median over fewer runs would jump when one joins."""
    return rows[rows["n"] == rows["n"].max()]


def _draw_strategy(ax: Axes, rows: pd.DataFrame) -> tuple[float, str, str]:
    """Draw one strategy's line and band; return the height, text and colour of its label."""
    strategy, full = str(rows["strategy"].iloc[0]), _complete(rows)
    look = style.look(strategy)
    budget, middle, low, high = (full[name].to_numpy(dtype=float) for name in ("budget", "median", "low", "high"))
    ax.fill_between(budget, low, high, step="post", color=look.colour, alpha=0.15, linewidth=0)
    ax.plot(
        budget, middle, drawstyle="steps-post", color=look.colour, linestyle=style.line_style(strategy), linewidth=1.8
    )
    n, runs = int(full["n"].iloc[-1]), int(full["runs"].iloc[-1])
    return middle[-1], f"{strategy} (n={n})" if n == runs else f"{strategy} (n={n} of {runs})", look.colour


def _draw_end(ax: Axes, rows: pd.DataFrame, aside: float) -> None:
    """Draw one strategy's last median with its interval, `aside` points to the right of its budget."""
    from matplotlib.transforms import ScaledTranslation

    look, end = style.look(str(rows["strategy"].iloc[0])), _complete(rows).iloc[-1]
    figure = ax.get_figure()
    assert figure is not None
    ax.errorbar(
        [end["budget"]],
        [end["median"]],
        yerr=[[end["median"] - end["low"]], [end["high"] - end["median"]]],
        color=look.colour,
        marker=look.marker,
        markersize=5,
        capsize=2.5,
        linewidth=1.2,
        transform=ax.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans),
    )


def _budget_axis(ax: Axes, budgets: np.ndarray, strip: float) -> None:
    """Set scale and limits of the budget axis, with a strip at the right left free: this share of its width."""
    from matplotlib.ticker import MaxNLocator

    first, last = np.nanmin(budgets), np.nanmax(budgets)
    if spans_decades(first, last):
        style.logarithmic(ax, first, last)
        ax.set_xlim(first, last * (last / first) ** (strip / (1 - strip) + 0.005))
    elif last > 0:
        ax.set_xlim(0, last * (1 / (1 - strip) + 0.01))
        ax.xaxis.set_major_locator(MaxNLocator(4))


def plot_compare(data: pd.DataFrame, notes: Sequence[str] = ()) -> Figure:
    """Make a figure of `draw_compare` for both measures, with notes (from `check_comparable`) under it.

    Args:
        data: result of `bands`.
        notes: lines under the plots.

    Returns:
        The figure.
    """
    with style.theme():
        figure = style.new_figure(9.0, 3.6 + 0.18 * len(notes))
        for ax, measure in zip(figure.subplots(1, len(MEASURES)), MEASURES, strict=True):
            draw_compare(data, ax, measure)
        kinds = sorted({name.partition(": ")[2] for name in data["interval"]} - {""})
        bars = (
            f"; bands, each budget by itself unless simultaneous: {' or '.join(kinds)}. At the right of the tests: the last median and its band."
            if kinds
            else "."
        )
        lines = [f"Lines: median over seeds{bars}"]
        style.caption(figure, [*lines, *notes])
    return figure
