"""Every score against its definition, computed another way."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nasbench.data import load_data, provide_data
from nasbench.errors import InputError, UnknownName
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
from nasbench.structures import Scale
from nasbench.zero_cost import ZERO_COST, ScoringInput, zero_cost_score
from nasbench.zero_cost.activations import ActivationKernel
from nasbench.zero_cost.jacobian import correlation_score
from nasbench.zero_cost.untrained import MINIBATCH, minibatch, untrained

SPECS = ("nasnet:blocks=2", "nas:layers=3", "nasbench201")


def draw(spec: str, seed: int = 0):
    return get_space(spec).random(np.random.default_rng(seed))


def naive_gradients(architecture, protocol, seed):
    """Weight and gradient of every parameter of a convolution or fully connected layer, one autograd call each."""
    scoring_input = ScoringInput.of(architecture, protocol, seed, "cpu")
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        pairs = []
        for name, parameter in network.named_parameters():
            if not name.endswith("weight") or parameter.ndim == 1:  # a bias, or BatchNorm's scale
                continue
            scores = torch.log_softmax(network(images), 1)
            loss = -scores[torch.arange(len(labels)), labels].mean()
            (gradient,) = torch.autograd.grad(loss, parameter, allow_unused=True)
            gradient = torch.zeros_like(parameter) if gradient is None else gradient
            pairs.append((parameter.detach().numpy().astype(float), gradient.numpy().astype(float)))
    return pairs


@pytest.mark.sampled(1)
@pytest.mark.parametrize("spec", SPECS)
def test_snip_and_grad_norm_are_sums_over_single_gradients(spec: str):
    architecture, protocol = draw(spec), get_protocol("digits", {"filters": 4})
    pairs = naive_gradients(architecture, protocol, 3)
    snip = sum(np.abs(weight * gradient).sum() for weight, gradient in pairs)
    norm = sum(math.sqrt((gradient**2).sum()) for _, gradient in pairs)
    assert zero_cost_score(architecture, "snip", protocol, 3).value == pytest.approx(snip, rel=1e-4)
    assert zero_cost_score(architecture, "grad_norm", protocol, 3).value == pytest.approx(norm, rel=1e-4)


def test_unused_weights_count_for_nothing(hand_made, small):
    for score in ("snip", "grad_norm", "synflow"):
        assert 0 < zero_cost_score(hand_made("Mixed"), score, small, 0).value < math.inf


def test_synflow_of_linear_layers_counts_every_path_once_a_layer(hand_made, built, small):
    """R is the sum over all paths of the product of their weights, and each weight's share is that of the paths through it."""
    value = zero_cost_score(hand_made("linear_pair"), "synflow", small, 0).value
    first, second = (weight.detach().numpy() for weight in built().parameters())
    assert (first >= 0).all()
    paths = sum(
        first[unit, pixel] * second[out, unit]
        for unit in range(first.shape[0])
        for pixel in range(first.shape[1])
        for out in range(second.shape[0])
    )
    assert value == pytest.approx(2 * paths, rel=1e-12)


def test_synflow_takes_batch_norm_out(hand_made, built, small):
    value = zero_cost_score(hand_made("convolution_with_norm"), "synflow", small, 0).value
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in built().modules())
    convolution, linear = (weight.detach().numpy() for weight in built().parameters())
    paths = (np.abs(convolution).sum((1, 2, 3)) * np.abs(linear).sum(0)).sum()
    assert convolution.dtype == np.float64
    assert value == pytest.approx(2 * paths, rel=1e-12)


def test_synflow_sees_no_images(small):
    architecture = draw("nasnet:blocks=2")
    other = small.model_copy(update={"data": small.data + ",seed=7"})
    values = [zero_cost_score(architecture, "synflow", protocol, 0).value for protocol in (small, other)]
    assert values[0] == values[1]


