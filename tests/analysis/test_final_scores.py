"""Final scores: what a run ended with, and mean, median and interquartile mean with stratified intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap, trim_mean

from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.final_scores import below_best, draw_score_intervals, final_scores, score_intervals
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
    return pd.DataFrame(rows, columns=["strategy", "table", "run", "seed", "score"])


def test_a_run_ends_with_its_last_best_and_one_without_a_score_stays(make):
    frame, runs, _ = make.frames(children=10, seeds=2)
    lost = runs["run"].iloc[0]
    frame.loc[frame["run"] == lost, "status"] = "failed"
    ends = final_scores(frame, runs).set_index("run")["score"]
    assert np.isnan(ends[lost])
    other = runs["run"].iloc[1]
    counted = frame[(frame["run"] == other) & (frame["stage"] == "search") & (frame["status"] == "ok")]
    assert ends[other] == counted["val_acc"].max()
    assert final_scores(frame, runs)["table"].unique().tolist() == ["nasnet:blocks=3, digits"]


def test_statistics_are_scipys_and_the_interval_is_its_bootstrap_of_strata(scores):
    table = score_intervals(scores, seed=5, resamples=20000).set_index(["strategy", "statistic"])
    strata = [group["score"].to_numpy() for _, group in scores[scores["strategy"] == "ppo"].groupby("table")]
    pooled = np.concatenate(strata)
    expected = {"mean": pooled.mean(), "median": np.median(pooled), "iqm": trim_mean(pooled, 0.25)}

    def iqm(*parts, axis):
        return trim_mean(np.concatenate(parts, axis=axis), 0.25, axis=axis)

    def mean(*parts, axis):
        return np.concatenate(parts, axis=axis).mean(axis=axis)

    for name, statistic in (("mean", mean), ("iqm", iqm)):
        row = table.loc[("ppo", name)]
        assert row["value"] == pytest.approx(expected[name])
        theirs = bootstrap(strata, statistic, n_resamples=20000, method="percentile", vectorized=True)
        np.testing.assert_allclose([row["low"], row["high"]], theirs.confidence_interval, atol=4e-4)
    assert table.loc[("ppo", "median"), "value"] == pytest.approx(expected["median"])
    assert (table["n"] == 21).all()
    assert (table["tables"] == 2).all()


def test_the_seed_is_really_used_and_others_do_not_matter(scores):
    first, again, other = (score_intervals(scores, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    means = first["statistic"] == "mean"
    assert (first.loc[means, "low"] != other.loc[means, "low"]).all()
    assert "seed 1" in first["interval"].iloc[0]
    alone = score_intervals(scores[scores["strategy"] == "ppo"], seed=1)
    np.testing.assert_array_equal(alone["low"], first.loc[first["strategy"] == "ppo", "low"])


def test_two_seeds_are_insufficient_and_said_to_be(scores):
    few = scores[scores["seed"] < 2]
    table = score_intervals(few)
    assert table["interval"].unique().tolist() == ["n=4: insufficient"]
    assert table[["low", "high"]].isna().all(axis=None)
    assert table["value"].notna().all()


def test_distance_below_the_best_puts_tables_on_one_scale(scores):
    apart = below_best(scores, {"a": 0.99})
    assert apart.loc[apart["table"] == "b", "score"].max() == 0
    a = scores["table"] == "a"
    np.testing.assert_allclose(apart.loc[a, "score"], scores.loc[a, "score"] - 0.99)
    with pytest.raises(InputError, match=r"a: the optimum given is 0\.5, but a run found 0\."):
        below_best(scores, {"a": 0.5})


def test_bad_measures_are_refused(make):
    frame, runs, _ = make.frames(children=2)
    with pytest.raises(InputError, match="val_acc or test_acc, not with 'params'"):
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
