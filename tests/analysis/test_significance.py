"""Tests of difference and effect sizes against scipy, statsmodels and hand computation."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from nasbench.analysis.comparison.random_search_claim import differences, top_means
from nasbench.analysis.inference.equivalence import detectable_difference, equivalence_p, paired_detectable
from nasbench.analysis.inference.intervals import improvement_interval
from nasbench.analysis.inference.two_samples import compare_groups
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.comparison_table import comparison_table
from nasbench.analysis.statistics.final_scores import final_scores
from nasbench.analysis.statistics.significance import draw_improvement, hedges_g, holm, paired_tests, unpaired_tests
from nasbench.errors import InputError

NAN = float("nan")


def table_of(groups: dict[str, list[float]], table: str = "t") -> pd.DataFrame:
    rows = [(name, table, f"{name}{i}", i, score) for name, scores in groups.items() for i, score in enumerate(scores)]
    return pd.DataFrame(rows, columns=["strategy", "table", "run", "seed", "score"])


@pytest.fixture
def three():
    rng = np.random.default_rng(11)
    return {
        "random": (0.90 + rng.normal(0, 0.01, 20)).round(3).tolist(),
        "reinforce": (0.905 + rng.normal(0, 0.01, 15)).round(3).tolist(),
        "ppo": (0.92 + rng.normal(0, 0.02, 18)).round(3).tolist(),
    }


def test_statistics_p_values_and_corrections_are_scipys_and_statsmodels(three):
    table = unpaired_tests(table_of(three))
    assert list(zip(table["first"], table["second"])) == [
        ("reinforce", "random"),
        ("ppo", "random"),
        ("ppo", "reinforce"),
    ]
    for row in table.to_dict("records"):
        a, b = three[row["first"]], three[row["second"]]
        rank, welch = stats.mannwhitneyu(a, b), stats.ttest_ind(a, b, equal_var=False)
        uneven = stats.brunnermunzel(a, b).pvalue
        assert (row["u"], row["mann_whitney_p"]) == pytest.approx((rank.statistic, rank.pvalue))
        assert (row["brunner_munzel_p"], row["p"]) == pytest.approx((uneven, max(rank.pvalue, uneven)))
        assert (row["welch_t"], row["welch_p"]) == pytest.approx((welch.statistic, welch.pvalue))
        assert row["improvement"] == pytest.approx(rank.statistic / (len(a) * len(b)))
        assert row["cliffs_delta"] == pytest.approx(np.mean([np.sign(x - y) for x, y in itertools.product(a, b)]))
    np.testing.assert_allclose(table["p_holm"], multipletests(table["p"], method="holm")[1])
    np.testing.assert_allclose(table["welch_p_holm"], multipletests(table["welch_p"], method="holm")[1])


def test_intervals_of_difference_and_improvement_stand_in_the_table(three):
    row = unpaired_tests(table_of(three), "random").set_index("first").loc["ppo"]
    a, b = np.array(three["ppo"]), np.array(three["random"])
    welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((welch.low, welch.high))
    better = improvement_interval(a, b)
    assert (row["improvement_low"], row["improvement_high"]) == (better.low, better.high)
    assert (row["interval"], row["margin"]) == ("95% Welch", 0.01)
    assert row["tost_p"] == equivalence_p(a, b, 0.01)
    assert row["detectable"] == detectable_difference((a.std(ddof=1), b.std(ddof=1)), (18, 20))


def test_hedges_g_against_cohens_d_and_its_correction():
    a, b = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 4, 6, 8])
    pooled = np.sqrt((4 * a.var(ddof=1) + 3 * b.var(ddof=1)) / 7)
    d = (a.mean() - b.mean()) / pooled
    assert hedges_g(a, b) == pytest.approx(d * (1 - 3 / (4 * 7 - 1)), rel=2e-3)  # the usual approximation of the factor
    assert hedges_g(a, a) == 0
    assert np.isnan(hedges_g(a[:1], b[:1]))
    assert np.isnan(hedges_g(np.ones(5), np.ones(5)))


@pytest.mark.parametrize("p", [[0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.001], [0.2], []])
def test_holm_is_that_of_statsmodels(p):
    expected = multipletests(p, method="holm")[1] if p else []
    np.testing.assert_allclose(holm(np.array(p)), expected)


@pytest.mark.parametrize(
    ("wins", "magnitude"),
    [(55, "negligible"), (57, "small"), (63, "small"), (65, "medium"), (70, "medium"), (72, "large"), (28, "large")],
)
def test_magnitudes_have_vargha_and_delaneys_bounds(wins, magnitude):
    beaten = np.full(10, wins // 10) + (np.arange(10) < wins % 10)  # how many of the others each run beats
    row = compare_groups(beaten - 0.5, np.arange(10.0))
    assert (row["improvement"], row["magnitude"]) == (pytest.approx(wins / 100), magnitude)


def test_signed_ranks_have_the_sign_of_the_larger_sum_and_its_share():
    apart = [0.01, 0.02, -0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10]
    rows = [("random", f"t{i}", 0.5) for i in range(10)] + [("ppo", f"t{i}", 0.5 + d) for i, d in enumerate(apart)]
    scores = pd.DataFrame(rows, columns=["strategy", "table", "score"])
    row = paired_tests(scores, "random").iloc[0]
    assert row["rank_biserial"] == pytest.approx((52 - 3) / 55)
    assert "differs, better (" in row["verdict"]
    back = paired_tests(scores.assign(score=1 - scores["score"]), "random").iloc[0]
    assert back["rank_biserial"] == pytest.approx(-(52 - 3) / 55)
    assert "differs, worse (" in back["verdict"]


def test_tests_not_made_do_not_count_for_holm():
    np.testing.assert_allclose(holm(np.array([0.01, NAN, 0.02])), [0.02, NAN, 0.02])


def test_two_seeds_are_too_few_and_get_no_p(three):
    few = table_of({**three, "ppo": three["ppo"][:2]})
    row = unpaired_tests(few, "random").set_index("first").loc["ppo"]
    assert row["verdict"] == "ppo against random: n too small (n=2 and 20; 5 seeds a side are the least)"
    assert np.isnan([row["p"], row["p_holm"], row["difference_low"]]).all()
    assert row["difference"] == pytest.approx(np.mean(three["ppo"][:2]) - np.mean(three["random"]))


def test_a_verdict_counts_the_tests_that_were_made():
    """A pair with fewer than five runs is no test, and takes no part in the correction."""
    up = [0.9 + 0.001 * i for i in range(10)]
    table = unpaired_tests(table_of({"random": up, "ppo": [x + 0.05 for x in up], "pnas": up[:3]}), "random")
    said = table.set_index("first")
    assert table["comparisons"].tolist() == [1, 1]
    assert said.loc["ppo", "p_holm"] == said.loc["ppo", "p"]
    assert "Holm p < 0.001 over 1 comparison, " in said.loc["ppo", "verdict"]
    assert said.loc["pnas", "verdict"] == "pnas against random: n too small (n=3 and 10; 5 seeds a side are the least)"


def test_the_same_family_has_the_same_number_everywhere(make):
    """The report, `compare --test` and `claims` of the best child alone ask the same of the same runs."""
    frame, runs, *_ = make.frames(strategies=("random", "ppo", "evolution"), seeds=6, children=8)
    scores = final_scores(frame, runs)
    compared = comparison_table(scores, "random").set_index("first")["p_holm"]
    reported = unpaired_tests(scores, "random").set_index("first")["p_holm"]
    claimed = differences(top_means(frame, tops=(1,))).set_index("strategy")["p_holm"]
    assert compared.to_dict() == reported.to_dict()
    assert claimed.to_dict() == pytest.approx(compared.to_dict())
    six = differences(top_means(frame, tops=(1, 2, 5)))
    assert set(six["comparisons"]) == {6}


def test_verdicts_say_what_was_found():
    up = [0.9 + 0.001 * i for i in range(10)]
    groups = {"random": up, "ppo": [x + 0.05 for x in up], "reinforce": [x - 0.05 for x in up], "pnas": up}
    said = unpaired_tests(table_of(groups), "random").set_index("first")["verdict"]
    assert said["ppo"].startswith(
        "ppo against random: differs, better (Holm p < 0.001 over 3 comparisons, +5.00 points [+4.72, +5.28]"
    )
    assert said["reinforce"].startswith(
        "reinforce against random: differs, worse (Holm p < 0.001 over 3 comparisons, -5.00 points"
    )
    assert said["pnas"].startswith(
        "pnas against random: equivalent within +-1 point (TOST, Holm p < 0.001 over 3 comparisons, +0.00 points"
    )


def test_equal_scores_everywhere_have_no_t_test():
    table = unpaired_tests(table_of({"random": [0.5] * 6, "ppo": [0.5] * 6}))
    assert table[["u", "p"]].iloc[0].tolist() == [18, 1]
    assert np.isnan(table["welch_p"].iloc[0])


def test_pairs_are_means_of_tables_not_equal_seeds():
    rng = np.random.default_rng(2)
    tables = [f"t{i}" for i in range(8)]
    parts = []
    for i, name in enumerate(tables):
        groups = {
            "random": (0.1 * i + rng.normal(0, 0.01, 6)).tolist(),
            "ppo": (0.1 * i + 0.01 + rng.normal(0, 0.01, 4)).tolist(),
        }
        parts.append(table_of(groups, name))
    scores = pd.concat(parts)
    row = paired_tests(scores).iloc[0]
    means = scores.groupby(["strategy", "table"])["score"].mean()
    a, b = means["ppo"].to_numpy(), means["random"].to_numpy()
    assert (row["w"], row["p"]) == pytest.approx(tuple(stats.wilcoxon(a, b)))
    assert (row["t"], row["t_p"]) == pytest.approx(tuple(stats.ttest_rel(a, b)))
    assert row["cohens_dz"] == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    assert row["n"] == 8
    student = stats.ttest_rel(a, b).confidence_interval()
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((student.low, student.high))
    assert row["detectable"] == pytest.approx(paired_detectable((a - b).std(ddof=1), 8))
    assert row["least_p"] == 2 / 2**8
    signed = stats.rankdata(np.abs(a - b)) * np.sign(a - b)
    assert row["rank_biserial"] == pytest.approx(signed.sum() / np.abs(signed).sum())
    close = scores.assign(score=scores["score"].where(scores["strategy"] == "random", scores["score"] - 0.01))
    assert paired_tests(close, margin=0.05)["finding"].tolist() == ["equivalent"]
    assert "equivalent within +-5 points (TOST, Holm p " in paired_tests(close, margin=0.05)["verdict"].iloc[0]
    few = paired_tests(scores[scores["table"].isin(tables[:3])]).iloc[0]
    assert few["verdict"] == "ppo against random: n too small (n=3 tables; the smallest p that they can give is 0.25)"
    assert np.isnan(few["detectable"])


@pytest.mark.parametrize(
    ("shifts", "said"),
    [
        ([0.05, 0.04, 0.06, 0.05, 0.04, 0.06, 0.05, 0.04], "ppo against random: differs, better ("),
        ([-0.05, -0.04, -0.06, -0.05, -0.04, -0.06, -0.05, -0.04], "ppo against random: differs, worse ("),
        ([0.05, -0.04, 0.03, -0.06, 0.02, -0.03, 0.04, -0.02], "ppo against random: not shown to differ ("),
    ],
)
def test_a_verdict_over_tables_follows_from_the_p(shifts: list[float], said: str):
    tables = [
        table_of({"random": [0.1 * i, 0.1 * i], "ppo": [0.1 * i + shift] * 2}, f"t{i}")
        for i, shift in enumerate(shifts)
    ]
    row = paired_tests(pd.concat(tables)).iloc[0]
    assert row["verdict"].startswith(said)
    assert (row["p"] < 0.05) == ("differs" in said)


def test_bad_calls_are_one_clear_line(three):
    with pytest.raises(InputError, match=r"several tables .*: t / u; use paired_tests"):
        unpaired_tests(pd.concat([table_of(three), table_of(three, "u")]))
    with pytest.raises(InputError, match="no runs of 'enas' to compare with; strategies here: random, reinforce, ppo"):
        unpaired_tests(table_of(three), "enas")


def test_the_plot_shows_p_and_n_or_that_n_is_too_small(three):
    with style.theme():
        figure = style.new_figure(18, 3)
        axes = figure.subplots(1, 3)
        draw_improvement(unpaired_tests(table_of(three), "random"), axes[0])
        draw_improvement(unpaired_tests(table_of({k: v[:2] for k, v in three.items()}), "random"), axes[1])
        draw_improvement(unpaired_tests(table_of({"random": [NAN], "ppo": [0.5]})), axes[2])
        figure.draw_without_rendering()
    assert any("n=18+20" in text.get_text() for text in axes[0].texts)
    assert [text.get_text() for text in axes[1].texts] == ["n too small, n=2+2"] * 2
    assert "No two strategies" in axes[2].texts[0].get_text()


def test_a_side_without_spread_has_neither_interval_nor_detectable_difference():
    groups = {"random": [0.9, 0.9, 0.9, 0.9, 0.9], "ppo": [0.9, 0.9, 0.9, 0.9, 0.91]}
    row = unpaired_tests(table_of(groups), "random").iloc[0]
    assert np.isnan(row["difference_low"])
    assert np.isnan(row["detectable"])
    assert row["verdict"] == (
        "ppo against random: not shown to differ (Holm p = 1.000 over 1 comparison, +0.20 points (no interval: all scores of a "
        "side are equal), n=5 and 5); what this n can detect is not known"
    )
