"""Strategies over several tables: average ranks, Friedman's test, and the critical difference of ranks.

A table (a space with a data set) is one block, with one number per strategy: the mean over its runs. Seeds are not
blocks, because runs of different strategies with equal seeds are independent. On a single table, ranks are those
expected of randomly drawn runs, and tests are unpaired.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.inference.equivalence import SIGNIFICANT
from nasbench.analysis.inference.friedman import friedman_p
from nasbench.analysis.inference.intervals import LEVEL, TOO_SMALL, Interval, all_equal, refused
from nasbench.analysis.inference.rounding import tied
from nasbench.analysis.inference.verdicts import RANK_TESTS, comparisons_text
from nasbench.analysis.plotting import style
from nasbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
MANY_TABLES = 10  # from which Iman and Davenport's F, a limit for many tables, is printed beside the permutation test


@dataclass(frozen=True)
class Friedman:
    """Friedman's test of "all strategies rank alike", and the critical difference of average ranks.

    Args:
        tables: blocks, N.
        strategies: treatments, k.
        statistic: chi-square of k - 1 degrees of freedom, corrected for ties.
        p: p value of the permutation test (`inference.friedman.friedman_p`), exact for few tables.
        method: "exact", or how many permutations were drawn.
        f: Iman and Davenport's F of (k - 1, (k - 1)(N - 1)) degrees of freedom; NaN with fewer than 10 tables, where
            its p is far too small (0 where 2 tables agree on 3 strategies; 1/6 is right).
        f_p: its p value.
        critical_difference: critical difference of average ranks, by Nemenyi's test at 5%.
        text: all of it in one sentence, with n, and what the tables share.
    """

    tables: int
    strategies: int
    statistic: float
    p: float
    method: str
    f: float
    f_p: float
    critical_difference: float
    text: str


def average_ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """Rank the strategies by their mean scores on each table, and average the ranks: 1 is the best.

    Args:
        scores: result of `final_scores`. Tables on which a strategy has no score are left out and named by `left_out`.

    Returns:
        strategy, tables, runs (with a score, over those tables), rank (average; ties share theirs), best (tables on
        which it is first, alone or tied), sorted by rank.

    Raises:
        InputError: with fewer than two strategies, or no table on which all have a score.
    """
    means = _means(scores)
    ranks = means.rank(axis=1, ascending=False)
    here = scores[scores["table"].isin(means.index) & scores["score"].notna()]
    table = pd.DataFrame(
        {
            "strategy": means.columns,
            "tables": len(means),
            "runs": here.groupby("strategy").size().reindex(means.columns).to_numpy(),
            "rank": ranks.mean().to_numpy(dtype=float),
            "best": means.eq(means.max(axis=1), axis=0).sum().to_numpy(),
        }
    )
    return table.sort_values("rank", kind="stable", ignore_index=True)


def average_rank_intervals(
    scores: pd.DataFrame, seed: int = 0, level: float = LEVEL, resamples: int = 999
) -> pd.DataFrame:
    """Intervals of average ranks over these tables, had other seeds been drawn: bootstrap of runs within tables.

    Formula: quantiles of the average ranks of resamples with n - 1 runs of each strategy and table, whose spread is
    that of n runs. They say how sure the ranks on these tables are, and nothing of other tables.

    Args:
        scores: result of `final_scores`, of two tables or more.
        seed: seed of the bootstrap.
        level: coverage in (0, 1).
        resamples: bootstrap resamples, >= 100.

    Returns:
        strategy, low, high, interval (text), sorted as `average_ranks`. Without an interval where some strategy has
        fewer than 5 runs with a score on a table.

    Source: Rao & Wu 1988, "Resampling inference with complex survey data".
    """
    from scipy.stats import rankdata

    means, order = _means(scores), average_ranks(scores)["strategy"]
    here = scores[scores["table"].isin(means.index) & scores["score"].notna()]
    groups = {key: rows["score"].to_numpy(dtype=float) for key, rows in here.groupby(["table", "strategy"])}
    few = min(map(len, groups.values())) < ENOUGH_SEEDS
    if few:
        return pd.DataFrame({"strategy": order, "low": math.nan, "high": math.nan, "interval": TOO_SMALL})
    rng, total = np.random.default_rng(seed), np.zeros((resamples, means.shape[1]))
    for table in means.index:
        drawn = [
            values[rng.integers(len(values), size=(resamples, len(values) - 1))].mean(axis=1)
            for values in (groups[table, name] for name in means.columns)
        ]
        total += rankdata(-np.stack(drawn, axis=1), axis=1)
    ends = np.quantile(total / len(means), [(1 - level) / 2, (1 + level) / 2], axis=0)
    table = pd.DataFrame(
        {"strategy": means.columns, "low": ends[0], "high": ends[1], "interval": f"{level:.0%} bootstrap of runs"}
    )
    return table.set_index("strategy").loc[order].reset_index()


def left_out(scores: pd.DataFrame) -> list[str]:
    """List the tables that are not ranked because a strategy has no score on them.

    Args:
        scores: result of `final_scores`.

    Returns:
        Names of tables, sorted.
    """
    means = scores.groupby(["table", "strategy"])["score"].mean().unstack()
    return sorted(means.index[means.isna().any(axis=1)])


def friedman(scores: pd.DataFrame, level: float = 0.95) -> Friedman:
    """Friedman's test over tables by permutation, with Nemenyi's critical difference.

    Args:
        scores: result of `final_scores`, of 3 strategies or more and 2 tables or more.
        level: 1 - the significance level of the critical difference's test, in (0, 1).

    Returns:
        Statistic, p values and the critical difference.

    Raises:
        InputError: with fewer strategies or tables.

    Source: Friedman 1937; Demsar 2006, "Statistical comparisons of classifiers over multiple data sets", section 3.2.
    """
    from scipy.stats import f as f_distribution
    from scipy.stats import friedmanchisquare

    means = _means(scores)
    n, k = means.shape
    if k < 3 or n < 2:
        raise InputError(
            f"Friedman's test takes 3 strategies and 2 tables or more; here are {k} and {n}. For two strategies use paired tests"
        )
    distance = critical_difference(k, n, level)
    found = friedman_p(means.rank(axis=1).to_numpy(dtype=float))
    equal = bool((means.nunique(axis=1) == 1).all())
    statistic = 0.0 if equal else float(friedmanchisquare(*means.to_numpy(dtype=float).T).statistic)
    f = f_p = math.nan
    if n >= MANY_TABLES:
        rest = n * (k - 1) - statistic
        f = (n - 1) * statistic / rest if rest > 1e-9 else math.inf
        f_p = float(f_distribution.sf(f, k - 1, (k - 1) * (n - 1)))
    verdict = "the strategies differ" if found.p < SIGNIFICANT else "the strategies are not shown to differ"
    beside = f"; Iman-Davenport F = {f:.3g}, p = {f_p:.3g}" if n >= MANY_TABLES else ""
    few = f"; the least p that {n} tables can give is {found.least:.3g}" if n < ENOUGH_SEEDS else ""
    text = (
        f"Friedman: chi2({k - 1}) = {statistic:.3g}, p = {found.p:.3g} ({found.method}){beside}: {verdict} "
        f"(n={n} tables, {k} strategies; critical difference of average ranks {distance:.2f}{few}). {dependence(scores)}"
    ).strip()
    return Friedman(n, k, statistic, found.p, found.method, f, f_p, distance, text)


def dependence(scores: pd.DataFrame) -> str:
    """Explain why tables are not independent, if several belong to one space.

    Args:
        scores: result of `final_scores`.

    Returns:
        A sentence; "" if every table has a space of its own.

    Raises:
        InputError: when the scores have no column "table".
    """
    require_columns(scores, ("table",), "the scores")
    spaces = scores["table"].drop_duplicates().str.rpartition(", ")[0]
    shared = sorted(name for name, count in spaces.value_counts().items() if count > 1 and name)
    if not shared:
        return ""
    return (
        f"Tables of one space ({'; '.join(shared)}) share their architectures and are not independent: p speaks of "
        "these tables, and not of new ones."
    )


def critical_difference(strategies: int, tables: int, level: float = 0.95) -> float:
    """Compute the least significant difference of average ranks: Nemenyi's test, by the studentized range.

    Args:
        strategies: number of strategies, >= 2.
        tables: number of tables, >= 1.
        level: 1 - the significance level, in (0, 1).

    Returns:
        The difference, in ranks.

    Source: Demsar 2006, section 3.2.2.
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(level, strategies, np.inf)) / math.sqrt(2)
    return q * math.sqrt(strategies * (strategies + 1) / (6 * tables))


