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

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.inference.equivalence import SIGNIFICANT, paired_detectable, paired_equivalence_p, usual_margin
from nasbench.analysis.inference.intervals import LEVEL, TOO_SMALL, paired_interval
from nasbench.analysis.inference.rank_sums import mean_ranks
from nasbench.analysis.inference.rounding import tied
from nasbench.analysis.inference.two_samples import COMPARISON, compare_groups, corrected, hedges_g, holm
from nasbench.analysis.inference.verdicts import (
    EQUIVALENT,
    comparison_text,
    detectable_text,
    disagreement,
    holm_text,
    interval_text,
    p_text,
    points,
    within_text,
)
from nasbench.analysis.plotting import style
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["compare_groups", "draw_improvement", "hedges_g", "holm", "paired_tests", "unpaired_tests"]

Floats = NDArray[np.float64]


def unpaired_tests(
    scores: pd.DataFrame, baseline: str | None = None, level: float = LEVEL, margin: float | None = None
) -> pd.DataFrame:
    """Test each pair of strategies on one table, with their runs as independent samples.

    Args:
        scores: result of `final_scores` for one table.
        baseline: compare each strategy with this one only; None compares all pairs.
        level: coverage of the intervals in (0, 1).
        margin: differences of means within +-margin count as equivalent; see `equivalence.usual_margin`.

    Returns:
        One row per pair: first, second, and the columns of `compare_groups`; p_holm, welch_p_holm, tost_p_holm (Holm's
        correction over the pairs of which a test was made), comparisons, tost_comparisons (their numbers); finding
        ("differs", "equivalent", "not shown to differ" or "n too small") and verdict (a sentence). With fewer than 5
        scores on a side there are neither intervals nor tests.

    Raises:
        InputError: for scores of several tables, or a baseline that has no runs.
    """
    require_columns(scores, ("strategy", "table", "score"), "the scores")
    if scores["table"].nunique() > 1:
        tables = " / ".join(sorted(scores["table"].unique()))
        raise InputError(f"runs of several tables are no samples of one thing: {tables}; use paired_tests")
    groups = _groups(scores)
    rows = [
        {"first": first, "second": second} | compare_groups(groups[first], groups[second], level, usual_margin(margin))
        for first, second in pairs_of(list(groups), baseline)
    ]
    table = corrected(pd.DataFrame(rows, columns=["first", "second", *COMPARISON]))
    table["verdict"] = [
        f"{row['first']} against {row['second']}: {comparison_text(row)}" for row in table.to_dict("records")
    ]
    return table


def paired_tests(
    scores: pd.DataFrame,
    baseline: str | None = None,
    level: float = LEVEL,
    margin: float | None = None,
    what: str = "tables",
) -> pd.DataFrame:
    """Test each pair of strategies over several tables, with their mean scores on each table as pairs.

    Args:
        scores: result of `final_scores`, of two tables or more; `below_best` puts them on one scale for the t test.
        baseline: compare each strategy with this one only; None compares all pairs.
        level: coverage of the intervals in (0, 1).
        margin: mean differences within +-margin count as equivalent; see `equivalence.usual_margin`.
        what: name of the pairs in the sentences: "tables", or "seeds" where the column table holds seeds.

    Returns:
        One row per pair: first, second, n (tables on which both have a score), difference (mean of the differences,
        first - second) with difference_low, difference_high and interval (`intervals.paired_interval`), detectable
        (difference, a fraction), margin, tost_p (`equivalence.paired_equivalence_p`) and tost_p_holm, rank_biserial
        (matched pairs, in [-1, 1]), cohens_dz; w, p (Wilcoxon's signed ranks, two-sided), p_holm; t, t_p, t_p_holm;
        least_p (the smallest p that the signed ranks of n pairs can give); comparisons, tost_comparisons (tests that
        p_holm and tost_p_holm are corrected for); finding, verdict. With fewer than 5 pairs p is NaN and the verdict
        says that n is too small.

    Raises:
        InputError: for a baseline that has no runs.

    Source: Wilcoxon 1945, "Individual comparisons by ranking methods", for the signed ranks.
    """
    from scipy.stats import ttest_1samp, wilcoxon

    require_columns(scores, ("strategy", "table", "score"), "the scores")
    means = scores.groupby(["table", "strategy"])["score"].mean().unstack()
    rows: list[dict[str, Any]] = []
    for first, second in pairs_of(style.in_order(scores["strategy"].unique().tolist()), baseline):
        both = means[[first, second]].dropna()
        apart = tied((both[first] - both[second]).to_numpy(dtype=float), float(both.abs().max(axis=None)))
        n, spread = len(apart), math.nan
        if n > 1:  # numpy's deviation of equal numbers is not always 0
            spread = float(np.std(apart, ddof=1)) if np.ptp(apart) > 0 else 0.0
        row: dict[str, Any] = {"first": first, "second": second, "n": n}
        row |= {"difference": float(apart.mean()) if n else math.nan, "rank_biserial": _rank_biserial(apart)}
        row |= {"cohens_dz": row["difference"] / spread if spread and spread > 0 else math.nan}
        around = paired_interval(apart, level)
        row |= {"difference_low": around.low, "difference_high": around.high, "interval": around.method}
        row |= {"detectable": paired_detectable(spread, n) if n >= ENOUGH_SEEDS else math.nan}
        near = usual_margin(margin)
        row |= {"margin": near, "tost_p": math.nan if near is None else paired_equivalence_p(apart, near)}
        row |= dict.fromkeys(("w", "p", "t", "t_p"), math.nan) | {"least_p": min(1.0, 2.0 ** (1 - n))}
        if n >= ENOUGH_SEEDS:
            ranks = wilcoxon(apart) if np.any(apart != 0) else None
            row |= (
                {"w": float(ranks.statistic), "p": float(ranks.pvalue)} if ranks is not None else {"w": 0.0, "p": 1.0}
            )
            if spread > 0:
                paired = ttest_1samp(apart, 0.0)
                row |= {"t": float(paired.statistic), "t_p": float(paired.pvalue)}
        rows.append(row)
    table = corrected(pd.DataFrame(rows, columns=_PAIRED), "t_p")
    table["verdict"] = [_paired_verdict(row, what) for row in table.to_dict("records")]
    return table


