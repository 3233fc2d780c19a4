"""Ranks at parts of the budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.statistics.final_scores import final_scores
from nasbench.analysis.statistics.rank_course import course_text, ranks_over_budget
from nasbench.analysis.statistics.ranks import expected_ranks
from nasbench.errors import InputError


def test_at_the_whole_budget_they_are_the_ranks_of_the_final_scores(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo", "evolution"), seeds=4, children=12)
    ranks = ranks_over_budget(frame, runs)
    whole = ranks[ranks["part"] == 1.0].set_index("strategy")["rank"]
    expected = expected_ranks(final_scores(frame, runs)).set_index("strategy")["rank"]
    pd.testing.assert_series_equal(whole, expected)


def test_a_part_counts_only_children_that_were_paid_from_it(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=3, children=12)
    half = ranks_over_budget(frame, runs, "children", parts=(0.5,)).set_index("strategy")["rank"]
    first = frame[(frame["stage"] != "search") | (frame.groupby(["run", "stage"])["spent_gpu_hours"].rank() <= 6)]
    expected = expected_ranks(final_scores(first, runs)).set_index("strategy")["rank"]
    np.testing.assert_allclose(half[expected.index], expected)


def test_the_sentence_names_the_pairs_that_change_their_order():
    rows = [(0.25, "random", 1.0), (0.25, "ppo", 2.0), (1.0, "random", 2.0), (1.0, "ppo", 1.0)]
    said = course_text(pd.DataFrame(rows, columns=["part", "strategy", "rank"]))
    assert said == (
        "Ranks at 25%, 100% of the budget: ppo 2.00 1.00, random 1.00 2.00. The order of ppo and random changes."
    )
    steady = pd.DataFrame(
        [row if row[0] == 1 else (row[0], row[1], 3 - row[2]) for row in rows], columns=["part", "strategy", "rank"]
    )
    assert course_text(steady).endswith("No two change their order.")
    assert course_text(steady.head(2)) == ""


def test_bad_parts_are_one_clear_line(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=2, children=3)
    with pytest.raises(InputError, match=r"parts in \(0, 1\], got 'val_acc', \[2\]"):
        ranks_over_budget(frame, runs, parts=(2,))
