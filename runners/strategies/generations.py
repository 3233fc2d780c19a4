"""Strategies that make whole generations: what a replay needs to search a table with one, a generation at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from nasbench.runners.strategies.base import Strategy
from nasbench.runners.strategies.objectives import ObjectivesConfig

C = TypeVar("C", bound=ObjectivesConfig)

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

Identify = Callable[[IntArray], Iterable[Hashable]]
"""Function of choices, [n, decisions], that gives what tells each of n architectures from others, in their order."""


class GenerationStrategy(Strategy[C], Generic[C]):
    """A strategy that makes a generation when all objectives of the one before are known, and knows nothing else of it.

    `ask` and `tell` do the same child by child; a replay without limits takes `rows` and `evolve`, some five times as
    fast, because nothing is made of a child but its position in the table.
    """

    @property
    @abstractmethod
    def rows(self) -> IntArray:
        """Choices of the generation in training, [children, decisions]; no rows end the search."""

    @property
    @abstractmethod
    def by_choices(self) -> bool:
        """Whether architectures are told apart by their choices; false: by their hashes."""

    @abstractmethod
    def evolve(self, costs: FloatArray, identify: Identify) -> None:
        """Make the next generation, as telling each child does.

        Args:
            costs: [children, objectives] of `rows`, to be minimized.
            identify: what tells architectures apart: their choices or hashes, by `by_choices`.
        """


def in_generations(kind: type[Strategy[Any]]) -> bool:
    """Whether searches of a strategy can be replayed a generation at a time.

    Args:
        kind: class of the strategy.

    Returns:
        False for a subclass that has an `ask` or `tell` of its own, which must then be called.
    """
    if not issubclass(kind, GenerationStrategy):
        return False
    owner = next(each for each in kind.__mro__ if "evolve" in vars(each))
    return all(getattr(kind, name) is getattr(owner, name) for name in ("ask", "tell", "rows"))
