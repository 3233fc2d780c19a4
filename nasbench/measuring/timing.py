"""Repeated timing of several functions whose repetitions are interleaved, and the statistics of one function's seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError

Seconds = NDArray[np.float64]

LOW, HIGH = 0.05, 0.95
"""Quantiles that a timing states beside its median."""
FENCES: Final = 1.5
"""Distances between the quartiles beyond which a repetition is an outlier."""


@dataclass(frozen=True)
class Timing:
    """Statistics of the seconds of one function's calls. All calls enter, outliers too.

    Args:
        median: median in seconds.
        low: 5% quantile in seconds.
        high: 95% quantile in seconds.
        spread: median absolute deviation from the median, in seconds.
        minimum: shortest call in seconds.
        mean: mean in seconds.
        n: number of calls.
        outliers: calls that are farther from the quartiles than 1.5 times the distance between the quartiles.
    """

    median: float
    low: float
    high: float
    spread: float
    minimum: float
    mean: float
    n: int
    outliers: int

    @classmethod
    def of(cls, seconds: Sequence[float] | Seconds) -> Timing:
        """Compute the statistics.

        Args:
            seconds: seconds of each call, at least one.

        Returns:
            The statistics; quantiles are interpolated linearly, as numpy does by default.

        Raises:
            InputError: when there is no call.

        Source: Tukey 1977, "Exploratory Data Analysis", for the outliers.
        """
        values = np.asarray(seconds, dtype=float)
        if not len(values):
            raise InputError("a timing needs at least one call")
        low, first, median, third, high = np.quantile(values, [LOW, 0.25, 0.5, 0.75, HIGH]).tolist()
        fence = FENCES * (third - first)
        return cls(
            median=median,
            low=low,
            high=high,
            spread=float(np.median(np.abs(values - median))),
            minimum=float(values.min()),
            mean=float(values.mean()),
            n=len(values),
            outliers=int(((values < first - fence) | (values > third + fence)).sum()),
        )


def interleaved_seconds(
    calls: Sequence[Callable[[], object]],
    repetitions: int,
    warm_up: int = 1,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
    after_round: Callable[[int], None] | None = None,
) -> Seconds:
    """Time functions in rounds: each round times every function once, in a new random order.

    A slow phase of the machine therefore falls on all functions alike, and no function always follows the same other
    one. Directly before each timed call the function is called once without timing, so that caches hold its data.

    Args:
        calls: the functions; each returns when its work is done.
        repetitions: number of rounds, >= 1.
        warm_up: calls of each function before the first round, >= 0; they are not timed.
        seed: seed of the orders, >= 0.
        clock: returns seconds since any fixed moment.
        after_round: called after each round with its number, from 1; None for nothing.

    Returns:
        Seconds, shape [functions, repetitions].

    Raises:
        InputError: when a number is out of range.
    """
    if repetitions < 1 or warm_up < 0:
        raise InputError(f"repetitions >= 1 and warm-up >= 0 are needed, got {repetitions} and {warm_up}")
    rng = np.random.default_rng(seed)
    seconds = np.empty((len(calls), repetitions))
    for call in calls:
        for _ in range(warm_up):
            call()
    for repetition in range(repetitions):
        for place in rng.permutation(len(calls)).tolist():
            call = calls[place]
            call()
            began = clock()
            call()
            seconds[place, repetition] = clock() - began
        if after_round is not None:
            after_round(repetition + 1)
    return seconds
