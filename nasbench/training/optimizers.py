"""The optimizers of the protocols. Each step takes its learning rate as an argument.

They do not derive from `torch.optim.Optimizer`, whose first use imports torch's compiler: one second and 100 MB per
process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn


class OptimizerSettings(Protocol):
    """The fields of a protocol that an optimizer needs; `nasbench.protocols.protocol.Protocol` gives their ranges."""

    @property
    def optimizer(self) -> Literal["sgd", "nesterov", "rmsprop"]:
        """Name of the optimizer."""

    @property
    def momentum(self) -> float:
        """Momentum."""

    @property
    def rmsprop_decay(self) -> float:
        """Decay of RMSProp's moving average of squared gradients."""

    @property
    def rmsprop_epsilon(self) -> float:
        """Epsilon of RMSProp, added inside the square root."""

    @property
    def weight_decay(self) -> float:
        """Factor of the L2 penalty."""


class Optimizer(ABC):
    """Base class: changes weights by their gradients.

    A weight whose gradient is None at the first step is never changed.

    Args:
        weights: the weights to optimize.
    """

    moments: ClassVar[tuple[str, ...]]  # names of the attributes that hold one tensor per weight in use

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self.weights: list[Tensor] = list(weights)
        self._used: list[Tensor] = []

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Update the weights in place by their gradients.

        Args:
            learning_rate: learning rate of this step, >= 0.
        """
        if not self._used:
            self._used = [weight for weight in self.weights if weight.grad is not None]
        self._update(self._used, [_gradient(weight) for weight in self._used], learning_rate)

    def clear(self) -> None:
        """Set all gradients to None."""
        for weight in self.weights:
            weight.grad = None

    def state(self) -> dict[str, list[Any]]:
        """Return the state that `restore` continues from.

        Returns:
            "used": indices of the weights in use; and, for each name in `moments`, one tensor per weight in use. The
            tensors are not copied.
        """
        used = {id(weight) for weight in self._used}
        indices = [index for index, weight in enumerate(self.weights) if id(weight) in used]
        return {"used": indices, **{name: list(getattr(self, name)) for name in self.moments}}

    def restore(self, state: dict[str, list[Any]]) -> None:
        """Continue from a state; its tensors are copied.

        Args:
            state: result of `state` of an optimizer of the same class and the same weights.
        """
        self._used = [self.weights[index] for index in state["used"]]
        for name in self.moments:
            # In the weights' memory formats, because the fused kernels need equal strides.
            setattr(self, name, [torch.empty_like(w).copy_(m) for w, m in zip(self._used, state[name])])

    @abstractmethod
    def _update(self, weights: list[Tensor], gradients: list[Tensor], learning_rate: float) -> None:
        """Change the weights in place; the gradients may be overwritten."""


def _gradient(weight: Tensor) -> Tensor:
    return weight.grad if weight.grad is not None else torch.zeros_like(weight)


def make_optimizer(
    protocol: OptimizerSettings, weights: Iterable[nn.Parameter], kernels: Literal["fast", "portable"] = "fast"
) -> Optimizer:
    """Make the optimizer that a protocol names.

    Args:
        protocol: optimizer settings.
        weights: the weights to optimize.
        kernels: those of the training; with "portable", each square root is rounded correctly.

    Returns:
        An `SGD`, `Nesterov` or `RMSProp`.
    """
    if protocol.optimizer == "rmsprop":
        return RMSProp(
            weights,
            decay=protocol.rmsprop_decay,
            momentum=protocol.momentum,
            epsilon=protocol.rmsprop_epsilon,
            weight_decay=protocol.weight_decay,
            exact_roots=kernels == "portable",
        )
    kind = Nesterov if protocol.optimizer == "nesterov" else SGD
    return kind(weights, momentum=protocol.momentum, weight_decay=protocol.weight_decay)


class SGD(Optimizer):
    """Gradient descent with momentum: g <- g + wd w; m <- mu m + g; w <- w - lr m, in one fused kernel.

    Args:
        weights: the weights w to optimize.
        momentum: mu, in [0, 1).
        weight_decay: wd, >= 0.

    Source: Sutskever et al. 2013, in the form of `torch.optim.SGD`, with the same results.
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
    """Gradient descent with Nesterov momentum: as `SGD`, but w <- w - lr (g + mu m)."""

    nesterov = True


