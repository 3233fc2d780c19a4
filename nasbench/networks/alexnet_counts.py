"""Parameters and multiply-adds of AlexNet in closed form. No torch."""

from __future__ import annotations

from typing import NamedTuple

from nasbench.errors import InputError
from nasbench.networks.counting import convolution, linear, require_cifar_stem, total
from nasbench.structures import Counts, Scale

HIDDEN = 4096  # units of the two hidden fully connected layers
POOL_KERNEL, POOL_STRIDE = 3, 2
SMALLEST_IMAGE = 63


class AlexConvolution(NamedTuple):
    """One convolution with bias.

    `groups`: 2 where each tower reads only its own half. `pooled`: followed by a 3x3 max pool of stride 2.
    `normalized`: response normalization before that pool. `bias`: the bias's initial value.
    """

    filters: int
    kernel: int
    stride: int
    padding: int
    groups: int
    normalized: bool
    pooled: bool
    bias: float

    def output_size(self, size: int) -> int:
        """Height or width after the convolution, before its pool."""
        return (size + 2 * self.padding - self.kernel) // self.stride + 1


CONVOLUTIONS = (
    AlexConvolution(96, 11, 4, 2, 1, normalized=True, pooled=True, bias=0.0),
    AlexConvolution(256, 5, 1, 2, 2, normalized=True, pooled=True, bias=0.1),
    AlexConvolution(384, 3, 1, 1, 1, normalized=False, pooled=False, bias=0.0),
    AlexConvolution(384, 3, 1, 1, 2, normalized=False, pooled=False, bias=0.1),
    AlexConvolution(256, 3, 1, 1, 2, normalized=False, pooled=True, bias=0.1),
)


def final_size(image_size: int) -> int:
    """Height and width of the map that the fully connected layers read (6 for images of 224 pixels).

    Raises:
        InputError: when the image is too small for the three pools.
    """
    if image_size < SMALLEST_IMAGE:
        raise InputError(f"AlexNet needs images of {SMALLEST_IMAGE} pixels or more, got {image_size}")
    size = image_size
    for layer in CONVOLUTIONS:
        size = layer.output_size(size)
        if layer.pooled:
            size = (size - POOL_KERNEL) // POOL_STRIDE + 1
    return size


def count_alexnet(scale: Scale) -> Counts:
    """Count the network that `alexnet.build_alexnet` would build, without building it; arguments and errors as there."""
    require_cifar_stem(scale, "AlexNet")
    features = CONVOLUTIONS[-1].filters * final_size(scale.image_size) ** 2
    size, inputs = scale.image_size, scale.image_channels
    parts = []
    for layer in CONVOLUTIONS:
        size = layer.output_size(size)
        parts.append(convolution(inputs, layer.filters, (layer.kernel, layer.kernel), size**2, layer.groups))
        parts.append(Counts(layer.filters, 0))  # biases
        inputs = layer.filters
        if layer.pooled:
            size = (size - POOL_KERNEL) // POOL_STRIDE + 1
    parts += [linear(features, HIDDEN), linear(HIDDEN, HIDDEN), linear(HIDDEN, scale.classes)]
    return total(parts)
