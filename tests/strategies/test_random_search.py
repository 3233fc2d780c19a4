"""Random search."""

from __future__ import annotations

from scipy import stats

from nasbench.runners.strategies.conformance import converse
from nasbench.runners.strategies.random import RandomConfig, RandomSearch


def test_every_architecture_is_equally_likely(row):
    space = row((3, 4))
    counts = dict.fromkeys(((a, b) for a in range(3) for b in range(4)), 0)
    for child in converse(RandomSearch(space, 0), 6000).proposals:
        counts[child.choices] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_repetition_is_allowed_by_default(row):
    assert len(converse(RandomSearch(row((2, 2)), 0), 50).proposals) == 50


def test_unique_asks_for_each_hash_once_and_then_ends(row):
    strategy = RandomSearch(row((3, 4)), 0, RandomConfig(unique=True))
    asked = converse(strategy, 50, outstanding=3).proposals
    assert len(asked) == 12
    assert len({child.hash for child in asked}) == 12
    assert strategy.ask() is None
