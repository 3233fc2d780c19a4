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
        note: what to say of runs that a condition on children leaves out, because it holds for none of theirs, or they have
            none; "" if there are no such runs.
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
    if kept.all():
        return RunsLeft(runs, "")
    of_run = runs[list(_OF_RUNS.values())].rename(columns={theirs: ours for ours, theirs in _OF_RUNS.items()})
    try:
        condition = parse_condition(where, kinds_of(of_run))
    except ExpressionError:  # it has columns of children
        return RunsLeft(runs[kept], _left_out(runs[~kept & ~empty], int(empty.sum())))
    return RunsLeft(runs[kept | (empty & np.asarray(rows_that_hold(of_run, condition)))], "")


def _left_out(unfit: pd.DataFrame, empty: int) -> str:
    """Say how many runs are left out by a condition on children: with none that fits it, and without any."""
    said = []
    if count := len(unfit):
        of = ", ".join(dict.fromkeys(unfit["strategy"].astype(str)))
        are = f"1 run ({of}) is" if count == 1 else f"{count} runs ({of}) are"
        said.append(
            f"{are} left out: the condition holds for none of their children. If these failed, what is left are the runs "
            "that went well, and comparing them flatters their strategy."
        )
    if empty:
        are = "1 run without children is" if empty == 1 else f"{empty} runs without children are"
        said.append(f"{are} left out: the condition is on what children have, and they chose nothing.")
    return " ".join(said)
