"""Ranks and means of two strategies that point in different directions are told so, and rule on no claim."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.comparison.random_search_claim import verdict
from nasbench.analysis.inference.two_samples import compare_groups, corrected
from nasbench.analysis.inference.verdicts import comparison_text, disagreement
from nasbench.analysis.statistics.significance import paired_tests
from nasbench.expressions.runs import runs_left

OPPOSITE = "the means say the opposite"
BETTER = np.linspace(0.95, 0.96, 20)
FAILED = np.r_[BETTER[:16], np.zeros(4)]  # four runs of twenty failed: better by ranks, far lower by its mean
OTHER = np.linspace(0.90, 0.91, 20)


def compared(first: np.ndarray) -> dict[Any, Any]:
    return corrected(pd.DataFrame([compare_groups(first, OTHER)])).to_dict("records")[0]


@pytest.mark.parametrize(
    ("by_ranks", "difference", "opposed"), [(0.3, -0.1, True), (-0.3, 0.1, True), (0.3, 0.1, False), (0.0, 0.1, False)]
)
def test_only_opposite_directions_are_told(by_ranks: float, difference: float, opposed: bool) -> None:
    assert bool(disagreement(by_ranks, difference)) is opposed


def test_a_strategy_that_is_better_by_ranks_and_worse_by_means_is_told_as_such() -> None:
    row = compared(FAILED)
    assert row["difference"] < 0 < row["improvement"] - 0.5
    said = comparison_text(row)
    assert said.startswith("differs, better")
    assert OPPOSITE in said
    assert OPPOSITE not in comparison_text(compared(BETTER))


def test_pairs_of_runs_are_told_in_the_same_way() -> None:
    """On 20 tables the first is a point better, but for one, where it failed."""
    first = OTHER + 0.01
    first[0] = 0.0
    rows = [
        (name, f"t{at}", 0, value) for name, of in (("ppo", first), ("random", OTHER)) for at, value in enumerate(of)
    ]
    table = paired_tests(pd.DataFrame(rows, columns=["strategy", "table", "seed", "score"]))
    (said,) = table["verdict"]
    assert "differs, better" in said
    assert OPPOSITE in said


def test_such_a_comparison_supports_no_claim() -> None:
    for first, ruled in ((FAILED, False), (BETTER, True)):
        row = {**compared(first), "strategy": "ppo", "top": 1, "share": np.nan}
        (line,) = verdict(pd.DataFrame([row]))
        assert ("the claim is supported" in line) is ruled
        assert ("nothing is said of the claim" in line) is not ruled


def test_runs_whose_children_all_failed_are_not_left_out_silently(make: Any) -> None:
    """A condition on scores keeps the runs that went well; a condition on strategies is meant to choose runs."""
    _, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=3, children=2)
    every = runs["run"].tolist()
    failed = runs.loc[runs["strategy"] == "ppo", "run"].iloc[0]
    kept, note = runs_left(runs, "status == 'ok'", [run for run in every if run != failed], every)
    assert len(kept) == 5
    assert note.startswith("1 run (ppo) is left out: the condition holds for none of their children")
    assert runs_left(runs, "status == 'ok'", every, every).note == ""
    assert runs_left(runs, "strategy == 'ppo'", [run for run in every if "ppo" in run], every).note == ""
