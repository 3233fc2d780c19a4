"""A search strategy in one file: mutate the best so far, now and then start anew."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from nasbench.runners.strategies import Outcome, Strategy, StrategyConfig
from nasbench.spaces import Architecture, Space


class GreedyConfig(StrategyConfig):
    """Options of `Greedy`; each becomes a `--option KEY=VALUE`."""

    restart: float = Field(0.1, ge=0, le=1, description="probability of a random architecture instead of a mutation")


class Greedy(Strategy[GreedyConfig]):
    """Mutates the best architecture so far."""

    name = "greedy"
    config_type = GreedyConfig

    def __init__(self, space: Space, seed: int, config: GreedyConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._rng = np.random.default_rng(seed)
        self._best: Outcome | None = None

    def ask(self) -> Architecture:
        """The best, mutated; or a random architecture."""
        if self._best is None or self._rng.random() < self.config.restart:
            return self.space.random(self._rng)
        return self.space.mutate(self._best.architecture, self._rng)

    def tell(self, outcome: Outcome) -> None:
        """Remember the best."""
        if self._best is None or self.reward(outcome) > self.reward(self._best):
            self._best = outcome
