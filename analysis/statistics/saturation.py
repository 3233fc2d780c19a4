"""Tables that are too easy: strategies that end with the same best score can no longer be told apart."""

from __future__ import annotations

import pandas as pd

from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.plotting import style
from nasbench.scores import judged_by

MOST = 0.5  # share of a strategy's runs at the best score from which it counts as saturated


def saturation_note(scores: pd.DataFrame) -> str:
    """Warn where most runs of two strategies or more end with the best score of all runs on a table; '' elsewhere.

    Args:
        scores: result of `final_scores`. The best score is the highest that any of these runs found.

    Returns:
        A sentence per table, joined.
    """
    require_columns(scores, ("strategy", "table", "score"), "the scores")
    said = []
    for table, rows in scores.groupby("table", sort=True):
        at_best = rows["score"] >= rows["score"].max() - 1e-12
        shares = at_best.groupby(rows["strategy"]).mean()
        full = [name for name in style.in_order(rows["strategy"].unique().tolist()) if shares[name] > MOST]
        if len(full) > 1:
            named = ", ".join(f"{name} {shares[name]:.0%}" for name in full)
            said.append(
                f"{table} looks saturated: most runs end with {judged_by().number(rows['score'].max())}, the best score of these runs "
                f"({named}); final scores cannot tell these strategies apart, budgets to reach a target can (nasbench targets)."
            )
    return " ".join(said)
