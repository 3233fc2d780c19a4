"""Contents of a report as frames and sentences, independent of its format."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.anytime import By, anytime, at_the_end, known_axis, trajectories
from nasbench.analysis.comparison.bands import bands
from nasbench.analysis.comparison.checklist import checklist
from nasbench.analysis.comparison.checks import BASELINE, check_comparable, fairness
from nasbench.analysis.comparison.columns import LISTED, REPORTED
from nasbench.analysis.comparison.compare import summarize
from nasbench.analysis.comparison.curves import CURVE_COLUMNS, count_curves, learning_curves
from nasbench.analysis.comparison.sharing import computed_once
from nasbench.analysis.costs.cost import cost_by_strategy
from nasbench.analysis.costs.cost_on_other_devices import cost_on_other_devices, energy_by_strategy
from nasbench.analysis.pareto.dominance import nondominated, scored_children
from nasbench.analysis.pareto.objectives import (
    attainment,
    objective_front,
    objective_points,
    objective_volumes,
    reference_point,
    run_volumes_of_planes,
)
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.final_scores import final_scores, score_intervals
from nasbench.analysis.statistics.selection import has_fresh_scores, selection_noise
from nasbench.analysis.statistics.significance import unpaired_tests
from nasbench.costs.pricing import PriceTable
from nasbench.errors import printable
from nasbench.scores import judged_by
from nasbench.store.format.frames import whole_trainings
from nasbench.store.format.schema import TABLE
from nasbench.store.judged import courses_of
from nasbench.store.measured import every_way, of_trainings, read_measurements
from nasbench.texts import json_object

if TYPE_CHECKING:
    from nasbench.store.query import Results

COURSES: tuple[By, ...] = ("children", "gpu_hours")
PLANES = {
    "params": ("error", "params"),
    "mult_adds": ("error", "mult_adds"),
    "both": ("error", "params", "mult_adds"),
}
COSTS = {"params": "parameters", "mult_adds": "multiply-adds"}
FINALS = ("val_acc", "test_acc")


@dataclass(frozen=True)
class Selection:
    """Data for a report.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`), at least one.
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        curves: one row per epoch, from `Results.all_curves`, with `curves.CURVE_COLUMNS`; or a function that reads them.
        files: names of the results files.
        measurements: rows of the table of measurements.
    """

    frame: pd.DataFrame
    runs: pd.DataFrame
    curves: pd.DataFrame | Callable[[], pd.DataFrame]
    files: tuple[str, ...]
    measurements: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(
        cls,
        results: Results,
        frame: pd.DataFrame | None = None,
        others: Sequence[str] = (),
        runs: pd.DataFrame | None = None,
    ) -> Selection:
        """Select all rows of results files, or only the children that are in `frame`.

        Args:
            results: opened results files.
            frame: the children to keep; None for all.
            others: further files of measurements.
            runs: their runs; None for those of the children.

        Returns:
            The children with their runs and files; their curves are read when they are needed, and are not kept.
        """
        every = results.runs()
        children = results.frame(columns_of(every)) if frame is None else frame
        if runs is None:
            runs = every if frame is None else every[every["run"].isin(set(children["run"]))]
        measurements = read_measurements(results, others)
        return cls(children, runs, partial(_curves, results, runs), tuple(results.files), measurements)

    def epochs(self) -> pd.DataFrame:
        """Read the curves.

        Returns:
            One row per epoch, see `curves`.
        """
        return self.curves if isinstance(self.curves, pd.DataFrame) else self.curves()


def columns_of(runs: pd.DataFrame) -> Sequence[str] | None:
    """Columns of children that a report reads.

    Args:
        runs: the runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        Names of columns; None for all, which the report of a complete table needs.
    """
    return None if len(runs) and (runs["strategy"] == TABLE).all() else REPORTED


def _curves(results: Results, runs: pd.DataFrame) -> pd.DataFrame:
    return results.all_curves([*CURVE_COLUMNS, "val_loss"] if columns_of(runs) else None, as_categories=True)


@dataclass(frozen=True)
class Wishes:
    """Options of a report.

    Args:
        title: title of the page; "" for one made from the strategies and data.
        allow: aspects that may differ between the rows, see `check_comparable`.
        seed: seed of all bootstraps.
        best: number of architectures to draw, >= 0.
        target: validation accuracy in [0, 1] for which the cost of reaching it is reported, or None.
        on: devices for which the cost of the same searches is estimated, e.g. ("V100", "A100").
        ran_on: device of hours for which rows name none (a table's simulated clock), or None.
        command: command line that makes this report, "" if there is none.
        budget: the runs' budget in device-hours; None if it is in another unit. See `cost.cost_by_strategy`.
        prices: prices of the devices `on`; None for the shipped ones.
    """

    title: str = ""
    allow: Collection[str] = ()
    seed: int = 0
    best: int = 6
    target: float | None = None
    on: tuple[str, ...] = ()
    ran_on: str | None = None
    command: str = ""
    budget: float | None = None
    prices: PriceTable | None = None


@dataclass(frozen=True)
class Contents:
    """All contents of a report; see the functions of this module for the frames' columns."""

    selection: Selection
    wishes: Wishes
    strategies: tuple[str, ...]
    setup: pd.DataFrame
    summary: pd.DataFrame
    scores: dict[str, pd.DataFrame]
    tests: dict[str, pd.DataFrame]
    noise: pd.DataFrame
    finals: pd.DataFrame
    courses: dict[By, pd.DataFrame]
    cost: pd.DataFrame
    other_devices: pd.DataFrame
    energy: pd.DataFrame
    measured: pd.DataFrame
    volumes: pd.DataFrame
    attained: dict[str, pd.DataFrame]
    learned: pd.DataFrame
    children: pd.DataFrame
    best: pd.DataFrame
    fairness: pd.DataFrame
    checklist: pd.DataFrame
    notes: tuple[str, ...]
    commands: pd.DataFrame
    provenance: pd.DataFrame
    files: pd.DataFrame

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices that trained the children."""
        return tuple(self.selection.frame["device"].unique())


def contents(selection: Selection, wishes: Wishes | None = None) -> Contents:
    """Compute the contents of a report.

    Args:
        selection: the results.
        wishes: options of the report.

    Returns:
        The contents.

    Raises:
        InputError: when the rows are not comparable (see `check_comparable`) or an option is out of range.
    """
    with computed_once():
        return _contents(selection, wishes or Wishes())


def _contents(selection: Selection, wishes: Wishes) -> Contents:
    frame, runs = selection.frame, selection.runs
    own = judged_by()
    # Each of these takes as much memory as the children: what they are made of is not kept beside the others.
    planes_of = _planes(frame, runs, wishes.seed)
    notes = check_comparable(frame, runs, wishes.allow)
    axes = {by: known_axis(frame, runs, by) for by in COURSES}
    kept = [by for by, (axis, _) in axes.items() if axis == by]  # a page has no plot by what no run says
    notes = (*notes, *(unknown for by, (_, unknown) in axes.items() if unknown and by in kept))
    learned = learning_curves(courses_of_score(selection), frame, wishes.best, as_categories=True)
    children = searched_children(frame)
    ends = {measure: final_scores(frame, runs, measure) for measure in FINALS}
    ends = {measure: scores for measure, scores in ends.items() if scores["score"].notna().any()}
    return Contents(
        selection=selection,
        wishes=wishes,
        strategies=tuple(style.in_order(runs["strategy"].unique().tolist())),
        setup=setups(runs),
        summary=summarize(frame, runs),
        scores={
            measure: own.shown(score_intervals(scores, seed=wishes.seed), ["value"], [("low", "high")])
            for measure, scores in ends.items()
        },
        tests={
            measure: own.shown(against_baseline(scores), ["difference"], [("difference_low", "difference_high")])
            for measure, scores in ends.items()
        },
        noise=selection_noise(frame, runs) if has_fresh_scores(frame) else pd.DataFrame(),
        finals=own.shown(finals(frame, runs), ["val_acc", "test_acc"]),
        courses={by: bands(anytime(frame, runs, by, scores_only=True), seed=wishes.seed) for by in kept},
        cost=cost_by_strategy(frame, runs, target=wishes.target, budget=wishes.budget),
        other_devices=cost_on_other_devices(frame, runs, wishes.on, wishes.prices, ran_on=wishes.ran_on)
        if wishes.on
        else pd.DataFrame(),
        energy=energy_by_strategy(runs),
        measured=measured_fronts(frame, selection.measurements),
        **planes_of,
        learned=learned,
        children=children,
        best=own.shown(best_architectures(children, wishes.best), ["val_acc", "test_acc"]),
        fairness=fairness(frame, runs),
        checklist=checklist(frame, runs),
        notes=notes,
        commands=commands(runs),
        provenance=provenance(runs),
        files=files(selection.files),
    )


def _planes(frame: pd.DataFrame, runs: pd.DataFrame, seed: int) -> dict[str, Any]:
    """The fields `volumes` and `attained`, without the points that they are made of."""
    points = plane_points(frame, runs)
    return {"volumes": volumes(points, seed), "attained": attained(points)}


def courses_of_score(selection: Selection) -> pd.DataFrame:
    """Courses of the score by which the runs are judged, over the epochs of each child.

    Args:
        selection: the results.

    Returns:
        Result of `courses_of`.
    """
    return courses_of(selection.epochs(), selection.measurements, judged_by())


def searched_children(frame: pd.DataFrame) -> pd.DataFrame:
    """Select the children of the searches, with the test accuracy of architectures that their run retrained.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).

    Returns:
        Columns `LISTED` of the rows of stage "search" by run and order; `test_acc` is the mean over the final rows of the same run and
        hash, NaN without.
    """
    places = np.flatnonzero((frame["stage"] == "search").to_numpy(dtype=bool))
    order = np.lexsort((frame["index"].to_numpy()[places], pd.factorize(frame["run"].iloc[places], sort=True)[0]))
    rows = frame[[name for name in LISTED if name in frame]].iloc[places[order]]
    tests = frame[(frame["stage"] == "final") & (frame["status"] == "ok")].groupby(["run", "hash"])["test_acc"].mean()
    keys = pd.MultiIndex.from_arrays([rows["run"], rows["hash"]])
    return rows.assign(test_acc=tests.reindex(keys).to_numpy(dtype=float)).reset_index(drop=True)


def setups(runs: pd.DataFrame) -> pd.DataFrame:
    """Make one row per strategy and options.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`.

    Returns:
        strategy, options (text), seeds (number), first and last (seed), complete (runs that are), runs, children.
    """
    options = _by_text(runs["config"], _options)
    whole = (runs["status"] == "complete").astype(int)
    groups = runs.assign(options=options, whole=whole).groupby(["strategy", "options"], sort=False)
    table = groups.agg(
        seeds=("seed", "nunique"),
        first=("seed", "min"),
        last=("seed", "max"),
        complete=("whole", "sum"),
        runs=("run", "size"),
        children=("children", "sum"),
    ).reset_index()
    order = style.in_order(table["strategy"].unique().tolist())
    return table.sort_values("strategy", key=lambda names: names.map(order.index), kind="stable", ignore_index=True)


def _by_text(texts: pd.Series[str], call: Callable[[str], str]) -> pd.Series[str]:
    """Apply a function to each different text once, because thousands of runs share few of them."""
    return texts.map({text: call(text) for text in texts.unique().tolist()})


def _options(config: str) -> str:
    """Strategy options of a run in the form of the command line."""
    options = json_object(config).get("options", {})
    if not isinstance(options, dict):
        return ""
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in options.items()
    )


def finals(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Make the final state of each run.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        strategy, run, seed, hash (incumbent), val_acc, test_acc (NaN if none), children.
    """
    last = at_the_end(trajectories(frame, runs), ["hash", "val_acc", "test_acc", "children"])
    return runs[["strategy", "run", "seed"]].merge(last, on="run", how="left")


