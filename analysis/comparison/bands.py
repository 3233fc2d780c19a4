"""Medians over seeds by budget, with pointwise and simultaneous bootstrap bands over whole runs."""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS
from nasbench.analysis.plotting import style
from nasbench.costs.units import DEVICE_HOURS

MEASURES = {"val_acc": "Best validation accuracy so far", "test_acc": "Test accuracy of the incumbent"}
_COLUMNS = ("median", "low", "high", "all_low", "all_high")
_CHUNK = 100  # bootstrap resamples per step, which limits memory


def bands(data: pd.DataFrame, seed: int = 0, level: float = 0.95, resamples: int = 1000) -> pd.DataFrame:
    """Compute the median over seeds at each budget, with an interval per budget and a simultaneous band.

    Args:
        data: result of `anytime`.
        seed: seed of the bootstrap over whole runs; the same seed gives the same numbers, regardless of the other
            strategies.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 1.

    Returns:
        strategy, by, measure (val_acc, test_acc), budget, runs (of the strategy), n (with a score at that budget),
        median; low, high (pointwise: percentile bootstrap interval of the median at this budget alone); all_low,
        all_high (simultaneous: the whole line is between them with that coverage; NaN at budgets at which not all runs
        that ever have a score have one); interval (description of low and high). With fewer than 5 scores low and high
        are their range, there is no band, and the text says so.

    Source: simultaneous percentile bands by the rank of a resampled line's most extreme point, Mandel & Betensky 2008,
    "Simultaneous
        confidence intervals based on the percentile bootstrap approach".
    """
    parts = []
    for strategy in style.in_order(data["strategy"].tolist()):
        rows = data[data["strategy"] == strategy]
        for measure in MEASURES:
            wide = rows.pivot(index="run", columns="budget", values=measure)
            values = wide.to_numpy(dtype=float)
            n = np.isfinite(values).sum(axis=0)
            found = _intervals(values, generator(seed, strategy, measure), level, resamples)
            parts.append(
                pd.DataFrame(
                    {
                        "strategy": strategy,
                        "by": rows["by"].iloc[0],
                        "measure": measure,
                        "budget": wide.columns.to_numpy(dtype=float),
                        "runs": len(wide),
                        "n": n,
                        **found,
                        "interval": [interval_name(count, level) for count in n],
                        "unit": rows["unit"].iloc[0] if "unit" in rows else DEVICE_HOURS,
                    }
                )
            )
    columns = ["strategy", "by", "measure", "budget", "runs", "n", *_COLUMNS, "interval", "unit"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def interval_name(n: int, level: float = 0.95) -> str:
    """Describe the interval of a median over n seeds.

    Args:
        n: number of seeds with a score, >= 0.
        level: coverage in (0, 1).

    Returns:
        A short text with n and the kind of interval.
    """
    if n < 2:
        return "n=1" if n else "no score"
    return f"n={n}: range, insufficient" if n < ENOUGH_SEEDS else f"n={n}: {level:.0%} bootstrap"


def generator(seed: int, *names: str) -> np.random.Generator:
    """Make a generator from a seed and a purpose, so a result does not depend on which other results are computed.

    Args:
        seed: the seed, >= 0.
        names: texts that name the purpose.

    Returns:
        The generator.
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def median_interval(
    scores: np.ndarray, rng: np.random.Generator, level: float, resamples: int
) -> tuple[float, float, float]:
    """Median of numbers (NaN: no score) with its percentile bootstrap interval, or their range if fewer than 5.

    Args:
        scores: numbers, [n].
        rng: generator of the resamples.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 1.

    Returns:
        Median, lower and upper limit.
    """
    found = _intervals(scores[:, None], rng, level, resamples)
    return float(found["median"][0]), float(found["low"][0]), float(found["high"][0])


def _intervals(values: np.ndarray, rng: np.random.Generator, level: float, resamples: int) -> dict[str, np.ndarray]:
    """Median, interval and band of each column of `values` [runs, budgets] (NaN: no score); NaN for empty columns."""
    found = {name: np.full(values.shape[1], np.nan) for name in _COLUMNS}
    finite = np.isfinite(values)
    most = finite.any(axis=1).sum()
    for pattern in np.unique(finite, axis=1).T:
        columns = (finite == pattern[:, None]).all(axis=0)
        scores = values[pattern][:, columns]
        if not len(scores):
            continue
        found["median"][columns] = np.median(scores, axis=0)
        if len(scores) < ENOUGH_SEEDS:
            found["low"][columns], found["high"][columns] = scores.min(axis=0), scores.max(axis=0)
            continue
        medians = _resampled_medians(scores, rng, resamples)
        tail = (1 - level) / 2
        found["low"][columns], found["high"][columns] = np.quantile(medians, [tail, 1 - tail], axis=0)
        if len(scores) == most:
            found["all_low"][columns], found["all_high"][columns] = simultaneous_band(medians, level)
    return found


def _resampled_medians(scores: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    picks = rng.integers(len(scores), size=(resamples, len(scores)))
    return np.concatenate(
        [np.median(scores[picks[start : start + _CHUNK]], axis=1) for start in range(0, resamples, _CHUNK)]
    )


def simultaneous_band(lines: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Find the narrowest band between equal ranks from below and above that contains a share `level` of whole lines.

    Args:
        lines: resampled lines, [resamples, points].
        level: share of lines, in (0, 1).

    Returns:
        Lower and upper edge, [points] each.
    """
    from scipy.stats import rankdata

    count = len(lines)
    from_below = rankdata(lines, method="max", axis=0)  # number of lines at or below, which puts ties inside
    from_above = count + 1 - rankdata(lines, method="min", axis=0)
    depth = np.minimum(from_below, from_above).min(axis=1).astype(int)  # rank of each line's most extreme point, from 1
    rank = int(np.sort(depth)[int(np.floor((1 - level) * count))])
    ordered = np.sort(lines, axis=0)
    return ordered[rank - 1], ordered[count - rank]
