"""Interface of every network of the suite to the training loop."""

from __future__ import annotations

from torch import Tensor, nn


class Network(nn.Module):
    """A classifier for images of shape [batch, channels, height, width]."""

    def set_progress(self, progress: float) -> None:
        """Tell the network how far training is, in [0, 1], for schedules such as drop-path's; called before each step."""

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits [batch, classes] and the auxiliary head's logits, or None where the network has no such head."""
        return self(images), None
