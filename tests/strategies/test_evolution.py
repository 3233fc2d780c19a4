"""Regularized evolution."""

from __future__ import annotations

from collections import Counter
from math import comb

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from nasbench.errors import InputError
from nasbench.runners.strategies.conformance import check_strategy, converse, made_up_outcome
from nasbench.runners.strategies.evolution import Evolution, EvolutionConfig
from nasbench.runners.strategies.random import RandomSearch
from nasbench.spaces import get_space

NAN = float("nan")


def differences(left, right) -> int:
    return sum(a != b for a, b in zip(left.choices, right.choices))


def filled(space, rewards, **options) -> Evolution:
    """An evolution whose population has these rewards, the oldest first."""
    strategy = Evolution(space, 0, EvolutionConfig(population=len(rewards), **options))
    for index, reward in enumerate(rewards):
        strategy.tell(made_up_outcome(index, strategy.ask(), reward))
    return strategy


def matches(architecture) -> float:
    """A made-up accuracy: how many decisions are as in a target."""
    return float(np.mean([choice == index % 3 for index, choice in enumerate(architecture.choices)]))


def test_the_oldest_dies_however_good(row):
    strategy = filled(row(), [0.9, 0.1, 0.2])
    newcomer = row().decode((0, 0, 0, 0))
    strategy.tell(made_up_outcome(3, newcomer, 0.0))
    assert [member.reward for member in strategy.population] == [0.1, 0.2, 0.0]
    assert strategy.population[-1].architecture == newcomer


def test_random_until_the_population_is_told(row):
    strategy = Evolution(row(), 3, EvolutionConfig(population=4, sample=1, identity=1))
    random = RandomSearch(row(), 3)
    assert [strategy.ask() for _ in range(9)] == [random.ask() for _ in range(9)]
    told = [row().decode((0, 0, 1, choice)) for choice in range(4)]
    for index, architecture in enumerate(told):
        strategy.tell(made_up_outcome(index, architecture, 0.5))
    assert all(strategy.ask() in told for _ in range(20))


@pytest.mark.parametrize("drawing", ["replacement", "distinct"])
def test_distribution_of_tournament_winners(row, drawing: str):
    size, sample, draws = 6, 3, 4000
    strategy = Evolution(row((size,)), 1, EvolutionConfig(population=size, sample=sample, drawing=drawing, identity=1))
    for choice in range(size):  # the reward grows with the choice
        strategy.tell(made_up_outcome(choice, row((size,)).decode((choice,)), choice / 10))
    winners = Counter(strategy.ask().choices[0] for _ in range(draws))
    if drawing == "replacement":
        chances = [((rank + 1) ** sample - rank**sample) / size**sample for rank in range(size)]
    else:
        chances = [comb(rank, sample - 1) / comb(size, sample) for rank in range(size)]
    possible = [rank for rank in range(size) if chances[rank]]
    assert set(winners) <= set(possible)
    expected = [chances[rank] * draws for rank in possible]
    assert stats.chisquare([winners[rank] for rank in possible], expected).pvalue > 1e-3


def test_one_mutation_or_the_identity(row):
    strategy = filled(row((3, 3, 3, 3)), [0.5], sample=1, identity=0.2)
    (parent,) = strategy.population
    changes = Counter(differences(strategy.ask(), parent.architecture) for _ in range(3000))
    assert set(changes) == {0, 1}
    assert stats.binomtest(changes[0], 3000, 0.2).pvalue > 1e-3


def test_failed_children_join_with_reward_zero(row):
    assert [member.reward for member in filled(row(), [0.3, NAN]).population] == [0.3, 0.0]


def test_a_score_that_is_missing_is_refused(row):
    strategy = Evolution(row(), 0)
    child = made_up_outcome(0, strategy.ask(), 0.5)
    with pytest.raises(InputError, match="reward nan"):
        strategy.tell(type(child)(**{**vars(child), "val_acc": NAN}))


def test_a_sample_of_distinct_members_fits_the_population():
    with pytest.raises(ValidationError, match="at most the population"):
        EvolutionConfig(population=5, sample=6, drawing="distinct")
    assert EvolutionConfig(population=5, sample=6).sample == 6


def test_learned_children_are_better_than_random_ones(row):
    space = row((3,) * 20)
    config = EvolutionConfig(population=20, sample=5)
    ends = []
    for seed in range(10):  # single seeds end between 0.76 and 0.93
        learned = [matches(child) for child in converse(Evolution(space, seed, config), 400, score=matches).proposals]
        blind = [matches(child) for child in converse(RandomSearch(space, seed), 400).proposals]
        ends.append(np.mean(learned[-50:]))
        assert ends[-1] > max(max(blind), 0.75)
    assert np.mean(ends) > 0.8


@pytest.mark.parametrize("spec", ["nas:layers=4", "nasnet:blocks=2", "nasbench201"])
def test_conforms_after_the_population_is_full(spec: str):
    for drawing in ("replacement", "distinct"):
        check_strategy(
            Evolution, get_space(spec), config=EvolutionConfig(population=8, sample=3, drawing=drawing), children=40
        )
