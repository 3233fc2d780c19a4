"""Rungs, brackets and DEHB's populations against plain re-implementations, with ties, failures and several devices."""

from __future__ import annotations

import random
from itertools import count, cycle, islice, repeat
from typing import Any

import numpy as np
import pytest
from early_stopping import SPACE, failed, made, outcome, quality

from nasbench.runners.strategies import STRATEGIES, Outcome, Proposal
from nasbench.runners.strategies.asha import Asha
from nasbench.runners.strategies.bohb import Bohb
from nasbench.runners.strategies.dehb import Dehb
from nasbench.runners.strategies.densities import CategoricalDensity
from nasbench.runners.strategies.rungs import Halving, hyperband_brackets


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("successive_halving", {"eta": 3, "min_epochs": 1, "children": 0}),  # 1603.06560
        ("hyperband", {"eta": 3, "min_epochs": 1}),  # 1603.06560
        ("asha", {"eta": 4, "min_epochs": 1, "skipped": 0, "type": "promotion"}),  # 1810.05934
        ("bohb", {"eta": 3, "random_share": 1 / 3, "good_share": 0.15, "draws": 64, "widening": 3.0}),  # 1807.01774
        ("dehb", {"eta": 3, "factor": 0.5, "crossover": 0.5}),  # 2105.09821
        ("median_stop", {"min_epochs": 1, "interval": 1, "others": 5}),  # Golovin et al. 2017, Syne Tune
    ],
)
def test_defaults_are_those_of_the_named_sources(name: str, fields: dict[str, Any]) -> None:
    config = STRATEGIES.get(name).config_type()
    assert {field: getattr(config, field) for field in fields} == fields


@pytest.mark.parametrize(
    ("highest", "lowest", "eta", "brackets"),
    [
        (20, 2, 3, [[(9, 2), (3, 7), (1, 20)], [(3, 7), (1, 20)], [(3, 20)]]),  # 20 / 9, 20 / 3 to the nearest epoch
        (17, 2, 3, [[(3, 6), (1, 17)], [(2, 17)]]),  # 17 / 9 is below 2
        (18, 2, 3, [[(9, 2), (3, 6), (1, 18)], [(3, 6), (1, 18)], [(3, 18)]]),
        (5, 5, 2, [[(1, 5)]]),
        (16, 4, 2, [[(4, 4), (2, 8), (1, 16)], [(2, 8), (1, 16)], [(3, 16)]]),
    ],
)
def test_brackets_that_begin_with_several_epochs(highest: int, lowest: int, eta: int, brackets: list[Any]) -> None:
    """By hand, from algorithm 1 of 1603.06560 with the numbers of children of its table 1."""
    assert hyperband_brackets(highest, lowest, eta) == brackets
    strategy = made("hyperband", max_epochs=highest, min_epochs=lowest, eta=eta)
    for bracket in islice(cycle(brackets), 2 * len(brackets)):
        assert rungs_of(strategy, len(bracket)) == bracket


@pytest.mark.parametrize(
    ("options", "rungs"),
    [
        ({"children": 10, "min_epochs": 2, "max_epochs": 20}, [(10, 2), (3, 6), (1, 18)]),
        ({"min_epochs": 2, "max_epochs": 20}, [(27, 2), (9, 6), (3, 18), (1, 20)]),
        ({"children": 1, "max_epochs": 9}, [(1, 1)]),
        ({"children": 5, "max_epochs": 4, "eta": 2}, [(5, 1), (2, 2), (1, 4)]),
    ],
)
def test_rungs_of_successive_halving(options: dict[str, int], rungs: list[tuple[int, int]]) -> None:
    strategy = made("successive_halving", **options)
    for _ in range(3):
        assert rungs_of(strategy, len(rungs)) == rungs


def rungs_of(strategy: Any, number: int) -> list[tuple[int, int]]:
    """Children and epochs of the next rungs; a rung is all that is asked for while no outcome matters."""
    found = []
    for _ in range(number):
        asked: list[Proposal] = [strategy.ask()]
        while strategy.asks_ahead(len(asked)):
            asked.append(strategy.ask())
        first = getattr(strategy, "asked_before", 0)
        strategy.asked_before = first + len(asked)
        (epochs,) = {proposal.epochs for proposal in asked}
        found.append((len(asked), epochs))
        for index, proposal in enumerate(asked, start=first):
            strategy.tell(outcome(index, proposal, quality(proposal)))
    return found


