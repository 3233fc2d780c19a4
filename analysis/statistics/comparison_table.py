"""Pairwise comparisons of final scores as one table: difference, interval, p, Holm's p, A12, n, detectable difference."""

from __future__ import annotations

import pandas as pd

from nasbench.analysis.statistics.significance import paired_tests, unpaired_tests
from nasbench.errors import InputError
from nasbench.scores import judged_by
from nasbench.texts import json_object

_FIRST = ("first", "second", "difference", "low", "high", "p", "p_holm")
_LAST = ("n", "detectable", "finding", "comparisons")
_APART = (("difference",), (("difference_low", "difference_high"),))
SHOWN = (*_FIRST, "A12", *_LAST)
SHOWN_OF_PAIRS = (*_FIRST, "t_p_holm", *_LAST)


def comparison_table(scores: pd.DataFrame, baseline: str | None = None, margin: float | None = None) -> pd.DataFrame:
    """Compare the final scores of strategies on one table, with their runs as independent samples.

    Args:
        scores: result of `final_scores` for one table.
        baseline: compare each strategy with this one only; None compares all pairs.
        margin: see `equivalence.usual_margin`.

    Returns:
        first, second, difference with low and high, p (`compare_groups`), p_holm, A12, n ("5+5"), detectable, finding,
        comparisons (tests that p_holm is corrected for), and the sentence of each row (verdict).

    Raises:
        InputError: for scores of several tables, or a baseline that has no runs.
    """
    tests = judged_by().shown(unpaired_tests(scores, baseline, margin=margin), *_APART)
    n = [f"{a}+{b}" for a, b in zip(tests["n_first"], tests["n_second"])]
    names = {"difference_low": "low", "difference_high": "high", "improvement": "A12"}
    return tests.rename(columns=names).assign(n=n)[[*SHOWN, "verdict"]]


def comparison_of_pairs(scores: pd.DataFrame, baseline: str | None = None, margin: float | None = None) -> pd.DataFrame:
    """Compare the final scores of strategies on one table, with runs of equal seeds as pairs.

    For runs that share something through their seed, e.g. first architectures or training seeds. Where they share
    nothing, pairs are chosen by chance, and `comparison_table` is the test.

    Args:
        scores: result of `final_scores` for one table, at most one run for each strategy and seed.
        baseline: compare each strategy with this one only; None compares all pairs.
        margin: see `equivalence.usual_margin`.

    Returns:
        first, second, difference (mean over pairs) with low and high, p (Wilcoxon), p_holm, t_p_holm (paired t), n
        (pairs), detectable, finding, comparisons (tests that p_holm is corrected for), and the sentence of each row
        (verdict).

    Raises:
        InputError: for scores of several tables, several runs of a strategy and seed, or a baseline that has no runs.
    """
    if scores["table"].nunique() > 1:
        raise InputError("pairs of seeds are those of one table; choose one with --where")
    twice = scores[scores.duplicated(["strategy", "seed"])]
    if len(twice):
        first = twice.iloc[0]
        raise InputError(
            f"--pairs takes one run for each strategy and seed; {first['strategy']} has several of seed {first['seed']}"
        )
    tests = judged_by().shown(
        paired_tests(scores.assign(table=scores["seed"]), baseline, margin=margin, what="seeds"), *_APART
    )
    return tests.rename(columns={"difference_low": "low", "difference_high": "high"})[[*SHOWN_OF_PAIRS, "verdict"]]


def pairs_note(runs: pd.DataFrame) -> str:
    """Say how little runs of equal seeds share, if strategies drew their random numbers independently.

    Args:
        runs: runs with the column config (JSON).

    Returns:
        One sentence; "" if all runs took their random numbers from the seed alone, so that strategies share them.
    """
    if all(json_object(config).get("stream", "seed") == "seed" for config in runs["config"]):
        return ""
    return (
        "Runs of equal seeds drew their random numbers independently (stream=strategy): they share at most the "
        "training seed of their children, and nothing in replays. Where they share nothing, pairs are chosen by "
        "chance; the test without --pairs is the one to report."
    )
