"""SAME padding, pools and the factorized reduction against loops that follow their definition."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nasbench.networks.convolutions import (
    FactorizedReduction,
    SameAvgPool2d,
    SameConv2d,
    SameMaxPool2d,
    same_padding,
)

SIZES = [1, 2, 3, 4, 7, 8]


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "expected"),
    [
        (224, 3, 2, 1, (0, 1)),
        (7, 3, 2, 1, (1, 1)),
        (8, 7, 2, 1, (2, 3)),
        (8, 2, 1, 1, (0, 1)),
        (8, 3, 1, 2, (2, 2)),
        (8, 3, 2, 2, (1, 2)),
        (9, 1, 3, 1, (0, 0)),
        (1, 7, 3, 1, (3, 3)),
    ],
)
def test_padding_is_tensorflows(size, kernel, stride, dilation, expected):
    assert same_padding(size, kernel, stride, dilation) == expected


def windows(image, kernel, stride):
    """The in-image part of every window, by the definition of SAME padding."""
    (height, width), (kernel_height, kernel_width), (down, right) = image.shape, kernel, stride
    top, left = same_padding(height, kernel_height, down)[0], same_padding(width, kernel_width, right)[0]
    for row in range(-(-height // down)):
        for column in range(-(-width // right)):
            y, x = row * down - top, column * right - left
            yield (row, column), (slice(max(0, y), y + kernel_height), slice(max(0, x), x + kernel_width)), (y, x)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("pool", "reduce"), [(SameMaxPool2d, torch.max), (SameAvgPool2d, torch.mean)])
def test_pools(pool, reduce, kernel, stride, size):
    image = -torch.rand(size, size, dtype=torch.float64) - 1  # negative, so that a zero of the padding would win
    expected = torch.empty(-(-size // stride), -(-size // stride), dtype=torch.float64)
    for place, inside, _ in windows(image, (kernel, kernel), (stride, stride)):
        expected[place] = reduce(image[inside])
    torch.testing.assert_close(pool(kernel, stride)(image[None, None])[0, 0], expected)


@pytest.mark.parametrize("size", [(1, 8), (2, 7), (8, 8), (5, 3)])
@pytest.mark.parametrize("kernel", [(1, 3), (3, 3), (7, 1), (2, 4)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2), (3, 2)])
def test_convolutions(size, kernel, stride):
    image = torch.rand(size)
    convolution = SameConv2d(1, 1, kernel, stride)
    weight = convolution.weight.detach()[0, 0]
    expected = torch.empty(-(-size[0] // stride[0]), -(-size[1] // stride[1]))
    for place, inside, (y, x) in windows(image, kernel, stride):
        seen = image[inside]
        top, left = max(0, -y), max(0, -x)
        expected[place] = (seen * weight[top : top + seen.shape[0], left : left + seen.shape[1]]).sum()
    torch.testing.assert_close(convolution(image[None, None])[0, 0].detach(), expected)


@pytest.mark.parametrize("size", [2, 3, 6, 7])
def test_factorized_reduction_samples_both_lattices(size):
    image = torch.rand(1, 1, size, size)
    reduction = FactorizedReduction(1, 3).eval()
    with torch.no_grad():
        reduction.straight.weight.fill_(1)
        reduction.shifted.weight.fill_(1)
        straight, *shifted = reduction(image)[0] * (1 + reduction.norm.eps) ** 0.5
    torch.testing.assert_close(straight, image[0, 0, ::2, ::2])
    expected = F.pad(image, (0, 1, 0, 1))[0, 0, 1::2, 1::2]
    assert len(shifted) == 2  # an odd number of filters gives the extra one to the shifted path
    for channel in shifted:
        torch.testing.assert_close(channel, expected)


def test_depthwise_weights_start_as_wide_as_others():
    torch.manual_seed(0)
    depthwise, full = SameConv2d(64, 64, 5, groups=64), SameConv2d(8, 64, 3)
    assert depthwise.weight.std().item() == pytest.approx((2 / 25) ** 0.5, rel=0.05)
    assert full.weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)
