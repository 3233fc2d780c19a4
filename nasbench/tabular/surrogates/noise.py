"""The noise of a surrogate: how far a training ends from the prediction, by the height of the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LEVELS: Final = (0.5, 0.8, 0.95)
"""Coverages of the intervals whose calibration is measured."""
_GROUP: Final = 40  # residuals per spread
_MOST_GROUPS: Final = 10
_QUANTILES: Final = 101
MOST_NUMBERS: Final = 1000
_LEAST: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Noise:
    """Distribution of a score around its prediction: a shape, and a spread that depends on the prediction.

    Args:
        places: [groups], rising predictions at which the spread is known; between them it is interpolated.
        spreads: [groups], standard deviations at these places, > 0.
        quantiles: [quantiles], not falling: equidistant quantiles of the deviations divided by their spread.

    Raises:
        ValueError: when the numbers are no such distribution.
    """

    places: FloatArray
    spreads: FloatArray
    quantiles: FloatArray

    def __post_init__(self) -> None:
        lengths = [len(self.places), len(self.spreads), len(self.quantiles)]
        if min(lengths) < 1 or max(lengths) > MOST_NUMBERS or lengths[0] != lengths[1] or lengths[2] < 2:
            raise ValueError(f"a noise model has {lengths} numbers")
        if not all(np.isfinite(each).all() for each in (self.places, self.spreads, self.quantiles)):
            raise ValueError("a number of the noise model is not finite")
        if (np.diff(self.places) <= 0).any() or (np.diff(self.quantiles) < 0).any() or (self.spreads <= 0).any():
            raise ValueError("places or quantiles of the noise model do not rise, or a spread is not positive")

    def spread(self, predictions: FloatArray) -> FloatArray:
        """Return the standard deviation at predictions.

        Args:
            predictions: [networks].

        Returns:
            [networks], each > 0.
        """
        found: FloatArray = np.interp(predictions, self.places, self.spreads)
        return found

    def at(self, predictions: FloatArray, shares: FloatArray) -> FloatArray:
        """Return quantiles of the deviation from predictions.

        Args:
            predictions: [networks].
            shares: [networks] or a number, in [0, 1].

        Returns:
            [networks], deviations.
        """
        grid = np.linspace(0.0, 1.0, len(self.quantiles))
        found: FloatArray = self.spread(predictions) * np.interp(shares, grid, self.quantiles)
        return found


def fit_noise(predictions: FloatArray, deviations: FloatArray) -> Noise:
    """Fit the noise to deviations from predictions that were made without the networks in question.

    Args:
        predictions: [trainings], held-out predictions.
        deviations: [trainings], score minus prediction.

    Returns:
        The noise: spreads in up to 10 groups of equal size by prediction, each of at least 40 trainings where there are as
        many, and one shape for all.
    """
    groups = int(np.clip(len(predictions) // _GROUP, 1, _MOST_GROUPS))
    parts = np.array_split(np.argsort(predictions, kind="stable"), groups)
    places = np.array([predictions[part].mean() for part in parts])
    spreads = np.array([max(float(np.sqrt(np.mean(deviations[part] ** 2))), _LEAST) for part in parts])
    places, first = np.unique(places, return_index=True)
    spreads = spreads[first]
    shares = np.linspace(0.0, 1.0, _QUANTILES)
    quantiles = np.quantile(deviations / np.interp(predictions, places, spreads), shares)
    return Noise(places, spreads, np.maximum.accumulate(quantiles))


def calibration(predictions: FloatArray, scores: FloatArray, folds: NDArray[np.int64]) -> dict[str, float]:
    """Measure how often held-out scores are within the stated intervals.

    The noise is fitted on the deviations of the other folds, so neither prediction nor interval has seen the score.

    Args:
        predictions: [trainings], held-out predictions.
        scores: [trainings].
        folds: ints [trainings], the fold of each.

    Returns:
        "within_50", "within_80" and "within_95": shares in [0, 1] of scores within the central intervals; "nll": mean
        negative log likelihood in nats of normal distributions with the stated spreads.
    """
    within = np.zeros((len(LEVELS), len(scores)), dtype=bool)
    nll = np.zeros(len(scores))
    for fold in np.unique(folds):
        here = folds == fold
        noise = fit_noise(predictions[~here], (scores - predictions)[~here])
        deviation, spread = (scores - predictions)[here], noise.spread(predictions[here])
        for row, level in zip(within, LEVELS):
            low, high = (noise.at(predictions[here], share) for share in _tails(level))
            row[here] = (low <= deviation) & (deviation <= high)
        nll[here] = 0.5 * np.log(2 * np.pi * spread**2) + 0.5 * (deviation / spread) ** 2
    shares = {f"within_{round(100 * level)}": float(row.mean()) for level, row in zip(LEVELS, within)}
    return {**shares, "nll": float(nll.mean())}


def _tails(level: float) -> Sequence[FloatArray]:
    return np.array((1 - level) / 2), np.array((1 + level) / 2)
