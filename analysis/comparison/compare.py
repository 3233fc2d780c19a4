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
    at_the_end,
    budget_label,
    hours_unit,
    known_axis,
    run_hours,
    run_rates,
    search_hours,
    search_usd,
    spans_decades,
    trajectories,
    with_no_choice,
)
from nasbench.analysis.comparison.bands import (
    MEASURES,
    ORDER_STATISTICS,
    bands,
    interval_name,
    median_with_ends,
    title,
    with_simultaneous,
)
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, check_comparable, unknown_of_import
from nasbench.analysis.inference.intervals import ALL_EQUAL
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.analysis.plotting.page import current_page
from nasbench.scores import judged_by
from nasbench.store.format.frames import whole_trainings
from nasbench.store.format.schema import TABLE, UNKNOWN_SEARCHER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "anytime",
    "bands",
    "check_comparable",
    "draw_compare",
    "draw_ends",
    "interval_name",
    "known_axis",
    "plot_compare",
    "readable",
    "run_hours",
    "run_rates",
    "summarize",
    "trajectories",
    "with_simultaneous",
]

_LEAST = 0.005  # of the USD of a search: less beside it is not printed


def summarize(frame: pd.DataFrame, runs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Summarize each strategy: its scores with intervals, and its costs.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        level: coverage of the intervals in (0, 1).

    Returns:
        Scores in their own direction; those by which the runs are judged if these are no accuracies. strategy; runs; n,
        val_acc, val_low, val_high, interval (final best validation, median over seeds, with the
        order statistics around it); n_test, test_acc, test_low, test_high, test_interval (of the retrained incumbents);
        children, distinct (counted children and different hashes, totals); duplicates (that repeat an architecture and
        continue no child) and failures, totals among the counted; search_gpu_hours, final_gpu_hours, usd (of all hours), search_usd (charged to the budget) and
        usd_beside (final trainings and uncounted hours), each the median of the runs; unit (name of that of the hours); searcher_share (searcher's part of the search's hours, all runs together that say both; NaN where
        nothing was charged or none says them).
    """
    table, unit = trajectories(frame, runs), hours_unit(frame)
    last = runs[["run", "strategy"]].merge(at_the_end(table, ["val_acc", "test_acc"]), on="run", how="left")
    last = with_no_choice(last, frame, runs)
    within = (frame["stage"] == "search") & frame["counted"].astype(bool)
    counted = frame.loc[within, ["run", "hash", "duplicate", "continues", "status"]]
    again = counted["duplicate"].astype(bool) & (counted["continues"] == "")  # one that goes on is no repetition
    each = counted.groupby("run")
    of_run = pd.DataFrame(
        {
            "children": each.size(),
            "distinct": each["hash"].nunique(),
            "duplicates": again.astype(int).groupby(counted["run"]).sum(),
            "failures": (~counted["status"].isin(["ok", "unfinished"])).groupby(counted["run"]).sum(),
        }
    ).reindex(last["run"])
    totals = of_run.fillna(0).to_numpy(dtype=np.int64)
    hours = search_hours(runs).to_numpy(dtype=float)  # `last` has the rows of `runs`
    final, usd, searcher_hours = (runs[name].to_numpy(dtype=float) for name in ("final_hours", "usd", "searcher_hours"))
    of_search = search_usd(frame, runs).to_numpy(dtype=float)
    searcher_hours = np.where(_without_searcher(runs) | np.isnan(hours), np.nan, searcher_hours)
    values = {measure: last[measure].to_numpy(dtype=float) for measure in ("val_acc", "test_acc")}
    places = last.groupby("strategy", sort=False).indices
    rows = []
    for strategy in style.in_order(runs["strategy"].unique().tolist()):
        mine = places[strategy]
        children, distinct, duplicates, failures = totals[mine].sum(axis=0).tolist()
        row: dict[str, Any] = {"strategy": strategy, "runs": len(mine)}
        for measure, prefix, count, name in (
            ("val_acc", "val", "n", "interval"),
            ("test_acc", "test", "n_test", "test_interval"),
        ):
            scores = values[measure][mine]
            middle, low, high = median_with_ends(scores, level)
            n = int(np.isfinite(scores).sum())
            row |= {count: n, measure: middle, f"{prefix}_low": low, f"{prefix}_high": high}  # turned below
            equal = n > 1 and np.nanmin(scores) == np.nanmax(scores)  # a width of 0 would be no interval
            row[name] = f"n={n}: {ALL_EQUAL}" if equal else interval_name(n, level)
        search = float(hours[mine][~np.isnan(searcher_hours[mine])].sum())
        row |= {
            "children": children,
            "distinct": distinct,
            "duplicates": duplicates,
            "failures": failures,
            "search_gpu_hours": _median(hours[mine]),
            "final_gpu_hours": _median(final[mine]),
            "unit": unit,
            "usd": _median(usd[mine]),
            "search_usd": _median(of_search[mine]),
            "usd_beside": _median(usd[mine] - of_search[mine]),
            "searcher_share": float(np.nansum(searcher_hours[mine])) / search if search > 0 else np.nan,
        }
        rows.append(row)
    ends = (("val_low", "val_high"), ("test_low", "test_high"))
    return judged_by().shown(pd.DataFrame(rows), ["val_acc", "test_acc"], ends)


def counted_children(frame: pd.DataFrame) -> tuple[int, int]:
    """Count the children of searches, and those that their budgets cover.

    The last child of a search often ends after its budget: it is stored, and no table counts it.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).

    Returns:
        Number of children of stage "search", and of those the number that are counted.
    """
    searched = (frame["stage"] == "search") & (frame["strategy"] != TABLE)
    return int(searched.sum()), int((searched & frame["counted"].astype(bool)).sum())


def counted_notes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Say how many children a comparison counts.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).

    Returns:
        Up to two sentences: one if not every child is counted, one if trainings stopped early.
    """
    children, counted = counted_children(frame)
    notes = []
    if counted != children:
        notes.append(f"{children:,} children, {counted:,} of them within the budget: only these are counted.")
    searched = frame[(frame["stage"] == "search") & frame["counted"].astype(bool)]
    early = len(searched) - len(whole_trainings(searched))
    if early:
        notes.append(
            f"{early:,} of {len(searched):,} counted children stopped before the last epoch: their score is that of the "
            "epoch that they reached, and the incumbent may be one of them."
        )
    return tuple(notes)


