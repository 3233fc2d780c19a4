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
    if len(wanted) == 0:
        return np.empty(0)
    steps = np.concatenate([[0.0], np.cumsum(np.asarray(gaps, dtype=float))])
    # With x_i = z_i + steps_i the constraint is that z does not decrease: isotonic regression.
    levels: np.ndarray = np.array(rising((np.asarray(wanted, dtype=float) - steps).tolist()))
    return np.asarray(levels + steps)


def rising(wanted: Sequence[float]) -> list[float]:
    """Isotonic regression: the numbers that never decrease and are nearest to the wanted ones, by least squares.

    scipy.optimize has the same, and takes longer to import than most pictures take to draw.

    Args:
        wanted: n numbers, n >= 1.

    Returns:
        n numbers.

    Source: the pool-adjacent-violators algorithm in the form of Busing 2022, "Monotone regression: a simple and fast
    O(n) PAVA implementation".
    """
    means, sizes = [wanted[0]], [1]
    place, last = 1, len(wanted) - 1
    while place <= last:
        mean, size = wanted[place], 1
        if means[-1] >= mean:
            total = sizes[-1] * means.pop() + mean
            size += sizes.pop()
            mean = total / size
            while place < last and mean >= wanted[place + 1]:
                place += 1
                total += wanted[place]
                size += 1
                mean = total / size
            while means and means[-1] >= mean:
                total += sizes[-1] * means.pop()
                size += sizes.pop()
                mean = total / size
        means.append(mean)
        sizes.append(size)
        place += 1
    return [mean for mean, size in zip(means, sizes) for _ in range(size)]


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
