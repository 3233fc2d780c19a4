"""Local search: climb from a random architecture to the best of its neighbours until none is better, and start again."""

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
        1, ge=1, description="random architectures a climb begins with, of which the best is its start (2005.02960)"
    )


class LocalSearch(Strategy[LocalSearchConfig]):
    """Hill climbing over architectures that differ in one decision, from random starts, for as long as the budget lasts.

    Every neighbour of the current architecture is trained once, in random order; what was trained before, in this climb or an earlier
    one, is remembered by hash and not trained again. Where no neighbour is strictly better, a new climb begins at random. With several
    children in training, asking goes on through the neighbours and waits at their end, because the next step depends on all of them.
    The search is over when 1000 climbs in a row met nothing new.

    Source: White, Nolen, Savani 2020 (2005.02960), algorithm 1; the released code's number of starts and its option to stop at the
        first improvement.
    Deviation: neighbours of equal hash are one; failed children have reward 0.
    """

    name = "local_search"
    config_type = LocalSearchConfig

    def __init__(self, space: Space, seed: int, config: LocalSearchConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._rng = np.random.default_rng(seed)
        self._rewards: dict[str, float] = {}  # of all children told, by hash
        self._training: set[str] = set()
        self._centre_reward: float | None = None  # None: the candidates are the starts of a climb
        self._candidates: dict[str, Architecture] = {}  # by hash; the next step is to one of these
        self._unknown: set[str] = set()  # candidates without a reward yet
        self._queue: deque[str] = deque()  # candidates not asked for yet, and maybe some that are known meanwhile
        self._restart()

    def ask(self) -> Architecture | None:
        """The next candidate that is neither trained nor in training; None where all are."""
        while self._queue:
            key = self._queue.popleft()
            if key not in self._rewards and key not in self._training:
                self._training.add(key)
                return self._candidates[key]
        return None

    def asks_ahead(self, outstanding: int) -> bool:
        """Among the starts, and among all neighbours where the best of them is moved to."""
        return outstanding == 0 or not self._moves_early

    def tell(self, outcome: Outcome) -> None:
        """Remember a reward; take all steps that it makes possible.

        Raises:
            InputError: when the child is not in training, or has no score in spite of status "ok".
        """
        key, reward = outcome.architecture.hash, self.reward(outcome)
        if key not in self._training:
            raise InputError(f"child {outcome.index} ({key}) is not in training: never asked for, or told before")
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        self._training.remove(key)
        self._rewards[key] = reward
        self._unknown.discard(key)
        self._climb()

    def _climb(self) -> None:
        """Step and start again until a candidate has to be trained first, or nothing new seems left."""
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
        """The best candidate known, the first of equals, if it is better than the current architecture."""
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
