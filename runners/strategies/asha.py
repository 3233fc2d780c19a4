"""Asynchronous successive halving: no device ever waits for a rung to be complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.rungs import Core, Ladder, RungConfig, RungStrategy, Sieve, epochs_of_rungs
from nasbench.spaces.base import Architecture, Space


class AshaConfig(RungConfig):
    """Options of asynchronous successive halving; the defaults are those of Li et al. 2020 (1810.05934), unless marked."""

    eta: int = Field(4, ge=2, description="of the children of a rung, one in eta goes on to the next (1810.05934: 4)")
    type: Literal["promotion", "stopping"] = Field(
        "promotion",
        description="promotion: a child waits on its rung until it is among the best (1810.05934); stopping: it is judged "
        "once, when it arrives, and goes on at once or ends (Syne Tune)",
    )
    skipped: int = Field(0, ge=0, description="s, lowest rungs that are left out (1810.05934: 0)")


class Asha(RungStrategy[AshaConfig]):
    """Let the best child of the highest rung go on that is among the best 1/eta of its rung; without one, begin a new one.

    `ask` never waits, whatever the number of children in training. A child that failed counts in its rung as the worst,
    and never goes on. Of equal scores, the one that was received first is better.

    Source: Li et al. 2020 (1810.05934), algorithm 2 (`get_job`), with the form in which children are promoted. The stopping
        form is that of Syne Tune's scheduler `ASHA`: the first result of a rung always goes on.
    """

    name = "asha"
    config_type = AshaConfig

    def __init__(self, space: Space, seed: int, config: AshaConfig | None = None) -> None:
        self._rng = np.random.default_rng(seed)
        super().__init__(space, seed, config)

    def core(self, draw: Callable[[], Any]) -> Core[Any]:
        """Make the ladder; see `RungStrategy.core`."""
        options = self.config
        epochs = epochs_of_rungs(options.min_epochs, options.max_epochs, options.eta)
        kind = Ladder if options.type == "promotion" else Sieve
        return kind(epochs[min(options.skipped, len(epochs) - 1) :], options.eta, draw)

    def _draw(self) -> Architecture:
        return self.space.random(self._rng)
