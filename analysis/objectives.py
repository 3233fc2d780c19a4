"""Two or three objectives at once: the exact front, the volume that it dominates, and what a share of the runs attains.

All objectives are to be small. Costs span decades, so volumes are taken of their logarithms; the error is taken as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis import style
from nasbench.analysis.bands import generator
from nasbench.analysis.checks import ENOUGH_SEEDS, require_columns
from nasbench.errors import InputError, UnknownName

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
ALL = "all"
SURFACES = (25, 50, 75)
MOST_VECTORS = 2000  # pale points; more become an image within an SVG, which would not open otherwise
CELLS = (400, 300)  # of a plot's width and height
LOG_ERROR_RATIO = 3.0  # errors that differ by more are drawn on a logarithmic axis


@dataclass(frozen=True)
class Objective:
    """Something of an architecture that is to be small.

    Args:
        label: for an axis, with the unit.
        columns: of the children that it is made of.
        log: whether it is a cost, positive and drawn on a logarithmic axis.
    """

    label: str
    columns: tuple[str, ...]
    log: bool = True


ERROR = "error"
OBJECTIVES: dict[str, Objective] = {
    ERROR: Objective("error (fraction)", (), log=False),
    "params": Objective("parameters", ("params",)),
    "mult_adds": Objective("multiply-adds for one image", ("mult_adds",)),
    "gpu_hours": Objective("GPU-hours to train", ("gpu_hours",)),
    "usd": Objective("USD to train", ("usd",)),
    "latency": Objective("seconds for one pass over the validation images", ("eval_seconds", "epochs")),
}
_KEYS = ("strategy", "hash", "space", "status", "stage", "counted", "protocol", "fingerprint", "run")


def parse_objectives(text: str) -> tuple[str, ...]:
    """Objectives by a comma-separated text, two or three of `OBJECTIVES`.

    Raises:
        UnknownName: for a name that is not there.
        InputError: for another number of them, or one given twice.
    """
    names = tuple(part.strip().replace("-", "_") for part in text.split(",") if part.strip())
    for name in names:
        if name not in OBJECTIVES:
            raise UnknownName("objective", name, OBJECTIVES)
    if len(names) not in (2, 3) or len(set(names)) < len(names):
        raise InputError(f"--objectives takes two or three different ones of {', '.join(OBJECTIVES)}; got {text!r}")
    return names


def needed_columns(objectives: Sequence[str], score: str = "val_acc") -> list[str]:
    """The columns of the children that `objective_points` reads."""
    return list(dict.fromkeys([*_KEYS, score, *(column for name in objectives for column in OBJECTIVES[name].columns)]))


def parse_reference(text: str, objectives: Sequence[str]) -> dict[str, float]:
    """A reference point by a comma-separated text, a number for each objective.

    Raises:
        InputError: for another number of them, or what is no positive number.
    """
    parts = [part.strip() for part in text.split(",")]
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(values) != len(objectives) or not all(math.isfinite(value) and value > 0 for value in values):
        raise InputError(
            f"--reference takes a positive number for each of {', '.join(objectives)}, e.g. 1,1e6; got {text!r}"
        )
    return dict(zip(objectives, values))


def objective_points(
    frame: pd.DataFrame, objectives: Sequence[str], score: str = "val_acc", by_run: bool = False
) -> pd.DataFrame:
    """The objectives of every architecture of every strategy.

    Args:
        frame: children (`store.schema.CHILD_COLUMNS`) of one protocol.
        objectives: names of `OBJECTIVES`.
        score: the accuracy of which error is the rest; "test_acc" takes the rows of stage final, all others those counted in the search.
        by_run: whether architectures of different runs are kept apart, as attainment over seeds needs.

    Returns:
        strategy, run (with `by_run`), hash, space, n (rows averaged), and one column an objective (mean). Rows that failed or lack a score
        are left out.

    Raises:
        InputError: when a column is missing, a cost is not positive, or the rows are of several protocols.
    """
    require_columns(frame, needed_columns(objectives, score), "the children")
    final = score.startswith("test")
    stage = frame["stage"] == "final" if final else (frame["stage"] == "search") & frame["counted"].astype(bool)
    rows = frame[stage & (frame["status"] == "ok") & frame[score].notna()]
    if rows["fingerprint"].nunique() > 1:
        values = " / ".join(sorted((rows["protocol"] + " (" + rows["fingerprint"] + ")").unique()))
        raise InputError(
            f"these rows are not comparable; they differ in protocol: {values}. Select the rows of one protocol"
        )
    found = {name: _values(rows, name, score) for name in objectives}
    keys = ["strategy", *(["run"] if by_run else []), "hash"]
    table = rows[[*keys, "space"]].assign(**found)
    groups = table.groupby(keys, sort=False, observed=True)
    means = {name: (name, "mean") for name in objectives}
    return groups.agg(space=("space", "first"), n=("space", "size"), **means).reset_index()


def _values(rows: pd.DataFrame, name: str, score: str) -> Floats:
    if name == ERROR:
        return np.asarray(1.0 - rows[score].to_numpy(dtype=float))
    columns = OBJECTIVES[name].columns
    found: Floats = rows[columns[0]].to_numpy(dtype=float)
    if name == "latency":
        epochs = rows["epochs"].to_numpy(dtype=float)
        found = np.divide(found, epochs, out=np.zeros_like(found), where=epochs > 0)
    wrong = ~(np.isfinite(found) & (found > 0))
    if wrong.any():
        raise InputError(
            f"{name} is not known of {int(wrong.sum()):,} of {len(rows):,} children (column {columns[0]} is 0 or missing), "
            "as in replays of tables that lack it or without a price; choose other objectives or select rows by --where"
        )
    return found


def nondominated(values: Floats) -> NDArray[np.bool_]:
    """Which rows no other row dominates: none is at most as large in all columns and smaller in one. Equal rows stay together.

    Args:
        values: [points, objectives], all to be small.
    """
    import moocore

    if not len(values):
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(np.ascontiguousarray(values, dtype=float), keep_weakly=True), dtype=bool)


def objective_front(points: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """The points, and which of them are on the front.

    Args:
        points: what `objective_points` returns.
        objectives: the columns to be small.

    Returns:
        The same with front (no point of any strategy dominates it) and strategy_front (none of its own), sorted by the objectives.
    """
    values = points[list(objectives)].to_numpy(dtype=float)
    own = np.zeros(len(points), dtype=bool)
    for strategy in points["strategy"].unique():
        mine = (points["strategy"] == strategy).to_numpy()
        own[mine] = nondominated(values[mine])
    marked = points.assign(front=nondominated(values), strategy_front=own)
    return marked.sort_values([*objectives, "strategy"], ignore_index=True)


def reference_point(points: pd.DataFrame, objectives: Sequence[str]) -> dict[str, float]:
    """The worst corner of the volume: error 1, and of a cost the power of ten above the largest.

    Args:
        points: what `objective_points` returns.
        objectives: their names.
    """
    corner = {}
    for name in objectives:
        largest = float(points[name].max()) if len(points) else 1.0
        corner[name] = 10.0 ** (math.floor(math.log10(largest)) + 1) if OBJECTIVES[name].log else 1.0
    return corner


def objective_volumes(
    points: pd.DataFrame, objectives: Sequence[str], reference: dict[str, float] | None = None
) -> pd.DataFrame:
    """The volume that each strategy's points, and all together, dominate up to a reference point: larger is better.

    Args:
        points: what `objective_points` returns.
        objectives: their names.
        reference: objective -> its worst value; points beyond it count nothing. None: `reference_point`.

    Returns:
        strategy (each, then "all"), points, front (points on its front), hypervolume (of log10 of costs, and of the error), and
        reference_<objective>.

    Raises:
        InputError: when the reference of a cost is not positive.
    """
    corner = reference or reference_point(points, objectives)
    for name in objectives:
        if OBJECTIVES[name].log and not corner[name] > 0:
            raise InputError(f"the reference of {name} must be positive (its logarithm is taken), got {corner[name]:g}")
    rows = []
    for strategy in [*style.in_order(points["strategy"].tolist()), ALL]:
        mine = points if strategy == ALL else points[points["strategy"] == strategy]
        values = mine[list(objectives)].to_numpy(dtype=float)
        rows.append(
            {
                "strategy": strategy,
                "points": len(mine),
                "front": int(nondominated(values).sum()),
                "hypervolume": _volume(values, objectives, corner),
                **{f"reference_{name}": corner[name] for name in objectives},
            }
        )
    return pd.DataFrame(rows)


def _volume(values: Floats, objectives: Sequence[str], corner: dict[str, float]) -> float:
    import moocore

    logs = [OBJECTIVES[name].log for name in objectives]
    scaled = np.column_stack([np.log10(column) if log else column for column, log in zip(values.T, logs)])
    bound = np.array([math.log10(corner[name]) if log else corner[name] for name, log in zip(objectives, logs)])
    inside = scaled[(scaled < bound).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=bound)) if len(inside) else 0.0


def run_volumes(
    points: pd.DataFrame,
    objectives: Sequence[str],
    reference: dict[str, float] | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 2000,
) -> pd.DataFrame:
    """The volume of single runs: mean over a strategy's runs with a bootstrap interval.

    Args:
        points: what `objective_points` returns with `by_run`.
        objectives: their names.
        reference: see `objective_volumes`; the same for all runs.
        seed: of the bootstrap over runs.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 1.

    Returns:
        strategy, runs, mean, low, high (NaN with fewer than 5 runs), interval (in words).
    """
    corner = reference or reference_point(points, objectives)
    rows = []
    for strategy in style.in_order(points["strategy"].tolist()):
        mine = points[points["strategy"] == strategy]
        volumes = np.array(
            [
                _volume(run[list(objectives)].to_numpy(dtype=float), objectives, corner)
                for _, run in mine.groupby("run", sort=True)
            ]
        )
        low = high = math.nan
        if len(volumes) >= ENOUGH_SEEDS:
            picks = generator(seed, strategy, "volume").integers(len(volumes), size=(resamples, len(volumes)))
            low, high = map(float, np.quantile(volumes[picks].mean(axis=1), [(1 - level) / 2, (1 + level) / 2]))
        few = f"{level:.0%} bootstrap, seed {seed}" if len(volumes) >= ENOUGH_SEEDS else "insufficient"
        row = {"strategy": strategy, "runs": len(volumes), "mean": float(volumes.mean()), "low": low, "high": high}
        rows.append({**row, "interval": f"n={len(volumes)}: {few}"})
    return pd.DataFrame(rows, columns=["strategy", "runs", "mean", "low", "high", "interval"])


def attainment(points: pd.DataFrame, objectives: Sequence[str], percents: Sequence[int] = SURFACES) -> pd.DataFrame:
    """Empirical attainment surfaces: the points that at least so many percent of a strategy's runs attain or surpass.

    Args:
        points: what `objective_points` returns with `by_run`.
        objectives: two or three names.
        percents: of the runs, in (0, 100].

    Returns:
        strategy, runs, percent, and one column an objective: the corners of each surface, sorted.

    Source: Fonseca, Guerreiro, Lopez-Ibanez & Paquete 2011, "On the computation of the empirical attainment function"; by moocore.
    """
    import moocore

    parts = []
    for strategy in style.in_order(points["strategy"].tolist()):
        mine = points[points["strategy"] == strategy]
        values = mine[list(objectives)].to_numpy(dtype=float)
        sets = mine["run"].astype("category").cat.codes.to_numpy() + 1
        order = np.argsort(sets, kind="stable")
        found = np.asarray(moocore.eaf(values[order], sets[order], percentiles=list(percents)), dtype=float)
        part = pd.DataFrame(found[:, :-1], columns=list(objectives))
        part.insert(0, "percent", found[:, -1].round().astype(int))
        part.insert(0, "runs", int(sets.max()))
        part.insert(0, "strategy", strategy)
        parts.append(part.sort_values(["percent", *objectives], kind="stable"))
    columns = ["strategy", "runs", "percent", *objectives]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def draw_attainment(data: pd.DataFrame, ax: Axes, objectives: Sequence[str], label: str = "") -> None:
    """Draw the median attainment surface of each strategy as a line and the quartiles' as a band.

    Args:
        data: what `attainment` returns, of two objectives and of 25, 50 and 75 percent.
        ax: one plot.
        objectives: the first along y, the second along x.
        label: of the y axis; '' for the objective's own.
    """
    if data.empty:
        style.say(ax, "No child finished with a score: nothing is attained.")
        return
    y, x = objectives
    low, high = float(data[x].min()), float(data[x].max())
    _scales(ax, data, x, y)
    right = high * (high / low) ** 0.04 if _is_log(data, x) else high + 0.04 * (high - low)
    top = float(data[y].max())
    ends = []
    for strategy in style.in_order(data["strategy"].tolist()):
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
    ax.set(xlabel=OBJECTIVES[x].label, ylabel=label or OBJECTIVES[y].label)
    style.label_ends(ax, ends)


def _steps(rows: pd.DataFrame, x: str, y: str, right: float, top: float) -> tuple[Floats, Floats]:
    """Corners of a surface from left to right, drawn on to the right edge."""
    ordered = rows.sort_values([x, y])
    a, b = ordered[x].to_numpy(dtype=float), ordered[y].to_numpy(dtype=float)
    if not len(a):
        return a, b
    return np.append(a, right), np.append(np.minimum(b, top), b[-1])


def _height(a: Floats, b: Floats, grid: Floats, top: float) -> Floats:
    """The surface's height at each x, `top` left of its first corner."""
    place = np.searchsorted(a, grid, side="right") - 1
    return np.where(place >= 0, b[place.clip(0)], top)


