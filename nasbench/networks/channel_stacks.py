"""Networks of NATS-Bench's size space: one cell, five numbers of channels."""

from __future__ import annotations

from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.channel_stack_counts import NAME
from nasbench.networks.convolutions import Classifier, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.edge_cells import ReductionBlock
from nasbench.structures import ChannelStack, Regularization, Scale


def build_channel_stack(stack: ChannelStack, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier with given numbers of channels.

    Args:
        stack: channels of its layers.
        scale: image and classes. Its `cells` and `filters` are not used.
        regularization: only dropout is used; these networks have no drop-path and no auxiliary head. None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.

    Source: Dong et al. 2020 (2009.00437), section 2.1, and the released code: 3x3 convolution and BatchNorm with the
    channels of the first layer; cells and residual blocks of stride 2 in turn; BatchNorm, ReLU, global average pooling,
    fully connected layer.
    Deviation: convolutions start from normal weights of variance 2 / fan-out; the released code leaves torch's default.
    On images of odd size, the average pool in the shortcut rounds up, to fit the convolutions beside it.
    """
    require_cifar_stem(scale, NAME)
    return ChannelStackNetwork(stack, scale, regularization or Regularization())


class ChannelStackNetwork(Network):
    """Stem, cells and residual blocks in turn, classifier.

    Args:
        stack: channels of its layers.
        scale: image channels and classes.
        regularization: only dropout is used.
    """

    def __init__(self, stack: ChannelStack, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        before = stack.channels[0]
        layers: list[nn.Module] = list(convolution_bn(scale.image_channels, before, 3))
        for place, after in enumerate(stack.channels):
            layers.append(ReductionBlock(before, outputs=after) if place % 2 else FixedCell(before, after))
            before = after
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(before), nn.ReLU())
        self.classifier = Classifier(before, scale.classes, regularization.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images; see `Network`."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class FixedCell(nn.Module):
    """The cell of all networks of the space: a 3x3 convolution on each edge, and a skip from the input to the output.

    A convolution is ReLU, convolution, BatchNorm. Where the cell changes the number of channels, its skip is a 1x1
    convolution and BatchNorm.

    Args:
        inputs: input channels.
        outputs: output channels.

    Source: Dong et al. 2020 (2009.00437), section 2.1: the topology with the best validation accuracy on CIFAR-100,
    |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first_from_input = _convolution(inputs, outputs)
        self.second_from_input = _convolution(inputs, outputs)
        self.second_from_first = _convolution(outputs, outputs)
        self.third_from_first = _convolution(outputs, outputs)
        self.third_from_second = _convolution(outputs, outputs)
        self.skip = nn.Identity() if inputs == outputs else nn.Sequential(*convolution_bn(inputs, outputs, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Apply the cell.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, height, width].
        """
        first = self.first_from_input(images)
        second = self.second_from_input(images) + self.second_from_first(first)
        output: Tensor = self.skip(images) + self.third_from_first(first) + self.third_from_second(second)
        return output


def _convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), *convolution_bn(inputs, outputs, 3))
