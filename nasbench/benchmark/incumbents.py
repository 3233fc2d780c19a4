"""Runs on a benchmark suite in short form: the incumbents of every search, with what comparisons need of the tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nasbench.benchmark.definition import SIZES, Benchmark, OpenTask, exact_mean
from nasbench.errors import InputError, printable
from nasbench.outputs import write_output
from nasbench.tabular.array_files import DAMAGE, MARKS, ArrayFile, packed

FORMAT: Final = 1
KIND: Final = "nasbench benchmark runs"
_OF_RUNS: Final = {"seeds": np.int64, "children": np.int64, "spent": np.float64}
_OF_INCUMBENTS: Final = {
    "runs": np.int64,
    "places": np.int64,
    "codes": np.int64,
    "seconds": np.float64,
    "outcomes": np.float64,
    "scores": np.float64,
    "stops": np.int64,
}
_STORED: Final = {
    "seeds": np.uint32,
    "children": np.uint32,
    "runs": np.uint16,
    "places": np.uint32,
    "codes": np.uint32,
    "stops": np.uint16,
}

_ROUNDING: Final = 1e-12
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TaskScale:
    """What comparisons need of a task's tables.

    Args:
        name: name of the task.
        label: space and data set.
        seconds: small, medium and large -> seconds of the budget.
        best: highest reported accuracy.
        typical: mean reported accuracy.
        searched_best: highest accuracy that a search can see.
        searched_typical: mean accuracy that a search sees.
        architectures: distinct sequences of choices of the space.
    """

    name: str
    label: str
    seconds: dict[str, float]
    best: float
    typical: float
    searched_best: float
    searched_typical: float
    architectures: int

    @classmethod
    def of(cls, opened: OpenTask) -> TaskScale:
        """Take the scale of a task from its tables.

        Args:
            opened: the task with its tables.

        Returns:
            The scale.
        """
        seen, task = opened.searched.val_acc, opened.task
        return cls(
            task.name,
            task.label,
            {size: task.seconds(size) for size in SIZES},
            opened.best,
            opened.typical,
            float(np.nanmax(seen)),
            exact_mean(seen),
            len(seen),
        )

    def agrees(self, other: TaskScale) -> bool:
        """Check whether another scale is that of the same tables.

        Args:
            other: the other scale. It may have been computed by another version of numpy, whose means differ in the last digit.

        Returns:
            Whether names and counts are equal, and all scores and seconds but for rounding.
        """
        return _equal(vars(self), vars(other))

    def regret(self, scores: Any) -> Any:
        """Compute normalized regrets of reported scores: 0 for the best of the table, 1 for its mean.

        Formula: (best - score) / (best - mean of the table).

        Args:
            scores: reported accuracies, of any shape.

        Returns:
            Regrets of the same shape; above 1 for less than a typical architecture.
        """
        return (self.best - scores) / (self.best - self.typical)

    def accuracy(self, regret: float) -> float:
        """Convert a difference of normalized regrets into one of reported accuracies.

        Args:
            regret: difference of normalized regrets.

        Returns:
            Difference of reported accuracies, as a fraction.
        """
        return regret * (self.best - self.typical)

    def searched_regret(self, outcomes: Any) -> Any:
        """Compute normalized regrets of the scores that a search sees.

        Args:
            outcomes: accuracies that searches received, of any shape.

        Returns:
            Regrets of the same shape.
        """
        return (self.searched_best - outcomes) / (self.searched_best - self.searched_typical)


@dataclass(frozen=True, eq=False)
class TaskRuns:
    """Searches of one task by one strategy, as their incumbents.

    Args:
        seeds: search seeds, [searches].
        children: counted children of each search, [searches].
        spent: seconds of these on the table's clock, [searches].
        runs: number of the search of each incumbent, [incumbents]; sorted, then by place.
        places: position of the incumbent among the children of its search, from 0.
        codes: its position in the table.
        seconds: seconds of its search up to and with it.
        outcomes: accuracy that the search received for it.
        scores: its reported accuracy, by which it is scored: that of a whole training.
        stops: epoch at which its training stopped, 0 for a whole one; zeros if none are given.
        searcher_seconds: processor seconds of the strategy's own in one search, NaN if they were not measured.
    """

    seeds: Ints
    children: Ints
    spent: Floats
    runs: Ints
    places: Ints
    codes: Ints
    seconds: Floats
    outcomes: Floats
    scores: Floats
    searcher_seconds: float = float("nan")
    stops: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        searches, incumbents = len(self.seeds), len(self.runs)
        if not len(self.stops):
            object.__setattr__(self, "stops", np.zeros(incumbents, dtype=np.int64))
        for name in _OF_RUNS:
            if len(getattr(self, name)) != searches:
                raise ValueError(f"{name} has {len(getattr(self, name))} values of {searches} searches")
        for name in _OF_INCUMBENTS:
            if len(getattr(self, name)) != incumbents:
                raise ValueError(f"{name} has {len(getattr(self, name))} values of {incumbents} incumbents")
        if incumbents and not (self.runs.min() >= 0 and self.runs.max() < searches and (np.diff(self.runs) >= 0).all()):
            raise ValueError("incumbents are not those of the searches, in order")

    def at(self, seconds: float) -> Ints:
        """Find the incumbent of each search when a budget is spent.

        A search under a smaller budget is the beginning of one under a larger: strategies do not know the budget.

        Args:
            seconds: the budget, on the table's clock.

        Returns:
            Its position in the arrays of incumbents, [searches]; -1 where a search has none.
        """
        found = np.full(len(self.seeds), -1, dtype=np.int64)
        within = np.flatnonzero(self.seconds <= seconds)
        found[self.runs[within]] = within  # later incumbents of a run come later
        return found

    def of_searches(self, searches: Sequence[int]) -> TaskRuns:
        """Take some searches alone.

        Args:
            searches: their positions, in the order in which they are wanted.

        Returns:
            Runs of these searches.
        """
        places = [np.flatnonzero(self.runs == search) for search in searches]
        kept = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
        columns = {name: getattr(self, name)[kept] for name in _OF_INCUMBENTS}
        columns["runs"] = np.repeat(np.arange(len(searches)), [len(place) for place in places])
        return TaskRuns(
            **{name: getattr(self, name)[list(searches)] for name in _OF_RUNS},
            **columns,
            searcher_seconds=self.searcher_seconds,
        )


@dataclass(frozen=True, eq=False)
class Entry:
    """A strategy with its runs on the tasks of a suite.

    Args:
        strategy: name of the strategy, e.g. "evolution" or "mine.py:Mine".
        options: options that differ from the defaults, as JSON values.
        runs: task -> its searches.
        digest: SHA-256 of the strategy's file; "" for a strategy of the suite or of a package.
        code: text of that file; "" for none.
        label: name in comparisons, where several entries have one strategy; "" for that of strategy and options.
    """

    strategy: str
    options: Mapping[str, Any]
    runs: Mapping[str, TaskRuns]
    digest: str = ""
    code: str = ""
    label: str = ""

    @property
    def text(self) -> str:
        """The strategy with its options, as on the command line."""
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.strategy}:{options}" if options else self.strategy

    def same_as(self, other: Entry) -> bool:
        """Whether another entry is of the same strategy, options and code, so that equal seeds give the same searches.

        Args:
            other: the other entry.

        Returns:
            True for the same strategy.
        """
        return (self.strategy, dict(self.options), self.digest) == (other.strategy, dict(other.options), other.digest)

    @property
    def shown(self) -> str:
        """Name in tables and figures."""
        return self.label or self.text


@dataclass(frozen=True, eq=False)
class BenchmarkRuns:
    """Runs of several strategies on one suite.

    Args:
        suite: name of the suite.
        digest: its digest.
        scales: task -> its scale, for the tasks that were searched.
        entries: the strategies.
        made: provenance: versions, machine, command.
        about: further JSON values, e.g. of a submission.
    """

    suite: str
    digest: str
    scales: Mapping[str, TaskScale]
    entries: tuple[Entry, ...]
    made: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def tasks(self) -> list[str]:
        """Names of the tasks, in the order of the suite."""
        return list(self.scales)

    def require(self, suite: Benchmark, path: object) -> None:
        """Refuse runs of another suite, or of an earlier version of it.

        Args:
            suite: the suite.
            path: where they come from, for the message.

        Raises:
            InputError: when name or digest differ.
        """
        if (self.suite, self.digest) != (suite.name, suite.digest):
            what = (
                f"{path} has runs of {self.suite} (digest {self.digest}), not of {suite.name} (digest {suite.digest})"
            )
            if self.suite == suite.name:
                raise InputError(f"{what}: the suite has changed since; make the runs again with nasbench bench")
            raise InputError(f"{what}: scores of different suites are not compared; give --suite {self.suite}")


def joined_runs(base: BenchmarkRuns, own: BenchmarkRuns | None, suite: Benchmark) -> BenchmarkRuns:
    """Join the runs of a suite that another one extends with those on the other's own tasks.

    Args:
        base: runs of the suite that is extended; its tasks are tasks of `suite`.
        own: runs of `suite`; None for none.
        suite: the suite that extends.

    Returns:
        Runs of `suite` on all tasks. Where both have runs of a strategy on a task, those of `own` count. Their provenance is
        that of `own`, or else of `base`.
    """
    scales = {**base.scales, **(own.scales if own is not None else {})}
    entries = {entry.shown: entry for entry in base.entries}
    for entry in own.entries if own is not None else ():
        earlier = entries.get(entry.shown)
        runs = {**earlier.runs, **entry.runs} if earlier is not None and earlier.same_as(entry) else entry.runs
        entries[entry.shown] = replace(entry, runs=runs)
    made, about = (own.made, own.about) if own is not None else (base.made, base.about)
    return BenchmarkRuns(
        suite.name,
        suite.digest,
        {task.name: scales[task.name] for task in suite.tasks if task.name in scales},
        tuple(entries[name] for name in sorted(entries)),
        made,
        about,
    )


def _equal(one: Any, other: Any) -> bool:
    """Compare values as JSON has them: numbers but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_ROUNDING)
    return bool(one == other)


