"""Means and differences that are equal on paper are equal in tests of ranks."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.inference.rounding import tied
from nasbench.analysis.statistics.bayesian import bayesian_tests
from nasbench.analysis.statistics.ranks import average_ranks, friedman
from nasbench.analysis.statistics.significance import paired_tests

# Eight differences of one point, seven of them up: as floating-point numbers they are six different ones.
UP = [0.96, 0.95, 0.90, 0.91, 0.91, 0.92, 0.88, 0.93]
DOWN = [0.95, 0.94, 0.89, 0.90, 0.90, 0.91, 0.87, 0.94]


def paired(first, second) -> pd.DataFrame:
    rows = [("ppo", f"t{at}", value) for at, value in enumerate(first)]
    rows += [("random", f"t{at}", value) for at, value in enumerate(second)]
    return pd.DataFrame(rows, columns=["strategy", "table", "score"])


def test_equal_differences_share_a_rank():
    """Of 2^8 signs, those with one or none on a side: 2 (1 + 8) / 256; the rank of each is 4.5."""
    row = paired_tests(paired(UP, DOWN)).iloc[0]
    assert row["p"] == pytest.approx(2 * (1 + 8) / 2**8)
    assert row["rank_biserial"] == pytest.approx((7 * 4.5 - 4.5) / 36)
    assert row["finding"] == "not shown to differ"


def test_no_difference_at_all_is_no_sample_that_is_too_small():
    row = paired_tests(paired(UP, UP)).iloc[0]
    assert (row["p"], row["rank_biserial"], row["finding"]) == (1, 0, "not shown to differ")
    assert "not shown to differ" in row["verdict"]
    assert "nan" not in row["verdict"]


def test_one_difference_on_all_pairs_has_no_spread():
    row = paired_tests(paired(UP[:6], np.array(UP[:6]) - 0.01)).iloc[0]
    assert row["p"] == pytest.approx(2 / 2**6)
    assert np.isnan(row["t_p"])


@pytest.mark.parametrize("runs", [(3, 5, 6), (3, 5, 7), (50, 200, 7)])
def test_equal_scores_of_other_numbers_of_runs_share_a_rank(runs):
    tops = (0.9, 0.93, 0.87, 0.6123, 0.333, 0.1)
    names = ("random", "ppo", "evolution")
    rows = [
        (name, f"t{at}", top)
        for (at, top), (name, n) in itertools.product(enumerate(tops), zip(names, runs))
        for _ in range(n)
    ]
    scores = pd.DataFrame(rows, columns=["strategy", "table", "score"])
    assert average_ranks(scores)["rank"].tolist() == [2, 2, 2]
    assert friedman(scores).p == pytest.approx(1)
    found = bayesian_tests(scores, rope=0.01)
    assert (found["difference"] == 0).all()


def test_a_difference_of_a_millionth_of_a_point_is_one():
    assert np.diff(tied(np.array([0.9, 0.9 + 1e-8]), 0.9)) == pytest.approx(1e-8, rel=1e-3)
    assert len(set(tied(np.array([0.96 - 0.95, 0.9 - 0.89, 0.91 - 0.9]), 0.96).tolist())) == 1
    assert tied(np.array([1e-12, np.nan]), 0.0)[0] == 1e-12
