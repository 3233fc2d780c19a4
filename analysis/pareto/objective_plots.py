"""Plots of two or three objectives: fronts, attainment surfaces, and projections of three objectives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS
from nasbench.analysis.pareto.objectives import SURFACES, Floats, axis_label, is_negated, objective_of
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# maximum of pale points in vector form; more become an image within the SVG, which would not open otherwise
MOST_VECTORS = 2000
CELLS = (400, 300)  # share of a plot's width and height
LOG_ERROR_RATIO = 3.0  # errors that differ by a larger factor are drawn on a logarithmic axis


def draw_attainment(data: pd.DataFrame, ax: Axes, objectives: Sequence[str], label: str = "") -> None:
    """Draw the median attainment surface of each strategy as a line and the quartiles' as a band.

    Args:
        data: result of `attainment` for two objectives and 25, 50 and 75 percent.
        ax: one plot.
        objectives: the first along y, the second along x.
        label: label of the y axis; "" for the objective's own.
    """
    if data.empty:
        style.say(ax, "No child finished with a score: nothing is attained.")
        return
    y, x = objectives
    low, high = float(data[x].min()), float(data[x].max())
    _scales(ax, data, x, y)
    right = high * (high / low) ** 0.04 if _is_log(data, x) else high + 0.04 * (high - low)
    if low == high:  # one value only: an axis needs a length
        margin = 0.1 * abs(low) or 0.1
        low, right = low - margin, high + margin
    top = float(data[y].max())
    ends = []
    for strategy in style.in_order(data["strategy"].unique().tolist()):
        rows, look = data[data["strategy"] == strategy], style.look(strategy)
        steps = {percent: _steps(rows[rows["percent"] == percent], x, y, right, top) for percent in SURFACES}
        if min(len(steps[percent][0]) for percent in SURFACES):
            grid = np.unique(np.concatenate([steps[percent][0] for percent in (25, 75)]))
            inner, outer = (_height(*steps[percent], grid, top) for percent in (25, 75))
            ax.fill_between(grid, inner, outer, step="post", color=look.colour, alpha=0.14, linewidth=0)
        middle = steps[50]
        if not len(middle[0]):
            continue
        line = {"color": look.colour, "linestyle": style.line_style(strategy)}
        ax.plot(*middle, drawstyle="steps-post", linewidth=1.8, **line)
        runs = int(rows["runs"].iloc[0])
        few = ", insufficient" if runs < ENOUGH_SEEDS else ""
        ends.append((float(middle[1][-1]), f"{strategy} (n={runs}{few})", look.colour))
    ax.set_xlim(low, right)
    ax.set(xlabel=axis_label(x, data), ylabel=label or axis_label(y, data))
    style.label_ends(ax, ends)


def _steps(rows: pd.DataFrame, x: str, y: str, right: float, top: float) -> tuple[Floats, Floats]:
    """Corners of a surface from left to right, extended to the right edge."""
    ordered = rows.sort_values([x, y])
    a, b = ordered[x].to_numpy(dtype=float), ordered[y].to_numpy(dtype=float)
    if not len(a):
        return a, b
    return np.append(a, right), np.append(np.minimum(b, top), b[-1])


def _height(a: Floats, b: Floats, grid: Floats, top: float) -> Floats:
    """Height of the surface at each x; `top` left of its first corner."""
    place = np.searchsorted(a, grid, side="right") - 1
    return np.where(place >= 0, b[place.clip(0)], top)


def _scales(ax: Axes, data: pd.DataFrame, x: str, y: str) -> None:
    """Use logarithmic axes for costs, and for errors that differ by more than a factor; write natural values."""
    for axis, name in ((ax.xaxis, x), (ax.yaxis, y)):
        _natural_ticks(axis, name)
    if _is_log(data, x):
        style.logarithmic(ax, float(data[x].min()), float(data[x].max()))
    if _is_log(data, y):
        ax.set_yscale("log")
        _plain_ticks(ax.yaxis)


def _natural_ticks(axis: Any, name: str) -> None:
    """Write the values of a quantity of which more is better, although the axis has their negatives."""
    from matplotlib.ticker import FuncFormatter

    if is_negated(name):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{-value:g}" if value else "0"))


def _is_log(data: pd.DataFrame, name: str) -> bool:
    if objective_of(name).log:
        return True
    if is_negated(name):  # its values are those of a score, of either sign, and not a part of 1 as errors are
        return False
    low, high = float(data[name].min()), float(data[name].max())
    return low > 0 and high / low > LOG_ERROR_RATIO


def _plain_ticks(axis: Any) -> None:
    """Set ticks at 1, 2, 3 and 5 of each decade, as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0), numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: style.short(value)))
    axis.set_minor_formatter(NullFormatter())


