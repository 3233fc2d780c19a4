"""ResNets for CIFAR, hand-designed networks to compare with."""

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
        depth: 6n + 2 with n >= 1; 20, 32, 44, 56 and 110 in the paper.
        scale: image size, image channels and classes. Its cells and filters are not used.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the depth is not 6n + 2, or the scale has an ImageNet stem or sets `stem_filters`.

    Source: He et al., arXiv 1512.03385, section 4.2. Convolutions start from normal weights of variance 2 / fan-out, as
    in the paper.
    Deviation: convolutions of stride 2 have SAME padding, like the rest of the suite; on even sizes it puts its zero
    after the image instead of before. Counts are the same. The classifier starts as `convolutions.Classifier` says.
    """
    require_cifar_stem(scale, "ResNet-CIFAR")
    return ResNet(blocks_per_stage(depth), scale)


class ResNet(Network):
    """Convolution, three stages of residual blocks, classifier.

    Args:
        blocks: residual blocks per stage, >= 1.
        scale: image channels and classes.
    """

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
        """Classify images; see `Network`."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, to whose result the input is added.

    Where the size halves, the input's every other pixel is added, and new channels are zero (the paper's option A).

    Args:
        inputs: input channels.
        filters: output channels, >= `inputs`.
        stride: 1 or 2.

    Source: He et al. 2015 (1512.03385), sections 3.2 and 4.2.
    """

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, filters - inputs
        self.residual = nn.Sequential(
            *convolution_bn(inputs, filters, 3, stride), nn.ReLU(), *convolution_bn(filters, filters, 3)
        )
        self.relu = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """Add two convolutions to the shortcut, whose new channels are 0; then ReLU.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, filters, ceil(height / stride), ceil(width / stride)].
        """
        shortcut = images[:, :, :: self.stride, :: self.stride]
        if self.new_channels:
            shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        output: Tensor = self.relu(self.residual(images) + shortcut)
        return output
