"""ResNets for CIFAR, the hand-designed baseline."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.resnet_counts import STAGE_FILTERS, blocks_per_stage, count_resnet
from nasbench.structures import Scale

__all__ = ["ResNet", "build_resnet", "count_resnet"]


def build_resnet(depth: int, scale: Scale) -> Network:
    """Build a ResNet of depth 6n + 2 with 16, 32 and 64 filters and shortcuts without parameters.

    Args:
        depth: 20, 32, 44, 56, 110 in the paper.
        scale: image size, channels and classes; cells and filters are the ResNet's own.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the depth is not 6n + 2, or the scale asks for the ImageNet stem.

    Source: He et al., arXiv 1512.03385, section 4.2. Deviation: strided convolutions use SAME padding like the rest of the suite,
    which on even sizes puts the zero after the image instead of before; counts are the same. On odd sizes both halve upwards.
    Convolutions start from normal weights of variance 2 / fan-out, as there; the classifier as `Classifier` says.
    """
    require_cifar_stem(scale, "ResNet-CIFAR")
    return ResNet(blocks_per_stage(depth), scale)


class ResNet(Network):
    """Convolution, three stages of residual blocks, classifier."""

    def __init__(self, blocks: int, scale: Scale) -> None:
        super().__init__()
        inputs = STAGE_FILTERS[0]
        layers: list[nn.Module] = [*convolution_bn(scale.image_channels, inputs, 3), nn.ReLU()]
        for stage, filters in enumerate(STAGE_FILTERS):
            for block in range(blocks):
                layers.append(ResidualBlock(inputs, filters, 2 if stage and not block else 1))
                inputs = filters
        self.features = nn.Sequential(*layers)
        self.classifier = Classifier(inputs, scale.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [batch, channels, height, width] to logits [batch, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class ResidualBlock(nn.Module):
    """Residual block: two 3x3 convolutions and an identity, which samples every other pixel and pads channels with zeros ("option A")."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, filters - inputs
        self.residual = nn.Sequential(
            *convolution_bn(inputs, filters, 3, stride), nn.ReLU(), *convolution_bn(filters, filters, 3)
        )
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, filters, ceil(height / stride), ceil(width / stride)]."""
        shortcut = images[:, :, :: self.stride, :: self.stride]
        if self.new_channels:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        output: Tensor = self.relu(self.residual(images) + shortcut)
        return output
