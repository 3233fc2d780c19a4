"""Accuracy against size: the architectures that no other one beats in both, and the area that they dominate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import hours_unit
from nasbench.analysis.comparison.checks import require_columns, require_one_count, unscored_runs
from nasbench.analysis.pareto.dominance import (
    children_of_score,
    dominated_volume,
    mark_fronts,
    scored_children,
)
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.costs.units import DEVICE_HOURS
from nasbench.errors import InputError
from nasbench.scores import TEST_ACC, VAL_ACC, judged_by
from nasbench.store.format.frames import from_the_start, longest_trainings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALL = "all"
_NEEDED = ("strategy", "hash", "space", "status", "stage", "counted", "protocol", "fingerprint")

LABELS = {
    "params": "parameters",
    "mult_adds": "multiply-adds for one image",
    "gpu_hours": "device-hours to train",
    "usd": "USD to train",
    "device_seconds": "device-seconds to train",
    "peak_memory": "peak memory (bytes)",
    "val_acc": "validation accuracy (fraction)",
    "val_acc_best": "best validation accuracy over epochs (fraction)",
    "test_acc": "test accuracy (fraction)",
}
MOST_LABELS = 6
# maximum of pale points per strategy in vector form; more become an image within the SVG, which would not open
# otherwise
MOST_VECTORS = 2000


def pareto_front(frame: pd.DataFrame, x: str = "params", y: str = "val_acc") -> pd.DataFrame:
    """Compute the points of a plane (x is minimized, y maximized) and mark those that are not dominated.

    A point is dominated if another has no larger x and no smaller y, and is better in one of them. Points equal in both
    are ties, and all of them can be on the front.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`) of one protocol; see `check_comparable`.
        x: a positive cost to minimize, e.g. "params" or "mult_adds".
        y: a score to maximize; "test_acc" uses the rows of stage final, all others those counted in the search.

    Returns:
        One row for each strategy and hash: strategy, hash, space, n (rows averaged), <x> and <y> (means over them),
        front (not dominated by any point), strategy_front (by any of its strategy), sorted by x. Rows without a score
        are left out and counted by `without_score`. `attrs["unit"]` names the unit of device time.

    Raises:
        InputError: when a column is missing, x is not known of some rows, or the rows are of several protocols.
    """
    _require_pair(frame, x, y)
    need = dict.fromkeys((*_NEEDED, x, y, "device", "run", "index", "stop_epoch", "from_epoch", "continues"))
    read = frame[[name for name in need if name in frame.columns]]  # every selection of rows copies all columns
    scored = longest_trainings(scored_children(from_the_start(read), y), ("strategy", "hash"))
    unknown = int((~(scored[x] > 0)).sum())  # -1, 0 and NaN stand for missing costs
    if unknown:
        raise InputError(
            f"{x} is missing for {unknown:,} of {len(scored):,} children, so that they have no place on its axis; "
            "select rows by --where, or choose other objectives (nasbench pareto --objectives)"
        )
    groups = scored.groupby(["strategy", "hash"], sort=False)
    require_one_count(scored, [x])
    points = groups.agg(space=("space", "first"), n=(y, "size"), **{x: (x, "mean"), y: (y, "mean")}).reset_index()
    front = mark_fronts(points, [x], [y])
    front.attrs["unit"] = hours_unit(scored)
    return front


def without_score(frame: pd.DataFrame, y: str = "val_acc") -> int:
    """Count the rows that `pareto_front` leaves out because they failed or have no score.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        y: the score column.

    Returns:
        Number of rows.
    """
    rows = children_of_score(frame[["stage", "counted", "strategy", "status", y]], y)
    return int((~((rows["status"] == "ok") & rows[y].notna())).sum())


def lost_runs_note(frame: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Describe how many runs have no point because all their children failed, or none was counted.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`), with those that have no counted child.

    Returns:
        Two sentences; "" if every run has a score.
    """
    counts = unscored_runs(frame, runs)["strategy"].value_counts()
    if counts.empty:
        return ""
    totals = runs["strategy"].value_counts()
    named = ", ".join(f"{counts[name]} of {totals[name]} of {name}" for name in style.in_order(list(counts.index)))
    return (
        f"Runs without a score: {named}. The points of all runs are put together here, so these runs lower nothing; "
        "--objectives prints volumes of single runs, which are 0 for them."
    )


def _require_pair(frame: pd.DataFrame, x: str, y: str) -> None:
    if x == y:
        raise InputError(f"a front needs two different columns, got {x!r} twice")
    require_columns(frame, (*_NEEDED, x, y), "the children")


def reference_point(front: pd.DataFrame, x: str = "params", y: str = "val_acc") -> tuple[float, float]:
    """Default reference of `hypervolume`: the power of ten above the largest x, and accuracy 0 or the worst other score.

    A power of ten changes less between files than the largest x does. It is printed with every volume.

    Args:
        front: result of `pareto_front`.
        x: its cost column.
        y: its score column.

    Returns:
        (x, y) of the worst corner.
    """
    largest = float(front[x].max()) if len(front) else 1.0
    return 10.0 ** (math.floor(math.log10(largest)) + 1), judged_by().no_choice(front[y])


def hypervolume(
    front: pd.DataFrame, x: str = "params", y: str = "val_acc", reference: tuple[float, float] | None = None
) -> pd.DataFrame:
    """Compute the area of the plane (log10 x, y) that points dominate, up to a reference point: larger is better.

    Args:
        front: result of `pareto_front`.
        x: its cost column.
        y: its score column.
        reference: (x, y) of the worst corner, x > 0; points beyond it do not count. None for `reference_point`.

    Returns:
        strategy (each, then "all"), points, front (points on its front; an architecture that several strategies found counts once in
        "all"), hypervolume (score x decades of x), reference_x, reference_y.

    Raises:
        InputError: for a reference whose x is not positive.

    Source: Zitzler & Thiele 1999, "Multiobjective evolutionary algorithms: a comparative case study and the strength
    Pareto approach".
    """
    corner = reference or reference_point(front, x, y)
    if not corner[0] > 0:
        raise InputError(f"the reference's {x} must be positive (its logarithm is taken), got {corner[0]:g}")
    rows = []
    places = front.groupby("strategy", sort=False).indices
    values = np.column_stack([np.log10(front[x].to_numpy(dtype=float)), -front[y].to_numpy(dtype=float)])
    worst = np.array([math.log10(corner[0]), -corner[1]])
    on_front, on_own = (front[name].to_numpy(dtype=bool) for name in ("front", "strategy_front"))
    everything, number = np.arange(len(front)), pd.factorize(front["hash"])[0]
    for strategy in [*style.in_order(list(places)), ALL]:
        members = everything if strategy == ALL else places[strategy]
        rows.append(
            {
                "strategy": strategy,
                "points": len(np.unique(number[members])),
                "front": len(np.unique(number[members][(on_front if strategy == ALL else on_own)[members]])),
                "hypervolume": dominated_volume(values[members], worst),
                "reference_x": corner[0],
                "reference_y": corner[1],
            }
        )
    return pd.DataFrame(rows)


def draw_pareto(front: pd.DataFrame, ax: Axes, x: str = "params", y: str = "val_acc") -> None:
    """Draw dominated points pale, strategies' fronts as thin step lines, and the overall front in black with hashes.

    Args:
        front: result of `pareto_front`.
        ax: one plot.
        x: its cost column.
        y: its score column.
    """
    if front.empty:
        style.say(ax, "No child finished with a score: there is no front.")
        return
    style.logarithmic(ax, float(front[x].min()), float(front[x].max()))
    for strategy in style.drawn_strategies(front["strategy"].unique().tolist())[0]:
        look, rows = style.look(strategy), front[front["strategy"] == strategy]
        rest, best = rows[~rows["strategy_front"]], rows[rows["strategy_front"]]
        many = len(rest) > MOST_VECTORS
        ax.scatter(
            rest[x],
            rest[y],
            s=12,
            rasterized=many,
            color=look.colour,
            marker=look.marker,
            alpha=style.PALE,
            linewidths=0,
        )
        ax.plot(*_steps(best, x, y), color=look.colour, linestyle=style.line_style(strategy), linewidth=1.0)
        label = f"{strategy} ({len(rows)})"
        ax.scatter(best[x], best[y], s=26, color=look.colour, marker=look.marker, linewidths=0, label=label, zorder=3)
    overall = front[front["front"]]
    ax.plot(*_steps(overall, x, y), color=style.ink(), linewidth=1.6, label="front of all", zorder=2)
    ax.scatter(overall[x], overall[y], s=48, facecolors="none", edgecolors=style.ink(), linewidths=0.9, zorder=4)
    unit = str(front.attrs.get("unit", DEVICE_HOURS)).removesuffix("hours")  # "GPU-" or "device-"
    own = y in (VAL_ACC, TEST_ACC) and not judged_by().is_accuracy
    label = judged_by().axis(y) if own else LABELS.get(y, y)
    ax.set(xlabel=LABELS.get(x, x).replace("device-", unit), ylabel=label)
    if own and judged_by().sign < 0:  # better is higher up; the numbers are those of the score
        ax.yaxis.set_major_formatter(lambda value, _: style.short(-value) if value else "0")
    ax.margins(0.08)
    _widen(ax, front, x)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize="small", borderaxespad=0.2)


def _steps(rows: pd.DataFrame, x: str, y: str) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a front's step line: from each point right to the next one's x, then up to it."""
    rows = rows.sort_values([x, y])
    a, b = rows[x].to_numpy(dtype=float), rows[y].to_numpy(dtype=float)
    return np.repeat(a, 2)[1:], np.repeat(b, 2)[:-1]


