"""Syne Tune's searchers as strategies: its own loop as the oracle, limits, failures, and a clear line without the package."""

from __future__ import annotations

import logging
import pickle
import sys
import warnings

import numpy as np
import pytest
from optional_packages import need_package_of

from nasbench.errors import InputError, MissingExtra
from nasbench.runners.replay.replay import Setting
from nasbench.runners.strategies import Outcome
from nasbench.runners.strategies.conformance import check_strategy, converse
from nasbench.runners.strategies.syne_tune_searchers import SyneTuneConfig, SyneTuneSearch
from nasbench.spaces import get_space
from nasbench.spaces.constrained import under_limits

need_package_of("syne_tune")
SPACE = get_space("nasbench201")


def accuracy(choices) -> float:
    return 0.4 + 0.1 * sum(choice >= 2 for choice in choices) - 0.01 * choices[0]


def outcome(index: int, architecture, status: str = "ok") -> Outcome:
    return Outcome(index, architecture, status, (), accuracy(architecture.choices), 1000, 1, 1.0)


def config_of(searcher: str, **evolution: int) -> SyneTuneConfig:
    return SyneTuneConfig(searcher=searcher, **(evolution if searcher == "regularized_evolution" else {}))


MODELS = [pytest.param(name, marks=pytest.mark.slow) for name in ("cqr", "bore", "kde")]


@pytest.mark.parametrize("searcher", [*MODELS, "regularized_evolution", "random_search"])
def test_every_searcher_keeps_the_rules_of_strategies(searcher):
    children = {"bore": 8, "cqr": 7, "kde": 50}.get(searcher, 30)
    check_strategy(SyneTuneSearch, SPACE, 0, config_of(searcher, population=6), children=children)


@pytest.mark.parametrize("searcher", [*MODELS, "regularized_evolution", "random_search"])
def test_its_proposals_are_those_of_syne_tunes_own_loop(searcher):
    from syne_tune.config_space import choice
    from syne_tune.optimizer.schedulers.ask_tell_scheduler import AskTellScheduler
    from syne_tune.optimizer.schedulers.searchers.searcher_factory import searcher_factory
    from syne_tune.optimizer.schedulers.single_objective_scheduler import SingleObjectiveScheduler

    count, seed = {"bore": 9, "cqr": 8, "kde": 60}.get(searcher, 30), 5
    own, _, shared = np.random.SeedSequence(seed).generate_state(3)
    names = [f"{place}:{decision.name}" for place, decision in enumerate(SPACE.decisions)]
    configuration = {name: choice(["0", "1", "2", "3", "4"]) for name in names}
    options = {"population_size": 6, "sample_size": 2} if searcher == "regularized_evolution" else {}
    theirs = []
    before = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(shared)  # noqa: NPY002
        # A scheduler that is given a searcher's name does not hand it the seed; without a seed it draws one.
        seeded = searcher_factory(searcher, configuration, random_seed=int(own % 2**31), **options)
        loop = AskTellScheduler(SingleObjectiveScheduler(configuration, "error", searcher=seeded, random_seed=0))
        for _ in range(count):
            trial = loop.ask()
            theirs.append(tuple(int(trial.config[name]) for name in names))
            loop.tell(trial, {"error": 1.0 - accuracy(theirs[-1])})
    finally:
        np.random.set_state(before)  # noqa: NPY002

    strategy = SyneTuneSearch(SPACE, seed, config_of(searcher, population=6, sample=2))
    ours = []
    for index in range(count):
        architecture = strategy.ask()
        ours.append(tuple(architecture.choices))
        strategy.tell(outcome(index, architecture))
    assert ours == theirs
    assert len(set(ours)) > count // 2


def test_evolution_prefers_better_architectures():
    def mean_of_the_last(told) -> float:
        strategy = SyneTuneSearch(SPACE, 1, SyneTuneConfig(searcher="regularized_evolution", population=10, sample=5))
        scores = []
        for index in range(120):
            architecture = strategy.ask()
            scores.append(accuracy(architecture.choices))
            strategy.tell(told(index, architecture))
        return float(np.mean(scores[-40:]))

    assert mean_of_the_last(outcome) > mean_of_the_last(lambda index, each: outcome(index, each, "failed")) + 0.05


