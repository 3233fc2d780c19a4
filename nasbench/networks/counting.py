"""Parameters and multiply-adds of single layers, from which every closed form is summed. No torch."""

from __future__ import annotations

from collections.abc import Iterable

from nasbench.errors import InputError
from nasbench.structures import Counts, Scale

ZERO = Counts(0, 0)


def convolution(inputs: int, outputs: int, kernel: tuple[int, int], positions: int, groups: int = 1) -> Counts:
    """Cost of a convolution without bias.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: height and width.
        positions: height times width of the output.
        groups: groups of channels; `inputs` of them make it depthwise.
    """
    weights = inputs // groups * outputs * kernel[0] * kernel[1]
    return Counts(weights, weights * positions)


def batch_norm(channels: int) -> Counts:
    """Cost of a BatchNorm: its scale and shift; running statistics are not parameters and its arithmetic is not counted."""
    return Counts(2 * channels, 0)


def linear(inputs: int, outputs: int) -> Counts:
    """Cost of a fully connected layer with bias (the bias is a parameter, but no multiply-add)."""
    return Counts(inputs * outputs + outputs, inputs * outputs)


def convolution_bn(inputs: int, outputs: int, kernel: tuple[int, int], positions: int, groups: int = 1) -> Counts:
    """Cost of a convolution without bias and the BatchNorm after it; arguments as for `convolution`."""
    weights = inputs // groups * outputs * kernel[0] * kernel[1]
    return Counts(weights + 2 * outputs, weights * positions)


def total(parts: Iterable[Counts]) -> Counts:
    """The sum of several costs."""
    params = mult_adds = 0
    for part in parts:
        params += part.params
        mult_adds += part.mult_adds
    return Counts(params, mult_adds)


def strided(size: int, stride: int) -> int:
    """Height or width after a layer with SAME padding: the size over the stride, rounded up."""
    return -(-size // stride)


def require_cifar_stem(scale: Scale, skeleton: str) -> None:
    """Refuse a scale with a stem that only cell networks have.

    Raises:
        InputError: when the scale asks for the ImageNet stem, or for a number of filters in the stem.
    """
    if scale.stem_filters:
        raise InputError(
            f"{skeleton} networks have a stem of their own, got stem_filters={scale.stem_filters}; only cell networks take it"
        )
    if scale.stem != "cifar":
        raise InputError(f"{skeleton} networks have no stem {scale.stem!r}, only cell networks do; use stem 'cifar'")
