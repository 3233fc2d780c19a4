"""Parameters and multiply-adds of ResNets for CIFAR in closed form. No torch."""

from __future__ import annotations

from nasbench.errors import InputError
from nasbench.networks.counting import convolution_bn, linear, require_cifar_stem, strided, total
from nasbench.structures import Counts, Scale

STAGE_FILTERS = (16, 32, 64)


def blocks_per_stage(depth: int) -> int:
    """Compute the number n of residual blocks per stage of a ResNet of depth 6n + 2.

    Args:
        depth: 8, 14, 20, ...

    Returns:
        n >= 1.

    Raises:
        InputError: when the depth has no such n >= 1.
    """
    if depth < 8 or depth % 6 != 2:
        raise InputError(f"a CIFAR ResNet has depth 6n + 2 (8, 14, 20, 26, 32, 44, 56, 110, ..), got {depth}")
    return depth // 6


def count_resnet(depth: int, scale: Scale) -> Counts:
    """Count the network that `resnet.build_resnet` builds.

    Args:
        depth: 6n + 2 with n >= 1.
        scale: image size, image channels and classes. Its cells and filters are not used.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        InputError: when the depth is not 6n + 2, or the scale has an ImageNet stem or sets `stem_filters`.
    """
    require_cifar_stem(scale, "ResNet-CIFAR")
    size, inputs = scale.image_size, STAGE_FILTERS[0]
    parts = [convolution_bn(scale.image_channels, inputs, (3, 3), size**2)]
    for stage, filters in enumerate(STAGE_FILTERS):
        size = strided(size, 2) if stage else size
        for _ in range(blocks_per_stage(depth)):
            parts.append(convolution_bn(inputs, filters, (3, 3), size**2))
            parts.append(convolution_bn(filters, filters, (3, 3), size**2))
            inputs = filters
    parts.append(linear(inputs, scale.classes))
    return total(parts)
