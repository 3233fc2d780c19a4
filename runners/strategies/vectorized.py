"""Many searches of one strategy at once, in arrays. They propose the same children as ask and tell do for each seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nasbench.runners.strategies.base import Strategy, StrategyConfig
from nasbench.spaces.base import Space

C = TypeVar("C", bound=StrategyConfig)

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

BLOCK = 64  # number of draws taken from each search's generator at a time


class VectorizedSearch(ABC):
    """Several searches with one child in training each: all call `ask`, all get their rewards, and so on.

    Row r of every array belongs to the r-th seed. The children are those that the strategy's `ask` gives if each
    outcome is received before the next `ask`; `tests/replay` checks this for each seed.
    """

    @abstractmethod
    def ask(self) -> IntArray:
        """Propose the choices of the next children, [runs, decisions]."""

    @abstractmethod
    def tell(self, rewards: FloatArray) -> None:
        """Receive the rewards of the children just proposed.

        Args:
            rewards: [runs], as `Strategy.reward` gives them.
        """


class VectorizedStrategy(Strategy[C]):
    """A strategy that can also run many searches at once in arrays. Its reward must be the default one."""

    @classmethod
    @abstractmethod
    def vectorized(cls, space: Space, seeds: Sequence[int], config: C) -> VectorizedSearch | None:
        """Make searches that run at once, one per seed.

        Args:
            space: the space to search.
            seeds: search seeds, one per search.
            config: the strategy's options.

        Returns:
            The searches; None if the strategy cannot be vectorized on this space or with these options. The caller then
            uses ask and tell.
        """


class Draws:
    """Integer draws from one generator per search, drawn ahead in blocks; the numbers equal those of single draws.

    Args:
        generators: one per search.
        bounds: [width], exclusive upper bounds of the integers of one draw.
    """

    def __init__(self, generators: Sequence[np.random.Generator], bounds: Sequence[int]) -> None:
        self._generators, self._bounds = generators, np.array(bounds)
        self._block: IntArray = np.empty((len(generators), 0, len(bounds)), dtype=np.int64)
        self._next = 0

    def next(self) -> IntArray:
        """One draw of each search, [runs, width]."""
        if self._next == self._block.shape[1]:
            size = (BLOCK, len(self._bounds))
            self._block = np.stack([generator.integers(self._bounds, size=size) for generator in self._generators])
            self._next = 0
        draw: IntArray = self._block[:, self._next]
        self._next += 1
        return draw


class UniformDraws:
    """Uniform draws in [0, 1) from one generator per search, drawn ahead in blocks.

    Args:
        generators: one per search.
        width: number of values per draw.
    """

    def __init__(self, generators: Sequence[np.random.Generator], width: int) -> None:
        self._generators, self._width = generators, width
        self._block: FloatArray = np.empty((len(generators), 0, width))
        self._next = 0

    def next(self) -> FloatArray:
        """One draw of each search, [runs, width]."""
        if self._next == self._block.shape[1]:
            self._block = np.stack([generator.random((BLOCK, self._width)) for generator in self._generators])
            self._next = 0
        draw: FloatArray = self._block[:, self._next]
        self._next += 1
        return draw


def options_of(space: Space) -> list[int]:
    """List the number of options of every decision.

    Args:
        space: any space.

    Returns:
        [decisions], each >= 1.
    """
    return [decision.options for decision in space.decisions]
