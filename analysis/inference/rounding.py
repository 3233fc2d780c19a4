"""Ties of means and differences, which rounding errors would break: tests of ranks would take these for differences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DIGITS = 12  # that count, of 15 to 16: sums of thousands of scores are wrong in the last three


def tied(values: Floats, scale: float) -> Floats:
    """Round values so that those that differ by rounding errors alone are equal.

    0.96 - 0.95 and 0.90 - 0.89 are one difference on paper, and two as floating-point numbers.

    Args:
        values: means or differences, of any shape; NaN stays NaN.
        scale: size of the largest score that they were computed from, >= 0; 0 or NaN leaves them as they are.

    Returns:
        The values, rounded to 12 digits of the scale.
    """
    if not 0 < scale < math.inf:
        return values
    rounded: Floats = np.round(values, DIGITS - 1 - math.floor(math.log10(scale)))
    return rounded + 0.0  # no negative zeros
