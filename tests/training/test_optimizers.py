"""Optimizers against torch's and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nasbench.protocols.protocol import Protocol
from nasbench.training.optimizers import Adam, RMSProp, make_optimizer, replace_by_roots


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


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_adam_is_torchs(weight_decay: float) -> None:
    random = torch.Generator().manual_seed(0)
    start = [torch.randn(30, generator=random), torch.randn(4, 3, 2, generator=random)]
    ours, theirs = ([nn.Parameter(each.clone()) for each in start] for _ in range(2))
    mine = Adam(ours, decays=(0.5, 0.999), weight_decay=weight_decay)
    oracle = torch.optim.Adam(theirs, betas=(0.5, 0.999), weight_decay=weight_decay)
    for step in range(50):
        for one, other in zip(ours, theirs):
            one.grad = torch.randn(one.shape, generator=random) * 10.0 ** (step % 5 - 3)
            other.grad = one.grad.clone()
        rate = 0.1 / (1 + step)
        mine.step(rate)
        oracle.param_groups[0]["lr"] = rate
        oracle.step()
        if step == 20:  # goes on as another one from its state
            state = mine.state()
            mine = Adam(ours, decays=(0.5, 0.999), weight_decay=weight_decay)
            mine.restore(state)
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_roots_are_rounded_correctly(dtype: type) -> None:
    """As IEEE 754 defines them; torch's differ in the last bit, by the maker of the processor."""
    random = np.random.default_rng(0)
    values = (random.random((40, 8, 3, 3)) * 10.0 ** random.integers(-30, 20, (40, 8, 3, 3))).astype(dtype)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = torch.tensor(values).contiguous(memory_format=layout)
        replace_by_roots([found])
        assert np.array_equal(found.numpy(), np.sqrt(values))


@pytest.mark.parametrize(("kernels", "exact"), [("portable", True), ("fast", False)])
def test_portable_kernels_take_exact_roots(kernels: str, exact: bool) -> None:
    made = make_optimizer(Protocol(optimizer="rmsprop"), network().parameters(), kernels)
    assert isinstance(made, RMSProp)
    assert made._exact_roots is exact