class RMSProp(Optimizer):
    """RMSProp of TensorFlow: s <- d s + (1 - d) g^2; m <- mu m + lr g / sqrt(s + eps); w <- w - m, where s starts at 1.

    `torch.optim.RMSprop` differs: it adds epsilon outside the root, starts s at 0 and multiplies by the learning rate
    after the momentum.

    Args:
        weights: the weights w to optimize.
        decay: d, in [0, 1).
        momentum: mu, in [0, 1).
        epsilon: eps, > 0.
        weight_decay: factor of the L2 penalty, whose gradient is added to g; >= 0.
        exact_roots: whether square roots are rounded correctly, see `replace_by_roots`.

    Source: the optimizer of NASNet's released ImageNet settings (arXiv 1707.07012), with d = 0.9 and eps = 1.0.
    """

    moments = ("_squares", "_velocities")

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        *,
        decay: float,
        momentum: float,
        epsilon: float,
        weight_decay: float,
        exact_roots: bool = False,
    ) -> None:
        super().__init__(weights)
        self._exact_roots = exact_roots
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
        if self._exact_roots:
            replace_by_roots(roots)
        else:
            torch._foreach_sqrt_(roots)
        torch._foreach_mul_(self._velocities, self._momentum)
        torch._foreach_addcdiv_(self._velocities, gradients, roots, value=learning_rate)
        torch._foreach_add_(weights, self._velocities, alpha=-1)


class Adam(Optimizer):
    """Adam with an L2 penalty: g <- g + wd w; m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; and, in step t,
    w <- w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps).

    Square roots are rounded correctly (`replace_by_roots`), so that the same gradients give the same weights on every
    processor.

    Args:
        weights: the weights w to optimize.
        decays: b1 and b2, each in [0, 1).
        weight_decay: wd, >= 0.
        epsilon: eps, > 0.

    Source: Kingma & Ba 2015 (1412.6980), in the form of `torch.optim.Adam`, with the same results up to rounding.
    """

    moments = ("_means", "_squares")

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        *,
        decays: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(weights)
        self._decays, self._weight_decay, self._epsilon = decays, weight_decay, epsilon
        self._means: list[Tensor] = []
        self._squares: list[Tensor] = []
        self._steps = 0

    def state(self) -> dict[str, list[Any]]:
        """Return the state that `restore` continues from; see `Optimizer.state`. "steps" is the number of steps."""
        return {**super().state(), "steps": [self._steps]}

    def restore(self, state: dict[str, list[Any]]) -> None:
        """Continue from a state; see `Optimizer.restore`."""
        super().restore(state)
        (self._steps,) = state["steps"]

    def _update(self, weights: list[Tensor], gradients: list[Tensor], learning_rate: float) -> None:
        if not self._means:
            self._means = [torch.zeros_like(weight) for weight in weights]
            self._squares = [torch.zeros_like(weight) for weight in weights]
        self._steps += 1
        first, second = self._decays
        if self._weight_decay:
            gradients = list(torch._foreach_add(gradients, weights, alpha=self._weight_decay))
        torch._foreach_lerp_(self._means, gradients, 1 - first)
        torch._foreach_mul_(self._squares, second)
        torch._foreach_addcmul_(self._squares, gradients, gradients, value=1 - second)
        roots = [square.clone() for square in self._squares]
        replace_by_roots(roots)
        torch._foreach_div_(roots, (1 - second**self._steps) ** 0.5)
        torch._foreach_add_(roots, self._epsilon)
        torch._foreach_addcdiv_(weights, self._means, roots, value=-learning_rate / (1 - first**self._steps))


def replace_by_roots(values: Iterable[Tensor]) -> None:
    """Replace values by their square roots, which are rounded correctly on the CPU.

    There, `torch.sqrt` is a function of MKL that begins with an estimate of the processor. Intel's and AMD's estimates
    differ, and with them the last bit of some 10% of the roots, also with the settings of portable kernels.

    Args:
        values: float32 or float64 tensors that need no gradient, all values >= 0; changed in place.
    """
    for each in values:
        if each.device.type == "cpu":
            array = each.numpy()
            np.sqrt(array, out=array)
        else:
            each.sqrt_()
