"""Benchmark suites: a frozen list of tasks with the protocol by which strategies are compared on them."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from nasbench.errors import InputError, UnknownName
from nasbench.protocols.identity import NEVER, digest_of, identity_fields
from nasbench.protocols.protocol import validated
from nasbench.tabular.catalogue import shipped_table, shipped_tables
from nasbench.tabular.compact import has_curves, is_compact
from nasbench.tabular.tables import Selection, Table, read_tables
from nasbench.tabular.trainings import OutcomeFrom

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SIZES: Final = ("small", "medium", "large")
_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?) s")


class Task(BaseModel):
    """One table that is searched, and how a choice is scored on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w.-]+$", description="name of the task")
    what: str = Field("", description="the task in a sentence", json_schema_extra=NEVER)
    source: str = Field("", description="where a file comes from", json_schema_extra=NEVER)
    table: str = Field("", description="a table that ships; empty for a file of the user")
    file: str = Field("", description="name of a file that the user has; empty for a table that ships")
    space: str = Field(description="space of the architectures")
    data: str = Field(description="data set of the table")
    objective: Literal["test_acc"] = Field("test_acc", description="score of a choice")
    search_seeds: tuple[int, ...] | None = Field(None, description="training seeds whose scores a search sees")
    report_seeds: tuple[int, ...] | None = Field(None, description="training seeds by which a choice is scored")
    search_fingerprint: str = Field(description="fingerprint of the table that is searched")
    report_fingerprint: str = Field(description="fingerprint of the table by which a choice is scored")
    budgets: dict[str, str] = Field(description="small, medium and large: seconds on the table's clock, e.g. 40 s")

    @model_validator(mode="after")
    def _complete(self) -> Task:
        """Refuse a task without a table, or without the three budgets."""
        if bool(self.table) == bool(self.file):
            raise ValueError("a task has either a table that ships or a file")
        if tuple(self.budgets) != SIZES or not all(map(_SECONDS.fullmatch, self.budgets.values())):
            raise ValueError(f"budgets are {', '.join(SIZES)}, each in seconds, e.g. '40 s'")
        small, medium, large = map(self.seconds, SIZES)
        if not 0 < small < medium < large:  # a search ends with the large one, and the others are read from its course
            raise ValueError(f"budgets rise from small to large; got {', '.join(self.budgets.values())}")
        return self

    @property
    def label(self) -> str:
        """Space and data set, as comparisons name a table."""
        return f"{self.space}, {self.data}"

    def seconds(self, size: str) -> float:
        """Return a budget in seconds.

        Args:
            size: "small", "medium" or "large".

        Returns:
            Seconds of the table's clock.
        """
        found = _SECONDS.fullmatch(self.budgets[size])
        assert found is not None
        return float(found[1])

    def path(self, folders: Sequence[Path] = ()) -> Path | None:
        """Find the file of the task's table.

        Args:
            folders: folders of the user in which files of tables are.

        Returns:
            The first that is there; None if there is none.
        """
        if self.table:
            return shipped_table(self.table).path
        return next((folder / self.file for folder in folders if (folder / self.file).is_file()), None)


class Comparison(BaseModel):
    """How strategies are compared: the same on every task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: int = Field(ge=5, description="searches per strategy and task")
    reference_seeds: int = Field(ge=5, description="searches of the reference runs")
    budgets: tuple[Literal["small", "medium", "large"], ...] = Field(description="sizes of budgets that are reported")
    budget: Literal["small", "medium", "large"] = Field(description="size of the budget of tests and ranks")
    draw: OutcomeFrom = Field(description="outcome of a child, see nasbench replay --draw")
    level: float = Field(gt=0, lt=1, description="coverage of intervals")
    margin: float = Field(gt=0, lt=1, description="margin of equivalence, as normalized regret")
    targets: tuple[float, ...] = Field(description="normalized regrets of the ECDF of targets")
    usd_per_hour: float = Field(ge=0, description="price of an hour of the table's clock")


class Benchmark(BaseModel):
    """A suite of tasks with its protocol of comparison. Equal digests mean equal suites."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[\w.-]+$", description="name of the suite")
    description: str = Field("", description="what it measures", json_schema_extra=NEVER)
    extends: str = Field("", description="suite that ships whose tasks come first", json_schema_extra=NEVER)
    protocol: Comparison = Field(description="how strategies are compared")
    tasks: tuple[Task, ...] = Field(min_length=1, description="the tasks")

    @property
    def digest(self) -> str:
        """Digest of all values but texts, 16 hexadecimal digits."""
        tasks = [identity_fields(task) for task in self.tasks]
        return digest_of({**identity_fields(self), "tasks": tasks}, 8)

    def task(self, name: str) -> Task:
        """Return one task.

        Args:
            name: its name.

        Returns:
            The task.

        Raises:
            UnknownName: when the suite has no such task.
        """
        found = next((task for task in self.tasks if task.name == name), None)
        if found is None:
            raise UnknownName(f"task of {self.name}", name, [task.name for task in self.tasks])
        return found


