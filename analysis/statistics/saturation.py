"""Tables that are too easy: strategies that end with the same best score can no longer be told apart."""

from __future__ import annotations

import pandas as pd

from nasbench.analysis.comparison.checks import ENOUGH_SEEDS, require_columns
from nasbench.analysis.plotting import style
from nasbench.scores import judged_by

MOST = 0.5  # share of a strategy's runs at the best score from which it counts as saturated


def saturation_note(scores: pd.DataFrame) -> str:
    """Warn where most runs of two strategies or more end with the best score of all runs on a table; '' elsewhere.

    A run without a score counts among the runs of its strategy, and is not at the best score. Strategies with fewer than
    `checks.ENOUGH_SEEDS` runs are not judged.

    Args:
        scores: result of `final_scores`. The best score is the highest that any of these runs found.

    Returns:
        A sentence per table, joined.
    """
    require_columns(scores, ("strategy", "table", "score", "scored"), "the scores")
    said = []
    for table, rows in scores.groupby("table", sort=True):
        scored = rows["scored"].astype(bool)
        best = rows.loc[scored, "score"].max()
        at_best = (scored & (rows["score"] >= best - 1e-12)).groupby(rows["strategy"])
        counts, runs = at_best.sum(), at_best.size()
        full = [
            name
            for name in style.in_order(rows["strategy"].unique().tolist())
            if runs[name] >= ENOUGH_SEEDS and counts[name] > MOST * runs[name]
        ]
        if len(full) > 1:
            named = ", ".join(f"{name} {counts[name]} of {runs[name]}" for name in full)
            said.append(
                f"{table} looks saturated: most runs end with {judged_by().number(best)}, the best score of these runs "
                f"({named}); final scores cannot tell these strategies apart, budgets to reach a target can (nasbench targets)."
            )
    return " ".join(said)
