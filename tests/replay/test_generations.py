"""Replays of whole generations give the searches of ask and tell, to the child."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_spaces import Row

from nasbench.errors import InputError
from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_one_by_one
from nasbench.runners.search.budget import Budget
from nasbench.runners.strategies.generations import in_generations
from nasbench.runners.strategies.nsga2 import Nsga2
from nasbench.tabular.catalogue import shipped_table
from nasbench.tabular.tables import Table


def made_up(failed: float = 0.2) -> Table:
    """Few values, so that many points are equal in one objective or both."""
    space, rng = Row((3, 1, 4, 3, 3)), np.random.default_rng(0)
    scores = rng.integers(20, 30, space.size) / 40
    scores[rng.random(space.size) < failed] = np.nan
    counts = rng.integers(1, 8, (2, space.size))
    return Table("made-up", space, scores, scores, rng.integers(200, 600, space.size) / 4, *counts)


def price(text: str) -> ReplayBudget:
    return ReplayBudget(Budget.parse(text), 0.5)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("budget", ["57 children", "5700 s", "1.5 gpu-hours", "0.8 usd"])
@pytest.mark.parametrize(
    "options",
    [
        {"population": 6},
        {"population": 7, "distinct": "choices", "objectives": "error/params/mult_adds"},
        {"population": 5, "objectives": "params/error", "mutation": 0.4, "crossover": 0.3},
        {"population": 400},
    ],
)
def test_generations_are_those_of_ask_and_tell(options, budget):
    table, setting = made_up(), Setting.of("nsga2", options)
    assert in_generations(setting.kind)
    together, apart = (run(table, setting, range(3), price(budget)) for run in (replay, replay_one_by_one))
    assert together.codes.tolist() == apart.codes.tolist()
    assert apart.children.min() > 15
    assert together.frame().equals(apart.frame())


@pytest.mark.parametrize("draw", ["mean", "one"])
@pytest.mark.parametrize("distinct", ["graph", "choices"])
def test_graphs_are_told_apart_by_their_trainings(distinct, draw):
    (table,) = shipped_table("digits201").read()
    setting = Setting.of("nsga2", {"population": 8, "distinct": distinct})
    together, apart = (run(table, setting, range(2), price("60 children"), draw) for run in (replay, replay_one_by_one))
    assert together.codes.tolist() == apart.codes.tolist()
    without = replay(replace(table, trainings=None), setting, range(2), price("60 children"))
    if draw == "mean":
        assert without.codes.tolist() == together.codes.tolist()


class Counting(Nsga2):
    """Has a `tell` of its own."""

    told = 0

    def tell(self, outcome):
        type(self).told += 1
        super().tell(outcome)


def test_a_subclass_is_still_told():
    setting = replace(Setting.of("nsga2", {"population": 6}), kind=Counting)
    assert not in_generations(Counting)
    found = replay(made_up(), setting, [0], price("30 children"))
    assert Counting.told == 30
    assert (
        found.codes.tolist()
        == replay(made_up(), Setting.of("nsga2", {"population": 6}), [0], price("30 children")).codes.tolist()
    )


def test_a_count_that_is_not_known_is_named():
    table = replace(made_up(), params=np.full(made_up().space.size, -1))
    with pytest.raises(InputError, match="has no params; search for objectives that are known"):
        replay(table, Setting.of("nsga2", {}), [0], price("30 children"))
