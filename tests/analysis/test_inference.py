"""Intervals, equivalence, power and verdicts against scipy, statsmodels, published values and measured coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from nasbench.analysis.inference.equivalence import (
    detectable_difference,
    equivalence_p,
    paired_detectable,
    paired_equivalence_p,
    power_of,
    seeds_needed,
)
from nasbench.analysis.inference.intervals import (
    difference_interval,
    improvement_interval,
    iqm_interval,
    mean_interval,
    mean_intervals,
    median_interval,
    median_rank,
    paired_interval,
    pooled_interval,
    proportion_interval,
    uneven_skew,
    welch_error,
)
from nasbench.analysis.inference.two_samples import compare_groups, corrected
from nasbench.analysis.inference.verdicts import comparison_text, finding
from nasbench.errors import InputError

NORMAL = np.random.default_rng(4).normal(0.9, 0.01, 12)
OTHER = np.random.default_rng(5).normal(0.905, 0.02, 9)


def ends(interval) -> tuple[float, float]:
    return interval.low, interval.high


def drawn(rng: np.random.Generator, shape: str, size: tuple[int, ...]) -> tuple[np.ndarray, float, float]:
    """Scores of a shape, with their true mean and median."""
    if shape == "normal":
        return rng.normal(0.9, 0.01, size), 0.9, 0.9
    if shape == "skewed":
        return 0.95 - 0.02 * rng.exponential(1.0, size), 0.93, 0.95 - 0.02 * math.log(2)
    return np.round(rng.normal(0.9, 0.012, size), 2), 0.9, 0.9  # tied: about five different scores


def coverage(shape: str, n: int, statistic: str, repeats: int = 1000) -> tuple[float, float]:
    """Share of intervals that cover the truth, among those given; and the share of samples that have one."""
    rng = np.random.default_rng([7, n, len(shape)])
    samples, mean, median = drawn(rng, shape, (repeats, n))
    covered = given = 0
    for sample in samples:
        if statistic == "mean":
            found, truth = mean_interval(sample, rng, resamples=499), mean
        else:
            found, truth = median_interval(sample), median
        given += found.known
        covered += bool(found.low - 1e-12 <= truth <= found.high + 1e-12)
    return covered / max(1, given), given / repeats


@pytest.mark.sampled(5)
@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("n", [5, 10, 20])
@pytest.mark.parametrize("shape", ["normal", "skewed", "tied"])
def test_intervals_of_small_samples_cover_as_they_say(shape, n, statistic):
    covers, given = coverage(shape, n, statistic)
    error = 2 * math.sqrt(0.95 * 0.05 / 1000)
    assert covers >= 0.92 - error
    if shape != "tied":
        assert given == 1
        assert covers <= 0.98 + error


def test_a_percentile_bootstrap_would_fail_that_test():
    """It covers 80 to 84% at 5 runs: what these intervals replaced."""
    rng = np.random.default_rng(3)
    for shape in ("normal", "skewed"):
        samples, mean, _ = drawn(rng, shape, (1000, 5))
        means = samples[:, rng.integers(5, size=(400, 5))].mean(axis=2)
        low, high = np.quantile(means, [0.025, 0.975], axis=1)
        assert 0.76 < ((low <= mean) & (mean <= high)).mean() < 0.87


@pytest.mark.parametrize("shape", ["normal", "skewed", "tied"])
@pytest.mark.parametrize("n", [5, 10, 20])
def test_the_interval_of_a_difference_covers_as_it_says(shape, n):
    rng = np.random.default_rng([8, n])
    first, second = (drawn(rng, shape, (1500, n))[0] for _ in range(2))
    found = [difference_interval(a + 0.01, b) for a, b in zip(first, second)]
    known = [interval for interval in found if interval.known]
    covers = np.mean([interval.low <= 0.01 <= interval.high for interval in known])
    assert 0.92 - 0.012 <= covers <= 0.98 + 0.012


@pytest.mark.parametrize(("shape", "apart"), [("normal", 0.0), ("normal", 0.01), ("skewed", 0.0), ("tied", 0.0)])
@pytest.mark.parametrize("n", [5, 10, 20])
def test_the_interval_of_an_improvement_covers_at_least_as_it_says(shape, apart, n):
    rng = np.random.default_rng([9, n])
    first, second = (drawn(rng, shape, (600, n))[0] for _ in range(2))
    truth = stats.norm.cdf(apart / 0.01 / math.sqrt(2))
    found = [improvement_interval(a + apart, b) for a, b in zip(first, second)]
    assert np.mean([interval.low <= truth <= interval.high for interval in found]) >= 0.92 - 0.018


def test_the_studentized_bootstrap_is_the_textbook_one():
    """Against a plain loop over resamples that are drawn in the same way."""
    resamples = 399
    ours = mean_interval(NORMAL, np.random.default_rng(1), resamples=resamples)
    rng, n = np.random.default_rng(1), len(NORMAL)
    middle, error = NORMAL.mean(), stats.sem(NORMAL)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    samples = [np.repeat(NORMAL, count) for count in counts]
    t = np.sort([(sample.mean() - middle) / stats.sem(sample) for sample in samples])
    assert ends(ours) == pytest.approx((middle - t[-10] * error, middle - t[9] * error))


@pytest.mark.parametrize("equal", [False, True])
def test_the_studentized_bootstrap_of_strata_weighs_each_by_its_share_of_the_runs_or_equally(equal):
    """Against a plain loop: the error of a mean over strata adds their shares squared times their variances."""
    strata, resamples = [NORMAL, 3 * OTHER[:6]], 399
    ours = mean_interval(strata, np.random.default_rng(1), resamples=resamples, equal_strata=equal)
    rng, total = np.random.default_rng(1), sum(map(len, strata))
    counts = [rng.multinomial(len(each), np.full(len(each), 1 / len(each)), size=resamples) for each in strata]

    def mean_and_error(samples) -> tuple[float, float]:
        shares = [0.5 if equal else len(each) / total for each in samples]
        variance = sum((share * stats.sem(each)) ** 2 for share, each in zip(shares, samples))
        return sum(share * each.mean() for share, each in zip(shares, samples)), math.sqrt(variance)

    middle, error = mean_and_error(strata)
    drawn = [mean_and_error([np.repeat(each, count) for each, count in zip(strata, pair)]) for pair in zip(*counts)]
    t = np.sort([(mean - middle) / spread for mean, spread in drawn])
    assert ends(ours) == pytest.approx((middle - t[-10] * error, middle - t[9] * error))


def test_several_scores_of_the_same_runs_share_their_resamples():
    scores = [NORMAL, np.full(len(NORMAL), 0.5), NORMAL**2 + 1.0]
    made = []

    def rng():
        made.append(np.random.default_rng(3))
        return made[-1]

    together = mean_intervals([[each] for each in scores], rng, resamples=399)
    assert len(made) == 1
    assert [repr(each) for each in together] == [
        repr(mean_interval(each, np.random.default_rng(3), resamples=399)) for each in scores
    ]


def test_strata_are_resampled_from_themselves():
    apart = [NORMAL, NORMAL + 100.0]
    found = mean_interval(apart, np.random.default_rng(0))
    assert found.high - found.low < 0.05
    assert found.low < np.mean(apart) < found.high


@pytest.mark.parametrize(
    ("n", "rank", "coverage"),
    # Conover 1999, "Practical nonparametric statistics", table A3: binomial of n and 1/2
    [(5, 1, 0.9375), (6, 1, 0.96875), (10, 2, 0.978516), (20, 6, 0.958611), (50, 18, 0.967160)],
)
def test_the_median_lies_between_order_statistics_with_exact_coverage(n, rank, coverage):
    assert median_rank(n) == (rank, pytest.approx(coverage, abs=1e-6))
    scores = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    assert ends(median_interval(scores)) == (rank, n + 1 - rank)


def test_differences_means_of_pairs_and_shares_are_the_libraries():
    welch = CompareMeans(DescrStatsW(NORMAL), DescrStatsW(OTHER)).tconfint_diff(usevar="unequal")
    assert ends(difference_interval(NORMAL, OTHER)) == pytest.approx(welch)
    assert ends(paired_interval(NORMAL)) == pytest.approx(DescrStatsW(NORMAL).tconfint_mean())
    for reached, n in ((0, 5), (3, 7), (7, 7), (40, 200)):
        assert ends(proportion_interval(reached / n, n)) == pytest.approx(
            proportion_confint(reached, n, method="wilson"), abs=1e-12
        )


def test_equal_scores_of_both_sides_have_no_error_and_all_degrees_of_freedom():
    assert welch_error(np.full(5, 0.5), np.full(7, 0.75)) == (0.0, 10.0)


def test_the_trimmed_interval_is_that_of_the_winsorized_variance():
    found, n = iqm_interval(NORMAL), len(NORMAL)
    winsorized = stats.mstats.winsorize(NORMAL, limits=(0.25, 0.25))
    error = np.sqrt((n - 1) * np.var(winsorized, ddof=1) / (6 * 5))
    reach = stats.t.ppf(0.975, 5) * error
    assert ends(found) == pytest.approx((stats.trim_mean(NORMAL, 0.25) - reach, stats.trim_mean(NORMAL, 0.25) + reach))
    assert iqm_interval(NORMAL[:9]).method == "n too small"
    assert iqm_interval(np.repeat(NORMAL[:5], 3)).method == "n too small (too many equal scores)"


def test_pooled_resamples_have_one_run_less_than_each_table():
    rng = np.random.default_rng(3)
    strata = [rng.normal(0.9, 0.01, 20), rng.normal(0.8, 0.02, 25)]
    found = pooled_interval(strata, lambda drawn: drawn.mean(axis=1), np.random.default_rng(7), resamples=999)
    again = np.random.default_rng(7)
    drawn = np.concatenate([each[again.integers(len(each), size=(999, len(each) - 1))] for each in strata], axis=1)
    assert drawn.shape[1] == 19 + 24
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn.mean(axis=1), [0.025, 0.975]))


@pytest.mark.parametrize("second", [OTHER, np.round(OTHER, 2), OTHER * 3 - 2 * OTHER.mean()])
def test_the_interval_of_a12_has_brunner_and_munzels_variance_and_degrees_of_freedom(second):
    found = improvement_interval(NORMAL, second)
    a = stats.mannwhitneyu(NORMAL, second).statistic / (len(NORMAL) * len(second))
    theirs = stats.brunnermunzel(second, NORMAL, distribution="t")
    error = (a - 0.5) / theirs.statistic
    middle = (special.logit(found.low) + special.logit(found.high)) / 2
    assert special.expit(middle) == pytest.approx(a)
    reach = (special.logit(found.high) - middle) * a * (1 - a) / error
    freedom = optimize.brentq(lambda f: 2 * stats.t.sf(abs(theirs.statistic), f) - theirs.pvalue, 1, 100)
    assert reach == pytest.approx(stats.t.ppf(0.975, freedom))
    swapped = improvement_interval(second, NORMAL)
    assert ends(swapped) == pytest.approx((1 - found.high, 1 - found.low))


def test_the_interval_of_a12_has_a_width_when_all_pairs_agree():
    apart = improvement_interval(NORMAL + 1, OTHER)
    assert apart.high == 1
    p = apart.low
    assert 0.6 < p < 0.9
    variance = p * (1 - p) * (1 + 9.5 * ((1 - p) / (2 - p) + p / (1 + p))) / 108
    assert (p - 1) ** 2 == pytest.approx(stats.norm.ppf(0.975) ** 2 * variance)
    assert ends(improvement_interval(OTHER, NORMAL + 1)) == pytest.approx((0, 1 - p))


@pytest.mark.parametrize("sides", [(20, 20), (20, 5)])
def test_intervals_of_a12_cover_where_one_side_has_five_times_the_spread(sides):
    """Newcombe's, which assumes spreads that are alike, covers 92% of these with 20 runs a side, 77% with 20 and 5."""
    rng = np.random.default_rng(3)
    found = [improvement_interval(rng.normal(size=sides[0]), 5 * rng.normal(size=sides[1])) for _ in range(1500)]
    assert np.mean([each.low <= 0.5 <= each.high for each in found]) > 0.935


