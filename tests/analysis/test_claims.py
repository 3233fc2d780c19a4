from __future__ import annotations

import math

import numpy as np
import pytest

from nasbench.analysis.comparison.random_search_claim import differences, plot_tops, top_means, verdict
from nasbench.errors import InputError


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
        (low, high, "supported"),
        (high, low, "contradicted"),
        (low, low[::-1], "no difference"),
    ):
        table = differences(made(make, random=random, ppo=ppo))
        assert table["difference"].iloc[0] == pytest.approx(np.mean(ppo) - np.mean(random))
        [line] = verdict(table)
        assert expected in line
        assert "n=5 and 5" in line


def test_few_seeds_are_called_insufficient(make):
    assert "insufficient" in verdict(differences(made(make, random=[0.8], ppo=[0.9])))[0]
    assert "insufficient" in verdict(differences(made(make, random=[0.8, 0.81], ppo=[0.9, 0.91])))[0]


def test_the_interval_covers_as_often_as_it_says(make):
    """Coverage of the 95% interval of a difference that is 0, over 200 draws of 20 runs a side."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        left, right = rng.normal(0.8, 0.02, 20), rng.normal(0.8, 0.02, 20)
        row = differences(made(make, random=list(left), ppo=list(right)), resamples=500).iloc[0]
        covered += row["low"] <= 0 <= row["high"]
    assert 0.88 <= covered / 200 <= 0.99


def test_the_seed_is_used(make):
    data = made(make, random=[0.80, 0.83, 0.82, 0.81, 0.80], ppo=[0.85, 0.81, 0.86, 0.82, 0.84])
    assert differences(data, seed=1).equals(differences(data, seed=1))
    assert not differences(data, seed=1).equals(differences(data, seed=2))


def test_without_random_search_there_is_no_verdict(make):
    with pytest.raises(InputError, match="no runs of 'random'"):
        differences(made(make, ppo=[0.9, 0.8]))


def test_the_figure_draws_and_says_where_there_is_nothing(make):
    frame, *_ = make.frames(strategies=("random", "ppo"), seeds=2, children=6)
    figure = plot_tops(top_means(frame), ["a note"])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0] == "best so far"
    assert any("No run found 25" in text.get_text().replace("\n", " ") for text in figure.axes[2].texts)