def _widen(ax: Axes, front: pd.DataFrame, x: str) -> None:
    """Extend the x axis to at least a factor of three, which keeps it readable for a single point."""
    low, high = float(front[x].min()), float(front[x].max())
    if high < 3 * low:
        ax.set_xlim(low / 2, high * 2)


def label_front(front: pd.DataFrame, ax: Axes, x: str = "params", y: str = "val_acc") -> None:
    """Write hashes at points of the overall front, best first, if they cover no point of the front and no other text.

    Call it last, because it measures the drawn figure.

    Args:
        front: result of `pareto_front`.
        ax: the plot, drawn by `draw_pareto`.
        x: its cost column.
        y: its score column.
    """
    rows = front[front["front"]]
    if rows.empty:
        return
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    inside, legend = ax.get_window_extent(), ax.get_legend()
    taken = [legend.get_window_extent()] if legend is not None else []
    points = ax.transData.transform(rows[[x, y]].to_numpy(dtype=float))
    chosen = rows.sort_values(y, ascending=False)
    for row in chosen.to_dict("records"):
        if len(taken) > MOST_LABELS:
            break
        text = ax.annotate(
            str(row["hash"])[:8],
            (row[x], row[y]),
            xytext=(-6, 5),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize="x-small",
            color=style.ink(),
        )
        box = text.get_window_extent()
        free = not any(box.padded(2).overlaps(other) for other in taken)
        clear = not any(box.padded(1).contains(*point) for point in points)
        if free and clear and inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1):
            taken.append(box)
        else:
            text.remove()