def test_naswot_of_all_kinds_of_relu(hand_made, built, small):
    value = zero_cost_score(hand_made("Mixed"), "naswot", small, 5).value
    layers = [inputs.flatten(1).numpy() > 0 for inputs in built().rectified]
    assert [layer.shape for layer in layers] == [(40, 20), (40, 60), (40, 60)]
    kernel = np.zeros((40, 40))
    for layer in layers:
        for i in range(40):
            for j in range(40):
                kernel[i, j] += sum(a == b for a, b in zip(layer[i].tolist(), layer[j].tolist()))
    assert value == pytest.approx(np.linalg.slogdet(kernel)[1], rel=1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_every_relu_of_our_networks_is_seen_before_it_runs(spec: str):
    """The diagonal of K counts each unit of each ReLU once; a ReLU seen after it ran in place would still count, a missed one not."""
    scoring_input = ScoringInput.of(draw(spec, 1), get_protocol("digits", {"filters": 4}), 0, "cpu")
    images, _ = minibatch(scoring_input)
    with untrained(scoring_input) as network, torch.no_grad():
        with torch.profiler.profile(record_shapes=True) as profile:
            network(images)
        relus = [event for event in profile.events() if event.name in ("aten::relu", "aten::relu_")]
        with ActivationKernel(len(images), images.device) as kernel:
            network(images)
    units = sum(math.prod(event.input_shapes[0][1:]) for event in relus)
    assert relus
    assert kernel.total.diagonal().tolist() == [units] * len(images)


def test_jacobian_score_against_its_formula():
    rng = np.random.default_rng(0)
    jacobian = rng.standard_normal((12, 30))
    eigenvalues = np.linalg.eigvals(np.corrcoef(jacobian)).real
    expected = -np.sum(np.log(eigenvalues + 1e-5) + 1 / (eigenvalues + 1e-5))
    assert correlation_score(torch.from_numpy(jacobian)) == pytest.approx(expected, rel=1e-9)


def test_jacobian_is_that_of_the_images():
    """Independent Jacobians correlate least: the score is largest, -n (log(1 + k) + 1 / (1 + k)), where all eigenvalues are 1."""
    pattern = torch.eye(4, dtype=torch.float64).repeat_interleave(2, 1)
    centred = torch.linalg.qr((pattern - pattern.mean(1, keepdim=True)).T)[0].T[:3]
    assert correlation_score(centred) == pytest.approx(-3 * (math.log(1 + 1e-5) + 1 / (1 + 1e-5)))
    assert correlation_score(centred) > correlation_score(centred + 0.1 * centred[0])


def test_a_network_that_sees_nothing_comes_out_undefined_or_least(hand_made, small):
    scores = {name: zero_cost_score(hand_made("Blind"), name, small, 0).value for name in ("jacob_cov", "naswot")}
    assert math.isnan(scores["jacob_cov"])
    assert scores["naswot"] == -math.inf
    assert zero_cost_score(hand_made("Blind"), "synflow", small, 0).value == 0


def test_counts_are_the_spaces(small):
    architecture = draw("nasnet:blocks=2")
    counts = architecture.space.count(architecture, Scale(small.cells, small.filters, 4, 2, 3))
    assert zero_cost_score(architecture, "params", small, 0).value == counts.params
    assert zero_cost_score(architecture, "mult_adds", small, 0).value == counts.mult_adds


def test_the_minibatch_is_of_the_training_split_and_of_the_seed(small):
    protocol = get_protocol("digits")
    batches = [minibatch(ScoringInput.of(draw("nasbench201"), protocol, seed, "cpu"))[0] for seed in (0, 0, 1)]
    assert batches[0].shape == (MINIBATCH, 1, 8, 8)
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
    few = small.model_copy(update={"train_images": 9, "whiten": False})
    images, labels = minibatch(ScoringInput.of(draw("nasbench201"), few, 0, "cpu"))
    data = load_data(few.data)
    allowed = data.train.pixels[data.split(few.validation, few.split_seed)[0][:9]]
    drawn = (images * 255).round().byte().contiguous().numpy()
    assert sorted(image.tobytes() for image in drawn) == sorted(image.tobytes() for image in allowed)
    assert len(labels) == 9


def test_the_minibatch_is_of_the_data_that_are_provided_now(small, monkeypatch):
    monkeypatch.setattr("nasbench.data._provided", {})
    protocol = small.model_copy(update={"data": "folder:provided"})
    for seed in (0, 1):
        data = load_data(f"fake:images=96,size=8,classes=3,seed={seed}")
        provide_data("folder:provided", data)
        found, _ = minibatch(ScoringInput.of(draw("nasbench201"), protocol, 0, "cpu"))
        own = protocol.model_copy(update={"data": f"fake:images=96,size=8,classes=3,seed={seed}"})
        assert torch.equal(found, minibatch(ScoringInput.of(draw("nasbench201"), own, 0, "cpu"))[0])


def all_scores(order: int) -> dict[str, str]:
    """Every score of an architecture of every kind, as hexadecimal floats, with the global generators somewhere else each time."""
    torch.manual_seed(order)
    protocol, rng = get_protocol("digits"), np.random.default_rng(4)
    found = {}
    for spec in SPECS:
        architecture = get_space(spec).random(rng)
        for name in sorted(ZERO_COST, reverse=bool(order)):
            found[f"{spec} {name}"] = zero_cost_score(architecture, name, protocol, 2).value.hex()
    return found


@pytest.mark.slow
def test_two_processes_agree_to_the_bit():
    """In whatever order scores are asked for, and whatever ran in the process before."""
    program = "import json, sys; sys.path.insert(0, sys.argv[1]); import test_zero_cost_scores as t; print(json.dumps(t.all_scores(1)))"
    told = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ).stdout
    assert json.loads(told) == all_scores(0)


def test_global_state_is_left_alone(small):
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    for name in ZERO_COST:
        zero_cost_score(draw("nasbench201"), name, small, 0)
    assert torch.equal(before, torch.get_rng_state())
    assert (threads, torch.is_grad_enabled()) == (torch.get_num_threads(), True)


def test_the_score_reports_its_time(small):
    scored = zero_cost_score(draw("nasnet"), "snip", small, 0)
    assert 0 < scored.seconds < 60
    assert scored.seconds > zero_cost_score(draw("nasnet"), "params", small, 0).seconds


def test_mistakes_are_named(small):
    with pytest.raises(UnknownName, match="did you mean 'naswot'"):
        zero_cost_score(draw("nasbench201"), "nazwot", small, 0)
    with pytest.raises(InputError, match="0 or more, got -1"):
        zero_cost_score(draw("nasbench201"), "params", small, -1)
    with pytest.raises(InputError, match="cuda:99"):
        zero_cost_score(draw("nasbench201"), "naswot", small, 0, "cuda:99")


def test_counts_need_no_torch():
    program = (
        "import sys; from nasbench.protocols.protocol import get_protocol; from nasbench.spaces import get_space; "
        "from nasbench.zero_cost import zero_cost_score as z; space = get_space('nasbench201'); "
        "print(z(space.decode([3] * 6), 'params', get_protocol('digits'), 0).value, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    value, torch_is_there = done.stdout.split()
    assert float(value) > 0
    assert torch_is_there == "False"
