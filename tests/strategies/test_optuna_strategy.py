"""Optuna's samplers as strategies: the samplers' own proposals, limits, failures, and a clear line without the package."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nasbench.errors import InputError, MissingExtra
from nasbench.runners.strategies import Outcome
from nasbench.runners.strategies.conformance import check_strategy, converse
from nasbench.runners.strategies.optuna_samplers import REJECTED_IN_A_ROW, OptunaConfig, OptunaSearch
from nasbench.spaces import get_space
from nasbench.spaces.constrained import under_limits

optuna = pytest.importorskip("optuna")
pytest.importorskip("cmaes")
SPACE = get_space("nasbench201")
SAMPLERS = ("tpe", "cmaes", "nsga2", "qmc", "random")


def outcome(index: int, architecture, val_acc: float = 0.5, status: str = "ok") -> Outcome:
    return Outcome(index, architecture, status, (val_acc,), val_acc, 1, 1, 1.0)


@pytest.mark.parametrize("sampler", [*SAMPLERS, pytest.param("gp", marks=pytest.mark.slow)])
def test_every_sampler_keeps_the_rules_of_strategies(sampler):
    check_strategy(OptunaSearch, SPACE, 0, OptunaConfig(sampler=sampler), children=20)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_limits_are_kept(sampler):
    limited = under_limits(SPACE, "params <= 300k")
    proposals = converse(OptunaSearch(limited, 0, OptunaConfig(sampler=sampler)), 30).proposals
    assert len(proposals) == 30
    assert all(limited.allows(architecture) for architecture in proposals)


def test_it_proposes_what_optunas_own_loop_proposes():
    """The same study, driven as Optuna's users do, suggests the same architectures for the same scores."""

    def score(choices) -> float:
        return float(np.sin(np.dot(choices, [1, 2, 3, 4, 5, 6])))

    strategy = OptunaSearch(SPACE, 7, OptunaConfig(sampler="tpe"))
    ours = []
    for index in range(40):
        architecture = strategy.ask()
        ours.append(architecture.choices)
        strategy.tell(outcome(index, architecture, score(architecture.choices)))

    seed = int(np.random.SeedSequence(7).generate_state(2)[0])
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    theirs = []

    def objective(trial):
        choices = tuple(
            trial.suggest_categorical(f"{place}:{decision.name}", range(decision.options))
            for place, decision in enumerate(SPACE.decisions)
        )
        theirs.append(choices)
        return score(choices)

    study.optimize(objective, n_trials=40)
    assert ours == theirs


def test_tpe_learns_and_random_does_not():
    def last_scores(sampler: str) -> float:
        means = []
        for seed in range(4):
            strategy = OptunaSearch(SPACE, seed, OptunaConfig(sampler=sampler))
            rewards = []
            for index in range(60):
                architecture = strategy.ask()
                rewards.append(sum(choice == 3 for choice in architecture.choices) / 6)
                strategy.tell(outcome(index, architecture, rewards[-1]))
            means.append(np.mean(rewards[-20:]))
        return float(np.mean(means))

    assert last_scores("tpe") > 0.5 > 0.35 > last_scores("random")


def test_a_space_that_hardly_anything_fits_is_drawn_at_random_after_a_hundred_rejections(monkeypatch):
    limited = under_limits(SPACE, "params <= 1")
    drawn = SPACE.decode([0] * 6)
    monkeypatch.setattr(type(limited), "fitting", lambda self, draws: iter(list(draws)[-1:]))
    monkeypatch.setattr(type(limited), "random", lambda self, rng: drawn)
    strategy = OptunaSearch(limited, 0, OptunaConfig(sampler="random"))
    assert strategy.ask() == drawn
    pruned = [trial for trial in strategy._study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert len(pruned) == REJECTED_IN_A_ROW
    strategy.tell(outcome(0, drawn, 0.25))
    assert strategy._study.best_value == 0.25


def test_an_outcome_of_no_proposal_is_refused():
    strategy = OptunaSearch(SPACE, 0)
    with pytest.raises(InputError, match="child 3 was not proposed; there are 0 proposals"):
        strategy.tell(outcome(3, SPACE.decode([0] * 6)))


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[optuna\]"):
        OptunaSearch(SPACE, 0)


def test_several_objectives_are_minimized_together():
    strategy = OptunaSearch(SPACE, 3, OptunaConfig(sampler="nsga2", population=10, objectives="params/error"))
    for index in range(60):
        architecture = strategy.ask()
        convolutions = sum(choice >= 2 for choice in architecture.choices)
        strategy.tell(Outcome(index, architecture, "ok", (), 0.1 * convolutions, 100 * convolutions, convolutions, 1.0))
    front = strategy._study.best_trials
    assert [trial.values[0] for trial in front]
    # An error of 1 - 0.1 n at 100 n parameters: every number of convolutions is on the front.
    assert {round(trial.values[0]) for trial in front} == {round(100 * 10 * (1 - trial.values[1])) for trial in front}
    assert len({trial.values[0] for trial in front}) >= 5


def test_cmaes_has_one_objective():
    with pytest.raises(InputError, match="cmaes has one objective"):
        OptunaSearch(SPACE, 0, OptunaConfig(sampler="cmaes", objectives="error/params"))
    with pytest.raises(ValueError, match="two or three"):
        OptunaConfig(objectives="error")
