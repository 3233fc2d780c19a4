"""Parameters and multiply-adds of single layers; every closed form is a sum of these. No torch."""

from __future__ import annotations

from collections.abc import Iterable

from nasbench.errors import InputError
from nasbench.structures import Counts, Scale

ZERO = Counts(0, 0)


def convolution(inputs: int, outputs: int, kernel: tuple[int, int], positions: int, groups: int = 1) -> Counts:
    """Count a convolution without bias.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: height and width of the filter.
        positions: height times width of the output.
        groups: number of groups of channels; a depthwise convolution has `inputs` groups.

    Returns:
        Its parameters and multiply-adds.
    """
    weights = inputs // groups * outputs * kernel[0] * kernel[1]
    return Counts(weights, weights * positions)


def batch_norm(channels: int) -> Counts:
    """Count a BatchNorm.

    Scale and shift are parameters; running statistics are not. Its arithmetic is not counted.

    Args:
        channels: channels of its input.

    Returns:
        Its parameters, and 0 multiply-adds.
    """
    return Counts(2 * channels, 0)


def linear(inputs: int, outputs: int) -> Counts:
    """Count a fully connected layer with bias; the bias has parameters, but no multiply-adds.

    Args:
        inputs: input features.
        outputs: output features.

    Returns:
        Its parameters and multiply-adds.
    """
    return Counts(inputs * outputs + outputs, inputs * outputs)


def convolution_bn(inputs: int, outputs: int, kernel: tuple[int, int], positions: int, groups: int = 1) -> Counts:
    """Count a convolution without bias and the BatchNorm after it.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: height and width of the filter.
        positions: height times width of the output.
        groups: number of groups of channels; a depthwise convolution has `inputs` groups.

    Returns:
        Parameters and multiply-adds of both.
    """
    weights = inputs // groups * outputs * kernel[0] * kernel[1]
    return Counts(weights + 2 * outputs, weights * positions)


def total(parts: Iterable[Counts]) -> Counts:
    """Add up several counts.

    Args:
        parts: the counts; without any, the sum is 0.

    Returns:
        The sums of parameters and of multiply-adds.
    """
    params = mult_adds = 0
    for part in parts:
        params += part.params
        mult_adds += part.mult_adds
    return Counts(params, mult_adds)


def strided(size: int, stride: int) -> int:
    """Compute the height or width after a layer with SAME padding.

    Args:
        size: height or width before the layer.
        stride: stride along it.

    Returns:
        The size divided by the stride, rounded up.
    """
    return -(-size // stride)


def require_cifar_stem(scale: Scale, skeleton: str) -> None:
    """Check that a scale has no stem that only networks of cells have.

    Args:
        scale: the scale.
        skeleton: name of the networks, for the message.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    if scale.stem_filters:
        raise InputError(
            f"{skeleton} networks have a stem of their own, got stem_filters={scale.stem_filters}; leave it at 0, "
            "only networks of cells use it"
        )
    if scale.stem != "cifar":
        raise InputError(
            f"{skeleton} networks have no stem {scale.stem!r}, only networks of cells do; use stem 'cifar'"
        )
