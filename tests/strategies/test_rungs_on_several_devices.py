"""Brackets of halving with several children in training: who is next, and that no device waits."""

from __future__ import annotations

import random
from itertools import cycle
from typing import Any

import pytest
from early_stopping import failed, made, outcome, quality

from nasbench.runners.strategies import Proposal
from nasbench.runners.strategies.dehb import Dehb
from nasbench.runners.strategies.rungs import hyperband_brackets

NAMES = ["successive_halving", "hyperband", "bohb", "dehb"]


class Plain:
    """Brackets as lists of rungs, each a list of [index, score]: the loop of HpBandSter's master, in the slowest way."""

    def __init__(self, brackets: Any) -> None:
        self.coming, self.brackets = brackets, []

    def next(self) -> tuple[int, int, int | None]:
        """Bracket, epochs and the index that goes on."""
        for number, (rungs, trained) in enumerate(self.brackets):
            for rung, (children, epochs) in enumerate(rungs[: len(trained)]):
                if rung == 0:
                    if len(trained[0]) < children:
                        return number, epochs, None
                    continue
                before = trained[rung - 1]
                best = sorted((each for each in before if each[1] is not None), key=lambda each: -each[1])
                going = [index for index, _ in best][:children]
                if len(trained[rung]) < len(going):
                    return number, epochs, going[len(trained[rung])]
        rungs = next(self.coming)
        self.brackets.append((rungs, [[]]))
        return len(self.brackets) - 1, rungs[0][1], None

    def begun(self, number: int, index: int) -> None:
        self.brackets[number][1][-1].append([index, "in training"])

    def ended(self, index: int, score: float | None) -> None:
        for rungs, trained in self.brackets:
            for rung in trained:
                for entry in rung:
                    if entry[0] == index:
                        entry[1] = score
            full = len(trained[-1]) == self.size(rungs, trained, len(trained) - 1)
            if full and all(each[1] != "in training" for each in trained[-1]) and len(trained) < len(rungs):
                trained.append([])

    def size(self, rungs: Any, trained: Any, rung: int) -> int:
        """Children of a rung; fewer if too few of the one below have a score."""
        most: int = rungs[rung][0]
        return most if rung == 0 else min(most, sum(each[1] is not None for each in trained[rung - 1]))


@pytest.mark.parametrize("devices", [1, 2, 8, 40])
def test_hyperband_begins_a_bracket_where_all_others_wait(devices: int) -> None:
    strategy, plain = made("hyperband", max_epochs=9), Plain(cycle(hyperband_brackets(9, 1, 3)))
    rng, training, asked = random.Random(devices), [], []
    for index in range(300):
        number, epochs, continues = plain.next()
        plain.begun(number, index)
        proposal = strategy.ask()
        assert isinstance(proposal, Proposal)
        assert (proposal.epochs, proposal.continues) == (epochs, continues)
        asked.append(proposal)
        training.append(index)
        while len(training) >= devices:
            ended = training.pop(rng.randrange(len(training)))
            score = None if rng.random() < 0.15 else quality(asked[ended]) + 1e-6 * ended
            strategy.tell(failed(ended, asked[ended]) if score is None else outcome(ended, asked[ended], score))
            plain.ended(ended, score)


@pytest.mark.parametrize("name", NAMES)
def test_no_device_waits_for_the_end_of_a_rung(name: str) -> None:
    """Forty proposals without an outcome, and the oldest bracket goes on first once it can."""
    strategy = made(name, max_epochs=9)
    asked = [strategy.ask() for _ in range(40)]
    assert all(isinstance(each, Proposal) and each.continues is None for each in asked)
    assert not strategy.asks_ahead(40) or name in ("successive_halving", "hyperband")
    for index in range(9):
        strategy.tell(outcome(index, asked[index], 0.1 * index))  # type: ignore[arg-type]
    going = [strategy.ask() for _ in range(3)]
    assert [each.continues for each in going if isinstance(each, Proposal)] == [8, 7, 6]


def test_a_member_of_dehb_goes_on_once() -> None:
    """Brackets of the first round that run side by side promote from shared populations, and none twice."""
    strategy, rng = made("dehb", max_epochs=27), random.Random(2)
    assert isinstance(strategy, Dehb)
    training: list[int] = []
    asked: list[Proposal] = []
    for index in range(200):
        asked.append(strategy.ask())
        training.append(index)
        if len(training) == 16:
            ended = training.pop(rng.randrange(16))
            strategy.tell(outcome(ended, asked[ended], quality(asked[ended])))
    continued = [each.continues for each in asked if each.continues is not None]
    assert len(continued) > 9
    assert len(set(continued)) == len(continued)
    for each in asked:
        if each.continues is not None:
            assert asked[each.continues].architecture == each.architecture
            assert asked[each.continues].epochs < each.epochs


@pytest.mark.parametrize("begun", [False, True])
def test_two_brackets_of_dehb_do_not_promote_the_same_member(begun: bool) -> None:
    """Brackets of 9, 3, 1 and of 3, 1 both promote from the population of three epochs, the second before the first has ended."""
    strategy = made("dehb", max_epochs=9)
    asked = [strategy.ask() for _ in range(15)]  # 9 for one epoch, 3 for three, 3 for nine
    for index in range(9):
        strategy.tell(outcome(index, asked[index], 0.1 * index))  # type: ignore[arg-type]
    asked += [strategy.ask() for _ in range(3)]
    assert [(each.epochs, each.continues) for each in asked[15:]] == [(3, 8), (3, 7), (3, 6)]  # type: ignore[union-attr]
    for index, score in ((15, 0.7), (16, 0.9), (17, 0.8)):
        strategy.tell(outcome(index, asked[index], score))  # type: ignore[arg-type]
    going = [strategy.ask()] if begun else []
    for index in (9, 10, 11):
        strategy.tell(outcome(index, asked[index], 0.1))  # type: ignore[arg-type]
    going += [strategy.ask() for _ in range(2 - begun)]
    assert [(each.epochs, each.continues) for each in going] == [(9, 16), (9, 17)]  # type: ignore[union-attr]