@pytest.mark.parametrize("scores", [np.full(8, 0.9), np.array([0.9, 0.91, 0.92, 0.93])])
def test_without_spread_or_with_four_runs_there_is_no_interval(scores):
    rng = np.random.default_rng(0)
    found = [mean_interval(scores, rng), median_interval(scores), difference_interval(scores, NORMAL)]
    found += [paired_interval(scores), improvement_interval(scores, scores)]
    assert [each.known for each in found] == [False] * 5
    assert all(each.method.startswith(("n too small", "all scores are equal, no interval")) for each in found)
    if len(scores) == 8:
        assert [found[place].method for place in (0, 1, 4)] == ["all scores are equal, no interval"] * 3


def test_scores_that_are_nearly_all_tied_are_too_few_and_get_no_interval_of_their_mean():
    found = mean_interval(np.array([0.9, 0.9, 0.9, 0.9, 0.91]), np.random.default_rng(0))
    assert not found.known
    assert found.method == "n too small (too many equal scores)"


def test_equivalence_is_statsmodels_two_one_sided_welch_tests():
    for margin in (0.005, 0.01, 0.05):
        theirs = CompareMeans(DescrStatsW(NORMAL), DescrStatsW(OTHER)).ttost_ind(-margin, margin, usevar="unequal")
        assert equivalence_p(NORMAL, OTHER, margin) == pytest.approx(theirs[0])
        pairs = DescrStatsW(NORMAL[:9] - OTHER)
        assert paired_equivalence_p(NORMAL[:9] - OTHER, margin) == pytest.approx(pairs.ttost_mean(-margin, margin)[0])
    for test in (lambda: equivalence_p(NORMAL, OTHER, 0.0), lambda: paired_equivalence_p(NORMAL, 0.0)):
        with pytest.raises(InputError, match="a margin of equivalence is a positive fraction"):
            test()