def runs_bytes(found: BenchmarkRuns) -> bytes:
    """Pack runs into the content of a file.

    Args:
        found: the runs.

    Returns:
        The content: numbers and texts, no code that runs by itself.
    """
    arrays: dict[str, NDArray[Any]] = {}
    entries = []
    for number, entry in enumerate(found.entries):
        for place, task in enumerate(found.tasks):
            if task not in entry.runs:
                continue
            runs = entry.runs[task]
            for name in (*_OF_RUNS, *_OF_INCUMBENTS):
                values = getattr(runs, name)
                if name == "stops" and not values.any():
                    continue
                arrays[f"{number}.{place}.{name}"] = _fitting(values, _STORED.get(name, np.float64))
        entries.append(
            {
                "strategy": entry.strategy,
                "options": dict(entry.options),
                "digest": entry.digest,
                "code": entry.code,
                "label": entry.label,
                "searcher_seconds": {task: _known(runs.searcher_seconds) for task, runs in entry.runs.items()},
            }
        )
    about = {
        "kind": KIND,
        "format": FORMAT,
        "suite": found.suite,
        "digest": found.digest,
        "tasks": [vars(scale) for scale in found.scales.values()],
        "entries": entries,
        "made": dict(found.made),
        "about": dict(found.about),
    }
    return packed(about, arrays)


