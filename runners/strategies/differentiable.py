"""What differentiable strategies have in common: mixed super-networks, their training, and the order of proposals."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import Field

from nasbench.runners.strategies.one_shot import OneShotStrategy, SplitConfig, moved, place
from nasbench.spaces.base import Architecture, Space
from nasbench.supernets.bilevel import ArchitectureSettings, Bilevel, Order, Relaxation
from nasbench.supernets.build import build_mixed_supernetwork, require_mixed_supernetwork
from nasbench.supernets.training import SharedWeights, cosine_restarts


class DifferentiableConfig(SplitConfig):
    """Options of a differentiable search. The defaults take about a minute on digits (nasbench201, one CPU core).

    "Paper" is DARTS where a description of a strategy's own options does not say otherwise.
    """

    architecture_learning_rate: float = Field(
        3e-4, gt=0, description="learning rate of Adam for the weights of the architecture (paper: 0.0003)"
    )
    architecture_weight_decay: float = Field(
        1e-3, ge=0, description="L2 penalty on the parameters of the architecture (paper: 0.001)"
    )
    warmup_epochs: int = Field(
        0, ge=0, description="first epochs, in which only the weights of the network learn (paper: 0)"
    )


C = TypeVar("C", bound=DifferentiableConfig)


class DifferentiableStrategy(OneShotStrategy[C, Bilevel]):
    """Train a mixture of all architectures, and propose them by falling weight.

    Each step of the weights on a batch of training images is beside a step of the architecture's parameters on a
    minibatch of validation images. The first proposal is the architecture that the paper's rule takes: in nasbench201
    the heaviest operation of each edge; in darts the two heaviest edges of each node, each with its heaviest operation
    other than "none"; in spaces of cells the heaviest option of each decision. Further proposals have the next smaller
    product of weights. Under limits, architectures that do not fit are left out. The search ends after 1,000 spellings
    of known architectures in a row.

    Source: Liu, Simonyan & Yang 2019 (1806.09055).
    Deviation: the papers stop after one architecture. Validation images are not augmented. Spaces of cells are mixed
        decision by decision, as `nasbench.supernets.cells` says; no paper searches them so.
    """

    order: Order = 1
    weights_first = False

    @property
    def shared_weights(self) -> SharedWeights:
        """The trained super-network; see `OneShotStrategy.shared_weights`."""
        assert self.trained is not None, "ask first"
        return self.trained

    @property
    def channel_share(self) -> int:
        """Of how many channels one passes the operations."""
        return 1

    @abstractmethod
    def _relaxation(self) -> Relaxation:
        """Return how parameters become weights."""

    def __init__(self, space: Space, seed: int, config: C | None = None) -> None:
        super().__init__(space, seed, config)
        self._order: Iterator[Architecture] | None = None

    def _require(self, space: Space) -> None:
        require_mixed_supernetwork(space)

    def _settings(self) -> ArchitectureSettings:
        options = self.config
        return ArchitectureSettings(
            options.architecture_learning_rate, options.architecture_weight_decay, self.order, self.weights_first
        )

    def _train(self) -> Bilevel:
        options, protocol = self.config, self._protocol
        placed = place(protocol, self.seed, self._place)
        network = build_mixed_supernetwork(
            self.space, placed.scale, placed.regularization, channel_share=self.channel_share
        )
        shared = Bilevel(
            moved(network, protocol, self._place),
            placed.images,
            placed.validation,
            protocol,
            placed.seeds,
            protocol.batch_size,
            self._relaxation(),
            self._settings(),
        )
        rates = cosine_restarts(
            options.epochs, options.learning_rate, options.learning_rate_end, options.epochs, factor=1
        )
        for epoch, rate in enumerate(rates):
            progress = epoch / max(1, options.epochs - 1)
            shared.bilevel_epoch(rate, progress, learns=epoch >= options.warmup_epochs)
        return shared

    def _derive(self, trained: Bilevel) -> list[Architecture]:
        if self._order is None:
            self._order = self.space.fitting(trained.network.ranked(*trained.weights()))
        return self._new(self._order, 1)


PAPER: dict[str, Any] = {"epochs": 50, "batch_size": 64, "filters": 16, "cells": 2}
"""Sizes of DARTS's search on CIFAR-10, which are not the defaults here."""
