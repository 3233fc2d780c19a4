"""Regularized evolution: a tournament selects the parent, and the oldest member of the population is removed."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from nasbench.errors import InputError
from nasbench.runners.strategies.advice import population_advice
from nasbench.runners.strategies.base import Outcome, StrategyConfig
from nasbench.runners.strategies.vectorized import (
    Draws,
    FloatArray,
    IntArray,
    UniformDraws,
    VectorizedSearch,
    VectorizedStrategy,
    options_of,
)
from nasbench.spaces.base import Architecture, Space


class EvolutionConfig(StrategyConfig):
    """Options of regularized evolution; the defaults are those of Real et al. 2018 (1802.01548), unless marked.

    The settings published for NAS-Bench-201 (2001.00326) are population=10, sample=3, identity=0.
    """

    population: int = Field(100, ge=1, description="P, number of members (1802.01548)")
    sample: int = Field(25, ge=1, description="S, members drawn for a tournament; the best is the parent (1802.01548)")
    drawing: Literal["replacement", "distinct"] = Field(
        "replacement",
        description="replacement: a member may be drawn twice for one tournament (1802.01548); distinct: it may not (ours)",
    )
    identity: float = Field(
        0.05,
        ge=0,
        le=1,
        description="probability that the child is its parent, trained again (1802.01548); otherwise one mutation",
    )

    @model_validator(mode="after")
    def _enough_members(self) -> EvolutionConfig:
        if self.drawing == "distinct" and self.sample > self.population:
            raise ValueError(
                f"drawing=distinct takes a sample of at most the population ({self.population}), got {self.sample}"
            )
        return self


class Individual(NamedTuple):
    """Member of the population: a trained child.

    Attributes:
        architecture: its architecture.
        reward: its reward, finite.
    """

    architecture: Architecture
    reward: float


class Evolution(VectorizedStrategy[EvolutionConfig]):
    """Regularized evolution: the best of a random sample gets one mutated child, and the oldest member is removed.

    `ask` never waits, as with the asynchronous workers of the paper. Until P outcomes have been received, children are
    drawn at random (with K children in training at once, these are P + K - 1); after that every `ask` is a tournament
    among the current members. A member's age counts from its `tell`. The search's result is the best child of its
    history, removed or not.

    The mutation is the space's own `mutate`, which always changes something. The identity mutation is an option of the
    strategy, so it is the same on every space.

    Source: Real et al. 2018 (1802.01548), algorithm 1 and the methods' section on mutations.
    Deviation: the paper does not mention failed children; here they become members with reward 0. In a tournament the
    first drawn of equal rewards wins.
    """

    name = "evolution"
    config_type = EvolutionConfig

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say that a population as large as the budget never evolves; see `Strategy.advice`."""
        return population_advice("evolution", config, children)

    def __init__(self, space: Space, seed: int, config: EvolutionConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._rng, self._tournaments, self._identities = _generators(seed)
        # a full deque drops its oldest member
        self._population: deque[Individual] = deque(maxlen=self.config.population)

    @classmethod
    def vectorized(cls, space: Space, seeds: Sequence[int], config: EvolutionConfig) -> VectorizedSearch | None:
        """Make many populations that evolve at once, one per seed; see `VectorizedStrategy.vectorized`.

        The result is None if members must be distinct (`drawing`), if the space has its own way to draw or to mutate,
        or if its decisions differ in their number of options.
        """
        own = type(space).random is not Space.random or type(space).mutate is not Space.mutate
        sizes = {options for options in options_of(space) if options > 1}
        if own or len(sizes) != 1 or config.drawing == "distinct":
            return None
        return VectorizedEvolution(space, seeds, config)

    @property
    def population(self) -> tuple[Individual, ...]:
        """Current members, the oldest first."""
        return tuple(self._population)

    def ask(self) -> Architecture:
        """Propose a random architecture while the population fills, then the child of a tournament's winner."""
        if len(self._population) < self.config.population:
            return self.space.random(self._rng)
        parent = self._tournament().architecture
        # always drawn, so that the number of draws does not depend on their values
        mutated = self.space.mutate(parent, self._rng)
        return parent if self._identities.random() < self.config.identity else mutated

    def asks_ahead(self, outstanding: int) -> bool:
        """Check whether the next proposal is a random one: true while the population fills.

        Args:
            outstanding: number of proposals whose outcomes are pending, >= 0.

        Returns:
            True if no outcome is pending, or if received and pending ones together do not fill the population.
        """
        return outstanding == 0 or len(self._population) + outstanding < self.config.population

    def tell(self, outcome: Outcome) -> None:
        """Add a child to the population, and remove the oldest member if it is full.

        Args:
            outcome: the outcome of a child.

        Raises:
            InputError: when the child has status "ok" but no score.
        """
        reward = self.reward(outcome)
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        self._population.append(Individual(outcome.architecture, reward))

    def _tournament(self) -> Individual:
        alive, size = self._population, self.config.sample
        if self.config.drawing == "distinct":
            drawn = self._tournaments.choice(len(alive), size, replace=False)
        else:
            drawn = self._tournaments.integers(len(alive), size=size)
        return max((alive[index] for index in drawn.tolist()), key=_reward_of)


class VectorizedEvolution(VectorizedSearch):
    """Many populations at once. Every free decision of the space has the same number of options.

    Each population is a ring of P places: the n-th outcome is stored in place n % P until the (n + P)-th replaces it.

    Args:
        space: the space to search.
        seeds: search seeds, one per population.
        config: options of evolution.
    """

    def __init__(self, space: Space, seeds: Sequence[int], config: EvolutionConfig) -> None:
        options = options_of(space)
        self._free = np.array([index for index, count in enumerate(options) if count > 1])
        self._options = max(options)
        self._size, self._identity = config.population, config.identity
        generators = [_generators(seed) for seed in seeds]
        architectures, tournaments, identities = ([each[part] for each in generators] for part in range(3))
        self._runs = np.arange(len(generators))
        self._starts = np.stack(
            [generator.integers(np.array(options), size=(self._size, len(options))) for generator in architectures]
        )
        self._mutations = Draws(architectures, (len(self._free), self._options - 1))
        self._entries = Draws(tournaments, (self._size,) * config.sample)
        self._repeats = UniformDraws(identities, 1)
        self._members = np.zeros_like(self._starts)
        self._rewards = np.zeros((len(generators), self._size))
        self._asked = self._starts[:, 0]
        self._told = 0

    def ask(self) -> IntArray:
        """Propose random architectures while the populations fill, then the children of the tournaments' winners."""
        self._asked = self._starts[:, self._told] if self._told < self._size else self._children()
        return self._asked

    def tell(self, rewards: FloatArray) -> None:
        """Put the children just proposed in place of the oldest members; see `VectorizedSearch.tell`."""
        place = self._told % self._size
        self._members[:, place] = self._asked
        self._rewards[:, place] = rewards
        self._told += 1

    def _children(self) -> IntArray:
        runs = self._runs
        places = (self._entries.next() + self._told) % self._size  # number 0 is the oldest
        winner = self._rewards[runs[:, None], places].argmax(axis=1)  # the first drawn among the best
        children: IntArray = self._members[runs, places[runs, winner]]
        mutation = self._mutations.next()
        changed = self._free[mutation[:, 0]]
        steps = np.where(self._repeats.next()[:, 0] < self._identity, 0, 1 + mutation[:, 1])
        children[runs, changed] = (children[runs, changed] + steps) % self._options
        return children


def _generators(seed: int) -> tuple[np.random.Generator, np.random.Generator, np.random.Generator]:
    """Make three generators: for architectures and mutations, for tournaments, and for identity mutations."""
    architectures = np.random.default_rng(seed)
    tournaments, identities = architectures.spawn(2)
    return architectures, tournaments, identities


def _reward_of(member: Individual) -> float:
    return member.reward
