"""Views guided by a score: the best of a pool first, and the worst never."""

from __future__ import annotations

import numpy as np
import pytest
from small_spaces import Row

from nasbench.errors import InputError
from nasbench.runners.search.proxy import parse_filter, require_kept
from nasbench.runners.strategies import STRATEGIES
from nasbench.runners.strategies.bananas import BananasConfig
from nasbench.runners.strategies.conformance import check_strategy, converse
from nasbench.runners.strategies.evolution import Evolution, EvolutionConfig
from nasbench.spaces.constrained import under_limits
from nasbench.spaces.proxies import guided
from nasbench.structures import Scale

SPACE = Row((4, 4, 4))
SCALE = Scale(cells=1, filters=8, image_size=8, image_channels=1, classes=3)


def score(architecture) -> float:
    """Undefined for one architecture in four."""
    return float("nan") if architecture.choices[0] == 3 else float(sum(architecture.choices))


def value(architecture) -> float:
    found = score(architecture)
    return -np.inf if np.isnan(found) else found


def test_draws_begin_with_the_best_of_the_pool_and_go_on_at_random():
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    view = guided(SPACE, "made-up", score, candidates=20, children=5)
    drawn = [view.random(rng) for _ in range(5)]
    pool: dict[str, object] = {}
    while len(pool) < 20:
        architecture = SPACE.random(same)
        pool.setdefault(architecture.hash, architecture)
    assert drawn == sorted(pool.values(), key=lambda each: -value(each))[:5]
    assert [view.random(rng) for _ in range(30)] == [SPACE.random(same) for _ in range(30)]


def test_a_filter_keeps_a_share_and_never_proposes_the_rest():
    view = guided(SPACE, "made-up", score, candidates=200, keep=0.25)
    everything = [SPACE.decode((a, b, c)) for a in range(4) for b in range(4) for c in range(4)]
    allowed = [each for each in everything if view.allows(each)]
    assert 0.15 < len(allowed) / 64 < 0.45
    assert min(map(value, allowed)) >= max(value(each) for each in everything if not view.allows(each))
    rng = np.random.default_rng(0)
    assert all(view.allows(view.random(rng)) for _ in range(50))
    assert all(view.allows(view.mutate(each, rng)) for each in allowed)


@pytest.mark.parametrize(
    ("keep", "candidates", "kept"),
    [(0.5, 100, 50), (0.05, 100, 5), (0.01, 100, 1), (0.1, 10, 1), (0.5, 2, 1), (0.001, 10, 1)],
)
def test_of_the_pool_as_many_are_kept_as_is_said(keep: float, candidates: int, kept: int):
    """Of 100 candidates keep=0.01 let two pass, of 10 candidates keep=0.05 two."""
    many = Row((1000, 1000, 1000))
    view = guided(
        many, "made-up", lambda each: each.choices[0] + each.choices[1] / 1e3, candidates=candidates, keep=keep
    )
    rng = np.random.default_rng([0, 1])
    pool = [many.random(rng) for _ in range(candidates)]  # the one from which the limit follows
    assert sum(view.allows(each) for each in pool) == kept


def test_a_filter_that_would_refuse_nothing_is_told():
    view = guided(SPACE, "made-up", lambda each: float("nan"), candidates=10, keep=0.5)
    with pytest.raises(
        InputError, match="made-up gave a number for 0 of 10 random architectures, too few to tell the best 50%"
    ):
        view.allows(SPACE.decode((0, 0, 0)))


def test_a_filter_keeps_one_at_least():
    with pytest.raises(
        InputError, match=r"keep=0\.05 of candidates=10 is less than one architecture; give candidates=20 or more"
    ):
        require_kept(parse_filter("zero_cost:synflow,candidates=10,keep=0.05"))
    require_kept(parse_filter("zero_cost:synflow,candidates=20,keep=0.05"))
    require_kept(None)


def test_within_other_limits():
    limited = under_limits(SPACE, "params <= 6", SCALE)  # one more than the sum of the choices
    view = guided(guided(limited, "made-up", score, keep=0.5), "made-up", score, candidates=15, children=4)
    rng = np.random.default_rng(0)
    drawn = [view.random(rng) for _ in range(30)]
    assert all(sum(each.choices) <= 5 and limited.allows(each) for each in drawn)
    assert [value(each) for each in drawn[:4]] == sorted(map(value, drawn[:4]), reverse=True)


class _Counting:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, architecture) -> float:
        self.asked.append(architecture.hash)
        return score(architecture)


def test_each_architecture_is_scored_once_and_not_before_it_is_needed():
    counting = _Counting()
    view = guided(SPACE, "made-up", counting, candidates=12, children=3)
    assert counting.asked == []
    proposals = converse(Evolution(view, 0, EvolutionConfig(population=5, sample=2)), 20).proposals
    assert len(counting.asked) == len(set(counting.asked)) == 12
    assert proposals[0].hash in counting.asked


class _Fresh:
    """Stands for a strategy's class: every strategy gets a view of its own, as a run's does."""

    def __init__(self, kind, options) -> None:
        self.kind, self.options, self.name = kind, options, kind.name
        self.config_type, self.asks_epochs = kind.config_type, kind.asks_epochs

    def __call__(self, space, seed, config):
        return self.kind(guided(space, "made-up", score, **self.options), seed, config)


@pytest.mark.parametrize("options", [{"candidates": 12, "children": 6}, {"keep": 0.5, "candidates": 30}])
@pytest.mark.parametrize("name", ["evolution", "bananas"])
def test_guided_strategies_conform(name: str, options):
    config = (
        BananasConfig(ensemble=2, layers=1, epochs=2, candidates=10, initial=8, batch=8) if name == "bananas" else None
    )
    check_strategy(_Fresh(STRATEGIES.get(name), options), SPACE, seed=1, config=config, children=20)
