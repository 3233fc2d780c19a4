"""Final scores: what a run ended with, and mean, median and interquartile mean with stratified intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap, mannwhitneyu, trim_mean

from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.comparison.compare import summarize
from nasbench.analysis.inference.intervals import iqm_interval, mean_interval, median_interval, pooled_interval
from nasbench.analysis.plotting import style
from nasbench.analysis.report.contents import finals
from nasbench.analysis.statistics.final_scores import (
    below_best,
    draw_score_intervals,
    final_scores,
    require_scores,
    score_intervals,
    unscored_note,
)
from nasbench.analysis.statistics.profiles import performance_profile
from nasbench.analysis.statistics.ranks import expected_ranks
from nasbench.analysis.statistics.significance import unpaired_tests
from nasbench.errors import InputError


@pytest.fixture
def scores():
    """Two strategies on two tables, 12 and 9 runs each."""
    rng = np.random.default_rng(3)
    rows = [
        (strategy, table, f"{strategy}{table}{i}", i, level + skill + rng.normal(0, 0.02))
        for strategy, skill in (("random", 0.0), ("ppo", 0.01))
        for table, level, n in (("a", 0.9, 12), ("b", 0.6, 9))
        for i in range(n)
    ]
    return pd.DataFrame(rows, columns=["strategy", "table", "run", "seed", "score"]).assign(scored=True)


def test_a_run_ends_with_its_last_best_and_one_without_a_score_is_last(make):
    frame, runs, _ = make.frames(children=10, seeds=2)
    lost = runs["run"].iloc[0]
    frame.loc[frame["run"] == lost, "status"] = "failed"
    scores = final_scores(frame, runs)
    assert scores.loc[~scores["scored"], "run"].tolist() == [lost]
    ends = scores.set_index("run")["score"]
    assert ends[lost] == 0 == ends.min()
    other = runs["run"].iloc[1]
    counted = frame[(frame["run"] == other) & (frame["stage"] == "search") & (frame["status"] == "ok")]
    assert ends[other] == counted["val_acc"].max()
    assert final_scores(frame, runs)["table"].unique().tolist() == ["nasnet:blocks=3, digits"]


def test_statistics_are_scipys_and_intervals_those_of_their_methods(scores):
    table = score_intervals(scores, seed=5).set_index(["strategy", "statistic"])
    strata = [group["score"].to_numpy() for _, group in scores[scores["strategy"] == "ppo"].groupby("table")]
    pooled = np.concatenate(strata)
    expected = {"mean": pooled.mean(), "median": np.median(pooled), "iqm": trim_mean(pooled, 0.25)}
    assert table.loc["ppo", "value"].to_dict() == pytest.approx(expected)
    mean = mean_interval(strata, generator(5, "ppo", "final", "mean"))
    assert tuple(table.loc[("ppo", "mean"), ["low", "high"]]) == (mean.low, mean.high)
    assert table.loc[("ppo", "mean"), "interval"] == "n=21: 95% studentized bootstrap"
    # Of 12 and 9 runs of two tables, medians and interquartile means have no interval that covers as it says.
    assert set(table.loc[("ppo", ["median", "iqm"]), "interval"]) == {"n=21: n too small"}
    assert (table["n"] == 21).all()
    assert (table["tables"] == 2).all()


def test_on_one_table_medians_have_order_statistics_and_interquartile_means_their_t(scores):
    one = scores[scores["table"] == "a"]
    table = score_intervals(one).set_index(["strategy", "statistic"])
    mine = one.loc[one["strategy"] == "ppo", "score"].to_numpy()
    for name, found in (("median", median_interval(mine)), ("iqm", iqm_interval(mine))):
        assert tuple(table.loc[("ppo", name), ["low", "high"]]) == (found.low, found.high)
        assert table.loc[("ppo", name), "interval"] == f"n=12: {found.method}"


def test_over_tables_of_twenty_runs_the_bootstrap_of_strata_is_that_of_scipy(scores):
    rng = np.random.default_rng(1)
    strata = [rng.normal(0.9, 0.02, 30), rng.normal(0.8, 0.02, 25)]
    ours = pooled_interval(strata, lambda samples: trim_mean(samples, 0.25, axis=1), rng, resamples=4000)

    def iqm(*parts, axis):
        return trim_mean(np.concatenate(parts, axis=axis), 0.25, axis=axis)

    theirs = bootstrap(strata, iqm, n_resamples=4000, method="percentile", vectorized=True).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=2e-3)  # theirs draws one run more
    assert ours.high - ours.low > theirs.high - theirs.low


def test_the_seed_is_really_used_and_others_do_not_matter(scores):
    first, again, other = (score_intervals(scores, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    means = first["statistic"] == "mean"
    assert (first.loc[means, "low"] != other.loc[means, "low"]).all()
    alone = score_intervals(scores[scores["strategy"] == "ppo"], seed=1)
    np.testing.assert_array_equal(alone["low"], first.loc[first["strategy"] == "ppo", "low"])


def test_two_seeds_are_too_few_and_said_to_be(scores):
    few = scores[scores["seed"] < 2]
    table = score_intervals(few)
    assert table["interval"].unique().tolist() == ["n=4: n too small"]
    assert table[["low", "high"]].isna().all(axis=None)
    assert table["value"].notna().all()


def test_distance_below_the_best_puts_tables_on_one_scale(scores):
    apart = below_best(scores, {"a": 0.99})
    assert apart.loc[apart["table"] == "b", "score"].max() == 0
    a = scores["table"] == "a"
    np.testing.assert_allclose(apart.loc[a, "score"], scores.loc[a, "score"] - 0.99)
    with pytest.raises(
        InputError, match=r"a: the optimum given is 0\.5, but run \w+a\d+ \(.*\) found 0\..*regret would be negative"
    ):
        below_best(scores, {"a": 0.5})


def test_bad_measures_are_refused(make):
    frame, runs, _ = make.frames(children=2)
    with pytest.raises(InputError, match="val_acc or test_acc, not by 'params'"):
        final_scores(frame, runs, "params")


def test_the_plot_has_every_strategy_with_its_n(scores):
    with style.theme():
        figure = style.new_figure(6, 3)
        ax = figure.subplots()
        draw_score_intervals(score_intervals(scores), ax)
        figure.draw_without_rendering()
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["ppo\n(n=21)", "random\n(n=21)"]
    figure = style.new_figure(6, 3)
    ax = figure.subplots()
    draw_score_intervals(score_intervals(scores.assign(score=np.nan)), ax)
    assert "No run ended with a score" in ax.texts[0].get_text()


def test_crashed_runs_rank_last_and_never_help(make):
    """45 of 50 runs of random crash and its 5 best are left: reinforce is not the worse one for that."""
    rng = np.random.default_rng(1)
    rows = [("random", i, 0.90 + 0.002 * rng.random(), "ok" if i < 5 else "diverged") for i in range(50)]
    rows += [("reinforce", i, 0.88 + 0.01 * rng.random(), "ok") for i in range(10)]
    children = [
        {"run": f"{name}{seed}", "strategy": name, "run_seed": seed, "hash": f"h{seed}", "status": status}
        | {"val_acc": acc if status == "ok" else np.nan, "spent_gpu_hours": 1.0}
        for name, seed, acc, status in rows
    ]
    runs = make.runs(
        [{"run": f"{name}{seed}", "strategy": name, "seed": seed, "children": 1} for name, seed, _, _ in rows]
    )
    scores = final_scores(make.children(children), runs)
    test = unpaired_tests(scores).iloc[0]
    assert (test["first"], test["n_first"], test["n_second"]) == ("reinforce", 10, 50)
    assert test["improvement"] == pytest.approx(45 / 50)  # better than the crashed, worse than the five
    assert test["p"] == pytest.approx(mannwhitneyu([2.0] * 10, [1.0] * 45 + [3.0] * 5).pvalue, rel=0.2)
    ranks = expected_ranks(scores).set_index("strategy")["rank"]
    assert ranks.to_dict() == pytest.approx({"reinforce": 1.1, "random": 1.9})
    assert unscored_note(scores).startswith("Runs without a score: 45 of 50 of random. They count as accuracy 0")
    profile = performance_profile(below_best(scores))
    assert profile.loc[profile["strategy"] == "random", "share"].max() == pytest.approx(5 / 50)


def test_a_choice_without_a_test_score_is_refused_and_not_taken_for_a_crash(make):
    frame, runs, _ = make.frames(children=10, seeds=2)
    lost = runs["run"].iloc[0]
    scores = final_scores(frame[(frame["run"] != lost) | (frame["stage"] == "search")], runs, "test_acc")
    assert scores.loc[scores["score"].isna(), "run"].tolist() == [lost]
    assert unscored_note(scores) == ""
    with pytest.raises(InputError, match=rf"1 of 6 runs do not have the test score of their choice: {lost} \(random"):
        require_scores(scores)


def test_a_table_without_any_score_has_no_best_and_an_optimum_is_exceeded_by_a_hair():
    rows = {"strategy": "random", "table": ["a", "a", "b"], "run": ["r0", "r1", "r2"], "seed": [0, 1, 0]}
    scores = pd.DataFrame({**rows, "score": [0.9, 0.8, 0.0], "scored": [True, True, False]})
    apart = below_best(scores)["score"].tolist()
    assert apart[:2] == pytest.approx([0, -0.1])
    assert np.isnan(apart[2])
    with pytest.raises(InputError, match=r"found 0\.9: its regret would be negative"):
        below_best(scores, {"a": 0.8999})


def test_the_test_score_of_an_earlier_incumbent_is_not_that_of_the_choice(make):
    """The second child is the choice, and its final training diverged; the first has a test score."""
    first, second = (
        {"run": "r", "strategy": "random", "run_seed": 0, "hash": key, "val_acc": acc, "spent_gpu_hours": float(place)}
        for place, (key, acc) in enumerate([("a", 0.5), ("b", 0.9)], start=1)
    )
    final = {"stage": "final", "counted": False, "test_acc": 0.4, "status": "ok"}
    frame = make.children([first, second, first | final, second | final | {"status": "diverged", "test_acc": np.nan}])
    runs = make.runs([{"run": "r", "strategy": "random", "seed": 0, "children": 2}])
    scores = final_scores(frame, runs, "test_acc")
    assert np.isnan(scores["score"].iloc[0])
    with pytest.raises(InputError, match="do not have the test score of their choice"):
        require_scores(scores)
    assert finals(frame, runs)[["hash", "val_acc"]].to_numpy().tolist() == [["b", 0.9]]
    assert np.isnan(finals(frame, runs)["test_acc"].iloc[0])
    assert summarize(frame, runs)["n_test"].tolist() == [0]