@pytest.mark.parametrize("n", [3, 5, 20, 100])
def test_power_and_detectable_differences_are_statsmodels(n):
    power = TTestIndPower()
    for apart in (0.2, 1.0, 3.0)[: 2 if n >= 20 else 3]:  # theirs is NaN at larger ones, at 20 with scipy 1.15
        assert power_of(0.01 * apart, (0.01, 0.01), (n, n)) == pytest.approx(power.power(apart, n, 0.05), abs=1e-6)
    size = power.solve_power(nobs1=n, power=0.8, alpha=0.05)
    assert detectable_difference((0.01, 0.01), (n, n)) == pytest.approx(0.01 * size, rel=1e-4)
    size = TTestPower().solve_power(nobs=n, power=0.8, alpha=0.05)
    assert paired_detectable(0.01, n) == pytest.approx(0.01 * size, rel=1e-4)


def test_power_of_unequal_spreads_and_runs_is_that_of_simulated_tests():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.02, 0.01, (20_000, 6)), rng.normal(0, 0.02, (20_000, 12))
    share = (stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue < 0.05).mean()
    assert power_of(0.02, (0.01, 0.02), (6, 12)) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(("apart", "spread"), [*itertools.product((0.002, 0.005), (0.005, 0.0138)), (0.03, 0.0138)])
