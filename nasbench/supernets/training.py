"""Training a super-network's shared weights, and scoring architectures with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasbench.errors import InputError, NasbenchError
from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture
from nasbench.supernets.base import SuperNetwork
from nasbench.training.augmentation import ResidentImages, TrainingImages
from nasbench.training.loop import Seeds, seed_device
from nasbench.training.optimizers import SGD
from nasbench.training.steps import autocast

Minibatch = tuple[Tensor, Tensor]
"""Images float32 [batch, channels, height, width] and labels int64 [batch]."""


class SharedWeightsDiverged(NasbenchError):
    """The training loss of a super-network is infinite or NaN."""


class PathSGD(SGD):
    """Momentum for shared weights; weights that a step does not use keep their value and their velocity.

    Args:
        weights: all weights of the super-network.
        momentum: in [0, 1).
        weight_decay: factor of the weights in the gradient (L2), >= 0.

    Deviation: in ENAS's released code, the L2 penalty and the velocity also move weights that are not on the path.
    """

    def __init__(self, weights: Iterator[nn.Parameter], *, momentum: float, weight_decay: float) -> None:
        super().__init__(weights, momentum=momentum, weight_decay=weight_decay)
        self._kept: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update the weights that have a gradient; see `Optimizer.step`."""
        used = [weight for weight in self.weights if weight.grad is not None]
        for weight in used:
            if weight not in self._kept:
                self._kept[weight] = torch.zeros_like(weight)
        self._velocities = [self._kept[weight] for weight in used]
        self._update(used, [weight.grad for weight in used if weight.grad is not None], learning_rate)

    def direction(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """Return by what a step would move a weight against, for a learning rate of 1, with plain momentum.

        Args:
            weight: one of the weights.
            gradient: its gradient.

        Returns:
            The gradient with the L2 penalty, plus momentum times velocity.
        """
        whole = gradient + self._weight_decay * weight.detach()
        return whole + self._momentum * self._kept[weight] if weight in self._kept else whole


class PathNesterov(PathSGD):
    """Nesterov momentum for shared weights; see `PathSGD`."""

    nesterov = True


class SharedWeights:
    """Trains a super-network and scores its paths. Use it within `training.loop.reproducible`.

    Args:
        network: the super-network, on the images' device.
        images: training images.
        validation: validation images, on which architectures are scored.
        protocol: momentum, weight decay, label smoothing, gradient clipping and precision; nothing else in it is used.
        seeds: `order` decides order and augmentation of training images and the order of validation images, `noise`
            dropout.
        minibatch_size: validation images per minibatch, >= 1; all of them if there are fewer.
        momentum: class of the weights' optimizer.

    Raises:
        InputError: when a batch of training images is of one image.
    """

    def __init__(
        self,
        network: SuperNetwork,
        images: TrainingImages,
        validation: ResidentImages,
        protocol: Protocol,
        seeds: Seeds,
        minibatch_size: int,
        momentum: type[PathSGD] = PathNesterov,
    ) -> None:
        if len(images) // images.steps < 2:
            raise InputError(
                f"a super-network is normalized over the images of a batch, and {len(images)} training images in batches of at "
                f"most {protocol.batch_size} make batches of one; give batch_size=2 or more, or another share of validation"
            )
        seed_device(validation.device, seeds.noise)
        self.network, self.images, self.validation, self.protocol = network, images, validation, protocol
        self.minibatch_size = min(minibatch_size, len(validation))
        self._optimizer = momentum(network.parameters(), momentum=protocol.momentum, weight_decay=protocol.weight_decay)
        self._generator = torch.Generator().manual_seed(seeds.order)
        self._order = torch.zeros(0, dtype=torch.int64)

    def train_epoch(self, architectures: Sequence[Architecture], learning_rate: float) -> float:
        """Train for one pass over the training images; each step uses the path of one architecture.

        Args:
            architectures: the path of each step; as many as `images.steps`.
            learning_rate: learning rate of all steps, > 0.

        Returns:
            Mean loss over the images, in nats.

        Raises:
            SharedWeightsDiverged: when the mean loss is infinite or NaN.
            ValueError: when the number of architectures is not `images.steps`.
        """
        self.network.train()
        losses = [
            self._step(images, labels, architecture, learning_rate) * len(labels)
            for architecture, (images, labels) in zip(architectures, self.images.epoch(self._generator), strict=True)
        ]
        return self._mean(losses, learning_rate)

    def minibatch(self) -> Minibatch:
        """Return the next validation images in random order. A new order is drawn when too few images are left."""
        if len(self._order) < self.minibatch_size:
            self._order = torch.randperm(len(self.validation), generator=self._generator)
        chosen, self._order = self._order[: self.minibatch_size], self._order[self.minibatch_size :]
        chosen = chosen.to(self.validation.device)
        return self.validation.whitened(self.validation.pixels[chosen]), self.validation.labels[chosen]

    def accuracy(self, architecture: Architecture, minibatch: Minibatch) -> float:
        """Compute the accuracy of an architecture on a minibatch, without dropout.

        Args:
            architecture: an architecture of the super-network's space.
            minibatch: images and labels; BatchNorms normalize by these images.

        Returns:
            Accuracy in [0, 1].
        """
        return self._hits(architecture, *minibatch) / len(minibatch[1])

    def validation_accuracy(self, architecture: Architecture) -> float:
        """Compute the accuracy of an architecture on all validation images, in parts of about a minibatch.

        Sizes of parts differ by one at most, and none is of one image where minibatches are of more: BatchNorms normalize
        by the images of a part, and few give poor statistics.

        Args:
            architecture: an architecture of the super-network's space.

        Returns:
            Accuracy in [0, 1].
        """
        images = len(self.validation)
        parts = min(-(-images // self.minibatch_size), max(1, images // min(2, self.minibatch_size)))
        return sum(self._hits(architecture, *batch) for batch in self.validation.parts(parts)) / images

    def _mean(self, losses: list[Tensor], learning_rate: float) -> float:
        """Return the mean loss of an epoch from the sums of its batches."""
        loss = float(sum(torch.stack(losses).tolist())) / len(self.images)
        if not math.isfinite(loss):
            raise SharedWeightsDiverged(
                f"the shared weights diverged (their training loss is {loss}); "
                f"lower the strategy's learning rate, {learning_rate:g} here"
            )
        return loss

    def _step(self, images: Tensor, labels: Tensor, architecture: Architecture, learning_rate: float) -> Tensor:
        """Train on one batch. Return the mean loss, detached."""
        with autocast(self.protocol, images.device):
            logits = self.network(images, architecture)
        return self._descend(logits, labels, learning_rate)

    def _descend(self, logits: Tensor, labels: Tensor, learning_rate: float) -> Tensor:
        """Update the shared weights by the loss of some logits. Return the mean loss, detached."""
        loss = self._cross_entropy(logits, labels)
        self._optimizer.clear()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.protocol.clip_norm:
            nn.utils.clip_grad_norm_(self._optimizer.weights, self.protocol.clip_norm)
        self._optimizer.step(learning_rate)
        return loss.detach()

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss in nats, computed in float32, or in float64 for such logits."""
        exact = logits if logits.dtype == torch.float64 else logits.float()
        return functional.cross_entropy(exact, labels, label_smoothing=self.protocol.label_smoothing)

    def _path_logits(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Compute the logits of an architecture for scoring."""
        logits: Tensor = self.network(images, architecture)
        return logits

    @torch.inference_mode()
    def _hits(self, architecture: Architecture, images: Tensor, labels: Tensor) -> int:
        self.network.eval()
        with autocast(self.protocol, images.device):
            logits = self._path_logits(images, architecture)
        return int((logits.argmax(1) == labels).sum())


def cosine_restarts(epochs: int, highest: float, lowest: float, first: int, factor: int) -> list[float]:
    """Return learning rates that fall along half a cosine in each of several periods (cosine annealing with restarts).

    Args:
        epochs: number of epochs, >= 1.
        highest: learning rate of the first epoch of each period, > 0.
        lowest: learning rate in which a period would end if it had one more epoch, in [0, highest].
        first: number of epochs of the first period, >= 1.
        factor: number of epochs of each period, divided by that of the period before, >= 1.

    Returns:
        One learning rate per epoch.

    Source: Loshchilov and Hutter 2017 (1608.03983), with one rate per epoch as in ENAS's released code.
    """
    rates: list[float] = []
    period = first
    while len(rates) < epochs:
        rates += [
            lowest + 0.5 * (highest - lowest) * (1 + math.cos(math.pi * epoch / period)) for epoch in range(period)
        ]
        period *= factor
    return rates[:epochs]
