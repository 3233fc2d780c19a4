"""Suites: a matrix of searches, read from a TOML file and run into one results file."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from nasbench.errors import InputError, UnknownName, did_you_mean, printable
from nasbench.models.incumbent import IncumbentModel, incumbent_path, require_no_model
from nasbench.protocols.protocol import validated
from nasbench.runners.executors import Executor
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_given
from nasbench.runners.search.continuing import checkpoints_of
from nasbench.runners.search.loop import Search
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.rows import EarlierAttempts, earlier_attempts, stored_command
from nasbench.runners.search.watcher import SearchStopped, Watcher
from nasbench.store.cache import ScoreCache
from nasbench.store.errors import MissingResults
from nasbench.store.query import Results, Row
from nasbench.store.writer import ResultsWriter

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Suite(BaseModel):
    """A matrix of searches.

    `search` holds fields of `SearchConfig` that all searches share; `matrix` maps fields to lists of values, and every
    combination is one search; `options` holds options by strategy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="name of the suite and of its results file")
    description: str = Field("", description="question that the suite answers")
    jobs: int = Field(1, ge=1, description="searches at the same time; they share the devices")
    search: dict[str, Any] = Field(default_factory=dict, description="fields that all searches share")
    matrix: dict[str, list[Any]] = Field(
        default_factory=dict, description="field -> values; every combination is a search"
    )
    options: dict[str, dict[str, Any]] = Field(default_factory=dict, description="strategy -> its options")

    @field_validator("name")
    @classmethod
    def _file_name(cls, name: str) -> str:
        """Refuse a name that would put the results file into another folder."""
        if not name or name.startswith(".") or set(name) & set("/\\") or printable(name) != name:
            raise ValueError(f"it names a file, so it has no '/', no '\\' and no '.' at its start, got {name!r}")
        return name

    def searches(self) -> list[SearchConfig]:
        """List every search of the matrix; the last field varies fastest.

        Raises:
            InputError: when a field is unknown or a value out of range, or a setting would change no search: a field that
                both `search` and `matrix` have, one without values, or options of a strategy that no search has.
        """
        self._require_used()
        shared = {"executor": "local", "runs_per_device": self.jobs, **self.search}
        configs = []
        for values in itertools.product(*self.matrix.values()):
            given = {**shared, **dict(zip(self.matrix, values))}
            given.setdefault("options", self.options.get(given.get("strategy", ""), {}))
            configs.append(validated(SearchConfig, given, f"suite {self.name!r}"))
        return configs

    def _require_used(self) -> None:
        """Refuse settings that `searches` would not use."""
        for field, values in self.matrix.items():
            if field in self.search:
                raise InputError(f"suite {self.name!r}: {field} is in [search] and in [matrix]; keep one of them")
            if not values:
                raise InputError(
                    f"suite {self.name!r}: {field} of [matrix] is empty, so there is no search; give values"
                )
        if self.options and ("options" in self.search or "options" in self.matrix):
            where = "search" if "options" in self.search else "matrix"
            raise InputError(
                f"suite {self.name!r}: options are in [{where}], for every strategy, and in "
                f"[options.{next(iter(self.options))}]; keep one of them"
            )
        strategies = self.matrix.get("strategy", [self.search.get("strategy", "")])
        for name in self.options:
            if name not in strategies:
                named = [str(strategy) for strategy in strategies]
                raise InputError(
                    f"suite {self.name!r}: no search has the strategy of [options.{name}]{did_you_mean(name, named)} "
                    f"(strategies: {', '.join(named)})"
                )


def shipped_suites() -> dict[str, Path]:
    """Map the names of the suites that ship with the package to their TOML files."""
    folder = Path(str(files("nasbench.runners.suites")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_suite(name: str) -> Suite:
    """Read a suite.

    Args:
        name: a shipped suite, or the path of a TOML file.

    Returns:
        The suite.

    Raises:
        UnknownName: when there is neither a suite nor a file of that name.
        InputError: when the file is not TOML or does not describe a suite.
    """
    shipped = shipped_suites()
    path = shipped.get(name, Path(name))
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"suite file {str(path)!r} is no regular file; name a TOML file or a shipped suite")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"suite file {str(path)!r} is no TOML: byte {error.start} is no UTF-8") from None
    except InputError:
        raise
    except (OSError, ValueError):  # a name with a zero byte is a ValueError
        raise UnknownName("suite (or TOML file)", name, shipped) from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"suite file {str(path)!r} is not valid TOML: {error}") from None
    return validated(Suite, {"name": path.stem, **document}, f"suite file {str(path)!r}")