def nemenyi(scores: pd.DataFrame) -> pd.DataFrame:
    """Compute Nemenyi's p value of each pair of strategies.

    Args:
        scores: result of `final_scores`.

    Returns:
        first, second (the better ranked first), difference (of average ranks, >= 0), p, tables.

    Source: Demsar 2006, "Statistical comparisons of classifiers over multiple data sets", section 3.2.2.
    """
    from scipy.stats import studentized_range

    table = average_ranks(scores)
    k, n = len(table), int(table["tables"].iloc[0])
    error = math.sqrt(k * (k + 1) / (6 * n))
    rows = []
    for place, first in table.iterrows():
        for second in table.iloc[int(str(place)) + 1 :].itertuples():
            apart = float(second.rank - first["rank"])
            p = float(studentized_range.sf(apart / error * math.sqrt(2), k, np.inf))
            rows.append((first["strategy"], second.strategy, apart, p, n))
    return pd.DataFrame(rows, columns=["first", "second", "difference", "p", "tables"])


def expected_ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """Average rank, on one table, of a strategy's run among randomly drawn runs, one of every other strategy.

    It equals 1 + the sum, over the other strategies, of the probability that their run is better (ties count half).
    This is Friedman's average rank over all possible assignments of runs to blocks.

    Args:
        scores: result of `final_scores` for one table. Runs without a score are left out.

    Returns:
        strategy, runs (with a score), rank (1 is the best), sorted by rank.

    Raises:
        InputError: for several tables, or fewer than two strategies with a score.
    """
    from scipy.stats import rankdata

    require_columns(scores, ("strategy", "table", "score"), "the scores")
    if scores["table"].nunique() > 1:
        raise InputError(f"expected ranks are of one table, here are {scores['table'].nunique()}; use average_ranks")
    known = scores[scores["score"].notna()]
    groups = {
        name: known.loc[known["strategy"] == name, "score"].to_numpy(dtype=float)
        for name in style.in_order(known["strategy"].unique().tolist())
    }
    if len(groups) < 2:
        raise InputError(f"ranks need two strategies with a score or more, here are {len(groups)}")
    rows = []
    for name, mine in groups.items():
        rank = 1.0
        for other, theirs in groups.items():
            if other != name:
                above = rankdata(np.concatenate([mine, theirs]))[: len(mine)].sum() - len(mine) * (len(mine) + 1) / 2
                rank += 1 - above / (len(mine) * len(theirs))  # Mann and Whitney's U over the number of pairs
        rows.append({"strategy": name, "runs": len(mine), "rank": float(rank)})
    return pd.DataFrame(rows).sort_values("rank", kind="stable", ignore_index=True)