def _fitting(values: NDArray[Any], smallest: Any) -> NDArray[Any]:
    """Store values in the given numpy type, or in 64 bits where some are too large for it."""
    stored: NDArray[Any] = values.astype(smallest)
    return stored if np.issubdtype(smallest, np.floating) or np.array_equal(stored, values) else values


def _known(value: float) -> float | None:
    return None if value != value else value


def write_runs(path: str | Path, found: BenchmarkRuns) -> None:
    """Write runs into a file.

    Args:
        path: the file, ending in .npz.
        found: the runs.

    Raises:
        InputError: when a file must not be replaced, or cannot be written.
    """
    write_output(Path(path), runs_bytes(found), MARKS)


def read_runs(path: str | Path) -> BenchmarkRuns:
    """Read runs. Code in the file is text; nothing of it runs.

    Args:
        path: the file.

    Returns:
        The runs.

    Raises:
        InputError: when the file is no file of runs, newer, or damaged.
    """
    file = ArrayFile(Path(path), "file of benchmark runs", KIND, FORMAT)
    try:
        about = file.about
        scales = {str(task["name"]): TaskScale(**task) for task in about["tasks"]}
        entries = tuple(_entry(file, number, each, list(scales)) for number, each in enumerate(about["entries"]))
        json.dumps(about)
        return BenchmarkRuns(
            str(about["suite"]), str(about["digest"]), scales, entries, dict(about["made"]), dict(about["about"])
        )
    except DAMAGE as error:
        raise file.damaged(error) from None


def _entry(file: ArrayFile, number: int, stored: Mapping[str, Any], tasks: Sequence[str]) -> Entry:
    runs = {}
    for place, task in enumerate(tasks):
        if task not in stored["searcher_seconds"]:
            continue
        columns = {
            name: file.array(f"{number}.{place}.{name}", kind)
            for name, kind in {**_OF_RUNS, **_OF_INCUMBENTS}.items()
            if name != "stops" or file.has(f"{number}.{place}.{name}")
        }
        seconds = stored["searcher_seconds"][task]
        runs[task] = TaskRuns(**columns, searcher_seconds=float("nan") if seconds is None else float(seconds))
    return Entry(
        strategy=printable(str(stored["strategy"])),
        options=dict(stored["options"]),
        runs=runs,
        digest=str(stored["digest"]),
        code=str(stored["code"]),
        label=printable(str(stored["label"])),
    )
