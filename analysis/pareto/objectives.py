"""Two or three objectives: the exact Pareto front, its hypervolume, and attainment surfaces over runs.

All objectives are minimized. Costs span decades, so volumes use their logarithms; the error is used unchanged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.anytime import hours_unit
from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import require_columns, require_one_count
from nasbench.analysis.comparison.groups import Places, group_rows
from nasbench.analysis.inference.intervals import LEVEL, mean_intervals
from nasbench.analysis.pareto.dominance import (
    dominated_volume,
    mark_fronts,
    nondominated,
    scored_children,
)
from nasbench.analysis.plotting import style
from nasbench.costs.units import DEVICE_HOURS
from nasbench.errors import InputError, UnknownName
from nasbench.scores import TEST_ACC, VAL_ACC, judged_by
from nasbench.store.format.frames import from_the_start, longest_trainings
from nasbench.store.format.schema import TABLE
from nasbench.store.measured import Measured, Wanted, choose, join, not_measured, of_trainings, split_names

Floats = NDArray[np.float64]
ALL = "all"
SURFACES = (25, 50, 75)


@dataclass(frozen=True)
class Objective:
    """A quantity of an architecture that is to be minimized.

    Args:
        label: label of an axis, with the unit.
        columns: columns of children from which it is computed.
        log: whether it is a cost: positive, and drawn on a logarithmic axis.
    """

    label: str
    columns: tuple[str, ...]
    log: bool = True


ERROR = "error"
OBJECTIVES: dict[str, Objective] = {
    ERROR: Objective("error (fraction)", (), log=False),
    "params": Objective("parameters", ("params",)),
    "mult_adds": Objective("multiply-adds for one image", ("mult_adds",)),
    "gpu_hours": Objective("device-hours to train", ("gpu_hours",)),
    "device_seconds": Objective("device-seconds to train", ("device_seconds",)),
    "usd": Objective("USD to train", ("usd",)),
    "validation_seconds_per_epoch": Objective(
        "seconds for one pass over the validation images", ("eval_seconds", "epochs", "platform")
    ),
}
_NEGATED = "-"
_LENGTHS = ("index", "stop_epoch", "from_epoch", "continues")  # of trainings that stop early and go on
_KEYS = ("strategy", "hash", "space", "status", "stage", "counted", "protocol", "fingerprint", "run")


def objective_of(name: str) -> Objective:
    """Return the objective of a name.

    Args:
        name: one of `OBJECTIVES`, or a measured quantity, e.g. "latency"; after a "-" one whose higher values are
            better, which is therefore negated.

    Returns:
        The objective. That of a measured quantity has no columns, and its unit is in the label of the points.
    """
    return OBJECTIVES.get(name) or Objective(name, (), log=not name.startswith(_NEGATED))


def parse_objectives(text: str, quantities: Collection[str] = ()) -> tuple[str, ...]:
    """Parse a comma-separated list of two or three names of objectives.

    Args:
        text: the list, e.g. "error,params" or "error,latency[method=eager]"; a hyphen in a name is the same as an
            underscore.
        quantities: measured quantities of the files, which are objectives as well.

    Returns:
        The names, in their order.

    Raises:
        UnknownName: for an unknown name.
        InputError: for another number of names, a repeated one, or a quantity that was not measured.
    """
    names = []
    for part in split_names(text):
        quantity = Wanted.parse(part).quantity
        usual = quantity.replace("-", "_")
        if quantity in quantities:
            names.append(part)
        elif usual in OBJECTIVES and "[" not in part:
            names.append(usual)
        elif quantity == "latency":
            raise not_measured(quantity, sorted(quantities))
        else:
            raise UnknownName("objective", part, [*OBJECTIVES, *quantities])
    if len(names) not in (2, 3) or len(set(names)) < len(names):
        known = ", ".join([*OBJECTIVES, *sorted(quantities)])
        raise InputError(f"--objectives takes two or three different ones of {known}; got {text!r}")
    return tuple(names)


def with_measured(
    frame: pd.DataFrame, names: Sequence[str], measurements: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[str, ...], list[str]]:
    """Add the measured ones of some objectives to the children, as columns of their names.

    Args:
        frame: children.
        names: result of `parse_objectives`.
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.

    Returns:
        The children, the names of the objectives (after a "-" where higher values are better: those are negated), and
        one text per measured objective that says how it was measured.

    Raises:
        InputError: when a quantity was measured in several ways, and the name does not say which; see `choose`.
    """
    here = of_trainings(measurements, frame)
    chosen = [choose(here, name) for name in names if name not in OBJECTIVES]
    joined = join(frame, chosen)
    negated = {each.name: f"{_NEGATED}{each.name}" for each in chosen if each.direction == "higher"}
    for name, column in negated.items():
        joined[column] = -joined[name]
    notes = [_how(each) for each in chosen]
    return joined, tuple(negated.get(name, name) for name in names), notes


def _how(each: Measured) -> str:
    again = f" (of {each.repeated} repeated ones the latest)" if each.repeated else ""
    conditions = f": {each.conditions}" if each.conditions else ""
    return f"{each.quantity} of {len(each.values):,} architectures{again}{conditions}{each.left_out}"


def needed_columns(objectives: Sequence[str], score: str = "val_acc") -> list[str]:
    """Columns of children that `objective_points` reads.

    Args:
        objectives: names of objectives.
        score: the accuracy column.

    Returns:
        Column names.
    """
    devices = ["device"] if "gpu_hours" in objectives else []
    return list(
        dict.fromkeys(
            [
                *_KEYS,
                *_LENGTHS,
                score,
                *devices,
                *(column for name in objectives for column in objective_of(name).columns),
            ]
        )
    )


def parse_reference(text: str, objectives: Sequence[str]) -> dict[str, float]:
    """Parse a reference point: a comma-separated list with one number per objective.

    Args:
        text: comma-separated numbers as people know them: of a quantity of which more is better the value, not its negative.
        objectives: names of the objectives, in the same order.

    Returns:
        Objective -> its worst value, negated as the objective is.

    Raises:
        InputError: for another number of values, or a value that is not a positive number; a quantity of which more is better
            may have any.
    """
    parts = [part.strip() for part in text.split(",")]
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    wrong = [
        not math.isfinite(value) or (value <= 0 and not is_negated(name)) for name, value in zip(objectives, values)
    ]
    if len(values) != len(objectives) or any(wrong):
        any_number = [natural_name(name) for name in objectives if is_negated(name)]
        names = ", ".join(natural_name(name) for name in objectives)
        but = f" (any number for {', '.join(any_number)})" if any_number else ""
        raise InputError(f"--reference takes a positive number for each of {names}{but}, e.g. 1,1e6; got {text!r}")
    return {name: -value if is_negated(name) else value for name, value in zip(objectives, values)}


def reference_text(corner: Mapping[str, float]) -> str:
    """Write a reference point in the numbers that `parse_reference` reads.

    Args:
        corner: objective -> its worst value, as the volumes take it.

    Returns:
        Names and numbers, e.g. "error 1, params 1e+06".
    """
    natural = {name: 0.0 - value if is_negated(name) else value for name, value in corner.items()}
    return ", ".join(f"{natural_name(name)} {value:g}" for name, value in natural.items())


def objective_points(
    frame: pd.DataFrame,
    objectives: Sequence[str],
    score: str = "val_acc",
    by_run: bool = False,
    runs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compute the objectives of every architecture of every strategy.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`) of one protocol, with the columns of `with_measured` for
            measured objectives.
        objectives: names of objectives.
        score: accuracy column; the error is 1 minus it. "test_acc" uses the rows of stage final, all others those
            counted in the search.
        by_run: whether architectures of different runs remain separate, as attainment over seeds requires.
        runs: the runs (`store.format.schema.RUN_COLUMNS`), so that those without a counted child are among the lost ones
            although they may have no rows; None to count those with rows alone.

    Returns:
        strategy, run (with `by_run`), hash, space, n (rows averaged), and one column per objective (mean; of
        trainings that stopped at different epochs the longest, with the costs from their first epoch on). Rows that
        failed or lack a score are left out. `attrs["unit"]` names the unit of device time, `attrs["lost"]` has the
        number of runs none of whose counted children finished, whose front is empty, for each strategy with such runs;
        `attrs["unknown"]` that of runs with finished children none of which has the score and all objectives, e.g. without a
        final training. Their fronts are not known.
        `attrs["unmeasured"]` is the number of architectures left out because an objective was not measured of them.

    Raises:
        InputError: when a column is missing, a cost is not positive, or the rows are of several protocols.
    """
    read = needed_columns(objectives, score)
    require_columns(frame, [name for name in read if name not in _LENGTHS], "the children")
    labels: dict[str, str] = frame.attrs.get("measured", {})
    by_measurement = [name for name in objectives if name not in OBJECTIVES]
    need = dict.fromkeys([*read, *by_measurement, "device"])
    frame = frame[[name for name in need if name in frame.columns]]  # every selection of rows copies all columns
    groups_of = ("strategy", "run", "hash") if by_run else ("strategy", "hash")
    rows = longest_trainings(scored_children(from_the_start(frame), score), groups_of)
    scored = rows["hash"].nunique()
    rows = rows.dropna(subset=by_measurement) if by_measurement else rows
    if by_measurement and scored and rows.empty:
        raise InputError(
            f"no child with a score was measured: {', '.join(by_measurement)} belong to other architectures"
        )
    require_one_count(rows, objectives)
    found = {name: _values(rows, name, score) for name in objectives}
    keys = ["strategy", *(["run"] if by_run else []), "hash"]
    table = rows[[*keys, "space"]].assign(**found)
    groups = table.groupby(keys, sort=False, observed=True)
    means = {name: (name, "mean") for name in objectives}
    points = groups.agg(space=("space", "first"), n=("space", "size"), **means).reset_index()
    points.attrs["unit"] = hours_unit(rows)
    points.attrs["unmeasured"] = scored - rows["hash"].nunique()
    points.attrs["labels"] = {name: _natural(name, labels) for name in by_measurement}
    searched = frame.loc[frame["stage"] == "search", ["strategy", "run", "status", "counted"]]
    finished = (searched["status"] == "ok") & searched["counted"].astype(bool)  # others never become points
    ended = finished.astype(bool).groupby([searched["strategy"], searched["run"]], observed=True).any()
    lost = Counter((~ended).groupby(level=0, observed=True).sum().astype(int).to_dict())
    if runs is not None:
        empty = (runs["children"] == 0) & (runs["strategy"] != TABLE) & ~runs["run"].isin(set(searched["run"]))
        lost.update(runs.loc[empty, "strategy"])
    # Only those there are: pandas copies the attributes with every column that is taken.
    points.attrs["lost"] = {name: count for name, count in lost.items() if count}
    searches = ended[ended].index.to_frame(index=False)
    without = (searches["strategy"] != TABLE) & ~searches["run"].isin(set(rows["run"]))
    unknown = searches.loc[without, "strategy"]
    points.attrs["unknown"] = dict(Counter(unknown.tolist()))
    points.attrs["score"] = score
    return points