@dataclass(frozen=True, eq=False)
class OpenTask:
    """A task with its tables.

    Args:
        task: the task.
        searched: the table that searches see, with curves if its file has them.
        reported: the table by which choices are scored.
    """

    task: Task
    searched: Table
    reported: Table

    @cached_property
    def best(self) -> float:
        """Highest reported accuracy of the table."""
        return self.reported.best_test_acc

    @cached_property
    def typical(self) -> float:
        """Mean reported accuracy of the table: what one random architecture is expected to have."""
        return exact_mean(self.reported.reported_acc)

    def regret(self, scores: Any) -> Any:
        """Compute normalized regrets: 0 for the best architecture of the table, 1 for a typical one.

        Formula: (best - score) / (best - mean of the table).

        Args:
            scores: reported accuracies, of any shape.

        Returns:
            Regrets of the same shape; above 1 for less than a typical architecture.
        """
        return (self.best - scores) / (self.best - self.typical)

    def searched_regret(self, scores: Any) -> Any:
        """Compute normalized regrets of the scores that a search sees, as `regret` does of those that are reported.

        Args:
            scores: validation accuracies, of any shape.

        Returns:
            Regrets of the same shape.
        """
        seen = self.searched.val_acc
        best = np.nanmax(seen)
        return (best - scores) / (best - exact_mean(seen))


def exact_mean(values: Any) -> float:
    """Compute a mean whose last digit does not depend on the version of numpy; its versions add in different orders.

    Args:
        values: floats, of any shape; NaN is left out.

    Returns:
        The mean, rounded once; NaN of no values.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    return math.fsum(known.tolist()) / len(known) if len(known) else math.nan


def open_task(task: Task, folders: Sequence[Path] = ()) -> OpenTask | None:
    """Read the tables of a task, and compare them with its fingerprints.

    Args:
        task: the task.
        folders: folders of the user in which files of tables are.

    Returns:
        The task with its tables; None if its file is not there.

    Raises:
        InputError: when the file holds another table than the task's.
    """
    path = task.path(folders)
    if path is None:
        return None
    selections = [Selection(task.data, task.search_seeds), Selection(task.data, task.report_seeds)]
    curves = path.suffix != ".npz" or (is_compact(path) and has_curves(path))
    searched, reported = read_tables(path, selections, curves)
    for table, expected in ((searched, task.search_fingerprint), (reported, task.report_fingerprint)):
        if table.fingerprint != expected:
            raise InputError(
                f"{path} holds another table than task {task.name!r}: fingerprint {table.fingerprint}, expected {expected}; "
                "get the file that the suite names, or leave it out of the folder"
            )
    return OpenTask(task, searched, reported)


def benchmark_names() -> list[str]:
    """List the suites that ship."""
    folder = resources.files("nasbench.benchmark")
    return sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml"))


def load_benchmark(name: str) -> Benchmark:
    """Read a suite that ships, or one of a TOML file.

    Args:
        name: "suite-v1", or the path of a TOML file.

    Returns:
        The suite; one that extends another has that one's tasks first, and its protocol.

    Raises:
        UnknownName: when there is no such suite.
        InputError: when the file describes no suite.
    """
    if name in benchmark_names():
        text, what = (resources.files("nasbench.benchmark") / f"{name}.toml").read_text(encoding="utf-8"), name
    elif name.endswith(".toml") and Path(name).is_file():
        text, what = _text_of(Path(name)), name
    else:
        raise UnknownName("benchmark suite (or TOML file)", name, benchmark_names())
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"benchmark suite {what!r} is not valid TOML: {error}") from None
    base = document.pop("extends", None)
    if base is not None:
        if base not in benchmark_names() or base == name:
            raise InputError(f"benchmark suite {what!r} extends {base!r}, which does not ship")
        other = load_benchmark(base)
        tasks = [*(task.model_dump() for task in other.tasks), *document.get("tasks", [])]
        document = {"protocol": other.protocol.model_dump(), **document, "extends": base, "tasks": tasks}
    found = validated(Benchmark, document, f"benchmark suite {what!r}")
    names = [task.name for task in found.tasks]
    if len(set(names)) < len(names):
        raise InputError(f"benchmark suite {what!r} has a task twice; each has a name of its own")
    unknown = [task.table for task in found.tasks if task.table and task.table not in shipped_tables()]
    if unknown:
        raise UnknownName(f"table of benchmark suite {what!r}", unknown[0], shipped_tables())
    return found


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"benchmark suite {str(path)!r} cannot be read: {error}") from None
