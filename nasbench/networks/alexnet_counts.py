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
    """One convolution with bias, and the layers that follow it.

    `filters`: output channels. `kernel`, `stride`: side of the filter, and stride of both axes. `padding`: zeros on
    every side. `groups`: 2 if each tower reads only its own half of the channels. `normalized`: True if response
    normalization follows. `pooled`: True if then a 3x3 max pool of stride 2 follows. `bias`: initial value of the bias.
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
        """Compute the height or width after the convolution, before a pool.

        Args:
            size: height or width of the input.

        Returns:
            Height or width of the output.
        """
        return (size + 2 * self.padding - self.kernel) // self.stride + 1

    def next_size(self, size: int) -> int:
        """Compute the height or width after the convolution and its pool, if it has one.

        Args:
            size: height or width of the input.

        Returns:
            Height or width of the output.
        """
        after = self.output_size(size)
        return (after - POOL_KERNEL) // POOL_STRIDE + 1 if self.pooled else after


CONVOLUTIONS = (
    AlexConvolution(96, 11, 4, 2, 1, normalized=True, pooled=True, bias=0.0),
    AlexConvolution(256, 5, 1, 2, 2, normalized=True, pooled=True, bias=0.1),
    AlexConvolution(384, 3, 1, 1, 1, normalized=False, pooled=False, bias=0.0),
    AlexConvolution(384, 3, 1, 1, 2, normalized=False, pooled=False, bias=0.1),
    AlexConvolution(256, 3, 1, 1, 2, normalized=False, pooled=True, bias=0.1),
)


def final_size(image_size: int) -> int:
    """Compute the height and width of the map that the fully connected layers read.

    Args:
        image_size: height and width of the image, >= 63.

    Returns:
        Height and width in pixels, e.g. 6 for images of 224 pixels.

    Raises:
        InputError: when the image is too small for the three pools.
    """
    if image_size < SMALLEST_IMAGE:
        raise InputError(f"AlexNet needs images of {SMALLEST_IMAGE} pixels or more, got {image_size}")
    size = image_size
    for layer in CONVOLUTIONS:
        size = layer.next_size(size)
    return size


def count_alexnet(scale: Scale) -> Counts:
    """Count the network that `alexnet.build_alexnet` builds.

    Args:
        scale: image size (63 pixels or more), image channels and classes. Its cells and filters are not used.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and fully connected layers for one image.

    Raises:
        InputError: when the image is too small, or the scale has an ImageNet stem or sets `stem_filters`.
    """
    require_cifar_stem(scale, "AlexNet")
    features = CONVOLUTIONS[-1].filters * final_size(scale.image_size) ** 2
    size, inputs = scale.image_size, scale.image_channels
    parts = []
    for layer in CONVOLUTIONS:
        positions = layer.output_size(size) ** 2
        parts.append(convolution(inputs, layer.filters, (layer.kernel, layer.kernel), positions, layer.groups))
        parts.append(Counts(layer.filters, 0))  # biases
        inputs, size = layer.filters, layer.next_size(size)
    parts += [linear(features, HIDDEN), linear(HIDDEN, HIDDEN), linear(HIDDEN, scale.classes)]
    return total(parts)
