"""DEHB: differential evolution of one population per number of epochs, in the brackets of Hyperband."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasbench.runners.strategies.base import Outcome, Proposal, Strategy
from nasbench.runners.strategies.rungs import Rung, RungConfig, hyperband_brackets, score_of
from nasbench.runners.strategies.vectorized import options_of
from nasbench.spaces.base import Architecture, Space

FloatArray = NDArray[np.float64]

MUTATED = 3  # members of which a mutant is made
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
        course: its bracket.
    """

    member: _Member
    target: int
    course: _Course


@dataclass
class _Course:
    """A bracket that has begun.

    Args:
        bracket: its rungs.
        first: whether it is one of the first round of brackets.
        left: children of the present rung that have not begun.
        going: members that are trained as they are, the last first.
        rung: number of the present rung.
        open: children in training.
    """

    bracket: list[Rung]
    first: bool
    left: int
    going: list[_Member]
    rung: int = 0
    open: int = 0

    @property
    def epochs(self) -> int:
        """Epochs of the present rung."""
        return self.bracket[self.rung][1]

    def coming(self, epochs: int) -> list[_Member]:
        """Members that are to be trained for so many epochs."""
        return self.going if self.epochs == epochs else []


class Dehb(Strategy[DehbConfig]):
    """Evolve one population per rung; in the first round of brackets, the best of a rung go on as in successive halving.

    The children of a rung are made one by one: the next member of the rung's population in turn is the target, a mutant
    a + F (b - c) is made of three parents, and binomial crossover of mutant and target is the child. On the lowest rung of a
    bracket the parents are the best of the rung's own population, on others the best of the rung below, as many as the rung
    has children. Where these are fewer than three, mutants of members of all populations join them. The target is no
    parent of its own mutant; where fewer than three others are left, uniform draws join them, so that a population of
    three keeps finding new places. A child that is as good as its target takes its place.

    With several children in training, the next bracket begins where all others wait for the end of a rung. Only children that go on in the first round continue
    a training; all others are new architectures, trained from the start.

    Source: Awad, Mallik, Hutter 2021 (2105.09821), algorithm 1 and section 4; brackets as in `hyperband`. That parents are
        filled with mutants and uniform draws, that the first round promotes what the higher population does not have, and
        that places out of the interval are drawn anew, is as in the released package (DEHB 0.1.2).
    Deviation: a decision is one coordinate, cut into as many equal parts as it has options, as the paper does for categorical
        parameters. The first children are random architectures; the package mutates random ones. Failed children never take a
        place. In a search with limits, mutants that do not fit are made again.
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
        self._populations = {epochs: [self._random() for _ in range(size)] for epochs, size in sizes.items()}
        self._turns = dict.fromkeys(sizes, 0)
        self._begun = 0  # brackets
        self._courses: list[_Course] = []  # those that have not ended, the oldest first
        self._asked = 0
        self._open: dict[int, _Trial] = {}

    def ask(self) -> Proposal:
        """Propose the next child of the oldest bracket that has one, or the first of a new bracket."""
        course = next((each for each in self._courses if each.left), None) or self._begin()
        course.left -= 1
        course.open += 1
        epochs, index = course.epochs, self._asked
        self._asked += 1
        target = self._turns[epochs] % len(self._populations[epochs])
        self._turns[epochs] += 1
        going = course.going.pop() if course.going else None
        place = going.place if going is not None else self._offspring(course, target)
        self._open[index] = _Trial(_Member(place, -np.inf, index), target, course)
        continues = going.index if going is not None and going.index >= 0 else None
        return Proposal(self._architecture(place), epochs, continues)

    def tell(self, outcome: Outcome) -> None:
        """Let a child take the place of its target, and begin the next rung after the last one.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child has status "ok" but no score.
        """
        score = score_of(outcome, self.reward(outcome))
        trial = self._open.pop(outcome.index)
        course = trial.course
        course.open -= 1
        population = self._populations[course.epochs]
        if score is not None and score >= population[trial.target].fitness:
            trial.member.fitness = score
            population[trial.target] = trial.member
        if not course.left and not course.open:
            self._next_rung(course)

    def _begin(self) -> _Course:
        """Begin the next bracket; the very first trains the members of its population as they are."""
        bracket = self._brackets[self._begun % len(self._brackets)]
        children, epochs = bracket[0]
        going = [] if self._begun else self._populations[epochs][::-1]
        course = _Course(bracket, self._begun < len(self._brackets), children, going)
        self._begun += 1
        self._courses.append(course)
        return course

    def _next_rung(self, course: _Course) -> None:
        below = self._populations[course.epochs]
        course.rung += 1
        if course.rung == len(course.bracket):
            self._courses.remove(course)
            return
        course.left, course.going = course.bracket[course.rung][0], []
        if course.first:
            here = {each.place.tobytes() for each in self._populations[course.epochs]}
            here |= {each.place.tobytes() for other in self._courses for each in other.coming(course.epochs)}
            here |= {each.member.place.tobytes() for each in self._open.values() if each.course.epochs == course.epochs}
            new = [each for each in below if np.isfinite(each.fitness) and each.place.tobytes() not in here]
            course.going = _best(new, course.left)[::-1]

    def _offspring(self, course: _Course, target: int) -> FloatArray:
        below = course.bracket[max(course.rung - 1, 0)][1]
        parents = [each.place for each in _best(self._populations[below], course.bracket[course.rung][0])]
        everywhere = [each.place for others in self._populations.values() for each in others]
        at = self._populations[course.epochs][target].place
        for _ in range(TRIES):
            some = parents
            if len(some) < MUTATED:  # one more than needed, as in the package
                some = [*some, *(self._mutant(everywhere, at) for _ in range(MUTATED - len(some) + 1))]
            place = self._crossed(at, self._mutant(some, at))
            if self.space.allows(self._architecture(place)):
                return place
        return self._random().place

    def _random(self) -> _Member:
        return _Member(self._place_of(self.space.random(self._rng)), -np.inf)

    def _mutant(self, parents: list[FloatArray], target: FloatArray) -> FloatArray:
        """A mutant of three parents, of which none is the target."""
        same = next((number for number, each in enumerate(parents) if np.array_equal(each, target)), len(parents))
        others = [*parents[:same], *parents[same + 1 :]]
        others += [self._rng.random(len(target)) for _ in range(MUTATED - len(others))]
        a, b, c = (others[number] for number in self._rng.choice(len(others), MUTATED, replace=False).tolist())
        mutant: FloatArray = a + self.config.factor * (b - c)
        return mutant

    def _crossed(self, target: FloatArray, mutant: FloatArray) -> FloatArray:
        taken = self._rng.random(len(mutant)) < self.config.crossover
        if not taken.any():
            taken[self._rng.integers(len(mutant))] = True
        crossed = np.where(taken, mutant, target)
        anew = self._rng.random(len(crossed))
        return np.where((crossed >= 0) & (crossed < 1), crossed, anew)

    def _place_of(self, architecture: Architecture) -> FloatArray:
        """A place drawn within the part of the interval that stands for each choice."""
        choices = np.array(architecture.choices, dtype=np.float64)
        return np.asarray((choices + self._rng.random(len(choices))) / self._options)

    def _architecture(self, place: FloatArray) -> Architecture:
        choices = np.minimum((place * self._options).astype(np.int64), self._options - 1)
        return self.space.decode(choices.tolist())


def _best(members: list[_Member], count: int) -> list[_Member]:
    return sorted(members, key=lambda each: -each.fitness)[:count]
