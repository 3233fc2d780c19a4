"""Layers of super-networks: their input is a choice of feature maps, with one weight slice per input feature map."""

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
    """The feature maps that a path uses, among those that a super-network has at one point.

    `maps`: each [batch, width, height, width of the image], in rising order of their slots. `slots`: which maps they are.
    """

    maps: Sequence[Tensor]
    slots: tuple[int, ...]

    @property
    def stacked(self) -> Tensor:
        """The maps concatenated along channels."""
        return self.maps[0] if len(self.maps) == 1 else torch.cat(list(self.maps), 1)


class SlotConv2d(nn.Module):
    """A 1x1 convolution without bias over the concatenation of any of `slots` maps.

    Each map has its own weights, so a choice of maps uses, and gives gradients to, only the weights of these maps. Initial
    weights are those of `convolutions.ValidConv2d`, whose variance does not depend on the number of inputs.

    Args:
        slots: largest number of feature maps.
        width: channels of each.
        outputs: output channels.
        stride: vertical and horizontal stride.
    """

    def __init__(self, slots: int, width: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.slices = nn.ParameterList(torch.empty(outputs, width, 1, 1) for _ in range(slots))
        for weight in self.slices:
            nn.init.normal_(weight, std=math.sqrt(2 / outputs))
        self.stride = stride

    def weight_of(self, slots: tuple[int, ...]) -> Tensor:
        """The weights for these maps, [outputs, maps x width, 1, 1]."""
        return torch.cat([self.slices[slot] for slot in slots], 1)

    def forward(self, images: Tensor, slots: tuple[int, ...]) -> Tensor:
        """Map the concatenation of the maps in `slots` to [batch, outputs, ceil(height / stride), ceil(width / stride)]."""
        return convolve(images, self.weight_of(slots), (self.stride, self.stride))


class SlotProjection(nn.Module):
    """ReLU, 1x1 convolution and BatchNorm of a choice of maps; arguments as for `SlotConv2d`."""

    def __init__(self, slots: int, width: int, outputs: int) -> None:
        super().__init__()
        self.convolution = SlotConv2d(slots, width, outputs)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, chosen: Chosen) -> Tensor:
        """Map the chosen maps to [batch, outputs, height, width]."""
        projected: Tensor = self.norm(self.convolution(F.relu(chosen.stacked), chosen.slots))
        return projected


class SlotReduction(nn.Module):
    """ReLU and `convolutions.FactorizedReduction` of a choice of maps; arguments as for `SlotConv2d`."""

    def __init__(self, slots: int, width: int, outputs: int) -> None:
        super().__init__()
        self.straight = SlotConv2d(slots, width, outputs // 2, 2) if outputs > 1 else None
        self.shifted = SlotConv2d(slots, width, outputs - outputs // 2, 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, chosen: Chosen) -> Tensor:
        """Map the chosen maps to [batch, outputs, ceil(height / 2), ceil(width / 2)]."""
        images = F.relu(chosen.stacked)
        down, right = images.shape[2] % 2, images.shape[3] % 2
        reduced = self.shifted(F.pad(images[:, :, 1:, 1:], (0, right, 0, down)), chosen.slots)
        if self.straight is not None:
            reduced = torch.cat((self.straight(images, chosen.slots), reduced), 1)
        normed: Tensor = self.norm(reduced)
        return normed


class SlotClassifier(nn.Module):
    """ReLU, global average pooling, dropout and a fully connected layer over a choice of maps.

    Args:
        slots: largest number of feature maps.
        width: channels of each.
        classes: outputs.
        dropout: probability in [0, 1) of zeroing a channel's mean in training.

    Initial weights are those of `convolutions.Classifier`.
    """

    def __init__(self, slots: int, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.slices = nn.ParameterList(torch.empty(classes, width) for _ in range(slots))
        for weight in self.slices:
            nn.init.normal_(weight, std=0.01)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.dropout = Dropout(dropout)

    def weight_of(self, slots: tuple[int, ...]) -> Tensor:
        """The weights for these maps, [classes, maps x width]."""
        return torch.cat([self.slices[slot] for slot in slots], 1)

    def forward(self, chosen: Chosen) -> Tensor:
        """Map the chosen maps to logits [batch, classes]."""
        means = self.dropout(F.relu(chosen.stacked).mean((2, 3)))
        return F.linear(means, self.weight_of(chosen.slots), self.bias)


def use_batch_statistics(network: nn.Module) -> None:
    """Set every BatchNorm to normalize by the current batch, in evaluation too, without running statistics.

    Averages over batches would mix the statistics of all paths that pass a shared layer, and fit none.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