def kruskal_wallis(scores: pd.DataFrame) -> str:
    """Kruskal and Wallis's test of "all strategies have the same final scores" on one table, as a sentence with n.

    Args:
        scores: result of `final_scores` for one table.

    Returns:
        The sentence.

    Source: Kruskal & Wallis 1952, "Use of ranks in one-criterion variance analysis".
    """
    from scipy.stats import kruskal

    groups = [group["score"].dropna().to_numpy(dtype=float) for _, group in scores.groupby("strategy")]
    groups = [group for group in groups if len(group)]
    n = sum(map(len, groups))
    if len(groups) < 2 or min(map(len, groups)) < ENOUGH_SEEDS:
        return f"No test: fewer than {ENOUGH_SEEDS} runs of some strategy ({TOO_SMALL}: {n} runs)."
    if len(set(np.concatenate(groups).tolist())) == 1:
        return f"All {n} runs ended alike: the strategies are not shown to differ."
    found = kruskal(*groups)
    # A larger spread alone makes this test reject: it does not say that some strategy is better.
    verdict = (
        "their scores differ, in level or spread"
        if found.pvalue < SIGNIFICANT
        else "the strategies are not shown to differ"
    )
    return (
        f"Kruskal-Wallis: H({len(groups) - 1}) = {found.statistic:.3g}, p = {found.pvalue:.3g}: {verdict} (n={n} runs)."
    )


def least_holm_p(sizes: Sequence[int]) -> float:
    """Smallest p after Holm's correction that all pairs of strategies can give, for scores without ties.

    Formula: k (k - 1) / 2 times the least of 2 / C(n_i + n_j, n_i), the p of Mann and Whitney's test where every run of
    one side is better, and the larger one there. With 5 strategies of 5 runs it is 10 x 2 / 252 = 0.079: no pair can be shown to differ.

    Args:
        sizes: runs with a score, by strategy, two or more.

    Returns:
        The p value, at most 1.
    """
    pairs = list(itertools.combinations(sizes, 2))
    return min(1.0, len(pairs) * min(2 / math.comb(a + b, a) for a, b in pairs))


