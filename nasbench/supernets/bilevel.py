"""Differentiable search: shared weights learn on training images, the weights of the mixture on validation images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.errors import InputError
from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture
from nasbench.supernets.mixed import MixedSuperNetwork, Mixture
from nasbench.supernets.training import Minibatch, PathSGD, SharedWeights
from nasbench.training.augmentation import ResidentImages, TrainingImages
from nasbench.training.loop import Seeds
from nasbench.training.optimizers import Adam
from nasbench.training.steps import autocast

Order = Literal[1, 2]
FINITE_DIFFERENCE = 0.01  # length of the step of weights in the finite difference of second order (paper and code)


class Logits(NamedTuple):
    """Parameters of a mixture, by choice.

    Attributes:
        choices: one vector per choice.
        edges: one vector per node, of the edges into it; () without weights of edges.
    """

    choices: Sequence[Tensor]
    edges: Sequence[Tensor]


class Relaxation(ABC):
    """How parameters become weights of a mixture."""

    normalizes_edges: bool = False
    """Whether the edges into a node have weights beside those of operations."""

    @abstractmethod
    def mixture(self, logits: Logits, progress: float) -> Mixture:
        """Make the mixture of one step; draws come from torch's global generator.

        Args:
            logits: the parameters; gradients reach them.
            progress: share of the epochs that are done, in [0, 1].

        Returns:
            The mixture.
        """

    def weights(self, logits: Tensor) -> Tensor:
        """Return the weights by which options are compared in the end.

        Args:
            logits: parameters of one choice.

        Returns:
            Positive weights with the sum 1.
        """
        return logits.softmax(0)

    def penalty(self, logits: Logits) -> Tensor | None:
        """Return what is added to the validation loss.

        Args:
            logits: the parameters.

        Returns:
            A scalar; None for nothing.
        """
        return None


@dataclass(frozen=True)
class ArchitectureSettings:
    """How the parameters of a mixture learn.

    Args:
        learning_rate: rate of Adam, with decay rates 0.5 and 0.999.
        weight_decay: factor of the L2 penalty.
        order: 1 for the gradient at the present weights, 2 for that after one step of the weights.
        weights_first: whether a step of the weights comes before that of the parameters.
    """

    learning_rate: float
    weight_decay: float
    order: Order = 1
    weights_first: bool = False


class Bilevel(SharedWeights):
    """Trains a super-network and the parameters of its mixture in turns. Use it within `training.loop.reproducible`.

    Args:
        network: the super-network, on the images' device.
        images: training images, for the weights.
        validation: validation images, for the parameters.
        protocol: see `SharedWeights`.
        seeds: see `SharedWeights`; `noise` decides draws of the relaxation, too.
        minibatch_size: validation images of a step of the parameters.
        relaxation: makes weights of the parameters.
        settings: how the parameters learn.

    Attributes:
        parameters: all parameters in one vector on the CPU, which start normal with standard deviation 0.001, drawn from
            torch's global generator.
        history: weights of each choice (`Relaxation.weights`) after each epoch.
    """

    network: MixedSuperNetwork

    def __init__(
        self,
        network: MixedSuperNetwork,
        images: TrainingImages,
        validation: ResidentImages,
        protocol: Protocol,
        seeds: Seeds,
        minibatch_size: int,
        relaxation: Relaxation,
        settings: ArchitectureSettings,
    ) -> None:
        if min(minibatch_size, len(validation)) < 2:
            raise InputError(
                f"an architecture is learned on batches of two validation images or more, not {min(minibatch_size, len(validation))}; "
                "give a larger batch_size or share of validation"
            )
        self._sizes = [len(labels) for labels in network.choices]
        self._edge_sizes = list(network.edge_sizes) if relaxation.normalizes_edges else []
        count = sum(self._sizes) + sum(self._edge_sizes)
        self.parameters = nn.Parameter(0.001 * torch.randn(count))  # before the generator gets the seed of the noise
        super().__init__(network, images, validation, protocol, seeds, minibatch_size, PathSGD)
        self.relaxation, self.settings = relaxation, settings
        self._adam = Adam([self.parameters], decays=(0.5, 0.999), weight_decay=settings.weight_decay)
        self.history: list[list[NDArray[np.float64]]] = []

    def bilevel_epoch(self, learning_rate: float, progress: float, learns: bool = True) -> float:
        """Train for one pass over the training images.

        Args:
            learning_rate: learning rate of the weights, > 0.
            progress: share of the epochs that are done, in [0, 1].
            learns: whether the parameters learn, too.

        Returns:
            Mean training loss over the images, in nats.

        Raises:
            SharedWeightsDiverged: when it is infinite or NaN.
        """
        self.network.train()
        losses = []
        for batch in self.images.epoch(self._generator):
            if learns and not self.settings.weights_first:
                self._learn(batch, learning_rate, progress)
            logits = self._logits(batch[0], self.mixture(progress, learns=False))
            losses.append(self._descend(logits, batch[1], learning_rate) * len(batch[1]))
            if learns and self.settings.weights_first:
                self._learn(batch, learning_rate, progress)
        loss = self._mean(losses, learning_rate)
        self.history.append(self.weights()[0])
        return loss

    def mixture(self, progress: float, learns: bool = True) -> Mixture:
        """Make the mixture of a step on the images' device.

        Args:
            progress: share of the epochs that are done, in [0, 1].
            learns: whether gradients reach the parameters.

        Returns:
            The mixture.
        """
        return self._placed(self.relaxation.mixture(self._split(learns), progress))

    def weights(self) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
        """Return the weights by which options are compared, of each choice and of the edges into each node."""
        with torch.no_grad():
            logits = self._split(False)
            choices = [self.relaxation.weights(each).double().numpy() for each in logits.choices]
            return choices, [each.softmax(0).double().numpy() for each in logits.edges]

    def gradient(self, training: Minibatch, validation: Minibatch, learning_rate: float, progress: float) -> Tensor:
        """Compute the gradient of the validation loss by the parameters.

        Args:
            training: training images and labels, for order 2.
            validation: validation images and labels.
            learning_rate: learning rate of the weights, for order 2.
            progress: share of the epochs that are done, in [0, 1].

        Returns:
            The gradient, of the shape of `parameters`. For order 1, the weights are taken as they are. For order 2, they
            are taken after one step on the training loss: minus the learning rate times a mixed second derivative, by
            finite differences.

        Source: Liu, Simonyan & Yang 2019 (1806.09055), equations 7 and 8, and the released code (architect.py).
        """
        if self.settings.order == 1:
            return self._by_parameters(self._validation_loss(validation, progress))
        weights = list(self._optimizer.weights)
        kept = [weight.detach().clone() for weight in weights]
        direct, of_weights = self._after_a_step(weights, training, validation, learning_rate, progress)
        length = FINITE_DIFFERENCE / torch.stack([each.norm() for each in of_weights]).norm()
        ends = []
        for sign in (1, -1):
            _set(weights, kept, of_weights, sign * length)
            ends.append(self._by_parameters(self._loss(training, self.mixture(progress))))
        _set(weights, kept, of_weights, torch.zeros_like(length))
        second: Tensor = (ends[0] - ends[1]) / (2 * length.cpu())
        return direct - learning_rate * second

    def _after_a_step(
        self, weights: list[Tensor], training: Minibatch, validation: Minibatch, learning_rate: float, progress: float
    ) -> tuple[Tensor, list[Tensor]]:
        """Move the weights by one step on the training loss; return the gradients of the validation loss there."""
        loss = self._loss(training, self.mixture(progress, learns=False))
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients):
                if gradient is not None:
                    weight -= learning_rate * self._optimizer.direction(weight, gradient)
        found = torch.autograd.grad(
            self._validation_loss(validation, progress), [self.parameters, *weights], allow_unused=True
        )
        direct, *of_weights = (
            torch.zeros_like(tensor) if gradient is None else gradient
            for tensor, gradient in zip([self.parameters, *weights], found)
        )
        return direct, of_weights

    def _by_parameters(self, loss: Tensor) -> Tensor:
        """Return the gradient of a loss; 0 if it does not depend on them, e.g. if "none" was drawn on every path."""
        (found,) = torch.autograd.grad(loss, [self.parameters], allow_unused=True)
        return torch.zeros_like(self.parameters) if found is None else found

    def _learn(self, training: Minibatch, learning_rate: float, progress: float) -> None:
        self.parameters.grad = self.gradient(training, self.minibatch(), learning_rate, progress)
        self._adam.step(self.settings.learning_rate)

    def _validation_loss(self, batch: Minibatch, progress: float) -> Tensor:
        loss = self._loss(batch, self.mixture(progress))
        penalty = self.relaxation.penalty(self._split(True))
        return loss if penalty is None else loss + penalty.to(loss.device)

    def _loss(self, batch: Minibatch, mixture: Mixture) -> Tensor:
        return self._cross_entropy(self._logits(batch[0], mixture), batch[1])

    def _logits(self, images: Tensor, mixture: Mixture) -> Tensor:
        with autocast(self.protocol, images.device):
            return self.network.mixed(images, mixture)

    def _split(self, learns: bool) -> Logits:
        parts = torch.split(self.parameters if learns else self.parameters.detach(), [*self._sizes, *self._edge_sizes])
        return Logits(parts[: len(self._sizes)], parts[len(self._sizes) :])

    def _placed(self, mixture: Mixture) -> Mixture:
        """Move a mixture to the images' device, in one copy."""
        device = self.validation.device
        if device.type == "cpu":
            return mixture
        given = [each.weights for each in mixture.choices if each.weights is not None] + list(mixture.edges or ())
        if not given:
            return mixture
        there = iter(torch.cat(given).to(device).split([len(each) for each in given]))  # type: ignore[no-untyped-call]
        choices = [each if each.weights is None else each._replace(weights=next(there)) for each in mixture.choices]
        return Mixture(choices, None if mixture.edges is None else list(there))

    def _path_logits(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Compute a path; where edges have weights, with these."""
        edges = [each.softmax(0) for each in self._split(False).edges]
        return self.network.mixed(images, self._placed(Mixture(self.network.path(architecture), edges or None)))


@torch.no_grad()
def _set(weights: Sequence[Tensor], start: Sequence[Tensor], direction: Sequence[Tensor], length: Tensor) -> None:
    """Set weights to a start plus a multiple of a direction."""
    for weight, kept, each in zip(weights, start, direction):
        weight.copy_(kept + length * each)