def lost_note(points: pd.DataFrame) -> str:
    """Describe how many runs have no point because none of their counted children finished.

    Args:
        points: result of `objective_points`.

    Returns:
        Two sentences; "" if every run has a point.
    """
    lost = {name: count for name, count in points.attrs.get("lost", {}).items() if count}
    if not lost:
        return ""
    counts = ", ".join(f"{lost[name]} of {name}" for name in style.in_order(list(lost)))
    return f"Runs without a score: {counts}. Their hypervolume is 0, and they attain nothing."


def unknown_note(points: pd.DataFrame) -> str:
    """Describe how many runs have no point because the score or an objective of their children is not known.

    Args:
        points: result of `objective_points`.

    Returns:
        Two sentences; "" if there are none.
    """
    unknown: dict[str, int] = points.attrs.get("unknown", {})
    if not unknown:
        return ""
    counts = ", ".join(f"{unknown[name]} of {name}" for name in style.in_order(list(unknown)))
    score = str(points.attrs["score"])
    name = judged_by().name(score) if score in (VAL_ACC, TEST_ACC) else score
    return (
        f"Runs without a point: {counts}. Their children finished, but no architecture of theirs has {name} and all objectives; what they "
        "dominate is not known, and they are not among the runs."
    )


def unmeasured_note(points: pd.DataFrame) -> str:
    """Say how many architectures have no point because an objective was not measured of them.

    Args:
        points: result of `objective_points`.

    Returns:
        A sentence; "" if there are none.
    """
    count = points.attrs.get("unmeasured", 0)
    return f"{count:,} architectures with a score were not measured and are not shown." if count else ""


