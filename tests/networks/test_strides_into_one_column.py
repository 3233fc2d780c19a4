"""Convolutions that stride into one column: oneDNN 3.12 gets some of them wrong, so ours go around it."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from nasbench.networks.convolutions import PaddedConv2d, SameConv2d, ValidConv2d, same_padding


@pytest.mark.sampled(60)
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


class Strides(TorchDispatchMode):
    """Collects the strides of the convolutions that torch runs, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[int]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.convolution.default:
            self.found.append(args[3])
        elif func is torch.ops.aten.convolution_backward.default:
            self.found.append(args[4])
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("layer", [SameConv2d, ValidConv2d, PaddedConv2d])
@pytest.mark.parametrize("inputs", [1, 14])
@pytest.mark.parametrize(("kernel", "stride", "width"), [(3, 2, 1), (3, 2, 2), (5, 3, 3), (7, 3, 1), (3, 2, 4)])
def test_torch_is_not_asked_to_stride_into_one_column(layer, inputs, kernel, stride, width) -> None:
    """In bfloat16 with AVX-512 the weight's gradient is wrong for any number of channels where it is."""
    images = torch.randn(3, inputs, 9, width, requires_grad=True)
    if layer is ValidConv2d:
        images = functional.pad(images, (kernel // 2, kernel // 2))
    convolution = layer(inputs, 6, kernel, stride)
    with Strides() as strides:
        output = convolution(images)
        output.sum().backward()
    assert len(strides.found) == 2
    expected = [stride, 1] if output.shape[3] == 1 else [stride, stride]
    assert all(list(found) == expected for found in strides.found)
    exact = functional.conv2d(
        functional.pad(images.detach().double(), (kernel, kernel, kernel, kernel)), convolution.weight.double()
    )
    top, left = first_window(layer, images, kernel, stride)
    sampled = exact[:, :, top::stride, left::stride][:, :, : output.shape[2], : output.shape[3]]
    torch.testing.assert_close(output.double(), sampled, rtol=1e-5, atol=1e-4)


def first_window(layer, images, kernel, stride) -> tuple[int, int]:
    """Row and column of the first window in a map that is padded by `kernel` on every side."""
    if layer is SameConv2d:
        return tuple(kernel - same_padding(size, kernel, stride)[0] for size in images.shape[2:])
    before = kernel // 2 if layer is PaddedConv2d else 0
    return kernel - before, kernel - before


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_bfloat16_in_one_column_does_not_depend_on_what_memory_held(memory_format) -> None:
    torch.manual_seed(0)
    convolution = SameConv2d(39, 14, (3, 5), (2, 3)).to(memory_format=memory_format)
    images = torch.randn(11, 39, 1, 1).to(memory_format=memory_format)
    gradients = []
    for filling in (0.0, torch.nan, 1e30):
        freed = [torch.full((37 * size + 64,), filling) for size in range(300)]
        del freed  # what the kernel allocates next holds these numbers
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = convolution(images)
        gradients += torch.autograd.grad(output.float().square().sum(), convolution.weight)
    assert gradients[0].isfinite().all()
    assert all(torch.equal(gradients[0], other) for other in gradients[1:])
