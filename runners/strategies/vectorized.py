"""Many searches of one strategy in step: the same children as ask and tell give seed by seed, in arrays over the searches."""

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

BLOCK = 64  # draws taken from each search's generator at once


class VectorizedSearch(ABC):
    """Searches that each have one child in training: all ask, all are told, and so on.

    Row r of every array belongs to the r-th seed. The children are those of the strategy's `ask` when every child is told before the
    next is asked for; `tests/replay` holds this seed by seed.
    """

    @abstractmethod
    def ask(self) -> IntArray:
        """Choices of the next children, [runs, decisions]."""

    @abstractmethod
    def tell(self, rewards: FloatArray) -> None:
        """Rewards of the children just asked for, [runs], as `Strategy.reward` gives them."""


class VectorizedStrategy(Strategy[C]):
    """A strategy that can also run many searches in step. Its reward must be the default one."""

    @classmethod
    @abstractmethod
    def vectorized(cls, space: Space, seeds: Sequence[int], config: C) -> VectorizedSearch | None:
        """Searches from these seeds in step; None where the space or an option has no such form, and ask and tell must do."""


class Draws:
    """Choices drawn ahead from one generator a search: numbers as the same generator gives them one draw at a time.

    Args:
        generators: one a search.
        bounds: [width], exclusive upper ends of the integers of one draw.
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
    """The same for numbers uniform in [0, 1).

    Args:
        generators: one a search.
        width: numbers of one draw.
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
    """The number of options of every decision."""
    return [decision.options for decision in space.decisions]
