"""Regularized evolution: tournaments in a population whose oldest member dies."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.spaces.base import Architecture, Space


class EvolutionConfig(StrategyConfig):
    """Options of regularized evolution; the defaults are those of Real et al. 2018 (1802.01548), unless marked.

    The settings published for NAS-Bench-201 (2001.00326) are population=10, sample=3, identity=0.
    """

    population: int = Field(100, ge=1, description="P, members alive (1802.01548)")
    sample: int = Field(
        25, ge=1, description="S, members drawn for a tournament, of which the best is the parent (1802.01548)"
    )
    drawing: Literal["replacement", "distinct"] = Field(
        "replacement",
        description="replacement: a member may be drawn twice for one tournament (1802.01548); distinct: it may not (ours)",
    )
    identity: float = Field(
        0.05,
        ge=0,
        le=1,
        description="probability that the child is its parent again, trained anew (1802.01548); otherwise one mutation",
    )

    @model_validator(mode="after")
    def _enough_members(self) -> EvolutionConfig:
        if self.drawing == "distinct" and self.sample > self.population:
            raise ValueError(
                f"drawing=distinct takes a sample of at most the population ({self.population}), got {self.sample}"
            )
        return self


class Member(NamedTuple):
    """A trained child in the population."""

    architecture: Architecture
    reward: float


class Evolution(Strategy[EvolutionConfig]):
    """Regularized evolution: the best of a random sample has one mutated child, and the oldest member dies.

    Asking never waits, as with the asynchronous workers of the paper. Until P children have been told, children are drawn at random
    (with K in training at once these are P + K - 1); from then on every ask is a tournament among those alive. A member's age counts
    from when it was told. The search's result is the best child of its history, dead or alive.

    The mutation is the space's own `mutate`, which always changes something; the identity mutation is an option here, so that it
    is the same on every space.

    Source: Real et al. 2018 (1802.01548), algorithm 1 and the methods' section on mutations.
    Deviation: the paper is silent on failed children; here they join with reward 0 and die of age like the others. Of equal rewards in
        a tournament the first drawn wins.
    """

    name = "evolution"
    config_type = EvolutionConfig

    def __init__(self, space: Space, seed: int, config: EvolutionConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._rng = np.random.default_rng(seed)
        self._population: deque[Member] = deque(maxlen=self.config.population)  # a full deque drops its oldest

    @property
    def population(self) -> tuple[Member, ...]:
        """The members alive, the oldest first."""
        return tuple(self._population)

    def ask(self) -> Architecture:
        """A random architecture while the population fills, then the child of a tournament's winner."""
        if len(self._population) < self.config.population:
            return self.space.random(self._rng)
        parent = self._tournament().architecture
        if self._rng.random() < self.config.identity:
            return parent
        return self.space.mutate(parent, self._rng)

    def tell(self, outcome: Outcome) -> None:
        """Add a child to the population; the oldest member makes room.

        Raises:
            InputError: when the child has no score in spite of status "ok".
        """
        reward = self.reward(outcome)
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        self._population.append(Member(outcome.architecture, reward))

    def _tournament(self) -> Member:
        alive, size = self._population, self.config.sample
        if self.config.drawing == "distinct":
            drawn = self._rng.choice(len(alive), size, replace=False)
        else:
            drawn = self._rng.integers(len(alive), size=size)
        return max((alive[index] for index in drawn.tolist()), key=_reward_of)


def _reward_of(member: Member) -> float:
    return member.reward
