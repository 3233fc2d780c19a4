"""Learning rates against torch's schedulers and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.optim import SGD, lr_scheduler

from nasbench.protocols.protocol import Protocol
from nasbench.training.schedules import learning_rates


def of_torch(make_scheduler, steps: int, rate: float) -> list[float]:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_cosine_is_torchs(steps: int) -> None:
    theirs = of_torch(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, steps), steps, 0.3)
    assert learning_rates(Protocol(learning_rate=0.3, schedule="cosine"), steps) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("milestones", [(0.5, 0.75), (0.1,), (1 / 3, 0.5, 0.9)])
def test_step_is_torchs(milestones: tuple[float, ...]) -> None:
    steps, factor = 100, 0.2
    places = [math.ceil(share * steps) for share in milestones]
    theirs = of_torch(lambda optimizer: lr_scheduler.MultiStepLR(optimizer, places, factor), steps, 0.1)
    ours = Protocol(learning_rate=0.1, schedule="step", step_milestones=milestones, step_factor=factor)
    assert learning_rates(ours, steps) == pytest.approx(theirs)


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.3), (64, 0.25), (10, 0.5), (1000, 0.05)])
def test_one_cycle_is_torchs(steps: int, warmup: float) -> None:
    theirs = of_torch(
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.4, total_steps=steps, pct_start=warmup, cycle_momentum=False
        ),
        steps - 1,
        0.4,
    )
    ours = learning_rates(Protocol(learning_rate=0.4, schedule="one_cycle", warmup=warmup), steps)
    assert ours[:-1] == pytest.approx(theirs)
    assert ours[-1] == pytest.approx(0.4 / 25 * 1e-4)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_one_cycle_without_a_rise_starts_at_the_peak(steps: int) -> None:
    rates = learning_rates(Protocol(learning_rate=0.4, schedule="one_cycle", warmup=0.0), steps)
    assert rates[0] == 0.4
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_warm_up_grows_linearly_and_then_the_course_runs(schedule: str) -> None:
    rates = learning_rates(Protocol(learning_rate=1.0, schedule=schedule, warmup=0.2), 50)
    assert rates[:10] == pytest.approx([step / 10 for step in range(1, 11)])
    assert rates[10] == 1.0
    cosine = [0.5 * (1 + math.cos(math.pi * step / 40)) for step in range(40)]
    course = {"constant": [1.0] * 40, "cosine": cosine, "step": [1.0] * 15 + [0.1] * 13 + [0.01] * 12}
    assert rates[10:] == pytest.approx(course[schedule])


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step", "one_cycle"])
@pytest.mark.parametrize("warmup", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("steps", [1, 2, 5, 33])
def test_every_rate_is_positive_and_at_most_the_peak(schedule: str, warmup: float, steps: int) -> None:
    rates = learning_rates(Protocol(learning_rate=0.7, schedule=schedule, warmup=warmup), steps)
    assert len(rates) == steps
    assert all(0 < rate <= 0.7 + 1e-12 for rate in rates)
