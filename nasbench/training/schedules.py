"""The learning rate of every step, in closed form."""

from __future__ import annotations

import math

from nasbench.protocols.protocol import Protocol

# Source: Smith and Topin 2017 (1708.07120) give no ratios; these are the defaults of torch's OneCycleLR.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1e-4 / 25


def learning_rates(protocol: Protocol, steps: int) -> list[float]:
    """Learning rates of `steps` optimizer steps.

    constant: the peak rate. cosine: from the peak towards 0, which the step after the last would have. step: times
    `step_factor` from each milestone on. Each of the three may start with `warmup` of linear growth, in which the last step has the
    full rate; the course then runs over the rest (step's milestones stay shares of the whole).
    one_cycle: from 1/25 of the peak to the peak over `warmup`, then to 1/250,000, both half a cosine.
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
    """Share of the peak rate, as torch's OneCycleLR has it: the peak is reached at step rising_share * steps - 1."""
    top, last = max(rising_share * steps - 1, 0.0), steps - 1
    if step < top:
        return _half_cosine(ONE_CYCLE_START, 1.0, step / top)
    return _half_cosine(1.0, ONE_CYCLE_END, (step - top) / (last - top)) if last > top else 1.0


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