def _without_searcher(runs: pd.DataFrame) -> np.ndarray:
    """Whether the source of each run, an import, does not say the seconds of the strategy itself, [runs]."""
    if "config" not in runs:
        return np.zeros(len(runs), dtype=bool)
    return np.array([UNKNOWN_SEARCHER in unknown_of_import(str(config)) for config in runs["config"]], dtype=bool)


def _median(values: np.ndarray) -> float:
    """Median of the values that are known; NaN without one."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


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
        f"{judged_by().heading('val_acc')}, median",
        f"{judged_by().heading('test_acc')}, median",
        "children",
        "duplicates",
        "failed",
        f"{summary['unit'].iloc[0]}, median",
        "USD, median",
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
            _hours_text(row.search_gpu_hours, row.final_gpu_hours),
            _usd_text(row.search_usd, row.usd_beside),
            share,
        )
        columns["strategy"].append(row.strategy)
        columns["seeds"].append(str(row.runs))
        for heading, text in zip(headings, texts):
            columns[heading].append(text)
    return pd.DataFrame(columns)


def _usd_text(search: float, beside: float) -> str:
    """USD of the search, as its budget counts them, and those of final trainings and uncounted hours where there are any."""
    if np.isnan(search):
        return "-"
    return f"{search:.3g} + {beside:.3g} beside" if beside > _LEAST * search else f"{search:.3g}"


def _hours_text(search: float, final: float) -> str:
    if np.isnan(search) and not final > 0:
        return "-"
    return f"{search:.3g} + {final:.3g} final"


def _interval_text(middle: float, low: float, high: float, interval: str) -> str:
    if np.isnan(middle):
        return interval
    plain = judged_by().plain
    if low == high == middle and not interval.endswith(ORDER_STATISTICS):
        return f"{plain(middle)} ({interval})"
    return f"{plain(middle)} [{plain(low)}, {plain(high)}] ({interval})"


def draw_compare(data: pd.DataFrame, ax: Axes, measure: str = "val_acc") -> None:
    """Draw the best validation accuracy so far, or the incumbents' test accuracy, by budget spent.

    Args:
        data: result of `bands`. A line starts at the budget at which all runs that ever have a score have one, and ends
            at what the strategy's runs really spent; a line without length is a marker there.
        ax: one plot.
        measure: "val_acc" or "test_acc".
    """
    rows = _scored(data, measure)
    if rows.empty:
        style.say(ax, _nothing(measure))
        return
    ends = _draw_courses(rows, ax, measure, data["budget"].to_numpy(dtype=float))
    style.label_ends(ax, ends)


def draw_ends(data: pd.DataFrame, ax: Axes, measure: str = "test_acc") -> None:
    """Draw the last median of each strategy with its interval, one beside the other: there is no budget axis.

    Args:
        data: result of `bands`.
        ax: one plot.
        measure: "val_acc" or "test_acc".
    """
    rows = _scored(data, measure)
    if rows.empty:
        style.say(ax, _nothing(measure))
        return
    ends = _draw_last(rows, ax)
    style.label_ends(ax, ends)


def _draw_courses(rows: pd.DataFrame, ax: Axes, measure: str, budgets: np.ndarray) -> list[tuple[float, str, str]]:
    """Draw the lines and bands of all strategies; return the height, text and colour of their labels."""
    ax.set_title(title(measure), loc="left")
    ax.set(xlabel=budget_label(rows["by"].iloc[0], rows["unit"].iloc[0]), ylabel=_axis(measure))
    ends = [_draw_strategy(ax, part) for part in _by_strategy(rows)]
    _budget_axis(ax, budgets)
    ax.margins(y=0.08)
    ax.autoscale_view(scalex=False)
    return ends


def _draw_last(rows: pd.DataFrame, ax: Axes) -> list[tuple[float, str, str]]:
    """Draw the last medians side by side; return the height, text and colour of their labels."""
    ends = []
    for place, part in enumerate(_by_strategy(rows)):
        look, end = style.look(str(part["strategy"].iloc[0])), _complete(part).iloc[-1]
        ax.errorbar(
            [place],
            [end["median"]],
            yerr=[[end["median"] - end["low"]], [end["high"] - end["median"]]],
            color=look.colour,
            marker=look.marker,
            markersize=5,
            capsize=2.5,
            linewidth=1.2,
        )
        ends.append(_label(part, float(end["median"])))
    ax.set(xticks=[], xlim=(-0.7, len(ends) - 0.3), xlabel="at the end")
    ax.grid(visible=False, axis="x")
    return ends


def _scored(data: pd.DataFrame, measure: str) -> pd.DataFrame:
    return data[(data["measure"] == measure) & data["median"].notna()]


def _by_strategy(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows[rows["strategy"] == strategy] for strategy in style.in_order(rows["strategy"].unique().tolist())]


def _nothing(measure: str) -> str:
    if measure == "test_acc":
        return "No incumbent was retrained and tested: there are no rows of stage 'final' for them."
    return "No child finished with a score."


def _complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Budgets at which all runs that ever have a score have one. A median over fewer runs would jump when one joins."""
    return rows[rows["n"] == rows["n"].max()]