def test_limits_are_kept():
    limited = under_limits(SPACE, "params <= 300k")
    proposals = converse(SyneTuneSearch(limited, 0, SyneTuneConfig(searcher="random_search")), 40).proposals
    assert len(proposals) == 40
    assert all(limited.allows(architecture) for architecture in proposals)


def test_what_the_searcher_does_not_find_is_drawn_at_random(monkeypatch):
    limited = under_limits(SPACE, "params <= 80k")  # one architecture in eight
    search = SyneTuneSearch(limited, 0, SyneTuneConfig(searcher="random_search"))
    monkeypatch.setattr(search._searcher, "suggest", lambda: dict.fromkeys(search._choosable.values(), "3"))
    assert not limited.allows(SPACE.decode([3] * 6))
    proposals = [search.ask() for _ in range(8)]
    assert all(limited.allows(architecture) for architecture in proposals)
    assert len(set(proposals)) > 4


def test_a_space_of_one_architecture_is_searched():
    search = SyneTuneSearch(get_space("choices:1/1"), 0)
    architecture = search.ask()
    search.tell(Outcome(0, architecture, "ok", (), 0.5, 1, 1, 1.0))
    assert search.ask() == architecture


def test_an_outcome_of_no_proposal_is_refused():
    with pytest.raises(InputError, match="child 3 was not proposed"):
        SyneTuneSearch(SPACE, 0).tell(outcome(3, SPACE.decode([0] * 6)))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"searcher": "kde", "startup": 5}, "startup is an option of searcher cqr and bore, not of kde"),
        ({"searcher": "cqr", "population": 7}, "population is an option of searcher regularized_evolution, not of cqr"),
        ({"sample": 50}, "sample is an option of searcher regularized_evolution, not of cqr"),
        ({"startup": -1}, "startup: input should be greater than or equal to 0"),
    ],
)
def test_wrong_options_and_those_that_the_searcher_ignores_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        Setting.of("syne_tune", options)


@pytest.mark.parametrize(
    ("searcher", "options", "random_ones"),
    [
        ("cqr", {}, 5),
        ("bore", {}, 6),
        ("bore", {"startup": 9}, 9),
        ("regularized_evolution", {"population": 7}, 7),
    ],
)
def test_a_budget_of_random_architectures_is_said_to_be_random_search(searcher, options, random_ones):
    config = SyneTuneConfig(searcher=searcher, **options)
    assert "this is random search" in SyneTuneSearch.advice(config, random_ones)
    assert SyneTuneSearch.advice(config, random_ones + 1) == ""
    started = SyneTuneSearch(SPACE, 0, config)._searcher
    assert random_ones in (
        getattr(started, name, None) for name in ("num_init_random_draws", "init_random", "population_size")
    )


def test_kernel_densities_begin_when_the_best_outnumber_the_decisions():
    def proposals(searcher: str) -> list[tuple[int, ...]]:
        strategy = SyneTuneSearch(SPACE, 0, SyneTuneConfig(searcher=searcher))
        return [each.choices for each in converse(strategy, 60, score=lambda each: accuracy(each.choices)).proposals]

    pairs = list(zip(proposals("kde"), proposals("random_search"), strict=True))
    first = next(index for index, (kde, random) in enumerate(pairs) if kde != random)
    assert first == 47  # 15% of 47 is the first whole number above six decisions


def test_an_error_of_the_searcher_leaves_the_callers_state(monkeypatch):
    search = SyneTuneSearch(SPACE, 0, SyneTuneConfig(searcher="random_search"))

    def fails() -> None:
        np.random.rand()  # noqa: NPY002
        warnings.simplefilter("error")
        raise ZeroDivisionError

    monkeypatch.setattr(search._searcher, "suggest", fails)

    def callers_state() -> tuple[object, ...]:
        return pickle.dumps(np.random.get_state()), list(warnings.filters), logging.root.manager.disable  # noqa: NPY002

    before = callers_state()
    with pytest.raises(ZeroDivisionError):
        search.ask()
    assert callers_state() == before


def test_an_older_syne_tune_is_refused(monkeypatch):
    monkeypatch.setattr("syne_tune.__version__", "0.15.0")
    with pytest.raises(InputError, match=r"needs syne-tune 0\.16 or newer, and 0\.15\.0 is installed"):
        SyneTuneSearch(SPACE, 0)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "syne_tune.config_space", None)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[syne-tune\]"):
        SyneTuneSearch(SPACE, 0)
