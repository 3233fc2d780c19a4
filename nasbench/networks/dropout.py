"""Dropout with uniform random numbers, so that its masks are the same on every processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes each value with a probability, and divides the others by 1 minus it, in training only.

    Args:
        probability: probability of zeroing a value, in [0, 1).

    Deviation: torch's `nn.Dropout` draws with `bernoulli_`. In several releases of torch, its CPU code is MKL's on
    Intel's processors and torch's own on others, so one seed could give two masks (with torch 2.14.1, an emulated Intel
    processor gave the same mask). Uniform numbers come from the same generator on every processor.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Set random values to 0 in training, and scale the others; do nothing in evaluation.

        Args:
            values: a tensor of any shape.

        Returns:
            A tensor of the same shape.
        """
        if not self.training or self.probability == 0.0:
            return values
        kept = torch.rand(values.shape, device=values.device) >= self.probability  # float32 also under autocast
        return values * kept / (1.0 - self.probability)

    def extra_repr(self) -> str:
        """Return the text that `print` shows."""
        return f"probability={self.probability}"