def is_negated(name: str) -> bool:
    """Whether an objective is a measured quantity of which more is better, so that its values are negated.

    Args:
        name: name of an objective.

    Returns:
        True for such a one.
    """
    return name not in OBJECTIVES and name.startswith(_NEGATED)


def natural_name(name: str) -> str:
    """Name of the quantity of an objective.

    Args:
        name: name of an objective.

    Returns:
        The name without the sign of a negated one.
    """
    return name.removeprefix(_NEGATED) if is_negated(name) else name


def _natural(name: str, labels: dict[str, str]) -> str:
    """Label of a measured quantity; axes run from better to worse values, so that the arrow points to their start."""
    label = labels[natural_name(name)]
    return f"{label} (← higher is better)" if is_negated(name) else label


def axis_label(name: str, points: pd.DataFrame) -> str:
    """Label an objective's axis; hours are GPU-hours if all children were trained on GPUs.

    Args:
        name: name of an objective.
        points: result of `objective_points`.

    Returns:
        The label, with its unit.
    """
    if name == "gpu_hours":
        return f"{points.attrs.get('unit', DEVICE_HOURS)} to train"
    labels: dict[str, str] = points.attrs.get("labels", {})
    return labels.get(name) or objective_of(name).label


def _values(rows: pd.DataFrame, name: str, score: str) -> Floats:
    if name == ERROR:
        return np.asarray(1.0 - rows[score].to_numpy(dtype=float))
    if name not in OBJECTIVES:
        measured: Floats = rows[name].to_numpy(dtype=float)
        if objective_of(name).log and not bool((np.isfinite(measured) & (measured > 0)).all()):
            raise InputError(f"{name}: a measured cost is positive and finite, for its logarithm; it is not everywhere")
        return measured
    columns = OBJECTIVES[name].columns
    found: Floats = rows[columns[0]].to_numpy(dtype=float)
    if name == "validation_seconds_per_epoch":
        epochs = rows["epochs"].to_numpy(dtype=float)
        foreign = ((rows["strategy"] == TABLE) & (rows["platform"] == "") & (rows["status"] == "ok")).to_numpy()
        if foreign.any():
            raise InputError(
                f"{name} is not known of {int(foreign.sum()):,} of {len(rows):,} children, which were imported: tables do not "
                "say in how many passes their eval_seconds were spent; choose other objectives"
            )
        found = np.divide(found, epochs, out=np.zeros_like(found), where=epochs > 0)
    wrong = ~(np.isfinite(found) & (found > 0))
    if wrong.any():
        raise InputError(
            f"{name} is not known of {int(wrong.sum()):,} of {len(rows):,} children (column {columns[0]} is 0 or missing), "
            "as in replays of tables that lack it or without a price; choose other objectives or select rows by --where"
        )
    return found


