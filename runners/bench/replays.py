"""Replays of strategies on the tasks of a benchmark suite."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from nasbench.benchmark.definition import Comparison, OpenTask
from nasbench.benchmark.incumbents import Entry, TaskRuns
from nasbench.errors import InputError, blamed_on
from nasbench.runners.replay.jobs import replay_all
from nasbench.runners.replay.replay import ReplayBudget, Replayed, Setting, replay_on_clock, replay_one_by_one
from nasbench.runners.search.budget import Budget
from nasbench.runners.strategies.source_files import source_of

LARGEST: Final = "large"  # one replay under the largest budget has those under the smaller ones as its beginnings
TIMED: Final = 3  # searches that are timed, if they are short
SHORT: Final = 0.2  # seconds

Report = Callable[[str, int], None]


def budget_of(opened: OpenTask, protocol: Comparison) -> ReplayBudget:
    """Return the largest budget of a task.

    Args:
        opened: the task.
        protocol: protocol of the suite.

    Returns:
        The budget, in seconds of the table's clock.
    """
    return ReplayBudget(Budget.parse(opened.task.budgets[LARGEST]), protocol.usd_per_hour)


def replay_task(
    setting: Setting,
    opened: OpenTask,
    protocol: Comparison,
    seeds: Sequence[int],
    jobs: int = 1,
    report: Report = lambda strategy, searches: None,
    timed: bool = True,
) -> tuple[TaskRuns, Replayed]:
    """Search a task with a strategy, once per seed.

    The seconds of a super-network are charged as they are measured here, so that only its proposals are the same on another
    machine, and not how many of them the budget pays for.

    Args:
        setting: the strategy with its options.
        opened: the task with its tables.
        protocol: protocol of the suite.
        seeds: search seeds, at least one, each >= 0.
        jobs: processes; the result is the same.
        report: function that is called with the strategy's name and a number of ended searches.
        timed: whether the strategy's own seconds are measured, by further searches.

    Returns:
        The searches as incumbents, and with all children.

    Raises:
        InputError: when the strategy cannot search the space, trains shared weights on another device than the processor,
            or stops trainings and the table has no curves.
    """
    _require_processor(setting)
    budget = budget_of(opened, protocol)
    (found,) = replay_all(opened.searched, [setting], seeds, budget, jobs, report, protocol.draw)
    if found.searcher is not None:  # measured on the way, and charged
        own = float(np.median(found.searcher.sum(axis=1)))
    else:
        own = searcher_seconds(setting, opened, protocol, seeds) if timed else math.nan
    return incumbents_of(found, opened, own), found


def require_searchable(setting: Setting, opened: OpenTask) -> None:
    """Refuse a task that a strategy cannot search, before hours are spent on others.

    Args:
        setting: the strategy with its options.
        opened: the task with its tables.

    Raises:
        InputError: when it cannot; the message names the task.
    """
    try:
        _require_processor(setting)
        with blamed_on(f"strategy {setting.name!r}, its start"):
            setting.kind(setting.space_of(opened.searched), 0, setting.config_on(opened.searched))
    except InputError as error:
        raise InputError(f"task {opened.task.name}: {error}") from None


def _require_processor(setting: Setting) -> None:
    device = getattr(setting.config, "device", "cpu")
    if shares_weights(setting) and device != "cpu":
        raise InputError(
            f"strategy {setting.name!r} trains shared weights on {device!r}, and the seconds of a task are those of a processor: "
            "leave the option device out"
        )


def shares_weights(setting: Setting) -> bool:
    """Whether a strategy trains shared weights, whose seconds are measured and charged.

    Args:
        setting: the strategy with its options.

    Returns:
        True for darts, gdas, enas and their like.
    """
    return setting.kind.charged_as == "supernet"


def incumbents_of(found: Replayed, opened: OpenTask, searcher: float = math.nan) -> TaskRuns:
    """Take the incumbents of replayed searches.

    Args:
        found: the searches.
        opened: their task.
        searcher: processor seconds of the strategy's own in one search, NaN if unknown.

    Returns:
        The searches as incumbents.
    """
    runs, places = found.improved()
    codes = found.codes[runs, places]
    spent = found.seconds[:, -1] if found.codes.shape[1] else np.zeros(len(found.seeds))
    return TaskRuns(
        seeds=np.array(found.seeds, dtype=np.int64),
        children=found.children,
        spent=spent,
        runs=runs,
        places=places,
        codes=codes,
        seconds=found.seconds[runs, places],
        outcomes=found.outcomes[runs, places],
        scores=opened.reported.reported_acc[codes],
        stops=found.courses.stops[runs, places] if found.courses is not None else np.zeros(len(codes), dtype=np.int64),
        searcher_seconds=searcher,
    )


def searcher_seconds(setting: Setting, opened: OpenTask, protocol: Comparison, seeds: Sequence[int]) -> float:
    """Measure the processor seconds of a strategy's own in one search, child by child as in a real one.

    Args:
        setting: the strategy with its options.
        opened: the task with its tables.
        protocol: protocol of the suite.
        seeds: search seeds; of a quick strategy the first three are timed, else the first.

    Returns:
        Median of the processor seconds of one search; looking scores up in the table takes microseconds of them.
    """
    budget, seconds = budget_of(opened, protocol), []
    for seed in seeds[:TIMED]:
        started = time.process_time()
        if setting.kind.asks_epochs:
            replay_on_clock(opened.searched, setting, [seed], budget, protocol.draw, whole_strategy=True)
        else:
            replay_one_by_one(opened.searched, setting, [seed], budget, protocol.draw)
        seconds.append(time.process_time() - started)
        if seconds[0] > SHORT:
            break
    return statistics.median(seconds)


def entry_of(setting: Setting, runs: Mapping[str, TaskRuns], label: str = "") -> Entry:
    """Make the entry of a strategy, with the code of its file if it has one.

    Args:
        setting: the strategy with its options.
        runs: task -> its searches.
        label: name in comparisons; "" for that of strategy and options.

    Returns:
        The entry.
    """
    source = source_of(setting.kind)
    return Entry(
        strategy=setting.name,
        options=setting.config.model_dump(mode="json", exclude_defaults=True),
        runs=runs,
        digest=source.digest if source is not None else "",
        code=source.text if source is not None else "",
        label=label,
    )
