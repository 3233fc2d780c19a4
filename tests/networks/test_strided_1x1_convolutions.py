"""A strided 1x1 convolution: oneDNN 3.12 writes past a buffer in its backward pass, so ours never asks for one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nasbench.networks.cells import build_cell_network
from nasbench.networks.convolutions import FactorizedReduction, SameConv2d, ValidConv2d, convolve
from nasbench.networks.layers import build_layer_stack
from nasbench.spaces import get_space
from nasbench.spaces.genotypes import NASNET_A
from nasbench.structures import Layer, LayerStack, Scale
from nasbench.supernets.build import build_supernetwork
from nasbench.supernets.shared_layers import Chosen, SlotReduction

FORMATS = [torch.channels_last, torch.contiguous_format]


class Strided1x1(TorchDispatchMode):
    """Counts the convolutions that torch runs, forward and backward, and those with a 1x1 filter and a stride."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = self.strided = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default):
            backward = func is torch.ops.aten.convolution_backward.default
            weight, stride = (args[2], args[4]) if backward else (args[1], args[3])
            self.convolutions += 1
            self.strided += tuple(weight.shape[2:]) == (1, 1) and set(stride) != {1}
        return func(*args, **(kwargs or {}))


@pytest.mark.sampled(120)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("stride", [(2, 2), (3, 3), (1, 2), (3, 1)])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 7), (9, 4), (1, 5), (2, 1), (1, 1)])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (1, 3), (4, 4), (7, 12), (16, 5)])
@pytest.mark.parametrize("layer", [SameConv2d, ValidConv2d])
def test_values_and_gradients_equal_those_in_double_precision(
    layer, inputs, outputs, height, width, stride, memory_format
) -> None:
    torch.manual_seed(0)
    convolution = layer(inputs, outputs, 1, stride).to(memory_format=memory_format)
    images = torch.randn(3, inputs, height, width).to(memory_format=memory_format).requires_grad_()
    output = convolution(images)
    weights = torch.randn(output.shape)
    gradients = torch.autograd.grad(output, [images, convolution.weight], weights)
    exact_images = images.detach().double().requires_grad_()
    exact_weight = convolution.weight.detach().double().requires_grad_()
    exact = torch.einsum("oi,nihw->nohw", exact_weight[:, :, 0, 0], exact_images[:, :, :: stride[0], :: stride[1]])
    expected = torch.autograd.grad(exact, [exact_images, exact_weight], weights.double())
    assert output.shape == exact.shape
    for ours, theirs in zip([output, *gradients], [exact, *expected], strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("size", [7, 8])
def test_output_and_gradient_keep_the_memory_format(memory_format, size) -> None:
    convolution = SameConv2d(4, 6, 1, 2).to(memory_format=memory_format)
    images = torch.randn(3, 4, size, size).to(memory_format=memory_format).requires_grad_()
    output = convolution(images)
    (gradient,) = torch.autograd.grad(output, images, torch.randn(output.shape).to(memory_format=memory_format))
    assert output.is_contiguous(memory_format=memory_format)
    assert gradient.is_contiguous(memory_format=memory_format)


def test_padding_of_a_strided_1x1_convolution_counts() -> None:
    images, weight = torch.randn(2, 3, 6, 5), torch.randn(4, 3, 1, 1)
    expected = F.conv2d(images.double(), weight.double(), None, (2, 3), (1, 2))
    torch.testing.assert_close(convolve(images, weight, (2, 3), (1, 2)).double(), expected, rtol=1e-5, atol=1e-5)


def test_groups_of_a_strided_1x1_convolution_stay_apart() -> None:
    images, weight = torch.randn(2, 6, 6, 6), torch.randn(6, 1, 1, 1)
    expected = images[:, :, ::2, ::2] * weight[:, 0, 0, 0].reshape(-1, 1, 1)
    torch.testing.assert_close(convolve(images, weight, (2, 2), groups=6), expected)


def run(network: nn.Module, *inputs: object) -> Strided1x1:
    """One forward and backward pass of a network, watched."""
    with Strided1x1() as seen:
        output: Tensor = network(*inputs)
        output.square().sum().backward()
    return seen


def every_network() -> list[tuple[str, nn.Module, tuple[object, ...]]]:
    """Networks and layers that stride with 1x1 filters, each with its inputs."""
    scale = Scale(cells=1, filters=4, image_size=8)
    images = torch.randn(4, 3, 8, 8)
    maps = torch.randn(4, 4, 8, 8, requires_grad=True)
    named = [
        ("cells", build_cell_network(NASNET_A, scale), (images,)),
        ("reduction", FactorizedReduction(4, 6), (maps,)),
        ("shared reduction", SlotReduction(3, 2, 6), (Chosen([maps[:, :2], maps[:, 2:]], (0, 2)),)),
        ("layers", build_layer_stack(LayerStack((Layer(1, 1, 6, (0,), 2, 2),), (1,)), scale), (images,)),
    ]
    for spec in ("enas-macro:layers=4", "enas-micro:blocks=2", "nasnet:blocks=2,combinations=add"):
        space = get_space(spec)
        network = build_supernetwork(space, scale)
        for seed in range(4):
            architecture = space.random(np.random.default_rng(seed))
            named.append((f"{spec} {seed}", network, (images, architecture)))
            named.append((f"alone {spec} {seed}", space.build(architecture, scale), (images,)))
    return named


@pytest.mark.slow
def test_no_network_asks_torch_for_a_strided_1x1_convolution() -> None:
    torch.manual_seed(0)
    for name, network, inputs in every_network():
        seen = run(network, *inputs)
        assert seen.convolutions, name
        assert not seen.strided, name


def test_the_watch_sees_one() -> None:
    plain = nn.Conv2d(4, 4, 1, 2)
    assert run(plain, torch.randn(2, 4, 8, 8)).strided == 2  # forward and backward
