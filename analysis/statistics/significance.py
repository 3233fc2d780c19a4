"""Differences between strategies: probability of improvement, effect sizes, and tests with Holm's correction.

Runs of different strategies are independent even if their seeds are equal numbers, so runs on one table are compared
unpaired. Over several tables, the means of each table are pairs.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.plotting import style
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
SIGNIFICANT = 0.05
_MAGNITUDES = ((0.56, "negligible"), (0.64, "small"), (0.71, "medium"))  # Vargha & Delaney 2000, section 4


def unpaired_tests(
    scores: pd.DataFrame,
    baseline: str | None = None,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 2000,
) -> pd.DataFrame:
    """Test each pair of strategies on one table, with their runs as independent samples.

    Args:
        scores: result of `final_scores` for one table.
        baseline: compare each strategy with this one only; None compares all pairs.
        seed: seed of the bootstrap, which resamples the runs of both sides independently.
        level: coverage of the intervals in (0, 1).
        resamples: bootstrap resamples, >= 1.

    Returns:
        One row per pair: first, second, n_first, n_second (runs with a score), difference (of means, first - second)
        with difference_low and difference_high; improvement (the probability that a run of first beats one of second,
        ties half; Vargha and Delaney's A12) with improvement_low and improvement_high; cliffs_delta (2 A12 - 1),
        hedges_g, magnitude (of A12, in words); u, p (Mann-Whitney, two-sided), p_holm; welch_t, welch_p, welch_p_holm;
        verdict (a sentence). With fewer than 5 scores on a side intervals and p are NaN and the verdict says
        insufficient; Holm's correction is over the tests that were made.

    Raises:
        InputError: for scores of several tables, or a baseline that has no runs.
    """
    from scipy.stats import mannwhitneyu, ttest_ind

    require_columns(scores, ("strategy", "table", "score"), "the scores")
    if scores["table"].nunique() > 1:
        tables = " / ".join(sorted(scores["table"].unique()))
        raise InputError(f"runs of several tables are no samples of one thing: {tables}; use paired_tests")
    groups = _groups(scores)
    rows: list[dict[str, Any]] = []
    for first, second in _pairs(list(groups), baseline):
        a, b = groups[first], groups[second]
        row = {"first": first, "second": second, "n_first": len(a), "n_second": len(b)}
        row |= _effects(a, b)
        enough = min(len(a), len(b)) >= ENOUGH_SEEDS
        row |= _intervals(a, b, generator(seed, first, second), level, resamples if enough else 0)
        row |= dict.fromkeys(("u", "p", "welch_t", "welch_p"), math.nan)
        if enough:
            rank = mannwhitneyu(a, b, alternative="two-sided")
            row |= {"u": float(rank.statistic), "p": float(rank.pvalue)}
        if enough and np.ptp(np.concatenate([a, b])) == 0:
            row["p"] = 1.0  # U can have one value only; its p is NaN in scipy 1.18 and 1 in earlier versions
        if enough and (np.ptp(a) > 0 or np.ptp(b) > 0):
            means = ttest_ind(a, b, equal_var=False)
            row |= {"welch_t": float(means.statistic), "welch_p": float(means.pvalue)}
        rows.append(row)
    table = pd.DataFrame(rows, columns=_UNPAIRED[:-3])
    table["p_holm"], table["welch_p_holm"] = holm(table["p"].to_numpy()), holm(table["welch_p"].to_numpy())
    table["verdict"] = [_verdict(row) for row in table.to_dict("records")]
    return table


_UNPAIRED = [
    *("first", "second", "n_first", "n_second"),
    *("difference", "difference_low", "difference_high"),
    *("improvement", "improvement_low", "improvement_high"),
    *("cliffs_delta", "hedges_g", "magnitude", "u", "p", "welch_t", "welch_p"),
    *("p_holm", "welch_p_holm", "verdict"),
]


def paired_tests(scores: pd.DataFrame, baseline: str | None = None) -> pd.DataFrame:
    """Test each pair of strategies over several tables, with their mean scores on each table as pairs.

    Args:
        scores: result of `final_scores`, of two tables or more; `below_best` puts them on one scale for the t test.
        baseline: compare each strategy with this one only; None compares all pairs.

    Returns:
        One row per pair: first, second, n (tables on which both have a score), difference (mean of the differences,
        first - second), rank_biserial (matched pairs, in [-1, 1]), cohens_dz; w, p (Wilcoxon's signed ranks,
        two-sided), p_holm; t, t_p, t_p_holm; least_p (the smallest p that the signed ranks of n pairs can give);
        verdict. With fewer than 5 pairs p is NaN and the verdict says insufficient.

    Raises:
        InputError: for a baseline that has no runs.
    """
    from scipy.stats import ttest_rel, wilcoxon

    require_columns(scores, ("strategy", "table", "score"), "the scores")
    means = scores.groupby(["table", "strategy"])["score"].mean().unstack()
    rows: list[dict[str, Any]] = []
    for first, second in _pairs(style.in_order(scores["strategy"].tolist()), baseline):
        both = means[[first, second]].dropna()
        apart = (both[first] - both[second]).to_numpy(dtype=float)
        n, spread = len(apart), float(np.std(apart, ddof=1)) if len(apart) > 1 else math.nan
        row: dict[str, Any] = {"first": first, "second": second, "n": n}
        row |= {"difference": float(apart.mean()) if n else math.nan, "rank_biserial": _rank_biserial(apart)}
        row |= {"cohens_dz": row["difference"] / spread if spread and spread > 0 else math.nan}
        row |= dict.fromkeys(("w", "p", "t", "t_p"), math.nan) | {"least_p": min(1.0, 2.0 ** (1 - n))}
        if n >= ENOUGH_SEEDS and np.any(apart != 0):
            ranks = wilcoxon(apart)
            row |= {"w": float(ranks.statistic), "p": float(ranks.pvalue)}
            if spread > 0:
                paired = ttest_rel(both[first], both[second])
                row |= {"t": float(paired.statistic), "t_p": float(paired.pvalue)}
        rows.append(row)
    table = pd.DataFrame(rows, columns=_PAIRED[:-3])
    table["p_holm"], table["t_p_holm"] = holm(table["p"].to_numpy()), holm(table["t_p"].to_numpy())
    table["verdict"] = [_paired_verdict(row) for row in table.to_dict("records")]
    return table


_PAIRED = [
    *("first", "second", "n", "difference", "rank_biserial", "cohens_dz", "w", "p", "t", "t_p", "least_p"),
    *("p_holm", "t_p_holm", "verdict"),
]


def holm(p: Floats) -> Floats:
    """Apply Holm's step-down correction to p values.

    Args:
        p: p values; NaN (no test was made) stays NaN and does not count as a test.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p, dtype=float)
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = len(order) - np.arange(len(order))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return corrected


