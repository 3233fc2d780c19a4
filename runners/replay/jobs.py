"""Replays of several strategies in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from nasbench.runners.replay.clock import Courses
from nasbench.runners.replay.replay import ReplayBudget, Replayed, Setting, is_vectorized, replay
from nasbench.streams import guard_streams
from nasbench.tabular.surrogates.table import SurrogateTable
from nasbench.tabular.tables import FloatArray, IntArray, Table
from nasbench.tabular.trainings import OutcomeFrom

SEEDS_A_TASK = 10  # searches per task of a strategy that is not vectorized: seconds of work

N = TypeVar("N", bound=np.generic)
Report = Callable[[str, int], None]
_Shared = tuple[Table, ReplayBudget, OutcomeFrom, int]  # what all tasks share


@dataclass(frozen=True)
class _Task:
    """Some searches of one strategy."""

    setting: Setting
    seeds: tuple[int, ...]


def replay_all(
    table: Table,
    settings: Sequence[Setting],
    seeds: Sequence[int],
    budget: ReplayBudget,
    jobs: int,
    report: Report,
    outcome_from: OutcomeFrom = "mean",
    devices: int = 1,
) -> list[Replayed]:
    """Search a table with several strategies, once per seed. The result does not depend on `jobs`.

    Args:
        table: the complete table.
        settings: the strategies with their options.
        seeds: search seeds, at least one, each >= 0.
        budget: the budget.
        jobs: number of processes, >= 1; 1 runs everything in this process.
        report: function called with a strategy's name and its number of ended searches, whenever some have ended.
        outcome_from: outcome of a child, see `replay`.
        devices: children in training at once in each search, see `replay`.

    Returns:
        One result per setting, in their order.

    Raises:
        InputError: when there are no seeds, a strategy cannot search the space, no architecture of the table has
            several trainings to pick from, or the table has no costs and the budget is not in children or the devices are
            several.
    """
    table.check_outcome_from(outcome_from)
    table.check_budget_unit(budget.unit)
    table.check_devices(devices)
    for setting in settings:
        setting.config_on(table)  # refuses a table without curves before anything is searched
    tasks = [task for setting in settings for task in _split(table, setting, seeds, devices)]
    pieces: dict[int, _Found] = {}
    for place, found in _done((table, budget, outcome_from, devices), tasks, jobs):
        pieces[place] = found if found.listed is None else _renumbered(found, table)
        report(tasks[place].setting.shown, len(tasks[place].seeds))
    replays = []
    for setting in settings:
        own = [pieces[place] for place, task in enumerate(tasks) if task.setting is setting]
        codes = _stacked([piece.codes for piece in own])
        courses = [piece.courses for piece in own if piece.courses is not None]
        joined = Courses.joined(courses) if courses else None
        paid = [piece.searcher for piece in own if piece.searcher is not None]
        searcher = _stacked(paid, 0.0) if paid else None
        replays.append(Replayed(setting, table, budget, tuple(seeds), codes, outcome_from, devices, joined, searcher))
    return replays


class _Found(NamedTuple):
    """Children of some searches.

    Attributes:
        codes: positions in the table, [runs, most children].
        courses: see `Replayed`.
        searcher: see `Replayed`.
        listed: choices of the architectures that the positions of a worker's own surrogate number; None otherwise.
    """

    codes: IntArray
    courses: Courses | None
    searcher: FloatArray | None
    listed: IntArray | None = None


def _split(table: Table, setting: Setting, seeds: Sequence[int], devices: int) -> list[_Task]:
    """Make one task for a vectorized strategy (or without seeds), else one task per group of seeds."""
    size = len(seeds) if devices == 1 and is_vectorized(table, setting) else SEEDS_A_TASK
    starts = range(0, max(len(seeds), 1), max(size, 1))
    return [_Task(setting, tuple(seeds[start : start + size])) for start in starts]


def _done(shared: _Shared, tasks: Sequence[_Task], jobs: int) -> Iterator[tuple[int, _Found]]:
    """Yield positions of ended tasks with the children that they found."""
    if jobs == 1 or len(tasks) == 1:
        for place, task in enumerate(tasks):
            yield place, _searched(shared, task)
        return
    # Spawned and not forked, because a fork would copy torch's threads in an undefined state.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _start, shared)
    try:
        futures: dict[Future[_Found], int] = {pool.submit(_work, task): place for place, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_given: _Shared  # set in each worker


def _start(table: Table, budget: ReplayBudget, outcome_from: OutcomeFrom, devices: int) -> None:
    import torch

    global _given
    guard_streams()
    _given = (table, budget, outcome_from, devices)
    torch.set_num_threads(1)  # the workers share the cores


def _work(task: _Task) -> _Found:
    found, table = _searched(_given, task), _given[0]
    return found._replace(listed=table.listed) if isinstance(table, SurrogateTable) else found


def _renumbered(found: _Found, table: Table) -> _Found:
    """Replace the positions in a worker's surrogate by those in this process."""
    assert found.listed is not None
    used, places = np.unique(found.codes, return_inverse=True)
    mine = np.full(len(used), -1, dtype=np.int64)
    mine[used >= 0] = table.code(found.listed[used[used >= 0]])
    return _Found(mine[places].reshape(found.codes.shape), found.courses, found.searcher)


def _searched(shared: _Shared, task: _Task) -> _Found:
    table, budget, outcome_from, devices = shared
    found = replay(table, task.setting, task.seeds, budget, outcome_from, devices)
    return _Found(found.codes, found.courses, found.searcher)


def _stacked(pieces: Sequence[NDArray[N]], filler: float = -1) -> NDArray[N]:
    """Stack values of the children of all searches: [runs, most children], with a filler after the last."""
    longest = max(piece.shape[1] for piece in pieces)
    padded = [np.pad(piece, ((0, 0), (0, longest - piece.shape[1])), constant_values=filler) for piece in pieces]
    return np.concatenate(padded)
