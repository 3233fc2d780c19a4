"""The cost of attempts that did not come back."""

from __future__ import annotations

from dataclasses import replace

from nasbench.evaluation import Evaluation


def with_lost(evaluation: Evaluation, seconds: float) -> Evaluation:
    """Charge the seconds of lost attempts to the one that came through.

    Args:
        evaluation: of the attempt that came back.
        seconds: of those before it, >= 0.
    """
    return replace(evaluation, setup_seconds=evaluation.setup_seconds + seconds) if seconds else evaluation
