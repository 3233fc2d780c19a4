"""Two passes are one pool, to the bit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import nasbench.networks.max_pool
from nasbench.networks.convolutions import same_padding
from nasbench.networks.max_pool import max_pool


def map_of(kind: str, shape: tuple[int, int, int, int], dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(len(kind) + shape[1])
    images = torch.randn(shape, generator=generator)
    if kind == "ties":
        images = images.mul(2).round().relu()
    elif kind == "zeros of both signs":
        images = images.sign() * 0.0
    elif kind == "not finite":
        images[images > 1.5] = torch.inf
        images[images < -1] = -torch.inf
        images[:, :, ::5, ::3] = torch.nan
    return images.to(dtype).to(memory_format=torch.channels_last)


@pytest.fixture
def passes(monkeypatch) -> list[int]:
    """Counts trainings in two passes."""
    taken: list[int] = []
    apply = nasbench.networks.max_pool._TwoPasses.apply
    monkeypatch.setattr(nasbench.networks.max_pool._TwoPasses, "apply", lambda *args: taken.append(1) or apply(*args))
    return taken


@pytest.mark.parametrize("kind", ["plain", "ties", "zeros of both signs", "not finite"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("kernel", "stride"), [(5, 1), (5, 2), (7, 1), (7, 2)])
@pytest.mark.parametrize("shape", [(9, 8, 16, 16), (5, 21, 13, 18), (3, 64, 9, 10)])
def test_values_and_gradients_are_those_of_one_pass(kind, dtype, kernel, stride, shape, passes) -> None:
    images = map_of(kind, shape, dtype).requires_grad_()
    padding = same_padding(shape[2], kernel, stride)[0], same_padding(shape[3], kernel, stride)[0]
    expected = F.max_pool2d(images, kernel, stride, padding, ceil_mode=True)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    (expected_gradient,) = torch.autograd.grad(expected, images, weights)
    pooled = max_pool(images, kernel, stride, padding)
    (gradient,) = torch.autograd.grad(pooled, images, weights)
    with torch.no_grad():
        scored = max_pool(images, kernel, stride, padding)
    assert passes == [1]
    for ours, theirs in ((pooled, expected), (gradient, expected_gradient), (scored, expected)):
        assert ours.stride() == theirs.stride()
        assert torch.equal(torch.signbit(ours) | ours.isnan(), torch.signbit(theirs) | theirs.isnan())
        assert torch.equal(ours.isnan(), theirs.isnan())
        assert torch.equal(ours.nan_to_num(), theirs.nan_to_num())


@pytest.mark.parametrize(
    ("shape", "kernel", "memory_format"),
    [
        ((8, 16, 16, 16), 3, torch.channels_last),
        ((8, 16, 16, 16), 7, torch.contiguous_format),
        ((2, 8, 16, 16), 7, torch.channels_last),
        ((64, 1, 16, 16), 7, torch.channels_last),
        ((64, 16, 16, 1), 7, torch.channels_last),
    ],
)
def test_small_pools_and_other_formats_take_one_pass(shape, kernel, memory_format, passes) -> None:
    images = torch.randn(shape).to(memory_format=memory_format).requires_grad_()
    pooled = max_pool(images, kernel, 1, (kernel // 2, kernel // 2))
    assert torch.equal(pooled, F.max_pool2d(images, kernel, 1, kernel // 2, ceil_mode=True))
    assert not passes
