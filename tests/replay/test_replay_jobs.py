"""Replays over several processes find what one process finds, and say how they go."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_spaces import Row

from nasbench.errors import InputError
from nasbench.runners.replay.jobs import SEEDS_A_TASK, replay_all
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay
from nasbench.runners.search.budget import Budget
from nasbench.tabular.tables import Table
from nasbench.tabular.trainings import trainings_of

SEEDS = range(SEEDS_A_TASK + 3)
SPACE = Row((3,) * 6)
PRICE = ReplayBudget(Budget.parse("1000 s"))


@pytest.fixture
def table() -> Table:
    rng = np.random.default_rng(0)
    size = SPACE.size
    hashes = [SPACE.decode(choices).hash for choices in itertools.product(range(3), repeat=6)]
    rows = pd.DataFrame(
        {"hash": hashes * 2, "seed": np.repeat([0, 1], size), "status": "ok", "val_acc": rng.random(2 * size)}
    )
    return Table(
        name="made-up",
        space=SPACE,
        val_acc=rng.random(size),
        test_acc=rng.random(size),
        seconds=rng.integers(50, 150, size).astype(float),
        params=np.ones(size, dtype=np.int64),
        mult_adds=np.ones(size, dtype=np.int64),
        trainings=trainings_of(rows, hashes),
    )


@pytest.mark.sampled(1)
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_number_of_processes_changes_nothing(table, jobs):
    settings = [Setting.of("reinforce", {"hidden": 8}), Setting.of("random", {}), Setting.of("local_search", {})]
    outcomes: dict[str, int] = {}

    def report(name: str, searches: int) -> None:
        outcomes[name] = outcomes.get(name, 0) + searches

    found = replay_all(table, settings, SEEDS, PRICE, jobs, report)
    assert outcomes == {setting.name: len(SEEDS) for setting in settings}
    for setting, each in zip(settings, found):
        alone = replay(table, setting, SEEDS, PRICE)
        assert each.setting is setting
        assert each.seeds == tuple(SEEDS)
        np.testing.assert_array_equal(each.codes, alone.codes)


@pytest.mark.slow
def test_processes_draw_the_same_trainings(table):
    settings = [Setting.of("local_search", {}), Setting.of("random", {})]
    found = replay_all(table, settings, SEEDS, PRICE, 2, lambda name, searches: None, "one")
    for setting, each in zip(settings, found):
        alone = replay(table, setting, SEEDS, PRICE, "one")
        assert each.outcome_from == "one"
        np.testing.assert_array_equal(each.codes, alone.codes)
        np.testing.assert_array_equal(each.outcomes, alone.outcomes)
    with pytest.raises(InputError, match="no training can be drawn"):
        replay_all(replace(table, trainings=None), settings, SEEDS, PRICE, 2, lambda name, searches: None, "one")


def test_no_seeds_are_refused(table):
    with pytest.raises(InputError, match="at least one seed"):
        replay_all(table, [Setting.of("random", {})], (), PRICE, 2, lambda name, searches: None)
