"""The Mann-Whitney test against every deal of small samples, and against scipy."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from nasbench.analysis.inference.rank_sums import mann_whitney
from nasbench.analysis.inference.two_samples import compare_groups

few = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(few, few)
def test_p_with_equal_scores_is_the_share_of_deals_that_are_as_far(first, second):
    scores = np.array(first + second)
    n, m = len(first), len(second)

    def above(chosen):
        a, b = scores[list(chosen)], np.delete(scores, list(chosen))
        return np.sum(a[:, None] > b) + np.sum(a[:, None] == b) / 2

    far = abs(above(range(n)) - n * m / 2)
    deals = [abs(above(chosen) - n * m / 2) >= far for chosen in itertools.combinations(range(n + m), n)]
    tested = mann_whitney(np.array(first), np.array(second))
    assert tested.u == above(range(n))
    assert tested.p == pytest.approx(np.mean(deals))


def test_five_equal_scores_against_five_have_the_least_p_that_five_allow():
    a, b = np.full(5, 0.9), np.full(5, 0.8)
    assert mann_whitney(a, b).p == pytest.approx(2 / comb(10, 5))
    assert compare_groups(a, b)["p"] == pytest.approx(2 / comb(10, 5))


@pytest.mark.parametrize("size", [5, 8, 9, 20])
def test_without_equal_scores_it_is_scipys(size):
    rng = np.random.default_rng(size)
    a, b = rng.normal(size=size), rng.normal(0.5, size=size + 2)
    tested, known = mann_whitney(a, b), mannwhitneyu(a, b)
    assert (tested.u, tested.p) == (known.statistic, pytest.approx(known.pvalue))


def test_exact_and_approximate_p_agree_where_the_one_follows_on_the_other():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 8).astype(float), rng.integers(1, 7, 20).astype(float)
    assert mann_whitney(a, b).p == pytest.approx(mannwhitneyu(a, b).pvalue, abs=0.02)


@pytest.mark.parametrize("larger", [200, 400])
def test_few_scores_against_the_hundreds_of_reference_runs_are_exact_where_some_are_equal(larger):
    a, b = np.array([0.9, 0.9]), np.repeat([0.7, 0.8, 0.9], [larger // 2 - 10, larger // 2, 10])
    n = larger + 2
    # By hand: equal scores share the mean of their ranks, and only two of the twelve scores of 0.9 are as far from the middle.
    ranks = np.concatenate([np.full(larger // 2 - 10, 1), np.full(larger // 2, 2), np.full(12, 3)])
    middle = {each: np.flatnonzero(ranks == each).mean() + 1 for each in (1, 2, 3)}
    far = abs(2 * middle[3] - (n + 1))
    share = sum(
        np.sum(ranks == one) * (np.sum(ranks == other) - (one == other)) / (n * (n - 1))
        for one in (1, 2, 3)
        for other in (1, 2, 3)
        if abs(middle[one] + middle[other] - (n + 1)) >= far
    )
    assert mann_whitney(a, b).p == pytest.approx(share)
    assert mann_whitney(b, a).p == pytest.approx(share)
    assert share == pytest.approx(12 * 11 / (n * (n - 1)))
    assert not share / 2 < mannwhitneyu(a, b, method="asymptotic").pvalue < 2 * share  # far from the approximation


def test_few_different_scores_against_a_thousand_are_scipys():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.4, size=8), rng.normal(size=1000)
    assert mann_whitney(a, b).p == mannwhitneyu(a, b, method="exact").pvalue