def test_seeds_for_a_difference_are_statsmodels(apart, spread):
    theirs = TTestIndPower().solve_power(effect_size=apart / spread, power=0.8, alpha=0.05)
    assert seeds_needed(apart, (spread, spread)) == math.ceil(max(theirs, 2))


def test_seeds_for_nothing_or_of_nothing_are_one_clear_line():
    with pytest.raises(InputError, match="between -1 and 1 other than 0"):
        seeds_needed(0.0, (0.01, 0.01))
    with pytest.raises(InputError, match="scores without spread"):
        seeds_needed(0.01, (0.0, 0.0))
    with pytest.raises(InputError, match="more than 1,000,000 seeds"):
        seeds_needed(1e-9, (0.01, 0.01))


def skewed(ratio: float, n: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Two sides with one low run each, the second with `ratio` times the spread of the first."""
    one = np.array([0.0, *np.linspace(4, 5, n - 1)]) / 100
    return 0.9 + one, 0.9 + ratio * one


@pytest.mark.parametrize("swapped", [False, True])
def test_skewed_scores_of_unequal_spreads_are_found(swapped):
    def found(first, second):
        return uneven_skew(second, first) if swapped else uneven_skew(first, second)

    assert found(*skewed(2.5)) == pytest.approx(2.5)
    assert found(*skewed(1.51)) == pytest.approx(1.51)
    assert math.isnan(found(*skewed(1.49)))
    assert found(*skewed(2.5, 49)) == pytest.approx(2.5)
    assert math.isnan(found(*skewed(2.5, 50)))
    few, many = skewed(2.5, 49)[0], skewed(2.5, 80)[1]
    assert found(few, many) > 1.5  # the smaller side counts
    assert math.isnan(found(*(side[:4] for side in skewed(2.5))))  # no interval
    assert math.isnan(found(np.full(5, 0.9), skewed(2.5)[1]))  # no interval
    even = np.linspace(-1, 1, 5) / 100
    assert math.isnan(found(0.9 + even, 0.9 + 3 * even))
    low = np.array([0.0, 1, 2, 2.5, 7]) / 100  # skewness 1.0 of the narrow side alone does not count
    assert stats.skew(low) > 0.5
    assert math.isnan(found(0.9 + low, 0.9 + 6 * even))


@pytest.mark.parametrize(("middle", "counts"), [(0.36, False), (0.38, True)])
def test_the_skewness_counts_from_one_half_on(middle, counts):
    wide = np.array([0.0, middle, 1.2, 1.3, 1.4])
    assert (abs(stats.skew(wide)) > 0.5) == counts
    assert math.isnan(uneven_skew(wide / 4, wide)) != counts


def test_verdicts_say_that_their_interval_is_uncertain():
    said = "; n too small for this interval, which may cover less than 92% (skewed scores with spreads 1:2.5)"
    first, second = skewed(2.5)
    for shift, margin, begins in ((0.0, 0.01, "not shown"), (0.5, 0.01, "differs"), (0.0, 0.9, "equivalent")):
        table = corrected(pd.DataFrame([compare_groups(first + shift, second, margin=margin)]))
        text = comparison_text(table.iloc[0])
        assert text.startswith(begins)
        assert text.endswith(said)
    plain = corrected(pd.DataFrame([compare_groups(first, first + 0.001)]))
    assert "may cover" not in comparison_text(plain.iloc[0])


def test_few_comparisons_are_wrong_without_saying_so():
    """Skewed scores with three times the other's spread, five runs a side: at most 8%, where 10% of the intervals are wrong."""
    rng, wrong, silent, drawn = np.random.default_rng(8), 0, 0, 1000
    for _ in range(drawn):
        first, second = 3 * (1 - rng.exponential(size=5)), 1 - rng.exponential(size=5)
        interval = difference_interval(first, second)
        missed = not interval.low <= 0 <= interval.high
        wrong += missed
        silent += missed and math.isnan(uneven_skew(first, second))
    assert wrong > 0.08 * drawn
    assert silent < 0.08 * drawn


def test_a_verdict_has_three_forms_and_refuses_four_runs():
    rng = np.random.default_rng(6)
    near = rng.normal(0.9, 0.004, 40)

    def said(a: np.ndarray, b: np.ndarray) -> tuple[str, str]:
        row = compare_groups(a, b)
        row |= {f"{name}_holm": row[name] for name in ("p", "welch_p", "tost_p")}
        row |= {"comparisons": 1, "tost_comparisons": 1}
        return finding(row), comparison_text(row)

    found, text = said(near + 0.05, rng.normal(0.9, 0.004, 40))
    assert found == "differs"
    assert text.startswith("differs, better (Holm p < 0.001 over 1 comparison, +")
    found, text = said(near, near[::-1] + 0.0005)
    assert found == "equivalent"
    assert text.startswith("equivalent within +-1 point (TOST, Holm p < 0.001 over 1 comparison, ")
    found, text = said(near[:5], rng.normal(0.9, 0.03, 5))
    assert found == "not shown to differ"
    detectable = detectable_difference((near[:5].std(ddof=1), 0.03), (5, 5))
    assert "; detectable at this n: " in text
    assert 0.02 < detectable < 0.15
    found, text = said(near[:4], near)
    assert (found, text) == ("n too small", "n too small (n=4 and 40; 5 seeds a side are the least)")
