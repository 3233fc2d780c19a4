"""Conditions that no positive numbers satisfy are found, and no other ones."""

from __future__ import annotations

import random

import pytest

from nasbench.errors import InputError
from nasbench.expressions import parse_condition
from nasbench.expressions.ranges import can_hold
from nasbench.spaces.constrained import parse_limits

NAMES = ("params", "mult_adds", "latency")


@pytest.mark.parametrize(
    "text",
    [
        "latency <= -1 ms",
        "latency < 0",
        "params <= 0",
        "params <= 100k and latency < 0 s",
        "params < 0 or latency <= -1",
        "params > 20k and params < 10k",
        "params >= 20k and 20k > params",
        "10k >= params >= 20k",
        "params == 1000 and params == 2000",
        "params in [-1, 0]",
        "-params > 0",
        "params + latency <= 0",
        "2 * params < -1",
        "not params > 0",
        "not (params > 0 or latency < 5 ms)",
    ],
)
def test_limits_that_nothing_satisfies_are_refused_at_once(text):
    with pytest.raises(InputError, match="holds for no architecture: params, mult_adds, latency are above 0") as caught:
        parse_limits(text, latency=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "latency <= 1 us",
        "params <= 1",
        "params > 0",
        "params - mult_adds < 0",
        "params >= 10k and params <= 10k",
        "params * latency <= 0.000001",
        "3 - params >= 3",
        "log10(params) < -5",
        "params / mult_adds <= 0.01",
        "not params > 100k",
        "params != 100",
        "params in [-1, 5]",
        "params < 0 or mult_adds < 20M",
    ],
)
def test_other_limits_are_not(text):
    assert can_hold(parse_limits(text, latency=True))


def number(rng: random.Random, depth: int = 0) -> str:
    if depth == 2 or rng.random() < 0.5:
        return rng.choice(NAMES) if rng.random() < 0.5 else f"{rng.randint(-3, 3)}"
    return f"({number(rng, depth + 1)} {rng.choice('+-*/')} {number(rng, depth + 1)})"


def condition(rng: random.Random, depth: int = 0) -> str:
    if depth == 2 or rng.random() < 0.4:
        return f"{number(rng)} {rng.choice(['<', '<=', '>', '>=', '==', '!='])} {number(rng)}"
    if rng.random() < 0.25:
        return f"not ({condition(rng, depth + 1)})"
    return f"(({condition(rng, depth + 1)}) {rng.choice(['and', 'or'])} ({condition(rng, depth + 1)}))"


def test_a_condition_that_holds_somewhere_is_never_said_to_hold_nowhere():
    rng, impossible = random.Random(0), 0
    for _ in range(1500):
        parsed = parse_condition(condition(rng), dict.fromkeys(NAMES, "number"))
        if not can_hold(parsed):
            impossible += 1
            for _ in range(60):
                values = {name: rng.choice([0.5, 1, 2, 3, 1e-9, 1e9, rng.random() * 4]) for name in NAMES}
                assert not parsed.evaluate(values), (str(parsed), values)
    assert impossible > 100
