"""Mean regret over the budget."""

from __future__ import annotations

import numpy as np
import pytest

from nasbench.analysis.comparison.anytime import trajectories
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.regret_area import area_summary, draw_regret_areas, regret_areas
from nasbench.errors import InputError


@pytest.fixture
def two(make):
    """Runs a (0.5 at 1 h, 0.8 at 3 h, ends at 5 h) and b (0.6 at 2 h, ends there)."""
    rows = [("a", 1.0, 0.5), ("a", 3.0, 0.8), ("a", 5.0, 0.7), ("b", 2.0, 0.6)]
    children = [
        {"run": run, "index": i, "strategy": "random", "hash": f"h{i}", "val_acc": acc, "spent_gpu_hours": hours}
        for i, (run, hours, acc) in enumerate(rows)
    ]
    runs = [{"run": name, "strategy": "random", "seed": i} for i, name in enumerate("ab")]
    return make.children(children), make.runs(runs)


def test_areas_by_hand(two):
    table = regret_areas(*two, optimum=0.9).set_index("run")
    assert (table["begin"].iloc[0], table["end"].iloc[0]) == (2.0, 5.0)
    assert table.loc["a", "area"] == pytest.approx((1 * 0.4 + 2 * 0.1) / 3)
    assert table.loc["b", "area"] == pytest.approx(0.3)
    assert "optimum" in table["optimum_is"].iloc[0]
    found = regret_areas(*two)
    assert found["optimum"].iloc[0] == 0.8
    assert "not known" in found["optimum_is"].iloc[0]


def test_areas_agree_with_a_fine_sum(make):
    frame, runs, _ = make.frames(children=25, seeds=2, failure=0.2)
    table = regret_areas(frame, runs, optimum=1.0)
    grid = np.linspace(table["begin"].iloc[0], table["end"].iloc[0], 200_001)[:-1]
    for row in table.itertuples():
        course = trajectories(frame, runs)
        course = course[course["run"] == row.run]
        at = np.searchsorted(course["spent"], grid, side="right") - 1
        assert row.area == pytest.approx((1 - course["val_acc"].to_numpy()[at]).mean(), abs=1e-5)


def test_summary_counts_and_says_insufficient(make):
    frame, runs, _ = make.frames(children=10, seeds=6)
    lost = runs["run"].iloc[0]
    frame.loc[frame["run"] == lost, "status"] = "failed"
    row = area_summary(regret_areas(frame, runs), seed=3).iloc[0]
    assert (row["runs"], row["n"], row["interval"]) == (6, 5, "n=5: 95% bootstrap, seed 3")
    assert row["low"] < row["mean"] < row["high"]
    few = area_summary(regret_areas(*make.frames(children=10, seeds=2)[:2])).iloc[0]
    assert few["interval"] == "n=2: insufficient"
    assert np.isnan(few["low"])


def test_bad_calls_are_one_clear_line(two):
    with pytest.raises(InputError, match=r"optimum given is 0\.7, but a run found 0\.8; give that of val_acc"):
        regret_areas(*two, optimum=0.7)
    with pytest.raises(InputError, match="not of 'params'"):
        regret_areas(*two, measure="params")


def test_the_plot_has_a_row_a_strategy(make):
    frame, runs, _ = make.frames(children=10, seeds=6)
    with style.theme():
        figure = style.new_figure(10, 4)
        one, two = figure.subplots(1, 2)
        draw_regret_areas(regret_areas(frame, runs), one)
        draw_regret_areas(regret_areas(frame.assign(status="failed"), runs), two)
        figure.draw_without_rendering()
    assert [tick.get_text() for tick in one.get_yticklabels()] == ["ppo\n(n=6)", "reinforce\n(n=6)", "random\n(n=6)"]
    assert "No run has a score" in two.texts[0].get_text().replace("\n", " ")