def _scales(ax: Axes, data: pd.DataFrame, x: str, y: str) -> None:
    """Logarithmic axes for costs, and for errors that differ by more than a factor."""
    if _is_log(data, x):
        style.logarithmic(ax, float(data[x].min()), float(data[x].max()))
    if _is_log(data, y):
        ax.set_yscale("log")
        _plain_ticks(ax.yaxis)


def _is_log(data: pd.DataFrame, name: str) -> bool:
    if OBJECTIVES[name].log:
        return True
    low, high = float(data[name].min()), float(data[name].max())
    return low > 0 and high / low > LOG_ERROR_RATIO


def _plain_ticks(axis: Any) -> None:
    """Ticks at 1, 2, 3 and 5 of each decade, as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0), numticks=9))
    axis.set_major_formatter(FuncFormatter(lambda value, _: style.short(value)))
    axis.set_minor_formatter(NullFormatter())


def draw_two(points: pd.DataFrame, ax: Axes, objectives: Sequence[str], label: str = "") -> None:
    """Draw two objectives: dominated points pale, each strategy's front as steps, the front of all in ink.

    Args:
        points: what `objective_front` returns.
        ax: one plot.
        objectives: the first along y, the second along x.
        label: of the y axis; '' for the objective's own.
    """
    if points.empty:
        style.say(ax, "No child finished with a score: there is no front.")
        return
    y, x = objectives
    _scales(ax, points, x, y)
    _pale(ax, points[~points["strategy_front"]], x, y, by_strategy=True)
    for strategy in style.in_order(points["strategy"].tolist()):
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
    ax.set(xlabel=OBJECTIVES[x].label, ylabel=label or OBJECTIVES[y].label)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize="small", borderaxespad=0.2)


def _pale(ax: Axes, rows: pd.DataFrame, x: str, y: str, by_strategy: bool = False) -> None:
    """Dominated points, grey or in their strategies' colours; of a great many only those that another would not cover."""
    from matplotlib.colors import to_rgba_array

    rows = _uncovered(rows.sample(frac=1.0, random_state=0), x, y)  # in any order, so that no strategy hides another
    names = rows["strategy"].astype("category")
    looks = [style.look(name).colour if by_strategy else style.muted() for name in names.cat.categories]
    colours = to_rgba_array(looks)[names.cat.codes.to_numpy()] if len(rows) else style.muted()
    many = len(rows) > MOST_VECTORS
    a, b = rows[x].to_numpy(dtype=float), rows[y].to_numpy(dtype=float)
    ax.scatter(a, b, s=7, color=colours, marker="o", alpha=style.PALE, linewidths=0, rasterized=many, zorder=1)


