"""The permutation form of Friedman's test against full enumeration, published tables and drawn permutations."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from nasbench.analysis.inference.friedman import friedman_p
from nasbench.analysis.statistics.ranks import dependence, friedman


def enumerated(ranks: np.ndarray) -> float:
    """Share of all orders within tables whose statistic is at least the observed one."""
    ways = [sorted(itertools.permutations(row)) for row in ranks[1:]]
    statistic = [np.square(np.sum([ranks[0], *way], axis=0)).sum() for way in itertools.product(*ways)]
    return float(np.mean(np.array(statistic) >= np.square(ranks.sum(axis=0)).sum() - 1e-9))


@pytest.mark.parametrize(("strategies", "tables", "expected"), [(3, 2, 1 / 6), (3, 3, 1 / 36), (4, 2, 1 / 24)])
def test_total_agreement_has_the_exact_p_and_not_0(strategies, tables, expected):
    found = friedman_p(np.tile(np.arange(1.0, strategies + 1), (tables, 1)))
    assert (found.p, found.method, found.least) == (pytest.approx(expected), "exact", pytest.approx(expected))


@pytest.mark.parametrize(
    ("strategies", "tables", "statistic", "p"),
    # Hollander, Wolfe & Chicken 2014, table A.22; Siegel & Castellan 1988, table M
    [(3, 3, 6.0, 0.028), (3, 4, 6.5, 0.042), (3, 5, 6.4, 0.039), (3, 10, 6.2, 0.046), (4, 4, 7.8, 0.036)],
)
def test_published_critical_values(strategies, tables, statistic, p):
    """The exact upper tail at the statistic that stands in the tables of the test."""
    rng = np.random.default_rng(strategies * tables)
    for _ in range(20_000):
        ranks = np.array([rng.permutation(strategies) + 1.0 for _ in range(tables)])
        sums = ranks.sum(axis=0)
        here = 12 / (tables * strategies * (strategies + 1)) * np.square(sums).sum() - 3 * tables * (strategies + 1)
        if here == pytest.approx(statistic):
            assert friedman_p(ranks).p == pytest.approx(p, abs=6e-4)
            return
    raise AssertionError("no ranks with this statistic were drawn")


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("strategies", "tables"), [(3, 4), (3, 5), (4, 3)])
def test_the_distribution_is_that_of_all_orders(strategies, tables, ties):
    rng = np.random.default_rng([strategies, tables])
    scores = rng.integers(3, size=(tables, strategies)) if ties else rng.random((tables, strategies))
    ranks = np.array([rankdata(row) for row in scores])
    exact = friedman_p(ranks)
    assert exact.method == "exact"
    assert exact.p == pytest.approx(enumerated(ranks))
    drawn = friedman_p(ranks, most_states=0)
    assert drawn.method == "of 99,999 drawn permutations"
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p / 99_999) + 2e-5)


@pytest.mark.slow
def test_the_test_rejects_in_5_percent_at_most_with_few_tables():
    """Iman and Davenport's F rejected in 17 to 20% with 2 or 3 tables and no difference."""
    rng = np.random.default_rng(0)
    for strategies, tables in ((3, 2), (3, 3), (5, 2), (5, 3)):
        ranks = rng.permuted(np.tile(np.arange(1.0, strategies + 1), (800, tables, 1)), axis=2)
        assert np.mean([friedman_p(each).p < 0.05 for each in ranks]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 800)


def scores_of(tables: list[str]) -> pd.DataFrame:
    rows = [
        (name, table, 0.9 + 0.01 * place + 0.001 * seed)
        for place, name in enumerate(("random", "ppo", "evolution"))
        for table in tables
        for seed in range(2)
    ]
    return pd.DataFrame(rows, columns=["strategy", "table", "score"])


def test_few_tables_say_the_least_p_and_print_no_f():
    found = friedman(scores_of(["nasnet:blocks=2, digits", "nas, cifar10"]))
    assert found.p == pytest.approx(1 / 6)
    assert np.isnan(found.f)
    assert "p = 0.167 (exact): the strategies are not shown to differ" in found.text
    assert "the least p that 2 tables can give is 0.167" in found.text
    assert "Iman" not in found.text
    assert "not independent" not in found.text


def test_data_sets_of_one_space_are_called_dependent():
    scores = scores_of([f"nasbench201, {data}" for data in ("cifar10", "cifar100", "imagenet16-120")])
    assert dependence(scores).startswith("Tables of one space (nasbench201) share their architectures")
    assert dependence(scores) in friedman(scores).text


def test_a_p_of_drawn_permutations_is_never_0():
    ranks = np.tile(np.arange(1.0, 9.0), (12, 1))  # eight strategies agree on twelve tables: too many orders to count
    found = friedman_p(ranks)
    assert found.method == "of 99,999 drawn permutations"
    assert found.p == pytest.approx(1 / 100_000)