_PAIRED = [
    *("first", "second", "n", "difference", "difference_low", "difference_high", "interval", "detectable", "margin"),
    *("tost_p", "rank_biserial", "cohens_dz", "w", "p", "t", "t_p", "least_p"),
]


def _groups(scores: pd.DataFrame) -> dict[str, Floats]:
    places, values = scores.groupby("strategy", sort=False).indices, scores["score"].to_numpy(dtype=float)
    of_each = {name: values[places[name]] for name in style.in_order(scores["strategy"].unique().tolist())}
    return {name: scores[~np.isnan(scores)] for name, scores in of_each.items()}


def pairs_of(names: list[str], baseline: str | None) -> list[tuple[str, str]]:
    """List the pairs of strategies to compare; the first of a pair is the later one in `names`.

    Args:
        names: strategies, the simplest first.
        baseline: strategy to compare all others with; None for all pairs.

    Returns:
        Pairs of names; with a baseline, it is the second of each.

    Raises:
        InputError: when there are no runs of the baseline.
    """
    if baseline is None:
        return [(second, first) for first, second in itertools.combinations(names, 2)]
    if baseline not in names:
        raise InputError(f"no runs of {baseline!r} to compare with; strategies here: {', '.join(names)}")
    return [(name, baseline) for name in names if name != baseline]


def _rank_biserial(apart: Floats) -> float:
    """Share of rank sums in favour minus share against, over differences that are not 0; 0 if all are.

    Source: Kerby 2014, "The simple difference formula".
    """
    apart = apart[apart != 0]
    if not len(apart):
        return 0.0
    ranks = mean_ranks(np.abs(apart))[0]
    return float((ranks[apart > 0].sum() - ranks[apart < 0].sum()) / ranks.sum())


def _paired_verdict(row: dict[Any, Any], what: str) -> str:
    names = f"{row['first']} against {row['second']}"
    if row["n"] < ENOUGH_SEEDS:
        return f"{names}: n too small (n={row['n']} {what}; the smallest p that they can give is {row['least_p']:.2g})"
    apart = points(row["difference"]) + interval_text(row["difference_low"], row["difference_high"], row["interval"])
    tested = holm_text(row["p_holm"], row["comparisons"])
    effect = f"{tested}, {apart}, rank-biserial {row['rank_biserial']:+.2f}, n={row['n']} {what}"
    if row["finding"] == EQUIVALENT:
        return f"{names}: {within_text(row)}, {apart}, n={row['n']} {what})"
    if not row["p_holm"] < SIGNIFICANT:
        least = f"; the least p of {row['n']} {what} is {row['least_p']:.2g}" if row["least_p"] >= SIGNIFICANT else ""
        return f"{names}: not shown to differ ({effect}); {detectable_text(row['detectable'])}{least}"
    opposed = disagreement(row["rank_biserial"], row["difference"])
    return f"{names}: differs, {'better' if row['rank_biserial'] > 0 else 'worse'} ({effect}){opposed}"


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
        said = TOO_SMALL if few else f"p={p_text(row['p_holm'])}".replace("=<", "<")
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
