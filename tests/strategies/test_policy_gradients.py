"""REINFORCE and PPO: gradients, batches of outcomes, rewards, growing depth, learning."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from nasbench.errors import InputError
from nasbench.runners.strategies.base import Outcome
from nasbench.runners.strategies.conformance import converse, made_up_outcome
from nasbench.runners.strategies.controllers.baseline import MovingAverage
from nasbench.runners.strategies.controllers.policy_gradient import Batch, PolicyGradient
from nasbench.runners.strategies.ppo import PPO, PPOConfig
from nasbench.runners.strategies.random import RandomSearch
from nasbench.runners.strategies.reinforce import Reinforce, ReinforceConfig
from nasbench.spaces.base import Architecture

BOTH = pytest.mark.parametrize("kind", [PPO, Reinforce])


def frozen(strategy: PolicyGradient) -> PolicyGradient:
    """With exact arithmetic and an optimizer that computes gradients and moves nothing."""
    strategy.controller.double()
    strategy.optimizer = torch.optim.SGD(strategy.controller.parameters(), lr=0.0)
    return strategy


def gradient(strategy: PolicyGradient) -> torch.Tensor:
    return torch.cat([weights.grad.flatten() for weights in strategy.controller.parameters()])


def batch_of(choices: torch.Tensor, log_probs: torch.Tensor, advantages: torch.Tensor) -> Batch:
    return Batch(choices, torch.full((len(choices),), choices.shape[1]), log_probs.detach(), advantages)


@pytest.mark.parametrize("baseline", [0.0, 0.7])
@pytest.mark.parametrize("kind", ["reinforce", "ppo"])
def test_expected_update_is_the_exact_policy_gradient(stack, kind: str, baseline: float):
    """Weighted by their probabilities, the updates of all architectures sum to the gradient of the expected reward."""
    space = stack(layers=2)
    strategy = frozen(
        Reinforce(space, 0, ReinforceConfig(hidden=6, init=1.0))
        if kind == "reinforce"
        else PPO(space, 0, PPOConfig(hidden=6, init=1.0, epochs=1, entropy_weight=0))
    )
    choices = torch.tensor(list(itertools.product(*(range(d.options) for d in space.decisions))))
    rewards = torch.rand(len(choices), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    log_probs = strategy.controller.score(choices).log_prob
    weights = list(strategy.controller.parameters())
    exact = torch.cat([part.flatten() for part in torch.autograd.grad((log_probs.exp() * rewards).sum(), weights)])

    estimate = torch.zeros_like(exact)
    for row, log_prob, reward in zip(choices, log_probs, rewards):
        strategy.update(batch_of(row[None], log_prob[None], reward[None] - baseline))
        estimate -= log_prob.exp().detach() * gradient(strategy)
    torch.testing.assert_close(estimate, exact, rtol=1e-8, atol=1e-10)
    assert exact.abs().max() > 1e-3


def test_ppo_ignores_what_is_clipped(row):
    strategy = frozen(PPO(row((2, 2)), 0, PPOConfig(epochs=1, entropy_weight=0)))
    choices = torch.tensor([[0, 1]])
    now = strategy.controller.score(choices).log_prob
    for shift, advantage, moves in ((0.3, 1.0, False), (0.3, -1.0, True), (-0.3, -1.0, False), (-0.3, 1.0, True)):
        strategy.update(batch_of(choices, now - shift, torch.tensor([advantage])))
        assert bool(gradient(strategy).abs().max() > 0) is moves


def test_ppo_rewards_entropy(row):
    space = row((4, 4, 4))
    everything = torch.tensor(list(itertools.product(range(4), repeat=3)))
    entropies = []
    for weight in (0.0, 1.0):
        strategy = PPO(space, 0, PPOConfig(init=1.0, entropy_weight=weight, learning_rate=0.01))
        for index in range(400):
            strategy.tell(made_up_outcome(index, strategy.ask(), 0.5))
        log_probs = strategy.controller.score(everything).log_prob
        entropies.append(-(log_probs.exp() * log_probs).sum().item())
    assert entropies[0] < entropies[1] - 0.3
    assert entropies[1] == pytest.approx(3 * math.log(4), abs=0.1)


def test_baseline_compares_with_earlier_rewards_only():
    baseline = MovingAverage(0.5)
    assert baseline.advantages([1.0, 0.0]) == [0.0, -1.0]
    assert baseline.value == 0.5
    assert baseline.advantages([1.5, 1.0]) == [1.0, 0.0]


@BOTH
def test_nothing_is_learned_before_a_batch_is_complete(row, kind):
    strategy = kind(row((4, 4)), 0)
    size = strategy.config.batch
    asked = [strategy.ask() for _ in range(3 * size)]
    start = [weights.clone() for weights in strategy.controller.parameters()]
    for index in range(size - 1):
        strategy.tell(made_up_outcome(index, asked[index], index / size))
    assert all(torch.equal(a, b) for a, b in zip(start, strategy.controller.parameters()))
    strategy.tell(made_up_outcome(2 * size, asked[2 * size], 1.0))
    assert not any(torch.equal(a, b) for a, b in zip(start, strategy.controller.parameters()))


@BOTH
def test_children_after_an_update_come_from_the_new_policy(row, kind):
    """What was drawn and not asked for before an update is dropped."""
    strategy = kind(row((4, 4, 4)), 0)
    size = strategy.config.batch
    asked = [strategy.ask() for _ in range(size + 3)]
    for index in range(size):
        strategy.tell(made_up_outcome(index, asked[index], index / size))
    fresh = strategy.ask()
    scored = strategy.controller.score(torch.tensor([fresh.choices])).log_prob.item()
    assert strategy._outstanding[size + 3].log_prob == pytest.approx(scored, abs=1e-6)


@BOTH
def test_other_seeds_ask_for_other_children(stack, kind):
    asked = [tuple(converse(kind(stack(layers=4), seed), 20).proposals) for seed in range(3)]
    assert len(set(asked)) == 3


@BOTH
def test_the_number_of_threads_changes_nothing(stack, kind):
    before = torch.get_num_threads()
    asked = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            asked.append(converse(kind(stack(layers=6), 0), 100).proposals)
    finally:
        torch.set_num_threads(before)
    assert asked[0] == asked[1]


@BOTH
def test_bad_tells_are_refused_and_change_nothing(row, kind):
    strategy = kind(row((4, 4)), 0)
    asked = strategy.ask()
    other = asked.space.decode([(choice + 1) % 4 for choice in asked.choices])
    good = made_up_outcome(0, asked, 0.5)
    with pytest.raises(InputError, match="child 3 is not outstanding"):
        strategy.tell(made_up_outcome(3, asked, 0.5))
    with pytest.raises(InputError, match="child 0 was proposed as"):
        strategy.tell(made_up_outcome(0, other, 0.5))
    with pytest.raises(InputError, match="status 'ok' and the reward nan"):
        strategy.tell(Outcome(0, asked, "ok", (), float("nan"), 1, 1, 1.0))
    strategy.tell(good)
    with pytest.raises(InputError, match="child 0 is not outstanding"):
        strategy.tell(good)


def test_rewards(row):
    space = row((2,))
    child = space.decode([0])

    def outcome(status: str, curve: tuple[float, ...], last: float) -> Outcome:
        return Outcome(0, child, status, curve, last, 1, 1, 1.0)

    curve = (0.9, 0.1, 0.5, 0.3, 0.2, 0.4)
    assert Reinforce(space, 0).reward(outcome("ok", curve, 0.4)) == pytest.approx(0.5**3)
    assert Reinforce(space, 0).reward(outcome("ok", (), 0.4)) == pytest.approx(0.4**3)
    assert (
        Reinforce(space, 0, ReinforceConfig(reward_epochs=6, reward_power=1)).reward(outcome("ok", curve, 0.4)) == 0.9
    )
    assert PPO(space, 0).reward(outcome("ok", curve, 0.4)) == 0.4
    for kind in (Reinforce, PPO, RandomSearch):
        assert kind(space, 0).reward(outcome("diverged", curve, float("nan"))) == 0


def test_depth_grows_with_the_children_asked_for(stack):
    config = ReinforceConfig(depth_start=2, depth_step=2, depth_every=10, batch=4)
    asked = converse(Reinforce(stack(layers=5), 0, config), 35, outstanding=6).proposals
    assert [child.space.layers for child in asked] == [2] * 10 + [4] * 10 + [5] * 15
    assert all(len(child.choices) == len(child.space.decisions) for child in asked)


def test_depth_is_an_error_where_there_are_no_layers(row):
    with pytest.raises(InputError, match="depth_start needs a space with the option 'layers', which 'row' has not"):
        Reinforce(row(), 0, ReinforceConfig(depth_start=2))


def favoured(architecture: Architecture) -> float:
    """Share of decisions at their last option."""
    return sum(
        choice == decision.options - 1 for choice, decision in zip(architecture.choices, architecture.space.decisions)
    ) / len(architecture.choices)


def late_mean(strategy, children: int, outstanding: int = 1) -> float:
    asked = converse(strategy, children, outstanding, score=favoured).proposals
    return sum(map(favoured, asked[-200:])) / 200


@pytest.mark.sampled(1)
@BOTH
@pytest.mark.parametrize("toy", ["row", "stack"])
def test_learning_beats_random(row, stack, kind, toy: str):
    space = row((4,) * 8) if toy == "row" else stack(layers=4)
    blind = late_mean(RandomSearch(space, 0), 1200)
    assert late_mean(kind(space, 0), 1200, outstanding=10) > blind + 0.25
