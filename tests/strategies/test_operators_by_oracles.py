"""Weights, models and genetic operators of searches for several objectives, each against a plain rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nasbench.runners.strategies import Outcome, gp, parego
from nasbench.runners.strategies.conformance import converse, made_up_score
from nasbench.runners.strategies.densities import SHARES, CategoricalDensity
from nasbench.runners.strategies.gp import GaussianProcess, GpConfig
from nasbench.runners.strategies.mo_evolution import MoEvolution, MoEvolutionConfig
from nasbench.runners.strategies.nsga2 import Nsga2, Nsga2Config
from nasbench.runners.strategies.parego import Parego, ParegoConfig
from nasbench.runners.strategies.predictors.batches import Trained
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture

SPACE = get_space("choices:6/6/6/6/6/6/6/6")


def told(index: int, child: Architecture) -> Outcome:
    params, mult_adds = 10 + 7 * sum(child.choices), 1 + child.choices[0] ** 3
    return Outcome(index, child, "ok", (), 0.2 + 0.05 * child.choices[1], params, mult_adds, 1.0)


def test_each_child_of_parego_has_weights_of_its_own_and_the_values_that_they_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[list[float]] = []
    seen: list[tuple[str, float]] = []
    rewards: list[list[float]] = []
    chebyshev, acquire = parego.chebyshev, parego.acquire

    def weighing(values: Any, weights: Any, rho: float) -> Any:
        used.append(weights.tolist())
        return chebyshev(values, weights, rho)

    def acquiring(kind: Any, mean: Any, deviation: Any, best: float, *others: Any) -> Any:
        seen.append((kind, best))
        return acquire(kind, mean, deviation, best, *others)

    class Recorded(Parego):
        def rank(self, trained: Sequence[Trained], pool: Sequence[Architecture]) -> Sequence[float]:
            rewards.append([child.reward for child in trained])
            return super().rank(trained, pool)

    monkeypatch.setattr(parego, "chebyshev", weighing)
    monkeypatch.setattr(parego, "acquire", acquiring)
    options = {"objectives": "error/params/mult_adds", "initial": 5, "batch": 3, "candidates": 12, "kernel": "hamming"}
    strategy = Recorded(SPACE, 1, ParegoConfig(**options, divisions=4, rho=0.2))
    asked: list[Architecture] = []
    for _ in range(23):
        child = strategy.ask()
        assert child is not None
        asked.append(child)
        strategy.tell(told(len(asked) - 1, child))
    assert len({child.hash for child in asked}) == 23
    assert len(used) == 18
    assert len({tuple(weights) for weights in used}) >= 8
    assert {4 * weight for weights in used for weight in weights} <= {0.0, 1.0, 2.0, 3.0, 4.0}
    for place, (weights, found) in enumerate(zip(used, rewards)):
        known = [told(0, child) for child in asked[: 5 + 3 * (place // 3)]]
        columns = [
            [1 - each.val_acc for each in known],
            [math.log(each.params) for each in known],
            [math.log(each.mult_adds) for each in known],
        ]
        expected = []
        for values in zip(*columns):
            scaled = [(value - min(one)) / (max(one) - min(one)) for value, one in zip(values, columns)]
            products = [weight * value for weight, value in zip(weights, scaled)]
            expected.append(-(max(products) + 0.2 * sum(products)))
        assert found == pytest.approx(expected)
        assert seen[place] == ("ei", max(found))


def test_a_batch_of_parego_has_different_architectures() -> None:
    """In a space of nine, whose best one is the choice of most weights: it is chosen once."""
    config = ParegoConfig(initial=2, batch=7, candidates=9, kernel="hamming")
    assert len({child.choices for child in converse(Parego(get_space("choices:3/3"), 0, config), 9).proposals}) == 9


def test_a_cost_of_zero_counts_as_the_smallest_one() -> None:
    strategy = Parego(SPACE, 0, ParegoConfig(objectives="error/energy/latency"))
    child = SPACE.decode([0] * 8)
    scaled = strategy._scaled([Trained(child, 0.5, (0.5, value, 0.0)) for value in (0.0, 0.01, 0.1, 1.0)])
    assert scaled[:, 1] == pytest.approx([0.0, 0.0, 0.5, 1.0])
    assert scaled[:, 2].tolist() == [0.0] * 4


@pytest.mark.parametrize(("kind", "config"), [(Parego, ParegoConfig), (GaussianProcess, GpConfig)])
def test_half_of_the_candidates_are_mutations_of_the_best(kind: Any, config: Any) -> None:
    strategy = kind(SPACE, 3, config(candidates=20, parents=2))
    rng = np.random.default_rng(0)
    best = [SPACE.random(rng) for _ in range(6)]

    def nearest(child: Architecture) -> tuple[int, int]:
        return min((sum(a != b for a, b in zip(child.choices, each.choices)), at) for at, each in enumerate(best))

    found = [nearest(child) for child in strategy.pool(best)]
    assert len(found) == 20
    mutated = [at for distance, at in found if distance == 1]
    assert len(mutated) == 10
    assert set(mutated) == {0, 1}


@pytest.mark.parametrize("target", ["accuracy", "log_error"])
def test_the_process_models_what_the_option_says(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, float]] = []
    acquire = gp.acquire

    def acquiring(kind: Any, mean: Any, deviation: Any, best: float, *others: Any) -> Any:
        seen.append((kind, best))
        return acquire(kind, mean, deviation, best, *others)

    monkeypatch.setattr(gp, "acquire", acquiring)
    config = GpConfig(initial=4, batch=2, candidates=8, kernel="hamming", acquisition="pi", target=target)
    scores = [made_up_score(child) for child in converse(GaussianProcess(SPACE, 0, config), 7).proposals]
    best = [max(scores[:4]), max(scores[:6])]
    assert seen == [("pi", pytest.approx(each if target == "accuracy" else -math.log(1 - each))) for each in best]


def lot_of(members: Any, standing: Any, space: Any = SPACE, **options: Any) -> Any:
    strategy = Nsga2(space, 0, Nsga2Config(population=4000, **options))
    return strategy._lot(np.array(members), np.array(standing))


@pytest.fixture(autouse=True)
def few_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasbench.runners.strategies.nsga2.ATTEMPTS", 1)


@pytest.mark.parametrize(("mutation", "share"), [(0.0, 0.5), (0.3, 0.3), (1.0, 1.0)])
def test_a_mutated_decision_takes_another_option(mutation: float, share: float) -> None:
    """Without the option, one of the decisions that have a choice: two here."""
    found = lot_of([[2, 0, 1]], [0], get_space("choices:5/1/3"), mutation=mutation)
    assert (found[:, 1] == 0).all()
    for decision, before, options in ((0, 2, 5), (2, 1, 3)):
        changed = found[found[:, decision] != before][:, decision]
        assert len(changed) / len(found) == pytest.approx(share, abs=0.03)
        numbers = np.bincount(changed, minlength=options)
        others = np.delete(numbers, before)
        assert numbers[before] == 0
        assert others / len(changed) == pytest.approx(np.full(options - 1, 1 / (options - 1)), abs=0.04)


@pytest.mark.parametrize("crossover", [0.0, 0.4, 1.0])
def test_two_parents_exchange_half_of_their_choices(crossover: float) -> None:
    found = lot_of([[0] * 8, [1] * 8], [0, 0], crossover=crossover, mutation=1e-12)
    pairs = found.reshape(2, -1, 8)
    apart = (pairs[0] != pairs[1]).all(axis=1)  # of two different parents; what one child has the other has not
    assert (apart | (pairs[0] == pairs[1]).all(axis=1)).all()
    mixed = ((found != found[:, :1]).any(axis=1)).reshape(2, -1)
    assert (mixed[0] == mixed[1]).all()
    # a pair that exchanges leaves both whole with probability 2 / 2**8
    assert mixed[0][apart].mean() == pytest.approx(crossover * (1 - 2**-7), abs=0.03)
    if crossover == 1:
        assert pairs[0][apart].mean(axis=0) == pytest.approx(np.full(8, 0.5), abs=0.06)
        first = (pairs[0][apart] == pairs[0][apart][:, :1]).mean(axis=0)[1:]
        assert first == pytest.approx(np.full(7, 0.5), abs=0.06)


def test_the_better_of_two_wins_a_tournament() -> None:
    found = lot_of([[0] * 8, [1] * 8, [2] * 8], [2, 0, 1], crossover=0.0, mutation=1e-12)
    shares = np.bincount(found[:, 0], minlength=3) / len(found)
    assert shares == pytest.approx([1 / 9, 5 / 9, 3 / 9], abs=0.03)


def test_members_stand_by_front_then_by_crowding_and_ties_by_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = Nsga2(SPACE, 5, Nsga2Config(population=8))
    standings: list[list[int]] = []
    lot = strategy._lot

    def recorded(choices: Any, standing: Any) -> Any:
        standings.append(standing.tolist())
        return lot(choices, standing)

    monkeypatch.setattr(strategy, "_lot", recorded)
    for index in range(400):
        child = strategy.ask()
        assert child is not None
        params = 1 + child.choices[0] * (index < 200)
        error = 0.5 + 0.04 * child.choices[1] * (index < 200)
        strategy.tell(Outcome(index, child, "ok", (), error, params, 1, 1.0))
        if index % 8 == 7:
            keys = list(zip(strategy._ranks.tolist(), (-strategy._distances).tolist()))
            ordered = [key for _, key in sorted(zip(standings[-1], keys))]
            assert ordered == sorted(keys)
    assert len({tuple(each) for each in standings[-20:]}) > 10


def test_of_one_front_the_least_crowded_are_kept() -> None:
    """Along one line, whose ends are kept, and then the points whose neighbours are furthest apart."""
    strategy = Nsga2(SPACE, 2, Nsga2Config(population=7))
    places = np.random.default_rng(3).permutation(14) ** 2 / 169
    rows, points = [], []
    for half in (places[:7], places[7:]):
        rows += strategy.rows.tolist()
        points += half.tolist()
        strategy.evolve(np.column_stack([half, 1 - half]), lambda made: map(tuple, made.tolist()))
    ordered = sorted(points)
    gaps = {place: after - before for before, place, after in zip(ordered, ordered[1:], ordered[2:])}
    expected = {ordered[0], ordered[-1], *sorted(gaps, key=lambda place: -gaps[place])[:5]}
    kept = {points[rows.index(list(member.choices))] for member in strategy.population}
    assert kept == expected


@pytest.mark.parametrize(("sample", "best"), [(1, 1 / 4), (2, 1 - (3 / 4) ** 2), (40, 1.0)])
def test_the_sample_of_a_tournament_is_that_of_the_options(sample: int, best: float) -> None:
    """The parent of a mutation has all but one of its choices; one member dominates the others."""
    strategy = MoEvolution(SPACE, 0, MoEvolutionConfig(population=4, sample=sample))
    for index in range(4):
        child = SPACE.decode([index] * 8)
        strategy.tell(Outcome(index, child, "ok", (), 0.5 + 0.1 * (index == 2), 10 - (index == 2), 1, 1.0))
    parents = [max(range(6), key=strategy.ask().choices.count) for _ in range(400)]
    assert parents.count(2) / 400 == pytest.approx(best, abs=0.06)


def test_a_member_that_a_tournament_draws_twice_is_one_member() -> None:
    """Four members trade error against parameters. Whichever end is drawn first wins; copies would push one end inwards."""
    strategy = MoEvolution(SPACE, 0, MoEvolutionConfig(population=4, sample=8))
    for index in range(4):
        child = SPACE.decode([index] * 8)
        strategy.tell(Outcome(index, child, "ok", (), 0.5 + 0.1 * index, 10 + 5 * index, 1, 1.0))
    parents = [max(range(6), key=strategy.ask().choices.count) for _ in range(400)]
    assert parents.count(0) / 400 == pytest.approx(0.5, abs=0.09)
    assert parents.count(3) / 400 == pytest.approx(0.5, abs=0.09)


def test_draws_of_a_density_leave_a_point_by_its_width_times_the_factor() -> None:
    density = CategoricalDensity(np.tile([0, 1], (20, 1)), (5, 2))
    density.share = SHARES[0]
    for widening in (1.0, 3.0, 6.0, 1000.0):
        drawn = density.draw(np.random.default_rng(0), 20_000, widening)
        share = min(widening * SHARES[0], 1.0)
        assert (drawn[:, 0] != 0).mean() == pytest.approx(share * 4 / 5, abs=0.012)
        assert (drawn[:, 1] != 1).mean() == pytest.approx(share * 1 / 2, abs=0.012)


def test_the_width_of_many_points_is_chosen_by_some_from_all_of_them() -> None:
    """Outcomes are sorted by their scores: the first ones may agree, and the others not."""
    points = np.random.default_rng(1).integers((5, 5, 5), size=(600, 3))
    points[:200, :2] = 0
    assert CategoricalDensity(points, (5, 5, 5)).share > CategoricalDensity(points[:200], (5, 5, 5)).share
