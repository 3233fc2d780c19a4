"""The auxiliary classifier, which gives the loss a short way to the middle of a deep cell network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.cell_counts import auxiliary_size
from nasbench.networks.convolutions import ValidConv2d, convolution_bn


class AuxiliaryHead(nn.Module):
    """ReLU, 5x5 average pool of stride 3, 1x1 convolution to 128 channels, convolution to 768, fully connected layer.

    The convolution to 768 channels covers the whole map, so one pixel is left.

    Args:
        inputs: channels of the feature map.
        size: height and width of the feature map, >= 1.
        classes: number of classes.

    Source: NASNet's released code. Deviation: on maps smaller than 5x5, the pool's square is the whole map.
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
        """Classify images by a feature map in the middle of a network.

        Args:
            images: the feature map, [batch, inputs, size, size].

        Returns:
            Logits, [batch, classes].
        """
        pooled = F.avg_pool2d(self.relu(images), self.kernel, 3)
        logits: Tensor = self.linear(self.whole(self.project(pooled)).flatten(1))
        return logits
