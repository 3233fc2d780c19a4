"""Ranks of the strategies at parts of the budget: whether the order at the end was the order all along."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from nasbench.analysis.comparison.anytime import By, at_the_end, trajectories
from nasbench.analysis.comparison.checks import no_choice, require_columns
from nasbench.analysis.comparison.reaching import require_tested
from nasbench.analysis.statistics.ranks import average_ranks, expected_ranks
from nasbench.errors import InputError

PARTS = (0.25, 0.5, 1.0)
NAMED = 4  # pairs, in a sentence; more are counted


def ranks_over_budget(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    by: By = "gpu_hours",
    measure: str = "val_acc",
    parts: Sequence[float] = PARTS,
    budgets: Mapping[str, float | None] | None = None,
) -> pd.DataFrame:
    """Rank the strategies by what their runs had found when a part of the budget was spent.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        by: unit of the budget; see `anytime.trajectories`.
        measure: "val_acc" or "test_acc".
        parts: parts of the budget, in (0, 1].
        budgets: budget of the runs in that unit, by table ("space, data set"); where it is None, or without budgets,
            the most that a run of the table spent stands for it.

    Returns:
        part, strategy, stated (whether every table has a budget), rank: `ranks.expected_ranks` on one table,
        `ranks.average_ranks` over several; no rows for a part at which some strategy has no score.

    Raises:
        InputError: for a part outside (0, 1], another measure, unknown spending, or an incumbent without a test score.
    """
    require_columns(runs, ("run", "strategy", "seed", "space", "data"), "the runs")
    if measure not in ("val_acc", "test_acc") or not all(0 < part <= 1 for part in parts):
        raise InputError(
            f"ranks over the budget are of val_acc or test_acc at parts in (0, 1], got {measure!r}, {list(parts)}"
        )
    course = trajectories(frame, runs, by)
    if course["spent"].isna().any():
        raise InputError(
            f"what some of these runs spent in {by.replace('_', '-')} is not known, so that they have no rank at a part of the "
            "budget; take --by children, or leave them out"
        )
    table = (runs["space"] + ", " + runs["data"]).set_axis(runs["run"])
    if measure == "test_acc":
        require_tested(course, runs)
    course = course.assign(table=course["run"].map(table))
    known = {name: value for name, value in (budgets or {}).items() if value is not None}
    budget = course["table"].map(known).fillna(course.groupby("table")["spent"].transform("max")).astype(float)
    found = []
    for part in parts:
        reached = course[course["spent"] <= part * budget * (1 + 1e-9)]
        last = at_the_end(reached, [measure])[measure]
        scores = runs[["strategy", "run"]].assign(
            table=table.to_numpy(), score=runs["run"].map(last).to_numpy(dtype=float)
        )
        if scores.groupby(["table", "strategy"])["score"].count().min() == 0:
            continue
        scores["score"] = scores["score"].fillna(
            no_choice(frame, measure)
        )  # no score yet: last, as at the end (`final_scores`)
        ranks = expected_ranks(scores) if scores["table"].nunique() == 1 else average_ranks(scores)
        found.append(ranks[["strategy", "rank"]].assign(part=part, stated=set(known) >= set(table)))
    columns = ["part", "strategy", "stated", "rank"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def course_text(ranks: pd.DataFrame) -> str:
    """Describe the ranks at parts of the budget, and which pairs of strategies change their order.

    Args:
        ranks: result of `ranks_over_budget`.

    Returns:
        Two sentences; "" with fewer than two parts.
    """
    parts = sorted(ranks["part"].unique())
    if len(parts) < 2:
        return ""
    wide = ranks.pivot(index="strategy", columns="part", values="rank").sort_values(parts[-1])
    each = ", ".join(
        f"{name} {' '.join(f'{rank:.2f}' for rank in row)}" for name, row in zip(wide.index, wide.to_numpy())
    )
    flips = [
        f"{better} and {worse}"
        for place, better in enumerate(wide.index)
        for worse in wide.index[place + 1 :]
        if wide.loc[better, parts[-1]] < wide.loc[worse, parts[-1]]
        and (wide.loc[better, parts[:-1]] > wide.loc[worse, parts[:-1]]).any()
    ]
    order = f"The order of {', '.join(flips)} changes" if flips else "No two change their order"
    if len(flips) > NAMED:
        order = f"{len(flips)} of {math.comb(len(wide), 2)} pairs change their order"
    whole = "the budget" if ranks["stated"].all() else "the most that a run spent"
    return f"Ranks at {', '.join(f'{part:.0%}' for part in parts)} of {whole}: {each}. {order}."
