"""Searches for several objectives: fronts and crowding against brute force, selection by hand, and fronts that grow."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from nasbench.errors import InputError
from nasbench.runners.strategies import STRATEGIES, Outcome
from nasbench.runners.strategies.conformance import check_strategy, converse
from nasbench.runners.strategies.mo_evolution import MoEvolution, MoEvolutionConfig
from nasbench.runners.strategies.nsga2 import Nsga2, Nsga2Config
from nasbench.runners.strategies.objectives import (
    ObjectivesConfig,
    best_first,
    costs_of,
    crowding,
    domination_ranks,
    ranks_and_crowding,
)
from nasbench.runners.strategies.parego import Parego, ParegoConfig, chebyshev, simplex
from nasbench.runners.strategies.predictors.batches import Trained
from nasbench.spaces import get_space


def ranks_one_by_one(values: np.ndarray) -> list[int]:
    """Peel fronts by comparing every pair, column by column."""
    left, ranks, rank = set(range(len(values))), [-1] * len(values), 0

    def beats(a: int, b: int) -> bool:
        pairs = list(zip(values[a].tolist(), values[b].tolist()))
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)

    while left:
        front = {place for place in left if not any(beats(other, place) for other in left)}
        for place in front:
            ranks[place] = rank
        left -= front
        rank += 1
    return ranks


def crowding_one_by_one(values: np.ndarray) -> list[float]:
    """Crowding of points without ties, written down point by point."""
    total = [0.0] * len(values)
    for column in values.T.tolist():
        ordered = sorted(column)
        for place, value in enumerate(column):
            at = ordered.index(value)
            ends = at in (0, len(ordered) - 1)
            gap = float("inf") if ends else (ordered[at + 1] - ordered[at - 1]) / (ordered[-1] - ordered[0])
            total[place] += gap
    return total


@pytest.mark.parametrize("objectives", [2, 3])
@pytest.mark.parametrize("levels", [0, 4])
def test_ranks_equal_pairwise_comparison(objectives: int, levels: int):
    rng = np.random.default_rng(objectives)
    for size in (1, 2, 17, 60):
        values = rng.random((size, objectives)) if not levels else rng.integers(levels, size=(size, objectives)) * 1.0
        assert domination_ranks(values).tolist() == ranks_one_by_one(values)


@pytest.mark.parametrize("objectives", [2, 3])
def test_crowding_equals_its_definition(objectives: int):
    values = np.random.default_rng(1).random((25, objectives))
    np.testing.assert_allclose(crowding(values), crowding_one_by_one(values))
    ranks, distances = ranks_and_crowding(values)
    for rank in range(ranks.max() + 1):
        mine = ranks == rank
        np.testing.assert_allclose(distances[mine], crowding_one_by_one(values[mine]))


def test_best_first_by_hand():
    """Front 0: (0,4), (1,2), (2,1.5), (4,0); of its inner points (1,2) is less crowded; then (3,3), then (5,5)."""
    values = np.array([[5, 5], [2, 1.5], [0, 4], [3, 3], [1, 2], [4, 0]], dtype=float)
    assert ranks_and_crowding(values)[1][[1, 4]].tolist() == [3 / 4 + 2 / 4, 2 / 4 + 2.5 / 4]
    assert best_first(values).tolist() == [2, 5, 1, 4, 3, 0]


def outcome_of(index: int, architecture, error: float, params: int, **more) -> Outcome:
    return Outcome(index, architecture, "ok", (), 1 - error, params, 1, 1.0, **more)


def test_objectives_of_a_child(row):
    architecture = row().decode((0, 0, 0, 0))
    outcome = outcome_of(0, architecture, 0.25, 70, measured={"latency": 0.002})
    assert costs_of(outcome, ("error", "params", "latency")) == (0.25, 70.0, 0.002)
    failed = Outcome(1, architecture, "failed", (), float("nan"), 70, 9, 1.0)
    assert costs_of(failed, ("mult_adds", "error")) == (9.0, 1.0)
    with pytest.raises(InputError, match="has no energy"):
        costs_of(outcome, ("error", "energy"))
    with pytest.raises(InputError, match="has no params"):
        costs_of(outcome_of(0, architecture, 0.1, -1), ("error", "params"))


@pytest.mark.parametrize("text", ["error", "error/error", "error/params/mult_adds/latency", ""])
def test_two_or_three_different_objectives(text: str):
    with pytest.raises((ValidationError, InputError), match="two or three"):
        ObjectivesConfig(objectives=text)


def test_spellings_of_objectives():
    config = ObjectivesConfig(objectives="error, mult-adds")
    assert config.objectives == "error/mult_adds"
    assert config.measured == ()
    assert ObjectivesConfig(objectives="error/latency[device=a/b,batch=1]").measured == ("latency[device=a/b,batch=1]",)


def two_costs(architecture) -> tuple[float, int]:
    """A made-up error that falls with the choices and a size that grows with them, with other traps for each decision."""
    choices = np.array(architecture.choices)
    weights = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    return float(0.9 - (weights * choices).sum() / 60), int(10 + (choices * weights[::-1]).sum())


def searched(strategy, children: int) -> np.ndarray:
    """Run a search of made-up objectives; the objectives of all children in order."""
    found: list[tuple[float, int]] = []
    while len(found) < children:
        architecture = strategy.ask()
        if architecture is None:
            break
        found.append(two_costs(architecture))
        strategy.tell(outcome_of(len(found) - 1, architecture, *found[-1]))
    return np.array(found, dtype=float)


def volume(values: np.ndarray) -> float:
    """Area up to (1, 60), by adding up the steps of the front."""
    area, height = 0.0, 1.0
    for error, params in sorted(map(tuple, values), key=lambda point: (point[1], point[0])):
        if error < height and params < 60:
            area += (height - error) * (60 - params)
            height = error
    return area


@pytest.mark.parametrize("name", ["nsga2", "mo_evolution", pytest.param("parego", marks=pytest.mark.slow)])
def test_dominates_more_than_chance(name: str):
    space = get_space("nasbench201")
    kind = STRATEGIES.get(name)
    config = kind.config_type(
        **({"population": 10} if name != "parego" else {"kernel": "hamming", "batch": 5, "candidates": 40})
    )
    found = searched(kind(space, 0, config), 80)
    rng = np.random.default_rng(0)
    chance = [volume(np.array([two_costs(space.random(rng)) for _ in range(80)])) for _ in range(15)]
    assert volume(found) > np.quantile(chance, 0.9)


def test_a_generation_keeps_the_best_of_parents_and_children(row):
    space = row((4, 4, 4))
    strategy = Nsga2(space, 0, Nsga2Config(population=6))
    told: list[tuple[tuple[int, ...], tuple[float, float]]] = []
    for generation in range(4):
        children = [strategy.ask() for _ in range(6)]
        assert strategy.ask() is None
        members = {member.choices for member in strategy.population}
        assert not members & {child.choices for child in children}
        assert len({child.choices for child in children}) == 6
        costs = []
        for child in children:
            error = 0.1 + sum(child.choices) / 20
            costs.append((child.choices, (error, 100.0 - 10 * child.choices[0] + child.choices[1])))
        before = [each for each in told if each[0] in members]
        for place in (3, 0, 5, 1, 4, 2):
            index = 6 * generation + place
            error, params = costs[place][1]
            strategy.tell(outcome_of(index, children[place], error, int(params)))
        told += costs
        everyone = before + costs
        ranks = ranks_one_by_one(np.array([cost for _, cost in everyone]))
        kept = {member.choices for member in strategy.population}
        worst_kept = max(rank for (choices, _), rank in zip(everyone, ranks) if choices in kept)
        assert len(kept) == 6
        assert all(choices in kept for (choices, _), rank in zip(everyone, ranks) if rank < worst_kept)


def test_the_search_ends_when_every_child_is_known(row):
    strategy = Nsga2(row((2, 2)), 0, Nsga2Config(population=4))
    assert len(converse(strategy, 50).proposals) == 4


def test_the_oldest_member_is_removed_and_the_front_has_children(row):
    space = row((8, 8))
    strategy = MoEvolution(space, 0, MoEvolutionConfig(population=3, sample=30))
    first = [strategy.ask() for _ in range(3)]
    for index, (architecture, error) in enumerate(zip(first, (0.1, 0.2, 0.9))):
        strategy.tell(outcome_of(index, architecture, error, 10 if index == 0 else 20))
    child = strategy.ask()  # all members are drawn, and the first one dominates the others
    assert sum(a != b for a, b in zip(child.choices, first[0].choices)) == 1
    strategy.tell(outcome_of(3, child, 0.3, 5))
    assert strategy.population == (first[1], first[2], child)


def test_weights_and_the_augmented_chebyshev_function():
    weights = simplex(3, 10)
    assert len(weights) == 66
    assert np.allclose(weights.sum(axis=1), 1)
    assert len({tuple(row) for row in weights.round(9).tolist()}) == 66
    values = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])
    by_hand = [0.6 + 0.05 * (0.05 + 0.6), 0.375 + 0.05 * 0.5, 0.25 + 0.05 * 0.25]
    assert chebyshev(values, np.array([0.25, 0.75]), 0.05) == pytest.approx(by_hand)


def test_a_quantity_whose_higher_values_are_better_counts_in_the_weighted_sum(row):
    """Tables negate it, and a negative value has no logarithm: it is scaled as it is."""
    strategy = Parego(row(), 0, ParegoConfig(objectives="error/throughput/latency"))
    architecture = strategy.space.random(np.random.default_rng(0))
    trained = [Trained(architecture, 0.5, (0.5, -value, value)) for value in (1.0, 10.0, 100.0)]
    scaled = strategy._scaled(trained)
    assert scaled[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert scaled[:, 1] == pytest.approx([1.0, 90 / 99, 0.0])
    assert scaled[:, 2] == pytest.approx([0.0, 0.5, 1.0])


def test_measured_objectives_are_told_by_name(row):
    strategy = Nsga2(row(), 0, Nsga2Config(population=2, objectives="error/latency"))
    assert strategy.config.measured == ("latency",)
    child = strategy.ask()
    strategy.tell(outcome_of(0, child, 0.5, 1, measured={"latency": 0.1}))
    with pytest.raises(InputError, match="has no latency"):
        strategy.tell(outcome_of(1, strategy.ask(), 0.5, 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (Nsga2, Nsga2Config(objectives="error/params/mult_adds", population=7, crossover=0.5, mutation=0.3)),
        (MoEvolution, MoEvolutionConfig(objectives="error/mult_adds", population=10, sample=5)),
        (Parego, ParegoConfig(objectives="error/params/mult_adds", initial=6, batch=7, candidates=20)),
    ],
)
def test_conforms_with_options(kind, config):
    check_strategy(kind, get_space("nasbench201"), seed=4, config=config, children=30)