def planes(frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Choose the sets of objectives for which the data suffice.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).

    Returns:
        Name in `PLANES` -> objectives. Empty if children of several protocols were allowed together, because their
        errors are not comparable, and if runs are judged by another score than accuracy.
    """
    scores = (frame["stage"] == "search") & (frame["status"] == "ok") & frame["val_acc"].notna()
    scored = frame.loc[scores, ["fingerprint", *PLANES["both"][1:]]]
    if scored["fingerprint"].nunique() != 1 or not judged_by().is_accuracy:
        return {}
    known = {cost for cost in PLANES["both"][1:] if (scored[cost] > 0).all()}
    return {name: objectives for name, objectives in PLANES.items() if known.issuperset(objectives[1:])}


class PlanePoints(NamedTuple):
    """Architectures in one plane: those of all runs of a strategy together, and those of single runs.

    Attributes:
        together: result of `objective_points`.
        single: result of `objective_points` with `by_run`, with the same objectives.
    """

    together: pd.DataFrame
    single: pd.DataFrame


def plane_points(frame: pd.DataFrame, runs: pd.DataFrame) -> dict[str, PlanePoints]:
    """Compute the objectives of every architecture, once for all planes.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`), with those that have no counted child: their fronts are empty.

    Returns:
        Name of each plane that `planes` finds -> its points; without planes that have no points.
    """
    found = planes(frame)
    every = list(dict.fromkeys(name for objectives in found.values() for name in objectives))
    if not found:
        return {}
    together, single = objective_points(frame, every), objective_points(frame, every, by_run=True, runs=runs)
    if single.empty:
        return {}
    return {
        name: PlanePoints(*(whole.drop(columns=[*set(every) - set(objectives)]) for whole in (together, single)))
        for name, objectives in found.items()
    }


def volumes(points: Mapping[str, PlanePoints], seed: int) -> pd.DataFrame:
    """Hypervolumes of each strategy's architectures: of all its runs together, and the mean over single runs.

    Args:
        points: result of `plane_points`.
        seed: seed of the bootstrap over runs.

    Returns:
        Rows by plane (of `PLANES`) and strategy, "all" last: points and front (architectures), hypervolume (of all runs
        together), runs, mean, low and high (of single runs; NaN for "all"), up_to (the reference point in words).
    """
    tables, planes = [], []
    for plane, (together, single) in points.items():
        objectives = PLANES[plane]
        front = objective_front(together, objectives)
        corner = reference_point(front, objectives)
        table = objective_volumes(front, objectives, corner)
        up_to = " and ".join(f"{style.short(corner[cost])} {COSTS[cost]}" for cost in objectives[1:])
        tables.append((plane, up_to, table))
        planes.append((single, objectives, corner))
    parts = [
        table.merge(single, on="strategy", how="left").assign(plane=plane, up_to=up_to)
        for (plane, up_to, table), single in zip(tables, run_volumes_of_planes(planes, seed))
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def attained(points: Mapping[str, PlanePoints]) -> dict[str, pd.DataFrame]:
    """Compute the attainment surfaces of 25, 50 and 75% of each strategy's runs.

    Args:
        points: result of `plane_points`.

    Returns:
        Name of the plane -> result of `objectives.attainment`.
    """
    return {name: attainment(each.single, PLANES[name]) for name, each in points.items() if len(PLANES[name]) == 2}


def measured_fronts(frame: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """Find the architectures that no other one beats in validation error and a measured quantity.

    Args:
        frame: children.
        measurements: rows of the table of measurements.

    Returns:
        quantity, unit, conditions, measured (architectures of these children with a value), hash, val_acc (mean), and
        value: one row per architecture on the front of each quantity, device and method; empty if nothing was measured.
    """
    rows: list[dict[str, Any]] = []
    scored = scored_children(frame, "val_acc") if len(measurements) else frame.iloc[:0]
    means = whole_trainings(scored).groupby("hash", sort=False)["val_acc"].mean()
    for way in every_way(of_trainings(measurements, scored)) if len(means) else ():
        if way.quantity in (judged_by().val, judged_by().test):
            continue
        pairs = pd.DataFrame({"val_acc": means, "value": way.values}).dropna()
        sign = -1.0 if way.direction == "higher" else 1.0
        front = pairs[nondominated(np.column_stack([-pairs["val_acc"], sign * pairs["value"]]))]
        about = {"quantity": way.quantity, "unit": way.unit, "conditions": way.conditions, "measured": len(pairs)}
        for digest, point in front.sort_values("value").iterrows():
            shown = judged_by().sign * point["val_acc"]
            rows.append(about | {"hash": str(digest), "val_acc": shown, "value": point["value"]})
    return pd.DataFrame(rows, columns=["quantity", "unit", "conditions", "measured", "hash", "val_acc", "value"])


def best_architectures(children: pd.DataFrame, count: int) -> pd.DataFrame:
    """Select the different architectures with the highest validation accuracy, best first.

    Args:
        children: result of `searched_children`.
        count: number of architectures, >= 0.

    Returns:
        The best child of each, with `found` (how many children of the same hash continue no other), `test_acc` (mean over the runs that
        retrained it).
    """
    wanted = (children["status"] == "ok") & children["val_acc"].notna() & children["counted"].astype(bool)
    ok = children.loc[wanted, ["val_acc", "hash"]]
    ranked = ok.sort_values("val_acc", ascending=False, kind="stable")
    first = children.loc[ranked.drop_duplicates("hash").head(count).index]
    same = children.loc[children["hash"].isin(set(first["hash"])), ["hash", "continues", "test_acc"]]
    return first.assign(
        found=first["hash"].map((same["continues"] == "").groupby(same["hash"]).sum()).astype(int),
        test_acc=first["hash"].map(same.groupby("hash")["test_acc"].mean()),
    ).reset_index(drop=True)


def against_baseline(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare each strategy with random search by `unpaired_tests`; no rows if that is not possible.

    Args:
        scores: result of `final_scores`.

    Returns:
        Result of `unpaired_tests`.
    """
    strategies = set(scores["strategy"])
    if BASELINE not in strategies or len(strategies) < 2 or scores["table"].nunique() > 1:
        return pd.DataFrame()
    return unpaired_tests(scores, BASELINE)


def commands(runs: pd.DataFrame) -> pd.DataFrame:
    """List the command lines that made the runs.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`.

    Returns:
        command, runs (number), first and last (start).
    """
    lines = _by_text(runs["provenance"], lambda text: _command_line(json_object(text)))
    table = runs.assign(command=lines)[lines != ""].groupby("command", sort=False)
    return table.agg(runs=("run", "size"), first=("started_at", "min"), last=("started_at", "max")).reset_index()


def _command_line(made: dict[str, Any]) -> str:
    words = made.get("command", [])
    return shlex.join(map(str, words)) if isinstance(words, list) else ""


def provenance(runs: pd.DataFrame) -> pd.DataFrame:
    """List the provenance of the runs, one row per different value.

    Args:
        runs: rows of `store.format.schema.RUN_COLUMNS`.

    Returns:
        aspect, value, runs (number that share it).
    """
    counts: dict[tuple[str, str], int] = {}
    for text, number in Counter(runs["provenance"].tolist()).items():
        for aspect, value in _aspects(json_object(text)):
            counts[aspect, value] = counts.get((aspect, value), 0) + number
    rows = [{"aspect": aspect, "value": value, "runs": n} for (aspect, value), n in counts.items()]
    frame = pd.DataFrame(rows, columns=["aspect", "value", "runs"])
    order = {aspect: place for place, aspect in enumerate(dict.fromkeys(frame["aspect"]))}
    return frame.sort_values("aspect", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _aspects(made: dict[str, Any]) -> list[tuple[str, str]]:
    """Provenance of a run as pairs of texts."""
    commit = made.get("commit", "")
    changed = " (with changes since)" if made.get("dirty") else ""
    packages, threads = (_object(made.get(name)) for name in ("packages", "threads"))
    gpus = made.get("gpus", [])
    driver = f", driver {made['driver']}" if made.get("driver") else ""
    pairs = [
        ("commit", f"{commit}{changed}" if commit else ""),
        ("python", made.get("python", "")),
        ("packages", ", ".join(f"{name} {version}" for name, version in packages.items())),
        ("processor", f"{made.get('processor', '')} ({made.get('processors', '?')} processors)" if made else ""),
        ("GPUs", (", ".join(map(str, gpus)) if isinstance(gpus, list) else str(gpus)) + driver),
        ("system", made.get("system", "")),
        ("host", made.get("host", "")),
        ("threads", ", ".join(f"{name}={value}" for name, value in threads.items())),
    ]
    return [(aspect, str(value)) for aspect, value in pairs if value]


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def files(names: Sequence[str]) -> pd.DataFrame:
    """Describe the results files as they are now.

    Args:
        names: paths of results files.

    Returns:
        file, bytes, sha256 of the HDF5 file ("" if there is only a journal).
    """
    rows = []
    for name in names:
        path = Path(name)
        digest = _digest(path) if path.exists() else ""
        rows.append({"file": printable(name), "bytes": path.stat().st_size if path.exists() else 0, "sha256": digest})
    return pd.DataFrame(rows, columns=["file", "bytes", "sha256"])


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def children_with_curves(learned: pd.DataFrame) -> int:
    """Count the children that have at least one epoch.

    Args:
        learned: result of `learning_curves`.

    Returns:
        Number of children.
    """
    return count_curves(learned[learned["val_acc"].notna()]) if len(learned) else 0
