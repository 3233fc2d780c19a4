"""BANANAS: an ensemble of predictors with independent Thompson sampling chooses among mutations of the best children."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.predictors.acquisitions import Acquisition, acquire
from nasbench.runners.strategies.predictors.batches import BatchConfig, BatchStrategy, Trained
from nasbench.runners.strategies.predictors.encodings import Columns, Encoding, features, require_encoding
from nasbench.runners.strategies.predictors.regressors import (
    Boosting,
    Forest,
    Loss,
    MlpEnsemble,
    Regressor,
    RegressorKind,
)
from nasbench.spaces.base import Architecture

EI_CALIBRATION = 5.0  # released code: the deviation is divided by it for the expected improvement


class PredictorConfig(BatchConfig):
    """Options of searches by a predictor; the network's defaults are those of the released code of 1910.11858."""

    predictor: RegressorKind = Field(
        "mlp",
        description="mlp: networks (1910.11858); forest, boosting: random forest, gradient boosting of scikit-learn",
    )
    encoding: Encoding = Field(
        "auto",
        description="path or adjacency (both 1910.11858), wl: neighbourhoods of the graph (2006.07556); auto: path in spaces of "
        "cells, else adjacency (ours)",
    )
    ensemble: int = Field(5, ge=1, description="networks, or series of boosted trees (1910.11858)")
    layers: int = Field(10, ge=1, description="hidden layers of a network (1910.11858)")
    width: int = Field(20, ge=1, description="units of a hidden layer (1910.11858)")
    epochs: int = Field(150, ge=1, description="passes over the data in each fit of a network (released code)")
    minibatch: int = Field(32, ge=1, description="architectures per step of Adam (released code)")
    learning_rate: float = Field(0.01, gt=0, description="learning rate of Adam (1910.11858)")
    loss: Loss = Field(
        "mae", description="mae: absolute error (released code); mape: relative to the error above `bound` (1910.11858)"
    )
    bound: float = Field(
        0.0, ge=0, lt=1, description="lower bound of the error in mape, as a fraction (1910.11858: y_LB)"
    )
    trees: int = Field(100, ge=1, description="trees of a forest or of a boosted series (scikit-learn's default)")

    def regressor(self) -> Regressor:
        """Make the predictor that the options describe."""
        if self.predictor == "forest":
            return Forest(self.trees)
        if self.predictor == "boosting":
            return Boosting(self.ensemble, self.trees)
        return MlpEnsemble(
            self.ensemble,
            self.layers,
            self.width,
            self.epochs,
            self.minibatch,
            self.learning_rate,
            self.loss,
            self.bound,
        )


class BananasConfig(PredictorConfig):
    """Options of BANANAS; the defaults are those of White et al. 2019 (1910.11858) and its released code."""

    acquisition: Acquisition = Field(
        "its",
        description="its: independent Thompson sampling; ucb, ei, pi, ts (one member for all) or mean (all compared in 1910.11858)",
    )
    optimizer: Literal["mutation", "random", "mutation_random"] = Field(
        "mutation",
        description="what the candidates are: mutations of the best children, random architectures, or both (1910.11858)",
    )
    parents: int = Field(
        1,
        ge=1,
        description="best children that are mutated, candidates / parents times each; up to five times as many while candidates are "
        "missing (released code)",
    )


PATIENCE = 5  # times `parents`: the best children that may be mutated


def predicted(
    config: PredictorConfig, trained: Sequence[Trained], pool: Sequence[Architecture], rng: np.random.Generator
) -> np.ndarray:
    """Predict the rewards of candidates by a predictor that learns from all children so far.

    Args:
        config: the predictor's options.
        trained: children with their rewards.
        pool: the candidates.
        rng: source of the predictor's random numbers.

    Returns:
        [members, candidates].
    """
    bags = [features(child.architecture, config.encoding) for child in trained]
    columns = Columns(bags)
    regressor = config.regressor()
    regressor.fit(columns.matrix(bags), np.array([child.reward for child in trained]), rng)
    return regressor.predict(columns.matrix([features(each, config.encoding) for each in pool]))


class Bananas(BatchStrategy[BananasConfig]):
    """Bayesian optimization with an ensemble of networks that read the paths of an architecture.

    Ten random children are trained first. Then, in batches of ten, an ensemble learns from all children so far and
    rates the mutations of the best one, by a draw from its mean and spread for each; the ten highest are trained.

    Every part is an option, because which of them matters depends on the space: `encoding`, `predictor`, `acquisition`
    and `optimizer`. Schneider et al. 2021 (2107.07343) found that on one benchmark the mutation of the best child
    explains the results alone.

    Source: White, Neiswanger, Savani 2019 (1910.11858), algorithm 1, and the released code.
    Deviation: the features of a path encoding and the scale of rewards, see `path_features` and `MlpEnsemble`. Where the
    mutations give fewer candidates than a batch, random ones are added. Failed children have reward 0.
    """

    name = "bananas"
    config_type = BananasConfig

    def require_space(self) -> None:
        """Refuse an encoding that the space does not have; see `BatchStrategy.require_space`."""
        require_encoding(self.space, self.config.encoding)

    def pool(self, best: Sequence[Architecture]) -> list[Architecture]:
        """Make mutations of the best children, or random architectures; see `BatchStrategy.pool`."""
        options = self.config
        found: list[Architecture] = []
        if options.optimizer != "random":
            for parent in best[: options.parents * PATIENCE]:
                if len(found) >= options.candidates:
                    break
                tries = max(1, options.candidates // options.parents)
                found += self.new_ones(self._mutations(parent, tries), tries, found)
        if options.optimizer != "mutation":
            found += self.draw(options.candidates, found)
        return found

    def rank(self, trained: Sequence[Trained], pool: Sequence[Architecture]) -> Sequence[float]:
        """Rate candidates by the acquisition function; see `BatchStrategy.rank`."""
        members = predicted(self.config, trained, pool, self._rng)
        deviation = members.std(axis=0)
        if self.config.acquisition == "ei":
            deviation = deviation / EI_CALIBRATION
        best = max(child.reward for child in trained)
        values: list[float] = acquire(
            self.config.acquisition, members.mean(axis=0), deviation, best, members, self._rng
        ).tolist()
        return values

    def _mutations(self, parent: Architecture, tries: int) -> Iterator[Architecture]:
        return (self.space.mutate(parent, self._rng) for _ in range(tries))