def test_ties_of_a_rung_go_by_its_order_of_proposals_whatever_the_order_of_outcomes() -> None:
    halving: Halving[int] = Halving(repeat([(6, 1), (3, 2), (1, 4)]), count().__next__)
    for _ in range(6):
        halving.ask()
    for index, score in ((5, 0.5), (2, 0.5), (4, 0.7), (1, 0.5), (3, None), (0, 0.1)):
        halving.tell(index, score)
    second = [halving.ask() for _ in range(3)]
    assert [job.continues for job in second if job] == [4, 1, 2]
    for index in (8, 7, 6):
        halving.tell(index, 0.9)
    job = halving.ask()
    assert job is not None
    assert (job.item, job.epochs, job.continues) == (4, 4, 6)


@pytest.mark.parametrize("skipped", [0, 1, 2, 3, 9])
def test_rungs_that_are_left_out_of_asha(skipped: int) -> None:
    strategy = made("asha", max_epochs=20, eta=3, skipped=skipped)
    asked = []
    for index in range(60):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        asked.append(proposal.epochs)
        strategy.tell(outcome(index, proposal, quality(proposal)))
    left = (1, 3, 9, 20)[min(skipped, 3) :]
    assert set(asked) == set(left)
    assert asked[0] == left[0]


def test_the_stopping_form_with_failures_and_several_devices() -> None:
    """Children that may go on do so in the order in which they were judged; a failure is no result of its rung."""
    strategy, rng = made("asha", max_epochs=27, eta=3, type="stopping"), random.Random(0)
    assert isinstance(strategy, Asha)
    results: dict[int, list[float]] = {}
    going: list[int] = []
    asked: list[Proposal] = []
    training: list[int] = []
    for _ in range(400):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        assert proposal.continues == (going.pop(0) if going else None)
        training.append(len(asked))
        asked.append(proposal)
        for _ in range(2 * (len(training) > 8)):
            index = training.pop(rng.randrange(len(training)))
            if rng.random() < 0.2:
                strategy.tell(failed(index, asked[index]))
                continue
            score = round(rng.random(), 1)
            strategy.tell(outcome(index, asked[index], score))
            rung = results.setdefault(asked[index].epochs, [])
            rung.append(score)
            if asked[index].epochs < 27 and 3 * sum(other > score for other in rung) <= len(rung):
                going.append(index)
    assert max(results) == 27


def test_members_of_dehb_are_replaced_and_promoted_by_its_rules() -> None:
    """Two rounds: turns of targets, replacement, parents, and whom the first round promotes, each by a plain rule."""
    strategy = made("dehb", max_epochs=27)
    assert isinstance(strategy, Dehb)
    brackets, rng = hyperband_brackets(27, 1, 3), random.Random(4)
    sizes = {1: 27, 3: 9, 9: 6, 27: 4}
    assert {epochs: len(members) for epochs, members in strategy._populations.items()} == sizes
    turns, index = dict.fromkeys(sizes, 0), 0
    parents: list[list[bytes]] = []
    mutate = strategy._mutant

    def recorded(some: list[Any], target: Any) -> Any:
        parents.append([each.tobytes() for each in some])
        return mutate(some, target)

    strategy._mutant = recorded  # type: ignore[method-assign]
    refused = again = replaced = kept = 0
    for number, bracket in enumerate([*brackets, *brackets]):
        for rung, (children, epochs) in enumerate(bracket):
            members = strategy._populations[epochs]
            below = strategy._populations[bracket[max(rung - 1, 0)][1]]
            expected: list[int] = []
            if number < len(brackets) and rung:
                here = {each.place.tobytes() for each in members}
                ranked = sorted(below, key=lambda each: -each.fitness)
                known = [each for each in ranked if each.fitness > -np.inf]
                again += sum(each.place.tobytes() in here for each in known)
                refused += len(ranked) - len(known)
                expected = [each.index for each in known if each.place.tobytes() not in here][:children]
            for place in range(children):
                best = sorted(below, key=lambda each: -each.fitness)[:children]
                parents.clear()
                proposal = strategy.ask()
                assert isinstance(proposal, Proposal)
                assert proposal.continues == (expected[place] if place < len(expected) else None)
                assert bool(parents) == (place >= len(expected) and (number, rung) != (0, 0))
                if parents:
                    own = [each.place.tobytes() for each in best]
                    assert parents[-1][: len(own)] == own
                    assert len(parents[-1]) == (len(own) if len(own) >= 3 else 4)
                target, turns[epochs] = turns[epochs] % sizes[epochs], turns[epochs] + 1
                before, trial = members[target], strategy._open[index]
                assert trial.target == target
                if rng.random() < 0.3 or (number == 0 and rung == 1):
                    strategy.tell(failed(index, proposal))
                    assert members[target] is before
                else:
                    score = round(quality(proposal), 1)
                    strategy.tell(outcome(index, proposal, score))
                    assert (members[target] is trial.member) == (score >= before.fitness)
                    assert members[target].fitness == max(score, before.fitness)
                    replaced += members[target] is trial.member
                    kept += members[target] is before
                index += 1
    assert min(refused, again, replaced, kept) > 0


