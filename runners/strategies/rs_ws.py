"""Random search with weight sharing: train a super-network on random paths, then score random architectures with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.one_shot import OneShotStrategy, SplitConfig, make_shared_weights
from nasbench.spaces.base import Architecture
from nasbench.supernets.training import SharedWeights, cosine_restarts


class RsWsConfig(SplitConfig):
    """Options of random search with weight sharing. The defaults take about a minute on digits."""

    candidates: int = Field(
        100, ge=1, description="random architectures that are scored with shared weights (paper: 1000)"
    )
    minibatch: int = Field(64, ge=1, description="validation images of a minibatch (paper: 64)")
    minibatches: int = Field(10, ge=1, description="minibatches on which all candidates are scored (paper: 10)")
    finalists: int = Field(10, ge=1, description="best candidates that are scored on all validation images (paper: 10)")


class RandomSearchWithSharedWeights(OneShotStrategy[RsWsConfig, SharedWeights]):
    """Train each step on the path of another random architecture; propose random architectures by their shared scores.

    After the training, `candidates` random architectures of different hashes are scored on the same minibatches of
    validation images; the best of them are scored on all validation images, and proposed first, best first. The others
    follow by their first score; then further ones are drawn. `OneShotStrategy` says what is charged, and how a run
    resumes.

    Source: Li & Talwalkar 2019 (1902.07638), section 4, and the released code.
    Deviation: one run of the super-network, where the paper takes the best of several seeds. Momentum is Nesterov's, and
        weights off a step's path keep their value and velocity. Scores after minibatches follow all finalists.
    """

    name = "rs_ws"
    config_type = RsWsConfig
    epoch_cost = 2.0

    @classmethod
    def auto_options_for(cls, children: int, epochs: int, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return epochs, and whom to score: 20 candidates an epoch, as in the paper, of whom all children are finalists.

        Args:
            children: see `Strategy.auto_options_for`.
            epochs: see there.
            given: see there.

        Returns:
            Epochs as of `OneShotStrategy.auto_options_for`, with 100 candidates and 10 finalists or more.
        """
        found = super().auto_options_for(children, epochs, given)
        assert found is not None
        candidates = max(100, 20 * cls.auto_epochs(found, given), children)
        return {**found, "candidates": candidates, "finalists": max(10, children)}

    @classmethod
    def paper_options(cls) -> dict[str, Any]:
        """Return the sizes of the paper's search on CIFAR-10; see `Strategy.paper_options`."""
        sizes = {
            "protocol": "nasbench201",
            "data": "cifar10",
            "filters": 16,
            "cells": 2,
            "batch_size": 64,
            "epochs": 50,
        }
        return {**sizes, "candidates": 1000}

    @property
    def shared_weights(self) -> SharedWeights:
        """The trained super-network; see `OneShotStrategy.shared_weights`."""
        assert self.trained is not None, "ask first"
        return self.trained

    def _train(self) -> SharedWeights:
        options = self.config
        shared = make_shared_weights(
            self.space, self._protocol, self.seed, options.minibatch, options.device, affine=False
        )
        self._rng = np.random.default_rng(self.seed)
        rates = cosine_restarts(
            options.epochs, options.learning_rate, options.learning_rate_end, options.epochs, factor=1
        )
        for rate in rates:
            shared.train_epoch([self.space.random(self._rng) for _ in range(shared.images.steps)], rate)
        return shared

    def _derive(self, trained: SharedWeights) -> list[Architecture]:
        """Draw new architectures and sort them, best first; ties keep the order of drawing."""
        options = self.config
        pool = self._new(self._draws(), options.candidates)
        batches = [trained.minibatch() for _ in range(options.minibatches)]
        quick = {each: sum(trained.accuracy(each, batch) for batch in batches) for each in pool}
        ranked = sorted(pool, key=lambda each: -quick[each])
        best, others = ranked[: options.finalists], ranked[options.finalists :]
        whole = {each: trained.validation_accuracy(each) for each in best}
        return sorted(best, key=lambda each: -whole[each]) + others

    def _draws(self) -> Iterator[Architecture]:
        while True:
            yield self.space.random(self._rng)
