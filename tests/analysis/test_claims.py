from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.comparison.random_search_claim import (
    differences,
    draw_tops,
    left_out_of_tops,
    plot_tops,
    top_means,
    verdict,
)
from nasbench.analysis.inference.equivalence import detectable_difference, seeds_needed
from nasbench.analysis.inference.two_samples import compare_groups, corrected
from nasbench.analysis.plotting import style
from nasbench.errors import InputError
from nasbench.store.query import Results


def test_top_means_equal_a_naive_count(make):
    frame, *_ = make.frames(strategies=("random", "ppo"), seeds=3, children=12)
    data = top_means(frame, (1, 3))
    for (run, top), rows in data.groupby(["run", "top"]):
        children = frame[(frame["run"] == run) & (frame["stage"] == "search") & frame["counted"]]
        children = children.sort_values("spent_gpu_hours", kind="stable")
        for place, got in zip(rows["children"], rows["mean"]):
            head = children.head(place)
            best = head[head["status"] == "ok"].groupby("hash")["val_acc"].max().sort_values(ascending=False)
            expected = best.head(top).mean() if len(best) >= top else math.nan
            assert got == pytest.approx(expected, nan_ok=True)


def made(make, **scores: list[float]):
    """A frame with one child a run, whose score is given."""
    rows = [
        {"run": f"{name}{seed}", "strategy": name, "run_seed": seed, "hash": f"{name}{seed}", "val_acc": value}
        for name, values in scores.items()
        for seed, value in enumerate(values)
    ]
    common = {"stage": "search", "status": "ok", "counted": True, "spent_gpu_hours": 1.0}
    return top_means(make.children([{**row, **common} for row in rows]), (1,))


def test_a_clear_difference_is_supported_a_reversed_one_contradicts_and_noise_shows_nothing(make):
    low, high = [0.80, 0.81, 0.82, 0.81, 0.80], [0.90, 0.91, 0.92, 0.91, 0.90]
    for random, ppo, expected in (
        (low, high, "the claim is supported"),
        (high, low, "the claim is contradicted"),
        (low, [0.78, 0.84, 0.82, 0.83, 0.80], "not shown to differ"),
    ):
        table = differences(made(make, random=random, ppo=ppo))
        assert table["difference"].iloc[0] == pytest.approx(np.mean(ppo) - np.mean(random))
        [line] = verdict(table)
        assert expected in line
        assert "n=5 and 5" in line


@pytest.mark.slow
def test_a_small_sure_difference_is_supported_from_one_half_of_the_pairs_on(make):
    """400 runs a side: better in 56% of pairs, and Mann and Whitney's test is sure of it."""
    steps = np.linspace(-1, 1, 400)
    table = differences(made(make, random=list(0.8 + 0.02 * steps), ppo=list(0.8024 + 0.02 * steps)))
    assert 0.55 < table["improvement"].iloc[0] < 0.6
    assert "the claim is supported" in verdict(table)[0]
    back = differences(made(make, random=list(0.8024 + 0.02 * steps), ppo=list(0.8 + 0.02 * steps)))
    assert "the claim is contradicted" in verdict(back)[0]


def test_as_good_as_is_shown_by_equivalence_and_not_by_a_large_p(make):
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(0.9, 0.02, 8), rng.normal(0.9, 0.002, 8)
    assert "random is as good" in verdict(differences(made(make, random=list(narrow), ppo=list(narrow[::-1]))))[0]
    [line] = verdict(differences(made(make, random=list(wide), ppo=list(wide[::-1]))))
    assert "not shown to differ" in line
    assert "as good" not in line


@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_than_five_seeds_get_neither_p_nor_interval(make, n):
    low, high = list(np.linspace(0.80, 0.81, n)), list(np.linspace(0.90, 0.91, n))
    table = differences(made(make, random=low, ppo=high))
    assert verdict(table) == [f"ppo against random, best: n too small (n={n} and {n}; 5 seeds a side are the least)."]
    assert table[["p", "p_holm", "difference_low", "tost_p"]].isna().all(axis=None)


