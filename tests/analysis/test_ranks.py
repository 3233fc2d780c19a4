"""Average ranks, Friedman's test, the critical difference and profiles, against scipy and scikit-posthocs."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats

from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.profiles import draw_performance_profile, performance_profile
from nasbench.analysis.statistics.ranks import (
    average_ranks,
    cliques,
    critical_difference,
    draw_critical_difference,
    expected_ranks,
    friedman,
    kruskal_wallis,
    left_out,
    nemenyi,
    unseparated,
)
from nasbench.analysis.statistics.significance import unpaired_tests
from nasbench.errors import InputError


@pytest.fixture
def scores():
    """Four strategies on nine tables, three runs each."""
    rng = np.random.default_rng(8)
    rows = [
        (
            name,
            f"table {table}",
            f"{name}{table}{seed}",
            seed,
            round(0.8 + 0.01 * table + skill + rng.normal(0, 0.01), 3),
        )
        for name, skill in (("random", 0.0), ("reinforce", 0.004), ("ppo", 0.012), ("evolution", 0.013))
        for table in range(9)
        for seed in range(3)
    ]
    return pd.DataFrame(rows, columns=["strategy", "table", "run", "seed", "score"])


def means(scores):
    return scores.groupby(["table", "strategy"])["score"].mean().unstack()


def test_ranks_and_friedman_are_scipys(scores):
    wide = means(scores)
    expected = np.mean([stats.rankdata(-row) for row in wide.to_numpy()], axis=0)
    ours = average_ranks(scores).set_index("strategy")["rank"]
    np.testing.assert_allclose(ours[wide.columns], expected)
    found, test = friedman(scores), stats.friedmanchisquare(*wide.to_numpy().T)
    assert (found.statistic, found.p) == pytest.approx((test.statistic, test.pvalue))
    n, k = wide.shape
    assert found.f == pytest.approx((n - 1) * test.statistic / (n * (k - 1) - test.statistic))
    assert f"n={n} tables, {k} strategies" in found.text
    assert "insufficient" not in found.text


def test_pairs_are_scikit_posthocs_nemenyi(scores):
    theirs = scikit_posthocs.posthoc_nemenyi_friedman(means(scores).to_numpy())
    theirs.index = theirs.columns = means(scores).columns
    for row in nemenyi(scores).itertuples():
        assert row.p == pytest.approx(theirs.loc[row.first, row.second], abs=1e-6)


def test_the_critical_difference_is_demsars_example():
    # Demsar 2006, section 3.2.3: 4 classifiers on 14 data sets, CD = 1.25
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert round(critical_difference(4, 14), 2) == 1.25


def test_groups_within_the_critical_difference():
    assert cliques(np.array([1.0, 1.5, 3.0, 3.4]), 0.6) == [(0, 1), (2, 3)]
    assert cliques(np.array([1.0, 1.5, 2.0]), 1.0) == [(0, 2)]
    assert cliques(np.array([1.0, 2.0, 3.0]), 0.5) == []


def test_a_table_that_a_strategy_lacks_is_left_out_and_named(scores):
    scores.loc[(scores["strategy"] == "ppo") & (scores["table"] == "table 3"), "score"] = np.nan
    assert left_out(scores) == ["table 3"]
    assert (average_ranks(scores)["tables"] == 8).all()


def test_few_tables_are_insufficient_and_equal_ones_no_error(scores):
    assert "insufficient: 2 tables" in friedman(scores[scores["table"] < "table 2"]).text
    assert friedman(scores.assign(score=0.5)).p == 1.0


@pytest.mark.parametrize(("strategies", "tables"), [(["random", "ppo"], 9), (["random", "ppo", "evolution"], 1)])
def test_too_little_for_friedman_is_one_clear_line(scores, strategies, tables):
    here = scores[scores["strategy"].isin(strategies) & (scores["table"] < f"table {tables}")]
    with pytest.raises(InputError, match="takes 3 strategies and 2 tables or more; here are"):
        friedman(here)
    with pytest.raises(InputError, match="two strategies or more"):
        average_ranks(scores[scores["strategy"] == "ppo"])


def test_profiles_are_shares_of_runs_by_table(scores):
    apart = scores.assign(score=scores["score"] - scores.groupby("table")["score"].transform("max"))
    data = performance_profile(apart)
    mine = -apart.loc[apart["strategy"] == "ppo", "score"]
    for row in data[data["strategy"] == "ppo"].itertuples():
        assert row.share == pytest.approx((mine <= row.regret + 1e-9).mean())
    assert data["low"].isna().all()  # three runs a table
    enough = pd.concat([apart, apart])
    sure = performance_profile(enough)
    assert (sure["low"] <= sure["share"] + 1e-12).all()
    assert (sure["share"] <= sure["high"] + 1e-12).all()
    apart.loc[apart["strategy"] == "ppo", "score"] = np.nan
    assert (performance_profile(apart).query("strategy == 'ppo'")["share"] == 0).all()


def test_plots_name_every_strategy(scores):
    table = average_ranks(scores)
    with style.theme():
        figure = style.new_figure(14, 4)
        one, two, three = figure.subplots(1, 3)
        draw_critical_difference(table, one, 1.5)
        draw_critical_difference(table, two, 9.0)
        draw_performance_profile(performance_profile(scores.assign(score=scores["score"] - 1)), three)
        figure.draw_without_rendering()
    texts = " ".join(text.get_text() for text in one.texts)
    assert all(name in texts for name in table["strategy"])
    assert any("no difference can show" in text.get_text() for text in two.texts)
    legend = three.get_legend()
    assert "ppo (n=27, insufficient)" in [text.get_text() for text in legend.get_texts()]


def test_expected_ranks_are_the_mean_over_all_ways_to_draw_runs(scores):
    one = scores[scores["table"] == "table 0"]
    groups = {name: rows["score"].to_numpy() for name, rows in one.groupby("strategy")}
    drawn = [stats.rankdata([-score for score in way]) for way in itertools.product(*groups.values())]
    brute = dict(zip(groups, np.mean(drawn, axis=0)))
    ours = expected_ranks(one).set_index("strategy")["rank"].to_dict()
    assert ours == pytest.approx(brute)


def test_one_table_is_tested_by_kruskal_and_wallis():
    rng = np.random.default_rng(3)
    rows = [
        (name, "one", round(skill + rng.normal(0, 0.02), 3))
        for name, skill in (("random", 0.80), ("ppo", 0.805), ("evolution", 0.90))
        for _ in range(12)
    ]
    one = pd.DataFrame(rows, columns=["strategy", "table", "score"])
    found = stats.kruskal(*(rows["score"] for _, rows in one.groupby("strategy")))
    assert f"H(2) = {found.statistic:.3g}, p = {found.pvalue:.3g}: the strategies differ (n=36 runs)" in kruskal_wallis(
        one
    )
    ranks = expected_ranks(one)
    assert ranks["strategy"][0] == "evolution"
    assert unseparated(ranks, unpaired_tests(one)) == [(1, 2)]
    assert "insufficient" in kruskal_wallis(one.groupby("strategy").head(4))
    assert "ended alike" in kruskal_wallis(one.assign(score=0.5))
    with pytest.raises(InputError, match="one table"):
        expected_ranks(pd.concat([one, one.assign(table="two")]))
