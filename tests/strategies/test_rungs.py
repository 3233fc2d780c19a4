"""Strategies that stop trainings early: published brackets, and each algorithm against its definition on simple scores."""

from __future__ import annotations

import itertools
import random
from statistics import fmean, median
from typing import Any

import numpy as np
import pytest
from early_stopping import failed, made, outcome, quality

from nasbench.errors import InputError
from nasbench.runners.strategies import Outcome, Proposal, Strategy
from nasbench.runners.strategies.advice import advice_on
from nasbench.runners.strategies.dehb import Dehb
from nasbench.runners.strategies.densities import CategoricalDensity
from nasbench.runners.strategies.rungs import Halving, Ladder, epochs_of_rungs, hyperband_brackets
from nasbench.runners.strategies.successive_halving import SuccessiveHalving, SuccessiveHalvingConfig


def run(strategy: Strategy[Any], children: int) -> list[tuple[Proposal, float]]:
    """One child at a time."""
    log = []
    for index in range(children):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        score = quality(proposal)
        strategy.tell(outcome(index, proposal, score))
        log.append((proposal, score))
    return log


def test_brackets_are_those_of_the_published_table() -> None:
    """Li et al. 2017 (1603.06560), table 1: R = 81, eta = 3."""
    assert hyperband_brackets(81, 1, 3) == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(27, 3), (9, 9), (3, 27), (1, 81)],
        [(9, 9), (3, 27), (1, 81)],
        [(6, 27), (2, 81)],
        [(5, 81)],
    ]


def test_rungs_end_with_whole_trainings() -> None:
    assert epochs_of_rungs(1, 81, 3) == (1, 3, 9, 27, 81)
    assert epochs_of_rungs(1, 6, 4) == (1, 4, 6)
    assert epochs_of_rungs(2, 2, 3) == (2,)
    for highest, eta in itertools.product(range(1, 60), (2, 3, 4)):
        for bracket in hyperband_brackets(highest, 1, eta):
            assert bracket[-1][1] == highest
            assert [epochs for _, epochs in bracket] == sorted({epochs for _, epochs in bracket})
            assert all(children >= 1 for children, _ in bracket)
    for name in ("asha", "successive_halving", "hyperband", "bohb", "dehb", "median_stop"):
        with pytest.raises(InputError, match="max_epochs is 0, below min_epochs 1"):
            made(name)


@pytest.mark.parametrize(
    ("children", "least", "last"),
    [(8, 1, 3), (9, 1, 9), (26, 1, 9), (27, 1, 27), (0, 1, 27), (100, 1, 27), (3, 9, 27), (2, 9, 9), (1, 27, 27)],
)
def test_successive_halving_says_where_no_child_is_trained_to_the_end(children: int, least: int, last: int) -> None:
    """With eta 3 a rung has a third of the children of the one below: 8, 2 and none; 27 epochs have the rungs 1, 3, 9, 27."""
    config = SuccessiveHalvingConfig(children=children, min_epochs=least, max_epochs=27)
    log = run(made("successive_halving", **config.model_dump()), 300)
    assert max(proposal.epochs for proposal, _ in log) == last
    said = advice_on(SuccessiveHalving, config, None)
    assert bool(said) == (last < 27)
    assert not said or f"no training goes past epoch {last} of 27; take children={27 // least} or more" in said
    assert advice_on(SuccessiveHalving, config.model_copy(update={"max_epochs": 0}), None) == ""  # not known yet


@pytest.mark.parametrize("outstanding", [1, 5])
def test_hyperband_trains_the_brackets_and_promotes_the_best(outstanding: int) -> None:
    strategy, rng = made("hyperband", max_epochs=27, eta=3), random.Random(1)
    asked: list[Proposal] = []
    training: list[int] = []
    scores: dict[int, float] = {}
    while len(scores) < sum(n for bracket in hyperband_brackets(27, 1, 3) for n, _ in bracket):
        ahead = len(training) < outstanding and strategy.asks_ahead(len(training))
        proposal = strategy.ask() if ahead else None
        if isinstance(proposal, Proposal):
            training.append(len(asked))
            asked.append(proposal)
            continue
        index = training.pop(rng.randrange(len(training)))
        scores[index] = quality(asked[index]) + 1e-6 * rng.random()
        strategy.tell(outcome(index, asked[index], scores[index]))
    place = 0
    for bracket in hyperband_brackets(27, 1, 3):
        before: list[int] = []
        for children, epochs in bracket:
            rung = list(range(place, place + children))
            place += children
            assert [asked[index].epochs for index in rung] == [epochs] * children
            best = sorted(before, key=lambda index: -scores[index])[:children]
            assert [asked[index].continues for index in rung] == (best if before else [None] * children)
            before = rung