def test_a_mutant_of_dehb_is_a_parent_and_a_part_of_the_difference_of_two() -> None:
    strategy = made("dehb", max_epochs=9, factor=0.25)
    assert isinstance(strategy, Dehb)

    class First:
        def choice(self, *_: Any, **__: Any) -> Any:
            return np.arange(3)

    strategy._rng = First()  # type: ignore[assignment]
    a, b, c, target = (np.full(4, value) for value in (0.1, 0.9, 0.3, 0.5))
    assert strategy._mutant([a, b, c], target) == pytest.approx(np.full(4, 0.25))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_crossover_of_dehb(share: float) -> None:
    strategy = made("dehb", max_epochs=9, crossover=share)
    assert isinstance(strategy, Dehb)
    target, mutant = np.full(len(SPACE.decisions), 0.25), np.full(len(SPACE.decisions), 0.75)
    crossed = np.array([strategy._crossed(target, mutant) for _ in range(600)])
    assert np.isin(crossed, (0.25, 0.75)).all()
    taken = (crossed == 0.75).sum(axis=1)
    assert taken.min() == (4 if share == 1 else 1)  # never the target itself
    # where none of four is drawn, one is taken all the same
    assert taken.mean() == pytest.approx(4 * share + (1 - share) ** 4, abs=0.15)
    outside = np.array([strategy._crossed(target, np.full(4, 1.5)) for _ in range(600)])
    drawn = outside[outside != 0.25]
    assert len(np.unique(drawn)) == len(drawn)  # drawn anew, not moved to the end of the interval
    assert drawn.mean() == pytest.approx(0.5, abs=0.06)
    assert 0 <= drawn.min() < 0.05 < 0.95 < drawn.max() < 1


@pytest.mark.parametrize(
    ("options", "looks"),
    [
        ({"min_epochs": 2, "interval": 3, "max_epochs": 9}, [2, 5, 8, 9]),
        ({"interval": 4, "max_epochs": 9}, [1, 5, 9]),
        ({"min_epochs": 3, "interval": 100, "max_epochs": 9}, [3, 9]),
        ({"min_epochs": 9, "max_epochs": 9}, [9]),
    ],
)
def test_looks_at_a_curve_are_an_interval_apart_and_the_last_is_at_the_end(
    options: dict[str, int], looks: list[int]
) -> None:
    strategy = made("median_stop", **options)
    for training in range(4):  # fewer than the others that must have come as far
        for place, epochs in enumerate(looks):
            index = training * len(looks) + place
            proposal = strategy.ask()
            assert isinstance(proposal, Proposal)
            assert (proposal.epochs, proposal.continues) == (epochs, index - 1 if place else None)
            strategy.tell(outcome(index, proposal, 0.1))


