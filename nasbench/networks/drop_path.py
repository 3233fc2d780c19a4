"""Drop-path: dropping whole paths of a network at random, with one random decision per example of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Zeroes a path for some examples of a batch, and divides it by the probability of keeping it for the others.

    In training only; in evaluation it does nothing.

    Args:
        final_keep: probability in (0, 1] of keeping a path at the end of training; it falls linearly from 1.

    Source: NASNet's released code ("scheduled drop path"). In its version 3, the default, the probability falls
    linearly with training and with depth; `Regularization.keep_in_cell` gives `final_keep` for the depth of a cell.
    """

    def __init__(self, final_keep: float) -> None:
        super().__init__()
        self.final_keep = final_keep
        self.keep = 1.0
        self._keep_there: Tensor | None = None  # on CUDA, where a recorded graph reads the probability from the device

    def set_progress(self, progress: float) -> None:
        """Set the probability of keeping a path, for a point in training.

        Args:
            progress: share of the training that is done, in [0, 1].
        """
        self.keep = 1.0 - progress * (1.0 - self.final_keep)
        if self._keep_there is not None:
            self._keep_there.fill_(self.keep)

    def forward(self, path: Tensor) -> Tensor:
        """Drop the path of some examples in training, and scale the others by 1 / keep; do nothing in evaluation.

        Args:
            path: [batch, channels, height, width].

        Returns:
            A tensor of the same shape.
        """
        if not self.training or self.keep >= 1.0:
            return path
        if path.is_cuda:
            return self._forward_on_device(path)
        # Not bernoulli_, whose draws could depend on the processor's maker; see nasbench.networks.dropout.
        kept = (torch.rand((path.shape[0], 1, 1, 1), device=path.device) < self.keep).to(path.dtype)
        return path * kept.div_(self.keep)

    def _forward_on_device(self, path: Tensor) -> Tensor:
        if self._keep_there is None or self._keep_there.device != path.device:
            self._keep_there = torch.full((), self.keep, device=path.device)
        drawn = torch.rand((path.shape[0], 1, 1, 1), device=path.device)
        kept = (drawn < self._keep_there).to(path.dtype)
        return path * kept.div_(self._keep_there)
