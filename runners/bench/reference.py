"""Reference runs: every strategy that can replay, on every task of a suite, in one file that ships."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from nasbench.benchmark.definition import Benchmark, OpenTask, load_benchmark
from nasbench.benchmark.incumbents import BenchmarkRuns, Entry, TaskRuns, TaskScale, joined_runs, read_runs
from nasbench.errors import InputError
from nasbench.provenance import provenance
from nasbench.runners.bench.replays import Report, entry_of, replay_task, shares_weights
from nasbench.runners.replay.replay import Setting
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.option_texts import options_of
from nasbench.runners.strategies.source_files import split_strategy

_SUPERNET: Final = "protocol=digits201-2,cells=1"  # of the only task of suite-v1 whose space has super-networks

OPTIONS: Final[Mapping[str, str]] = {
    "darts": _SUPERNET,
    "drnas": _SUPERNET,
    "enas": _SUPERNET,
    "evolution": "population=10,sample=3,identity=0",
    "gdas": f"{_SUPERNET},epochs=250",
    "pcdarts": _SUPERNET,
    "ppo": "learning_rate=0.01,batch=10",
    "reinforce": "learning_rate=0.01",
    "rs_ws": f"{_SUPERNET},candidates=1000,finalists=300",
}
"""Options of reference runs that are not the defaults.

