"""Agreement of two rankings of architectures: rank correlations, with the number of architectures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.checks import require_columns
from nasbench.errors import InputError
from nasbench.store.format.frames import whole_trainings
from nasbench.store.format.schema import TABLE
from nasbench.tabular.trainings import each_once

FEWEST = 3


def rank_agreement(frame: pd.DataFrame, scores: Sequence[str], against: str = "val_acc") -> pd.DataFrame:
    """Rank correlation of each score with the value that it should predict.

    Args:
        frame: one row per architecture; infinite scores count as the largest and smallest.
        scores: columns to evaluate.
        against: the column whose ranking they should predict.

    Returns:
        One row per score: score, n (rows in which both are known), spearman and kendall (tau-b) in [-1, 1], NaN if
        either column is constant or n is below 3.

    Raises:
        InputError: when a column is missing.
    """
    require_columns(frame, [*scores, against], "the architectures")
    rows = []
    for score in scores:
        pair = frame[[score, against]].dropna().to_numpy(float)
        rows.append((score, len(pair), *correlations(pair)))
    return pd.DataFrame(rows, columns=["score", "n", "spearman", "kendall"])


def mean_by_hash(frame: pd.DataFrame, value: str = "val_acc") -> pd.DataFrame:
    """Average a value over the children of each architecture, for children of status ok.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`) of one protocol. Final trainings of a search are left out; all
            trainings of a complete table are taken.
        value: the column to average.

    Returns:
        Columns hash, space, choices, n (trainings averaged; copies by a cache count once) and <value>, in order of first appearance.

    Raises:
        InputError: when the children are of several protocols, or none has status ok.
    """
    require_columns(
        frame,
        ("stage", "strategy", "status", "hash", "space", "choices", "protocol", "fingerprint", value),
        "the children",
    )
    whole = whole_trainings(frame)
    unbiased = (whole["stage"] == "search") | (
        whole["strategy"] == TABLE
    )  # a search chose its final ones by their score
    children = whole[unbiased & (whole["status"] == "ok")]
    if "seed" in children:
        children = each_once(children, (value,))
    if children.empty:
        raise InputError("no child of a search or of a complete table has status ok, so there is nothing to rank")
    protocols = (children["protocol"] + " (" + children["fingerprint"] + ")").unique()
    if len(protocols) > 1:
        raise InputError(
            f"these children are of different protocols: {' / '.join(sorted(protocols))}; select those of one"
        )
    groups = children.groupby("hash", sort=False)
    result: pd.DataFrame = groups.agg(
        space=("space", "first"), choices=("choices", "first"), n=(value, "size"), **{value: (value, "mean")}
    ).reset_index()
    return result


def correlations(pair: NDArray[np.float64]) -> tuple[float, float]:
    """Compute Spearman's and Kendall's (tau-b) rank correlation of two columns.

    Args:
        pair: shape [n, 2].

    Returns:
        Both correlations in [-1, 1]; NaN if n < 3 or a column is constant.

    Source: Spearman 1904; Kendall 1945, "The treatment of ties in ranking problems", for tau-b.
    """
    from scipy.stats import kendalltau, spearmanr

    # Values are replaced by the numbers of their distinct values, because scipy treats an infinite score as unknown
    # (its rankdata: before 1.13).
    (firsts, first), (seconds, second) = (np.unique(column, return_inverse=True) for column in pair.T)
    if len(pair) < FEWEST or min(len(firsts), len(seconds)) < 2:
        return float("nan"), float("nan")
    return float(spearmanr(first, second).statistic), float(kendalltau(first, second).statistic)
