"""Densities over sequences of categorical choices, by kernels around known ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

SHARES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Widths that are tried, as shares of the width at which a kernel is uniform."""
MOST_FITTED = 128  # points by which the width is chosen: its cost grows with their square


class CategoricalDensity:
    """Mean of product kernels around points. One kernel keeps a choice with 1 - w and spreads w over the other options.

    The width w of a decision with c options is s (c - 1) / c. The share s is one of `SHARES`, that with the highest
    likelihood of each distinct point under the kernels of the other ones; 1 would be uniform. A point that occurs twice
    would be its own best prediction, and the smallest share would always win.

    Args:
        points: ints [points, decisions], at least one.
        options: number of options of each decision, each >= 1.

    Source: Aitchison, Aitken 1976, "Multivariate binary discrimination by the kernel method", for kernel and the choice of its
        width, extended to several options by them.
    """

    def __init__(self, points: IntArray, options: Sequence[int]) -> None:
        self._points, self._options = points, np.array(options)
        some = points[np.sort(np.unique(points, axis=0, return_index=True)[1])]
        if len(some) > MOST_FITTED:
            some = some[np.linspace(0, len(some) - 1, MOST_FITTED).astype(np.int64)]  # steps above 1: all differ
        self.share = SHARES[-1]
        if len(some) > 1:
            equal = self._equal(some, some)
            self.share = max(SHARES, key=lambda share: (self._left_out(equal, share), share))

    def _logs(self, share: float) -> tuple[FloatArray, FloatArray]:
        """Logarithms of a kernel's value for an equal and for another choice, [decisions] each."""
        width = share * (self._options - 1) / self._options
        others = np.maximum(self._options - 1, 1)
        return np.log1p(-width), np.log(np.where(self._options > 1, width, 1.0) / others)

    def _equal(self, points: IntArray, around: IntArray) -> list[FloatArray]:
        """For each decision, 1 where two points have the same choice and 0 elsewhere: [points, around]."""
        return [(mine[:, None] == others[None, :]).astype(np.float64) for mine, others in zip(points.T, around.T)]

    def _kernels(self, equal: list[FloatArray], share: float) -> FloatArray:
        """Logarithms of the kernels, [points, around]."""
        same, other = self._logs(share)
        found: FloatArray = np.full(equal[0].shape, other.sum())
        for decision, each in enumerate(equal):
            found += each * (same[decision] - other[decision])
        return found

    def _left_out(self, equal: list[FloatArray], share: float) -> float:
        kernels = self._kernels(equal, share)
        np.fill_diagonal(kernels, -np.inf)
        return float(np.logaddexp.reduce(kernels, axis=1).sum())

    def log(self, points: IntArray) -> FloatArray:
        """Compute the logarithm of the density.

        Args:
            points: ints [points, decisions].

        Returns:
            [points].
        """
        kernels = self._kernels(self._equal(points, self._points), self.share)
        return np.asarray(np.logaddexp.reduce(kernels, axis=1) - np.log(len(self._points)))

    def draw(self, rng: np.random.Generator, count: int, widening: float) -> IntArray:
        """Draw points.

        Args:
            rng: source of the draws.
            count: number of points, >= 1.
            widening: factor of the kernels' widths, >= 1; a kernel is at most uniform.

        Returns:
            Ints [count, decisions].
        """
        around = self._points[rng.integers(len(self._points), size=count)]
        uniform = (self._options - 1) / self._options
        width = np.minimum(widening * self.share, 1.0) * uniform
        moved = rng.random(around.shape) < width
        steps = 1 + (rng.random(around.shape) * np.maximum(self._options - 1, 1)).astype(np.int64)
        drawn: IntArray = np.where(moved, (around + steps) % self._options, around)
        return drawn