def draw_two(points: pd.DataFrame, ax: Axes, objectives: Sequence[str], label: str = "") -> None:
    """Draw two objectives: dominated points pale, each strategy's front as steps, the overall front in the text colour.

    Args:
        points: result of `objective_front`.
        ax: one plot.
        objectives: the first along y, the second along x.
        label: label of the y axis; "" for the objective's own.
    """
    if points.empty:
        style.say(ax, "No child finished with a score: there is no front.")
        return
    y, x = objectives
    _scales(ax, points, x, y)
    _pale(ax, points[~points["strategy_front"]], x, y, by_strategy=True)
    for strategy in style.in_order(points["strategy"].unique().tolist()):
        rows, look = points[points["strategy"] == strategy], style.look(strategy)
        best = rows[rows["strategy_front"]].sort_values([x, y])
        a, b = best[x].to_numpy(dtype=float), best[y].to_numpy(dtype=float)
        ax.plot(a, b, drawstyle="steps-post", color=look.colour, linestyle=style.line_style(strategy), linewidth=1.0)
        ax.scatter(
            a,
            b,
            s=24,
            color=look.colour,
            marker=look.marker,
            linewidths=0,
            zorder=3,
            label=f"{strategy} ({len(rows):,})",
        )
    front = points[points["front"]].sort_values([x, y])
    ax.plot(
        front[x], front[y], drawstyle="steps-post", color=style.ink(), linewidth=1.4, label="front of all", zorder=2
    )
    ax.set(xlabel=axis_label(x, points), ylabel=label or axis_label(y, points))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize="small", borderaxespad=0.2)


def _pale(ax: Axes, rows: pd.DataFrame, x: str, y: str, by_strategy: bool = False) -> None:
    """Draw dominated points, grey or in their strategies' colours; very many are thinned to one per grid cell."""
    from matplotlib.colors import to_rgba_array

    # in random order, because otherwise one strategy would hide another
    rows = _uncovered(rows.sample(frac=1.0, random_state=0), x, y)
    names = rows["strategy"].astype("category")
    looks = [style.look(name).colour if by_strategy else style.muted() for name in names.cat.categories]
    colours = to_rgba_array(looks)[names.cat.codes.to_numpy()] if len(rows) else style.muted()
    many = len(rows) > MOST_VECTORS
    a, b = rows[x].to_numpy(dtype=float), rows[y].to_numpy(dtype=float)
    ax.scatter(a, b, s=7, color=colours, marker="o", alpha=style.PALE, linewidths=0, rasterized=many, zorder=1)


