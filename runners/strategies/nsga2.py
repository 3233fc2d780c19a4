"""NSGA-II: a genetic algorithm that keeps the best fronts of parents and children, and of a front the least crowded."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.evolution import population_advice
from nasbench.runners.strategies.objectives import ObjectivesConfig, costs_of, ranks_and_crowding
from nasbench.spaces.base import Architecture, Space

IntArray = NDArray[np.int64]

ATTEMPTS = 100  # times that a generation is drawn on while its children are there already


class Nsga2Config(ObjectivesConfig):
    """Options of NSGA-II; the defaults are those of Deb et al. 2002, unless marked."""

    population: int = Field(
        20,
        ge=2,
        description="N, parents and children of a generation (ours, for budgets of hundreds; Deb et al. 2002: 100)",
    )
    crossover: float = Field(
        0.9,
        ge=0,
        le=1,
        description="probability that two parents exchange choices, each with 1/2 (Deb et al. 2002; uniform: ours)",
    )
    mutation: float = Field(
        0.0,
        ge=0,
        le=1,
        description="probability that a decision changes; 0: one in the number of decisions (Deb et al. 2002)",
    )
    distinct: Literal["graph", "choices"] = Field(
        "graph",
        description="what a new child has that no member of its generation or of the population has: graph: another hash (ours); "
        "choices: other choices, of which several may be one graph (as usual for vectors)",
    )


class Nsga2(Strategy[Nsga2Config]):
    """Sort by fronts, keep the best N of 2N; parents win tournaments of two, exchange choices and are mutated.

    A generation begins when all outcomes of the one before are known, so the search does not depend on how many
    children are trained at once. No child has the graph (or, with `distinct=choices`, the choices) of a member of the
    population or of another child of its generation; a search that finds no new child ends. The result is the front of all children.

    Source: Deb, Pratap, Agarwal, Meyarivan 2002 (IEEE Transactions on Evolutionary Computation 6), sections III A to C.
    Deviation: the paper's operators are those of numbers and bits; here crossover is uniform, and a mutated decision takes
    another option. Failed children have error 1.
    """

    name = "nsga2"
    config_type = Nsga2Config

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a population as large as the budget never evolves; see `Strategy.advice`."""
        return population_advice("nsga2", config, children)

    def __init__(self, space: Space, seed: int, config: Nsga2Config | None = None) -> None:
        super().__init__(space, seed, config)
        self._names = self.config.names
        self._rng = np.random.default_rng(seed)
        self._options = np.array([decision.options for decision in space.decisions])
        self._free = np.flatnonzero(self._options > 1)
        self._members: list[Architecture] = []
        self._costs = np.zeros((0, len(self._names)))
        self._ranks: IntArray = np.zeros(0, dtype=np.int64)
        self._distances: NDArray[np.float64] = np.zeros(0)
        self._generation: list[Architecture] = []
        self._found: dict[int, tuple[float, ...]] = {}  # place in the generation -> objectives
        self._queue: deque[Architecture] = deque()
        self._asked = 0
        self._first = 0  # index of the generation's first child
        self._begin(self._random())

    @property
    def population(self) -> tuple[Architecture, ...]:
        """The members that were kept at the end of the last generation."""
        return tuple(self._members)

    def ask(self) -> Architecture | None:
        """Propose the next child of the generation; None while its outcomes are pending, and once nothing is new."""
        if not self._queue:
            return None
        self._asked += 1
        return self._queue.popleft()

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true: a generation is made as a whole, with a None after it; see `Strategy.asks_ahead`."""
        return True

    def tell(self, outcome: Outcome) -> None:
        """Store the objectives of a child. The last outcome of a generation makes the next one.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child is not pending, or one of its objectives is not known.
        """
        place = outcome.index - self._first
        if not 0 <= place < self._asked - self._first or place in self._found:
            raise InputError(
                f"child {outcome.index} is not in training: it was not proposed, or its outcome came before"
            )
        self._found[place] = costs_of(outcome, self._names)
        if len(self._found) == len(self._generation):
            self._select()
            self._begin(self._children())

    def _begin(self, generation: list[Architecture]) -> None:
        self._generation, self._found, self._first = generation, {}, self._asked
        self._queue.extend(generation)

    def _random(self) -> list[Architecture]:
        """Draw the first generation: architectures with different choices, as many as are found."""
        found: dict[Hashable, Architecture] = {}
        for _ in range(ATTEMPTS * self.config.population):
            architecture = self.space.random(self._rng)
            found.setdefault(self._identity(architecture), architecture)
            if len(found) == self.config.population:
                break
        return list(found.values())

    def _select(self) -> None:
        """Keep the best N of the members and the generation."""
        members = self._members + self._generation
        costs = np.array([*self._costs, *(self._found[place] for place in range(len(self._generation)))])
        ranks, distances = ranks_and_crowding(costs)
        kept = np.lexsort((-distances, ranks))[: self.config.population]  # ties keep their order
        self._members = [members[place] for place in kept.tolist()]
        self._costs, self._ranks, self._distances = costs[kept], ranks[kept], distances[kept]

    def _children(self) -> list[Architecture]:
        """Make N children that are neither members nor equal to other children; fewer if no more are found."""
        known = {self._identity(member) for member in self._members}
        made: list[Architecture] = []
        plain = self._members[0].space  # a view under limits gives architectures of the space itself
        for row in self._drawn():
            architecture = Architecture(plain, tuple(row))
            identity = self._identity(architecture)
            if identity in known:
                continue
            known.add(identity)
            if self.space.allows(architecture):
                made.append(architecture)
                if len(made) == self.config.population:
                    break
        return made

    def _identity(self, architecture: Architecture) -> Hashable:
        return architecture.hash if self.config.distinct == "graph" else architecture.choices

    def _drawn(self) -> Iterator[list[int]]:
        """Draw children in lots of the size of the population, up to a number of lots."""
        choices = np.array([member.choices for member in self._members])
        order = np.lexsort((self._rng.random(len(self._ranks)), -self._distances, self._ranks))  # ties in random order
        standing = np.empty_like(order)
        standing[order] = np.arange(len(order))
        for _ in range(ATTEMPTS):
            yield from self._lot(choices, standing).tolist()

    def _lot(self, choices: IntArray, standing: IntArray) -> IntArray:
        """Draw two children of each of N/2 pairs of parents.

        Args:
            choices: [members, decisions].
            standing: [members], 0 for the best.

        Returns:
            [at least N, decisions].
        """
        rng, pairs = self._rng, (self.config.population + 1) // 2
        rivals = rng.integers(len(choices), size=(2, pairs, 2))
        winners = np.where(standing[rivals[..., 0]] <= standing[rivals[..., 1]], rivals[..., 0], rivals[..., 1])
        mothers, fathers = choices[winners[0]], choices[winners[1]]
        exchanged = (rng.random(mothers.shape) < 0.5) & (rng.random((pairs, 1)) < self.config.crossover)
        children = np.concatenate([np.where(exchanged, fathers, mothers), np.where(exchanged, mothers, fathers)])
        rate = self.config.mutation or 1.0 / max(1, len(self._free))
        changed = (rng.random(children.shape) < rate) & (self._options > 1)
        steps = 1 + rng.integers(np.maximum(self._options - 1, 1), size=children.shape)
        mutated: IntArray = np.where(changed, (children + steps) % self._options, children)
        return mutated
