"""Parameters and multiply-adds of NAS-Bench-Macro's networks in closed form. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import ZERO, convolution_bn, linear, require_cifar_stem, strided, total
from nasbench.structures import Chain, Counts, Scale

IDENTITY: Final = "identity"
EXPANSIONS: Final[Mapping[str, tuple[int, int]]] = {"mb3_k3": (3, 3), "mb6_k5": (6, 5)}
"""Inverted residual block -> factor of its inner channels, and side of its depthwise filter."""
HEAD_CHANNELS: Final = 1280
"""Channels of the 1x1 convolution before the classifier."""


class LayerPlace(NamedTuple):
    """A layer in its network.

    Attributes:
        op: name of the layer.
        inputs: channels of its input.
        outputs: channels of its output.
        stride: its stride.
        size: height and width of its input.
    """

    op: str
    inputs: int
    outputs: int
    stride: int
    size: int


def plan_layers(chain: Chain, scale: Scale) -> Iterator[LayerPlace]:
    """Determine channels and sizes of all layers.

    Args:
        chain: the layers.
        scale: F (`filters`), the channels of the stem, and the image.

    Yields:
        The places in order.

    Raises:
        UnknownName: when a layer has an unknown name.
        InputError: when a stride is not 1 or 2, or when the scale has an ImageNet stem or sets `stem_filters`.
    """
    require_cifar_stem(scale, "NAS-Bench-Macro")
    names = (IDENTITY, *EXPANSIONS)
    channels, size = scale.filters, scale.image_size
    for layer in chain.layers:
        if layer.op not in names:
            raise UnknownName("layer", layer.op, names)
        if layer.stride not in (1, 2):
            raise InputError(f"a layer has stride 1 or 2, got {layer.stride}")
        outputs = 2 * channels if layer.doubles else channels
        yield LayerPlace(layer.op, channels, outputs, layer.stride, size)
        channels, size = outputs, strided(size, layer.stride)


def count_inverted_residual_network(chain: Chain, scale: Scale) -> Counts:
    """Count the network that `inverted_residual.build_inverted_residual_network` builds.

    Args:
        chain: the layers.
        scale: F (`filters`), image and classes. Its `cells` are not used.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        UnknownName: when a layer has an unknown name.
        InputError: when a stride is not 1 or 2, or when the scale has an ImageNet stem or sets `stem_filters`.
    """
    parts = [convolution_bn(scale.image_channels, scale.filters, (3, 3), scale.image_size**2)]
    channels, size = scale.filters, scale.image_size
    for place in plan_layers(chain, scale):
        parts.append(_count_layer(place))
        channels, size = place.outputs, strided(place.size, place.stride)
    head = convolution_bn(channels, HEAD_CHANNELS, (1, 1), size**2)
    return total([*parts, head, linear(HEAD_CHANNELS, scale.classes)])


def _count_layer(place: LayerPlace) -> Counts:
    positions = strided(place.size, place.stride) ** 2
    if place.op == IDENTITY:
        if place.stride == 1 and place.inputs == place.outputs:
            return ZERO
        return convolution_bn(place.inputs, place.outputs, (1, 1), positions)
    factor, kernel = EXPANSIONS[place.op]
    inner = factor * place.inputs
    return total(
        (
            convolution_bn(place.inputs, inner, (1, 1), place.size**2),
            convolution_bn(inner, inner, (kernel, kernel), positions, inner),
            convolution_bn(inner, place.outputs, (1, 1), positions),
        )
    )
