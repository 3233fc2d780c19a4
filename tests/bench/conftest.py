"""Small runs on the suite that ships, and runs that are made of numbers alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nasbench
from nasbench.benchmark.incumbents import BenchmarkRuns, Entry, TaskRuns, TaskScale

MINE = """\
import nasbench
import numpy


class Mine(nasbench.Strategy):
    def __init__(self, space, seed, config=None):
        super().__init__(space, seed, config)
        self.rng, self.best, self.reached = numpy.random.default_rng(seed), None, -1.0

    def ask(self):
        return self.space.random(self.rng) if self.best is None else self.space.mutate(self.best, self.rng)

    def tell(self, outcome):
        if outcome.val_acc >= self.reached:
            self.best, self.reached = outcome.architecture, outcome.val_acc
"""


@pytest.fixture(scope="session")
def mine(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("strategy") / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="session")
def benched(mine):
    """A strategy in a file and random search, compared with two reference strategies."""
    return nasbench.bench([f"{mine}:Mine", "random"], seeds=6, against=["evolution", "local_search"], progress=False)


def made_runs(levels, seeds: int = 8, spread: float = 0.02, seed: int = 0) -> TaskRuns:
    """Searches with two incumbents each: a poor one after 1 s, and after 20 s one around the level."""
    rng = np.random.default_rng(seed)
    scores = np.clip(levels + spread * rng.standard_normal(seeds), 0, 0.9)
    both = np.stack([np.full(seeds, 0.3), scores], axis=1).ravel()
    return TaskRuns(
        seeds=np.arange(seeds),
        children=np.full(seeds, 30),
        spent=np.full(seeds, 90.0),
        runs=np.repeat(np.arange(seeds), 2),
        places=np.tile([0, 5], seeds),
        codes=np.tile([3, 7], seeds),
        seconds=np.tile([1.0, 20.0], seeds),
        outcomes=both,
        scores=both,
        searcher_seconds=0.5,
    )


def made_scale(name: str) -> TaskScale:
    return TaskScale(
        name, f"space of {name}, data", {"small": 10.0, "medium": 30.0, "large": 100.0}, 0.9, 0.5, 0.9, 0.5, 64
    )


@pytest.fixture
def made():
    """Runs of three strategies on three tasks: good, middling and poor everywhere."""
    levels = {"good": 0.85, "middling": 0.75, "poor": 0.6}
    tasks = ["first", "second", "third"]
    entries = tuple(
        Entry(
            name,
            {},
            {task: made_runs(level, seed=10 * place + number) for place, task in enumerate(tasks)},
            label=name,
        )
        for number, (name, level) in enumerate(levels.items())
    )
    return BenchmarkRuns("suite-v1", "0" * 16, {task: made_scale(task) for task in tasks}, entries)