def _share_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    """Make one legend for all plots, which show the same strategies."""
    handles, labels = axes[0].get_legend_handles_labels()
    for legend in (ax.get_legend() for ax in axes):
        if legend is not None:
            legend.remove()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=5, fontsize="small", columnspacing=1.2)


def plot_pareto(
    fronts: dict[str, pd.DataFrame], y: str = "val_acc", notes: Sequence[str] = (), about: str = ""
) -> Figure:
    """Make a figure with one plot per cost, side by side.

    Args:
        fronts: cost column -> its result of `pareto_front`, e.g. for "params" and "mult_adds".
        y: the score column of all plots.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    said = next((style.drawn_rows(front)[1] for front in fronts.values()), "")
    with style.theme():
        figure = style.new_figure(4.6 * len(fronts), 4.5)
        axes = figure.subplots(1, len(fronts), sharey=True, squeeze=False)[0]
        count = "In brackets: architectures. Black: not dominated by any; hashes open with `nasbench show`."
        caption(figure, about, f"{said} {count}".strip(), notes)
        for ax, (x, front) in zip(axes, fronts.items()):
            draw_pareto(front, ax, x, y)
            if ax is not axes[0]:
                ax.set_ylabel("")
        _share_legend(figure, axes)
        for ax, (x, front) in zip(axes, fronts.items()):
            label_front(front, ax, x, y)
    return figure
