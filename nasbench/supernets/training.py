"""Training of a super-network's shared weights, and scores of architectures that use them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasbench.errors import NasbenchError
from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture
from nasbench.supernets.base import SuperNetwork
from nasbench.training.augmentation import ResidentImages, TrainingImages
from nasbench.training.loop import Seeds, seed_device
from nasbench.training.optimizers import Nesterov
from nasbench.training.steps import autocast

Minibatch = tuple[Tensor, Tensor]
"""Images float32 [b, c, h, w] and labels int64 [b]."""


class SharedWeightsDiverged(NasbenchError):
    """The training of a super-network whose loss is no longer finite."""


class PathNesterov(Nesterov):
    """Nesterov momentum for shared weights: weights that a step does not use keep their value and their velocity.

    Deviation: in ENAS's released code the L2 penalty and the remaining velocity also move the weights off the path.
    """

    def __init__(self, weights: Iterator[nn.Parameter], *, momentum: float, weight_decay: float) -> None:
        super().__init__(weights, momentum=momentum, weight_decay=weight_decay)
        self._kept: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One update, at this learning rate, of the weights that have a gradient."""
        used = [weight for weight in self.weights if weight.grad is not None]
        for weight in used:
            if weight not in self._kept:
                self._kept[weight] = torch.zeros_like(weight)
        self._velocities = [self._kept[weight] for weight in used]
        self._update(used, [weight.grad for weight in used if weight.grad is not None], learning_rate)


class SharedWeights:
    """Trains a super-network and scores its paths. Use it within `training.reproducible`.

    Args:
        network: on the images' device.
        images: training images.
        validation: images that architectures are scored on.
        protocol: momentum, weight decay, label smoothing, gradient clipping and precision.
        seeds: of order and augmentation, dropout and validation minibatches.
        minibatch_size: validation images per minibatch, >= 1; all if there are fewer.
    """

    def __init__(
        self,
        network: SuperNetwork,
        images: TrainingImages,
        validation: ResidentImages,
        protocol: Protocol,
        seeds: Seeds,
        minibatch_size: int,
    ) -> None:
        seed_device(validation.device, seeds.noise)
        self.network, self.images, self.validation, self.protocol = network, images, validation, protocol
        self.minibatch_size = min(minibatch_size, len(validation))
        self._optimizer = PathNesterov(
            network.parameters(), momentum=protocol.momentum, weight_decay=protocol.weight_decay
        )
        self._generator = torch.Generator().manual_seed(seeds.order)
        self._order = torch.zeros(0, dtype=torch.int64)

    def train_epoch(self, architectures: Sequence[Architecture], learning_rate: float) -> float:
        """Train for one pass over the training images; each step uses the path of one architecture.

        Args:
            architectures: the path of each step, `images.steps` of them.
            learning_rate: learning rate of the whole pass.

        Returns:
            Mean loss in nats.

        Raises:
            SharedWeightsDiverged: when the loss is not finite.
        """
        self.network.train()
        losses = [
            self._step(images, labels, architecture, learning_rate) * len(labels)
            for architecture, (images, labels) in zip(architectures, self.images.epoch(self._generator), strict=True)
        ]
        loss = float(sum(torch.stack(losses).tolist())) / len(self.images)
        if not math.isfinite(loss):
            raise SharedWeightsDiverged(
                f"the shared weights diverged (their training loss is {loss}); lower the strategy's learning rate, {learning_rate:g} here"
            )
        return loss

    def minibatch(self) -> Minibatch:
        """The next validation images in random order; a new order when too few are left."""
        if len(self._order) < self.minibatch_size:
            self._order = torch.randperm(len(self.validation), generator=self._generator)
        chosen, self._order = self._order[: self.minibatch_size], self._order[self.minibatch_size :]
        chosen = chosen.to(self.validation.device)
        return self.validation.whitened(self.validation.pixels[chosen]), self.validation.labels[chosen]

    def accuracy(self, architecture: Architecture, minibatch: Minibatch) -> float:
        """Accuracy in [0, 1] of a path on a minibatch, without dropout, with the minibatch's own BatchNorm statistics."""
        return self._hits(architecture, *minibatch) / len(minibatch[1])

    def validation_accuracy(self, architecture: Architecture) -> float:
        """Accuracy in [0, 1] of a path on all validation images, computed minibatch by minibatch."""
        images = len(self.validation)
        parts = -(-images // self.minibatch_size)
        batches = self.validation.batches(-(-images // parts))  # about equal: a runt's statistics would be worthless
        return sum(self._hits(architecture, *batch) for batch in batches) / images

    def _step(self, images: Tensor, labels: Tensor, architecture: Architecture, learning_rate: float) -> Tensor:
        """One update; returns the mean loss, detached."""
        with autocast(self.protocol, images.device):
            logits = self.network(images, architecture)
        loss = functional.cross_entropy(logits.float(), labels, label_smoothing=self.protocol.label_smoothing)
        self._optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.protocol.clip_norm:
            nn.utils.clip_grad_norm_(self._optimizer.weights, self.protocol.clip_norm)
        self._optimizer.step(learning_rate)
        return loss.detach()

    @torch.inference_mode()
    def _hits(self, architecture: Architecture, images: Tensor, labels: Tensor) -> int:
        self.network.eval()
        with autocast(self.protocol, images.device):
            logits = self.network(images, architecture)
        return int((logits.argmax(1) == labels).sum())


def cosine_restarts(epochs: int, highest: float, lowest: float, first: int, factor: int) -> list[float]:
    """The learning rate of every epoch: half a cosine from highest towards lowest over `first` epochs, then over `factor` times more, ..

    Args:
        epochs: number of rates, >= 1.
        highest: rate of a period's first epoch, > 0.
        lowest: rate that the epoch after a period's last would have, in [0, highest].
        first: epochs of the first period, >= 1.
        factor: ratio of each period to the one before, >= 1.

    Source: Loshchilov and Hutter 2017 (1608.03983), one rate per epoch as in ENAS's released code.
    """
    rates: list[float] = []
    period = first
    while len(rates) < epochs:
        rates += [
            lowest + 0.5 * (highest - lowest) * (1 + math.cos(math.pi * epoch / period)) for epoch in range(period)
        ]
        period *= factor
    return rates[:epochs]
