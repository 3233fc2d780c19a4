"""Optimizers against torch's and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nasbench.protocols.protocol import Protocol
from nasbench.training.optimizers import make_optimizer


def network() -> nn.Module:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    module[1].unused = nn.Parameter(torch.ones(3))
    return module.to(memory_format=torch.channels_last)


def backward(module: nn.Module, step: int) -> None:
    images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(step))
    module(images.contiguous(memory_format=torch.channels_last)).square().mean().backward()


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_sgd_is_torchs(optimizer: str, momentum: float, weight_decay: float) -> None:
    ours, theirs = network(), network()
    protocol = Protocol(optimizer=optimizer, momentum=momentum, weight_decay=weight_decay)
    mine = make_optimizer(protocol, ours.parameters())
    oracle = torch.optim.SGD(
        theirs.parameters(),
        lr=0.1,
        momentum=momentum,
        weight_decay=weight_decay,
        nesterov=optimizer == "nesterov" and momentum > 0,
    )
    for step, rate in enumerate((0.1, 0.05, 0.2, 0.01)):
        for module in (ours, theirs):
            backward(module, step)
        mine.step(rate)
        mine.clear()
        oracle.param_groups[0]["lr"] = rate
        oracle.step()
        oracle.zero_grad()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
        assert one.grad is None
    assert not torch.equal(next(ours.parameters()), next(network().parameters()))


def test_rmsprop_is_tensorflows() -> None:
    decay, momentum, epsilon, weight_decay = 0.8, 0.9, 0.5, 0.01
    protocol = Protocol(
        optimizer="rmsprop",
        rmsprop_decay=decay,
        momentum=momentum,
        rmsprop_epsilon=epsilon,
        weight_decay=weight_decay,
    )
    weight = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))
    optimizer = make_optimizer(protocol, [weight])
    expected, square, velocity = weight.detach().numpy().copy(), np.ones(3), np.zeros(3)
    for rate in (0.1, 0.03, 0.3):
        (weight**3).sum().backward()
        optimizer.step(rate)
        optimizer.clear()
        gradient = 3 * expected**2 + weight_decay * expected
        square = decay * square + (1 - decay) * gradient**2
        velocity = momentum * velocity + rate * gradient / np.sqrt(square + epsilon)
        expected = expected - velocity
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "rmsprop"])
def test_weights_without_gradient_stay(optimizer: str) -> None:
    module = network()
    before = module[1].unused.detach().clone()
    mine = make_optimizer(Protocol(optimizer=optimizer, weight_decay=0.1), module.parameters())
    backward(module, 0)
    mine.step(0.1)
    assert torch.equal(module[1].unused, before)
