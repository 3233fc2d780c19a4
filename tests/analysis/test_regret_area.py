"""Mean regret over the budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.comparison.anytime import trajectories
from nasbench.analysis.comparison.bands import generator
from nasbench.analysis.inference.intervals import mean_interval
from nasbench.analysis.plotting import style
from nasbench.analysis.statistics.profiles import regret_summary
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


TABLE = "nasnet:blocks=3, digits"


def test_areas_by_hand(two):
    table = regret_areas(*two, optimum={TABLE: 0.9}, budget=6.0).set_index("run")
    assert table["budget"].tolist() == [6.0, 6.0]
    # accuracy 0 until the first score: 1 h of a, 2 h of b; the last value is kept until the end
    assert table["waiting"].tolist() == pytest.approx([0.9 / 6, 2 * 0.9 / 6])
    assert table["area"].tolist() == pytest.approx([(0.9 + 2 * 0.4 + 3 * 0.1) / 6, (2 * 0.9 + 4 * 0.3) / 6])
    assert "optimum" in table["optimum_is"].iloc[0]
    found = regret_areas(*two)
    assert found["optimum"].iloc[0] == 0.8
    assert "not known" in found["optimum_is"].iloc[0]
    assert found["budget"].tolist() == [2.0, 2.0]  # without a budget: as far as every run went


@pytest.mark.parametrize("budget", [None, 0.1])
def test_areas_agree_with_a_fine_sum(make, budget):
    frame, runs, _ = make.frames(children=25, seeds=2, failure=0.2)
    table = regret_areas(frame, runs, optimum={TABLE: 1.0}, budget=budget)
    grid = np.linspace(0, table["budget"].iloc[0], 200_001)[:-1]
    course = trajectories(frame, runs)
    assert sorted(table["run"]) == sorted(runs["run"])
    for row in table.itertuples():
        mine = course[course["run"] == row.run]
        at = np.searchsorted(mine["spent"], grid, side="right") - 1
        known = np.where(at >= 0, mine["val_acc"].fillna(0.0).to_numpy()[at], 0.0)
        assert row.area == pytest.approx((1 - known).mean(), abs=1e-5)


def test_the_last_moments_of_a_budget_do_not_decide(two):
    """What a strategy has at 0.1 of 200 s is 0.05% of its area, although only then all runs have a test score."""
    frame, runs = two
    finals = frame.assign(stage="final", test_acc=frame["val_acc"], counted=False)
    every = pd.concat([frame, finals], ignore_index=True)
    areas = regret_areas(every, runs, measure="test_acc", optimum={TABLE: 0.9}, budget=6.0)
    assert areas["area"].tolist() == regret_areas(*two, optimum={TABLE: 0.9}, budget=6.0)["area"].tolist()
    last = pd.concat([frame, finals[finals["hash"].isin(["h1"]) & (finals["run"] == "a")]], ignore_index=True)
    with pytest.raises(
        InputError, match=r"2 of 2 runs do not have the test score of every incumbent: a \(random, seed 0"
    ):
        regret_areas(last, runs, measure="test_acc", budget=6.0)


def test_a_run_without_a_score_has_the_largest_area(make):
    frame, runs, _ = make.frames(children=10, seeds=6)
    lost = runs["run"].iloc[0]
    frame.loc[frame["run"] == lost, "status"] = "failed"
    areas = regret_areas(frame, runs, optimum={TABLE: 1.0})
    assert areas.loc[~areas["scored"], "run"].tolist() == [lost]
    assert areas.set_index("run").loc[lost, "area"] == 1.0 == areas["area"].max()
    row = area_summary(areas, seed=3).iloc[0]
    assert (row["runs"], row["scored"], row["interval"]) == (6, 5, "n=6: 95% studentized bootstrap")
    assert row["mean"] == pytest.approx(areas.loc[areas["strategy"] == "random", "area"].mean())
    assert row["low"] < row["mean"] < row["high"]
    few = area_summary(regret_areas(*make.frames(children=10, seeds=2)[:2])).iloc[0]
    assert few["interval"] == "n=2: n too small"
    assert np.isnan(few["low"])


def test_intervals_of_regrets_end_at_zero():
    scores = pd.DataFrame(
        {"strategy": "random", "table": TABLE, "seed": range(6), "score": [-0.0, -0.0, -0.001, -0.002, -0.001, -0.2]}
    ).assign(run=lambda rows: rows["seed"].astype(str), scored=True)
    table = regret_summary(scores).set_index("statistic")
    regrets = -scores["score"].to_numpy()
    assert mean_interval(regrets, generator(0, "random", "mean")).low < 0
    assert table.loc["mean", "low"] == 0
    assert table.loc["median", "value"] == pytest.approx(0.001)
    assert not np.signbit(table[["value", "low", "high"]].to_numpy(dtype=float)).any()  # no -0.0
    areas = scores.assign(area=regrets, waiting=0.0, optimum=1.0, optimum_is="")
    assert mean_interval(regrets, generator(0, "random", "area")).low < 0
    assert area_summary(areas).iloc[0]["low"] == 0


def test_tables_have_their_own_optimum_and_mean(make):
    frame, runs, _ = make.frames(children=10, seeds=6)
    other = set(runs["run"][runs["seed"] % 2 == 1])
    runs = runs.assign(data=["letters" if run in other else "digits" for run in runs["run"]])
    areas = regret_areas(frame, runs, optimum={TABLE: 1.0})
    summary = area_summary(areas)
    assert summary.groupby("table")["runs"].sum().to_dict() == {TABLE: 9, "nasnet:blocks=3, letters": 9}
    best = frame[frame["run"].isin(other) & (frame["stage"] == "search") & (frame["status"] == "ok")]["val_acc"].max()
    assert summary.set_index("table")["optimum"].to_dict() == {TABLE: 1.0, "nasnet:blocks=3, letters": best}


def test_bad_calls_are_one_clear_line(two):
    frame, runs = two
    with pytest.raises(InputError, match=r"optimum given is 0\.7, but run a \(random, seed 0\) found 0\.8.*negative"):
        regret_areas(frame, runs, optimum={TABLE: 0.7})
    with pytest.raises(InputError, match="not by 'params'"):
        regret_areas(frame, runs, measure="params")
    with pytest.raises(InputError, match=r"2 of 2 are not: a \(random, seed 0, interrupted\), .*nasbench resume"):
        regret_areas(frame, runs.assign(status="interrupted"))


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
