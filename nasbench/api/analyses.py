"""Analyses of results from Python: `cost`, `pareto`, `curves`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nasbench.api.comparing import Paths, selected_children, selected_runs
from nasbench.api.presentation import Presented
from nasbench.errors import InputError
from nasbench.scores import Score, judging
from nasbench.store.judged import courses_of, judge, measure_of
from nasbench.store.query import Results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.analysis.comparison.anytime import By


@dataclass(frozen=True, eq=False)
class Analysis(Presented):
    """Result of an analysis. As a notebook's last value it is the table, its notes and the figure.

    Args:
        table: the table that the command prints.
        data: rows behind the figure, one per mark.
        notes: sentences about both.
        draw: function that makes the figure.
    """

    table: pd.DataFrame
    data: pd.DataFrame
    notes: tuple[str, ...]
    draw: Callable[[], Figure]

    @cached_property
    def figure(self) -> Figure:
        """The figure, drawn when it is first asked for."""
        return self.draw()

    def _shown(self) -> pd.DataFrame:
        return self.table

    def _drawn(self) -> pd.DataFrame:
        return self.data


def cost(
    paths: Paths,
    *,
    where: str | None = None,
    allow: Collection[str] = (),
    target: float | None = None,
    at: str | None = None,
    price: str | float | None = None,
    carbon_intensity: str | float | None = None,
    score: str = "val_acc",
) -> Analysis:
    """Compute what searches cost in device-hours and USD, by ledger category. As `nasbench cost`.

    Args:
        paths: results files.
        where: as for `compare`.
        allow: as for `compare`.
        target: validation score; the cost to reach it is computed too. An accuracy is in [0, 1].
        at: device at whose price all hours are counted, e.g. "V100"; None for the devices that were used.
        price: USD per device-hour, or a CSV price table; None for what was charged, with `at` for the shipped table.
        carbon_intensity: grams of CO2 equivalents per kWh, or a region of the shipped table, e.g. "FR"; adds the
            emissions of the measured energy.
        score: what the target is of; as for `compare`.

    Returns:
        The mean cost of a run of each strategy; columns as in `nasbench.analysis.costs.cost.cost_by_strategy`, and kwh
        and co2e_grams: NaN where no hardware counter was read.

    Raises:
        InputError: when no children are left, the rows cannot be compared, runs are of several tables, or a device has no
            price.
        MissingResults, StoreError: when there is no such file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> nasbench.cost("first.h5", price=2.0).table["strategy"].tolist()
        ['random']
    """
    from nasbench.analysis.comparison.checks import check_comparable
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.analysis.comparison.reaching import table_of_runs
    from nasbench.analysis.costs.cost import cost_by_strategy, part_cores_note, plot_cost, uncounted_note
    from nasbench.analysis.costs.cost_on_other_devices import emissions, emissions_note, energy_by_strategy, energy_note
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.costs.carbon import intensity_of
    from nasbench.costs.pricing import prices_from
    from nasbench.runners.search.budget_of_runs import budget_in

    frame, runs, judged = _rows(paths, where, score, COMPARED)
    tables = sorted(set(table_of_runs(frame, runs)))
    if len(tables) > 1:
        raise InputError(f"the cost is of one table, and these are {', '.join(tables)}: choose one by where")
    checked = check_comparable(frame, runs, allow)
    prices = None if price is None else prices_from(str(price))
    with judging(judged):
        data = cost_by_strategy(frame, runs, prices, target, at, budget_in(runs, "gpu_hours"))
    energy = energy_by_strategy(runs)
    intensity = None if carbon_intensity is None else intensity_of(str(carbon_intensity))
    columns = ["strategy", "kwh"]
    if intensity is not None:
        energy = emissions(energy, intensity)
        columns.append("co2e_grams")
    data = data.merge(energy[columns], on="strategy")
    notes = (
        f"Priced at: {'; '.join(sorted(set(data['priced_at'])))}.",
        *checked,
        energy_note(energy),
        *([] if intensity is None else [emissions_note(energy, intensity)]),
        *(f"{line}." for line in (uncounted_note(runs), part_cores_note(frame, runs)) if line),
    )
    with judging(judged):
        about = describe_rows(frame, ("val_acc",) if target is not None else (), len(runs))
    return Analysis(data, data, notes, lambda: plot_cost(data, notes[1:], about))


def pareto(
    paths: Paths,
    objectives: Sequence[str] = ("error", "params"),
    *,
    score: str = "val_acc",
    where: str | None = None,
    measurements: Paths = (),
    over: By | None = None,
    seed: int = 0,
) -> Analysis:
    """Find the architectures that no other one beats in every objective. As `nasbench pareto --objectives`.

    Args:
        paths: results files.
        objectives: two or three to minimize: "error", "params", "mult_adds", "gpu_hours", "device_seconds", "usd",
            "validation_seconds_per_epoch", or a measured quantity with conditions, e.g. "latency[batch=1]".
        score: what points need: "val_acc", "val_acc_best" or "test_acc", accuracies whose complement is the error;
            "val_loss" or a measured quantity. Runs that state another score than accuracy are judged by that.
        where: as for `compare`.
        measurements: further files of measurements, as `nasbench latency -o` writes them.
        over: unit of the budget over which hypervolumes are computed, "children", "gpu_hours", "usd" or "wall"; None for
            the fronts at the end.
        seed: seed of the bootstrap over runs, and of the bands, >= 0.

    Returns:
        The hypervolume of each strategy as `table`; all architectures as `data`, those of the front marked in its
        column "front". With `over`: medians over runs with a band, at quarters of the budget as `table` and at all its
        steps as `data`; `notes` has a test of each pair of strategies.

    Raises:
        UnknownName, InputError: for unknown objectives, or when no children are left.
        MissingResults, StoreError: when there is no such file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> found = nasbench.pareto("first.h5", ["error", "mult_adds"])
        >>> bool(found.data["front"].any())
        True
    """
    from nasbench.analysis.comparison.checks import budgets_note, require_columns, unfinished_note
    from nasbench.analysis.comparison.columns import SIZED
    from nasbench.analysis.pareto import objectives as fronts
    from nasbench.analysis.pareto.objective_plots import plot_objectives
    from nasbench.analysis.pareto.pareto import without_score
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.store.measured import read_measurements

    with Results(paths) as opened:
        measured = read_measurements(opened, measurements)
    names = fronts.parse_objectives(",".join(objectives), set(measured["quantity"]))
    frame, all_runs, judged = _rows(
        paths,
        where,
        "val_acc" if score == "val_acc_best" else score,
        [
            *dict.fromkeys(
                [*SIZED, *fronts.needed_columns(names), *(["val_acc_best"] if score == "val_acc_best" else [])]
            )
        ],
    )
    score = score if score == "val_acc_best" else measure_of(score)
    if "error" in names and not judged.is_accuracy:
        raise InputError(f"error is 1 - accuracy, and these runs are judged by {judged.val}: name that in its place")
    require_columns(frame, (score,), "the children")
    frame, names, how = fronts.with_measured(frame, names, measured)
    single = fronts.objective_points(frame, names, score, by_run=True, runs=all_runs)
    points = fronts.objective_front(fronts.objective_points(frame, names, score), names)
    corner = fronts.reference_point(points, names)
    if over is not None:
        return _volumes_over(frame, all_runs, names, corner, score, over, seed)
    volumes = fronts.objective_volumes(points, names, corner)
    runs = fronts.run_volumes(single, names, corner, seed)
    table = volumes[["strategy", "points", "front", "hypervolume"]].merge(
        runs, on="strategy", how="left", suffixes=("", "_of_a_run")
    )
    left_out = without_score(frame, score)
    notes = (
        *([f"{left_out:,} children without a score are not shown."] if left_out else []),
        *filter(None, [unfinished_note(all_runs), budgets_note(all_runs)]),
        *(f"{line}." for line in how),
        *filter(None, [fronts.unmeasured_note(points), fronts.lost_note(single), fronts.unknown_note(single)]),
        f"Hypervolume up to {fronts.reference_text(corner)}, of the logarithms (base 10) of costs: larger is better.",
    )
    surfaces = fronts.surfaces_of_runs(single, names)
    about = "; ".join([describe_rows(frame, (score,) if "error" in names else ()), *how])
    return Analysis(table, points, notes, lambda: plot_objectives(points, names, surfaces, notes, "", about))


def _volumes_over(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    names: Sequence[str],
    corner: dict[str, float],
    score: str,
    over: By,
    seed: int,
) -> Analysis:
    from nasbench.analysis.pareto import volume_course as course
    from nasbench.analysis.pareto.objectives import reference_text
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.runners.search.budget_of_runs import one_budget

    one_budget(runs[runs["run"].isin(set(frame["run"]))], over)  # volumes of runs of several budgets are not compared
    courses = course.volume_courses(frame, runs, names, corner, score, over)
    data = course.volume_bands(courses, seed)
    notes = (
        f"Hypervolume up to {reference_text(corner)}, of the logarithms (base 10) of costs: larger is better.",
        *course.comparison_lines(course.volume_tests(courses)),
    )
    about = describe_rows(frame, (score,) if "error" in names else (), len(runs))
    return Analysis(course.at_quarters(data), data, notes, lambda: course.plot_volume_course(data, notes, about))


def curves(paths: Paths, *, where: str | None = None, best: int = 5, score: str = "val_acc") -> Analysis:
    """Read the learning curves of the children, the best ones in front. As `nasbench curves`.

    Args:
        paths: results files.
        where: as for `compare`.
        best: number of curves in front, >= 1.
        score: as for `compare`.

    Returns:
        The last epoch of the curves in front as `table`; all curves as `data`, one row per child and epoch.

    Raises:
        InputError: when no children are left, or none has a curve.
        MissingResults, StoreError: when there is no such file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> nasbench.curves("first.h5", best=2).table["rank"].tolist()
        [1, 2]
    """
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.analysis.comparison.curves import CURVE_COLUMNS, learning_curves, plot_curves, require_curves
    from nasbench.analysis.plotting.captions import describe_rows

    if best < 1:
        raise InputError(f"best={best}: at least one curve is in front, e.g. best=5")
    with Results(paths) as results:
        frame = selected_children(results, where, COMPARED)
        stored = results.all_curves([*CURVE_COLUMNS, "val_loss"], as_categories=True)
        measured, runs = results.measurements(), results.runs()
    frame, judged = judge(frame, runs[runs["run"].isin(set(frame["run"]))], measured, score)
    with judging(judged):
        data = learning_curves(courses_of(stored, measured, judged), frame, best)
        require_curves(data, len(frame))
    front = data[data["front"]].groupby("rank").tail(1).sort_values("rank")
    table = front[["rank", "strategy", "hash", "epoch", "val_acc"]].astype({"rank": int}).reset_index(drop=True)

    def draw() -> Figure:
        with judging(judged):
            return plot_curves(data, (), describe_rows(frame, ("val_acc",)), frame)

    return Analysis(table.rename(columns={"val_acc": judged.val}), data, (), draw)


def _rows(
    paths: Paths, where: str | None, score: str, columns: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame, Score]:
    """Columns of the children for which an expression holds, with the score in place of accuracies, their runs, and the score."""
    with Results(paths) as results:
        frame, measured = selected_children(results, where, columns), results.measurements()
        runs, left_out = selected_runs(results, where, frame)
    if left_out:
        warnings.warn(left_out, stacklevel=3)
    judged_frame, judged = judge(frame, runs, measured, score)
    return judged_frame, runs, judged