def test_a_training_stops_when_its_best_score_so_far_is_below_the_median_and_not_when_it_equals_it() -> None:
    strategy, asked = made("median_stop", max_epochs=3, others=2), []
    curves = [(0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (0.5, 0.1, 0.5), (0.9, 0.1, 0.1), (0.4, 0.9, 0.9)]
    roots: dict[int, int] = {}
    for index in range(13):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        root = len(set(roots.values())) if proposal.continues is None else roots[proposal.continues]
        roots[index] = root
        asked.append((root, proposal.epochs))
        curve = curves[min(root, 4)][: proposal.epochs]
        strategy.tell(Outcome(index, proposal.architecture, "ok", curve, curve[-1], 1, 1, 1.0, proposal.epochs))
    assert asked == [*((root, epochs) for root in range(4) for epochs in (1, 2, 3)), (4, 1)]
    stopped = strategy.ask()
    assert isinstance(stopped, Proposal)
    assert stopped.continues is None


def test_a_training_may_stop_once_as_many_others_came_as_far_and_who_waits_longest_goes_on_first() -> None:
    strategy = made("median_stop", max_epochs=3, others=2)
    first = [strategy.ask() for _ in range(4)]
    for index, score in ((2, 0.5), (0, 0.4), (1, 0.3), (3, 0.6)):  # one other is too few, two are enough
        proposal = first[index]
        assert isinstance(proposal, Proposal)
        strategy.tell(outcome(index, proposal, score))
    going = [strategy.ask() for _ in range(4)]
    assert [each.continues for each in going if isinstance(each, Proposal)] == [2, 0, 3, None]


@pytest.mark.parametrize("options", [{}, {"least": 3, "good_share": 0.4}])
def test_the_model_of_bohb_is_of_the_highest_rung_with_enough_outcomes(options: dict[str, Any]) -> None:
    """1807.01774: N_min + 2 outcomes make a model, of the best share q and of the others, N_min or more of each."""
    strategy, rng = made("bohb", max_epochs=9, **options), random.Random(7)
    assert isinstance(strategy, Bohb)
    least, share = options.get("least", 5), options.get("good_share", 0.15)  # four decisions, and one
    told: dict[int, list[tuple[float, int, tuple[int, ...]]]] = {}
    highest, without = set(), 0
    for index in range(150):
        enough = [epochs for epochs, found in told.items() if len(found) >= least + 2]
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        if proposal.continues is None and enough:
            best = [choices for *_, choices in sorted(told[max(enough)])]
            good = max(least, int(share * len(best)))
            bad = max(least, len(best) - good)
            assert strategy._model is not None
            assert strategy._model[2]._points.tolist() == [list(each) for each in best[:good]]
            assert strategy._model[3]._points.tolist() == [list(each) for each in best[len(best) - bad :]]
            highest.add(max(enough))
        elif not enough:
            assert strategy._model is None
            without += 1
        if rng.random() < 0.1:
            strategy.tell(failed(index, proposal))
            loss = 0.0  # the reward of a failure
        else:
            score = round(rng.random(), 2)
            strategy.tell(outcome(index, proposal, score))
            loss = -score
        told.setdefault(proposal.epochs, []).append((loss, index, proposal.architecture.choices))
    assert highest == {1, 3, 9}
    assert without == least + 2


def test_bohb_proposes_the_new_draw_with_the_largest_ratio_of_good_to_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, float, list[tuple[int, ...]]]] = []
    draw = CategoricalDensity.draw

    def recorded(self: CategoricalDensity, rng: Any, count: int, widening: float) -> Any:
        found = draw(self, rng, count, widening)
        drawn.append((count, widening, [tuple(each) for each in found.tolist()]))
        return found

    monkeypatch.setattr(CategoricalDensity, "draw", recorded)
    strategy = made("bohb", max_epochs=9, random_share=0.25, draws=5, widening=2.0)
    assert isinstance(strategy, Bohb)
    news = modelled = repeated = 0
    known: set[str] = set()
    for index in range(400):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        if drawn:
            ((count, widening, candidates),) = drawn
            assert (count, widening) == (5, 2.0)
            assert strategy._model is not None
            good, bad = strategy._model[2:]
            fresh = [each for each in candidates if strategy.space.decode(each).hash not in known]
            ratios = [float(good.log(np.array([each]))[0] - bad.log(np.array([each]))[0]) for each in fresh]
            if fresh:
                assert max(ratios) == pytest.approx(ratios[fresh.index(proposal.architecture.choices)])
            repeated += len(candidates) - len(fresh)
            modelled += 1
        drawn.clear()
        if proposal.continues is None:
            known.add(proposal.architecture.hash)
        news += strategy._model is not None and proposal.continues is None
        strategy.tell(outcome(index, proposal, quality(proposal)))
    assert modelled / news == pytest.approx(0.75, abs=0.08)
    assert repeated > 0  # which were left out


def test_bohb_does_not_collapse_onto_what_it_found_good() -> None:
    """Each repeat would be one more good outcome, and a point that occurs twice its own best prediction."""
    strategy = made("bohb", max_epochs=9, random_share=0.0)
    assert isinstance(strategy, Bohb)
    proposed: list[str] = []
    for index in range(300):
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        modelled = strategy._model is not None
        if proposal.continues is None and modelled and len(set(proposed)) < 60:  # a part of the space is left
            assert proposal.architecture.hash not in proposed
        if proposal.continues is None:
            proposed.append(proposal.architecture.hash)
        strategy.tell(outcome(index, proposal, quality(proposal)))


def test_repeated_points_do_not_narrow_a_density() -> None:
    points = np.random.default_rng(0).integers(0, 5, (8, 6))
    once = CategoricalDensity(points, [5] * 6)
    assert CategoricalDensity(np.concatenate([points, points]), [5] * 6).share == once.share > 0.05
