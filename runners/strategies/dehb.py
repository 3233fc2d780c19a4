"""DEHB: differential evolution of one population per number of epochs, in the brackets of Hyperband."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasbench.runners.strategies.base import Outcome, Proposal, Strategy
from nasbench.runners.strategies.rungs import RungConfig, hyperband_brackets, score_of
from nasbench.runners.strategies.vectorized import options_of
from nasbench.spaces.base import Architecture, Space

FloatArray = NDArray[np.float64]

TRIES = 100  # mutants that the limits of a search refuse, before a uniform draw takes their place


class DehbConfig(RungConfig):
    """Options of DEHB; the defaults are those of Awad et al. 2021 (2105.09821), unless marked."""

    factor: float = Field(0.5, gt=0, description="F, weight of the difference of two members (2105.09821)")
    crossover: float = Field(
        0.5, ge=0, le=1, description="p, share of the decisions taken from the mutant (2105.09821)"
    )


@dataclass
class _Member:
    """Member of a population.

    Args:
        place: [decisions], in [0, 1): each decision's options are equal parts of the interval.
        fitness: its score; -inf before it was trained, or if it failed.
        index: number of the proposal that trained it; -1 for none.
    """

    place: FloatArray
    fitness: float
    index: int = -1


@dataclass
class _Trial:
    """What is in training.

    Args:
        member: the candidate.
        target: number of the member that it replaces if it is as good.
    """

    member: _Member
    target: int


class Dehb(Strategy[DehbConfig]):
    """Evolve one population per rung; the first bracket is successive halving of random architectures.

    In later brackets, the children of a rung are made one by one: the next member of the rung's population in turn is the
    target, a mutant a + F (b - c) is made of three members, and binomial crossover of mutant and target is the child. On the
    lowest rung of a bracket the three come from the rung's own population, on others from the best of the rung below. A child
    that is as good as its target takes its place.

    With several children in training, `ask` waits at the end of a rung. Only the children of the first bracket go on from
    one rung to the next; all others are new architectures, trained from the start.

    Source: Awad, Mallik, Hutter 2021 (2105.09821), algorithm 1, section 4 and appendix; brackets as in `hyperband`. Places out
        of the interval are drawn anew, as there.
    Deviation: a decision is one coordinate, cut into as many equal parts as it has options, as the paper does for categorical
        parameters. Failed children never take a place. In a search with limits, mutants that do not fit are made again.
    """

    name = "dehb"
    config_type = DehbConfig
    asks_epochs = True

    def __init__(self, space: Space, seed: int, config: DehbConfig | None = None) -> None:
        super().__init__(space, seed, config)
        options = self.config
        self._rng = np.random.default_rng(seed)
        self._options = np.array(options_of(space))
        self._brackets = hyperband_brackets(options.max_epochs, options.min_epochs, options.eta)
        sizes: dict[int, int] = {}
        for bracket in self._brackets:
            for children, epochs in bracket:
                sizes[epochs] = max(sizes.get(epochs, 0), children)
        self._sizes = sizes
        self._populations: dict[int, list[_Member]] = {epochs: [] for epochs in sizes}
        self._turns = dict.fromkeys(sizes, 0)
        self._bracket = self._rung = 0
        self._left = self._brackets[0][0][0]
        self._first = True
        self._asked = 0
        self._open: dict[int, _Trial] = {}
        self._going: list[_Member] = []  # members of the first bracket that go on, the best last

    @property
    def _epochs(self) -> int:
        return self._brackets[self._bracket][self._rung][1]

    def ask(self) -> Proposal | None:
        """Propose the next child of the rung; None until the rung is complete."""
        if not self._left:
            return None
        self._left -= 1
        index, self._asked = self._asked, self._asked + 1
        if not self._first:
            trial = self._offspring()
        elif self._rung == 0:
            trial = _Trial(_Member(self._place_of(self.space.random(self._rng)), -np.inf, index), -1)
        else:
            before = self._going.pop()
            self._open[index] = _Trial(_Member(before.place, -np.inf, index), -1)
            return Proposal(self._architecture(before.place), self._epochs, before.index)
        trial.member.index = index
        self._open[index] = trial
        return Proposal(self._architecture(trial.member.place), self._epochs)

    def tell(self, outcome: Outcome) -> None:
        """Let a child take the place of its target, or enter a population of the first bracket; begin the next rung in time.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child has status "ok" but no score.
        """
        score = score_of(outcome, self.reward(outcome))
        trial = self._open.pop(outcome.index)
        population = self._populations[self._epochs]
        trial.member.fitness = -np.inf if score is None else score
        if trial.target < 0:
            population.append(trial.member)
        elif score is not None and score >= population[trial.target].fitness:
            population[trial.target] = trial.member
        if not self._left and not self._open:
            self._next_rung()

    def _next_rung(self) -> None:
        bracket = self._brackets[self._bracket]
        trained = [each for each in self._populations[self._epochs] if np.isfinite(each.fitness)]
        self._rung += 1
        if self._first and self._rung < len(bracket) and not trained:
            self._rung = len(bracket)  # nothing can go on
        if self._rung == len(bracket):
            self._rung, self._bracket = 0, (self._bracket + 1) % len(self._brackets)
            if self._first:
                self._fill()
                self._first = False
            self._left = self._brackets[self._bracket][0][0]
            return
        self._left = bracket[self._rung][0]
        if self._first:
            self._going = _best(trained, self._left)[::-1]
            self._left = len(self._going)

    def _fill(self) -> None:
        """Fill the populations with members that are not trained yet, after the first bracket."""
        for epochs, size in self._sizes.items():
            population = self._populations[epochs]
            while len(population) < size:
                population.append(_Member(self._place_of(self.space.random(self._rng)), -np.inf))

    def _offspring(self) -> _Trial:
        epochs = self._epochs
        population = self._populations[epochs]
        target = self._turns[epochs] % len(population)
        self._turns[epochs] += 1
        parents = population
        if self._rung:
            bracket = self._brackets[self._bracket]
            parents = _best(self._populations[bracket[self._rung - 1][1]], bracket[self._rung][0])
        if len(parents) < 3:  # of all populations, as the paper does for mutation among few
            parents = [*parents, *(each for others in self._populations.values() for each in others)]
        for _ in range(TRIES):
            place = self._crossed(population[target].place, self._mutant(parents))
            if self.space.allows(self._architecture(place)):
                return _Trial(_Member(place, -np.inf), target)
        return _Trial(_Member(self._place_of(self.space.random(self._rng)), -np.inf), target)

    def _mutant(self, parents: list[_Member]) -> FloatArray:
        a, b, c = (parents[at].place for at in self._rng.choice(len(parents), 3, replace=len(parents) < 3).tolist())
        mutant = a + self.config.factor * (b - c)
        anew = self._rng.random(len(mutant))
        return np.where((mutant >= 0) & (mutant < 1), mutant, anew)

    def _crossed(self, target: FloatArray, mutant: FloatArray) -> FloatArray:
        taken = self._rng.random(len(mutant)) < self.config.crossover
        taken[self._rng.integers(len(mutant))] = True
        return np.where(taken, mutant, target)

    def _place_of(self, architecture: Architecture) -> FloatArray:
        """A place drawn within the part of the interval that stands for each choice."""
        choices = np.array(architecture.choices, dtype=np.float64)
        return np.asarray((choices + self._rng.random(len(choices))) / self._options)

    def _architecture(self, place: FloatArray) -> Architecture:
        choices = np.minimum((place * self._options).astype(np.int64), self._options - 1)
        return self.space.decode(choices.tolist())


def _best(members: list[_Member], count: int) -> list[_Member]:
    return sorted(members, key=lambda each: -each.fitness)[:count]
