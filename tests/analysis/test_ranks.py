"""Average ranks, Friedman's test, the critical difference and profiles, against scipy and scikit-posthocs."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats
from scipy.special import expit, logit
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.proportion import proportion_confint

from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.profiles import draw_performance_profile, performance_profile
from nasbench.analysis.statistics.ranks import (
    average_rank_intervals,
    average_ranks,
    bars_text,
    cliques,
    critical_difference,
    draw_critical_difference,
    expected_ranks,
    friedman,
    kruskal_wallis,
    least_holm_p,
    left_out,
    nemenyi,
    rank_intervals,
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
    assert found.statistic == pytest.approx(test.statistic)
    assert found.p == pytest.approx(test.pvalue, abs=0.01)  # theirs is the limit for many tables
    n, k = wide.shape
    assert f"n={n} tables, {k} strategies" in found.text
    assert "least p" not in found.text


def test_from_ten_tables_on_iman_and_davenports_f_stands_beside(scores):
    more = pd.concat([scores, scores.assign(table=scores["table"] + "b")])
    found, wide = friedman(more), means(more)
    test, (n, k) = stats.friedmanchisquare(*wide.to_numpy().T), wide.shape
    assert found.f == pytest.approx((n - 1) * test.statistic / (n * (k - 1) - test.statistic))
    assert found.f_p == pytest.approx(stats.f.sf(found.f, k - 1, (k - 1) * (n - 1)))
    assert "Iman-Davenport F" in found.text


def test_pairs_are_scikit_posthocs_nemenyi(scores):
    theirs = scikit_posthocs.posthoc_nemenyi_friedman(means(scores).to_numpy())
    theirs.index = theirs.columns = means(scores).columns
    found = nemenyi(scores)
    assert len(found) == 6
    for row in found.itertuples():
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


def test_few_tables_say_their_least_p_and_equal_ones_are_no_error(scores):
    assert "the least p that 2 tables can give is 0.0417" in friedman(scores[scores["table"] < "table 2"]).text
    assert friedman(scores.assign(score=0.5)).p == pytest.approx(1.0)


@pytest.mark.parametrize(("strategies", "tables"), [(["random", "ppo"], 9), (["random", "ppo", "evolution"], 1)])
def test_too_little_for_friedman_is_one_clear_line(scores, strategies, tables):
    here = scores[scores["strategy"].isin(strategies) & (scores["table"] < f"table {tables}")]
    with pytest.raises(InputError, match="takes 3 strategies and 2 tables or more; here are"):
        friedman(here)
    with pytest.raises(InputError, match="two strategies or more"):
        average_ranks(scores[scores["strategy"] == "ppo"])


def test_profiles_are_shares_of_runs_by_table(scores):
    apart = scores.assign(score=scores["score"] - scores.groupby("table")["score"].transform("max"), scored=True)
    data = performance_profile(apart)
    mine = -apart.loc[apart["strategy"] == "ppo", "score"]
    for row in data[data["strategy"] == "ppo"].itertuples():
        assert row.share == pytest.approx((mine <= row.regret + 1e-9).mean())
    assert data["low"].isna().all()  # three runs a table
    enough = pd.concat([apart, apart])
    sure = performance_profile(enough)
    assert (sure["low"] <= sure["share"] + 1e-12).all()
    assert (sure["share"] <= sure["high"] + 1e-12).all()
    one = performance_profile(enough[enough["table"] == "table 0"]).query("strategy == 'ppo' and share == 1").iloc[0]
    assert (one["low"], one["high"]) == pytest.approx(proportion_confint(6, 6, method="wilson"))  # and no width of 0
    apart.loc[apart["strategy"] == "ppo", "scored"] = False
    assert (performance_profile(apart).query("strategy == 'ppo'")["share"] == 0).all()


def test_plots_name_every_strategy(scores):
    table = average_ranks(scores)
    with style.theme():
        figure = style.new_figure(14, 4)
        one, two, three = figure.subplots(1, 3)
        draw_critical_difference(table, one, 1.5)
        draw_critical_difference(table, two, 9.0)
        draw_performance_profile(performance_profile(scores.assign(score=scores["score"] - 1, scored=True)), three)
        figure.draw_without_rendering()
    texts = " ".join(text.get_text() for text in one.texts)
    assert all(name in texts for name in table["strategy"])
    assert any("no pair can be shown to differ" in text.get_text() for text in two.texts)
    legend = three.get_legend()
    assert "ppo (n=27, n too small)" in [text.get_text() for text in legend.get_texts()]


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
    assert (
        f"H(2) = {found.statistic:.3g}, p = {found.pvalue:.3g}: their scores differ, in level or spread (n=36 runs)"
        in kruskal_wallis(one)
    )
    ranks = expected_ranks(one)
    assert ranks["strategy"][0] == "evolution"
    assert unseparated(ranks, unpaired_tests(one)) == [(1, 2)]
    assert "n too small: 12 runs" in kruskal_wallis(one.groupby("strategy").head(4))
    assert "ended alike" in kruskal_wallis(one.assign(score=0.5))
    with pytest.raises(InputError, match="one table"):
        expected_ranks(pd.concat([one, one.assign(table="two")]))


@pytest.mark.parametrize(
    ("sizes", "p"), [([5] * 5, 10 * 2 / 252), ([5] * 4, 6 * 2 / 252), ([20, 20], 2 / 137846528820)]
)
def test_the_least_p_after_holm_is_that_of_separated_runs(sizes, p):
    assert least_holm_p(sizes) == pytest.approx(p)
    rows = [(f"s{i}", "one", 100 * i + seed) for i, n in enumerate(sizes) for seed in range(n)]
    apart = unpaired_tests(pd.DataFrame(rows, columns=["strategy", "table", "score"]))
    assert apart["p_holm"].min() == pytest.approx(p, rel=1e-6, abs=1e-6)


def test_captions_say_no_bars_where_bars_could_never_break():
    names = ["random", "ppo", "evolution", "reinforce", "pnas"]
    few = pd.DataFrame({"strategy": names, "runs": 5, "rank": range(1, 6)})
    drawn, text = bars_text(few)
    assert not drawn
    assert text.startswith("No bars: with these numbers of runs no pair can be shown to differ")
    assert "0.079" in text
    assert bars_text(few.head(4))[0]
    drawn, text = bars_text(few.assign(runs=4))
    assert (drawn, text) == (False, "No bars: pairs are tested from 5 runs a strategy on, the fewest here are 4.")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("n", [5, 10, 20])
def test_intervals_of_ranks_cover_at_least_as_they_say(n):
    """The truth is the rank of the distributions: P(other better) of normal scores."""
    rng, shifts = np.random.default_rng(n), np.array([0.0, 0.5, 1.0])
    better = stats.norm.cdf((shifts[None, :] - shifts[:, None]) / np.sqrt(2))
    truth = dict(zip("abc", 1 + better.sum(axis=1) - 0.5))
    covered = given = 0
    for _ in range(200):
        rows = [(name, "one", value) for name, shift in zip("abc", shifts) for value in rng.normal(shift, 1, n)]
        table = rank_intervals(pd.DataFrame(rows, columns=["strategy", "table", "score"]))
        for row in table[table["low"].notna()].itertuples():
            covered += row.low <= truth[row.strategy] <= row.high
            given += 1
    assert covered / given >= 0.92 - 2 * np.sqrt(0.05 * 0.95 / 600)
    assert given >= 0.95 * 600


@pytest.mark.parametrize("sizes", [(8, 8), (6, 13)])
def test_the_rank_interval_of_two_strategies_is_that_of_statsmodels(sizes):
    """Brunner and Munzel's interval of P(other better), on the logit scale by the delta method."""
    rng = np.random.default_rng(3)
    samples = {name: rng.normal(shift, 1, size) for name, shift, size in zip("ab", (0.4, 0.0), sizes)}
    rows = [(name, "one", value) for name, values in samples.items() for value in values]
    table = rank_intervals(pd.DataFrame(rows, columns=["strategy", "table", "score"])).set_index("strategy")
    for name, other in ("ab", "ba"):
        theirs = rank_compare_2indep(samples[other], samples[name], use_t=True)
        half = float(np.diff(theirs.conf_int(alpha=0.05))[0]) / 2
        reach = half / (theirs.prob1 * (1 - theirs.prob1))
        expected = [1 + expit(logit(theirs.prob1) + side * reach) for side in (-1, 0, 1)]
        assert table.loc[name, ["low", "rank", "high"]].tolist() == pytest.approx(expected)


