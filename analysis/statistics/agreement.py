"""Whether one number ranks architectures as another does: rank correlations, with how many architectures they rest on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.checks import require_columns
from nasbench.errors import InputError

FEWEST = 3


def rank_agreement(frame: pd.DataFrame, scores: Sequence[str], against: str = "val_acc") -> pd.DataFrame:
    """Rank correlation of each score with what it should predict.

    Args:
        frame: one row an architecture; infinite scores count as the largest and smallest.
        scores: columns to judge.
        against: the column they should rank like.

    Returns:
        One row a score: score, n (rows in which both are known), spearman and kendall (tau-b) in [-1, 1], NaN where either column is
        constant or n is below 3.

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
    """The architectures of children of status ok, each once, with the mean of a value over its children.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`) of one protocol; those of stage final are left out.
        value: the column to average.

    Returns:
        Columns hash, space, choices, n (children averaged) and <value>, in order of first appearance.

    Raises:
        InputError: when the children are of several protocols, or none has status ok.
    """
    require_columns(
        frame, ("stage", "status", "hash", "space", "choices", "protocol", "fingerprint", value), "the children"
    )
    children = frame[(frame["stage"] == "search") & (frame["status"] == "ok")]
    if children.empty:
        raise InputError("no child of a search has status ok, so there is nothing to rank")
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
    """Spearman's and Kendall's (tau-b) correlation of two columns, [n, 2]; NaN below 3 rows or where a column is constant."""
    from scipy.stats import kendalltau, spearmanr

    # Distinct values by number, as scipy calls an infinite score unknown (and its rankdata does so before 1.13).
    (firsts, first), (seconds, second) = (np.unique(column, return_inverse=True) for column in pair.T)
    if len(pair) < FEWEST or min(len(firsts), len(seconds)) < 2:
        return float("nan"), float("nan")
    return float(spearmanr(first, second).statistic), float(kendalltau(first, second).statistic)
