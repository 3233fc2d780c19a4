"""Pareto dominance and its hypervolume, of any number of columns: the one implementation that all fronts use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.errors import InputError
from nasbench.store.format.schema import TABLE

Floats = NDArray[np.float64]


def scored_children(frame: pd.DataFrame, score: str) -> pd.DataFrame:
    """Select the children of a front: those that finished and have the score.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        score: accuracy column; see `children_of_score`.

    Returns:
        Rows of the frame.

    Raises:
        InputError: when the rows are of several protocols, whose scores are not comparable.
    """
    scored = frame[_of_score(frame, score) & (frame["status"] == "ok") & frame[score].notna()]
    if scored["fingerprint"].nunique() > 1:
        values = " / ".join(sorted((scored["protocol"] + " (" + scored["fingerprint"] + ")").unique()))
        raise InputError(
            f"these rows are not comparable; they differ in protocol: {values}. Select the rows of one protocol"
        )
    return scored


def children_of_score(frame: pd.DataFrame, score: str) -> pd.DataFrame:
    """Select the rows that can have a score.

    For test scores these are the rows of stage final, otherwise those counted in a search and those of complete tables.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        score: accuracy column, e.g. "val_acc" or "test_acc".

    Returns:
        Rows of the frame.
    """
    return frame[_of_score(frame, score)]


def _of_score(frame: pd.DataFrame, score: str) -> pd.Series[bool]:
    """Mark the rows that can have a score."""
    if score.startswith("test"):
        return frame["stage"] == "final"
    searched = (frame["stage"] == "search") & frame["counted"].astype(bool)
    return searched | (frame["strategy"] == TABLE)


def nondominated(values: Floats) -> NDArray[np.bool_]:
    """Find the nondominated rows: no other row is at most as large in all columns and smaller in one.

    Equal rows all count.

    Args:
        values: [points, objectives], all to be minimized.

    Returns:
        Bools, [points].
    """
    import moocore

    if not len(values):
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(np.ascontiguousarray(values, dtype=float), keep_weakly=True), dtype=bool)


def mark_fronts(points: pd.DataFrame, minimized: Sequence[str], maximized: Sequence[str] = ()) -> pd.DataFrame:
    """Mark the points that are on the front of all strategies, and those on the front of their own strategy.

    Args:
        points: one row per architecture, with a column strategy.
        minimized: columns to minimize.
        maximized: columns to maximize.

    Returns:
        The points, sorted by the columns, with two more columns: front (not dominated by any point) and strategy_front
        (not dominated by a point of its strategy).
    """
    values = np.column_stack(
        [
            points[list(minimized)].to_numpy(dtype=float),
            -points[list(maximized)].to_numpy(dtype=float),
        ]
    )
    own = np.zeros(len(points), dtype=bool)
    for mine in points.groupby("strategy", sort=False).indices.values():
        own[mine] = nondominated(values[mine])
    marked = points.assign(front=nondominated(values), strategy_front=own)
    return marked.sort_values([*minimized, *maximized, "strategy"], ignore_index=True)


def dominated_volume(values: Floats, worst: Floats) -> float:
    """Compute the volume that points dominate, up to a corner: larger is better.

    Args:
        values: [points, objectives], all to be minimized.
        worst: [objectives]; points that are not better than it in every objective do not count.

    Returns:
        The volume, >= 0.
    """
    import moocore

    inside = values[(values < worst).all(axis=1)]
    return float(moocore.hypervolume(np.ascontiguousarray(inside), ref=worst)) if len(inside) else 0.0
