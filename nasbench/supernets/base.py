"""The base class of super-networks: one network that holds the weights of every architecture of a space."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from nasbench.spaces.base import Architecture


class SuperNetwork(nn.Module, ABC):
    """A classifier in which an architecture is a path; paths share the weights of the parts they have in common.

    Only the parts on the path are run and get gradients. BatchNorms always normalize by the current batch, also in evaluation.
    """

    @abstractmethod
    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Map images [batch, channels, height, width] to logits [batch, classes] along the path of an architecture."""
