"""Dilated convolutions in bfloat16: AVX-512's kernels read memory that nobody wrote in the weight's gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from nasbench.networks.convolutions import SameConv2d


def leave_junk() -> None:
    """Free memory full of numbers that show wherever they are read."""
    junk = [torch.full((200_000,), float("nan")) for _ in range(20)]
    del junk


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize(
    ("batch", "inputs", "outputs", "height", "width", "groups"),
    [(3, 53, 19, 42, 59, 1), (11, 31, 5, 33, 33, 1), (4, 12, 12, 59, 62, 12), (2, 33, 33, 38, 53, 33)],
)
def test_gradients_of_dilated_convolutions_are_finite_and_right(
    batch, inputs, outputs, height, width, groups, autocast
):
    """Against the same convolution of the same numbers in float64; bfloat16 has 8 bits."""
    torch.manual_seed(0)
    layer = SameConv2d(inputs, outputs, 3, dilation=2, groups=groups).to(memory_format=torch.channels_last)
    with torch.no_grad():
        layer.weight.copy_(layer.weight.bfloat16())
    images = torch.randn(batch, inputs, height, width).bfloat16().contiguous(memory_format=torch.channels_last)
    source = (images.float() if autocast else images.clone()).requires_grad_()
    leave_junk()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        output = layer(source)
    assert output.dtype == torch.bfloat16
    direction = torch.randn(output.shape).bfloat16()
    found = torch.autograd.grad(output, [source, layer.weight], direction)
    exact = [images.double().requires_grad_(), layer.weight.detach().double().requires_grad_()]
    expected = torch.autograd.grad(F.conv2d(*exact, None, 1, 2, 2, groups), exact, direction.double())
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.double() - theirs).abs().max() < 0.02 * theirs.abs().max()


def test_other_convolutions_stay_in_bfloat16_and_in_float32():
    """The way round is for dilation in bfloat16 alone."""
    images = torch.randn(2, 4, 8, 8)
    assert SameConv2d(4, 4, 3, dilation=2)(images).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert SameConv2d(4, 4, 3)(images).dtype == torch.bfloat16
