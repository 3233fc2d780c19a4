"""Selection noise: the score that chose an architecture against trainings of it with other seeds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.stats import f_oneway

from nasbench.analysis.statistics.selection import (
    has_fresh_scores,
    readable_noise,
    selection_noise,
    variance_components,
)


def rows(scores: dict[str, tuple[list[float], list[float]]], seed: int = 0, fresh_seed: int = 100):
    """Runs of one strategy: run -> (scores of its children, fresh scores of its best)."""
    found = []
    for run, (searched, fresh) in scores.items():
        for index, score in enumerate(searched):
            found.append((run, "search", f"{run}{index}", "ok", True, score, math.nan, seed, index))
        best = int(np.argmax(searched))
        for number, score in enumerate(fresh):
            found.append((run, "final", f"{run}{best}", "ok", False, score, score - 0.1, fresh_seed + number, 9))
    columns = ["run", "stage", "hash", "status", "counted", "val_acc", "test_acc", "seed", "spent_gpu_hours"]
    return pd.DataFrame(found, columns=columns), pd.DataFrame({"run": list(scores), "strategy": "random"})


def test_optimism_is_the_choosing_score_less_the_fresh_ones():
    frame, runs = rows({"a": ([0.5, 0.9], [0.8, 0.86]), "b": ([0.7, 0.6], [0.66, 0.68])})
    (row,) = selection_noise(frame, runs).to_dict("records")
    assert (row["runs"], row["n"], row["trainings"]) == (2, 2, 2)
    assert row["search_val"] == pytest.approx(0.8)
    assert row["fresh_val"] == pytest.approx((0.83 + 0.67) / 2)
    assert row["optimism"] == pytest.approx(0.05)
    assert row["test_acc"] == pytest.approx(0.65)
    assert math.isnan(row["optimism_low"])
    assert row["interval"] == "n too small"


def test_the_choice_is_the_first_of_equal_scores_and_other_incumbents_do_not_count():
    frame, runs = rows({"a": ([0.5, 0.9, 0.9], [0.8, 0.86])})
    others = frame[frame["stage"] == "final"].assign(hash="a0", val_acc=0.4)  # of an earlier incumbent
    frame.loc[frame["stage"] == "search", "spent_gpu_hours"] = [1, 3, 2]  # the last row ended before the second
    last = frame[frame["stage"] == "final"].assign(hash="a2", val_acc=0.7)
    (row,) = selection_noise(pd.concat([frame, others, last]), runs).to_dict("records")
    assert row["fresh_val"] == pytest.approx(0.7)
    assert row["trainings"] == 2


def test_trainings_with_the_searchs_seed_are_not_fresh():
    frame, runs = rows({"a": ([0.5, 0.9], [0.9])}, fresh_seed=0)
    assert not has_fresh_scores(frame)
    (row,) = selection_noise(frame, runs).to_dict("records")
    assert (row["n"], row["interval"]) == (0, "no fresh training")
    assert math.isnan(row["optimism"])


def test_choices_of_luck_alone_show_their_optimism():
    """All architectures are equal: the best of 20 exceeds the mean by 1.867 deviations (expectation of the largest)."""
    rng, sd = np.random.default_rng(3), 0.02
    scores = {f"r{run}": (rng.normal(0.8, sd, 20).tolist(), rng.normal(0.8, sd, 3).tolist()) for run in range(400)}
    (row,) = selection_noise(*rows(scores)).to_dict("records")
    assert row["optimism"] == pytest.approx(1.867 * sd, rel=0.05)
    assert row["optimism_low"] < 1.867 * sd < row["optimism_high"]
    assert row["training_sd"] == pytest.approx(sd, rel=0.05)
    assert row["search_sd"] < 0.3 * sd


@pytest.mark.parametrize("size", [2, 3, 7])
def test_components_of_equal_groups_are_those_of_the_analysis_of_variance(size):
    rng = np.random.default_rng(size)
    groups = [rng.normal(centre, 1.0, size) for centre in rng.normal(0, 2.0, 12)]
    between, within = variance_components(groups)
    # F = (within + size * between) / within
    assert f_oneway(*groups).statistic == pytest.approx((within**2 + size * between**2) / within**2)
    assert within**2 == pytest.approx(np.mean([group.var(ddof=1) for group in groups]))


def test_components_of_unequal_groups_are_unbiased():
    rng, sizes = np.random.default_rng(0), (2, 3, 5, 8)
    squares = []
    for _ in range(3000):
        groups = [rng.normal(rng.normal(0, 3.0), 1.0, size) for size in sizes]
        squares.append([value**2 for value in variance_components(groups)])
    between, within = np.mean(squares, axis=0)
    assert within == pytest.approx(1.0, rel=0.05)
    assert between == pytest.approx(9.0, rel=0.06)


def choices_with_known_spreads(rng, runs: int, between: float, within: float, trained: tuple[int, ...]):
    """Runs that train one architecture 30 times and choose the luckiest; fresh trainings in numbers that take turns."""
    scores = {}
    for run in range(runs):
        centre = 0.8 + rng.normal(0, between)
        fresh = rng.normal(centre, within, trained[run % len(trained)])
        scores[f"r{run}"] = (rng.normal(centre, within, 30).tolist(), fresh.tolist())
    return rows(scores)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runs", "between", "within", "trained"),
    [(6, 0.02, 0.01, (3,)), (8, 0.02, 0.01, (1, 3, 2)), (5, 0.03, 0.005, (3,))],
)
def test_spreads_of_searches_and_trainings_are_found_apart(runs, between, within, trained):
    rng, found = np.random.default_rng(runs), []
    for _ in range(100):
        found.append(selection_noise(*choices_with_known_spreads(rng, runs, between, within, trained)).iloc[0])
    table = pd.DataFrame(found)
    assert np.sqrt((table["search_sd"] ** 2).mean()) == pytest.approx(between, rel=0.08)
    assert np.sqrt((table["training_sd"] ** 2).mean()) == pytest.approx(within, rel=0.04)
    assert table["optimism"].mean() == pytest.approx(2.043 * within, rel=0.04)  # expectation of the largest of 30
    covered = (table["optimism_low"] <= 2.043 * within) & (2.043 * within <= table["optimism_high"])
    assert covered.mean() > 0.92


def test_spreads_are_those_of_a_mixed_model():
    frame, runs = choices_with_known_spreads(np.random.default_rng(5), 12, 0.02, 0.01, (3,))
    (row,) = selection_noise(frame, runs).to_dict("records")
    fresh = frame[frame["stage"] == "final"].assign(points=lambda rows: 100 * rows["val_acc"])
    model = smf.mixedlm("points ~ 1", fresh, groups=fresh["run"]).fit(reml=True)
    assert 100 * row["search_sd"] == pytest.approx(math.sqrt(model.cov_re.iloc[0, 0]), rel=1e-3)
    assert 100 * row["training_sd"] == pytest.approx(math.sqrt(model.scale), rel=1e-3)


def test_few_groups_have_no_components():
    assert all(map(math.isnan, variance_components([np.array([0.5]), np.array([0.6])])))
    between, within = variance_components([np.array([0.5, 0.7])])
    assert math.isnan(between)
    assert within == pytest.approx(math.sqrt(0.02))


def test_the_table_is_of_percent_and_points():
    frame, runs = rows({"a": ([0.5, 0.9], [0.8, 0.86]), "b": ([0.7, 0.6], [0.66, 0.68])})
    (row,) = readable_noise(selection_noise(frame, runs)).to_dict("records")
    assert (row["search %"], row["fresh %"], row["optimism, points"]) == ("80.00", "75.00", "+5.00 (n too small)")
