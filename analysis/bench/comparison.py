"""Strategies on the tasks of a benchmark suite: scores, ranks, tests and costs, by task and over all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.checks import ENOUGH_SEEDS
from nasbench.analysis.inference.equivalence import SIGNIFICANT
from nasbench.analysis.inference.intervals import TOO_SMALL, mean_interval
from nasbench.analysis.inference.two_samples import COMPARISON, compare_groups, corrected
from nasbench.analysis.inference.verdicts import DIFFERS, NOT_SHOWN, RANK_TESTS, comparison_text, detectable_text
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.ranks import average_rank_intervals, average_ranks, expected_ranks, friedman
from nasbench.benchmark.definition import Comparison
from nasbench.benchmark.incumbents import Entry, TaskScale
from nasbench.costs.pricing import SECONDS_PER_HOUR
from nasbench.scores import ACCURACY

Floats = NDArray[np.float64]
FEW_TASKS: Final = 5  # below which tests over tasks can show nothing: the least p of signed ranks of 4 pairs is 0.125


@dataclass(frozen=True, eq=False)
class Compared:
    """A comparison of strategies on the tasks of a suite.

    Args:
        entries: the strategies, in the order of tables and figures.
        mine: labels of the strategies that are compared with references; all others are references.
        scales: task -> its scale.
        protocol: protocol of the suite.
        scores: one row per search, result of `search_scores` under the protocol's budget.
        summary: one row per task and strategy, see `summarize_tasks`.
        tests: task -> comparisons of pairs, see `tests_of_task`.
        overall: one row per strategy, see `summarize_all`.
        notes: sentences on what can be concluded, and what cannot.
    """

    entries: tuple[Entry, ...]
    mine: tuple[str, ...]
    scales: Mapping[str, TaskScale]
    protocol: Comparison
    scores: pd.DataFrame
    summary: pd.DataFrame
    tests: Mapping[str, pd.DataFrame]
    overall: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def strategies(self) -> list[str]:
        """Labels of all strategies, in order."""
        return [entry.shown for entry in self.entries]


def compare_entries(
    entries: Sequence[Entry], mine: Collection[str], scales: Mapping[str, TaskScale], protocol: Comparison
) -> Compared:
    """Compare strategies on the tasks of a suite.

    Args:
        entries: the strategies with their runs; labels are different.
        mine: labels of those that are compared with all others; empty to compare all pairs.
        scales: task -> its scale.
        protocol: protocol of the suite.

    Returns:
        The comparison.
    """
    order = style.in_order([entry.shown for entry in entries])
    entries = tuple(sorted(entries, key=lambda entry: (entry.shown not in mine, order.index(entry.shown))))
    scores = search_scores(entries, scales, protocol.budget)
    tests = {
        task: tests_of_task(scores[scores["task"] == task], mine, protocol, scale) for task, scale in scales.items()
    }
    overall, notes = summarize_all(entries, scores, tests, protocol)
    summary = summarize_tasks(entries, scales, scores, protocol)
    return Compared(entries, tuple(mine), scales, protocol, scores, summary, tests, overall, tuple(notes))


def search_scores(entries: Sequence[Entry], scales: Mapping[str, TaskScale], size: str) -> pd.DataFrame:
    """Score every search by its choice when a budget is spent.

    Args:
        entries: the strategies with their runs.
        scales: task -> its scale.
        size: "small", "medium" or "large".

    Returns:
        strategy (label), task, table (label of the task), run, seed, score (reported accuracy of the choice, 0 without
        one), scored (whether there is one), regret (normalized, of the score), outcome (accuracy that the search
        received for its choice).
    """
    parts = []
    for entry in entries:
        for task, runs in entry.runs.items():
            scale = scales[task]
            places = runs.at(scale.seconds[size])
            found = places >= 0
            nothing = ACCURACY.no_choice(())
            score = np.where(found, runs.scores[places], nothing) if len(runs.scores) else np.full(len(places), nothing)
            outcome = (
                np.where(found, runs.outcomes[places], math.nan) if len(runs.scores) else np.full(len(places), np.nan)
            )
            parts.append(
                pd.DataFrame(
                    {
                        "strategy": entry.shown,
                        "task": task,
                        "table": scale.label,
                        "run": [f"{entry.shown}/{task}/{seed}" for seed in runs.seeds.tolist()],
                        "seed": runs.seeds,
                        "score": score,
                        "scored": found,
                        "regret": scale.regret(score),
                        "outcome": outcome,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def summarize_tasks(
    entries: Sequence[Entry], scales: Mapping[str, TaskScale], scores: pd.DataFrame, protocol: Comparison
) -> pd.DataFrame:
    """Summarize each strategy on each task.

    Args:
        entries: the strategies with their runs.
        scales: task -> its scale.
        scores: result of `search_scores` under the protocol's budget.
        protocol: protocol of the suite.

    Returns:
        task, strategy; n (searches); score, score_low, score_high (mean reported accuracy with interval), interval;
        regret, regret_low, regret_high (mean normalized regret); rank (expected, of a search among one of every other
        strategy; 1 is the best), regret_SIZE (mean under each budget), children (mean), usd (simulated, mean of a
        search) and searcher_seconds (the strategy's own, of one search on the machine that ran it).
    """
    by_size = {size: search_scores(entries, scales, size) for size in protocol.budgets}
    rows: list[dict[str, Any]] = []
    for task in scales:
        here = scores[scores["task"] == task]
        ranks = expected_ranks(here).set_index("strategy")["rank"] if here["strategy"].nunique() > 1 else None
        for entry in entries:
            if task not in entry.runs:
                continue
            runs = entry.runs[task]
            mine = here[here["strategy"] == entry.shown]
            row: dict[str, Any] = {"task": task, "strategy": entry.shown, "n": len(mine)}
            for name in ("score", "regret"):
                values = mine[name].to_numpy(dtype=float)
                around = mean_interval(values, generator(0, task, entry.shown), protocol.level)
                row |= {name: float(values.mean()), f"{name}_low": around.low, f"{name}_high": around.high}
                row["interval"] = around.method
            row["rank"] = float(ranks[entry.shown]) if ranks is not None else math.nan
            for size, all_scores in by_size.items():
                of_it = all_scores[(all_scores["task"] == task) & (all_scores["strategy"] == entry.shown)]
                row[f"regret_{size}"] = float(of_it["regret"].mean())
            row |= {
                "children": float(runs.children.mean()),
                "usd": float(runs.spent.mean()) / SECONDS_PER_HOUR * protocol.usd_per_hour,
                "searcher_seconds": runs.searcher_seconds,
            }
            rows.append(row)
    return pd.DataFrame(rows)


def tests_of_task(scores: pd.DataFrame, mine: Collection[str], protocol: Comparison, scale: TaskScale) -> pd.DataFrame:
    """Test pairs of strategies on one task, as independent samples, with Holm's correction over the pairs.

    Args:
        scores: rows of `search_scores` of one task.
        mine: labels of which each is compared with all other strategies; empty for all pairs.
        protocol: protocol of the suite, whose margin of equivalence is a normalized regret.
        scale: scale of the task, by which the margin is an accuracy.

    Returns:
        first, second; the columns of `compare_groups`; p_holm and the other columns of `corrected`; verdict (a sentence
        with n, difference, interval, p and the detectable difference).
    """
    names = style.in_order(scores["strategy"].unique().tolist())
    names = [*(name for name in names if name in mine), *(name for name in names if name not in mine)]
    margin = scale.accuracy(protocol.margin) or None  # none where all architectures have one score
    groups = {name: scores.loc[scores["strategy"] == name, "score"].to_numpy(dtype=float) for name in names}
    pairs = [pair for pair in itertools.combinations(names, 2) if not mine or pair[0] in mine]
    rows = [
        {"first": first, "second": second} | compare_groups(groups[first], groups[second], protocol.level, margin)
        for first, second in pairs
    ]
    table = corrected(pd.DataFrame(rows, columns=["first", "second", *COMPARISON]))
    records = table.to_dict("records")
    table["verdict"] = [_verdict(row) for row in records]
    return table


def _verdict(row: Mapping[Any, Any]) -> str:
    """A sentence with n, difference, interval, p after Holm's correction, and what could have been detected."""
    said = comparison_text(row)
    return said if row["finding"] in (TOO_SMALL, NOT_SHOWN) else f"{said}; {detectable_text(row['detectable'])}"


def won(row: Mapping[Any, Any]) -> int:
    """Judge a comparison for its first strategy.

    Args:
        row: a row of `tests_of_task`.

    Returns:
        1 if the first was shown to be better, -1 if the second was, 0 if neither was.
    """
    if row["finding"] != DIFFERS:
        return 0
    return 1 if row["improvement"] > 0.5 else -1


def records_of(tests: Mapping[str, pd.DataFrame]) -> dict[str, tuple[int, int, int]]:
    """Count wins, ties and losses of each strategy over the comparisons of all tasks.

    Args:
        tests: task -> result of `tests_of_task`.

    Returns:
        Strategy -> shown to be better, neither, shown to be worse.
    """
    found: dict[str, list[int]] = {}
    for table in tests.values():
        for row in table.to_dict("records"):
            result = won(row)
            for name, sign in ((row["first"], 1), (row["second"], -1)):
                found.setdefault(str(name), [0, 0, 0])[1 - sign * result] += 1
    return {name: (better, neither, worse) for name, (better, neither, worse) in found.items()}


def summarize_all(
    entries: Sequence[Entry], scores: pd.DataFrame, tests: Mapping[str, pd.DataFrame], protocol: Comparison
) -> tuple[pd.DataFrame, list[str]]:
    """Summarize each strategy over all tasks, and say what can be concluded.

    Args:
        entries: the strategies with their runs.
        scores: result of `search_scores` under the protocol's budget.
        tests: task -> result of `tests_of_task`.
        protocol: protocol of the suite.

    Returns:
        A table: strategy; tasks and n (searches of all tasks); regret, regret_low, regret_high (mean normalized regret:
        mean over tasks, with the interval had other seeds been drawn), interval; rank (average over tasks, or expected
        on the only one), rank_low, rank_high; wins, ties, losses. And sentences.
    """
    tasks = list(dict.fromkeys(scores["task"]))
    shown = [entry.shown for entry in entries]
    counts = scores.groupby("strategy")["task"].nunique()
    ranks = _ranks(scores, len(tasks))
    tally = records_of(tests)
    rows = []
    for name in shown:
        mine = scores[scores["strategy"] == name]
        strata = [mine.loc[mine["task"] == task, "regret"].to_numpy(dtype=float) for task in tasks]
        strata = [stratum for stratum in strata if len(stratum)]
        around = mean_interval(strata, generator(0, "all", name), protocol.level, equal_strata=True)
        better, neither, worse = tally.get(name, (0, 0, 0))
        rows.append(
            {
                "strategy": name,
                "tasks": int(counts[name]),
                "n": len(mine),
                "regret": float(np.mean([stratum.mean() for stratum in strata])),
                "regret_low": around.low,
                "regret_high": around.high,
                "interval": around.method,
                **ranks.get(name, dict.fromkeys(("rank", "rank_low", "rank_high"), math.nan)),
                "wins": better,
                "ties": neither,
                "losses": worse,
            }
        )
    return pd.DataFrame(rows), _notes(scores, tests, protocol)


def _ranks(scores: pd.DataFrame, tasks: int) -> dict[str, dict[str, float]]:
    """Average ranks over tasks with their intervals; on one task, expected ranks without."""
    if scores["strategy"].nunique() < 2:
        return {}
    if tasks == 1:
        found = expected_ranks(scores)
        return {
            str(row["strategy"]): {"rank": float(row["rank"]), "rank_low": math.nan, "rank_high": math.nan}
            for row in found.to_dict("records")
        }
    by_task = scores.assign(table=scores["task"])
    found = average_ranks(by_task).merge(average_rank_intervals(by_task), on="strategy")
    return {
        str(row["strategy"]): {"rank": float(row["rank"]), "rank_low": row["low"], "rank_high": row["high"]}
        for row in found.to_dict("records")
    }


def _per_task(tests: Mapping[str, pd.DataFrame]) -> str:
    """Where tasks differ in their number of comparisons: which has how many."""
    if len({len(table) for table in tests.values()}) < 2:
        return ""
    return f" ({', '.join(f'{len(table)} on {task}' for task, table in tests.items())}: not every strategy has searched every task)"


def _notes(scores: pd.DataFrame, tests: Mapping[str, pd.DataFrame], protocol: Comparison) -> list[str]:
    """Say what the tests can and cannot show."""
    tasks, strategies = scores["task"].nunique(), scores["strategy"].nunique()
    families = {len(table) for table in tests.values()}
    notes = [
        f"Pairs are tested on each task by itself: the {RANK_TESTS}, of the final scores, with Holm's "
        f"correction over {' or '.join(map(str, sorted(families)))} comparisons{_per_task(tests)} at {1 - protocol.level:.0%}. A win is a "
        "difference that is shown, a tie one that is not shown at these numbers of searches: no proof of equality. Each "
        "interval is of one difference by itself, without a correction. Tests and intervals are over seeds of the search; the noise of the tables' own trainings is not in them."
    ]
    fewest = int(scores.groupby(["task", "strategy"]).size().min())
    if fewest < ENOUGH_SEEDS:
        notes.append(
            f"Some strategy has {fewest} search{'es' if fewest != 1 else ''} on a task: below {ENOUGH_SEEDS} there are neither intervals nor tests."
        )
    empty = scores[~scores["scored"]].groupby("strategy").size()
    if len(empty):
        found = ", ".join(f"{name} {count} of {(scores['strategy'] == name).sum()}" for name, count in empty.items())
        notes.append(f"Searches without a trained network, whose score counts as 0: {found}.")
    if tasks == 1:
        notes.append(
            "One task: every number here is of this task. Nothing can be concluded about other tasks, and there is no "
            "test over tasks."
        )
        return notes
    if strategies >= 3:
        distinct = scores["table"].nunique() == tasks  # tables of one space are named, as they are not independent
        notes.append(friedman(scores if distinct else scores.assign(table=scores["task"]), protocol.level).text)
    least = 2.0 ** (1 - tasks)
    if tasks <= FEW_TASKS and least >= SIGNIFICANT:
        notes.append(
            f"{tasks} tasks are few: the least p that {tasks} pairs can give is {least:.3g}, so that no pair of strategies can "
            "be shown to differ over tasks; ranks and means over tasks describe these tasks alone."
        )
    return notes