def bars_text(ranks: pd.DataFrame) -> tuple[bool, str]:
    """Whether bars that join strategies mean something on one table, and what the caption says of them.

    Args:
        ranks: result of `expected_ranks`.

    Returns:
        False if some strategy has fewer than 5 runs, or if no p value can become significant; and the sentence.
    """
    runs = ranks["runs"].tolist()
    if min(runs) < ENOUGH_SEEDS:
        return (
            False,
            f"No bars: pairs are tested from {ENOUGH_SEEDS} runs a strategy on, the fewest here are {min(runs)}.",
        )
    least = least_holm_p(runs)
    if least >= SIGNIFICANT:
        return False, (
            "No bars: with these numbers of runs no pair can be shown to differ; the least attainable p after Holm's "
            f"correction over {comparisons_text(math.comb(len(runs), 2))} is {least:.2g}."
        )
    pairs = comparisons_text(math.comb(len(runs), 2))
    return True, (
        f"Bars join strategies of which no two are shown to differ ({RANK_TESTS}, Holm over {pairs}, 5%; "
        f"least attainable p {least:.2g})."
    )


def rank_intervals(scores: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Intervals of the ranks expected on one table: t on the logit scale, with the spread of the runs' placements.

    Formula: with q = (rank - 1) / (k - 1), the interval is that of logit(q) +- t(f) se / (q (1 - q)). The variance of q
    sums, over strategies, the variance of each run's part in it over the number of runs (DeLong's placements); f is
    Satterthwaite's. Assumption: independent runs.

    Args:
        scores: result of `final_scores` for one table.
        level: coverage in (0, 1).

    Returns:
        strategy, rank, low, high, interval (text), sorted by rank. Without an interval where some strategy has fewer
        than 5 runs, where all its runs beat, or lose to, all others, or where all scores are equal.

    Source: DeLong, DeLong & Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver operating
    characteristic curves"; the logit scale: Perme & Manevski 2019, "Confidence intervals for the Mann-Whitney test".
    """
    ranks = expected_ranks(scores)
    known = scores[scores["score"].notna()]
    groups = {name: rows["score"].to_numpy(dtype=float) for name, rows in known.groupby("strategy")}
    rows = []
    for name, rank in ranks[["strategy", "rank"]].itertuples(index=False):
        found = _rank_interval(groups, name, float(rank), level)
        rows.append({"strategy": name, "rank": rank, "low": found.low, "high": found.high, "interval": found.method})
    return pd.DataFrame(rows)


def _rank_interval(groups: dict[str, Floats], name: str, rank: float, level: float) -> Interval:
    from scipy.stats import t as t_distribution

    others = len(groups) - 1
    share = (rank - 1) / others
    if min(map(len, groups.values())) < ENOUGH_SEEDS:
        return refused()
    mine, parts, tied = groups[name], [], []
    own = np.zeros(len(mine))
    for other, theirs in groups.items():
        if other == name:
            continue
        worse = (np.sign(theirs[None, :] - mine[:, None]) + 1) / 2  # [mine, theirs]: 1 where theirs is better
        tied.append(bool((worse == 0.5).all()))
        own += worse.mean(axis=1) / others
        parts.append((float((worse.mean(axis=0) / others).var(ddof=1)) / len(theirs), len(theirs) - 1))
    parts.append((float(own.var(ddof=1)) / len(mine), len(mine) - 1))
    variance = sum(part for part, _ in parts)
    if not 0 < share < 1 or not variance > 0:
        if all(tied):
            return all_equal()
        beside = "tied with or " if any(tied) else ""
        return refused(f"all its runs are {beside}on one side of all others")
    freedom = variance**2 / sum(part**2 / free for part, free in parts)
    reach = float(t_distribution.ppf((1 + level) / 2, freedom)) * math.sqrt(variance) / (share * (1 - share))
    centre = math.log(share / (1 - share))
    low, high = (1 + others / (1 + math.exp(-(centre + side * reach))) for side in (-1, 1))
    return Interval(low, high, f"{level:.0%} logit t")


def unseparated(ranks: pd.DataFrame, tests: pd.DataFrame) -> list[tuple[int, int]]:
    """Find the maximal groups of neighbouring ranks in which no pair is shown to differ.

    Args:
        ranks: result of `expected_ranks`.
        tests: result of `significance.unpaired_tests` for all pairs; a pair without a p value counts as not different.

    Returns:
        (first, last) positions of each group of two or more.
    """
    apart = {
        frozenset(pair) for *pair, p in tests[["first", "second", "p_holm"]].itertuples(index=False) if p < SIGNIFICANT
    }
    names = ranks["strategy"].tolist()
    found: list[tuple[int, int]] = []
    for start in range(len(names)):
        last = start
        while last + 1 < len(names) and not any(
            frozenset((names[place], names[last + 1])) in apart for place in range(start, last + 1)
        ):
            last += 1
        if last > start and (not found or last > found[-1][1]):
            found.append((start, last))
    return found


def _means(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean scores, [tables, strategies], of the tables on which every strategy has one."""
    require_columns(scores, ("strategy", "table", "score"), "the scores")
    means = scores.groupby(["table", "strategy"])["score"].mean().unstack().dropna()
    if means.shape[1] < 2 or means.empty:
        raise InputError(
            f"ranks need two strategies or more and a table on which all have a score; here are "
            f"{scores['strategy'].nunique()} strategies on {scores['table'].nunique()} tables, {len(means)} of them complete"
        )
    return _tied(means[style.in_order(means.columns.tolist())])


