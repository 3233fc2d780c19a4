"""NASWOT: how differently the ReLUs of an untrained network react to the images of a minibatch."""

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
    """Counts, for each two images of a minibatch, the units of all ReLUs that are active for both or for neither.

    Use it as a context manager around the network's forward pass. It sees calls of ReLU, not modules: in-place ReLUs
    and ReLUs called as functions count like `nn.ReLU` modules.

    Args:
        images: number of images of the minibatch, b.
        device: device on which the network computes.

    Attributes:
        total: the counts, float64 [b, b]; they are whole numbers, so the order of sums does not change them.
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
        """Count a ReLU's input before the ReLU runs, because it may run in place."""
        named = kwargs or {}
        if func in RECTIFIERS:
            self._add(args[0] if args else named["input"])
        return func(*args, **named)

    def _add(self, inputs: Tensor) -> None:
        # With x the binary activations of D units, (1 - x)(1 - x)^T = D - |x_i| - |x_j| + x x^T, which takes one
        # product instead of two. Float32 is exact for whole numbers up to 2^24, so for layers of up to 17 million
        # units.
        active = (inputs > 0).flatten(1).float()
        both, each = active @ active.T, active.sum(1)
        self.total += 2 * both + (active.shape[1] - each[:, None] - each[None, :])


def naswot(scoring_input: ScoringInput) -> float:
    """Compute the NASWOT score: log |det K|, where K counts on how many units of all ReLUs two images agree.

    K is the sum over all ReLUs of x x^T + (1 - x)(1 - x)^T, where x are the binary activations [images, units].
    BatchNorm uses the minibatch's statistics.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score; minus infinity if K is singular, e.g. if all ReLUs react alike to two images.

    Source: Mellor et al. 2020 (2006.04647), equations 1 and 2, and the released code, which adds K over layers.
    Deviation: for a singular K, that code gives minus infinity or, by rounding, any small number. It leaves out ReLUs
    on which the output does not depend; here all ReLUs that run are counted, and our networks run hardly any others.
    """
    images, _ = minibatch(scoring_input)
    with untrained(scoring_input) as network, torch.no_grad():
        with ActivationKernel(len(images), images.device) as kernel:
            network(images)
        return log_determinant(kernel.total.cpu())


def log_determinant(kernel: Tensor) -> float:
    """Compute log |det K| of a positive semidefinite matrix.

    Args:
        kernel: K, float64 [b, b].

    Returns:
        The logarithm; minus infinity if the rank of K is below b in float64 precision.
    """
    if int(torch.linalg.matrix_rank(kernel, hermitian=True)) < len(kernel):
        return -math.inf
    return float(torch.linalg.slogdet(kernel).logabsdet)
