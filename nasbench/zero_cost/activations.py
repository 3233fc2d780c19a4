"""NASWOT: how differently the rectifiers of an untrained network see the images of a minibatch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import minibatch, untrained

RECTIFIERS = frozenset({functional.relu, functional.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_})


class ActivationKernel(TorchFunctionMode):
    """Adds up, over every ReLU called within its block, how many units each two images agree on.

    It sees calls, not modules: ReLUs in place and ReLUs called as functions count like `nn.ReLU` modules.

    Args:
        images: b, the size of the minibatch.
        device: device on which the network computes.

    Attributes:
        total: float64 [b, b]; whole numbers, so they do not depend on the order of sums.
    """

    def __init__(self, images: int, device: torch.device) -> None:
        super().__init__()
        self.total = torch.zeros(images, images, dtype=torch.float64, device=device)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Look at a ReLU's input before it runs, because it may run in place."""
        named = kwargs or {}
        if func in RECTIFIERS:
            self._add(args[0] if args else named["input"])
        return func(*args, **named)

    def _add(self, inputs: Tensor) -> None:
        # With x the binary activations of D units, (1 - x)(1 - x)^T = D - |x_i| - |x_j| + x x^T: one product instead of two. Whole
        # numbers up to D are exact in float32 to D = 2^24, 17 million units of one layer.
        active = (inputs > 0).flatten(1).float()
        both, each = active @ active.T, active.sum(1)
        self.total += 2 * both + (active.shape[1] - each[:, None] - each[None, :])


def naswot(scoring_input: ScoringInput) -> float:
    """log |det K|, K = sum over all ReLUs of x x^T + (1 - x)(1 - x)^T, x the binary activations [images, units].

    BatchNorm uses the minibatch's statistics. Minus infinity where K is singular, e.g. where all ReLUs see two images alike.

    Source: Mellor et al. 2020 (2006.04647), equations 1 and 2 and the released code, which adds K over layers.
    Deviation: for a singular K that code gives minus infinity or, by rounding, any small number. It leaves out ReLUs that the output does not depend on; here
        all count that run, and our networks hardly run others.
    """
    images, _ = minibatch(scoring_input)
    with untrained(scoring_input) as network, torch.no_grad():
        with ActivationKernel(len(images), images.device) as kernel:
            network(images)
        return log_determinant(kernel.total.cpu())


def log_determinant(kernel: Tensor) -> float:
    """log |det K| of a positive semidefinite float64 [b, b]; minus infinity where its rank is below b to float64 precision."""
    if int(torch.linalg.matrix_rank(kernel, hermitian=True)) < len(kernel):
        return -math.inf
    return float(torch.linalg.slogdet(kernel).logabsdet)