def _tied(means: pd.DataFrame) -> pd.DataFrame:
    """Make means equal that differ by rounding errors: equal scores of 50 and of 200 runs have the same mean."""
    values = means.to_numpy(dtype=float)
    scale = float(np.nanmax(np.abs(values), initial=0.0))
    return pd.DataFrame(tied(values, scale), index=means.index, columns=means.columns)


def cliques(ranks: Floats, distance: float) -> list[tuple[int, int]]:
    """Find the maximal groups of neighbouring ranks that lie within the critical difference.

    Args:
        ranks: average ranks, increasing.
        distance: the critical difference.

    Returns:
        (first, last) positions of each group of two or more.
    """
    found: list[tuple[int, int]] = []
    for start in range(len(ranks)):
        last = int(np.searchsorted(ranks, ranks[start] + distance, side="right")) - 1
        if last > start and (not found or last > found[-1][1]):
            found.append((start, last))
    return found


def draw_critical_difference(
    data: pd.DataFrame, ax: Axes, distance: float | None, groups: list[tuple[int, int]] | None = None
) -> None:
    """Draw average ranks on a line, best at the left; bars join strategies whose ranks are not shown to differ.

    Args:
        data: result of `average_ranks` or `expected_ranks`.
        ax: one plot.
        distance: the critical difference, e.g. from `friedman`; None if there is none, as on one table.
        groups: groups joined by bars, e.g. from `unseparated`; None for ranks within the critical difference.
    """
    ranks = data["rank"].to_numpy(dtype=float)
    count = len(data)
    half = (count + 1) // 2
    bars = groups if groups is not None else cliques(ranks, distance or 0.0)
    lowest = -0.6 - 0.3 * len(bars) - 0.75 * (half - 1)
    top = 1.7 if distance is not None else 0.8
    ax.set(xlim=(1 - 0.05 * count, count + 0.05 * count), ylim=(lowest - 0.4, top))
    ax.axis("off")
    ax.plot([1, count], [0, 0], color=style.ink(), linewidth=1.0)
    for rank in range(1, count + 1):
        ax.plot([rank, rank], [0, 0.14], color=style.ink(), linewidth=1.0)
        ax.annotate(f"{rank}", (rank, 0.22), ha="center", va="bottom", fontsize="small")
    for place, row in enumerate(data.to_dict("records")):
        _draw_rank(ax, row, place, count, half, 0.3 * len(bars))
    for level, (first, last) in enumerate(bars):
        y = -0.2 - 0.24 * level
        ax.plot(
            [ranks[first] - 0.04, ranks[last] + 0.04], [y, y], color=style.ink(), linewidth=3.2, solid_capstyle="round"
        )
    if distance is None:
        return
    shown = min(distance, count - 1)
    ax.plot([1, 1 + shown], [1.1, 1.1], color=style.muted(), linewidth=1.4, marker="|", markersize=7)
    more = "" if distance <= count - 1 else " (wider than the line: no pair can be shown to differ)"
    ax.annotate(
        f"critical difference {distance:.2f}{more}",
        (1 + shown / 2, 1.2),
        ha="center",
        va="bottom",
        fontsize="small",
        color=style.muted(),
    )


def _draw_rank(ax: Axes, row: dict, place: int, count: int, half: int, below: float) -> None:
    """Draw one strategy: a line from its rank down and out to its name; the better half goes to the left."""
    left = place < half
    level = place if left else count - 1 - place
    y, end = -0.6 - below - 0.75 * level, 1 - 0.04 * count if left else count + 0.04 * count
    look = style.look(str(row["strategy"]))
    ax.plot([row["rank"], row["rank"], end], [0, y, y], color=look.colour, linewidth=1.2)
    ax.plot([row["rank"]], [0], color=look.colour, marker=look.marker, markersize=6, zorder=3)
    text = f"{row['strategy']}  {row['rank']:.2f}" if left else f"{row['rank']:.2f}  {row['strategy']}"
    shift = -4 if left else 4
    ax.annotate(
        text,
        (end, y),
        xytext=(shift, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        color=look.colour,
    )
