"""The cost of a built network by torch's own counting, the oracle of the closed forms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nasbench.structures import Counts, Scale


def measured(build: Callable[[], nn.Module], scale: Scale) -> Counts:
    """Parameters and half of torch's counted operations for one image; shapes only, so large networks cost little."""
    counts, shape = module_costs(build, (1, scale.image_channels, scale.image_size, scale.image_size))
    assert shape == (1, scale.classes)
    return counts


def module_costs(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> tuple[Counts, tuple[int, ...]]:
    """The same for any module on an input of that shape, and the shape of its output."""
    with torch.device("meta"):
        module = build().eval()
        images = torch.empty(shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = module(images)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    params = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    return Counts(params, flops // 2), tuple(output.shape)


def random_images(scale: Scale, batch: int = 2, seed: int = 0) -> Tensor:
    """Images [batch, channels, height, width] of standard normal values."""
    shape = (batch, scale.image_channels, scale.image_size, scale.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def check_training_step(build: Callable[[], nn.Module], scale: Scale) -> None:
    """Forward and backward are finite, every parameter has a gradient, and the same seed gives the same bits.

    Every module has hooks that keep its input and output: none may be written over later.

    Raises:
        AssertionError: when any of this does not hold.
    """
    first, second = _train_one_step(build, scale), _train_one_step(build, scale)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def _train_one_step(build: Callable[[], nn.Module], scale: Scale) -> list[Tensor]:
    """The logits and all gradients of a network of seed 7, checked."""
    torch.manual_seed(7)
    network = build().train()
    kept: list[tuple[Tensor, int]] = []
    for module in network.modules():
        module.register_forward_hook(
            lambda _module, inputs, output: kept.extend((value, value._version) for value in (*inputs, output))
        )
        module.register_full_backward_hook(lambda _module, _inputs, _outputs: None)
    logits = network(random_images(scale).requires_grad_())
    assert logits.shape == (2, scale.classes)
    assert torch.isfinite(logits).all()
    (logits**2).sum().backward()
    assert kept
    assert all(value._version == version for value, version in kept)
    gradients: list[Tensor] = []
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        gradients.append(parameter.grad)
    return [logits.detach(), *gradients]


def check_channels_last(build: Callable[[], nn.Module], scale: Scale) -> None:
    """Images laid out channels last give the same logits as contiguous ones, and stay channels last inside.

    Raises:
        AssertionError: when the logits or the layouts differ.
    """
    torch.manual_seed(7)
    network = build().double().eval()
    images = random_images(scale).double()
    expected = network(images)
    network = network.to(memory_format=torch.channels_last)
    layouts: list[bool] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _module, inputs: layouts.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
            )
    torch.testing.assert_close(network(images.contiguous(memory_format=torch.channels_last)), expected)
    assert layouts
    assert all(layouts)
