"""The operations of a cell as torch modules; `nasbench.networks.operation_counts` counts them under the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from nasbench.networks.convolutions import SameAvgPool2d, SameConv2d, SameMaxPool2d, convolution_bn
from nasbench.networks.operation_counts import bottleneck_filters

OperationBuilder = Callable[[int, int, int], nn.Module]
"""(input channels, output channels F, stride) -> a module.

It maps [batch, inputs, height, width] to [batch, F, ceil(height / stride), ceil(width / stride)].
"""


class AfterReLU(nn.Sequential):
    """Layers whose input has to pass a ReLU first. The cell applies it once per state, for all readers of the state."""


def build_identity(inputs: int, filters: int, stride: int) -> nn.Module:
    """Build the operation that does nothing, or a 1x1 convolution if the stride is not 1 or the channels change.

    Args:
        inputs: input channels.
        filters: output channels F.
        stride: stride of both axes.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, F, ceil(height / stride), ceil(width / stride)].
    """
    if stride == 1 and inputs == filters:
        return nn.Identity()
    return AfterReLU(*convolution_bn(inputs, filters, 1, stride))


def build_pool(
    inputs: int, filters: int, stride: int, *, pool: type[SameAvgPool2d] | type[SameMaxPool2d], kernel: int
) -> nn.Module:
    """Build a pool; if the channels change, a 1x1 convolution and BatchNorm follow it, without ReLU.

    Args:
        inputs: input channels.
        filters: output channels F.
        stride: stride of both axes.
        pool: class of the pool.
        kernel: height and width of its square.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, F, ceil(height / stride), ceil(width / stride)].
    """
    if inputs == filters:
        return pool(kernel, stride)
    return nn.Sequential(pool(kernel, stride), *convolution_bn(inputs, filters, 1))


def build_convolution_1x1(inputs: int, filters: int, stride: int) -> nn.Module:
    """Build a 1x1 convolution from `inputs` to F channels and its BatchNorm, without bottleneck.

    Args:
        inputs: input channels.
        filters: output channels F.
        stride: stride of both axes.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, F, ceil(height / stride), ceil(width / stride)].
    """
    return AfterReLU(*convolution_bn(inputs, filters, 1, stride))


def build_separable(inputs: int, filters: int, stride: int, *, kernel: int, dilation: int = 1) -> nn.Module:
    """Build a depthwise-separable convolution that is applied twice; the first one has the stride.

    Args:
        inputs: input channels.
        filters: output channels F.
        stride: stride of both axes.
        kernel: height and width of the depthwise filter.
        dilation: distance between neighbouring taps of the filter, in both convolutions.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, F, ceil(height / stride), ceil(width / stride)].

    Source: NASNet's released code.
    Deviation: no paper says whether a dilated one is applied twice, and dilated both times; here it is.
    """
    return AfterReLU(
        SameConv2d(inputs, inputs, kernel, stride, dilation, groups=inputs),
        *convolution_bn(inputs, filters, 1),
        nn.ReLU(),
        SameConv2d(filters, filters, kernel, 1, dilation, groups=filters),
        *convolution_bn(filters, filters, 1),
    )


def build_bottleneck(inputs: int, filters: int, stride: int, *, kernel: int, dilation: int = 1) -> nn.Module:
    """Build a square convolution with F/4 channels between two 1x1 convolutions.

    Args:
        inputs: input channels.
        filters: output channels F.
        stride: stride of both axes.
        kernel: height and width of the filter.
        dilation: distance between neighbouring taps of the filter.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, F, ceil(height / stride), ceil(width / stride)].
    """
    inner = bottleneck_filters(filters, wide=False)
    return AfterReLU(
        *convolution_bn(inputs, inner, 1),
        nn.ReLU(),
        SameConv2d(inner, inner, kernel, stride, dilation),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        *convolution_bn(inner, filters, 1),
    )


def build_factored(inputs: int, filters: int, stride: int, *, length: int) -> nn.Module:
    """Build a 1 x length and a length x 1 convolution between two 1x1 convolutions.

    The first one has the horizontal stride, the second one the vertical.

    Args:
        inputs: input channels.
        filters: output channels F.
        stride: stride of both axes.
        length: length of both filters, 3 or 7; it decides the inner channels, see `bottleneck_filters`.

    Returns:
        A module that maps [batch, inputs, height, width] to [batch, F, ceil(height / stride), ceil(width / stride)].
    """
    inner = bottleneck_filters(filters, wide=length == 3)
    return AfterReLU(
        *convolution_bn(inputs, inner, 1),
        nn.ReLU(),
        *convolution_bn(inner, inner, (1, length), (1, stride)),
        nn.ReLU(),
        *convolution_bn(inner, inner, (length, 1), (stride, 1)),
        nn.ReLU(),
        *convolution_bn(inner, filters, 1),
    )


IDENTITIES = frozenset({"none", "identity"})
"""Names of the operation that does nothing; drop-path never drops it. AmoebaNet (arXiv 1802.01548) says "none"."""

OPERATIONS: Mapping[str, OperationBuilder] = {
    "none": build_identity,
    "identity": build_identity,
    "conv_1x3_3x1": partial(build_factored, length=3),
    "conv_1x7_7x1": partial(build_factored, length=7),
    "dil_conv_3x3": partial(build_bottleneck, kernel=3, dilation=2),
    "avg_pool_3x3": partial(build_pool, pool=SameAvgPool2d, kernel=3),
    "max_pool_3x3": partial(build_pool, pool=SameMaxPool2d, kernel=3),
    "max_pool_5x5": partial(build_pool, pool=SameMaxPool2d, kernel=5),
    "max_pool_7x7": partial(build_pool, pool=SameMaxPool2d, kernel=7),
    "conv_1x1": build_convolution_1x1,
    "conv_3x3": partial(build_bottleneck, kernel=3),
    "sep_conv_3x3": partial(build_separable, kernel=3),
    "sep_conv_5x5": partial(build_separable, kernel=5),
    "sep_conv_7x7": partial(build_separable, kernel=7),
    "dil_sep_conv_3x3": partial(build_separable, kernel=3, dilation=2),
}
