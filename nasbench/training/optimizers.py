"""Optimizers by the names that protocols use; a learning rate is given with each step.

They do not derive from torch's `Optimizer`: making one imports torch's compiler, a second and 100 MB a process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn


class OptimizerSettings(Protocol):
    """Optimizer settings of a protocol; see `nasbench.protocols.protocol.Protocol` for units and ranges."""

    @property
    def optimizer(self) -> Literal["sgd", "nesterov", "rmsprop"]:
        """Its name."""

    @property
    def momentum(self) -> float:
        """Momentum, also of rmsprop's update."""

    @property
    def rmsprop_decay(self) -> float:
        """Decay of rmsprop's mean square."""

    @property
    def rmsprop_epsilon(self) -> float:
        """Epsilon of rmsprop, inside the root."""

    @property
    def weight_decay(self) -> float:
        """L2 penalty."""


class Optimizer(ABC):
    """Changes weights by their gradients. Weights whose gradient was None at the first step are left alone for good.

    Args:
        weights: the tensors to optimize.
    """

    moments: ClassVar[tuple[str, ...]]  # attributes with one tensor for each weight in use

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self.weights: list[Tensor] = list(weights)
        self._used: list[Tensor] = []

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One update at this learning rate."""
        if not self._used:
            self._used = [weight for weight in self.weights if weight.grad is not None]
        self._update(self._used, [_gradient(weight) for weight in self._used], learning_rate)

    def clear(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.grad = None

    def state(self) -> dict[str, list[Any]]:
        """State to resume from: indices of the weights in use, and their moments (not copied)."""
        used = {id(weight) for weight in self._used}
        indices = [index for index, weight in enumerate(self.weights) if id(weight) in used]
        return {"used": indices, **{name: list(getattr(self, name)) for name in self.moments}}

    def restore(self, state: dict[str, list[Any]]) -> None:
        """Go on from what `state` gave for the same weights; the moments become this optimizer's own."""
        self._used = [self.weights[index] for index in state["used"]]
        for name in self.moments:
            # Memory formats are kept as the weights have them: the fused kernels need equal strides.
            setattr(self, name, [torch.empty_like(w).copy_(m) for w, m in zip(self._used, state[name])])

    @abstractmethod
    def _update(self, weights: list[Tensor], gradients: list[Tensor], learning_rate: float) -> None:
        """Change the weights in place; the gradients may be overwritten."""


def _gradient(weight: Tensor) -> Tensor:
    return weight.grad if weight.grad is not None else torch.zeros_like(weight)


def make_optimizer(protocol: OptimizerSettings, weights: Iterable[nn.Parameter]) -> Optimizer:
    """The protocol's optimizer."""
    if protocol.optimizer == "rmsprop":
        return RMSProp(
            weights,
            decay=protocol.rmsprop_decay,
            momentum=protocol.momentum,
            epsilon=protocol.rmsprop_epsilon,
            weight_decay=protocol.weight_decay,
        )
    kind = Nesterov if protocol.optimizer == "nesterov" else SGD
    return kind(weights, momentum=protocol.momentum, weight_decay=protocol.weight_decay)


class SGD(Optimizer):
    """Gradient descent with momentum: g = g + wd w; m = mu m + g; w = w - lr m, in one fused kernel.

    Source: Sutskever et al. 2013 in the form of torch's SGD, whose results these are.
    """

    nesterov = False
    moments = ("_velocities",)

    def __init__(self, weights: Iterable[nn.Parameter], *, momentum: float, weight_decay: float) -> None:
        super().__init__(weights)
        self._momentum, self._weight_decay = momentum, weight_decay
        self._velocities: list[Tensor] = []

    def _update(self, weights: list[Tensor], gradients: list[Tensor], learning_rate: float) -> None:
        first = not self._velocities
        if first:
            self._velocities = [torch.zeros_like(weight) for weight in weights]
        torch._fused_sgd_(
            weights,
            gradients,
            self._velocities if self._momentum else [],
            weight_decay=self._weight_decay,
            momentum=self._momentum,
            lr=learning_rate,
            dampening=0.0,
            nesterov=self.nesterov and self._momentum > 0,
            maximize=False,
            is_first_step=first,
        )


class Nesterov(SGD):
    """As `SGD`, with w = w - lr (g + mu m)."""

    nesterov = True


class RMSProp(Optimizer):
    """RMSProp as TensorFlow has it: s = d s + (1 - d) g^2; m = mu m + lr g / sqrt(s + eps); w = w - m; s starts at 1.

    Source: the optimizer of NASNet's released ImageNet settings (1707.07012), decay 0.9, epsilon 1.0.
    Deviation: from torch's RMSprop, which adds epsilon outside the root, starts s at 0 and applies the learning rate after the
    momentum. Weight decay is L2, added to the gradient.
    """

    moments = ("_squares", "_velocities")

    def __init__(
        self, weights: Iterable[nn.Parameter], *, decay: float, momentum: float, epsilon: float, weight_decay: float
    ) -> None:
        super().__init__(weights)
        self._decay, self._momentum, self._epsilon, self._weight_decay = decay, momentum, epsilon, weight_decay
        self._squares: list[Tensor] = []
        self._velocities: list[Tensor] = []

    def _update(self, weights: list[Tensor], gradients: list[Tensor], learning_rate: float) -> None:
        if not self._squares:
            self._squares = [torch.ones_like(weight) for weight in weights]
            self._velocities = [torch.zeros_like(weight) for weight in weights]
        if self._weight_decay:
            torch._foreach_add_(gradients, weights, alpha=self._weight_decay)
        torch._foreach_mul_(self._squares, self._decay)
        torch._foreach_addcmul_(self._squares, gradients, gradients, value=1 - self._decay)
        roots = torch._foreach_add(self._squares, self._epsilon)
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(self._velocities, self._momentum)
        torch._foreach_addcdiv_(self._velocities, gradients, roots, value=learning_rate)
        torch._foreach_add_(weights, self._velocities, alpha=-1)
