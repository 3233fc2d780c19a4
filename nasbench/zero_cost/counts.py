"""Counts as scores: the baselines that every zero-cost score should beat. No torch, no data but their shape."""

from __future__ import annotations

from nasbench.zero_cost.scoring_input import Subject


def params(subject: Subject) -> float:
    """Trainable parameters, in closed form."""
    return float(subject.architecture.space.count(subject.architecture, subject.scale).params)


def mult_adds(subject: Subject) -> float:
    """Multiply-adds for one image, in closed form."""
    return float(subject.architecture.space.count(subject.architecture, subject.scale).mult_adds)
