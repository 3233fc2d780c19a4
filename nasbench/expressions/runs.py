"""Runs that a condition over children leaves: those with children left, and runs without any children that it fits."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from nasbench.expressions.frames import kinds_of, rows_that_hold
from nasbench.expressions.parser import parse_condition
from nasbench.expressions.tokens import ExpressionError

if TYPE_CHECKING:
    import pandas as pd

# Columns that all children of a run have from the run: their name -> that of the run.
_OF_RUNS: Final = {
    **{name: name for name in ("run", "strategy", "space", "protocol", "fingerprint", "data")},
    "run_seed": "seed",
}


class RunsLeft(NamedTuple):
    """Runs that a condition leaves.

    Attributes:
        runs: the runs.
        note: a sentence on runs that are left out because they have no children; "" if there are none.
    """

    runs: pd.DataFrame
    note: str


def runs_left(runs: pd.DataFrame, where: str | None, chosen: Collection[str], begun: Collection[str]) -> RunsLeft:
    """Select the runs that a condition over children leaves.

    A run whose budget ended before its first child is a result: it has chosen nothing. A condition over what a whole run
    has (strategy, seed, space, data set, protocol) says of it, too, whether it is meant; another one cannot.

    Args:
        runs: all runs (`store.format.schema.RUN_COLUMNS`).
        where: the condition; None for all runs.
        chosen: ids of the runs with children for which the condition holds.
        begun: ids of the runs with any children.

    Returns:
        The runs, in their order, and what to say of others.
    """
    if where is None:
        return RunsLeft(runs, "")
    kept, empty = runs["run"].isin(set(chosen)), ~runs["run"].isin(set(begun))
    if not empty.any():
        return RunsLeft(runs[kept], "")
    of_run = runs[list(_OF_RUNS.values())].rename(columns={theirs: ours for ours, theirs in _OF_RUNS.items()})
    try:
        condition = parse_condition(where, kinds_of(of_run))
    except ExpressionError:  # it has columns of children
        count = int(empty.sum())
        are = "1 run without children is" if count == 1 else f"{count} runs without children are"
        return RunsLeft(runs[kept], f"{are} left out: the condition is on what children have, and they chose nothing.")
    return RunsLeft(runs[kept | (empty & np.asarray(rows_that_hold(of_run, condition)))], "")