def test_a_rank_that_no_run_contradicts_has_no_interval():
    rows = [(name, "one", 10 * i + seed) for i, name in enumerate("ab") for seed in range(6)]
    table = rank_intervals(pd.DataFrame(rows, columns=["strategy", "table", "score"]))
    assert set(table["interval"]) == {"n too small (all its runs are on one side of all others)"}


def test_ranks_of_equal_scores_say_that_they_are_tied():
    def said(levels):
        rows = [(name, "one", level) for name, level in levels.items() for _ in range(20)]
        table = rank_intervals(pd.DataFrame(rows, columns=["strategy", "table", "score"])).set_index("strategy")
        assert table[["low", "high"]].isna().all(axis=None)
        return table["interval"].to_dict()

    assert said({"a": 0.9, "b": 0.9, "c": 0.9}) == dict.fromkeys("abc", "all scores are equal, no interval")
    some = "n too small (all its runs are tied with or on one side of all others)"
    one = "n too small (all its runs are on one side of all others)"
    assert said({"a": 0.9, "b": 0.9, "c": 0.5}) == {"a": some, "b": some, "c": one}


@pytest.mark.parametrize("n", [5, 20])
def test_intervals_of_average_ranks_cover_at_least_as_they_say(n):
    """The truth is the average rank of the true means on the same three tables."""
    rng = np.random.default_rng(n)
    true = np.array([[0.0, 0.4, 0.8], [0.3, 0.0, 0.6], [0.0, 0.2, 0.1]])  # [tables, strategies], spread 1
    truth = dict(zip("abc", np.mean([stats.rankdata(-row) for row in true], axis=0)))
    covered = 0
    for _ in range(60):
        rows = [
            (name, f"t{table}", value)
            for table, row in enumerate(true)
            for name, mean in zip("abc", row)
            for value in rng.normal(mean, 1, n)
        ]
        found = average_rank_intervals(pd.DataFrame(rows, columns=["strategy", "table", "score"]), resamples=300)
        covered += sum(row.low - 1e-9 <= truth[row.strategy] <= row.high + 1e-9 for row in found.itertuples())
    assert covered / 180 >= 0.92 - 2 * np.sqrt(0.08 * 0.92 / 180)


def test_average_ranks_of_four_runs_have_no_interval(scores):
    table = average_rank_intervals(scores)
    assert table["interval"].unique().tolist() == ["n too small"]
    assert table["strategy"].tolist() == average_ranks(scores)["strategy"].tolist()
    sure = average_rank_intervals(pd.concat([scores, scores]))
    ranks = average_ranks(pd.concat([scores, scores])).set_index("strategy")["rank"]
    assert all(row.low - 1e-9 <= ranks[row.strategy] <= row.high + 1e-9 for row in sure.itertuples())
