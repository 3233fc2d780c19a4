"""Progressive search: train small cells, fit a predictor, and let it choose which extensions of the cells to train."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.controllers.controller import one_thread, seeded_generator
from nasbench.runners.strategies.predictors.cell_growth import Candidates, CellGrowth, Rows
from nasbench.runners.strategies.predictors.cell_predictors import Ensemble, Kind
from nasbench.spaces.base import Architecture, Space


class PnasConfig(StrategyConfig):
    """Options of progressive search; the defaults are those of Liu et al. 2017 (1712.00559), unless marked."""

    beam: int = Field(
        256, ge=1, description="K, architectures trained with each number of blocks from 2 on (1712.00559)"
    )
    first: int = Field(
        256,
        ge=1,
        description="maximal number of one-block architectures; a random sample if there are more (1712.00559: all 136)",
    )
    candidates: int = Field(
        400_000,
        ge=1,
        description="maximal number of extensions ranked per number of blocks; a random sample if there are more (ours; "
        "the paper ranks all, which in its space are at most 301,056 up to the order of operands)",
    )
    predictor: Kind = Field("lstm", description="lstm or mlp, which the paper compares")
    ensemble: int = Field(
        5, ge=1, description="predictors, each trained on another (ensemble-1)/ensemble of the data (1712.00559)"
    )
    hidden: int = Field(100, ge=1, description="units of the LSTM, or of both hidden layers of the MLP (1712.00559)")
    embedding: int = Field(100, ge=1, description="size of an embedding (1712.00559)")
    init: float = Field(
        0.1, gt=0, description="embeddings start uniform in [-init, init] (1712.00559), as do all other weights (ours)"
    )
    learning_rate: float = Field(
        0.01, gt=0, description="learning rate of Adam on the one-block architectures (1712.00559)"
    )
    later_learning_rate: float = Field(0.002, gt=0, description="learning rate of Adam from two blocks on (1712.00559)")
    learn_from: Literal["all", "new"] = Field(
        "all",
        description="outcomes used to train the predictors after each level: all so far (ours), or only those of the level, with which "
        "algorithm 1 of 1712.00559 fine-tunes (recalled, not seen)",
    )
    epochs: int = Field(30, ge=1, description="passes over the data in each fit (ours; not given)")
    batch: int = Field(32, ge=1, description="architectures per step of Adam (ours; not given)")


class Pnas(Strategy[PnasConfig]):
    """Progressive search: train all one-block cells, then the K most promising extensions by one block, up to B blocks.

    After every level the predictors are trained further, with all outcomes so far or (`learn_from=new`) with those of
    the level. They rank every extension of the level's cells by one block. The best K with different hashes form the
    next level: 136 + 4 K architectures in the paper's space with B = 5. A level begins after the last outcome of the
    level before, and outcomes are used in the order of the proposals, so the search does not depend on how many
    children are trained at once. The architectures of level n have n blocks; the search ends after the last level.

    In a search with limits on the architectures (`where_arch`), every level takes only those that fit, with its own
    number of blocks; a level without any ends the search. Limits from below may exclude all one-block cells, and then
    the search is refused.

    It can search spaces of cells in which the output of a cell is not a decision.

    Source: Liu et al. 2017 (1712.00559), algorithm 1 and section 3.
    Deviation: spaces with a pair of cells, which the paper does not have, grow by one block in both cells at once, and
    the predictor reads the first block of both cells, then the second of both. Such spaces have too many one-block
    pairs and extensions, so samples of them are used (`first`, `candidates`). The output's bias starts at the mean
    reward of the first level. Failed children have reward 0. By default a level's fit uses all outcomes so far;
    algorithm 1 of the paper fine-tunes with the new ones (recalled).
    """

    name = "pnas"
    begins_at_random = False
    config_type = PnasConfig

    def __init__(self, space: Space, seed: int, config: PnasConfig | None = None) -> None:
        super().__init__(space, seed, config)
        options = self.config
        self.growth = CellGrowth.of(space)
        self._rng = np.random.default_rng(seed)
        self._ensemble = Ensemble(
            options.predictor,
            options.ensemble,
            self.growth.tables,
            options.embedding,
            options.hidden,
            options.init,
            seeded_generator(seed),
        )
        self._rows: list[Rows] = []  # of all architectures of the levels so far, in the order of proposal
        self._architectures: list[Architecture] = []
        self._rewards: dict[int, float] = {}
        self._asked = 0
        self._level_start = 0
        self._begin()

    def ask(self) -> Architecture | None:
        """Propose the next architecture of the level; None once all have been proposed."""
        if self._asked == len(self._architectures):
            return None
        self._asked += 1
        return self._architectures[self._asked - 1]

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true; see `Strategy.asks_ahead`.

        A level is chosen as a whole, and `ask` returns None between levels.
        """
        return True

    def tell(self, outcome: Outcome) -> None:
        """Store a reward. The last one of a level trains the predictors and chooses the next level.

        Args:
            outcome: the outcome of a child that `ask` proposed.

        Raises:
            InputError: when the child is not pending, or has status "ok" but no score.
        """
        reward = self.reward(outcome)
        if not 0 <= outcome.index < self._asked or outcome.index in self._rewards:
            raise InputError(
                f"child {outcome.index} is not outstanding: it was not proposed, or its outcome came before"
            )
        if not math.isfinite(reward):
            raise InputError(f"child {outcome.index} has status {outcome.status!r} and the reward {reward}")
        self._rewards[outcome.index] = reward
        level = len(self._rows[-1]) // self.growth.width
        if len(self._rewards) == len(self._rows) and level < self.growth.blocks:
            with one_thread():
                self._learn(level)
                self._grow(level)

    def _begin(self) -> None:
        options = self.config
        rows = self.growth.candidates(1, 0, options.candidates, self._rng).added
        if len(rows) > options.first:
            rows = rows[self._rng.permutation(len(rows))]
        self._plan(rows, options.first)

    def _learn(self, level: int) -> None:
        options = self.config
        first = 0 if options.learn_from == "all" else self._level_start
        learned = self._rows[first:]
        blocks = torch.tensor([len(row) // self.growth.width for row in learned])
        rows = torch.zeros(len(learned), level * self.growth.width, dtype=torch.int64)
        for place, row in enumerate(learned):
            rows[place, : len(row)] = torch.from_numpy(row)
        rewards = torch.tensor([self._rewards[index] for index in range(first, len(self._rows))], dtype=torch.float32)
        rate = options.learning_rate if level == 1 else options.later_learning_rate
        self._ensemble.fit(rows, blocks, rewards, options.epochs, options.batch, rate)

    def _grow(self, level: int) -> None:
        options = self.config
        parents = np.stack(self._rows[self._level_start :])
        found = self.growth.candidates(len(parents), level, options.candidates, self._rng)
        ranking = self._ranking(parents, found)
        self._level_start = len(self._rows)
        self._plan((np.concatenate([parents[found.parents[i]], found.added[i]]) for i in ranking), options.beam)

    def _ranking(self, parents: Rows, found: Candidates) -> Rows:
        """Positions of the candidates, the most promising first; ties keep their order."""
        scores = self._ensemble.grown(*map(torch.from_numpy, (parents, found.parents, found.added)))
        return np.argsort(-scores.numpy(), kind="stable")

    def _plan(self, rows: Iterable[Rows], most: int) -> None:
        """Choose the first rows with different hashes as the next architectures to propose."""
        seen: set[str] = set()
        for row, architecture in self._allowed(rows):
            if architecture.hash not in seen:
                seen.add(architecture.hash)
                self._rows.append(row)
                self._architectures.append(architecture)
            if len(seen) == most:
                return
        if not self._rows:
            raise InputError(
                f"strategy 'pnas' begins with cells of one block, and none in {self.space.spec!r} satisfies the limits "
                "of this search; choose other limits or another strategy"
            )

    def _allowed(self, rows: Iterable[Rows]) -> Iterator[tuple[Rows, Architecture]]:
        """Yield rows with their architectures, without those that the search does not allow."""
        for row in rows:
            architecture = self.growth.architecture(row)
            if self.space.allows(architecture):
                yield row, architecture
