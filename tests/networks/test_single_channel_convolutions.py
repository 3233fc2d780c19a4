"""A convolution of one channel with unequal strides: oneDNN 3.12 gets it wrong, so ours goes around it."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from nasbench.networks.convolutions import SameConv2d


@pytest.mark.parametrize(
    ("kernel", "stride"),
    list(itertools.product([(1, 7), (7, 1), (1, 3), (3, 3), (5, 5)], [(1, 2), (2, 1), (1, 3), (3, 1)])),
)
@pytest.mark.parametrize("width", [1, 2, 3, 8])
@pytest.mark.parametrize("outputs", [1, 2])
def test_values_and_gradients_equal_those_in_double_precision(kernel, stride, width, outputs):
    torch.manual_seed(0)
    convolution = SameConv2d(1, outputs, kernel, stride).to(memory_format=torch.channels_last)
    exact = SameConv2d(1, outputs, kernel, stride).double()
    exact.load_state_dict(convolution.state_dict())
    for height in (2, 8):
        images = torch.randn(9, 1, height, width).to(memory_format=torch.channels_last).requires_grad_()
        reference = images.detach().double().clone(memory_format=torch.contiguous_format).requires_grad_()
        got, expected = convolution(images), exact(reference)
        assert torch.allclose(got.double(), expected, atol=1e-5)
        got.square().sum().backward()
        expected.square().sum().backward()
        assert torch.allclose(images.grad.double(), reference.grad, atol=1e-4)
        assert torch.allclose(convolution.weight.grad.double(), exact.weight.grad, rtol=1e-4, atol=1e-3)
        convolution.zero_grad()
        exact.zero_grad()
        assert functional.mse_loss(convolution(images), got.detach()) == 0.0
