"""The learning rate of each optimizer step."""

from __future__ import annotations

import math

from nasbench.protocols.protocol import Protocol

# Shares of the highest rate. Smith and Topin 2017 (arXiv 1708.07120) give none; these are the defaults of OneCycleLR.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1e-4 / 25


def learning_rates(protocol: Protocol, steps: int) -> list[float]:
    """Return the learning rate of each step of a training.

    - constant: `learning_rate`.
    - cosine: half a cosine from `learning_rate`, which would reach 0 one step after the last.
    - step: `learning_rate`, multiplied by `step_factor` at each of `step_milestones`, which are fractions of all steps.
    - one_cycle: half a cosine from 1/25 of `learning_rate` up to it over the fraction `warmup`, then half a cosine down
      to 1/250,000 of it.

    With the first three, the rate first rises linearly over the fraction `warmup` of the steps and reaches
    `learning_rate` at the last of them; the cosine takes the remaining steps.

    Args:
        protocol: schedule, learning rate, warm-up and milestones.
        steps: number of optimizer steps of the training, >= 1.

    Returns:
        `steps` learning rates.

    Source: Loshchilov and Hutter 2016 (arXiv 1608.03983) for the cosine, without restarts; Smith and Topin 2017
    (arXiv 1708.07120) for one_cycle, in the form of torch's OneCycleLR.
    """
    peak = protocol.learning_rate
    if protocol.schedule == "one_cycle":
        return [peak * _one_cycle(step, steps, protocol.warmup) for step in range(steps)]
    rising = round(protocol.warmup * steps)
    rates = [peak * (step + 1) / rising for step in range(rising)]
    return rates + [peak * _falling(protocol, step, rising, steps) for step in range(rising, steps)]


def _falling(protocol: Protocol, step: int, start: int, steps: int) -> float:
    if protocol.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - start) / (steps - start)))
    if protocol.schedule == "step":
        return protocol.step_factor ** sum(step >= share * steps for share in protocol.step_milestones)
    return 1.0


def _one_cycle(step: int, steps: int, rising_share: float) -> float:
    """Return the share of the highest rate; as in torch's OneCycleLR, step `rising_share * steps - 1` has all of it."""
    top, last = max(rising_share * steps - 1, 0.0), steps - 1
    if step < top:
        return _half_cosine(ONE_CYCLE_START, 1.0, step / top)
    return _half_cosine(1.0, ONE_CYCLE_END, (step - top) / (last - top)) if last > top else 1.0


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