def _uncovered(rows: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Of very many points one in each of a fine grid's cells, smaller than a point is drawn."""
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
    """Draw three objectives: the front of all in the plane of the first two, the third as its colour, dominated points grey.

    Args:
        points: what `objective_front` returns.
        ax: one plot, which gets a colour bar.
        objectives: the first along y, the second along x, the third as colour.
        label: of the y axis; '' for the objective's own.
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
    norm = LogNorm(low, high) if OBJECTIVES[third].log else Normalize(low, high)
    for strategy in style.in_order(front["strategy"].tolist()):
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
    bar.set_label(OBJECTIVES[third].label)
    if OBJECTIVES[third].log:
        _plain_ticks(bar.ax.yaxis)
    ax.set(xlabel=OBJECTIVES[x].label, ylabel=label or OBJECTIVES[y].label)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize="small", borderaxespad=0.2, title=None)


def draw_projection(points: pd.DataFrame, ax: Axes, y: str, x: str, label: str = "") -> None:
    """Draw two of three objectives: the front of all three in the strategies' colours, dominated points grey.

    Args:
        points: what `objective_front` returns.
        ax: one plot.
        y: the objective along y.
        x: the objective along x.
        label: of the y axis; '' for the objective's own.
    """
    if points.empty:
        style.say(ax, "No child finished with a score: there is no front.")
        return
    _scales(ax, points, x, y)
    if OBJECTIVES[x].log and points[x].max() > 100 * points[x].min():
        from matplotlib.ticker import LogLocator

        ax.xaxis.set_major_locator(LogLocator(subs=(1.0,), numticks=6))  # a narrow plot has no room for more
    _pale(ax, points[~points["front"]], x, y)
    for strategy in style.in_order(points.loc[points["front"], "strategy"].tolist()):
        rows, look = points[points["front"] & (points["strategy"] == strategy)], style.look(strategy)
        name = f"{strategy} ({len(rows)})"
        ax.scatter(rows[x], rows[y], s=22, color=look.colour, marker=look.marker, linewidths=0, label=name, zorder=3)
    ax.set(xlabel=OBJECTIVES[x].label, ylabel=label or OBJECTIVES[y].label)


def _legend_above(figure: Figure, ax: Axes) -> None:
    """The legend over the whole figure: over one plot it would push the other aside."""
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
) -> Figure:
    """The front of two objectives beside their attainment surfaces; or that of three in colour, above its three projections.

    Args:
        points: what `objective_front` returns.
        objectives: two or three names.
        surfaces: what `attainment` returns, for two objectives.
        notes: lines under the plots.
        label: of the first objective's axis, e.g. "validation error (fraction)".
    """
    with style.theme():
        if len(objectives) == 2:
            figure = style.new_figure(11.0 if surfaces is not None else 6.0, 4.3 + 0.18 * len(notes))
            axes = figure.subplots(1, 1 if surfaces is None else 2, squeeze=False)[0]
            draw_two(points, axes[0], objectives, label)
            _legend_above(figure, axes[0])
            if surfaces is not None:
                draw_attainment(surfaces, axes[1], objectives, label)
                axes[1].set_title("Attained by half of the runs (bands: 25 to 75%)", loc="left", fontsize="medium")
        else:
            figure = style.new_figure(10.5, 8.2 + 0.18 * len(notes))
            grid = figure.add_gridspec(2, 3, height_ratios=[1.45, 1.0])
            draw_three(points, figure.add_subplot(grid[0, :]), objectives, label)
            first, second, third = objectives
            for place, (y, x) in enumerate(((first, second), (first, third), (second, third))):
                draw_projection(points, figure.add_subplot(grid[1, place]), y, x, label if y == first else "")
        style.caption(figure, notes)
    return figure
