"""Targets reached over the budget, as COCO draws them: the share of pairs of search and target that are solved so far.

Source: Hansen et al. 2021, "COCO: a platform for comparing continuous optimizers in a black-box setting" (1603.08785),
    empirical runtime distributions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.benchmark.incumbents import Entry, TaskRuns, TaskScale

Floats = NDArray[np.float64]
POINTS: Final = 160  # of a curve
_ROUNDING: Final = 1e-12


def reaching_times(runs: TaskRuns, scale: TaskScale, targets: Sequence[float]) -> Floats:
    """Find when each search reached each target.

    Args:
        runs: searches of one task.
        scale: the task's scale.
        targets: normalized regrets of the score that searches see.

    Returns:
        Seconds on the table's clock, [searches, targets]; inf where a search did not reach a target.
    """
    found = np.full((len(runs.seeds), len(targets)), math.inf)
    regrets = scale.searched_regret(runs.outcomes)
    for place, target in enumerate(targets):
        reached = np.flatnonzero(regrets <= target + _ROUNDING)
        np.minimum.at(found[:, place], runs.runs[reached], runs.seconds[reached])
    return found


def target_curves(
    entries: Sequence[Entry], scales: Mapping[str, TaskScale], targets: Sequence[float], tasks: Sequence[str] = ()
) -> pd.DataFrame:
    """Compute the share of targets that each strategy reached by each part of the largest budget.

    Args:
        entries: the strategies with their runs.
        scales: task -> its scale.
        targets: normalized regrets.
        tasks: tasks to count; () for all. Every task has the same weight.

    Returns:
        strategy, budget (fraction of the task's largest budget, logarithmic steps up to 1), share, pairs (searches times
        targets, of all tasks).
    """
    chosen = list(tasks) or list(scales)
    times = {
        (entry.shown, task): reaching_times(entry.runs[task], scales[task], targets) / scales[task].seconds["large"]
        for entry in entries
        for task in chosen
        if task in entry.runs
    }
    if not times:
        return pd.DataFrame(columns=["strategy", "budget", "share", "pairs"])
    first = min(
        (float(part[np.isfinite(part)].min()) for part in times.values() if np.isfinite(part).any()), default=0.01
    )
    grid = np.geomspace(min(max(first, 1e-4), 0.5), 1.0, POINTS)
    parts = []
    for entry in entries:
        mine = [part for (name, _), part in times.items() if name == entry.shown]
        if not mine:
            continue
        share = np.mean([(part[..., None] <= grid).mean(axis=(0, 1)) for part in mine], axis=0)
        pairs = sum(part.size for part in mine)
        parts.append(pd.DataFrame({"strategy": entry.shown, "budget": grid, "share": share, "pairs": pairs}))
    return pd.concat(parts, ignore_index=True)


def shares_at(entries: Sequence[Entry], scales: Mapping[str, TaskScale], targets: Sequence[float]) -> pd.DataFrame:
    """Compute the share of targets reached within each of the three budgets.

    Args:
        entries: the strategies with their runs.
        scales: task -> its scale.
        targets: normalized regrets.

    Returns:
        strategy, and small, medium and large: means over tasks.
    """
    rows = []
    for entry in entries:
        shares: dict[str, list[float]] = {}
        for task, runs in entry.runs.items():
            times = reaching_times(runs, scales[task], targets)
            for size, seconds in scales[task].seconds.items():
                shares.setdefault(size, []).append(float((times <= seconds).mean()))
        rows.append({"strategy": entry.shown, **{size: float(np.mean(values)) for size, values in shares.items()}})
    return pd.DataFrame(rows)
