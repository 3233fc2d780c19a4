"""Local search: move from a random architecture to its best neighbour until none is better, then start again."""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import numpy as np
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.spaces.base import Architecture, Space

RESTARTS_IN_A_ROW = 1000


class LocalSearchConfig(StrategyConfig):
    """Options of local search; the defaults are the simplest form of White et al. 2020 (2005.02960)."""

    move: Literal["best", "first"] = Field(
        "best",
        description="best: train all neighbours, move to the best of them; first: move to the first that is better (both 2005.02960)",
    )
    starts: int = Field(
        1,
        ge=1,
        description="random architectures at the beginning of a climb, the best of which is its start (2005.02960)",
    )


class LocalSearch(Strategy[LocalSearchConfig]):
    """Hill climbing with random restarts; neighbours differ in one decision.

    All neighbours of the current architecture are trained, in random order. Architectures that were trained before, in
    this climb or an earlier one, are remembered by hash and not trained again. If no neighbour is strictly better, a
    new climb begins at random. With several children in training, `ask` proposes all neighbours and then waits, because
    the next step depends on all of them. The search ends when 1000 climbs in a row found nothing new.

    Source: White, Nolen, Savani 2020 (2005.02960), algorithm 1; the released code's number of starts and its option to
    stop at the
        first improvement.
    Deviation: neighbours of equal hash count as one; failed children have reward 0.
    """

    name = "local_search"
    config_type = LocalSearchConfig

    def __init__(self, space: Space, seed: int, config: LocalSearchConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._rng = np.random.default_rng(seed)
        self._rewards: dict[str, float] = {}  # rewards of all outcomes received, by hash
        self._training: set[str] = set()
        self._centre_reward: float | None = None  # None while the candidates are the starts of a climb
        self._candidates: dict[str, Architecture] = {}  # candidates of the next step, by hash
        self._unknown: set[str] = set()  # candidates without a reward yet
        self._queue: deque[str] = deque()  # candidates not proposed yet; some may have got a reward meanwhile
        self._restart()

    def ask(self) -> Architecture | None:
        """Propose the next candidate that is neither trained nor in training; None if there is none."""
        while self._queue:
            key = self._queue.popleft()
            if key not in self._rewards and key not in self._training:
                self._training.add(key)
                return self._candidates[key]
        return None

    def asks_ahead(self, outstanding: int) -> bool:
        """Check whether pending outcomes cannot change the next proposal.

        That holds among the random starts, and among the neighbours if the search moves to the best of all of them.

        Args:
            outstanding: number of proposals whose outcomes are pending, >= 0.

        Returns:
            True if no outcome is pending, or if no single outcome can move the search.
        """
        return outstanding == 0 or not self._moves_early

    def tell(self, outcome: Outcome) -> None:
        """Store a reward, then move or start again as often as the rewards allow.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child is not in training, or has status "ok" but no score.
        """
        key, reward = outcome.architecture.hash, self.reward(outcome)
        if key not in self._training:
            raise InputError(
                f"child {outcome.index} ({key}) is not in training: it was not proposed, or its outcome came before"
            )
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        self._training.remove(key)
        self._rewards[key] = reward
        self._unknown.discard(key)
        self._climb()

    def _climb(self) -> None:
        """Step and restart until a candidate has to be trained first, or nothing new seems left."""
        restarts = 0
        while restarts < RESTARTS_IN_A_ROW:
            if self._unknown and not self._moves_early:
                return
            better = self._better()
            if better is not None:
                self._move_to(better)
            elif not self._unknown:
                self._restart()
                restarts += 1
            else:
                return

    @property
    def _moves_early(self) -> bool:
        return self.config.move == "first" and self._centre_reward is not None

    def _better(self) -> str | None:
        """Hash of the best candidate so far (ties: the first) if it is better than the current one, else None."""
        known = [key for key in self._candidates if key in self._rewards]
        best = max(known, key=self._rewards.__getitem__, default=None)
        if best is None or (self._centre_reward is not None and self._rewards[best] <= self._centre_reward):
            return None
        return best

    def _move_to(self, key: str) -> None:
        self._centre_reward = self._rewards[key]
        around = {other.hash: other for other in self.space.neighbours(self._candidates[key])}
        around.pop(key, None)
        keys = list(around)
        self._choose_among({keys[place]: around[keys[place]] for place in self._rng.permutation(len(keys))})

    def _restart(self) -> None:
        self._centre_reward = None
        drawn = [self.space.random(self._rng) for _ in range(self.config.starts)]
        self._choose_among({start.hash: start for start in drawn})

    def _choose_among(self, candidates: dict[str, Architecture]) -> None:
        self._candidates = candidates
        self._queue = deque(candidates)
        self._unknown = candidates.keys() - self._rewards.keys()
