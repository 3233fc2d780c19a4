"""Layers of super-networks that read any subset of several feature maps; each map has its own slice of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.convolutions import convolve
from nasbench.networks.dropout import Dropout


class Chosen(NamedTuple):
    """The feature maps that a path uses, among all that a super-network may have at one point.

    `maps`: each [batch, channels, height, width], in rising order of their slots. `slots`: index of each among all
    maps.
    """

    maps: Sequence[Tensor]
    slots: tuple[int, ...]

    @property
    def stacked(self) -> Tensor:
        """The maps concatenated along channels."""
        return self.maps[0] if len(self.maps) == 1 else torch.cat(list(self.maps), 1)


class SlotConv2d(nn.Module):
    """A 1x1 convolution without bias, of the concatenation of any of several feature maps.

    Each map has its own weights, so only the weights of the chosen maps are used and get gradients. Initial weights are
    distributed as in `convolutions.ValidConv2d`, whose variance does not depend on the number of inputs.

    Args:
        slots: largest number of feature maps.
        width: channels of each feature map.
        outputs: output channels.
        stride: stride of both axes.
    """

    def __init__(self, slots: int, width: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.slices = nn.ParameterList(torch.empty(outputs, width, 1, 1) for _ in range(slots))
        for weight in self.slices:
            nn.init.normal_(weight, std=math.sqrt(2 / outputs))
        self.stride = stride

    def weight_of(self, slots: tuple[int, ...]) -> Tensor:
        """Return the weights for some of the maps.

        Args:
            slots: indices of these maps.

        Returns:
            [outputs, maps x width, 1, 1].
        """
        return torch.cat([self.slices[slot] for slot in slots], 1)

    def forward(self, images: Tensor, slots: tuple[int, ...]) -> Tensor:
        """Convolve some of the maps.

        Args:
            images: their concatenation, [batch, maps x width, height, width].
            slots: their indices.

        Returns:
            [batch, outputs, ceil(height / stride), ceil(width / stride)].
        """
        return convolve(images, self.weight_of(slots), (self.stride, self.stride))


class SlotProjection(nn.Module):
    """ReLU, 1x1 convolution and BatchNorm, of any of several feature maps.

    Args:
        slots: largest number of feature maps.
        width: channels of each feature map.
        outputs: output channels.
    """

    def __init__(self, slots: int, width: int, outputs: int) -> None:
        super().__init__()
        self.convolution = SlotConv2d(slots, width, outputs)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, chosen: Chosen) -> Tensor:
        """Project the chosen feature maps to one: ReLU, 1x1 convolution of their concatenation, BatchNorm.

        Args:
            chosen: the feature maps, each [batch, channels, height, width], and their slots.

        Returns:
            [batch, outputs, height, width].
        """
        projected: Tensor = self.norm(self.convolution(F.relu(chosen.stacked), chosen.slots))
        return projected


class SlotReduction(nn.Module):
    """ReLU and `convolutions.FactorizedReduction`, of any of several feature maps.

    Args:
        slots: largest number of feature maps.
        width: channels of each feature map.
        outputs: output channels.
    """

    def __init__(self, slots: int, width: int, outputs: int) -> None:
        super().__init__()
        self.straight = SlotConv2d(slots, width, outputs // 2, 2) if outputs > 1 else None
        self.shifted = SlotConv2d(slots, width, outputs - outputs // 2, 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, chosen: Chosen) -> Tensor:
        """Project the chosen feature maps to one of half the height and width: ReLU, convolutions, BatchNorm.

        Args:
            chosen: the feature maps, each [batch, channels, height, width], and their slots.

        Returns:
            [batch, outputs, ceil(height / 2), ceil(width / 2)].
        """
        images = F.relu(chosen.stacked)
        down, right = images.shape[2] % 2, images.shape[3] % 2
        reduced = self.shifted(F.pad(images[:, :, 1:, 1:], (0, right, 0, down)), chosen.slots)
        if self.straight is not None:
            reduced = torch.cat((self.straight(images, chosen.slots), reduced), 1)
        normed: Tensor = self.norm(reduced)
        return normed


class SlotClassifier(nn.Module):
    """ReLU, global average pooling, dropout and a fully connected layer, of any of several feature maps.

    Initial weights are distributed as in `convolutions.Classifier`.

    Args:
        slots: largest number of feature maps.
        width: channels of each feature map.
        classes: number of classes.
        dropout: probability in [0, 1) of zeroing a channel's mean in training.
    """

    def __init__(self, slots: int, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.slices = nn.ParameterList(torch.empty(classes, width) for _ in range(slots))
        for weight in self.slices:
            nn.init.normal_(weight, std=0.01)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.dropout = Dropout(dropout)

    def weight_of(self, slots: tuple[int, ...]) -> Tensor:
        """Return the weights for some of the maps.

        Args:
            slots: indices of these maps.

        Returns:
            [classes, maps x width].
        """
        return torch.cat([self.slices[slot] for slot in slots], 1)

    def forward(self, chosen: Chosen) -> Tensor:
        """Classify images by the means of the chosen feature maps over their positions.

        Args:
            chosen: the feature maps, each [batch, channels, height, width], and their slots.

        Returns:
            Logits, [batch, classes].
        """
        means = self.dropout(F.relu(chosen.stacked).mean((2, 3)))
        return F.linear(means, self.weight_of(chosen.slots), self.bias)


def use_batch_statistics(network: nn.Module) -> None:
    """Let every BatchNorm normalize by the current batch, in evaluation mode too, without running statistics.

    Running statistics of a shared layer would average over all paths through it, and fit none of them.

    Args:
        network: the network; it is changed.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
