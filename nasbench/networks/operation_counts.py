"""Counts of the operations of a cell in closed form; `nasbench.networks.operations` builds the same names. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from nasbench.networks.counting import ZERO, batch_norm, convolution, convolution_bn, strided, total
from nasbench.structures import Counts

OperationCount = Callable[[int, int, int, int], Counts]
"""(input channels, output channels F, height and width of the input, stride) -> counts"""


def bottleneck_filters(filters: int, wide: bool) -> int:
    """Return the channels inside a convolution with a bottleneck.

    Args:
        filters: output channels F, >= 1.
        wide: True for the pair of a 1x3 and a 3x1 convolution.

    Returns:
        F/4, or 3F/8 if `wide`, rounded down, at least 1.

    Source: the code of NASNet's and AmoebaNet's authors; their papers do not say. Deviation: at least 1, for F below 4.
    """
    return max(1, 3 * filters // 8 if wide else filters // 4)


def count_identity(inputs: int, filters: int, size: int, stride: int) -> Counts:
    """Count the identity: a 1x1 convolution if the stride is not 1 or the channels change, else nothing.

    Args:
        inputs: input channels.
        filters: output channels F.
        size: height and width of the input.
        stride: stride of both axes.

    Returns:
        Parameters and multiply-adds for one image.
    """
    if stride == 1 and inputs == filters:
        return ZERO
    return convolution_bn(inputs, filters, (1, 1), strided(size, stride) ** 2)


def count_pool(inputs: int, filters: int, size: int, stride: int) -> Counts:
    """Count a pool: the 1x1 convolution after it if the channels change, else nothing.

    Args:
        inputs: input channels.
        filters: output channels F.
        size: height and width of the input.
        stride: stride of both axes.

    Returns:
        Parameters and multiply-adds for one image.
    """
    return ZERO if inputs == filters else convolution_bn(inputs, filters, (1, 1), strided(size, stride) ** 2)


def count_convolution_1x1(inputs: int, filters: int, size: int, stride: int) -> Counts:
    """Count a 1x1 convolution and its BatchNorm.

    Args:
        inputs: input channels.
        filters: output channels F.
        size: height and width of the input.
        stride: stride of both axes.

    Returns:
        Parameters and multiply-adds for one image.
    """
    return convolution_bn(inputs, filters, (1, 1), strided(size, stride) ** 2)


def count_separable(inputs: int, filters: int, size: int, stride: int, *, kernel: int) -> Counts:
    """Count a depthwise-separable convolution that is applied twice; the first one has the stride.

    Args:
        inputs: input channels.
        filters: output channels F.
        size: height and width of the input.
        stride: stride of both axes.
        kernel: height and width of the depthwise filter.

    Returns:
        Parameters and multiply-adds for one image.
    """
    positions = strided(size, stride) ** 2
    square = (kernel, kernel)
    return total(
        (
            convolution(inputs, inputs, square, positions, inputs),
            convolution_bn(inputs, filters, (1, 1), positions),
            convolution(filters, filters, square, positions, filters),
            convolution_bn(filters, filters, (1, 1), positions),
        )
    )


def count_bottleneck(inputs: int, filters: int, size: int, stride: int, *, kernel: int) -> Counts:
    """Count a square convolution with F/4 channels between two 1x1 convolutions; dilation does not change the counts.

    Args:
        inputs: input channels.
        filters: output channels F.
        size: height and width of the input.
        stride: stride of both axes.
        kernel: height and width of the filter.

    Returns:
        Parameters and multiply-adds for one image.
    """
    inner = bottleneck_filters(filters, wide=False)
    after = strided(size, stride) ** 2
    return total(
        (
            convolution_bn(inputs, inner, (1, 1), size**2),
            convolution_bn(inner, inner, (kernel, kernel), after),
            convolution_bn(inner, filters, (1, 1), after),
        )
    )


def count_factored(inputs: int, filters: int, size: int, stride: int, *, length: int) -> Counts:
    """Count a 1 x length and a length x 1 convolution between two 1x1 convolutions.

    The first one has the horizontal stride, the second one the vertical.

    Args:
        inputs: input channels.
        filters: output channels F.
        size: height and width of the input.
        stride: stride of both axes.
        length: length of both filters, 3 or 7.

    Returns:
        Parameters and multiply-adds for one image.
    """
    inner = bottleneck_filters(filters, wide=length == 3)
    after = strided(size, stride)
    return total(
        (
            convolution_bn(inputs, inner, (1, 1), size**2),
            convolution_bn(inner, inner, (1, length), size * after),
            convolution_bn(inner, inner, (length, 1), after**2),
            convolution_bn(inner, filters, (1, 1), after**2),
        )
    )


def count_factorized_reduction(inputs: int, filters: int, size: int) -> Counts:
    """Count `convolutions.FactorizedReduction`, which halves height and width.

    Args:
        inputs: input channels.
        filters: output channels.
        size: height and width of the input.

    Returns:
        Parameters and multiply-adds for one image.
    """
    return total((convolution(inputs, filters, (1, 1), strided(size, 2) ** 2), batch_norm(filters)))


OPERATION_COUNTS: Mapping[str, OperationCount] = {
    "none": count_identity,
    "identity": count_identity,
    "conv_1x3_3x1": partial(count_factored, length=3),
    "conv_1x7_7x1": partial(count_factored, length=7),
    "dil_conv_3x3": partial(count_bottleneck, kernel=3),
    "avg_pool_3x3": count_pool,
    "max_pool_3x3": count_pool,
    "max_pool_5x5": count_pool,
    "max_pool_7x7": count_pool,
    "conv_1x1": count_convolution_1x1,
    "conv_3x3": partial(count_bottleneck, kernel=3),
    "sep_conv_3x3": partial(count_separable, kernel=3),
    "sep_conv_5x5": partial(count_separable, kernel=5),
    "sep_conv_7x7": partial(count_separable, kernel=7),
    "dil_sep_conv_3x3": partial(count_separable, kernel=3),
}