def _uncovered(rows: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Thin very many points: keep one per cell of a fine grid, whose cells are smaller than a drawn point."""
    if len(rows) <= CELLS[0] * CELLS[1]:
        return rows
    places = []
    for name, cells in zip((x, y), CELLS):
        values = rows[name].to_numpy(dtype=float)
        values = np.log(values) if _is_log(rows, name) else values
        low, high = float(values.min()), float(values.max())
        places.append(((values - low) / (high - low or 1.0) * (cells - 1)).astype(np.int64))
    _, first = np.unique(places[0] * CELLS[1] + places[1], return_index=True)
    return rows.iloc[np.sort(first)]


def draw_three(points: pd.DataFrame, ax: Axes, objectives: Sequence[str], label: str = "") -> None:
    """Draw three objectives: the overall front in the plane of the first two, coloured by the third; the rest is grey.

    Args:
        points: result of `objective_front`.
        ax: one plot, which gets a colour bar.
        objectives: the first along y, the second along x, the third as colour.
        label: label of the y axis; "" for the objective's own.
    """
    if points.empty:
        style.say(ax, "No child finished with a score: there is no front.")
        return
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    y, x, third = objectives
    _scales(ax, points, x, y)
    front = points[points["front"]]
    _pale(ax, points[~points["front"]], x, y)
    low, high = float(front[third].min()), float(front[third].max())
    high = high if high > low else low * 1.01 + 1e-12
    norm = LogNorm(low, high) if objective_of(third).log else Normalize(low, high)
    for strategy in style.in_order(front["strategy"].unique().tolist()):
        rows, look = front[front["strategy"] == strategy], style.look(strategy)
        shades = {"c": rows[third], "cmap": "cividis", "norm": norm}
        ax.scatter(
            rows[x], rows[y], s=46, marker=look.marker, edgecolors=style.ink(), linewidths=0.5, zorder=3, **shades
        )
        ax.scatter(
            [], [], s=40, marker=look.marker, color="none", edgecolors=style.ink(), label=f"{strategy} ({len(rows)})"
        )
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(ScalarMappable(norm, "cividis"), ax=ax, pad=0.02)
    bar.set_label(axis_label(third, points))
    _natural_ticks(bar.ax.yaxis, third)
    if objective_of(third).log:
        _plain_ticks(bar.ax.yaxis)
    ax.set(xlabel=axis_label(x, points), ylabel=label or axis_label(y, points))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize="small", borderaxespad=0.2, title=None)


def draw_projection(points: pd.DataFrame, ax: Axes, y: str, x: str, label: str = "") -> None:
    """Draw two of three objectives: the front of all three in the strategies' colours, dominated points grey.

    Args:
        points: result of `objective_front`.
        ax: one plot.
        y: the objective along y.
        x: the objective along x.
        label: label of the y axis; "" for the objective's own.
    """
    if points.empty:
        style.say(ax, "No child finished with a score: there is no front.")
        return
    _scales(ax, points, x, y)
    _pale(ax, points[~points["front"]], x, y)
    for strategy in style.in_order(points.loc[points["front"], "strategy"].unique().tolist()):
        rows, look = points[points["front"] & (points["strategy"] == strategy)], style.look(strategy)
        name = f"{strategy} ({len(rows)})"
        ax.scatter(rows[x], rows[y], s=22, color=look.colour, marker=look.marker, linewidths=0, label=name, zorder=3)
    ax.set(xlabel=axis_label(x, points), ylabel=label or axis_label(y, points))


def _legend_above(figure: Figure, ax: Axes) -> None:
    """Place the legend above the whole figure; above one plot it would shift the other."""
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()
        figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=6, fontsize="small")


def plot_objectives(
    points: pd.DataFrame,
    objectives: Sequence[str],
    surfaces: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
    label: str = "",
    about: str = "",
) -> Figure:
    """Plot the front of two objectives beside their attainment surfaces, or that of three above its three projections.

    Args:
        points: result of `objective_front`.
        objectives: two or three names.
        surfaces: result of `attainment`, for two objectives.
        notes: sentences for the text beside the picture.
        label: label of the first objective's axis, e.g. "validation error (fraction)".
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    with style.theme():
        if len(objectives) == 2:
            figure = style.new_figure(9.6 if surfaces is not None else 6.0, 4.6)
            axes = figure.subplots(1, 1 if surfaces is None else 2, squeeze=False)[0]
            key = "In brackets: architectures. Black: the front of all. Pale: dominated."
            caption(figure, about, key, notes)
            draw_two(points, axes[0], objectives, label)
            _legend_above(figure, axes[0])
            if surfaces is not None:
                draw_attainment(surfaces, axes[1], objectives, label)
                axes[1].set_title("Attained by half of the runs (bands: 25 to 75%)", loc="left", fontsize="medium")
        else:
            figure = style.new_figure(10.5, 8.4)
            caption(
                figure, about, "Colours above: the third objective. In brackets: architectures on the front.", notes
            )
            grid = figure.add_gridspec(2, 3, height_ratios=[1.45, 1.0])
            draw_three(points, figure.add_subplot(grid[0, :]), objectives, label)
            first, second, third = objectives
            for place, (y, x) in enumerate(((first, second), (first, third), (second, third))):
                draw_projection(points, figure.add_subplot(grid[1, place]), y, x, label if y == first else "")
    return figure
