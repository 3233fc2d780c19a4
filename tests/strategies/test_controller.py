"""The controller's probabilities: exact, complete, and what sampling follows."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
import torch
from scipy import stats

from nasbench.runners.strategies.controllers.controller import Controller, one_thread, seeded_generator
from nasbench.spaces import get_space
from nasbench.spaces.base import Space

TOY_NAMES = ("row", "stack", "forced", "skips")


def make(space: Space, layers: int = 1, heads: str = "decision", seed: int = 0) -> Controller:
    # Parameters far from 0, so that no distribution is near uniform and errors show.
    return Controller(space.decisions, layers, 8, 1.5, heads, seeded_generator(seed))


def everything(space: Space) -> torch.Tensor:
    return torch.tensor(list(itertools.product(*(range(decision.options) for decision in space.decisions))))


@pytest.mark.parametrize("heads", ["decision", "group"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("toy", TOY_NAMES)
def test_probabilities_of_all_architectures_sum_to_one(toys, toy: str, layers: int, heads: str):
    controller = make(toys[toy], layers, heads).double()
    assert controller.score(everything(toys[toy])).log_prob.exp().sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("toy", TOY_NAMES)
def test_joint_entropy_is_the_mean_of_the_sampled_ones(toys, toy: str):
    scores = make(toys[toy]).double().score(everything(toys[toy]))
    probabilities = scores.log_prob.exp()
    exact = -(probabilities * scores.log_prob).sum()
    assert (probabilities * scores.entropy).sum().item() == pytest.approx(exact.item(), abs=1e-9)


@pytest.mark.parametrize("toy", TOY_NAMES)
def test_sampling_follows_the_probabilities(toys, toy: str):
    controller = make(toys[toy], seed=3)
    choices = everything(toys[toy])
    expected = controller.score(choices).log_prob.double().exp().detach().numpy() * 20_000
    place = {tuple(row): index for index, row in enumerate(choices.tolist())}
    drawn = controller.sample(20_000, seeded_generator(11))
    observed = np.bincount([place[tuple(row)] for row in drawn.tolist()], minlength=len(choices)).astype(float)
    rare = expected < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    keep = expected > 0
    result = stats.chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum())
    assert result.pvalue > 1e-3


@pytest.mark.parametrize("toy", TOY_NAMES)
def test_a_batch_scores_as_one_by_one(toys, toy: str):
    controller = make(toys[toy], layers=2)
    choices = controller.sample(30, seeded_generator(1))
    batched = controller.score(choices)
    single = [controller.score(row[None]) for row in choices]
    torch.testing.assert_close(batched.log_prob, torch.cat([scores.log_prob for scores in single]))
    torch.testing.assert_close(batched.entropy, torch.cat([scores.entropy for scores in single]))


def test_a_batch_draws_as_one_by_one(stack):
    controller = make(stack(layers=4))
    batch, singles = seeded_generator(2), seeded_generator(2)
    drawn = [controller.sample(1, singles) for _ in range(20)]
    assert torch.equal(controller.sample(20, batch), torch.cat(drawn))


def test_a_batch_of_20_costs_far_less_than_20_samples():
    """Measured on one core: about a fifteenth."""
    controller = Controller(get_space("nasnet").decisions, 1, 100, 0.1, "decision", seeded_generator(0))

    def seconds(batch: int) -> float:
        began = time.perf_counter()
        with torch.no_grad(), one_thread():
            controller.score(controller.sample(batch, seeded_generator(0)))
        return time.perf_counter() - began

    single, batch = (min(seconds(size) for _ in range(8)) for size in (1, 20))
    assert batch < 20 * single / 4


def test_scores_follow_the_papers_formulas_step_by_step(stack):
    """Set-selection attention and the chain of inputs, written out for three layers with anchors after each."""
    space = stack(layers=3)
    net = make(space, layers=2).double()
    for choices in everything(space)[::7]:
        state, inputs, row, log_prob, anchors = None, net.start, 0, torch.tensor(0.0), []
        left = choices.tolist()
        for layer in range(3):
            for options in (3, 2):
                hidden, state = net.lstm(inputs[None, None], state)
                table = slice(row, row + options)
                choice = left.pop(0)
                log_prob = log_prob + (net.weight[table] @ hidden[0, 0] + net.bias[table]).log_softmax(0)[choice]
                inputs = net.embedding[row + choice]
                row += options
            hidden, state = net.lstm(inputs[None, None], state)
            anchors.append(hidden[0, 0])
            chosen = []
            for source in range(layer):
                mixed = torch.tanh(net.previous @ anchors[source] + net.current @ anchors[layer])
                probability = torch.sigmoid(net.attention @ mixed)
                bit = left.pop(0)
                log_prob = log_prob + torch.log(probability if bit else 1 - probability)
                chosen += [anchors[source]] if bit else []
            inputs = torch.stack(chosen).mean(0) if chosen else net.start
        assert net.score(choices[None]).log_prob.item() == pytest.approx(log_prob.item(), abs=1e-9)


def test_a_shallower_stack_scores_the_same_alone_and_padded(stack):
    deep, shallow = stack(layers=4), stack(layers=2)
    count = len(shallow.decisions)
    controller = make(deep)
    choices = controller.sample(10, seeded_generator(5), count)
    assert choices.shape == (10, count)
    padded = torch.cat([choices, torch.zeros(10, len(deep.decisions) - count, dtype=torch.int64)], dim=1)
    alone, masked = controller.score(choices), controller.score(padded, torch.full((10,), count))
    torch.testing.assert_close(alone.log_prob, masked.log_prob)
    torch.testing.assert_close(alone.entropy, masked.entropy)
    assert make(deep).double().score(everything(shallow)).log_prob.exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_heads_of_a_group_are_shared(stack):
    space = stack(layers=3)
    assert len(make(space, heads="decision").weight) == 3 * (3 + 2)
    assert len(make(space, heads="group").weight) == 3 + 2


def test_every_parameter_starts_uniform_in_the_range(stack):
    controller = Controller(stack(layers=5).decisions, 2, 35, 0.08, "decision", seeded_generator(0))
    for weights in controller.parameters():
        assert weights.dtype == torch.float32
        assert weights.abs().max() <= 0.08
    values = torch.cat([weights.flatten() for weights in controller.parameters()]).detach().numpy()
    assert stats.kstest(values, stats.uniform(-0.08, 0.16).cdf).pvalue > 1e-3


def test_every_parameter_learns(stack):
    controller = make(stack(layers=4), layers=2)
    controller.score(controller.sample(40, seeded_generator(0))).log_prob.mean().backward()
    assert all(weights.grad is not None and weights.grad.abs().sum() > 0 for weights in controller.parameters())


def test_large_seeds_are_not_truncated():
    draws = {torch.rand(1, generator=seeded_generator(seed)).item() for seed in (1, 1 + 2**32, 1 + 2**64)}
    assert len(draws) == 3


def test_one_thread_restores_the_number_of_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