def _has_course(rows: pd.DataFrame) -> bool:
    """Whether all runs of a strategy had a score when half of its budget was spent; a later line shows its end alone."""
    return float(_complete(rows)["budget"].min()) <= float(rows["spent"].iloc[0]) / 2


def _draw_strategy(ax: Axes, rows: pd.DataFrame) -> tuple[float, str, str]:
    """Draw one strategy's line and band; return the height, text and colour of its label."""
    strategy, full = str(rows["strategy"].iloc[0]), _complete(rows)
    look = style.look(strategy)
    spent = float(full["spent"].iloc[0])
    # The last row holds the state at the end. Its budget lies beyond what these runs spent if others spent more.
    here = pd.concat([full[full["budget"] < spent], full.iloc[-1:].assign(budget=spent)])
    budget, middle, low, high = (here[name].to_numpy(dtype=float) for name in ("budget", "median", "low", "high"))
    if len(here) > 1:
        ax.fill_between(budget, low, high, step="post", color=look.colour, alpha=0.15, linewidth=0)
        ax.plot(
            budget,
            middle,
            drawstyle="steps-post",
            color=look.colour,
            linestyle=style.line_style(strategy),
            linewidth=1.8,
        )
    else:
        reach = [middle - low, high - middle]
        ax.errorbar(
            budget[-1:],
            middle[-1:],
            yerr=[side[-1:].tolist() for side in reach],
            color=look.colour,
            marker=look.marker,
            markersize=5,
            capsize=2.5,
            linewidth=1.2,
        )
    return _label(rows, float(middle[-1]))


