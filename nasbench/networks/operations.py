"""The operations of a cell as torch modules, row for row the table of `nasbench.networks.operation_counts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from nasbench.networks.convolutions import SameAvgPool2d, SameConv2d, SameMaxPool2d, convolution_bn
from nasbench.networks.operation_counts import bottleneck_filters

OperationBuilder = Callable[[int, int, int], nn.Module]
"""(input channels, output channels F, stride) -> module that maps [batch, inputs, h, w] to [batch, F, ceil(h/stride), ceil(w/stride)]"""


class AfterReLU(nn.Sequential):
    """Layers that want their input rectified; the cell does that once for all readers of a state."""


def build_identity(inputs: int, filters: int, stride: int) -> nn.Module:
    """Nothing; where stride or channels change, a 1x1 convolution."""
    if stride == 1 and inputs == filters:
        return nn.Identity()
    return AfterReLU(*convolution_bn(inputs, filters, 1, stride))


def build_pool(
    inputs: int, filters: int, stride: int, *, pool: type[SameAvgPool2d] | type[SameMaxPool2d], kernel: int
) -> nn.Module:
    """A pool; where channels change, a 1x1 convolution after it, without ReLU."""
    if inputs == filters:
        return pool(kernel, stride)
    return nn.Sequential(pool(kernel, stride), *convolution_bn(inputs, filters, 1))


def build_convolution_1x1(inputs: int, filters: int, stride: int) -> nn.Module:
    """A 1x1 convolution, not bottlenecked."""
    return AfterReLU(*convolution_bn(inputs, filters, 1, stride))


def build_separable(inputs: int, filters: int, stride: int, *, kernel: int, dilation: int = 1) -> nn.Module:
    """A depthwise-separable convolution applied twice, the stride in the first round.

    Deviation: that a dilated one too is applied twice, with the dilation in both rounds, is our reading; no paper says it.
    """
    return AfterReLU(
        SameConv2d(inputs, inputs, kernel, stride, dilation, groups=inputs),
        *convolution_bn(inputs, filters, 1),
        nn.ReLU(),
        SameConv2d(filters, filters, kernel, 1, dilation, groups=filters),
        *convolution_bn(filters, filters, 1),
    )


def build_bottleneck(inputs: int, filters: int, stride: int, *, kernel: int, dilation: int = 1) -> nn.Module:
    """A square convolution at F/4 channels between two 1x1 convolutions."""
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
    """A 1 x length and a length x 1 convolution between two 1x1 convolutions; each strides along its length."""
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
"""Names of the operation that does nothing, which drop-path spares. "none" is AmoebaNet's word for it (arXiv 1802.01548)."""

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
