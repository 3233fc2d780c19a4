"""The auxiliary classifier that hands gradient to the middle of a deep cell network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.cell_counts import auxiliary_size
from nasbench.networks.convolutions import ValidConv2d, convolution_bn


class AuxiliaryHead(nn.Module):
    """ReLU, 5x5 average pool with stride 3, 1x1 convolution to 128, convolution over the whole map to 768, fully connected.

    Args:
        inputs: channels of the feature map.
        size: its height and width; below 5 the pool shrinks to it (Deviation, see `cell_counts.auxiliary_size`).
        classes: outputs.

    Source: NASNet's released code.
    """

    def __init__(self, inputs: int, size: int, classes: int) -> None:
        super().__init__()
        self.kernel, pooled = auxiliary_size(size)
        self.relu = nn.ReLU()
        self.project = nn.Sequential(*convolution_bn(inputs, 128, 1), nn.ReLU())
        self.whole = nn.Sequential(ValidConv2d(128, 768, pooled), nn.BatchNorm2d(768), nn.ReLU())
        self.linear = nn.Linear(768, classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, size, size] to logits [batch, classes]."""
        pooled = F.avg_pool2d(self.relu(images), self.kernel, 3)
        logits: Tensor = self.linear(self.whole(self.project(pooled)).flatten(1))
        return logits
