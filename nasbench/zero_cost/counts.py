"""Counts as scores: the baselines that every zero-cost score should beat. No torch, no data but their shape."""

from __future__ import annotations

from nasbench.zero_cost.scoring_input import ScoringInput


def params(scoring_input: ScoringInput) -> float:
    """Trainable parameters, in closed form."""
    return float(scoring_input.architecture.space.count(scoring_input.architecture, scoring_input.scale).params)


def mult_adds(scoring_input: ScoringInput) -> float:
    """Multiply-adds for one image, in closed form."""
    return float(scoring_input.architecture.space.count(scoring_input.architecture, scoring_input.scale).mult_adds)
