"""NSGA-II: a genetic algorithm that keeps the best fronts of parents and children, and of a front the least crowded."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.advice import population_advice
from nasbench.runners.strategies.base import Outcome, StrategyConfig
from nasbench.runners.strategies.generations import GenerationStrategy, Identify
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


class Nsga2(GenerationStrategy[Nsga2Config]):
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
        self._steps = np.maximum(self._options - 1, 1)
        self._rate = self.config.mutation or 1.0 / max(1, int((self._options > 1).sum()))
        self._members: IntArray = np.zeros((0, len(self._options)), dtype=np.int64)  # their choices
        self._identities: list[Hashable] = []
        self._costs = np.zeros((0, len(self._names)))
        self._ranks: IntArray = np.zeros(0, dtype=np.int64)
        self._distances: NDArray[np.float64] = np.zeros(0)
        self._found: dict[int, tuple[float, ...]] = {}  # place in the generation -> objectives
        self._queue: deque[Architecture] = deque()
        self._asked = 0
        self._first = 0  # index of the generation's first child
        drawn = self._random()
        self._plain = next(iter(drawn.values())).space  # a view under limits gives architectures of the space itself
        self._rows: IntArray = np.array([each.choices for each in drawn.values()], dtype=np.int64)
        self._row_identities: list[Hashable] = []  # those of the first generation are asked for when it ends
        self._begin(list(drawn.values()))

    @property
    def population(self) -> tuple[Architecture, ...]:
        """The members that were kept at the end of the last generation."""
        return tuple(self._architecture(row) for row in self._members.tolist())

    @property
    def rows(self) -> IntArray:
        """Choices of the generation; see `GenerationStrategy.rows`."""
        return self._rows

    @property
    def by_choices(self) -> bool:
        """Whether the option `distinct` is "choices"; see `GenerationStrategy.by_choices`."""
        return self.config.distinct == "choices"

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
        if len(self._found) == len(self._rows):
            self.evolve(np.array([self._found[each] for each in range(len(self._rows))]), self._identify)
            self._begin([self._architecture(row) for row in self._rows.tolist()])

    def evolve(self, costs: NDArray[np.float64], identify: Identify) -> None:
        """Select the members, and make the next generation; see `GenerationStrategy.evolve`.

        Args:
            costs: see there.
            identify: see there.
        """
        self._row_identities = self._row_identities or list(identify(self._rows))
        self._select(costs)
        self._rows, self._row_identities = self._children(identify)

    def _begin(self, generation: list[Architecture]) -> None:
        self._found, self._first = {}, self._asked
        self._queue.extend(generation)

    def _architecture(self, row: list[int]) -> Architecture:
        return Architecture(self._plain, tuple(row))

    def _random(self) -> dict[Hashable, Architecture]:
        """Draw the first generation: architectures with different identities, as many as are found."""
        found: dict[Hashable, Architecture] = {}
        for _ in range(ATTEMPTS * self.config.population):
            architecture = self.space.random(self._rng)
            found.setdefault(architecture.choices if self.by_choices else architecture.hash, architecture)
            if len(found) == self.config.population:
                break
        return found

    def _identify(self, rows: IntArray) -> Iterable[Hashable]:
        choices = map(tuple, rows.tolist())
        return choices if self.by_choices else (Architecture(self._plain, each).hash for each in choices)

    def _select(self, costs: NDArray[np.float64]) -> None:
        """Keep the best N of the members and the generation."""
        costs = np.concatenate([self._costs, costs])
        ranks, distances = ranks_and_crowding(costs)
        kept = np.lexsort((-distances, ranks))[: self.config.population]  # ties keep their order
        identities = self._identities + self._row_identities
        self._identities = [identities[place] for place in kept.tolist()]
        self._members = np.concatenate([self._members, self._rows])[kept]
        self._costs, self._ranks, self._distances = costs[kept], ranks[kept], distances[kept]

    def _children(self, identify: Identify) -> tuple[IntArray, list[Hashable]]:
        """Make N children that are neither members nor equal to other children; fewer if no more are found."""
        known = set(self._identities)
        limited = self.space is not self._plain
        made: list[list[int]] = []
        identities: list[Hashable] = []
        for lot in self._drawn():
            for row, identity in zip(lot.tolist(), identify(lot)):
                if identity in known:
                    continue
                known.add(identity)
                if not limited or self.space.allows(self._architecture(row)):
                    made.append(row)
                    identities.append(identity)
                    if len(made) == self.config.population:
                        return np.array(made), identities
        return np.array(made, dtype=np.int64).reshape(-1, len(self._options)), identities

    def _drawn(self) -> Iterator[IntArray]:
        """Draw children in lots of the size of the population, up to a number of lots."""
        order = np.lexsort((self._rng.random(len(self._ranks)), -self._distances, self._ranks))  # ties in random order
        standing = np.empty_like(order)
        standing[order] = np.arange(len(order))
        for _ in range(ATTEMPTS):
            yield self._lot(self._members, standing)

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
        changed = (rng.random(children.shape) < self._rate) & (self._options > 1)
        steps = 1 + rng.integers(self._steps, size=children.shape)
        mutated: IntArray = np.where(changed, (children + steps) % self._options, children)
        return mutated