@pytest.mark.slow
def test_verdicts_under_the_null_are_wrong_in_5_percent_of_families_at_most(make):
    """Six comparisons without a difference: before, some verdict was wrong in 41% of such files at n = 5."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        scores = rng.normal(0.9, 0.01, (7, 5))
        rows = [compare_groups(scores[0], other) for other in scores[1:]]
        wrong += (corrected(pd.DataFrame(rows))["finding"] != "not shown to differ").any()
    assert wrong / 200 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)


@pytest.fixture(scope="module")
def shipped():
    with Results([str(Path(__file__).parents[2] / "results" / "claims.h5")]) as results:
        return differences(top_means(results.frame())).set_index(["top", "strategy"])


def test_the_shipped_searches_do_not_show_that_ppo_is_better(shipped):
    """Values of an independent derivation with scipy and statsmodels."""
    ppo = shipped.loc[(25, "ppo")]
    assert (ppo["mann_whitney_p"], ppo["brunner_munzel_p"]) == pytest.approx((0.0952, 0.1005), abs=1e-4)
    assert (ppo["welch_p_holm"], ppo["p_holm"]) == pytest.approx((0.211, 0.571), abs=1e-3)
    assert shipped["finding"].unique().tolist() == ["not shown to differ"]
    assert not any("supported" in line for line in verdict(shipped.reset_index()))


def test_the_shipped_searches_do_not_show_that_random_is_as_good(shipped):
    best = shipped.loc[1]
    assert best.loc["reinforce", "tost_p"] == pytest.approx(0.130, abs=1e-3)
    assert best.loc["ppo", "tost_p"] == pytest.approx(0.240, abs=1e-3)
    assert (100 * best["detectable"]).round(1).tolist() == [2.7, 3.1]


def test_what_five_seeds_can_detect_and_what_half_a_point_takes(shipped):
    """With the spread of both comparisons of the best together, 1.38 points: 2.8 points, and about 120 seeds a side."""
    with Results([str(Path(__file__).parents[2] / "results" / "claims.h5")]) as results:
        data = top_means(results.frame(), (1,))
    ends = data.groupby(["strategy", "run"])["mean"].last().groupby("strategy").var(ddof=1)
    spread = math.sqrt((2 * ends["random"] + ends["ppo"] + ends["reinforce"]) / 4)
    assert 100 * detectable_difference((spread, spread), (5, 5)) == pytest.approx(2.8, abs=0.01)
    assert seeds_needed(0.005, (spread, spread)) == 121


def test_the_top_25_of_40_are_called_most_of_the_sample(shipped):
    assert shipped.loc[(25, "reinforce"), "share"] == pytest.approx(0.625)
    said = verdict(shipped.reset_index())[-1]
    assert said.startswith("The top 25 are 63% of the architectures that a run trained here, and were 0.1% in NASNet's")
    assert "most of what was sampled, not of the best" in said


def test_without_random_search_there_is_no_verdict(make):
    with pytest.raises(InputError, match="no runs of 'random'"):
        differences(made(make, ppo=[0.9, 0.8]))


def test_the_figure_draws_and_says_where_there_is_nothing(make):
    frame, *_ = make.frames(strategies=("random", "ppo"), seeds=2, children=6)
    figure = plot_tops(top_means(frame), ["a note"])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0] == "best so far"
    assert any("No run found 25" in text.get_text().replace("\n", " ") for text in figure.axes[2].texts)


def tops_by_hand(make, scores_of):
    """Top means of runs of random search, each with these scores of its children in turn."""
    rows = [
        {"run": run, "strategy": "random", "hash": f"{run}{place}", "val_acc": score, "spent_gpu_hours": place}
        for run, scores in scores_of.items()
        for place, score in enumerate(scores)
    ]
    return top_means(make.children(rows), tops=(3,))


def test_a_run_that_found_too_few_does_not_hide_the_others(make):
    """Of three runs one has only 2 architectures; the mean of the top 3 of the others is 0.5 and 0.7 from child 3 on."""
    data = tops_by_hand(make, {"a": [0.4, 0.5, 0.6, 0.1], "b": [0.6, 0.7, 0.8, 0.1], "c": [0.9, 0.9]})
    ax = style.new_figure(4, 4).subplots()
    draw_tops(data, ax, 3)
    line = ax.lines[0]
    assert line.get_xdata().tolist() == [3, 4]
    assert line.get_ydata() == pytest.approx([0.6, 0.6])
    assert any("random (n=2 of 3)" in text.get_text() for text in ax.texts)
    assert not any("No run found" in text.get_text() for text in ax.texts)


def test_runs_without_a_common_number_of_children_are_a_marker(make):
    """The first run has 3 scores at child 3, its last one; the second only at child 4: their last values are 0.5 and 0.7."""
    data = tops_by_hand(make, {"a": [0.4, 0.5, 0.6], "b": [math.nan, 0.6, 0.7, 0.8]})
    ax = style.new_figure(4, 4).subplots()
    draw_tops(data, ax, 3)
    line = ax.lines[0]
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([4], [pytest.approx(0.6)])
    assert any("random (n=2)" in text.get_text() for text in ax.texts)


def test_only_without_any_such_run_the_picture_says_so(make):
    ax = style.new_figure(4, 4).subplots()
    draw_tops(tops_by_hand(make, {"a": [0.4, 0.5], "b": [0.6]}), ax, 3)
    assert "No run found 3" in ax.texts[0].get_text()


def test_the_axis_says_that_a_surrogate_predicted_and_begins_after_the_steep_rise(make):
    frame, *_ = make.frames(strategies=("random", "ppo"), seeds=2, children=300)
    data = top_means(frame, (1,))
    late = data.loc[data["children"] >= 3, "mean"].min()
    data.loc[data["children"] <= 2, "mean"] = 0.01
    labels = [plot_tops(data, predicted=predicted).axes[0].get_ylabel() for predicted in (True, False)]
    assert labels == ["validation accuracy,\nsimulated by a surrogate", "validation accuracy (fraction)"]
    low, high = plot_tops(data).axes[0].get_ylim()
    assert 0.01 < low < late
    assert high > data["mean"].max()
    few = plot_tops(data[data["children"] <= 100]).axes[0].get_ylim()
    assert few[0] < 0.01  # nothing is left out of a hundred children


def test_a_small_share_has_a_decimal(shipped):
    said = verdict(shipped.assign(share=0.004).reset_index())[-1]
    assert said.startswith(
        "The top 25 are 0.4% of the architectures that a run trained here, and were 0.1% in NASNet's"
    )


def test_runs_that_have_no_mean_of_the_top_are_counted(make):
    """Six children a run: none has a top 25; one run has no child at all, and no top 1 either."""
    frame, runs, _ = make.frames(strategies=("random", "ppo"), children=6, seeds=2)
    lost = runs.loc[runs["strategy"] == "ppo", "run"].iloc[0]
    said = left_out_of_tops(top_means(frame[frame["run"] != lost], (1, 25)), runs)
    assert [line.partition(";")[0] for line in said] == [
        "Left out of the top 1: 1 of 2 of ppo, with fewer than 1 scored architecture",
        "Left out of the top 25: 2 of 2 of random, 2 of 2 of ppo, with fewer than 25 scored architectures",
    ]
    assert left_out_of_tops(top_means(frame, (1,)), runs) == []
