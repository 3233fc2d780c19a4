"""Acquisition functions: how promising a candidate is, by the predictions of an ensemble or of a Gaussian process."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Acquisition = Literal["its", "ucb", "ei", "pi", "ts", "mean"]
FloatArray = NDArray[np.float64]

LEAST_DEVIATION = 1e-9
UCB_WEIGHT = 0.5  # deviations added to the mean; the released code of BANANAS has 0.5


def center_and_scale(values: FloatArray) -> tuple[float, float]:
    """Return the numbers by which values are standardized.

    Args:
        values: [n], at least one, finite.

    Returns:
        Their mean and standard deviation; of equal values, the value and 1, since rounding may leave a mean beside it and a
        deviation of 1e-17, by which predictions would be scaled.
    """
    if values.min() == values.max():
        return float(values[0]), 1.0
    return float(values.mean()), float(values.std()) or 1.0


def acquire(
    kind: Acquisition,
    mean: FloatArray,
    deviation: FloatArray,
    best: float,
    members: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Compute how promising candidates are; the largest value is the most promising one.

    Args:
        kind: "its": a normal draw for each candidate, independently; "ucb": mean plus 0.5 deviations; "ei" and "pi":
            expected improvement on the best reward, and its probability; "ts": the prediction of one member of the
            ensemble for all candidates; "mean": the mean.
        mean: [n], predicted rewards.
        deviation: [n], their standard deviations, >= 0.
        best: the best reward so far.
        members: [members, n], predictions of which mean and deviation were made; read by "ts" only.
        rng: source of the draws of "its" and "ts".

    Returns:
        [n], values of any scale.

    Source: White et al. 2019 (1910.11858), section 4 (its) and the comparison of acquisition functions.
    """
    from scipy.stats import norm

    spread = np.maximum(deviation, LEAST_DEVIATION)
    if kind == "its":
        return rng.normal(mean, spread)
    if kind == "ucb":
        return mean + UCB_WEIGHT * deviation
    if kind == "ts":
        chosen: FloatArray = members[int(rng.integers(len(members)))]
        return chosen
    if kind == "mean":
        return mean
    gain = (mean - best) / spread
    improvement: FloatArray = norm.cdf(gain) if kind == "pi" else spread * (gain * norm.cdf(gain) + norm.pdf(gain))
    return improvement
