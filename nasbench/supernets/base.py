"""Base class of super-networks: one network with the weights of all architectures of a space."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from nasbench.spaces.base import Architecture


class SuperNetwork(nn.Module, ABC):
    """A classifier in which each architecture of a space is a path; paths share the weights of common parts.

    Only the parts on the path of an architecture are computed and get gradients. BatchNorms normalize by the current
    batch, in evaluation mode too.
    """

    @abstractmethod
    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Compute the logits of an architecture.

        Args:
            images: [batch, channels, height, width].
            architecture: an architecture of the super-network's space.

        Returns:
            Logits [batch, classes].
        """
