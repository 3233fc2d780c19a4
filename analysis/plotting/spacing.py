"""Spacing of labels beside a plot and of boxes in a drawing: move positions apart as little as possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def separate(wanted: Sequence[float], gaps: Sequence[float]) -> np.ndarray:
    """Move ordered positions as little as possible (least squares) until neighbours have their minimal distances.

    Args:
        wanted: n positions, whose order is kept.
        gaps: n - 1 smallest distances between neighbours, >= 0.

    Returns:
        n positions.
    """
    from scipy.optimize import isotonic_regression

    if len(wanted) == 0:
        return np.empty(0)
    steps = np.concatenate([[0.0], np.cumsum(np.asarray(gaps, dtype=float))])
    # With x_i = z_i + steps_i the constraint is that z does not decrease: isotonic regression.
    placed: np.ndarray = isotonic_regression(np.asarray(wanted, dtype=float) - steps).x + steps
    return placed


def spread(wanted: Sequence[float], gap: float) -> np.ndarray:
    """Move numbers as little as possible (least squares) until neighbours are at least `gap` apart.

    Their order is kept.

    Args:
        wanted: positions, in any order; ties keep their order.
        gap: the smallest distance, >= 0.

    Returns:
        One position for each wanted one.
    """
    order = np.argsort(np.asarray(wanted, dtype=float), kind="stable")
    placed = np.empty(len(order))
    placed[order] = separate(np.asarray(wanted, dtype=float)[order].tolist(), [gap] * (len(order) - 1))
    return placed
