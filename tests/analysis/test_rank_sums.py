"""The Mann-Whitney test against every deal of small samples, and both rank tests against scipy; how often the verdict errs."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import brunnermunzel, mannwhitneyu

from nasbench.analysis.inference.rank_sums import brunner_munzel, mann_whitney
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


@pytest.mark.parametrize(("first", "second"), [(2, 2), (5, 5), (5, 200), (20, 7), (300, 200)])
@pytest.mark.parametrize("decimals", [9, 0], ids=["different", "tied"])
def test_the_test_for_unequal_spreads_is_scipys(first, second, decimals):
    rng = np.random.default_rng([first, second, decimals])
    a, b = rng.normal(0.5, 3, first).round(decimals), rng.normal(0, 1, second).round(decimals)
    assert brunner_munzel(a, b) == pytest.approx(brunnermunzel(a, b).pvalue, rel=1e-9)
    assert brunner_munzel(b, a) == pytest.approx(brunner_munzel(a, b), rel=1e-9)


def test_the_test_for_unequal_spreads_leaves_the_verdict_to_the_other_where_every_score_is_higher():
    a, b = np.array([0.9, 0.91, 0.95, 0.97, 0.99]), np.array([0.5, 0.6, 0.7, 0.8, 0.85])
    assert brunner_munzel(a, b) == brunner_munzel(b, a) == 0
    assert compare_groups(a, b)["p"] == mann_whitney(a, b).p


def test_the_test_for_unequal_spreads_finds_nothing_in_equal_scores():
    assert brunner_munzel(np.full(5, 0.9), np.full(7, 0.9)) == 1


def errors(first, second, times, repeats=600):
    """How often 5% tests reject where each side wins half of all pairs; the first has so many times the other's spread."""
    rng = np.random.default_rng([first, second, times])
    rows = [compare_groups(rng.normal(0, times, first), rng.normal(0, 1, second)) for _ in range(repeats)]
    return {name: np.mean([row[name] < 0.05 for row in rows]) for name in ("p", "mann_whitney_p", "brunner_munzel_p")}


@pytest.mark.parametrize(
    ("first", "second", "times", "most"), [(10, 200, 5, 0.075), (20, 80, 3, 0.075), (5, 200, 5, 0.11)]
)
def test_few_searches_of_large_spread_are_rarely_told_from_many_that_are_as_good(first, second, times, most):
    """One-sided limits of 600 repeats at true rates of 5, 5 and 8%."""
    found = errors(first, second, times)
    assert found["p"] < most
    assert found["mann_whitney_p"] > 0.1  # what the verdict was


def test_few_searches_of_equal_spread_are_not_told_apart_more_often_than_five_in_a_hundred():
    found = errors(5, 5, 1)
    assert found["p"] <= found["mann_whitney_p"] < 0.05 < found["brunner_munzel_p"]
