"""Parameters and multiply-adds of the networks of NATS-Bench's size space in closed form. No torch."""

from __future__ import annotations

from nasbench.networks.counting import (
    batch_norm,
    convolution,
    convolution_bn,
    linear,
    require_cifar_stem,
    strided,
    total,
)
from nasbench.structures import ChannelStack, Counts, Scale

NAME = "NATS-Bench size"


def count_channel_stack(stack: ChannelStack, scale: Scale) -> Counts:
    """Count the network that `channel_stacks.build_channel_stack` builds.

    The operations that are published with NATS-Bench also have the additions of the classifier's bias, one per class.

    Args:
        stack: channels of its layers.
        scale: image and classes. Its `cells` and `filters` are not used.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    require_cifar_stem(scale, NAME)
    before, size = stack.channels[0], scale.image_size
    parts = [convolution_bn(scale.image_channels, before, (3, 3), size**2)]
    for place, after in enumerate(stack.channels):
        if place % 2:
            size = strided(size, 2)
            parts += [
                convolution_bn(before, after, (3, 3), size**2),
                convolution_bn(after, after, (3, 3), size**2),
                convolution(before, after, (1, 1), size**2),
            ]
        else:
            parts += [convolution_bn(before, after, (3, 3), size**2)] * 2
            parts += [convolution_bn(after, after, (3, 3), size**2)] * 3
            if before != after:
                parts.append(convolution_bn(before, after, (1, 1), size**2))
        before = after
    return total([*parts, batch_norm(before), linear(before, scale.classes)])
