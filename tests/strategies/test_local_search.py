"""Local search."""

from __future__ import annotations

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.runners.strategies.conformance import check_strategy, converse, made_up_outcome
from nasbench.runners.strategies.local_search import LocalSearch, LocalSearchConfig
from nasbench.spaces import get_space


def unimodal(architecture) -> float:
    """A made-up accuracy with one peak, at the last choice of every decision; all values differ in a neighbourhood."""
    return sum(choice * (1 + index / 10) for index, choice in enumerate(architecture.choices)) / 100


def rugged(architecture) -> float:
    """A made-up accuracy with many peaks."""
    return 0.5 + 0.4 * np.sin(37 * sum(choice * (index + 1) for index, choice in enumerate(architecture.choices)))


def children_until(best: float, strategy: LocalSearch, score) -> int:
    scores = [score(child) for child in converse(strategy, 2000, score=score).proposals]
    return scores.index(best) + 1


@pytest.mark.parametrize("spec", ["nas:layers=4", "nasnet:blocks=2", "nasbench201"])
def test_neighbours_differ_in_one_decision(spec: str):
    space = get_space(spec)
    centre = space.random(np.random.default_rng(0))
    neighbours = list(space.neighbours(centre))
    assert len(set(neighbours)) == len(neighbours) == sum(decision.options - 1 for decision in space.decisions)
    for other in neighbours:
        assert space.decode(other.choices) == other
        assert sum(a != b for a, b in zip(other.choices, centre.choices)) == 1


def test_each_climb_trains_the_unknown_neighbours_and_moves_to_the_best(row):
    """Against hill climbing written down from the paper; the order within a neighbourhood is free."""
    space = row((3, 4, 2, 3))
    asked = converse(LocalSearch(space, 5), 60, score=rugged).proposals
    known: set = set()
    place = 0
    for _ in range(2):  # later climbs may start at an architecture that is known, which no ask shows
        centre, better = asked[place], True
        assert centre not in known
        known.add(centre)
        place += 1
        while better:
            unknown = set(space.neighbours(centre)) - known
            trained = asked[place : place + len(unknown)]
            assert set(trained) == unknown
            known |= unknown
            place += len(unknown)
            best = max(space.neighbours(centre), key=rugged)
            better = rugged(best) > rugged(centre)
            centre = best


@pytest.mark.parametrize("move", ["best", "first"])
def test_reaches_the_peak_in_one_climb(row, move: str):
    space = row((4, 3, 4, 2, 3))
    peak = tuple(options - 1 for options in space.options)
    for seed in range(5):
        strategy = LocalSearch(space, seed, LocalSearchConfig(move=move))
        asked = converse(strategy, 90, score=unimodal).proposals
        assert peak in [child.choices for child in asked]
        assert len({child.choices for child in asked}) == len(asked)
        if move == "best":  # each step sets one of the 5 decisions to its peak, and trains at most 11 neighbours
            assert children_until(unimodal(space.decode(peak)), LocalSearch(space, seed), unimodal) <= 1 + 5 * 11


def test_the_first_improvement_is_taken_at_once(row):
    space = row((2,) * 30)
    peak = unimodal(space.decode((1,) * 30))
    first, best = (
        np.mean(
            [
                children_until(peak, LocalSearch(space, seed, LocalSearchConfig(move=move)), unimodal)
                for seed in range(5)
            ]
        )
        for move in ("first", "best")
    )
    assert first < best / 2


def test_waits_at_the_end_of_a_neighbourhood(row):
    strategy = LocalSearch(row((2, 2, 2)), 0)
    start = strategy.ask()
    assert strategy.ask() is None
    strategy.tell(made_up_outcome(0, start, 0.5))
    around = [strategy.ask() for _ in range(3)]
    assert {child.choices for child in around} == {child.choices for child in row((2, 2, 2)).neighbours(start)}
    assert strategy.ask() is None
    strategy.tell(made_up_outcome(2, around[1], 0.9))
    assert strategy.ask() is None  # the others are still in training


def test_a_climb_begins_at_the_best_of_its_starts(row):
    space = row((5,) * 6)
    asked = converse(LocalSearch(space, 0, LocalSearchConfig(starts=8)), 8 + 24, score=unimodal).proposals
    best = max(asked[:8], key=unimodal)
    assert set(asked[8:]) == set(space.neighbours(best)) - set(asked[:8])


def test_ends_when_everything_is_known(row):
    strategy = LocalSearch(row((2, 3)), 0)
    asked = converse(strategy, 50, score=rugged).proposals
    assert len(asked) == 6
    assert strategy.ask() is None


def test_a_space_of_one_architecture_ends(row):
    assert len(converse(LocalSearch(row((1,)), 0), 50).proposals) == 1


def test_equal_hashes_are_trained_once():
    asked = converse(LocalSearch(get_space("nasbench201"), 0), 300).proposals
    assert len({child.hash for child in asked}) == len(asked) == 300


def test_a_child_that_is_not_in_training_is_refused(row):
    strategy = LocalSearch(row(), 0)
    outcome = made_up_outcome(0, strategy.ask(), 0.5)
    strategy.tell(outcome)
    with pytest.raises(InputError, match="not in training"):
        strategy.tell(outcome)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("move", ["best", "first"])
@pytest.mark.parametrize("starts", [1, 5])
def test_conforms_with_options(row, move: str, starts: int):
    check_strategy(LocalSearch, row((3, 4, 2)), config=LocalSearchConfig(move=move, starts=starts), children=40)
