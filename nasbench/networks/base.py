"""Base class of all networks of the suite: what the training loop calls."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """A classifier: `forward` maps images [batch, channels, height, width] to logits [batch, classes]."""

    def set_progress(self, progress: float) -> None:
        """Set how much of the training is done, for schedules such as that of drop-path. Called before each step.

        Args:
            progress: share of the training, in [0, 1].
        """

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute the logits and those of the auxiliary head.

        Args:
            images: [batch, channels, height, width].

        Returns:
            Logits [batch, classes], and the auxiliary head's logits of the same shape, or None without such a head.
        """
        return self(images), None
