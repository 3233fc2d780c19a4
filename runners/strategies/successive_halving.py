"""Successive halving: many architectures for a few epochs, the best of them for more."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.base import StrategyConfig
from nasbench.runners.strategies.rungs import Core, Halving, Rung, RungConfig, RungStrategy, epochs_of_rungs
from nasbench.spaces.base import Architecture, Space


class SuccessiveHalvingConfig(RungConfig):
    """Options of successive halving; the factor 3 is that of Hyperband (1603.06560)."""

    children: int = Field(
        0,
        ge=0,
        description="n, architectures of the lowest rung; 0: eta to the power of the number of further rungs, so that one "
        "is trained to the end (as the first bracket of 1603.06560 where R / r is a power of eta); with fewer, the highest rungs are left out",
    )


def bracket_of(options: SuccessiveHalvingConfig) -> list[Rung]:
    """Make the rungs of a bracket.

    Args:
        options: the options, with the epochs of a whole training.

    Returns:
        Children and epochs of each rung that has a child.

    Raises:
        InputError: when `max_epochs` is 0 or below `min_epochs`.
    """
    epochs = epochs_of_rungs(options.min_epochs, options.max_epochs, options.eta)
    children = options.children or options.eta ** (len(epochs) - 1)
    rungs = [(children // options.eta**rung, each) for rung, each in enumerate(epochs)]
    return [rung for rung in rungs if rung[0]]


class SuccessiveHalving(RungStrategy[SuccessiveHalvingConfig]):
    """Train n random architectures up to the lowest rung; the best 1/eta of each rung go on to the next, then begin anew.

    With several children in training, new ones begin anew where the others wait for the end of a rung (`rungs.Halving`).
    A child that failed never goes on. The score of a child is that of the epoch at which it stops, so the incumbent may be
    a child that stopped early; see "Trainings that stop early" in the documentation.

    Source: Jamieson, Talwalkar 2016 (1502.07943), algorithm 1; the form with a factor eta is that of Li et al. 2017
    (1603.06560), algorithm 1, lines 3 to 9.
    Deviation: it begins anew with other architectures until the budget is spent.
    """

    name = "successive_halving"
    config_type = SuccessiveHalvingConfig

    def __init__(self, space: Space, seed: int, config: SuccessiveHalvingConfig | None = None) -> None:
        self._rng = np.random.default_rng(seed)
        super().__init__(space, seed, config)

    def core(self, draw: Callable[[], Any]) -> Core[Any]:
        """Make the endless row of equal brackets; see `RungStrategy.core`."""
        return Halving(repeat(bracket_of(self.config)), draw)

    @classmethod
    def remark(cls, config: StrategyConfig) -> str:
        """Say that with so few architectures none is trained to the end; see `Strategy.remark`."""
        if not isinstance(config, SuccessiveHalvingConfig) or config.max_epochs < config.min_epochs:
            return ""  # the epochs of a whole training are not known yet
        last = bracket_of(config)[-1][1]
        if last == config.max_epochs:
            return ""
        enough = config.eta ** (len(epochs_of_rungs(config.min_epochs, config.max_epochs, config.eta)) - 1)
        return (
            f"{cls.name}: with children={config.children} and eta={config.eta} no training goes past epoch {last} of "
            f"{config.max_epochs}; take children={enough} or more, a larger min_epochs, or leave children out"
        )

    def _draw(self) -> Architecture:
        return self.space.random(self._rng)

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true within a rung, whose children are chosen as a whole; see `Strategy.asks_ahead`."""
        return outstanding == 0 or self._core.ready
