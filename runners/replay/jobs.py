"""Replays of several strategies at once, over several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np

from nasbench.runners.replay.replay import ReplayBudget, Replayed, Setting, replay, runs_in_step
from nasbench.tabular.tables import IntArray, Table
from nasbench.tabular.trainings import Draw

SEEDS_A_TASK = 10  # of a strategy that asks and tells one search after the other: seconds of work

Report = Callable[[str, int], None]
_Shared = tuple[Table, ReplayBudget, Draw]  # what all tasks search


@dataclass(frozen=True)
class _Task:
    """Some searches of one strategy."""

    setting: Setting
    seeds: tuple[int, ...]


def replay_all(
    table: Table,
    settings: Sequence[Setting],
    seeds: Sequence[int],
    price: ReplayBudget,
    jobs: int,
    report: Report,
    draw: Draw = "mean",
) -> list[Replayed]:
    """Search a table with several strategies, once for each seed; the result does not depend on `jobs`.

    Args:
        table: of the space.
        settings: the strategies.
        seeds: at least one, each >= 0.
        price: the budget.
        jobs: processes, >= 1; with 1 everything is done in this one.
        report: told a strategy's name and how many of its searches have ended, each time that some have.
        draw: what searches are told of a child, see `replay`.

    Returns:
        One a setting, in their order.

    Raises:
        InputError: without seeds, when a strategy cannot search the space, or when there are no trainings to draw.
    """
    table.require_draw(draw)
    tasks = [task for setting in settings for task in _split(table, setting, seeds)]
    codes: dict[int, IntArray] = {}
    for place, found in _done((table, price, draw), tasks, jobs):
        codes[place] = found
        report(tasks[place].setting.name, len(tasks[place].seeds))
    return [
        Replayed(
            setting,
            table,
            price,
            tuple(seeds),
            _stacked([codes[place] for place, task in enumerate(tasks) if task.setting is setting]),
            draw,
        )
        for setting in settings
    ]


def _split(table: Table, setting: Setting, seeds: Sequence[int]) -> list[_Task]:
    """One task for a strategy whose searches advance together, or for no seeds at all; else one for some seeds each."""
    size = len(seeds) if runs_in_step(table, setting) else SEEDS_A_TASK
    starts = range(0, max(len(seeds), 1), max(size, 1))
    return [_Task(setting, tuple(seeds[start : start + size])) for start in starts]


def _done(shared: _Shared, tasks: Sequence[_Task], jobs: int) -> Iterator[tuple[int, IntArray]]:
    """Places of tasks with the children that they found, as they end."""
    if jobs == 1 or len(tasks) == 1:
        for place, task in enumerate(tasks):
            yield place, _searched(shared, task)
        return
    # Spawned, not forked: a fork would take over torch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _start, shared)
    try:
        futures: dict[Future[IntArray], int] = {pool.submit(_work, task): place for place, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_given: _Shared  # in a worker


def _start(table: Table, price: ReplayBudget, draw: Draw) -> None:
    import torch

    global _given
    _given = (table, price, draw)
    torch.set_num_threads(1)  # the workers share the cores


def _work(task: _Task) -> IntArray:
    return _searched(_given, task)


def _searched(shared: _Shared, task: _Task) -> IntArray:
    table, price, draw = shared
    return replay(table, task.setting, task.seeds, price, draw).codes


def _stacked(pieces: Sequence[IntArray]) -> IntArray:
    """Children of all searches, [runs, most children], -1 after the last."""
    longest = max(piece.shape[1] for piece in pieces)
    padded = [np.pad(piece, ((0, 0), (0, longest - piece.shape[1])), constant_values=-1) for piece in pieces]
    return np.concatenate(padded)
