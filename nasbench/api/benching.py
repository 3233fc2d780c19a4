"""Benchmarks from Python: strategies on the tasks of a suite, compared with the reference runs that ship."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nasbench.api.strategies import StrategyLike, given_strategy
from nasbench.benchmark.definition import Benchmark, OpenTask, load_benchmark, open_task
from nasbench.benchmark.incumbents import BenchmarkRuns, Entry, TaskScale
from nasbench.errors import InputError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.analysis.bench.comparison import Compared
    from nasbench.runners.bench.replays import Report
    from nasbench.runners.replay.replay import Replayed, Setting

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Benched:
    """Strategies on the tasks of a suite. In a notebook it shows the table over all tasks.

    Args:
        suite: the suite.
        runs: the searches that were made now.
        references: the reference runs with which they are compared.
        compared: the comparison.
        replayed: task -> the searches with all children.
        opened: task -> its tables.
        missing: tasks whose files are not here.
        reproduced: label -> (equal searches, searches), of strategies that have reference runs themselves.
        left_out: reference strategy -> tasks on which it has no runs, so that it is not compared.
        advice: sentences of the strategies on their options under the budgets of these tasks.
    """

    suite: Benchmark
    runs: BenchmarkRuns
    references: tuple[Entry, ...]
    compared: Compared
    replayed: Mapping[str, Sequence[Replayed]]
    opened: Mapping[str, OpenTask]
    missing: tuple[str, ...]
    reproduced: Mapping[str, tuple[int, int]]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    @property
    def summary(self) -> pd.DataFrame:
        """One row per strategy over all tasks; see `analysis.bench.comparison.summarize_all`."""
        return self.compared.overall

    @property
    def tests(self) -> pd.DataFrame:
        """One row per task and pair of strategies, with p after Holm's correction, interval and verdict."""
        import pandas as pd

        return pd.concat([table.assign(task=task) for task, table in self.compared.tests.items()], ignore_index=True)

    def page(self, path: PathLike, command: str = "") -> None:
        """Write the comparison as one HTML page, which holds its data and fetches nothing.

        Args:
            path: the page, ending in .html.
            command: command line that makes it, for the page; "" for none.

        Raises:
            InputError: when a file must not be replaced, or cannot be written.
        """
        from nasbench.outputs import REPORT_MARKS, ending_of, write_output

        marks = REPORT_MARKS[ending_of(path, (".html",))]
        write_output(path, self.html(command).encode("utf-8", "backslashreplace"), marks)

    def html(self, command: str = "") -> str:
        """Return the page that `page` writes.

        Args:
            command: command line that makes it, for the page; "" for none.

        Returns:
            HTML.
        """
        from nasbench.analysis.bench.page import bench_html
        from nasbench.provenance import utc_now

        return bench_html(self.compared, self.suite, self.runs, self.notes, command, utc_now())

    @property
    def notes(self) -> list[str]:
        """Sentences: what can be concluded, which tasks were not there, which references were repeated."""
        found = [*self.compared.notes, *self.advice]
        if self.missing:
            found.append(f"Not searched, because their files are not here: {', '.join(self.missing)}.")
        for label, (equal, searches) in self.reproduced.items():
            found.append(f"{label}: {equal} of {searches} searches equal the reference runs that ship.")
        by_tasks: dict[tuple[str, ...], list[str]] = {}
        for label, tasks in self.left_out.items():
            by_tasks.setdefault(tasks, []).append(label)
        for tasks, labels in by_tasks.items():
            found.append(
                f"Not compared, without reference runs on {', '.join(tasks)}: {', '.join(labels)}. "
                "--task chooses the tasks of a comparison."
            )
        return found

    def _repr_html_(self) -> str:
        return str(self.summary.to_html(index=False))


