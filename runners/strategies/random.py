"""Random search: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.base import Outcome, StrategyConfig
from nasbench.runners.strategies.vectorized import (
    Draws,
    FloatArray,
    IntArray,
    VectorizedSearch,
    VectorizedStrategy,
    options_of,
)
from nasbench.spaces.base import Architecture, Space

REPEATS_IN_A_ROW = 1000


class RandomConfig(StrategyConfig):
    """Options of random search."""

    unique: bool = Field(
        False,
        description="draw again if the hash was proposed before; the search ends after 1000 repeats in a row "
        "(ours; the paper samples with repetition)",
    )


class RandomSearch(VectorizedStrategy[RandomConfig]):
    """Draw every decision uniformly. Outcomes are not used.

    Source: Zoph et al. 2017 (1707.07012), section 4.4.
    """

    name = "random"
    config_type = RandomConfig

    def __init__(self, space: Space, seed: int, config: RandomConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._rng = np.random.default_rng(seed)
        self._asked: set[str] = set()
        self._exhausted = False

    @classmethod
    def vectorized(cls, space: Space, seeds: Sequence[int], config: RandomConfig) -> VectorizedSearch | None:
        """Make many random searches at once, one per seed; see `VectorizedStrategy.vectorized`.

        The result is None with `unique`, and for a space that has its own way to draw.
        """
        if config.unique or type(space).random is not Space.random:
            return None
        return VectorizedRandom(space, seeds)

    def ask(self) -> Architecture | None:
        """Propose a uniform draw; with `unique`, one with a new hash, or always None once the space seems exhausted."""
        if not self.config.unique:
            return self.space.random(self._rng)
        return None if self._exhausted else self._new()

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true, because proposals do not depend on outcomes; see `Strategy.asks_ahead`."""
        return True

    def tell(self, outcome: Outcome) -> None:
        """Do nothing, because proposals do not depend on outcomes; see `Strategy.tell`."""

    def _new(self) -> Architecture | None:
        for _ in range(REPEATS_IN_A_ROW):
            architecture = self.space.random(self._rng)
            if architecture.hash not in self._asked:
                self._asked.add(architecture.hash)
                return architecture
        self._exhausted = True
        return None


class VectorizedRandom(VectorizedSearch):
    """Many random searches at once.

    Args:
        space: the space to search.
        seeds: search seeds, one per search.
    """

    def __init__(self, space: Space, seeds: Sequence[int]) -> None:
        self._draws = Draws([np.random.default_rng(seed) for seed in seeds], options_of(space))

    def ask(self) -> IntArray:
        """Propose a uniform draw for each search."""
        return self._draws.next()

    def tell(self, rewards: FloatArray) -> None:
        """Do nothing, because proposals do not depend on rewards; see `VectorizedSearch.tell`."""
