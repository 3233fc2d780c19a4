"""Selection noise: how far the score by which a search chose its architecture exceeds scores of fresh trainings.

A search returns the child with the highest score. Part of that score is the luck of its training seed, so the same
architecture trained with other seeds scores lower on average. Comparisons of strategies should use the fresh scores.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nasbench.analysis.comparison.checks import require_columns
from nasbench.analysis.inference.intervals import LEVEL, paired_interval
from nasbench.analysis.plotting import style

Floats = NDArray[np.float64]
COLUMNS = [
    *("strategy", "runs", "n", "trainings", "search_val", "fresh_val", "optimism", "optimism_low", "optimism_high"),
    *("interval", "test_acc", "search_sd", "training_sd"),
]


def selection_noise(frame: pd.DataFrame, runs: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Compare the score by which each search chose its architecture with scores of trainings with other seeds.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        level: coverage of the intervals in (0, 1).

    Returns:
        strategy; runs; n (runs whose choice was trained again with seeds that the search did not use); trainings (of
        one choice, median); search_val (mean validation accuracy by which they chose); fresh_val (mean of the fresh
        trainings); optimism (mean of search_val - fresh_val of a run) with optimism_low, optimism_high and interval
        (text); test_acc (mean of the fresh trainings); search_sd and training_sd (standard deviations of the fresh
        validation accuracy between the choices of different runs, and between trainings of one choice). Accuracies are
        fractions; NaN where there is nothing to compute from.

    Source: components of variance of a one-way random-effects layout with unequal groups, Searle, Casella & McCulloch
    1992, "Variance Components", section 3.6.
    """
    require_columns(frame, ("run", "stage", "hash", "status", "counted", "val_acc", "test_acc", "seed"), "the children")
    rows = [_strategy(frame, runs, name, level) for name in style.in_order(runs["strategy"].unique().tolist())]
    return pd.DataFrame(rows, columns=COLUMNS)


def has_fresh_scores(frame: pd.DataFrame) -> bool:
    """Whether some choice was trained with a seed that its search did not use.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).

    Returns:
        True if there is such a training with a score.
    """
    return bool(len(_fresh(frame)))


def _fresh(frame: pd.DataFrame) -> pd.DataFrame:
    """Final rows with a score whose training seed no child of their search has."""
    final = frame[(frame["stage"] == "final") & (frame["status"] == "ok") & frame["val_acc"].notna()]
    if final.empty:
        return final
    search = frame[frame["stage"] == "search"]
    used = set(zip(search["run"], search["seed"]))
    return final[[key not in used for key in zip(final["run"], final["seed"])]]


def _strategy(frame: pd.DataFrame, runs: pd.DataFrame, strategy: str, level: float) -> dict[str, Any]:
    ids = runs.loc[runs["strategy"] == strategy, "run"]
    mine = frame[frame["run"].isin(ids)]
    counted = mine[(mine["stage"] == "search") & mine["counted"].astype(bool) & (mine["status"] == "ok")]
    # the first row with the highest score, which is the incumbent at the end
    chosen = counted.sort_values(["run", "val_acc", "spent_gpu_hours"], ascending=[True, False, True], kind="stable")
    chosen = chosen.drop_duplicates("run").set_index("run")[["hash", "val_acc"]]
    fresh = _fresh(mine)
    fresh = fresh[fresh["hash"].to_numpy() == chosen["hash"].reindex(fresh["run"]).to_numpy()]
    groups = [group.to_numpy(dtype=float) for _, group in fresh.groupby("run", sort=False)["val_acc"]]
    row: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan)
    row |= {"strategy": strategy, "runs": len(ids), "n": len(groups), "interval": "no fresh training"}
    if not groups:
        return row
    means = fresh.groupby("run", sort=False)[["val_acc", "test_acc"]].mean()
    by_search = chosen["val_acc"].reindex(means.index).astype(float)
    differences = (by_search - means["val_acc"]).to_numpy(dtype=float)
    interval = paired_interval(differences, level)
    between, within = variance_components(groups)
    return row | {
        "trainings": float(np.median([len(group) for group in groups])),
        "search_val": float(by_search.mean()),
        "fresh_val": float(means["val_acc"].mean()),
        "optimism": float(differences.mean()),
        "optimism_low": interval.low,
        "optimism_high": interval.high,
        "interval": interval.method,
        "test_acc": float(means["test_acc"].mean()),
        "search_sd": between,
        "training_sd": within,
    }


def variance_components(groups: list[Floats]) -> tuple[float, float]:
    """Estimate the standard deviations between groups and within them.

    Args:
        groups: one array of scores per group.

    Returns:
        Standard deviation of the groups' true means (0 if their means differ less than the scores within would let
        them), and of the scores within a group; NaN with fewer than two groups, or without a group of two scores.
    """
    sizes = np.array([len(group) for group in groups], dtype=float)
    count, total = len(groups), float(sizes.sum())
    if not total > count:
        return math.nan, math.nan
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups) / (total - count)
    if count < 2:
        return math.nan, math.sqrt(within)
    means = np.array([group.mean() for group in groups])
    grand = float((sizes * means).sum() / total)
    between = float((sizes * (means - grand) ** 2).sum()) / (count - 1)
    size = (total - float((sizes**2).sum()) / total) / (count - 1)
    return math.sqrt(max(0.0, (between - within) / size)), math.sqrt(within)


def readable_noise(noise: pd.DataFrame) -> pd.DataFrame:
    """Format the table of `selection_noise`, in percent and percentage points.

    Args:
        noise: result of `selection_noise`.

    Returns:
        One row per strategy; all values are texts.
    """
    rows = []
    for row in noise.to_dict("records"):
        ends = (
            ""
            if math.isnan(row["optimism_low"])
            else f" [{_points(row['optimism_low'])}, {_points(row['optimism_high'])}]"
        )
        rows.append(
            {
                "strategy": row["strategy"],
                "runs": f"{row['n']} of {row['runs']}",
                "trainings": _number(row["trainings"], "{:g}"),
                "search %": _number(100 * row["search_val"], "{:.2f}"),
                "fresh %": _number(100 * row["fresh_val"], "{:.2f}"),
                "optimism, points": f"{_points(row['optimism'])}{ends} ({row['interval']})",
                "sd between searches": _number(100 * row["search_sd"], "{:.2f}"),
                "sd between trainings": _number(100 * row["training_sd"], "{:.2f}"),
            }
        )
    return pd.DataFrame(rows)


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)


def _points(value: float) -> str:
    return _number(100 * value, "{:+.2f}")