def bench(
    strategies: StrategyLike | Sequence[StrategyLike],
    suite: str = "suite-v1",
    *,
    seeds: int | None = None,
    against: Sequence[str] | None = None,
    tables: Sequence[PathLike] = (),
    tasks: Sequence[str] = (),
    jobs: int = 1,
    progress: bool = True,
) -> Benched:
    """Run strategies on every task of a benchmark suite, and compare them with the reference runs that ship.

    Nothing is trained: tasks are complete tables, searched on a simulated clock. As `nasbench bench`.

    Args:
        strategies: one or several, each as for `nasbench.search`, e.g. "mine.py:Mine".
        suite: name of a suite that ships, "suite-v1", or the path of a TOML file.
        seeds: searches per strategy and task, >= 1; None for the suite's number.
        against: names of reference strategies to compare with; None for all that ship, () for none.
        tables: folders with files of tables of others, for suites such as "suite-v1-full".
        tasks: names of the tasks; () for all whose tables are here.
        jobs: processes, >= 1; the result is the same.
        progress: whether to show a bar.

    Returns:
        The comparison, with a page.

    Raises:
        UnknownName, InputError: one line that says what to correct.

    Example:
        >>> import nasbench
        >>> found = nasbench.bench("random", seeds=5, against=["evolution"], progress=False)
        >>> found.compared.strategies
        ['random', 'evolution']
    """
    from nasbench.analysis.bench.comparison import compare_entries
    from nasbench.runners.bench.reference import equal_searches, reference_runs, space_of
    from nasbench.runners.bench.replays import entry_of, replay_task, shares_weights
    from nasbench.runners.replay.replay import told_apart

    loaded = load_benchmark(suite)
    opened, missing = open_tasks(loaded, tables, tasks)
    settings = told_apart([_setting(each, space_of(opened.values())) for each in _several(strategies)])
    count = loaded.protocol.seeds if seeds is None else seeds
    if count < 1:
        raise InputError(f"seeds={count}: at least one search is made")
    shipped = reference_runs(loaded)
    references, left_out = _chosen(shipped, against, opened)
    replayed: dict[str, list[Replayed]] = {task: [] for task in opened}
    entries = []
    for setting in settings:
        _require_tasks(setting, opened)
    with search_bar(len(settings) * len(opened) * count, progress) as ended:
        for setting in settings:
            runs = {}
            for task, each in opened.items():
                runs[task], children = replay_task(setting, each, loaded.protocol, range(count), jobs, ended)
                replayed[task].append(children)
            entries.append(entry_of(setting, runs))
    reproduced = {}
    for setting, entry in zip(settings, entries):
        twin = next((each for each in shipped.entries if entry.same_as(each)), None) if shipped else None
        common = [task for task in entry.runs if twin is not None and task in twin.runs]
        if twin is not None and common:
            most = [min(count, len(twin.runs[task].seeds)) for task in common]
            equal = [equal_searches(entry.runs[task], twin.runs[task], shares_weights(setting)) for task in common]
            reproduced[entry.text] = (sum(equal), sum(most))
    references = tuple(each for each in references if not any(entry.same_as(each) for entry in entries))
    entries = _labelled(entries, references)
    scales = {task: TaskScale.of(each) for task, each in opened.items()}
    from nasbench.provenance import provenance

    made = BenchmarkRuns(loaded.name, loaded.digest, scales, tuple(entries), provenance())
    mine = [entry.shown for entry in entries]
    compared = compare_entries([*entries, *references], mine if references else (), scales, loaded.protocol)
    advice = (*_advice(settings, opened, loaded), *_measured_here(settings, replayed))
    return Benched(loaded, made, references, compared, replayed, opened, tuple(missing), reproduced, left_out, advice)


def open_tasks(
    suite: Benchmark, tables: Sequence[PathLike] = (), tasks: Sequence[str] = ()
) -> tuple[dict[str, OpenTask], list[str]]:
    """Read the tables of a suite's tasks.

    Args:
        suite: the suite.
        tables: folders with files of tables of others.
        tasks: names of the tasks; () for all whose tables are here.

    Returns:
        Task -> its tables, and the names of tasks whose files are not here; none of them if `tasks` names tasks.

    Raises:
        UnknownName: when the suite has no such task.
        InputError: when a folder does not exist, a file holds another table than a task's, a named task cannot be read, or
            none can.
    """
    folders = [Path(folder) for folder in tables]
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{str(folder)!r} is no folder; --tables names folders with files of tables")
    named = [suite.task(name).name for name in tasks]
    found = {task.name: open_task(task, folders) for task in suite.tasks if not named or task.name in named}
    opened = {name: each for name, each in found.items() if each is not None}
    absent = [name for name in named if name not in opened]
    if absent:
        raise InputError(f"task {absent[0]!r} cannot be read here; give the folder of its file with --tables")
    if not opened:
        raise InputError(f"no task of {suite.name} can be read here; give the folder of its files with --tables")
    return opened, [name for name in found if name not in opened]


def _advice(settings: Sequence[Setting], opened: Mapping[str, OpenTask], suite: Benchmark) -> tuple[str, ...]:
    """What strategies say about the large budgets of the tasks, e.g. that they are random search there."""
    from nasbench.runners.bench.replays import budget_of
    from nasbench.runners.strategies.advice import advice_on

    found: list[str] = []
    for task, each in opened.items():
        limit = budget_of(each, suite.protocol).budget
        children = each.searched.children_of(limit.limit, limit.unit)
        said = [advice_on(setting.kind, setting.config_on(each.searched), children) for setting in settings]
        found += [f"On {task}, {line}." for line in said if line]
    return tuple(found)


