"""What strategies with shared weights have in common: train a super-network in the first `ask`, then propose its best."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

import torch
from pydantic import Field

from nasbench.data import load_data
from nasbench.data.fitting import fitted
from nasbench.protocols.protocol import Protocol, overridden
from nasbench.runners.strategies.base import Outcome, Strategy
from nasbench.runners.strategies.run_protocol import OwnNetworksConfig
from nasbench.spaces.base import Architecture, Space
from nasbench.structures import Regularization, Scale
from nasbench.supernets.base import SuperNetwork
from nasbench.supernets.build import build_supernetwork, require_supernetwork
from nasbench.supernets.training import SharedWeights
from nasbench.training.augmentation import ResidentImages, TrainingImages
from nasbench.training.evaluate import place_images, resolve_device
from nasbench.training.loop import Seeds, reproducible, seed_device

REPEATS_IN_A_ROW = 1000
SHARE_OF_BUDGET: Final = 0.5
"""Part of a budget that a super-network takes with preset=auto."""
FEWEST_EPOCHS: Final = 10


class OneShotConfig(OwnNetworksConfig):
    """Options of the super-network. In a run, protocol, data, cells, filters and device are the run's unless they are given.

    The run's protocol is taken with all fields that the user replaced in it.

    A protocol with portable kernels needs a process that was started for them, as an error says.
    """

    protocol: str = Field(
        "digits", description="protocol whose data, augmentation and network scale are used (ours; paper: CIFAR-10)"
    )
    data: str = Field("", description="data to train and score on; empty: the protocol's (paper: cifar10)")
    cells: int = Field(0, ge=0, description="N of the super-network; 0: the protocol's (paper: 2, which is 8 cells)")
    filters: int = Field(0, ge=0, description="F of the super-network; 0: the protocol's (paper: 16)")
    device: str = Field("cpu", description="cpu, cuda, cuda:0, ...: where the super-network is trained")

    epochs: int = Field(50, ge=1, description="passes over the training images (paper: 50)")
    batch_size: int = Field(0, ge=0, description="images per step; 0: the protocol's (paper: 64)")
    learning_rate: float = Field(0.025, gt=0, description="learning rate of the weights at the start (paper: 0.025)")
    weight_decay: float = Field(3e-4, ge=0, description="L2 penalty on the weights (paper: 0.0003)")

    def protocol_changes(self) -> dict[str, Any]:
        """Return the fields of the protocol that the options replace."""
        given = {
            "data": self.data,
            "cells": self.cells,
            "filters": self.filters,
            "batch_size": self.batch_size,
        }
        always = {
            "optimizer": "nesterov",
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
        }
        return {field: value for field, value in given.items() if value} | always

    def super_protocol(self) -> Protocol:
        """Return the protocol of the super-network, whose fields in `fit` still follow from its data."""
        return overridden(self.base_protocol(self.protocol), self.protocol_changes())


class SplitConfig(OneShotConfig):
    """Options of the super-networks of DARTS and what followed: halves of the training images, one cosine, clipping."""

    validation: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="share of the training images on which architectures, not weights, are learned or scored; 0: the protocol's (paper: 0.5)",
    )
    learning_rate_end: float = Field(
        0.001, ge=0, description="learning rate of the weights towards which a cosine falls (paper: 0.001)"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of the weights (paper: 0.9)")
    clip_norm: float = Field(5.0, ge=0, description="largest norm of the weights' gradient; 0: any (paper: 5)")

    def protocol_changes(self) -> dict[str, Any]:
        """Return the fields of the protocol that the options replace; see `OneShotConfig.protocol_changes`."""
        split = {"validation": self.validation} if self.validation else {}
        return super().protocol_changes() | split | {"momentum": self.momentum, "clip_norm": self.clip_norm}


C = TypeVar("C", bound=OneShotConfig)
T = TypeVar("T")


class OneShotStrategy(Strategy[C], Generic[C, T]):
    """Train shared weights in the first `ask`, then propose architectures by what they say, best first.

    The seconds of an `ask` are charged to the ledger's category "supernet" together with the first child that it
    proposes. A budget in device-hours, USD or wall time does not interrupt the training of the super-network; if the
    budget is used up by then, the first child ends the search uncounted, like any child that crosses the limit. A
    budget in children does not limit it at all. A resumed run trains the super-network again, to the same bits on the
    same platform, and is charged for it once, unless it was interrupted before its first child was stored.

    No architecture is proposed twice, by hash. Outcomes of children are not used.

    Args:
        space: a space that has a super-network.
        seed: seed of weights, images and draws.
        config: the options.

    Attributes:
        trained: what the training made; None before the first `ask`.
    """

    begins_at_random = False
    charged_as: ClassVar[str] = "supernet"
    epoch_cost: ClassVar[float] = 0.0
    """What an epoch of the super-network costs in epochs of a child of its size, as measured; 0 without preset=auto."""
    most_epochs: ClassVar[int] = 50
    """Epochs of the paper's search, which preset=auto does not exceed."""

    @classmethod
    def auto_options_for(cls, children: int, epochs: int, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return epochs for which the super-network takes half of the budget; see `Strategy.auto_options_for`.

        The rule: `children` x `epochs` / 2, divided by what an epoch of the super-network costs, but 10 or more and not
        more than in the paper.
        """
        if not cls.epoch_cost:
            return None
        affordable = SHARE_OF_BUDGET * children * epochs / cls.epoch_cost_with(given)
        return {"epochs": round(max(FEWEST_EPOCHS, min(cls.most_epochs, affordable)))}

    @classmethod
    def auto_epochs(cls, found: Mapping[str, Any], given: Mapping[str, Any]) -> int:
        """Return the epochs on which other settings of preset=auto depend.

        Args:
            found: the settings, with `epochs`.
            given: the options that the user gives; they win.

        Returns:
            Epochs of the super-network; those found where the given ones are no number, which the check of the options names.
        """
        try:
            return int(given.get("epochs", found["epochs"]))
        except ValueError:
            return int(found["epochs"])

    @classmethod
    def epoch_cost_with(cls, given: Mapping[str, Any]) -> float:
        """Return what an epoch costs with some options.

        Args:
            given: the options that the user gives.

        Returns:
            Epochs of a child of the size of the super-network, > 0.
        """
        return cls.epoch_cost

    def __init__(self, space: Space, seed: int, config: C | None = None) -> None:
        super().__init__(space, seed, config)
        self._require(space)
        self._protocol = self.config.super_protocol()
        if self._protocol.fit:
            self._protocol = fitted(self._protocol, load_data(self._protocol.data))
        self._place = resolve_device(self.config.device)
        if (
            self._place.type == "cpu" and self._protocol.threads == 1
        ):  # else processor time is not the time of one device
            self.charged_by = "processor"
        self.trained: T | None = None
        self._ranked: deque[Architecture] = deque()
        self._drawn: set[str] = set()
        self._exhausted = False

    @property
    def super_protocol(self) -> Protocol:
        """The protocol of the super-network."""
        return self._protocol

    def ask(self) -> Architecture | None:
        """Propose the best architecture not proposed yet; always None once there is nothing new."""
        if not self._ranked and not self._exhausted:
            with reproducible(self._place, self._protocol.threads, self._protocol.kernels):
                if self.trained is None:
                    self.trained = self._train()
                self._ranked.extend(self._derive(self.trained))
            self._exhausted = not self._ranked
        return self._ranked.popleft() if self._ranked else None

    def asks_ahead(self, outstanding: int) -> bool:
        """Return true, because proposals do not depend on outcomes; see `Strategy.asks_ahead`."""
        return True

    def tell(self, outcome: Outcome) -> None:
        """Do nothing, because proposals do not depend on outcomes; see `Strategy.tell`."""

    def score(self, architectures: Sequence[Architecture]) -> list[float]:
        """Score architectures with the shared weights, which are trained first if they are not yet.

        Args:
            architectures: architectures of the strategy's space.

        Returns:
            Accuracy of each on all validation images of the super-network, in [0, 1].
        """
        with reproducible(self._place, self._protocol.threads, self._protocol.kernels):
            if self.trained is None:
                self.trained = self._train()
            return [self.shared_weights.validation_accuracy(each) for each in architectures]

    @property
    @abstractmethod
    def shared_weights(self) -> SharedWeights:
        """The trained super-network, which scores architectures. Train it by an `ask` first."""

    def _require(self, space: Space) -> None:
        """Raise InputError if the space has no super-network that fits the strategy."""
        require_supernetwork(space)

    @abstractmethod
    def _train(self) -> T:
        """Train the super-network."""

    @abstractmethod
    def _derive(self, trained: T) -> list[Architecture]:
        """Return further architectures, best first; none if there are no more."""

    def _new(self, architectures: Iterator[Architecture], count: int) -> list[Architecture]:
        """Take architectures whose hash was not taken before; fewer if 1,000 in a row were, or the iterator ends."""
        pool: list[Architecture] = []
        repeats = 0
        for architecture in architectures:
            if architecture.hash in self._drawn:
                repeats += 1
                if repeats == REPEATS_IN_A_ROW:
                    break
                continue
            repeats = 0
            self._drawn.add(architecture.hash)
            pool.append(architecture)
            if len(pool) == count:
                break
        return pool


class Placed(NamedTuple):
    """Network and images of a super-network on their device.

    Attributes:
        scale: scale of the network.
        regularization: of the network.
        images: training images.
        validation: validation images.
        seeds: seeds of weights, order and noise.
    """

    scale: Scale
    regularization: Regularization
    images: TrainingImages
    validation: ResidentImages
    seeds: Seeds


def place(protocol: Protocol, seed: int, device: torch.device) -> Placed:
    """Put a protocol's images on a device, and seed the weights of the network that is built next.

    Call it within `training.reproducible`.

    Args:
        protocol: protocol that gives data, augmentation, network scale and dropout.
        seed: seed of initial weights, order, dropout and minibatches, >= 0.
        device: the device.

    Returns:
        The images, and what a network needs.
    """
    seeds, data = Seeds.of(seed), load_data(protocol.data)
    placed = place_images(protocol, device)
    seed_device(device, seeds.weights)
    scale = protocol.scale(data.size, data.channels, len(data.classes))
    return Placed(scale, protocol.regularization(), placed.train, placed.validation, seeds)


N = TypeVar("N", bound=SuperNetwork)


def moved(network: N, protocol: Protocol, device: torch.device) -> N:
    """Move a network to a device, in the protocol's memory format.

    Args:
        network: the network.
        protocol: the protocol.
        device: the device.

    Returns:
        The network.
    """
    network = network.to(device)
    return network.to(memory_format=torch.channels_last) if protocol.channels_last else network


def make_shared_weights(
    space: Space, protocol: Protocol, seed: int, minibatch_size: int, device: str = "cpu", affine: bool = True
) -> SharedWeights:
    """Make an untrained super-network together with the protocol's images on the device.

    Call it within `training.reproducible`.

    Args:
        space: a space that has super-networks.
        protocol: protocol that gives data, augmentation, network scale, dropout and the fields that `SharedWeights`
            uses.
        seed: seed of initial weights, order, dropout and minibatches, >= 0.
        minibatch_size: number of validation images on which an architecture is scored.
        device: "cpu", "cuda" or "cuda:1".
        affine: whether BatchNorms in cells have scale and shift.

    Returns:
        The shared weights, untrained.
    """
    there = resolve_device(device)
    placed = place(protocol, seed, there)
    network = moved(build_supernetwork(space, placed.scale, placed.regularization, affine=affine), protocol, there)
    return SharedWeights(network, placed.images, placed.validation, protocol, placed.seeds, minibatch_size)