def hedges_g(a: Floats, b: Floats) -> float:
    """Standardised difference of means with Hedges's correction for small samples; NaN if the scores have no spread.

    Args:
        a: scores of the first strategy.
        b: scores of the second strategy.

    Source: Hedges 1981, "Distribution theory for Glass's estimator of effect size", equation 6e: the exact factor by
    the gamma function.
    """
    free = len(a) + len(b) - 2
    if free < 1:
        return math.nan
    pooled = math.sqrt(
        ((len(a) - 1) * a.var(ddof=1) if len(a) > 1 else 0.0) + ((len(b) - 1) * b.var(ddof=1) if len(b) > 1 else 0.0)
    )
    pooled /= math.sqrt(free)
    if not pooled > 0:
        return math.nan
    log_factor = math.lgamma(free / 2) - math.lgamma((free - 1) / 2) if free > 1 else -math.inf
    factor = math.exp(log_factor) / math.sqrt(free / 2)
    return float((a.mean() - b.mean()) / pooled * factor)


def _groups(scores: pd.DataFrame) -> dict[str, Floats]:
    return {
        name: scores.loc[scores["strategy"] == name, "score"].dropna().to_numpy(dtype=float)
        for name in style.in_order(scores["strategy"].tolist())
    }


def _pairs(names: list[str], baseline: str | None) -> list[tuple[str, str]]:
    """Pairs to compare, the later strategy (the more refined one) first."""
    if baseline is None:
        return [(second, first) for first, second in itertools.combinations(names, 2)]
    if baseline not in names:
        raise InputError(f"no runs of {baseline!r} to compare with; strategies here: {', '.join(names)}")
    return [(name, baseline) for name in names if name != baseline]


def _effects(a: Floats, b: Floats) -> dict[str, Any]:
    if not len(a) or not len(b):
        return {
            "difference": math.nan,
            "improvement": math.nan,
            "cliffs_delta": math.nan,
            "hedges_g": math.nan,
            "magnitude": "",
        }
    better = float(_beats(a, b).mean())
    larger = max(better, 1 - better)
    magnitude = next((name for bound, name in _MAGNITUDES if larger < bound), "large")
    return {
        "difference": float(a.mean() - b.mean()),
        "improvement": better,
        "cliffs_delta": 2 * better - 1,
        "hedges_g": hedges_g(a, b),
        "magnitude": magnitude,
    }


def _beats(a: Floats, b: Floats) -> Floats:
    """Compare all pairs of runs, [runs of first, runs of second]: 1 if the first is better, 1/2 if equal, else 0."""
    matrix: Floats = (np.sign(a[:, None] - b[None, :]) + 1) / 2
    return matrix


