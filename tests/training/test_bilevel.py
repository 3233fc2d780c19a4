"""Gradients of differentiable search: against finite differences, and against a step that autograd went through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn import functional

import nasbench.supernets.bilevel as module
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.strategies.darts import Softmax
from nasbench.runners.strategies.drnas import DirichletWeights, concentration
from nasbench.runners.strategies.gdas import GumbelSoftmax, drawn
from nasbench.runners.strategies.one_shot import place
from nasbench.runners.strategies.pcdarts import NormalizedEdges
from nasbench.spaces import get_space
from nasbench.supernets.bilevel import ArchitectureSettings, Bilevel, Logits, Relaxation
from nasbench.supernets.build import build_mixed_supernetwork
from nasbench.supernets.mixed import Mixture
from nasbench.training.loop import reproducible

CPU = torch.device("cpu")
RATE = 0.05


def bilevel(relaxation: Relaxation, order: int = 1, spec: str = "nasbench201", **changes: object) -> Bilevel:
    """A tiny one; call it within `reproducible`."""
    options = {"data": "fake:images=32,size=4,classes=3", "filters": 4, "validation": 0.5, "batch_size": 8, **changes}
    protocol = get_protocol("digits", options)
    placed = place(protocol, 0, CPU)
    network = build_mixed_supernetwork(get_space(spec), placed.scale)
    settings = ArchitectureSettings(0.01, 0.0, order)
    return Bilevel(network, placed.images, placed.validation, protocol, placed.seeds, 8, relaxation, settings)


def doubled(made: Bilevel) -> Bilevel:
    """In double, with parameters away from 0."""
    made.network.double().train()
    made.parameters.data = torch.randn(len(made.parameters), dtype=torch.float64)
    made._adam.weights = [made.parameters]
    return made


def batch(made: Bilevel) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = made.minibatch()
    return images.double(), labels


def test_first_order_is_the_gradient_of_the_validation_loss():
    with reproducible(CPU, 1):
        made = doubled(bilevel(NormalizedEdges(True)))
        assert len(made.parameters) == 6 * 5 + 6  # operations, and the edges into three nodes
        validation = batch(made)
        found = made.gradient(validation, validation, RATE, 0.0)
        for index in (0, 7, 29, 31, 35):
            losses = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    made.parameters[index] += step
                    losses.append(made._loss(validation, made.mixture(0.0)).item())
                    made.parameters[index] -= step
            assert found[index].item() == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4, abs=1e-8)


def unrolled(made: Bilevel, training, validation, velocities: Sequence[torch.Tensor]) -> torch.Tensor:
    """The gradient after one step with momentum and L2 penalty, exactly, by going back through the step."""
    names = [name for name, _ in made.network.named_parameters()]
    weights = [weight.detach().clone().requires_grad_() for weight in made.network.parameters()]

    class Mixed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = made.network

        def forward(self, images: torch.Tensor, mixture: Mixture) -> torch.Tensor:
            return self.network.mixed(images, mixture)

    module = Mixed()

    def loss(values, images, labels):
        given = {f"network.{name}": value for name, value in zip(names, values)}
        logits = functional_call(module, given, (images, made.mixture(0.0)))
        return functional.cross_entropy(logits, labels)

    gradients = torch.autograd.grad(loss(weights, *training), weights, create_graph=True)
    protocol = made.protocol
    after = [
        weight - RATE * (protocol.momentum * velocity + gradient + protocol.weight_decay * weight)
        for weight, gradient, velocity in zip(weights, gradients, velocities)
    ]
    (found,) = torch.autograd.grad(loss(after, *validation), [made.parameters])
    return found


def test_second_order_against_going_back_through_the_step(monkeypatch: pytest.MonkeyPatch):
    """The paper's step of 0.01 crosses kinks of this tiny network's ReLUs; the difference vanishes with the step."""
    monkeypatch.setattr(module, "FINITE_DIFFERENCE", 1e-4)
    with reproducible(CPU, 1):
        made = doubled(bilevel(Softmax(), order=2, weight_decay=0.01))
        training, validation = batch(made), batch(made)
        made._descend(made._logits(training[0], made.mixture(0.0)), training[1], RATE)  # so that there are velocities
        weights = list(made.network.parameters())
        before = [weight.detach().clone() for weight in weights]
        velocities = [made._optimizer._kept[weight] for weight in weights]
        exact = unrolled(made, training, validation, velocities)
        found = made.gradient(training, validation, RATE, 0.0)
        made.settings = ArchitectureSettings(0.01, 0.0, 1)
        first = made.gradient(training, validation, RATE, 0.0)
    assert all(torch.equal(weight, kept) for weight, kept in zip(weights, before))
    error = (found - exact).norm() / exact.norm()
    assert error < 1e-4
    assert (first - exact).norm() / exact.norm() > 0.1  # the second derivative matters here


def test_parameters_rest_in_the_warm_up_and_learn_afterwards():
    with reproducible(CPU, 1):
        made = bilevel(Softmax())
        start = made.parameters.detach().clone()
        made.bilevel_epoch(RATE, 0.0, learns=False)
        assert torch.equal(made.parameters, start)
        made.bilevel_epoch(RATE, 0.0)
        assert not torch.equal(made.parameters, start)
    assert len(made.history) == 2
    assert all(sum(each) == pytest.approx(1) for each in made.history[1])


def test_a_mixture_learns_what_its_validation_images_want():
    """If one operation alone can lower the validation loss, its weight rises."""
    with reproducible(CPU, 1):
        made = bilevel(Softmax())
        made.settings = ArchitectureSettings(0.1, 0.0)
        made._validation_loss = lambda validation, progress: -made.mixture(progress).choices[2].weights[3].log()
        for _ in range(5):
            made.bilevel_epoch(RATE, 0.0)
        assert made.weights()[0][2].argmax() == 3


def test_gumbel_draws_have_the_softmax_probabilities_and_its_gradients():
    torch.manual_seed(0)
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5], requires_grad=True)
    draws = [drawn(logits, 0.5) for _ in range(2000)]
    share = np.bincount([each.chosen for each in draws], minlength=4) / len(draws)
    expected = logits.softmax(0).detach().numpy()
    assert np.abs(share - expected).max() < 4 * np.sqrt(0.25 / len(draws))
    for each in draws[:5]:
        assert each.weights.tolist() == pytest.approx(np.eye(4)[each.chosen].tolist(), abs=1e-6)
    torch.manual_seed(7)
    one = drawn(logits, 0.5)
    (found,) = torch.autograd.grad(one.weights[one.chosen], logits)
    torch.manual_seed(7)
    noise = -(-torch.rand(4).log()).log()
    soft = ((logits + noise) / 0.5).softmax(0)  # log-probabilities and logits differ by a constant
    (expected_gradient,) = torch.autograd.grad(soft[one.chosen], logits)
    assert one.chosen == int(soft.argmax())
    torch.testing.assert_close(found, expected_gradient)


def test_temperature_falls_linearly():
    relaxation = GumbelSoftmax(10.0, 0.1)
    assert [relaxation.temperature(progress) for progress in (0, 0.5, 1)] == pytest.approx([10, 5.05, 0.1])


def test_dirichlet_draws_have_the_mean_of_their_concentrations():
    torch.manual_seed(0)
    logits, relaxation = torch.tensor([1.0, 0.0, -2.0], requires_grad=True), DirichletWeights(0.5)
    assert concentration(logits).tolist() == pytest.approx([2.0, 1.0, np.exp(-2)])
    mean = relaxation.weights(logits)
    assert mean.sum().item() == pytest.approx(1)
    draws = [relaxation.mixture(Logits([logits], ()), 0.0).choices[0].weights for _ in range(2000)]
    stacked = torch.stack(draws)
    torch.testing.assert_close(stacked.sum(1), torch.ones(len(draws)))
    assert (stacked.mean(0) - mean).abs().max() < 0.03
    (slope,) = torch.autograd.grad(stacked[:, 0].mean(), logits)
    (expected,) = torch.autograd.grad(mean[0], logits)
    torch.testing.assert_close(slope, expected, atol=0.03, rtol=0.1)
    assert DirichletWeights(0.0).penalty(Logits([logits], ())) is None
    assert relaxation.penalty(Logits([torch.zeros(3)], ())).item() == pytest.approx(0, abs=1e-6)
    assert relaxation.penalty(Logits([logits], ())).item() > 0


def test_gradients_of_drawn_paths_reach_drawn_options_only():
    with reproducible(CPU, 1):
        made = bilevel(GumbelSoftmax(1.0, 1.0))
        mixture = made.mixture(0.0)
        computed = {index for index, each in enumerate(mixture.choices) if each.chosen != 0}
        made._loss(made.minibatch(), mixture).backward()
        reached = {
            int(name.split(".")[3])
            for name, weight in made.network.named_parameters()
            if ".edges." in name and weight.grad is not None
        }
    assert reached <= computed
