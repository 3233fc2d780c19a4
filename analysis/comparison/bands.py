"""Medians over seeds by budget, with pointwise intervals and, from 10 runs on, a band for the whole line."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from nasbench.analysis.inference.intervals import LEVEL, median_rank
from nasbench.analysis.plotting import style
from nasbench.costs.units import DEVICE_HOURS
from nasbench.scores import judged_by

ORDER_STATISTICS = "order statistics"
MEASURES = {"val_acc": "Best validation accuracy so far", "test_acc": "Test accuracy of the incumbent"}
_TITLES = {"val_acc": "Best {} so far", "test_acc": "{} of the incumbent"}
_COLUMNS = ("median", "low", "high", "all_low", "all_high")
LEAST_FOR_BANDS = 10  # runs from which simultaneous bands cover as they say, by measurement (docs/statistics.md)


def title(measure: str) -> str:
    """Title of a plot of a measure.

    Args:
        measure: a key of `MEASURES`.

    Returns:
        The text, with the name of the score by which the runs are judged.
    """
    score = judged_by()
    return MEASURES[measure] if score.is_accuracy else _TITLES[measure].format(score.words(measure))


def bands(data: pd.DataFrame, seed: int = 0, level: float = LEVEL, resamples: int = 2000) -> pd.DataFrame:
    """Compute the median over seeds at each budget, with an interval per budget and a simultaneous band.

    Args:
        data: result of `anytime`, with the scores at least.
        seed: seed of the drawn signs of the band; the same seed gives the same numbers, regardless of the other
            strategies.
        level: coverage in (0, 1).
        resamples: drawn signs of whole runs for the band, >= 1.

    Returns:
        Scores in their own direction. strategy, by, measure (val_acc, test_acc, which stand for the validation and the
        test score), budget, runs (of the strategy), n (with a score at that budget),
        median; low, high (pointwise: order statistics around the median at this budget alone, of the exact coverage
        that interval gives); all_low, all_high (simultaneous: the whole line is between them with that coverage; NaN
        with fewer than 10 runs, and at budgets at which not all runs that ever have a score have one); interval
        (description of low and high); spent (by the strategy's run that spent most). With fewer than 5 scores low and
        high are their range, there is no band, and the text says so.

    Source: order statistics: see `inference.intervals.median_interval`; the band: `simultaneous_rank`.
    """
    columns = ["strategy", "by", "measure", "budget", "runs", "n", *_COLUMNS, "interval", "spent", "unit"]
    if data.empty:
        return pd.DataFrame(columns=columns)
    places = data.groupby("strategy", sort=False, observed=True).indices
    run, budget = pd.factorize(data["run"], sort=True)[0], data["budget"].to_numpy(dtype=float)
    by, unit = data["by"].iloc[0], data["unit"].iloc[0] if "unit" in data else DEVICE_HOURS
    scores = {measure: data[measure].to_numpy(dtype=float) for measure in MEASURES}
    spent = data["spent"].to_numpy(dtype=float)
    parts: list[dict[str, Any]] = []  # columns of single values and arrays: thousands of frames would take seconds
    for strategy in style.in_order(list(places)):
        rows = places[strategy]
        runs, row = np.unique(run[rows], return_inverse=True)
        budgets, column = np.unique(budget[rows], return_inverse=True)
        for measure in MEASURES:
            values = np.full((len(runs), len(budgets)), np.nan)
            values[row, column] = scores[measure][rows]
            n = np.isfinite(values).sum(axis=0)
            parts.append(
                {
                    "strategy": strategy,
                    "measure": measure,
                    "budget": budgets,
                    "runs": len(runs),
                    "n": n,
                    **_intervals(values, partial(generator, seed, strategy, measure), level, resamples),
                    "interval": [interval_name(count, level) for count in n.tolist()],
                    "spent": float(np.fmax.reduce(spent[rows])),
                }
            )
    lengths = [len(part["budget"]) for part in parts]
    whole: dict[str, Any] = {"by": by, "unit": unit}
    for name in ("strategy", "measure", "runs", "spent"):
        whole[name] = pd.Series([part[name] for part in parts]).repeat(lengths).reset_index(drop=True)
    for name in ("budget", "n", *_COLUMNS):
        whole[name] = np.concatenate([part[name] for part in parts])
    whole["interval"] = [name for part in parts for name in part["interval"]]
    ends = (("low", "high"), ("all_low", "all_high"))
    return judged_by().shown(pd.DataFrame(whole)[columns], ["median"], ends)


@lru_cache(maxsize=1024)
def interval_name(n: int, level: float = LEVEL) -> str:
    """Describe the interval of a median over n seeds.

    Args:
        n: number of seeds with a score, >= 0.
        level: coverage in (0, 1).

    Returns:
        A short text with n and the kind of interval.
    """
    if n < 2:
        return "n=1" if n else "no score"
    rank, coverage = median_rank(n, level)
    return f"n={n}: {coverage:.0%} {ORDER_STATISTICS}" if rank else f"n={n}: range, insufficient"


def with_simultaneous(data: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Replace pointwise intervals by simultaneous bands at the budgets that have one.

    Args:
        data: result of `bands`.
        level: coverage of the bands in (0, 1), for their name.

    Returns:
        `data` with the bands in its columns `low` and `high`, and their name in `interval`.
    """
    known = data["all_low"].notna()
    names = [f"n={n}: {level:.0%} simultaneous" for n in data["n"]]
    return data.assign(
        low=data["low"].mask(known, data["all_low"]),
        high=data["high"].mask(known, data["all_high"]),
        interval=data["interval"].mask(known, pd.Series(names, index=data.index)),
    )


def without_simultaneous(data: pd.DataFrame) -> list[str]:
    """Name the strategies whose bands stay pointwise where simultaneous ones were asked for.

    Args:
        data: result of `bands`.

    Returns:
        A sentence, or none if every strategy has simultaneous bands.
    """
    known = data["all_low"].notna().groupby(data["strategy"]).any()
    names = [str(name) for name in style.in_order(known.index[~known].tolist())]
    return [f"No simultaneous band of {', '.join(names)}: what is drawn is of each budget by itself."] if names else []


def generator(seed: int, *names: str) -> np.random.Generator:
    """Make a generator from a seed and a purpose, so a result does not depend on which other results are computed.

    Args:
        seed: the seed, >= 0.
        names: texts that name the purpose.

    Returns:
        The generator.
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def median_with_ends(scores: np.ndarray, level: float = LEVEL) -> tuple[float, float, float]:
    """Median of scores with its order-statistic interval, or their range if they are fewer than 5.

    Args:
        scores: the scores, [n]; NaN for none.
        level: coverage in (0, 1).

    Returns:
        Median, lower and upper end; NaN without a score. Their name is that of `interval_name`.
    """
    known = np.sort(scores[np.isfinite(scores)])
    if not len(known):
        return (np.nan,) * 3
    rank = max(1, median_rank(len(known), level)[0])
    return float(np.median(known)), float(known[rank - 1]), float(known[-rank])


def _intervals(
    values: np.ndarray, rng: Callable[[], np.random.Generator], level: float, resamples: int
) -> dict[str, np.ndarray]:
    """Median, interval and band of each column of `values` [runs, budgets] (NaN: no score); NaN for empty columns."""
    found = {name: np.full(values.shape[1], np.nan) for name in _COLUMNS}
    finite = np.isfinite(values)
    most, drawing = finite.any(axis=1).sum(), None
    for pattern in finite[:, :1].T if (finite == finite[:, :1]).all() else np.unique(finite, axis=1).T:
        columns = (finite == pattern[:, None]).all(axis=0)
        scores = np.sort(values[pattern][:, columns], axis=0)
        if not len(scores):
            continue
        found["median"][columns] = np.median(scores, axis=0)
        rank = max(1, median_rank(len(scores), level)[0])
        found["low"][columns], found["high"][columns] = scores[rank - 1], scores[-rank]
        if len(scores) == most >= LEAST_FOR_BANDS:
            drawing = drawing or rng()  # one for all columns; making it takes longer than a median
            rank = simultaneous_rank(values[pattern][:, columns], drawing, level, resamples)
            if rank:
                found["all_low"][columns], found["all_high"][columns] = scores[rank - 1], scores[-rank]
    return found


def simultaneous_rank(lines: np.ndarray, rng: np.random.Generator, level: float = LEVEL, resamples: int = 2000) -> int:
    """Find the rank whose order statistics, from below and above, enclose the whole line of medians.

    Formula: the band of rank r misses the median m(t) where |W(t)| > n - 2r, W(t) = sum_i sign(x_i(t) - m(t)). Under
    independent random signs e_i of whole runs, sum_i e_i sign(x_i(t) - m(t)) has the binomial distribution of W at each
    t, and keeps how runs hang together over t. r is the largest rank with P(max_t |sum| > n - 2r) <= 1 - level, with
    the sample's median for m. Assumption: independent runs. Ties with the median count as above it, which widens the
    band.

    Args:
        lines: scores of the runs, [runs, budgets].
        rng: generator of the signs.
        level: coverage of the whole line, in (0, 1).
        resamples: number of drawn sign vectors, >= 1.

    Returns:
        The rank, from 1; 0 if even the range of the runs is too narrow.

    Source: the sign process of a median with Rademacher multipliers; multiplier bootstrap of a maximum, Chernozhukov,
    Chetverikov & Kato 2013, "Gaussian approximations and multiplier bootstrap for maxima of sums".
    """
    n = len(lines)
    above = np.where(lines >= np.median(lines, axis=0), 1.0, -1.0)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(resamples, n))
    most = np.abs(signs @ above).max(axis=1)
    ranks = [rank for rank in range(1, n // 2 + 1) if (most > n - 2 * rank + 1e-9).mean() <= 1 - level]
    return ranks[-1] if ranks else 0
