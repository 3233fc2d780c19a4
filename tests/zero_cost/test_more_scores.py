"""grasp, fisher, plain, l2_norm, zen and epe_nas against their definitions, computed in another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nasbench.networks.convolutions import Classifier
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
from nasbench.zero_cost import ScoringInput, zero_cost_score
from nasbench.zero_cost.epe_nas import class_score
from nasbench.zero_cost.untrained import MINIBATCH, minibatch, untrained

SPECS = ("nasnet:blocks=2", "nasbench201")


def given(spec: str, seed: int = 0) -> ScoringInput:
    architecture = get_space(spec).random(np.random.default_rng(seed))
    return ScoringInput.of(architecture, get_protocol("digits", {"filters": 4}), 3, "cpu")


def score(scoring_input: ScoringInput, name: str) -> float:
    return zero_cost_score(scoring_input.architecture, name, scoring_input.protocol, scoring_input.seed).value


def layers_of(network: nn.Module) -> list[nn.Module]:
    return [
        module
        for module in network.modules()
        if type(module) in (nn.Linear, nn.Conv2d) or isinstance(module, nn.Conv2d)
    ]


@pytest.mark.parametrize("spec", SPECS)
def test_plain_and_l2_norm_by_backward(spec: str):
    scoring_input = given(spec)
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        nn.CrossEntropyLoss()(network(images), labels).backward()
        weights = [layer.weight for layer in layers_of(network)]
        plain = sum(float((each.grad * each.detach()).sum()) for each in weights if each.grad is not None)
        weights = [each.detach() for each in weights]
        norms = sum(math.sqrt(float((each.double() ** 2).sum())) for each in weights)
    assert score(scoring_input, "plain") == pytest.approx(plain, rel=1e-3, abs=1e-5)
    assert score(scoring_input, "l2_norm") == pytest.approx(norms, rel=1e-6)


@pytest.mark.parametrize("spec", SPECS)
def test_fisher_by_a_factor_on_every_channel(spec: str):
    """The gradient with respect to a factor of 1 on a channel, for each image by itself, is the sum in the saliency."""
    scoring_input = given(spec)
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        factors: list[tuple[nn.Module, torch.Tensor]] = []

        def scaled(module: nn.Module, _, output: torch.Tensor) -> torch.Tensor:
            factor = torch.ones(output.shape[:2], requires_grad=True)
            factors.append((module, factor))
            return output * factor.reshape(*output.shape[:2], *[1] * (output.ndim - 2))

        for layer in layers_of(network):
            layer.register_forward_hook(scaled)
        functional.cross_entropy(network(images), labels).backward()
        total = 0.0
        for module, factor in factors:
            if factor.grad is not None:
                saliency = (factor.grad.double() ** 2).mean(0) / 2
                total += float(saliency.sum()) * module.weight[0].numel()
    assert score(scoring_input, "fisher") == pytest.approx(total, rel=1e-3)


def test_grasp_by_finite_differences():
    """Minus weight x H g, where H g is the change of the gradient along g, in float64."""
    scoring_input = given("nasbench201", 2)
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        network = network.double()
        weights = [layer.weight for layer in layers_of(network)]

        def gradients() -> list[torch.Tensor]:
            loss = functional.cross_entropy(network(images.double()), labels)
            found = torch.autograd.grad(loss, weights, allow_unused=True)
            return [torch.zeros_like(weight) if each is None else each for weight, each in zip(weights, found)]

        first, step, ends = gradients(), 1e-5, []
        for sign in (1, -1):
            with torch.no_grad():
                for weight, along in zip(weights, first):
                    weight += sign * step * along
            ends.append(gradients())
            with torch.no_grad():
                for weight, along in zip(weights, first):
                    weight -= sign * step * along
        curved = [(up - down) / (2 * step) for up, down in zip(*ends)]
        expected = -sum(float((weight.detach() * each).sum()) for weight, each in zip(weights, curved))
    assert score(scoring_input, "grasp") == pytest.approx(expected, rel=2e-3, abs=1e-4)


def test_zen_step_by_step():
    scoring_input = given("nasbench201", 1)
    with untrained(scoring_input) as network, torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.normal_()
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, nn.Linear):
                module.weight.normal_()
                module.bias.zero_()
        scale = scoring_input.scale
        images, others = (torch.randn(MINIBATCH, 1, scale.image_size, scale.image_size) for _ in range(2))
        maps: list[torch.Tensor] = []
        (classifier,) = [module for module in network.modules() if isinstance(module, Classifier)]
        forward = classifier.forward
        classifier.forward = lambda each: maps.append(each) or forward(each)
        network(images)
        network(images + 0.01 * others)
        total = 0.0
        for one, other in zip(*maps):
            total += float((one - other).abs().double().sum())
        expected = math.log(total / MINIBATCH)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                expected += math.log(math.sqrt(float(module.running_var.mean())))
    assert score(scoring_input, "zen") == pytest.approx(expected, rel=1e-5)


def test_a_network_without_the_suites_classifier_is_compared_by_logits(hand_made, small):
    assert math.isfinite(zero_cost_score(hand_made("convolution_with_norm"), "zen", small, 0).value)
    assert zero_cost_score(hand_made("Blind"), "zen", small, 0).value == -math.inf


@pytest.mark.parametrize("classes", [4, 120])
def test_epe_nas_pair_by_pair(classes: int):
    rng = np.random.default_rng(classes)
    jacobian, labels = rng.standard_normal((12, 30)), np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3])
    sums = []
    for label in range(4):
        rows = jacobian[labels == label]
        total = 0.0
        for one in rows:
            for other in rows:
                a, b = one - one.mean(), other - other.mean()
                total += math.log(abs(a @ b / math.sqrt((a @ a) * (b @ b))) + 1e-5)
        sums.append(total / len(rows) if classes > 100 else total)
    expected = sum(abs(a - b) for a in sums for b in sums) / 4 if classes > 100 else sum(map(abs, sums))
    assert class_score(jacobian, labels, classes) == pytest.approx(expected, rel=1e-9)


def test_epe_nas_takes_the_jacobians_of_the_minibatch():
    scoring_input = given("nasnet:blocks=2")
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        inputs = images.clone().requires_grad_()
        outputs = network(inputs)
        outputs.backward(torch.ones_like(outputs))
        expected = class_score(inputs.grad.flatten(1).double().numpy(), labels.numpy(), outputs.shape[1])
    assert score(scoring_input, "epe_nas") == pytest.approx(expected, rel=1e-6)
    constant = np.ones((4, 6))
    assert math.isnan(class_score(constant, np.zeros(4, dtype=np.int64), 10))
