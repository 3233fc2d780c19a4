"""Successive halving: many architectures for a few epochs, the best of them for more."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.rungs import Core, Halving, RungConfig, RungStrategy, epochs_of_rungs
from nasbench.spaces.base import Architecture, Space


class SuccessiveHalvingConfig(RungConfig):
    """Options of successive halving; the factor 3 is that of Hyperband (1603.06560)."""

    children: int = Field(
        0,
        ge=0,
        description="n, architectures of the lowest rung; 0: eta to the power of the number of further rungs, so that one "
        "is trained to the end (1603.06560, the first bracket)",
    )


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
        options = self.config
        epochs = epochs_of_rungs(options.min_epochs, options.max_epochs, options.eta)
        children = options.children or options.eta ** (len(epochs) - 1)
        rungs = [(children // options.eta**rung, each) for rung, each in enumerate(epochs)]
        return Halving(repeat([rung for rung in rungs if rung[0]]), draw)

    def _draw(self) -> Architecture:
        return self.space.random(self._rng)

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true within a rung, whose children are chosen as a whole; see `Strategy.asks_ahead`."""
        return outstanding == 0 or self._core.ready
