"""Searches with a warm start or a filter by a zero-cost score."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from searching import search, tiny_plan

from nasbench.errors import InputError, UnknownName
from nasbench.protocols.protocol import validated
from nasbench.runners.replay.guidance import Guidance
from nasbench.runners.search import config as module
from nasbench.runners.search.proxy import parse_filter, parse_warm_start, text_of
from nasbench.runners.strategies import STRATEGIES, Proposal, Strategy
from nasbench.spaces import Architecture, get_space
from nasbench.spaces.proxies import guided
from nasbench.store.query import Results
from nasbench.zero_cost import ScoringInput, ZeroCost
from nasbench.zero_cost.counts import params

FIELDS = {"strategy": "evolution", "options": {"population": 4, "sample": 2}, "budget": "6 children", "final": "none"}


@pytest.fixture
def scored(monkeypatch) -> list[str]:
    """Scores are the number of parameters; the list has the hashes of the scored architectures."""
    hashes: list[str] = []

    def score(architecture, name, protocol, seed, device):
        hashes.append(architecture.hash)
        return ZeroCost(params(ScoringInput.of(architecture, protocol, seed, device)), 0.0)

    monkeypatch.setattr(module, "zero_cost_score", score)
    return hashes


def test_the_first_children_are_the_best_of_the_pool(tmp_path, scored):
    plan = tiny_plan(warm_start="zero_cost:synflow,candidates=8,children=3", **FIELDS)
    assert plan.run != tiny_plan(**FIELDS).run
    scored.clear()
    search(plan, tmp_path / "a.h5")
    with Results(tmp_path / "a.h5") as results:
        frame, runs = results.frame(), results.runs()
    assert len(scored) == len(set(scored)) == 8
    first = frame["hash"].tolist()[:3]
    assert set(first) <= set(scored)
    assert frame["params"].tolist()[:3] == sorted(frame["params"].tolist()[:3], reverse=True)
    assert runs["searcher_hours"].iloc[0] > 0
    again = plan.strategy()
    assert [again.ask().hash for _ in range(3)] == first  # each strategy of a plan begins anew


def test_a_filter_proposes_only_the_best_share(tmp_path, scored):
    plan = tiny_plan(filter="zero_cost:params,keep=0.3,candidates=10", **FIELDS)
    scored.clear()
    search(plan, tmp_path / "a.h5")
    with Results(tmp_path / "a.h5") as results:
        frame = results.frame()
    assert len(scored) == len(set(scored)) > 10
    assert all(plan.searched.allows(plan.space.decode(json.loads(text))) for text in frame["choices"])


def test_a_configuration_without_them_keeps_its_id():
    assert tiny_plan(**FIELDS).run == tiny_plan(warm_start="", filter="", **FIELDS).run


def test_one_spelling():
    assert text_of(parse_warm_start("zero_cost:synflow, children=20,candidates=100")) == "zero_cost:synflow,children=20"
    assert text_of(parse_filter("zero_cost:naswot,keep=0.25")) == "zero_cost:naswot,keep=0.25"
    assert text_of(parse_filter("")) == ""


@pytest.mark.parametrize("candidates", [11, 99_999, 999_999, 1_000_000, 1_234_567, 10**17 + 1])
def test_a_number_of_candidates_is_read_as_it_was_given(candidates: int):
    text = f"zero_cost:synflow,candidates={candidates}"
    assert text_of(parse_warm_start(text)) == text
    assert parse_warm_start(text).candidates == candidates


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("0.25", "0.25"),
        (".3000", "0.3"),
        ("0.123456", "0.123456"),
        ("0.00001", "1e-05"),
        ("0.12345678", "0.12345678"),
        ("0.30000000000000004", "0.30000000000000004"),
    ],
)
def test_a_share_is_short_where_that_is_exact_and_never_rounded(given: str, written: str):
    """The short forms are those in the configurations and ids of stored runs."""
    text = text_of(parse_filter(f"zero_cost:naswot,keep={given}"))
    assert text == f"zero_cost:naswot,keep={written}"
    assert parse_filter(text).keep == float(given)


@pytest.mark.parametrize("text", ["candidates=10,children=50", "candidates=9"])
def test_more_children_than_candidates_are_refused_for_new_runs_alone(text: str):
    plan = tiny_plan(warm_start=f"zero_cost:params,{text}", **FIELDS)  # as a stored run is resumed
    with pytest.raises(InputError, match="are more than there are; give more candidates, or fewer children"):
        plan.as_new()
    with pytest.raises(InputError, match="are more than there are"):
        Guidance.of(f"zero_cost:params,{text}")
    assert Guidance.of("zero_cost:params,candidates=10")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("synflow", "should be zero_cost:SCORE"),
        ("zero_cost:synflov", "did you mean 'synflow'"),
        ("zero_cost:synflow,child=3", "unknown option of warm_start"),
        ("zero_cost:synflow,children=0", "children is 1 or more"),
        ("zero_cost:synflow,children=x", "children takes a number"),
    ],
)
def test_mistakes_are_one_line(text: str, told: str):
    with pytest.raises((InputError, UnknownName), match=told):
        parse_warm_start(text)


@pytest.mark.parametrize(
    ("strategy", "package"),
    [("reinforce", "torch"), ("optuna", "optuna"), ("pymoo", "pymoo"), ("syne_tune", "syne_tune")],
)
def test_a_strategy_without_a_random_beginning_is_refused(strategy: str, package: str):
    pytest.importorskip(package)
    with pytest.raises(InputError, match="does not begin with random architectures"):
        tiny_plan(warm_start="zero_cost:params", strategy=strategy)


@pytest.mark.parametrize("name", [each for each in STRATEGIES if STRATEGIES.get(each).begins_at_random])
def test_a_strategy_that_takes_a_warm_start_begins_with_the_best_of_the_pool(name: str):
    space, pool = get_space("nasbench201"), []

    def score(architecture: Architecture) -> float:
        pool.append(space.count(architecture).params)
        return pool[-1]

    kind = STRATEGIES.get(name)
    options = {"max_epochs": 4} if kind.asks_epochs else {}
    view = guided(space, "params", score, candidates=8, children=3)
    strategy = kind(view, 0, validated(kind.config_type, options, name))
    proposals = [each for each in (strategy.ask() for _ in range(3)) if each is not None]  # some wait for outcomes
    asked = [each.architecture if isinstance(each, Proposal) else each for each in proposals]
    assert asked
    assert {space.count(each).params for each in asked} <= set(sorted(pool)[-3:])


class AlwaysTheFirst(Strategy):
    """Proposes one architecture, and never draws."""

    name = "always_the_first"

    def ask(self):
        """Propose the architecture of zeros."""
        return self.space.decode([0] * len(self.space.decisions))

    def tell(self, outcome):
        """Do nothing."""


def test_a_warm_start_that_a_strategy_never_used_is_told_of_at_the_end(tmp_path, scored, caplog):
    fields = {**FIELDS, "strategy": "random", "options": {}, "budget": "1 children"}
    used = tiny_plan(warm_start="zero_cost:synflow,candidates=4,children=1", **fields)
    search(used, tmp_path / "a.h5")
    assert "changed nothing" not in caplog.text
    search(replace(used, kind=AlwaysTheFirst), tmp_path / "b.h5")
    assert "the warm start changed nothing" in caplog.text
