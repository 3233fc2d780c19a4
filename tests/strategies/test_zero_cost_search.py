"""Zero-cost search: the pool, its order, and what it costs to ask."""

from __future__ import annotations

import math

import numpy as np
import pytest
from searching import tiny_plan

from nasbench.errors import InputError, UnknownName
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.strategies import zero_cost
from nasbench.runners.strategies.conformance import check_strategy, converse
from nasbench.runners.strategies.zero_cost import ZeroCostConfig, ZeroCostSearch
from nasbench.spaces import get_space
from nasbench.zero_cost import ZeroCost, zero_cost_score

TINY = "fake:images=60,size=8,classes=3"


@pytest.fixture
def scored(monkeypatch):
    """The architectures that were scored, each by the sum of its choices instead of a network; a sum of 3 is undefined."""
    calls = []

    def made_up(architecture, score, protocol, seed, device):
        calls.append((architecture, score, protocol, seed, device))
        total = sum(architecture.choices)
        return ZeroCost(math.nan if total == 3 else float(total), 0.0)

    monkeypatch.setattr(zero_cost, "zero_cost_score", made_up)
    return calls


def test_asks_the_best_of_a_pool_first(toys, scored):
    strategy = ZeroCostSearch(toys["row"], 0, ZeroCostConfig(candidates=12))
    first = strategy.ask()
    assert len(scored) == 12
    asked = [first, *(strategy.ask() for _ in range(11))]
    assert len(scored) == 12
    totals = [sum(architecture.choices) for architecture in asked]
    undefined = totals.count(3)
    assert undefined
    assert totals[-undefined:] == [3] * undefined
    assert totals[:-undefined] == sorted(totals[:-undefined], reverse=True)
    assert {architecture.hash for architecture in asked} == {call[0].hash for call in scored}


def test_equals_come_as_they_were_drawn(toys, scored):
    strategy = ZeroCostSearch(toys["row"], 0, ZeroCostConfig(candidates=12))
    asked = [strategy.ask() for _ in range(12)]
    drawn = [call[0] for call in scored]
    for total in {sum(architecture.choices) for architecture in drawn}:
        assert [a for a in asked if sum(a.choices) == total] == [a for a in drawn if sum(a.choices) == total]


def test_pools_follow_until_the_space_is_exhausted(toys, scored):
    strategy = ZeroCostSearch(toys["row"], 1, ZeroCostConfig(candidates=10))
    hashes = [architecture.hash for architecture in iter(strategy.ask, None)]
    assert len(hashes) == len(set(hashes)) == toys["row"].size == 24
    assert len(scored) == 24
    assert strategy.ask() is None


def test_options_name_what_is_scored(toys, scored):
    config = ZeroCostConfig(score="synflow", candidates=1, data=TINY, cells=3, filters=5, device="cuda:1")
    ZeroCostSearch(toys["row"], 8, config).ask()
    _, score, protocol, seed, device = scored[0]
    assert (score, seed, device) == ("synflow", 8, "cuda:1")
    assert protocol == get_protocol("digits", {"data": TINY, "cells": 3, "filters": 5})


@pytest.mark.sampled(1)
@pytest.mark.parametrize("score", ["naswot", "synflow", "params"])
def test_real_scores_order_real_networks(score: str):
    space = get_space("nasbench201")
    config = ZeroCostConfig(score=score, candidates=6, data=TINY, filters=4)
    strategy = ZeroCostSearch(space, 2, config)
    asked = [strategy.ask() for _ in range(6)]
    protocol = get_protocol("digits", {"data": TINY, "filters": 4})
    values = [zero_cost_score(architecture, score, protocol, 2).value for architecture in asked]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("spec", ["nasbench201", "nas:layers=2,filters=4/8/12/16", "nasnet:blocks=1"])
def test_conformance_with_networks(spec: str):
    config = ZeroCostConfig(score="naswot", candidates=3, data=TINY, filters=4)
    check_strategy(ZeroCostSearch, get_space(spec), seed=3, config=config, children=3)


def test_it_learns_nothing(toys, scored):
    config = ZeroCostConfig(candidates=8)
    answers = [
        converse(ZeroCostSearch(toys["row"], 4, config), 16, score=score).proposals
        for score in (lambda _: 0.9, lambda architecture: np.mean(architecture.choices) / 4)
    ]
    assert answers[0] == answers[1]


def test_mistakes_are_refused_before_anything_is_scored(toys):
    with pytest.raises(UnknownName, match="did you mean 'synflow'"):
        ZeroCostSearch(toys["row"], 0, ZeroCostConfig(score="synflo"))
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        ZeroCostSearch(toys["row"], 0, ZeroCostConfig(protocol="digit"))
    with pytest.raises(InputError):
        ZeroCostSearch(toys["row"], 0, ZeroCostConfig(data="nowhere", candidates=1)).ask()


def test_networks_are_scored_by_the_protocol_of_the_run_but_for_the_options():
    changes = {"data": TINY, "whiten": False, "train_images": 9, "split_seed": 3, "filters": 4}
    plan = tiny_plan(strategy="zero_cost", set=changes, options={"cells": 3})
    used = plan.strategy()._protocol
    assert used.model_dump(exclude={"name"}) == {**plan.protocol.model_dump(exclude={"name"}), "cells": 3}
    other = tiny_plan(strategy="zero_cost", set=changes, options={"protocol": "digits201"}).strategy()._protocol
    assert (other.whiten, other.train_images) == (get_protocol("digits201").whiten, 0)