class SharedWriter:
    """Lets searches in several threads write to one results file, one row at a time.

    Args:
        writer: the writer of the file; its calls take turns.
    """

    def __init__(self, writer: ResultsWriter) -> None:
        self._writer, self._lock = writer, threading.Lock()

    def append_children(self, children: Sequence[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]]) -> None:
        """Store finished children; see `RowSink.append_children`."""
        with self._lock:
            self._writer.append_children(children)

    def put_run(self, row: Mapping[str, Any]) -> None:
        """Store the row of a run; see `RowSink.put_run`."""
        with self._lock:
            self._writer.put_run(row)

    def append_measurements(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store measurements; see `RowSink.append_measurements`."""
        with self._lock:
            self._writer.append_measurements(rows)


def run_plans(
    path: Path,
    plans: Sequence[SearchPlan],
    cache_files: Sequence[str],
    jobs: int,
    progress_for: Callable[[SearchPlan], Progress],
    take_over: bool = False,
    watcher_for: Callable[[SearchPlan], Watcher | None] = lambda plan: None,
) -> list[SearchPlan]:
    """Run searches, `jobs` at a time, into one file.

    Complete runs in the file are skipped, unfinished ones are resumed.

    Args:
        path: the results file; it and its folder are created if missing.
        plans: the searches to run, in order. Where one of them reuses no score of other runs in the file, none does; those of
            the planned runs may be reused in any case.
        cache_files: other results files whose scores may be reused, in addition to the file's own.
        jobs: number of searches at the same time, >= 1.
        progress_for: function that makes the progress display of a search.
        take_over: see `store.lock.ResultsLock`.
        watcher_for: function that makes the watcher of a search. A run that its watcher stops is marked as interrupted;
            the others continue.

    Returns:
        The plans, each with the id that its run has in the file.

    Raises:
        InputError: when `jobs` > 1 but searches would train in this process, or no search would reuse a score of
            `cache_files`.
        KeyboardInterrupt: after every running search was marked as interrupted.
        StoreError: when the file is damaged, newer, locked by another process or cannot be written.
    """
    if jobs > 1 and any(plan.config.executor == "inline" for plan in plans):
        raise InputError(
            f"{jobs} searches at the same time need the executor local or ray: inline trains in this process, where "
            "torch has one state of random numbers and settings for all; give --executor local, or one job"
        )
    if cache_files and plans and all(plan.config.cached == "off" for plan in plans):
        raise InputError(
            f"cached=off reuses no scores, so those of {cache_files[0]} would not be: leave out the cache, or take charge "
            "or free"
        )
    with ResultsWriter(path, take_over=take_over) as writer, ExitStack() as until_replayed:
        stored = _stored(path, plans, until_replayed)
        todo = [plan for plan in stored.plans if plan.run not in stored.complete]
        # As many searches share the devices.
        todo = [
            plan.among(jobs, min(jobs, len(todo))).reusing(stored.began_with.get(plan.run, cache_files))
            for plan in todo
        ]
        for plan in todo:
            if plan.config.keep_best and plan.run not in stored.earlier:
                require_no_model(incumbent_path(path, plan.run))
        reuses_others = all(plan.command.reuses_others for plan in plans)
        own = [str(path)] if stored.exists and reuses_others else []
        cache = ScoreCache([*own, *cache_files])
        if not reuses_others:
            for row in itertools.chain.from_iterable(stored.rows.values()):
                cache.add(row)
        sink = SharedWriter(writer)
        stop = threading.Event()
        executors: list[Executor] = []

        def run(plan: SearchPlan) -> None:
            if stop.is_set():
                return
            with ExitStack() as until_closed, plan.executor() as executor, suppress(SearchStopped):
                executors.append(executor)
                rows = stored.rows.get(plan.run, ())
                arguments = (plan, rows, sink, cache, executor, progress_for(plan), stop, watcher_for(plan))
                kept = IncumbentModel(incumbent_path(path, plan.run)) if plan.config.keep_best else None
                until_closed.callback(kept.close if kept is not None else lambda: None)
                measured = stored.measured.get(plan.run, ())
                earlier = stored.earlier.get(plan.run, EarlierAttempts())
                checkpoints = checkpoints_of(path, plan, executor)
                Search(*arguments, earlier, kept, measured, checkpoints).run()
                if checkpoints is not None:
                    checkpoints.close()

        if jobs == 1:
            for plan in todo:
                run(plan)
            return stored.plans
        with ThreadPoolExecutor(jobs) as threads:
            futures = [threads.submit(run, plan) for plan in todo]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            finally:  # after a failure or Ctrl-C, end the other searches resumably now and not after their children
                stop.set()
                for executor in executors:
                    executor.close()
        return stored.plans


class _Stored(NamedTuple):
    """Planned runs in a results file.

    Attributes:
        exists: whether there is a file yet.
        plans: the plans, each with the id that its run has in the file.
        complete: ids of the complete runs in the file.
        rows: id -> rows so far, of the planned runs that are not complete.
        earlier: id -> what earlier attempts spent beyond these rows, of those of them that are in the file.
        measured: id -> latencies that the run measured so far, for a limit on the latency.
        began_with: id -> other results files whose scores the run might reuse when it began, of those of them that are in
            the file. Other files hold for the attempt for which they are named.
    """

    exists: bool
    plans: list[SearchPlan]
    complete: set[str]
    rows: dict[str, list[Row]]
    earlier: dict[str, EarlierAttempts]
    measured: dict[str, list[Mapping[str, Any]]]
    began_with: dict[str, tuple[str, ...]]


def _stored(path: Path, plans: Sequence[SearchPlan], until_replayed: ExitStack) -> _Stored:
    """Find the plans' runs in a file.

    Rows are read when a run is resumed, so the file in its current state stays open until then; packs create a new
    file.
    """
    try:
        results = until_replayed.enter_context(Results(str(path)))
    except MissingResults:
        return _Stored(False, list(plans), set(), {}, {}, {}, {})
    runs = results.runs()
    plans = [plan.as_stored(set(runs["run"])) for plan in plans]
    complete = set(runs.loc[runs["status"] == "complete", "run"])
    todo = {plan.run for plan in plans} - complete
    begun = [row for row in runs.to_dict("records") if row["run"] in todo]
    earlier = {row["run"]: earlier_attempts(row) for row in begun}
    began_with = {row["run"]: stored_command(row, runs_per_device=1).cache_files for row in begun}
    rows = {run: results.children_of(run) for run in todo}
    sources = {plan.latency_source: plan.run for plan in plans if plan.run in todo and plan.latency_meter is not None}
    measured: dict[str, list[Mapping[str, Any]]] = {run: [] for run in sources.values()}
    for row in results.measurements().to_dict("records") if sources else ():
        if row["source"] in sources:
            measured[sources[row["source"]]].append({str(name): value for name, value in row.items()})
    return _Stored(True, plans, complete, rows, earlier, measured, began_with)


def plans_of(configs: list[SearchConfig]) -> list[SearchPlan]:
    """Make the plans of all searches, which finds a mistake in the last before the first one runs.

    Args:
        configs: configurations of the searches.

    Returns:
        One plan per search, in the same order.

    Raises:
        InputError: when a configuration cannot work, or two searches are the same.
    """
    plans = [plan_given(config) for config in configs]
    seen: dict[str, SearchPlan] = {}
    for plan in plans:
        if plan.run in seen:
            raise InputError(f"two searches of the suite are the same: {plan.config.strategy}, seed {plan.config.seed}")
        seen[plan.run] = plan
    return plans
