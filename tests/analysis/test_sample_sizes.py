"""Seeds for a difference, speed-up over random search, saturated tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestIndPower

from nasbench.analysis.statistics.sample_sizes import power_notes, sample_sizes
from nasbench.analysis.statistics.saturation import saturation_note
from nasbench.analysis.statistics.speedup import speedups
from nasbench.analysis.statistics.targets import budget_to_target, target_summary
from nasbench.errors import InputError
from nasbench.scores import LOWER, Score, judging


def scores_of(groups: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(name, "t", score) for name, values in groups.items() for score in values]
    return pd.DataFrame(rows, columns=["strategy", "table", "score"]).assign(scored=True)


def test_seeds_of_equal_spreads_are_statsmodels():
    base = [0.90, 0.91, 0.92, 0.93, 0.94]
    row = sample_sizes(scores_of({"random": base, "ppo": [x + 0.02 for x in base]}), 0.005).iloc[0]
    effect = 0.005 / np.std(base, ddof=1)
    theirs = TTestIndPower()
    assert row["seeds"] == math.ceil(theirs.solve_power(effect_size=effect, power=0.8, alpha=0.05))
    assert row["power"] == pytest.approx(theirs.power(effect, 5, 0.05), abs=1e-6)
    assert (row["n_first"], row["n_second"]) == (5, 5)


def test_notes_say_how_uncertain_a_spread_of_few_runs_is():
    base = [0.90, 0.91, 0.92, 0.93, 0.94]
    table = sample_sizes(scores_of({"random": base, "ppo": base}), 0.005)
    notes = power_notes(table, 0.005, 0.8)
    assert notes[0].startswith("Welch's test at 5% finds 0.5 points in 80% of cases")
    assert "0.6 to 2.9 times it" in notes[1]  # sqrt(4 / chi2), chi2 with 4 degrees of freedom: 11.14 and 0.484


def test_pairs_without_a_spread_have_no_number_and_none_at_all_is_one_line():
    table = sample_sizes(scores_of({"random": [0.9, 0.91], "ppo": [0.9], "evolution": [0.8, 0.9]}), 0.01)
    missing = table[(table["first"] == "ppo") | (table["second"] == "ppo")]
    assert missing["seeds"].isna().all()
    assert table["seeds"].notna().sum() == 1
    with pytest.raises(InputError, match="no two strategies have two runs each with different scores"):
        sample_sizes(scores_of({"random": [0.9, 0.9], "ppo": [0.9, 0.9]}), 0.01)


def test_runs_that_ended_alike_have_no_spread_to_plan_with():
    table = sample_sizes(
        scores_of({"random": [0.9, 0.9, 0.9], "ppo": [0.9, 0.91, 0.92], "evolution": [0.8, 0.801, 0.802]}), 0.01
    )
    known = table.set_index(["first", "second"])["seeds"]
    assert known.isna().tolist() == [("random" in pair) for pair in known.index]
    said = power_notes(table, 0.01, 0.8)
    assert any(line.startswith("All runs of random ended alike: ") for line in said)
    assert said[0].startswith("Welch's test at 5% finds 1 point in 80% of cases")
    quick = sample_sizes(scores_of({"ppo": [0.9, 0.91, 0.92], "evolution": [0.8, 0.801, 0.802]}), 0.1)
    assert int(quick["seeds"].iloc[0]) < 5
    assert "This suite tests from 5 seeds a side on." in power_notes(quick, 0.1, 0.8)


def test_a_speedup_is_the_ratio_of_median_budgets(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=9, children=20)
    row = speedups(frame, runs, "children").iloc[0]
    reaches = budget_to_target(frame, runs, row["target"], "children", "val_acc")
    times = reaches["spent"].where(reaches["reached"].astype(bool), np.inf).groupby(reaches["strategy"])
    medians = target_summary(reaches).set_index("strategy")["median"]
    assert row["speedup"] == pytest.approx(medians["random"] / medians["ppo"])
    assert row["budget"] == medians["ppo"]
    ends = times.apply(
        lambda values: pd.Series(np.sort(values)).iloc[[1, -2]].to_numpy()
    )  # n = 9: ranks 2 and 8 have 96%
    least = times.apply(lambda values: pd.Series(np.sort(values)).iloc[[0, -1]].to_numpy())  # 97.5% takes ranks 1 and 9
    assert row["low"] == pytest.approx(least["random"][0] / least["ppo"][1] if np.isfinite(least["ppo"][1]) else 0.0)
    assert row["low"] <= row["speedup"] <= row["high"]
    assert ends["random"][0] >= least["random"][0]
    assert row["interval"].startswith("n=9 and 9: at least 99% order statistics")


@pytest.mark.parametrize("seeds", [4, 7, 8])
def test_a_speedups_budget_is_the_median_that_targets_prints(make, seeds):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=seeds, children=20)
    row = speedups(frame, runs, "children", budget=20.0).iloc[0]
    reaches = budget_to_target(frame, runs, row["target"], "children", "val_acc", 20.0)
    medians = target_summary(reaches).set_index("strategy")["median"]
    assert np.isfinite(medians["random"])  # half of its runs end at their median or above
    assert row["budget"] == (np.inf if np.isnan(medians["ppo"]) else medians["ppo"])
    if np.isfinite(row["budget"]):
        assert (row["speedup"], row["bound"]) == (pytest.approx(medians["random"] / row["budget"]), "")
    else:
        assert np.isnan(row["speedup"])


def test_a_median_beyond_the_budget_gives_a_bound_and_no_number(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=5, children=20)
    ppo = frame["strategy"] == "ppo"
    frame.loc[ppo, "val_acc"] = 0.01  # none reaches the median of random search
    row = speedups(frame, runs, "children", budget=20.0).iloc[0]
    reaches = budget_to_target(frame, runs, row["target"], "children", "val_acc", 20.0)
    median = target_summary(reaches).set_index("strategy")["median"]["random"]
    assert (row["reached"], row["budget"]) == (0, np.inf)
    assert np.isnan(row["speedup"])
    assert row["bound"] == f"at most {np.ceil(100 * median / 20) / 100:.2f}"
    assert speedups(frame, runs, "children").iloc[0]["bound"] == ""


def test_a_run_that_spent_less_than_its_budget_is_censored_at_the_budget(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=5, children=20)
    ppo = frame["strategy"] == "ppo"
    frame.loc[ppo, "val_acc"] = 0.01
    for seed, index in ((0, 9), (1, 11)):
        frame.loc[ppo & (frame["run_seed"] == seed) & (frame["index"] == index), "val_acc"] = 1.0
    frame = frame[~(ppo & frame["run_seed"].isin([2, 3]) & (frame["index"] > 4))]
    row = speedups(frame, runs, "children", budget=20.0).iloc[0]
    assert (row["reached"], row["n"], row["budget"]) == (2, 5, np.inf)  # two of five reach it: fewer than half


def test_unfinished_runs_have_no_speedup(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=3, children=4)
    runs.loc[0, "status"] = "interrupted"
    with pytest.raises(InputError, match="a speed-up needs whole runs, and 1 of 6 are not"):
        speedups(frame, runs)


def test_of_six_runs_a_speedup_has_no_interval(make):
    frame, runs, *_ = make.frames(strategies=("random", "ppo"), seeds=6, children=10)
    row = speedups(frame, runs, "children").iloc[0]
    assert row["interval"] == "n too small (n=6 and 6; 7 are the least)"
    assert np.isnan(row["low"])


def test_without_random_search_there_is_no_score_to_reach(make):
    frame, runs, *_ = make.frames(strategies=("ppo",), seeds=2, children=3)
    with pytest.raises(InputError, match="no run of 'random' has a val_acc"):
        speedups(frame, runs)


def test_a_saturated_table_is_named():
    several = {"random": [0.95, 0.95, 0.9, 0.95, 0.8], "ppo": [0.95] * 5, "pnas": [0.9, 0.91, 0.95, 0.8, 0.7]}
    full = scores_of(several)
    said = saturation_note(full)
    assert said.startswith(
        "t looks saturated: most runs end with 0.9500, the best score of these runs (random 3 of 5, ppo 5 of 5)"
    )
    assert saturation_note(full[full["strategy"] != "ppo"]) == ""
    assert saturation_note(full.groupby("strategy").head(4)) == ""  # too few runs to say it
    assert saturation_note(full.assign(score=0.0, scored=False)) == ""  # every run failed: no score is shared


def test_a_loss_may_differ_by_more_than_one():
    scores = scores_of({"random": [5.0, 6.0, 7.0, 4.0, 8.0], "ppo": [1.0, 2.0, 3.0, 1.5, 2.5]})
    with judging(Score("val_loss", "test_loss", "nats", LOWER)):
        assert sample_sizes(scores, 1.5)["seeds"].iloc[0] >= 2
        with pytest.raises(InputError, match="a number other than 0"):
            sample_sizes(scores, 0.0)
    with pytest.raises(InputError, match="a fraction between -1 and 1"):
        sample_sizes(scores, 1.5)
