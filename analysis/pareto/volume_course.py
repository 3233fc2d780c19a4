"""Hypervolume over the budget: how much of the space of objectives the children of a search dominate so far."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import By, budget_label, hours_unit, spans_decades, trajectories
from nasbench.analysis.comparison.bands import bands, with_simultaneous
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS
from nasbench.analysis.comparison.reaching import require_finished
from nasbench.analysis.inference.equivalence import POWER
from nasbench.analysis.inference.two_samples import compare_groups, corrected
from nasbench.analysis.inference.verdicts import NOT_SHOWN
from nasbench.analysis.pareto.dominance import dominated_volume, nondominated
from nasbench.analysis.pareto.objectives import objective_points, scaled_values
from nasbench.analysis.plotting import style
from nasbench.analysis.plotting.captions import caption
from nasbench.errors import InputError
from nasbench.scores import ACCURACY, judging
from nasbench.store.format.schema import TABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COURSE_COLUMNS = ("run_seed", "spent_gpu_hours", "wall_seconds", "test_acc", "val_acc", "index")
"""Columns of children that `volume_courses` reads beside those of the objectives."""
STEPS = 40
"""Budgets at which volumes are computed; each takes a front of all children before it."""


def volume_courses(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    objectives: Sequence[str],
    corner: dict[str, float],
    score: str = "val_acc",
    by: By = "children",
    steps: int = STEPS,
) -> pd.DataFrame:
    """Compute the hypervolume of the children of each run so far, at budgets that all runs share.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`), with measured objectives as columns.
        runs: their runs (`store.format.schema.RUN_COLUMNS`), complete, with those that have no counted child.
        objectives: two or three names.
        corner: objective -> its worst value; points beyond it do not count.
        score: accuracy column of the children in the search, e.g. "val_acc".
        by: unit of the budget, see `anytime.trajectories`.
        steps: number of budgets, evenly spaced from the first child to the last one, >= 1.

    Returns:
        strategy, run, seed, by, budget, hypervolume (0 before the first child with a score, and of a run without a
        counted child; a run that ended keeps its value), spent (by the run until its last child), unit.

    Raises:
        InputError: for a score of final trainings, for complete tables, for an unfinished run, or where what was spent is not
            known.
    """
    if score.startswith("test"):
        raise InputError(
            f"volumes over the budget are of the children of a search, which have no {score}; take val_acc"
        )
    searched = frame[frame["strategy"] != TABLE]
    if searched.empty:
        raise InputError("a complete table has no course: volumes over the budget are of searches")
    require_finished(runs[runs["strategy"] != TABLE], "a hypervolume over the budget")
    course = trajectories(searched, runs[runs["run"].isin(set(searched["run"]))], by)
    if course["spent"].isna().any():
        raise InputError(f"some of these runs have no {by.replace('_', '-')}: what they spent is not known")
    points = _points_in_order(searched, objectives, score)
    grid = np.unique(
        np.linspace(course["spent"].min(), course["spent"].max(), steps)
    )  # its end is the largest, exactly
    if by == "children":
        grid = np.unique(grid.round())
    worst = scaled_values(pd.DataFrame([corner]), objectives)[0]
    rows = []
    for run, mine in course.groupby("run", sort=False):
        values = points.loc[points["run"] == run, list(objectives)]
        scaled = scaled_values(values, objectives)
        spent = mine["spent"].to_numpy(dtype=float)
        volumes = _volumes(scaled, np.searchsorted(spent, grid, side="right"), worst)
        about = {"strategy": mine["strategy"].iloc[0], "run": run, "seed": mine["seed"].iloc[0], "by": by}
        rows.append(pd.DataFrame({**about, "budget": grid, "hypervolume": volumes, "spent": spent[-1]}))
    # A run whose budget ended before a child counted has chosen nothing: to leave it out would flatter its strategy.
    nothing = runs[(runs["strategy"] != TABLE) & (runs["children"] == 0) & ~runs["run"].isin(set(course["run"]))]
    for run in nothing.itertuples():
        about = {"strategy": run.strategy, "run": run.run, "seed": run.seed, "by": by}
        rows.append(pd.DataFrame({**about, "budget": grid, "hypervolume": 0.0, "spent": 0.0}))
    return pd.concat(rows, ignore_index=True).assign(unit=hours_unit(searched))


def _points_in_order(frame: pd.DataFrame, objectives: Sequence[str], score: str) -> pd.DataFrame:
    """Objectives of the counted children in the order of `anytime.trajectories`; NaN for those without a score."""
    rows = frame[(frame["stage"] == "search") & frame["counted"].astype(bool)]
    rows = rows.sort_values(["run", "spent_gpu_hours"], kind="stable").reset_index(drop=True)
    if "stop_epoch" in frame:  # a child that stops early has its own score, not one that its architecture reaches later
        early = frame.groupby("run")["stop_epoch"].transform("max") > 0
        frame, rows = _by_child(frame, early), _by_child(rows, rows["run"].isin(set(frame.loc[early, "run"])))
    means = objective_points(frame, objectives, score, by_run=True)
    keys = ["run", "hash"]
    ok = (rows["status"] == "ok") & rows[score].notna()
    found = rows[keys].merge(means[[*keys, *objectives]], on=keys, how="left")
    return found.where(ok, other=np.nan).assign(run=rows["run"])


def _by_child(frame: pd.DataFrame, which: pd.Series[bool]) -> pd.DataFrame:
    """Give each of some children a name of its own in place of its hash."""
    own = frame["hash"].astype(str) + "/" + frame["index"].astype(str)
    return frame.assign(hash=own.where(which, frame["hash"]))


def _volumes(values: np.ndarray, counts: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """Volume of the first children, for each of some rising numbers of them."""
    front, before, found = values[:0], 0, []
    for count in counts.tolist():
        if count > before:
            new = values[before:count]
            front = np.concatenate([front, new[np.isfinite(new).all(axis=1)]])
            front = front[nondominated(front)]
            before = count
        found.append(dominated_volume(front, worst))
    return np.array(found)


def volume_bands(courses: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Compute the median hypervolume over the runs of each strategy, with bands.

    Args:
        courses: result of `volume_courses`.
        seed: seed of the drawn signs of the simultaneous bands.

    Returns:
        strategy, by, budget, runs, median, low, high, interval (text), spent, unit; the band is that of
        `bands.bands`: simultaneous from 10 runs on.
    """
    named = courses.rename(columns={"hypervolume": "val_acc"}).assign(test_acc=np.nan)  # `bands` names what it reads so
    with judging(ACCURACY):  # whatever the score, more volume is better, and its numbers are not to be turned
        found = with_simultaneous(bands(named, seed))
    found = found[found["measure"] == "val_acc"]
    columns = ["strategy", "by", "budget", "runs", "median", "low", "high", "interval", "spent", "unit"]
    return found[columns].reset_index(drop=True)


def volume_tests(courses: pd.DataFrame) -> pd.DataFrame:
    """Compare the hypervolume at the end of the runs, each pair of strategies as independent samples.

    Args:
        courses: result of `volume_courses`.

    Returns:
        first, second and the columns of `two_samples.compare_groups` with Holm's correction, see
        `two_samples.corrected`; without rows for one strategy. There is no margin of equivalence, because nobody knows
        which difference of hypervolumes does not matter.
    """
    ends = courses.sort_values("budget").groupby(["strategy", "run"], sort=False)["hypervolume"].last()
    groups = {name: values.to_numpy(dtype=float) for name, values in ends.groupby(level=0)}
    names = style.in_order(list(groups))
    rows = [
        {"first": first, "second": second} | compare_groups(groups[first], groups[second], margin=None)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    ]
    return corrected(pd.DataFrame(rows)) if rows else pd.DataFrame(columns=["first", "second"])


def comparison_lines(tests: pd.DataFrame) -> list[str]:
    """Write each comparison in one line.

    Args:
        tests: result of `volume_tests`.

    Returns:
        One sentence per pair.
    """
    return [
        f"{row['first']} - {row['second']}: {row['difference']:+.3g} {_interval(row)}, n={row['n_first']} and {row['n_second']}, "
        f"A12 {row['improvement']:.2f}, p = {row['p']:.2g} (Holm {row['p_holm']:.2g}): {row['finding']}"
        f"{_detectable(row)}."
        for row in tests.to_dict("records")
    ]


def _detectable(row: Mapping[Hashable, Any]) -> str:
    """What these runs could have shown, where they have not shown a difference."""
    if row["finding"] != NOT_SHOWN:
        return ""
    known = np.isfinite(row["detectable"])
    return (
        f"; detectable at this n: {row['detectable']:.2g} ({POWER:.0%} power, one test without correction)"
        if known
        else ""
    )


def _interval(row: Mapping[Hashable, Any]) -> str:
    low, high = row["difference_low"], row["difference_high"]
    return (
        f"[{low:+.3g}, {high:+.3g}]" if np.isfinite(low) else "(no interval: fewer than 5 runs or no spread on a side)"
    )


def at_quarters(data: pd.DataFrame) -> pd.DataFrame:
    """Select the budgets nearest to a quarter, a half, three quarters and all of what was spent.

    Args:
        data: result of `volume_bands`.

    Returns:
        strategy, runs, budget, median, low, high, interval.
    """
    budgets = np.unique(data["budget"].to_numpy(dtype=float))
    wanted = [budgets[np.abs(budgets - share * budgets[-1]).argmin()] for share in (0.25, 0.5, 0.75, 1.0)]
    rows = data[data["budget"].isin(wanted)]
    return rows[["strategy", "runs", "budget", "median", "low", "high", "interval"]].reset_index(drop=True)


def written(quarters: pd.DataFrame) -> pd.DataFrame:
    """Write hypervolumes with as many decimals as it takes to see how far apart they are.

    Args:
        quarters: result of `at_quarters`.

    Returns:
        The same rows, with median, low and high as texts: 2 digits of the smallest distance between two of them at one
        budget, at least 3 decimals and at most 9.
    """
    numbers = quarters[["median", "low", "high"]].to_numpy(dtype=float)
    apart = [
        np.diff(np.unique(numbers[(quarters["budget"] == budget).to_numpy()])) for budget in quarters["budget"].unique()
    ]
    seen = np.concatenate(apart) if apart else np.array([])
    seen = seen[np.isfinite(seen) & (seen > 1e-9)]
    decimals = int(np.clip(1 - np.floor(np.log10(seen.min())), 3, 9)) if len(seen) else 3
    texts = {name: [f"{value:.{decimals}f}" for value in quarters[name]] for name in ("median", "low", "high")}
    return quarters.assign(**texts)


def draw_volume_course(data: pd.DataFrame, ax: Axes) -> None:
    """Draw the median of each strategy as a line and its band.

    Args:
        data: result of `volume_bands`.
        ax: one plot.
    """
    if data.empty:
        style.say(ax, "No child finished with a score: there is no volume.")
        return
    ends = []
    for strategy in style.in_order(data["strategy"].unique().tolist()):
        rows, look = data[data["strategy"] == strategy], style.look(strategy)
        budget, middle, low, high = (rows[name].to_numpy(dtype=float) for name in ("budget", "median", "low", "high"))
        ax.fill_between(budget, low, high, step="post", color=look.colour, alpha=0.15, linewidth=0)
        line = {"color": look.colour, "linestyle": style.line_style(strategy), "linewidth": 1.8}
        ax.plot(budget, middle, drawstyle="steps-post", **line)
        ends.append((float(middle[-1]), f"{strategy} (n={int(rows['runs'].iloc[0])})", look.colour))
    first, last = float(data["budget"].min()), float(data["budget"].max())
    if spans_decades(first, last):
        style.logarithmic(ax, first, last)
    ax.set(xlabel=budget_label(str(data["by"].iloc[0]), str(data["unit"].iloc[0])), ylabel="hypervolume so far")
    style.label_ends(ax, ends)


def _bands_in_words(data: pd.DataFrame) -> str:
    """Say what the bands are: simultaneous ones take 10 runs, and of fewer than 5 there is the range alone."""
    kinds = sorted({name.partition(": ")[2] for name in data["interval"]} - {""}) if len(data) else []
    words = [kind.replace("range, insufficient", f"range (fewer than {ENOUGH_SEEDS} seeds)") for kind in kinds]
    return f"; bands, each budget by itself unless simultaneous: {' or '.join(words)}" if words else ""


def plot_volume_course(data: pd.DataFrame, notes: Sequence[str] = (), about: str = "") -> Figure:
    """Make a figure of `draw_volume_course`.

    Args:
        data: result of `volume_bands`.
        notes: sentences for the text beside the picture.
        about: description of the data for the caption, as `captions.describe_rows` writes it.

    Returns:
        The figure.
    """
    with style.theme():
        figure = style.new_figure(7.0, 4.4)
        ax = figure.subplots()
        caption(figure, about, f"Lines: medians over runs{_bands_in_words(data)}.", notes)
        draw_volume_course(data, ax)
    return figure
