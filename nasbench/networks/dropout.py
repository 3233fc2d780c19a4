"""Dropout by uniform draws, whose masks are the same on every processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zeroes each value with a probability and scales the others up, in training only.

    Args:
        probability: of zeroing a value, in [0, 1).

    Deviation: torch's own `nn.Dropout` draws by `bernoulli_`, whose CPU code in several releases of torch is MKL's on Intel's processors and
    torch's on others, so that one seed could give two masks (with torch 2.14.1 an emulated Intel processor gave the same). Uniform
    numbers come from one generator everywhere.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: Tensor) -> Tensor:
        """Map a tensor of any shape to the same shape."""
        if not self.training or self.probability == 0.0:
            return values
        kept = torch.rand(values.shape, device=values.device) >= self.probability  # float32 also under autocast
        return values * kept / (1.0 - self.probability)

    def extra_repr(self) -> str:
        """Return the text that `print` shows."""
        return f"probability={self.probability}"