def objective_front(points: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Mark the points that are on the front.

    Args:
        points: result of `objective_points`.
        objectives: the columns to minimize.

    Returns:
        The points with columns front (not dominated by any point) and strategy_front (not dominated by a point of its
        strategy), sorted by the objectives.
    """
    return mark_fronts(points, objectives)


def reference_point(points: pd.DataFrame, objectives: Sequence[str]) -> dict[str, float]:
    """Choose the worst corner of the volume: error 1, for a cost the power of ten above the largest value, and for a
    negated quantity its largest value.

    Args:
        points: result of `objective_points`.
        objectives: their names.

    Returns:
        Objective -> its worst value.
    """
    corner = {}
    for name in objectives:
        largest = float(points[name].max()) if len(points) else 1.0
        if objective_of(name).log:
            corner[name] = 10.0 ** (math.floor(math.log10(largest)) + 1)
        else:
            corner[name] = 1.0 if name == ERROR else largest
    return corner


def objective_volumes(
    points: pd.DataFrame, objectives: Sequence[str], reference: dict[str, float] | None = None
) -> pd.DataFrame:
    """Compute the hypervolume up to a reference point of each strategy's points, and of all together: larger is better.

    Args:
        points: result of `objective_points`.
        objectives: their names.
        reference: objective -> its worst value; points beyond it do not count. None for `reference_point`.

    Returns:
        strategy (each, then "all"), points, front (points on its front; an architecture that several strategies found counts once in
        "all"), hypervolume (of log10 of costs, and of the error), and reference_<objective>.

    Raises:
        InputError: when the reference of a cost is not positive.

    Source: Zitzler & Thiele 1999, "Multiobjective evolutionary algorithms: a comparative case study and the strength
    Pareto approach", for the hypervolume.
    """
    corner = reference or reference_point(points, objectives)
    for name in objectives:
        if objective_of(name).log and not corner[name] > 0:
            raise InputError(f"the reference of {name} must be positive (its logarithm is taken), got {corner[name]:g}")
    values = points[list(objectives)].to_numpy(dtype=float)
    scaled, bound = _scaled(values, objectives, corner)
    places = points.groupby("strategy", sort=False).indices
    everything, number = np.arange(len(points)), pd.factorize(points["hash"])[0]
    rows = []
    for strategy in [*style.in_order(points["strategy"].unique().tolist()), ALL]:
        mine = everything if strategy == ALL else places[strategy]
        rows.append(
            {
                "strategy": strategy,
                "points": len(np.unique(number[mine])),
                "front": len(np.unique(number[mine][nondominated(values[mine])])),
                "hypervolume": dominated_volume(scaled[mine], bound),
                **{f"reference_{name}": corner[name] for name in objectives},
            }
        )
    return pd.DataFrame(rows)


def scaled_values(points: pd.DataFrame, objectives: Sequence[str]) -> Floats:
    """Return objectives as volumes use them: costs by their logarithm (base 10), others unchanged.

    Args:
        points: one column per objective; costs are positive.
        objectives: their names.

    Returns:
        [points, objectives].
    """
    values = {name: points[name].to_numpy(dtype=float) for name in objectives}
    return np.column_stack([np.log10(values[name]) if objective_of(name).log else values[name] for name in objectives])


def _scaled(values: Floats, objectives: Sequence[str], corner: dict[str, float]) -> tuple[Floats, Floats]:
    """Points and their worst corner as volumes are measured: costs by their logarithms."""
    logs = [objective_of(name).log for name in objectives]
    scaled = np.column_stack([np.log10(column) if log else column for column, log in zip(values.T, logs)])
    bound = np.array([math.log10(corner[name]) if log else corner[name] for name, log in zip(objectives, logs)])
    return scaled, bound


def run_volumes(
    points: pd.DataFrame,
    objectives: Sequence[str],
    reference: dict[str, float] | None = None,
    seed: int = 0,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Compute the hypervolume of single runs: the mean over a strategy's runs, with its interval.

    Args:
        points: result of `objective_points` with `by_run`.
        objectives: their names.
        reference: see `objective_volumes`; the same for all runs.
        seed: seed of the bootstrap over runs.
        level: coverage in (0, 1).

    Returns:
        strategy, runs (those without a point, too, whose volume is 0), mean, low (0 instead of less, which interval
        says), high (NaN where n is too small), interval (text).
    """
    corner = reference or reference_point(points, objectives)
    return run_volumes_of_planes([(points, objectives, corner)], seed, level)[0]


def run_volumes_of_planes(
    planes: Sequence[tuple[pd.DataFrame, Sequence[str], dict[str, float]]], seed: int = 0, level: float = LEVEL
) -> list[pd.DataFrame]:
    """Compute `run_volumes` of the same runs in several planes, with the same resamples of runs.

    Args:
        planes: points, objectives and reference of each plane; all of the same runs.
        seed: see `run_volumes`.
        level: see `run_volumes`.

    Returns:
        Result of `run_volumes` for each plane.
    """
    each = [_volumes_by_strategy(*plane) for plane in planes]
    tables: list[list[dict[str, Any]]] = [[] for _ in planes]
    for strategy in style.in_order(list(dict.fromkeys(name for found in each for name in found))):
        with_it = [(found[strategy], rows) for found, rows in zip(each, tables) if strategy in found]
        draw = partial(generator, seed, strategy, "volume")
        intervals = mean_intervals([[volumes] for volumes, _ in with_it], draw, level)
        for (volumes, rows), found in zip(with_it, intervals):
            row = {"strategy": strategy, "runs": len(volumes), "mean": float(volumes.mean())}
            cut = ", cut at 0" if found.low < 0 else ""  # a t of few runs may reach below the least volume
            text = f"n={len(volumes)}: {found.method}{cut}"
            rows.append(row | {"low": max(found.low, 0.0), "high": found.high, "interval": text})
    columns = ["strategy", "runs", "mean", "low", "high", "interval"]
    return [pd.DataFrame(rows, columns=columns) for rows in tables]


def _volumes_by_strategy(
    points: pd.DataFrame, objectives: Sequence[str], corner: dict[str, float]
) -> dict[str, Floats]:
    """Hypervolumes of each strategy's runs; 0 for those without a point."""
    lost: dict[str, int] = points.attrs.get("lost", {})
    scaled, bound = _scaled(points[list(objectives)].to_numpy(dtype=float), objectives, corner)
    places, run_of = points.groupby("strategy", sort=False).indices, _numbered(points["run"])
    found = {}
    for strategy in [*points["strategy"].unique(), *(name for name, count in lost.items() if count)]:
        mine = _by_run(places[strategy], run_of) if strategy in places else []
        volumes = [dominated_volume(scaled[run], bound) for run in mine]
        found[strategy] = np.array([*volumes, *([0.0] * lost.get(strategy, 0))])
    return found


def _numbered(runs: pd.Series[str]) -> Places:
    """Number of each row's run, in the order of the runs' names."""
    numbers: Places = pd.factorize(runs, sort=True)[0]
    return numbers


def _by_run(rows: Places, run_of: Places) -> list[Places]:
    """Split positions of rows by their runs, in the order of the runs' numbers."""
    return [rows[part] for part in group_rows(run_of[rows])]


def surfaces_of_runs(single: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame | None:
    """Compute the attainment surfaces that a plot shows.

    Args:
        single: result of `objective_points` with `by_run`.
        objectives: their names.

    Returns:
        Result of `attainment`; None for three objectives, without points, and for a complete table, whose runs are
        training seeds and no searches.
    """
    searched = single[single["strategy"] != TABLE]
    searched.attrs |= single.attrs
    return attainment(searched, objectives) if len(objectives) == 2 and len(searched) else None


def attainment(points: pd.DataFrame, objectives: Sequence[str], percents: Sequence[int] = SURFACES) -> pd.DataFrame:
    """Compute empirical attainment surfaces: the points that a given percentage of a strategy's runs attain or surpass.

    Args:
        points: result of `objective_points` with `by_run`.
        objectives: two or three names.
        percents: percentages of the runs, in (0, 100].

    Returns:
        strategy, runs (those without a point, too, which attain nothing), percent, and one column per objective: the
        corners of each surface, sorted; none where fewer than that percentage of the runs have a point.

    Source: Fonseca, Guerreiro, Lopez-Ibanez & Paquete 2011, "On the computation of the empirical attainment function";
    computed by moocore.
    """
    values, lost = points[list(objectives)].to_numpy(dtype=float), points.attrs.get("lost", {})
    places, run_of = points.groupby("strategy", sort=False).indices, _numbered(points["run"])
    parts: list[tuple[str, int, int, Floats]] = []
    for strategy in style.in_order(points["strategy"].unique().tolist()):
        mine = _by_run(places[strategy], run_of)
        rows, sets = np.concatenate(mine), np.repeat(np.arange(1, len(mine) + 1), [len(run) for run in mine])
        have = len(mine)
        runs = have + lost.get(strategy, 0)
        # So many runs attain the surface, of those with points; few runs have the same one for several percentages.
        needed = {percent: math.ceil(percent * runs / 100 - 1e-9) for percent in sorted(percents)}
        counts = sorted({count for count in needed.values() if count <= have})
        surfaces_of = dict(zip(counts, _surfaces(values[rows], sets, [100 * count / have for count in counts])))
        parts += [
            (strategy, runs, percent, surfaces_of[count]) for percent, count in needed.items() if count in surfaces_of
        ]
    columns = ["strategy", "runs", "percent", *objectives]
    surfaces = pd.DataFrame(columns=columns)
    if parts:
        lengths = [len(part[-1]) for part in parts]
        corners = np.concatenate([part[-1] for part in parts])
        each = {
            name: pd.Series(column).repeat(lengths).reset_index(drop=True)
            for name, column in zip(columns, ([part[place] for part in parts] for place in range(3)))
        }
        surfaces = pd.DataFrame({**each, **dict(zip(objectives, corners.T))})[columns]
    surfaces.attrs |= points.attrs
    return surfaces


def _surfaces(values: Floats, sets: NDArray[Any], percents: Sequence[float]) -> list[Floats]:
    """Corners of the surfaces of some percentages of the sets, which rise, each sorted; all are found in one pass."""
    import moocore

    if not percents:
        return []
    found = np.asarray(moocore.eaf(values, sets, percentiles=list(percents)), dtype=float)
    found = found[np.lexsort((*found[:, -2::-1].T, found[:, -1]))]
    return np.split(found[:, :-1], np.flatnonzero(np.diff(found[:, -1])) + 1)