def test_a_rung_without_enough_scores_promotes_what_there_is() -> None:
    halving: Halving[int] = Halving(itertools.repeat([(4, 1), (2, 2), (1, 4)]), itertools.count().__next__)
    first = [halving.ask() for _ in range(4)]
    assert not halving.ready
    for index in range(4):
        halving.tell(index, 0.5 if index == 3 else None)
    job = halving.ask()
    assert (job.item, job.epochs, job.continues) == (first[3].item, 2, 3)
    assert not halving.ready
    halving.tell(4, None)  # nothing is left: a new bracket begins
    job = halving.ask()
    assert (job.item, job.epochs, job.continues) == (4, 1, None)


class Published:
    """`get_job` of algorithm 2 of Li et al. 2020, word for word: slow, and with lists only."""

    def __init__(self, epochs: tuple[int, ...], eta: int) -> None:
        self.epochs, self.eta = epochs, eta
        self.rungs: list[list[tuple[float, int]]] = [[] for _ in epochs]  # score and index, in order of arrival
        self.promoted: list[set[int]] = [set() for _ in epochs]

    def job(self) -> tuple[int, int | None]:
        for k in range(len(self.epochs) - 2, -1, -1):
            ranked = sorted(self.rungs[k], key=lambda entry: -entry[0])
            candidates = ranked[: len(self.rungs[k]) // self.eta]
            promotable = [index for score, index in candidates if index not in self.promoted[k] and score > -np.inf]
            if promotable:
                self.promoted[k].add(promotable[0])
                return k + 1, promotable[0]
        return 0, None


@pytest.mark.parametrize(("eta", "workers"), [(2, 1), (3, 7), (4, 25)])
def test_the_ladder_is_the_published_algorithm(eta: int, workers: int) -> None:
    epochs, rng = epochs_of_rungs(1, 30, eta), random.Random(eta)
    ladder: Ladder[int] = Ladder(epochs, eta, itertools.count().__next__)
    published, training, rungs = Published(epochs, eta), [], {}
    promotions = 0
    for index in range(600):
        rung, continues = published.job()
        job = ladder.ask()
        assert (job.epochs, job.continues) == (epochs[rung], continues)
        promotions += rung > 0
        rungs[index] = rung
        training.append(index)
        if len(training) == workers:
            ended = training.pop(rng.randrange(workers))
            score = None if rng.random() < 0.05 else round(rng.random(), 2)  # ties, too
            ladder.tell(ended, score)
            published.rungs[rungs[ended]].append((-np.inf if score is None else score, ended))
    assert promotions > 100


def test_the_median_rule_stops_what_is_below_the_others() -> None:
    strategy, rng = made("median_stop", max_epochs=6, others=3), random.Random(3)
    levels: dict[int, float] = {}
    curves: dict[int, tuple[float, ...]] = {}
    asked: list[Proposal] = []
    root: dict[int, int] = {}
    for index in range(200):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        asked.append(proposal)
        root[index] = index if proposal.continues is None else root[proposal.continues]
        level = levels.setdefault(root[index], rng.random())
        before = curves.get(proposal.continues, ()) if proposal.continues is not None else ()
        assert len(before) == proposal.epochs - 1
        curves[index] = (*before, level * (0.5 + 0.1 * proposal.epochs) + 0.01 * rng.random())
        told = Outcome(index, proposal.architecture, "ok", curves[index], curves[index][-1], 1, 1, 1.0, proposal.epochs)
        strategy.tell(told)
    went_on = {proposal.continues for proposal in asked}
    means: dict[int, list[float]] = {}
    for index, proposal in enumerate(asked[:-20]):
        others = means.setdefault(proposal.epochs, [])
        stops = len(others) >= 3 and max(curves[index]) < median(others)
        others.append(fmean(curves[index]))
        assert (index in went_on) == (not stops and proposal.epochs < 6), index
    assert 0 < sum(each is None for each in (proposal.continues for proposal in asked)) < 100


def test_densities_sum_to_one_and_draws_follow_them() -> None:
    rng = np.random.default_rng(0)
    options = (3, 2, 4)
    points = rng.integers(options, size=(12, 3))
    points[:8, 2] = 1
    density = CategoricalDensity(points, options)
    every = np.array(list(itertools.product(*map(range, options))))
    values = np.exp(density.log(every))
    assert values.sum() == pytest.approx(1.0)
    drawn = density.draw(rng, 40_000, widening=1.0)
    codes = drawn @ np.array([8, 4, 1])
    shares = np.bincount(codes, minlength=24) / len(codes)
    assert shares == pytest.approx(values, abs=0.01)
    assert len(np.unique(density.draw(rng, 2000, widening=100.0) @ np.array([8, 4, 1]))) == 24


def test_a_kernel_narrows_where_points_agree() -> None:
    rng = np.random.default_rng(1)
    same = np.array([[1, 0, last] for last in range(5)])  # alike, and all different: repeats say nothing
    apart = rng.integers((5, 5, 5), size=(20, 3))
    assert CategoricalDensity(same, (5, 5, 5)).share < CategoricalDensity(apart, (5, 5, 5)).share


def test_bohb_draws_more_of_what_was_good_than_hyperband() -> None:
    def mean_of_new(name: str, **options: Any) -> float:
        scores = [
            score
            for seed in range(6)
            for proposal, score in run(made(name, seed, max_epochs=9, **options), 120)[40:]
            if proposal.continues is None
        ]
        return fmean(scores)

    chance = mean_of_new("hyperband")
    assert mean_of_new("bohb") > chance + 0.05
    assert mean_of_new("bohb", random_share=1.0) == pytest.approx(chance, abs=0.03)


def test_dehb_begins_with_halving_and_then_evolves() -> None:
    strategy = made("dehb", max_epochs=27)
    brackets = hyperband_brackets(27, 1, 3)
    log = run(strategy, 2 * sum(n for bracket in brackets for n, _ in bracket))
    place = 0
    for number, bracket in enumerate([*brackets, *brackets]):
        for rung, (children, epochs) in enumerate(bracket):
            part = log[place : place + children]
            place += children
            assert {proposal.epochs for proposal, _ in part} == {epochs}
            goes_on = [proposal.continues is not None for proposal, _ in part]
            assert all(goes_on) if number == 0 and rung else number < len(brackets) or not any(goes_on)
            assert rung or not any(goes_on)
    first, last = log[: brackets[0][0][0]], log[-40:]
    assert fmean(score for _, score in last) > fmean(score for _, score in first) + 0.1


def test_a_mutant_of_dehb_has_other_parents_than_its_target() -> None:
    """With three members, two others are left: a uniform draw joins them, as in DEHB 0.1.2."""
    strategy = made("dehb", max_epochs=6, factor=1e-300)  # a mutant is then its first parent
    assert isinstance(strategy, Dehb)
    parents = [np.full(4, 0.1), np.full(4, 0.2), np.full(4, 0.3)]
    mutants = [strategy._mutant(parents, parents[0]) for _ in range(200)]
    kinds = [next((number for number, each in enumerate(parents) if np.array_equal(each, one)), -1) for one in mutants]
    assert kinds.count(0) == 0
    assert min(kinds.count(1), kinds.count(2), kinds.count(-1)) > 30
    drawn = np.array([one for one, kind in zip(mutants, kinds) if kind == -1])
    assert len(np.unique(drawn)) == drawn.size
    assert drawn.min() < 0.1 < 0.9 < drawn.max()


def test_dehb_with_populations_of_three_does_not_run_dry() -> None:
    """Six epochs give populations of three and two; without other parents than these, searches repeat what they have."""
    for seed in range(5):
        log = run(made("dehb", seed, max_epochs=6), 240)
        late = {proposal.architecture.choices for proposal, _ in log[120:]}
        assert len(late) > 20


@pytest.mark.parametrize("name", ["asha", "hyperband", "successive_halving", "bohb", "dehb", "median_stop"])
@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_refused(name: str, score: float) -> None:
    strategy = made(name, max_epochs=9)
    proposal = strategy.ask()
    assert isinstance(proposal, Proposal)
    with pytest.raises(InputError, match=f"has status 'ok' and the reward {score}"):
        strategy.tell(outcome(0, proposal, score))


@pytest.mark.parametrize("name", ["asha", "hyperband", "successive_halving", "bohb", "dehb", "median_stop"])
def test_all_children_may_fail(name: str) -> None:
    strategy = made(name, max_epochs=9)
    for index in range(60):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        assert proposal.continues is None
        strategy.tell(failed(index, proposal))


@pytest.mark.parametrize("eta", [2, 3, 4])
def test_the_stopping_form_judges_each_child_once(eta: int) -> None:
    """The rule of Syne Tune's `ASHA`: a child goes on if the share of better results of its rung is at most 1 / eta."""
    strategy, rng = made("asha", max_epochs=27, eta=eta, type="stopping"), random.Random(eta)
    results: dict[int, list[float]] = {}
    going: list[int] = []
    asked: list[Proposal] = []
    for index in range(300):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        asked.append(proposal)
        assert proposal.continues == (going.pop(0) if going else None)
        score = round(rng.random(), 2)
        strategy.tell(outcome(index, proposal, score))
        rung = results.setdefault(proposal.epochs, [])
        rung.append(score)
        better = sum(other > score for other in rung) / len(rung)
        if proposal.epochs < 27 and better <= 1 / eta:
            going.append(index)
    assert len({proposal.epochs for proposal in asked}) == len(epochs_of_rungs(1, 27, eta))