def _intervals(a: Floats, b: Floats, rng: np.random.Generator, level: float, resamples: int) -> dict[str, float]:
    names = ("difference_low", "difference_high", "improvement_low", "improvement_high")
    if not resamples:
        return dict.fromkeys(names, math.nan)
    # A resample is the number of times each run is drawn, which makes every statistic a product of matrices.
    first = rng.multinomial(len(a), np.full(len(a), 1 / len(a)), size=resamples) / len(a)
    second = rng.multinomial(len(b), np.full(len(b), 1 / len(b)), size=resamples) / len(b)
    ends = [(1 - level) / 2, (1 + level) / 2]
    differences = np.quantile(first @ a - second @ b, ends)
    improvements = np.quantile(((first @ _beats(a, b)) * second).sum(axis=1), ends)
    return dict(zip(names, map(float, (*differences, *improvements))))


def _rank_biserial(apart: Floats) -> float:
    """Share of rank sums in favour minus share against, over differences that are not 0.

    Source: Kerby 2014, "The simple difference formula".
    """
    from scipy.stats import rankdata

    apart = apart[apart != 0]
    if not len(apart):
        return math.nan
    ranks = rankdata(np.abs(apart))
    return float((ranks[apart > 0].sum() - ranks[apart < 0].sum()) / ranks.sum())


def _verdict(row: dict[Any, Any]) -> str:
    n = f"n={row['n_first']} and {row['n_second']}"
    if min(row["n_first"], row["n_second"]) < ENOUGH_SEEDS:
        return f"{row['first']} against {row['second']}: insufficient ({n}; {ENOUGH_SEEDS} seeds a side are the least)"
    effect = (
        f"beats it in {row['improvement']:.0%} of pairs, {row['magnitude']} effect, {_p(row['p_holm'])} after Holm, {n}"
    )
    if not row["p_holm"] < SIGNIFICANT:
        return f"{row['first']} against {row['second']}: no difference is shown ({effect})"
    word = "better" if row["improvement"] > 0.5 else "worse"
    return f"{row['first']} is {word} than {row['second']} ({effect})"


def _paired_verdict(row: dict[Any, Any]) -> str:
    names = f"{row['first']} against {row['second']}"
    if row["n"] < ENOUGH_SEEDS:
        return f"{names}: insufficient (n={row['n']} tables; the smallest p that they can give is {row['least_p']:.2g})"
    effect = f"{_p(row['p_holm'])} after Holm, rank-biserial {row['rank_biserial']:+.2f}, n={row['n']} tables"
    if not row["p_holm"] < SIGNIFICANT:
        return f"{names}: no difference is shown ({effect})"
    return f"{row['first']} is {'better' if row['rank_biserial'] > 0 else 'worse'} than {row['second']} ({effect})"


def _p(value: float) -> str:
    """Format a p value."""
    return "no p" if math.isnan(value) else "p<0.001" if value < 0.001 else f"p={value:.3f}"


def draw_improvement(data: pd.DataFrame, ax: Axes) -> None:
    """Draw the probability of improvement of each pair with its interval, and the corrected p beside it.

    Args:
        data: result of `unpaired_tests`.
        ax: one plot.
    """
    known = data[data["improvement"].notna()]
    if known.empty:
        style.say(ax, "No two strategies have runs with a score.")
        return
    rows = known.to_dict("records")[::-1]
    for place, row in enumerate(rows):
        look = style.look(str(row["first"]))
        if np.isfinite(row["improvement_low"]):
            ends = [row["improvement_low"], row["improvement_high"]]
            ax.plot(ends, [place, place], color=look.colour, linewidth=1.8, solid_capstyle="butt")
        ax.plot([row["improvement"]], [place], color=look.colour, marker=look.marker, markersize=6)
        few = min(row["n_first"], row["n_second"]) < ENOUGH_SEEDS
        said = "insufficient" if few else _p(row["p_holm"])
        text = f"{said}, n={row['n_first']}+{row['n_second']}"
        ax.annotate(
            text, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize="small", color=style.muted()
        )
    ax.axvline(0.5, color=style.muted(), linewidth=0.9)
    ax.set_yticks(range(len(rows)), [f"{row['first']} > {row['second']}" for row in rows])
    for tick, row in zip(ax.get_yticklabels(), rows):
        tick.set_color(style.look(str(row["first"])).colour)
    ax.set(
        xlabel="probability that a run of the first beats one of the second",
        xlim=(-0.02, 1.02),
        ylim=(-0.6, len(rows) - 0.4),
    )
    ax.grid(visible=False, axis="y")