def _require_tasks(setting: Setting, opened: Mapping[str, OpenTask]) -> None:
    """Refuse tasks that a strategy cannot search, before the others are searched; the message names those that it can."""
    from nasbench.runners.bench.replays import require_searchable

    refused: dict[str, str] = {}
    for task, each in opened.items():
        try:
            require_searchable(setting, each)
        except InputError as error:
            refused[task] = str(error)
    others = [task for task in opened if task not in refused]
    if refused:
        hint = f"; the others: {' '.join(f'--task {task}' for task in others)}" if others else ""
        raise InputError(f"{next(iter(refused.values()))}{hint}")


def _measured_here(settings: Sequence[Setting], replayed: Mapping[str, Sequence[Replayed]]) -> tuple[str, ...]:
    """What of the charged seconds is not of the table: those of super-networks, which another machine trains in others."""
    from nasbench.runners.bench.replays import shares_weights

    found = []
    for place, setting in enumerate(settings):
        if not shares_weights(setting):
            continue
        shares = []
        for task, searches in replayed.items():
            own, spent = searches[place].searcher, searches[place].costs.sum(axis=1)
            assert own is not None
            shares.append(f"{own.sum(axis=1).mean():.3g} s of {spent.mean():.3g} s on {task}")
        found.append(
            f"{setting.shown} was charged for its super-network the seconds that it took on this machine ({', '.join(shares)}, "
            f"means over searches): a faster machine leaves it more children.{_repeatable(setting)}"
        )
    return tuple(found)


def _repeatable(setting: Setting) -> str:
    """Whether another processor makes the same proposals; "" for a strategy that names no protocol."""
    from nasbench.protocols.protocol import get_protocol

    name = getattr(setting.config, "protocol", "")
    if not name:
        return ""
    if get_protocol(name).kernels == "portable":
        return " Its proposals are the same on every x86-64 processor."
    return f" Its proposals may differ on another processor, too, because protocol {name!r} has no portable kernels."


def _setting(strategy: StrategyLike, space: str) -> Setting:
    from nasbench.protocols.protocol import validated
    from nasbench.runners.bench.reference import setting_of
    from nasbench.runners.replay.replay import Setting

    if isinstance(strategy, str):
        return setting_of(strategy, space)
    given = given_strategy(strategy)
    return Setting(
        given.name, given.kind, validated(given.kind.config_type, given.options, f"options of strategy {given.name!r}")
    )


def _several(strategies: StrategyLike | Sequence[StrategyLike]) -> Sequence[StrategyLike]:
    if isinstance(strategies, str) or not isinstance(strategies, Sequence):
        return [strategies]
    if not strategies:
        raise InputError("name a strategy or several, e.g. random or mine.py:Mine")
    return strategies


def _chosen(
    shipped: BenchmarkRuns | None, against: Sequence[str] | None, opened: Mapping[str, OpenTask]
) -> tuple[tuple[Entry, ...], dict[str, tuple[str, ...]]]:
    """Choose reference runs by name, on the tasks that are here; and the tasks that others lack, which cannot be compared."""
    entries = shipped.entries if shipped is not None else ()
    names = {entry.shown for entry in entries}
    for name in against or ():
        if name not in names:
            raise UnknownName("reference strategy", name, names)
    kept = [entry for entry in entries if against is None or entry.shown in against]
    here = [replace(entry, runs={task: runs for task, runs in entry.runs.items() if task in opened}) for entry in kept]
    lacking = {entry.shown: tuple(task for task in opened if task not in entry.runs) for entry in here}
    if against and all(lacking[entry.shown] for entry in here):
        raise InputError(
            f"no reference strategy of --against {','.join(against)} has runs on all of these tasks: {', '.join(opened)}; "
            "choose tasks with --task"
        )
    return tuple(entry for entry in here if not lacking[entry.shown]), {
        name: tasks for name, tasks in lacking.items() if tasks
    }


def _labelled(entries: Sequence[Entry], references: Sequence[Entry]) -> list[Entry]:
    """Label strategies by their names with the options that differ from their defaults."""
    found = []
    for entry in entries:
        label = entry.text  # with its options, which a table without them would hide
        if any(label == reference.shown for reference in references):
            label = f"{label} (new)"
        found.append(replace(entry, label=label))
    return found


class search_bar:
    """A bar over searches, as a context that gives the function which counts them.

    Args:
        searches: how many there will be, 0 if that is not known.
        shown: whether it is shown on a terminal.
    """

    def __init__(self, searches: int, shown: bool) -> None:
        from tqdm.auto import tqdm

        self._bar = tqdm(total=searches or None, unit=" searches", leave=False, disable=None if shown else True)

    def __enter__(self) -> Report:
        def ended(strategy: str, searches: int) -> None:
            self._bar.set_description(strategy, refresh=False)
            self._bar.update(searches)

        return ended

    def __exit__(self, *error: object) -> None:
        self._bar.close()
