"""What rejecting draws means for a policy gradient (docs/theory.md): the equation, by exact sums over a small space."""

from __future__ import annotations

import itertools

import pytest
import torch
from small_spaces import Row

from nasbench.runners.strategies.controllers.controller import Controller, seeded_generator
from nasbench.runners.strategies.controllers.fitting import sample_fitting
from nasbench.spaces.constrained import CountsAt, Limits, constrained, parse_limits
from nasbench.structures import Scale

SPACE = Row()
VIEW = constrained(SPACE, Limits(parse_limits("2 <= params <= 4"), CountsAt(Scale())))
ALL = torch.tensor(list(itertools.product(*(range(decision.options) for decision in SPACE.decisions))))
FITS = torch.tensor([VIEW.allows(SPACE.decode(row)) for row in ALL.tolist()])


def made() -> Controller:
    return Controller(SPACE.decisions, 1, 6, 0.5, "decision", seeded_generator(0))


def gradient(value: torch.Tensor, controller: Controller) -> torch.Tensor:
    parts = torch.autograd.grad(value, list(controller.parameters()), retain_graph=True, allow_unused=True)
    return torch.cat([part.flatten() for part in parts if part is not None])


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_the_gradient_is_that_of_the_reward_among_what_fits_and_a_term_that_the_baseline_cancels(
    baseline: float,
) -> None:
    controller = made()
    rewards = torch.rand(len(ALL), generator=torch.Generator().manual_seed(1))
    log_p = controller.score(ALL).log_prob
    fitting = log_p.exp()[FITS].sum()
    restricted = log_p.exp()[FITS] / fitting
    expected = (restricted * rewards[FITS]).sum()
    update = gradient((restricted.detach() * (rewards[FITS] - baseline) * log_p[FITS]).sum(), controller)
    other = (expected.detach() - baseline) * gradient(fitting.log(), controller)
    torch.testing.assert_close(update, gradient(expected, controller) + other, rtol=1e-3, atol=1e-6)
    assert other.abs().max() > 1e-3  # without the term the equation would not hold
    at_the_expected_reward = gradient(
        (restricted.detach() * (rewards[FITS] - expected.detach()) * log_p[FITS]).sum(), controller
    )
    torch.testing.assert_close(at_the_expected_reward, gradient(expected, controller), rtol=1e-3, atol=1e-6)


def test_draws_that_fit_keep_their_relative_probabilities() -> None:
    controller = made()
    with torch.no_grad():
        drawn = sample_fitting(controller, VIEW, 20_000, seeded_generator(3))
        p = controller.score(ALL).log_prob.exp() * FITS
    assert drawn.choices.shape == (20_000, len(SPACE.decisions))
    assert [list(each.choices) for each in drawn.architectures[:50]] == drawn.choices[:50].tolist()
    found = (drawn.choices[:, None] == ALL).all(-1).sum(0) / 20_000
    assert found[~FITS].sum() == 0
    assert (found - p / p.sum()).abs().max() < 0.01


def test_without_limits_a_batch_is_one_call_of_the_controller() -> None:
    controller = made()
    with torch.no_grad():
        drawn = sample_fitting(controller, SPACE, 32, seeded_generator(3))
        assert torch.equal(drawn.choices, controller.sample(32, seeded_generator(3)))
