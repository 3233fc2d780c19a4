"""Hyperband: brackets of successive halving that differ in how early they stop trainings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np

from nasbench.runners.strategies.rungs import Core, Halving, RungConfig, RungStrategy, hyperband_brackets
from nasbench.spaces.base import Architecture, Space


class HyperbandConfig(RungConfig):
    """Options of Hyperband; the defaults are those of Li et al. 2017 (1603.06560), unless marked."""


class Hyperband(RungStrategy[HyperbandConfig]):
    """Run the brackets s_max, ..., 0 of successive halving one after the other, then begin anew.

    With several children in training, the next bracket begins where all others wait for the end of a rung (`rungs.Halving`).
    A child that failed never goes on.

    Source: Li et al. 2017 (1603.06560), algorithm 1 and table 1; see `rungs.hyperband_brackets`.
    Deviation: the outer loop is repeated until the budget is spent, which the paper suggests in its section 3.
    """

    name = "hyperband"
    config_type = HyperbandConfig

    def __init__(self, space: Space, seed: int, config: HyperbandConfig | None = None) -> None:
        self._rng = np.random.default_rng(seed)
        super().__init__(space, seed, config)

    def core(self, draw: Callable[[], Any]) -> Core[Any]:
        """Make the endless row of brackets; see `RungStrategy.core`."""
        options = self.config
        return Halving(cycle(hyperband_brackets(options.max_epochs, options.min_epochs, options.eta)), draw)

    def _draw(self) -> Architecture:
        return self.space.random(self._rng)

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true within a rung, whose children are chosen as a whole; see `Strategy.asks_ahead`."""
        return outstanding == 0 or self._core.ready
