"""Zero-cost search: score many untrained networks, and train only the best of them."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from pydantic import Field

from nasbench.errors import UnknownName
from nasbench.protocols.protocol import overridden
from nasbench.runners.strategies.base import Outcome, Strategy
from nasbench.runners.strategies.run_protocol import OwnNetworksConfig
from nasbench.spaces.base import Architecture, Space
from nasbench.zero_cost import ZERO_COST, zero_cost_score

REPEATS_IN_A_ROW = 1000


class ZeroCostConfig(OwnNetworksConfig):
    """Options of zero-cost search. In a run, protocol, data, cells, filters and device are the run's unless they are given."""

    score: str = Field(
        "naswot",
        description="naswot (2006.04647), synflow, jacob_cov, snip, grad_norm, grasp, fisher, plain, l2_norm (2101.08134), zen "
        "(2102.01063), epe_nas (2102.08099), or params, mult_adds; the largest is best",
    )
    candidates: int = Field(
        100,
        ge=1,
        description="architectures with different hashes that are drawn and scored before the first proposal (2006.04647: 10 to 1000)",
    )
    protocol: str = Field("digits", description="protocol for data, whitening and network scale of the scores (ours)")
    data: str = Field(
        "", description="data to score on; empty: the protocol's (params, mult_adds, synflow use their shape only)"
    )
    cells: int = Field(0, ge=0, description="N of the scored networks; 0: the protocol's")
    filters: int = Field(0, ge=0, description="F of the scored networks; 0: the protocol's")
    device: str = Field("cpu", description="cpu, cuda, cuda:0, ...: where networks are scored")


class ZeroCostSearch(Strategy[ZeroCostConfig]):
    """Draw a random pool, score every network in it untrained, and propose the architectures, best score first.

    With a budget of one child only the best architecture of the pool is trained. The whole pool is scored in the first
    `ask`, because the best is known only then; the runner measures that time and charges it to the searcher. When all
    of the pool has been proposed, another pool is drawn and scored. A hash is not drawn twice; the search ends after
    1000 repeats in a row. Outcomes are not used.

    The data set of the options is read through `nasbench.data`. It is a constant like the space, so the same seed still
    gives the same proposals. All networks are scored with the search seed. Scores other than params and mult_adds may
    differ in their last bits between platforms, so a run that is resumed on another platform may be refused.

    Source: Mellor et al. 2020 (2006.04647), algorithm 1; Abdelfattah et al. 2021 (2101.08134), section 5.
    Deviation: the papers end with the best of one pool. Undefined scores come last; of equal scores the first drawn
    comes first.
    """

    name = "zero_cost"
    begins_at_random = False
    config_type = ZeroCostConfig
    main_option = "score"

    def __init__(self, space: Space, seed: int, config: ZeroCostConfig | None = None) -> None:
        super().__init__(space, seed, config)
        if self.config.score not in ZERO_COST:
            raise UnknownName("zero-cost score", self.config.score, ZERO_COST)
        self._protocol = overridden(self.config.base_protocol(self.config.protocol), self._changes())
        self._rng = np.random.default_rng(seed)
        self._drawn: set[str] = set()
        self._ranked: deque[Architecture] = deque()
        self._exhausted = False

    def ask(self) -> Architecture | None:
        """Propose the best-scored architecture not proposed yet; always None once the space seems exhausted."""
        if not self._ranked and not self._exhausted:
            self._ranked = deque(self._rank(self._draw()))
            self._exhausted = not self._ranked
        return self._ranked.popleft() if self._ranked else None

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true, because proposals do not depend on outcomes; see `Strategy.asks_ahead`."""
        return True

    def tell(self, outcome: Outcome) -> None:
        """Do nothing, because proposals do not depend on outcomes; see `Strategy.tell`."""

    def _changes(self) -> dict[str, Any]:
        """Fields of the protocol that the options replace."""
        given = {"data": self.config.data, "cells": self.config.cells, "filters": self.config.filters}
        return {field: value for field, value in given.items() if value}

    def _draw(self) -> list[Architecture]:
        """Draw new architectures with different hashes; fewer than wanted if no more are found."""
        pool: list[Architecture] = []
        repeats = 0
        while len(pool) < self.config.candidates and repeats < REPEATS_IN_A_ROW:
            architecture = self.space.random(self._rng)
            if architecture.hash in self._drawn:
                repeats += 1
                continue
            repeats = 0
            self._drawn.add(architecture.hash)
            pool.append(architecture)
        return pool

    def _rank(self, pool: list[Architecture]) -> list[Architecture]:
        scores = [self._score(architecture) for architecture in pool]
        order = sorted(range(len(pool)), key=lambda place: (math.isnan(scores[place]), -scores[place]))
        return [pool[place] for place in order]

    def _score(self, architecture: Architecture) -> float:
        return zero_cost_score(architecture, self.config.score, self._protocol, self.seed, self.config.device).value
