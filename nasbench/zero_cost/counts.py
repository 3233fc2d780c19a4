"""Counts as scores: the baselines for every other zero-cost score. They need no torch, and only the data's shape."""

from __future__ import annotations

from nasbench.zero_cost.scoring_input import ScoringInput


def params(scoring_input: ScoringInput) -> float:
    """Count the trainable parameters of a network, in closed form.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        Number of parameters, >= 0.
    """
    return float(scoring_input.architecture.space.count(scoring_input.architecture, scoring_input.scale).params)


def mult_adds(scoring_input: ScoringInput) -> float:
    """Count the multiply-adds of a network for one image, in closed form.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        Number of multiply-adds, >= 0.
    """
    return float(scoring_input.architecture.space.count(scoring_input.architecture, scoring_input.scale).mult_adds)