def _label(rows: pd.DataFrame, height: float) -> tuple[float, str, str]:
    """Height, text and colour of a strategy's label."""
    strategy, last = str(rows["strategy"].iloc[0]), _complete(rows).iloc[-1]
    return height, f"{strategy} ({style.of_runs(int(last['n']), int(last['runs']))})", style.look(strategy).colour


def _budget_axis(ax: Axes, budgets: np.ndarray) -> None:
    """Set scale and limits of the budget axis: from the first budget (or 0) to the last one that was spent."""
    first, last = np.nanmin(budgets), np.nanmax(budgets)
    if spans_decades(first, last):
        style.logarithmic(ax, first, last)
        ax.set_xlim(first, last)
    elif last > 0:
        ax.set_xlim(0, 1.01 * last)
        style.linear(ax)


def plot_compare(data: pd.DataFrame, notes: Sequence[str] = (), about: str = "") -> Figure:
    """Make a figure of both measures by budget, and of the test accuracy at the end of the runs.

    Where test accuracy is known towards the end alone, there is no plot of it by budget; where it is not known, there is no
    plot of it.

    Args:
        data: result of `bands`.
        notes: sentences for the text beside the picture, e.g. from `check_comparable`.
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    data, said = style.drawn_rows(data)
    tests = _scored(data, "test_acc")
    course = any(_has_course(part) for part in _by_strategy(tests))
    strip = (0.14 + 0.06 * tests["strategy"].nunique()) * max(1.0, current_page().font_scale)
    with style.theme():
        figure = style.new_figure(9.6 if len(tests) else 6.4, 3.9)
        untested = "" if len(tests) else f" {_nothing('test_acc')}"
        caption(figure, about, f"{said} {_key(data, course)}{untested}".strip(), notes)
        ratios = [1.0, 1.0, strip] if course else [1.0, 0.6] if len(tests) else [1.0]
        axes = figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)[0]
        if course:
            axes[2].sharey(axes[1])
            axes[2].tick_params(labelleft=False)
            _draw_courses(tests, axes[1], "test_acc", data["budget"].to_numpy(dtype=float))
            draw_compare(data, axes[0])
            draw_ends(data, axes[2])
        elif len(tests):
            axes[1].set_title(title("test_acc"), loc="left")
            axes[1].set_ylabel(_axis("test_acc"))
            draw_compare(data, axes[0])
            draw_ends(data, axes[1])
        else:
            draw_compare(data, axes[0])
    return figure


def _axis(measure: str) -> str:
    return "accuracy (fraction)" if judged_by().is_accuracy else judged_by().axis(measure)


def _key(data: pd.DataFrame, course: bool) -> str:
    """How to read the figure, in a sentence or two."""
    groups = [part for measure in MEASURES for part in _by_strategy(_scored(data, measure))]
    kinds = sorted({name.partition(": ")[2] for part in groups for name in _complete(part)["interval"]} - {""})
    words = [kind.replace("range, insufficient", f"range (fewer than {ENOUGH_SEEDS} seeds)") for kind in kinds]
    bars = f"; bands and bars, each budget by itself unless simultaneous: {' or '.join(words)}" if words else ""
    last = " Markers: the medians of the whole runs, whatever they had spent by then." if course else ""
    return f"Median over seeds{bars}.{last}"
