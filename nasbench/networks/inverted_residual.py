"""Networks of NAS-Bench-Macro: a chain of MobileNetV2's inverted residual blocks and identities."""

from __future__ import annotations

from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, PaddedConv2d, convolution_bn
from nasbench.networks.inverted_residual_counts import EXPANSIONS, HEAD_CHANNELS, IDENTITY, LayerPlace, plan_layers
from nasbench.structures import Chain, Regularization, Scale


def build_inverted_residual_network(
    chain: Chain, scale: Scale, regularization: Regularization | None = None
) -> Network:
    """Build the classifier of a chain of layers.

    Args:
        chain: the layers.
        scale: F (`filters`), image and classes. Its `cells` are not used.
        regularization: only dropout is used. None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        UnknownName: when a layer has an unknown name.
        InputError: when a stride is not 1 or 2, or when the scale has an ImageNet stem or sets `stem_filters`.

    Source: Su et al. 2021, "Prioritized Architecture Sampling with Monto-Carlo Tree Search" (arXiv 2103.11922), and the
        code of its benchmark, NAS-Bench-Macro: a 3x3 convolution to F channels, the layers, a 1x1 convolution to 1280
        channels, global average pooling and a fully connected layer.
    Deviation: convolutions and classifier start from normal weights as in this suite's other networks; the code leaves
        torch's default.
    """
    return InvertedResidualNetwork(chain, scale, regularization or Regularization())


class InvertedResidualNetwork(Network):
    """Stem, layers, 1x1 convolution, classifier.

    Args:
        chain: the layers.
        scale: F, image channels and classes.
        regularization: only dropout is used.
    """

    def __init__(self, chain: Chain, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        places = list(plan_layers(chain, scale))
        layers: list[nn.Module] = [*convolution_bn(scale.image_channels, scale.filters, 3), nn.ReLU()]
        layers += [build_layer(place) for place in places]
        channels = places[-1].outputs if places else scale.filters
        self.features = nn.Sequential(*layers, *convolution_bn(channels, HEAD_CHANNELS, 1), nn.ReLU())
        self.classifier = Classifier(HEAD_CHANNELS, scale.classes, regularization.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images; see `Network`."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise convolution, and a linear 1x1 convolution, added to the input.

    Nothing is added where the channels or the resolution change.

    Args:
        place: name, channels and stride.
    """

    def __init__(self, place: LayerPlace) -> None:
        super().__init__()
        factor, kernel = EXPANSIONS[place.op]
        inner = factor * place.inputs
        self.residual = nn.Sequential(
            *convolution_bn(place.inputs, inner, 1),
            nn.ReLU(),
            PaddedConv2d(inner, inner, kernel, place.stride, groups=inner),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            *convolution_bn(inner, place.outputs, 1),
        )
        self.adds = place.stride == 1 and place.inputs == place.outputs

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, ceil(height / stride), ceil(width / stride)].
        """
        output: Tensor = self.residual(images)
        return output + images if self.adds else output


def build_layer(place: LayerPlace) -> nn.Module:
    """Build a layer.

    Args:
        place: name, channels and stride. An identity that changes the channels or the resolution is a 1x1 convolution
            with BatchNorm.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, outputs, ceil(height / stride), ...].
    """
    if place.op != IDENTITY:
        return InvertedResidual(place)
    if place.stride == 1 and place.inputs == place.outputs:
        return nn.Identity()
    return nn.Sequential(*convolution_bn(place.inputs, place.outputs, 1, place.stride))
