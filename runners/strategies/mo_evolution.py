"""Regularized evolution for several objectives: a tournament by fronts, and the oldest member is removed."""

from __future__ import annotations

from collections import deque

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.advice import population_advice
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.objectives import ObjectivesConfig, best_first, costs_of
from nasbench.spaces.base import Architecture, Space


class MoEvolutionConfig(ObjectivesConfig):
    """Options of multi-objective regularized evolution."""

    population: int = Field(50, ge=1, description="P, number of members (ours; 1802.01548 with one objective: 100)")
    sample: int = Field(10, ge=1, description="S, members drawn for a tournament (ours; 1802.01548: 25)")


class MoEvolution(Strategy[MoEvolutionConfig]):
    """Evolution that removes the oldest member, and whose tournaments rank members by fronts, then by crowding.

    `ask` never waits. While the population fills, children are drawn at random. Then each is a mutation of the winner of
    a tournament: of the sampled members the one on the best front among them, and of those the least crowded one.

    Source: Real et al. 2018 (1802.01548), algorithm 1; the order of members is that of Deb et al. 2002.
    Deviation: the combination has no paper of its own; multi-objective tuners in use (as Syne Tune's) have the same.
    Failed children have error 1. There is no identity mutation.
    """

    name = "mo_evolution"
    config_type = MoEvolutionConfig

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a population as large as the budget never evolves; see `Strategy.advice`."""
        return population_advice("mo_evolution", config, children)

    def __init__(self, space: Space, seed: int, config: MoEvolutionConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._names = self.config.names
        self._rng = np.random.default_rng(seed)
        self._tournaments = self._rng.spawn(1)[0]
        self._population: deque[tuple[Architecture, tuple[float, ...]]] = deque(maxlen=self.config.population)

    @property
    def population(self) -> tuple[Architecture, ...]:
        """The current members, the oldest first."""
        return tuple(architecture for architecture, _ in self._population)

    def ask(self) -> Architecture:
        """Propose a random architecture while the population fills, then a mutation of a tournament's winner."""
        if len(self._population) < self.config.population:
            return self.space.random(self._rng)
        drawn = self._tournaments.integers(len(self._population), size=self.config.sample).tolist()
        places = list(dict.fromkeys(drawn))
        winner = best_first(np.array([self._population[place][1] for place in places]))[0]
        return self.space.mutate(self._population[places[int(winner)]][0], self._rng)

    def asks_ahead(self, outstanding: int) -> bool:
        """Check whether the next proposal is a random one: true while the population fills.

        Args:
            outstanding: number of proposals whose outcomes are pending, >= 0.

        Returns:
            True if no outcome is pending, or if received and pending ones together do not fill the population.
        """
        return outstanding == 0 or len(self._population) + outstanding < self.config.population

    def tell(self, outcome: Outcome) -> None:
        """Add a child to the population, and remove the oldest member if it is full; see `Strategy.tell`."""
        self._population.append((outcome.architecture, costs_of(outcome, self._names)))