Of evolution: those by which it was published on tables of this size (results/published_replays.csv). Of the two policies:
those of preset=auto for 100 children; with the rates of their papers, which are for 12,800 and 20,000 children, they would
be random search. Super-networks have the images of the table's networks, a third of their cells, and the options of
preset=auto for 300 children. All others run with their defaults. None of these was tuned on a task of the suite.
"""


class Skipped(NamedTuple):
    """A strategy without reference runs.

    Attributes:
        strategy: its name.
        why: the reason, in one line.
    """

    strategy: str
    why: str


def reference_path(suite: str) -> Path:
    """Return the file of a suite's reference runs in the installed package, which need not exist.

    A suite that extends another has its own tasks alone in it, see `reference_runs`.

    Args:
        suite: name of the suite.

    Returns:
        The path.
    """
    return Path(str(resources.files("nasbench.results"))) / "reference" / f"{suite}.npz"


def reference_runs(suite: Benchmark) -> BenchmarkRuns | None:
    """Read the reference runs of a suite that ship; one that extends another has that one's runs, too.

    Args:
        suite: the suite.

    Returns:
        The runs; None if none ship.

    Raises:
        InputError: when they are of another version of the suite.
    """
    path = reference_path(suite.name)
    found = None
    if path.exists():
        found = read_runs(path)
        found.require(suite, path)
    extended = load_benchmark(suite.extends) if suite.extends else None
    if extended is None or extended.protocol.draw != suite.protocol.draw:  # other outcomes make other searches
        return found
    base = reference_runs(extended)
    return found if base is None else joined_runs(base, found, suite)


def setting_of(text: str, space: str = "") -> Setting:
    """Resolve a strategy as a user names it; without options, a strategy has those of its reference runs.

    Args:
        text: "evolution", "evolution:population=20" or "mine.py:Mine:option=value".
        space: text of the tasks' space, for the option preset=paper; "" where they have several.

    Returns:
        The strategy with its options.

    Raises:
        UnknownName, InputError: see `Setting.of`; also for an option that does not read key=value, once each.
    """
    name, given = split_strategy(text)
    return Setting.of(name, options_of(name, given or OPTIONS.get(name, "")), space=space)


def space_of(opened: Iterable[OpenTask]) -> str:
    """Return the text of the space that tasks have in common.

    Args:
        opened: the tasks.

    Returns:
        The text; "" where they have several.
    """
    spaces = {each.searched.space.spec for each in opened}
    return spaces.pop() if len(spaces) == 1 else ""


def make_reference(
    suite: Benchmark,
    opened: Mapping[str, OpenTask],
    strategies: Sequence[str],
    seeds: int,
    jobs: int,
    earlier: BenchmarkRuns | None,
    report: Report,
    store: Callable[[BenchmarkRuns], None],
) -> tuple[BenchmarkRuns, list[Skipped]]:
    """Run strategies on every task, and keep what earlier calls have made.

    Args:
        suite: the suite.
        opened: task -> its tables, for every task that can be read here.
        strategies: names, with options where these are not the usual ones, e.g. "gp:kernel=hamming"; () for all that are
            registered, but for those of shared weights, whose searches train a super-network each.
        seeds: searches per strategy and task, of those that are made now.
        jobs: processes; the result does not depend on it.
        earlier: runs of earlier calls, which are not made again; None for none.
        report: see `replay_task`.
        store: function that is called with all runs after each strategy, so that a stopped command goes on.

    Returns:
        All runs, and the strategies that cannot search all of these tasks.
    """
    scales = dict(earlier.scales) if earlier is not None else {}
    scales |= {name: TaskScale.of(each) for name, each in opened.items()}
    scales = {task.name: scales[task.name] for task in suite.tasks if task.name in scales}
    entries = {entry.shown: entry for entry in (earlier.entries if earlier is not None else ())}
    skipped = []

    def all_runs() -> BenchmarkRuns:
        kept = tuple(entries[name] for name in sorted(entries))
        counts = set().union(*map(searches_of, kept)) if kept else {seeds}
        about = {"seeds": seeds} if counts == {seeds} else {}  # earlier calls may have made another number
        return BenchmarkRuns(suite.name, suite.digest, scales, kept, provenance(), about)

    for name in strategies or list(STRATEGIES):
        runs: dict[str, TaskRuns] = dict(entries[name].runs) if name in entries else {}
        missing = {task: each for task, each in opened.items() if task not in runs}
        if not missing:
            continue
        refused: dict[str, list[str]] = {}
        try:
            setting = setting_of(name, space_of(opened.values()))
        except InputError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        if not strategies and shares_weights(setting):
            skipped.append(
                Skipped(name, "each search trains a super-network, in about a minute; name it to make its runs")
            )
            continue
        made = 0
        for task, each in missing.items():
            try:
                if not shares_weights(setting):  # a trial would train a super-network
                    replay_task(
                        setting, each, suite.protocol, [0], timed=False
                    )  # refuses a space before hours are spent
                runs[task] = replay_task(setting, each, suite.protocol, range(seeds), jobs, report)[0]
                made += 1
            except InputError as error:
                refused.setdefault(str(error), []).append(task)
        if refused and not made:
            skipped.append(Skipped(name, next(iter(refused))))
        elif refused:
            reasons = "; ".join(f"{why} (task {', '.join(tasks)})" for why, tasks in refused.items())
            skipped.append(Skipped(name, reasons))
        if made:
            entries[name] = entry_of(setting, runs, label=name)
            store(all_runs())
    return all_runs(), skipped


def searches_of(entry: Entry) -> set[int]:
    """Return the numbers of searches that a strategy has on its tasks.

    Args:
        entry: the strategy's runs.

    Returns:
        The different numbers, one where all tasks have as many.
    """
    return {len(runs.seeds) for runs in entry.runs.values()}


def equal_searches(found: TaskRuns, expected: TaskRuns, measured: bool = False) -> int:
    """Count searches that are equal: the same children, incumbents with their seconds, outcomes and costs.

    Args:
        found: searches of one task, made now.
        expected: stored ones of the same strategy, in the same order; those without a counterpart are not compared.
        measured: whether the strategy is charged for seconds that are measured, as those of a super-network. Seconds and the
            number of children that they leave room for are then not compared: the incumbents are those of the children that
            both searches have.

    Returns:
        The number of equal searches.
    """
    equal = 0
    for number in range(min(len(found.seeds), len(expected.seeds))):
        mine, theirs = found.runs == number, expected.runs == number
        same = found.seeds[number] == expected.seeds[number]
        if measured:
            common = min(found.children[number], expected.children[number])
            same = same and (common > 0 or expected.children[number] == 0)  # else nothing of it was seen again
            mine, theirs = mine & (found.places < common), theirs & (expected.places < common)
        else:
            same = same and found.children[number] == expected.children[number]
            same = same and math.isclose(found.spent[number], expected.spent[number], rel_tol=1e-9)
        for name in ("places", "codes", "outcomes", "scores", "stops"):
            same = same and getattr(found, name)[mine].tolist() == getattr(expected, name)[theirs].tolist()
        if not measured:
            same = same and np.allclose(found.seconds[mine], expected.seconds[theirs], rtol=1e-9, atol=0)
        equal += bool(same)
    return equal
