"""What differentiable strategies have in common: mixed super-networks, their training, and the order of proposals."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final, TypeVar

import numpy as np
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.one_shot import OneShotStrategy, SplitConfig, moved, place
from nasbench.runners.strategies.presets import scaled
from nasbench.spaces.base import Architecture, Space
from nasbench.spaces.constrained import NothingFits
from nasbench.supernets.bilevel import ArchitectureSettings, Bilevel, Order, Relaxation
from nasbench.supernets.build import build_mixed_supernetwork, require_mixed_supernetwork
from nasbench.supernets.training import SharedWeights, cosine_restarts

STEPS_OF_64: Final = 391
"""Steps of an epoch of 25,000 images, half of CIFAR-10's, in batches of 64."""
HIGHEST_RATE: Final = 0.02
ALL_LOOKED_AT: Final = 1_000_000
"""Encodings of a space of which, under limits, all are looked at by falling weight."""
LOOKED_AT: Final = 100_000
"""Encodings of a larger space that are looked at in a row without one that the limits allow."""
DRAWN: Final = 100
"""Random architectures that the limits allow, of which the heaviest comes next, where none is among those looked at."""


class DifferentiableConfig(SplitConfig):
    """Options of a differentiable search. The defaults take about a minute on digits (nasbench201, one CPU core).

    "Paper" is DARTS where a description of a strategy's own options does not say otherwise.
    """

    architecture_learning_rate: float = Field(
        0.0,
        ge=0,
        description="learning rate of Adam for the parameters of the architecture; 0: such that rate x steps is that of the "
        "paper's search, at most 0.02 (paper: 0.0003)",
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
    product of weights. Under limits, architectures that do not fit are left out; where 100,000 in a row do not (in a space
    of up to 1,000,000 encodings: none at all), the heaviest of 100 random ones that fit come next, then those of another
    100. The search ends after 1,000 encodings of known architectures in a row.

    Source: Liu, Simonyan & Yang 2019 (1806.09055).
    Deviation: the papers stop after one architecture. Validation images are not augmented. Spaces of cells are mixed
        decision by decision, as `nasbench.supernets.cells` says; no paper searches them so.
    """

    order: Order = 1
    weights_first = False
    paper_rate: ClassVar[float] = 3e-4
    """The paper's learning rate of the parameters."""
    paper_steps: ClassVar[int] = 50 * STEPS_OF_64
    """Steps of the parameters in the paper's search on CIFAR-10."""
    paper_settings: ClassVar[Mapping[str, Any]] = {}
    """The paper's options that differ from those of DARTS and from the defaults."""
    paper_warmup: ClassVar[int] = 0
    """Epochs of the paper's search in which only the weights learn."""

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
        if self.config.warmup_epochs >= self.config.epochs:
            raise InputError(
                f"options of strategy {self.name!r}: warmup_epochs={self.config.warmup_epochs} of epochs={self.config.epochs} "
                f"leave none in which an architecture is learned; give more epochs, or at most warmup_epochs={self.config.epochs - 1}"
            )
        self._order: Iterator[Architecture] | None = None

    def _require(self, space: Space) -> None:
        require_mixed_supernetwork(space)

    @classmethod
    def auto_options_for(cls, children: int, epochs: int, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return epochs, of which as large a part is the warm-up as in the paper; see `OneShotStrategy.auto_options_for`.

        `architecture_rate` follows the steps by a rule of its own.
        """
        found = super().auto_options_for(children, epochs, given)
        if found is None or not cls.paper_warmup:
            return found
        whole = cls.auto_epochs(found, given)
        return {**found, "warmup_epochs": round(cls.paper_warmup / cls.most_epochs * whole)}

    @classmethod
    def paper_options(cls) -> dict[str, Any]:
        """Return the sizes and rates of the paper's search on CIFAR-10; see `Strategy.paper_options`."""
        sizes = {
            "protocol": "nasbench201",
            "data": "cifar10",
            "filters": 16,
            "cells": 2,
            "batch_size": 64,
            "epochs": 50,
        }
        return {**sizes, "architecture_learning_rate": cls.paper_rate, **cls.paper_settings}

    def architecture_rate(self, steps: int) -> float:
        """Return the learning rate of the parameters.

        Args:
            steps: steps of the weights in an epoch, >= 1.

        Returns:
            That of the options, or the one of the rule. Adam moves a parameter by about its rate in each step, so rate x
            steps is how far it can get.
        """
        options = self.config
        if options.architecture_learning_rate:
            return options.architecture_learning_rate
        learning = max(1, options.epochs - options.warmup_epochs)
        return scaled(self.paper_rate, self.paper_steps, learning * steps, HIGHEST_RATE)

    def _settings(self, steps: int) -> ArchitectureSettings:
        return ArchitectureSettings(
            self.architecture_rate(steps), self.config.architecture_weight_decay, self.order, self.weights_first
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
            self._settings(placed.images.steps),
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
            self._order = self._heaviest(trained)
        return self._new(self._order, 1)

    def _heaviest(self, trained: Bilevel) -> Iterator[Architecture]:
        """Yield architectures that the limits allow, by falling weight; see the class for where too many do not fit."""
        weights, edges = trained.weights()
        tries = self.space.size if self.space.size <= ALL_LOOKED_AT else LOOKED_AT
        try:
            yield from self.space.fitting(trained.network.ranked(weights, edges), tries)
            return
        except NothingFits:
            pass  # those that fit are far from the heaviest one
        rng = np.random.default_rng([self.seed, 1])
        while True:
            try:
                drawn = [self.space.random(rng) for _ in range(DRAWN)]
            except NothingFits as error:
                raise NothingFits(
                    f"{error}; those with the largest weights were looked at before, and none in a row of up to {tries:,} fits"
                ) from None
            yield from trained.network.by_weight(drawn, weights, edges)
