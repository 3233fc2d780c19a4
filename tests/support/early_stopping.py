"""Strategies that stop trainings early on a small space, and outcomes to tell them."""

from __future__ import annotations

from typing import Any

from nasbench.runners.strategies import STRATEGIES, Outcome, Proposal, Strategy
from nasbench.spaces import get_space

SPACE = get_space("choices:4/3/4/5")


def made(name: str, seed: int = 0, **options: Any) -> Strategy[Any]:
    kind = STRATEGIES.get(name)
    return kind(SPACE, seed, kind.config_type(**options))


def outcome(index: int, proposal: Proposal, score: float) -> Outcome:
    curve = tuple(score for _ in range(proposal.epochs))
    return Outcome(index, proposal.architecture, "ok", curve, score, 1, 1, 1.0, proposal.epochs)


def failed(index: int, proposal: Proposal) -> Outcome:
    return Outcome(index, proposal.architecture, "failed", (), float("nan"), 1, 1, 1.0)


def quality(proposal: Proposal) -> float:
    """A score that depends on the choices alone: a smooth part, and one of each decision's pairs."""
    a, b, c, d = proposal.architecture.choices
    return 0.2 + 0.1 * a + 0.05 * b + (0.2 if c == d else 0.0) + 0.001 * d
