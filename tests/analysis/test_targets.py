"""Budget to a target with censored runs, against statsmodels and lifetimes by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.targets import (
    budget_to_target,
    compare_reaches,
    draw_targets,
    survival,
    target_summary,
)
from nasbench.errors import InputError


@pytest.fixture
def reaches():
    """30 runs of random search and 25 of ppo, about a third of them censored, with ties."""
    rng = np.random.default_rng(4)
    parts = []
    for strategy, n, scale in (("random", 30, 9.0), ("ppo", 25, 4.0)):
        times = np.ceil(rng.exponential(scale, n))
        parts.append(
            pd.DataFrame(
                {
                    "strategy": strategy,
                    "run": [f"{strategy}{i}" for i in range(n)],
                    "seed": range(n),
                    "by": "gpu_hours",
                    "measure": "val_acc",
                    "target": 0.9,
                    "horizon": 10.0,
                    "spent": np.minimum(times, 10.0),
                    "reached": times <= 10,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def of(reaches, strategy):
    mine = reaches[reaches["strategy"] == strategy]
    return mine["spent"].to_numpy(), mine["reached"].to_numpy()


def test_shares_are_kaplan_meiers_of_statsmodels(reaches):
    ours = survival(reaches).query("strategy == 'random'").set_index("spent")
    theirs = SurvfuncRight(*of(reaches, "random"))
    np.testing.assert_allclose(ours.loc[theirs.surv_times, "share"], 1 - theirs.surv_prob)
    assert ours["reached"].iloc[-1] == reaches.query("strategy == 'random'")["reached"].sum()


@pytest.mark.parametrize("strategy", ["random", "ppo"])
def test_the_median_and_its_limits_are_statsmodels(reaches, strategy):
    row = target_summary(reaches).set_index("strategy").loc[strategy]
    theirs = SurvfuncRight(*of(reaches, strategy))
    assert row["median"] == theirs.quantile(0.5)
    assert (row["median_low"], row["median_high"]) == theirs.quantile_ci(0.5, method="cloglog")


def test_the_restricted_mean_is_the_plain_mean_where_nothing_is_censored():
    spent = np.arange(1.0, 13.0)
    rows = pd.DataFrame({"strategy": "random", "run": map(str, spent), "seed": 0, "spent": spent, "reached": True})
    row = target_summary(rows.assign(by="gpu_hours", measure="val_acc", target=0.9, horizon=12.0)).iloc[0]
    assert row["mean"] == pytest.approx(spent.mean())
    # Greenwood's variance of the mean is then the sample variance (with n) over n
    error = np.sqrt(spent.var() / len(spent))
    assert row["mean_high"] - row["mean"] == pytest.approx(1.959964 * error, rel=1e-6)


def test_the_restricted_mean_by_hand():
    rows = pd.DataFrame(
        {
            "strategy": "random",
            "run": list("abcde"),
            "seed": range(5),
            "by": "children",
            "measure": "val_acc",
            "target": 0.9,
            "horizon": 10.0,
            "spent": [2.0, 4.0, 4.0, 6.0, 10.0],
            "reached": [True, True, False, False, True],
        }
    )
    row = target_summary(rows).iloc[0]
    # still searching: 1 to 2, 4/5 to 4, 3/5 to 10
    assert row["mean"] == pytest.approx(2 + 2 * 0.8 + 6 * 0.6)
    variance = (1.6 + 3.6) ** 2 / (5 * 4) + 3.6**2 / (4 * 3)
    assert row["mean"] - row["mean_low"] == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)


def test_the_log_rank_test_is_statsmodels(reaches):
    row = compare_reaches(reaches).iloc[0]
    squared, p = survdiff(reaches["spent"], reaches["reached"].astype(int), reaches["strategy"])
    assert row["statistic"] ** 2 == pytest.approx(squared)
    assert (row["p"], row["p_holm"]) == pytest.approx((p, p))
    with pytest.raises(InputError, match="no runs of 'enas'"):
        compare_reaches(reaches, "enas")


def test_a_run_that_never_gets_there_is_censored_at_what_its_search_spent(make):
    frame, runs, _ = make.frames(children=20, seeds=6)
    reaches = budget_to_target(frame, runs, 1.0)
    assert not reaches["reached"].any()
    search = frame[frame["stage"] == "search"].groupby("run")["spent_gpu_hours"].max()
    np.testing.assert_allclose(reaches["spent"], search.loc[runs["run"]], rtol=1e-6)
    summary = target_summary(reaches)
    assert summary["n"].tolist() == [6, 6, 6]
    assert (summary["reached"] == 0).all()
    assert summary["text"].iloc[0] == "median not reached (0 of 6 runs reached it)"
    low = budget_to_target(frame, runs, 0.0)
    assert low["reached"].all()


@pytest.mark.parametrize("by", ["gpu_hours", "children", "usd", "wall"])
def test_the_first_time_agrees_with_a_loop(make, by):
    from nasbench.analysis.comparison.anytime import trajectories

    frame, runs, _ = make.frames(children=30, seeds=5)
    course = trajectories(frame, runs, by)
    reaches = budget_to_target(frame, runs, 0.88, by)
    assert reaches["run"].tolist() == runs["run"].tolist()
    assert reaches["reached"].any()
    for row in reaches.itertuples():
        there = [c.spent for c in course[course["run"] == row.run].itertuples() if c.val_acc >= 0.88]
        assert row.reached == bool(there)
        if there:
            assert row.spent == min(there)


def test_two_seeds_are_insufficient(make):
    frame, runs, _ = make.frames(children=20, seeds=2)
    reaches = budget_to_target(frame, runs, 0.8)
    row = target_summary(reaches).iloc[0]
    assert "n too small for an interval" in row["text"]
    assert np.isnan([row["median_low"], row["mean_low"]]).all()
    assert compare_reaches(reaches)["p"].isna().all()


def test_bad_calls_are_one_clear_line(make):
    frame, runs, _ = make.frames(children=3)
    with pytest.raises(InputError, match=r"fraction in \[0, 1\], got 90"):
        budget_to_target(frame, runs, 90)
    with pytest.raises(InputError, match="val_acc or test_acc, not by 'params'"):
        budget_to_target(frame, runs, 0.9, measure="params")
    with pytest.raises(InputError, match="no gpu-hours: what they spent is not known"):
        budget_to_target(frame.assign(spent_gpu_hours=np.nan), runs, 0.9)


def test_the_plot_names_how_many_reached_it(reaches, make):
    with style.theme():
        figure = style.new_figure(12, 4)
        one, two = figure.subplots(1, 2)
        draw_targets(survival(reaches), one)
        draw_targets(survival(reaches.assign(reached=False)), two)
        figure.draw_without_rendering()
    count = reaches.query("strategy == 'random'")["reached"].sum()
    assert f"random ({count} of 30)" in [text.get_text() for text in one.texts]
    assert "No run reached the target" in two.texts[0].get_text().replace("\n", " ")
