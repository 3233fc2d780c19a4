"""What a run spent until it reached a target, by hand: ends of runs, limits of shares and means, speed-ups of known times."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from nasbench.analysis.comparison.anytime import trajectories
from nasbench.analysis.comparison.random_search_claim import top_means
from nasbench.analysis.comparison.reaching import budget_to_target, require_tested
from nasbench.analysis.inference.survival import restricted_mean, share_limits
from nasbench.analysis.statistics.optima import optima
from nasbench.analysis.statistics.regret_area import regret_areas
from nasbench.analysis.statistics.speedup import speedups
from nasbench.errors import InputError
from nasbench.store.query import Results


def searches(make, courses: dict[str, list[tuple[float, float]]], **of_runs):
    """Runs by name, "strategy/seed": (hours spent, validation accuracy) of their children."""
    children, runs = [], []
    for run, course in courses.items():
        strategy, seed = run.split("/")
        of = {"run": run, "strategy": strategy}
        for index, (hours, acc) in enumerate(course):
            row = {"run_seed": int(seed), "index": index, "hash": f"{run}{index}", "val_acc": acc}
            children.append({**of, **row, "spent_gpu_hours": hours, "wall_seconds": 3600 * hours, "gpu_hours": 1.0})
        hours = course[-1][0] if course else 0.0
        runs.append({**of, "seed": int(seed), "children": len(course), "training_hours": hours, "usd": 2 * hours})
    frame, table = make.children(children), make.runs(runs)
    for name, values in of_runs.items():
        table[name] = values
    return frame, table


TWO = {"random/0": [(1.0, 0.5), (2.0, 0.9), (3.0, 0.95)], "random/1": [(2.0, 0.4), (5.0, 0.6)]}


def test_the_first_time_counts_and_others_are_watched_until_their_end(make):
    rows = budget_to_target(*searches(make, TWO), 0.9).set_index("run")
    assert rows["spent"].tolist() == [2, 5]
    assert rows["reached"].tolist() == [True, False]
    assert rows["horizon"].tolist() == [3, 3]  # as far as every run went
    money = budget_to_target(*searches(make, TWO, final_hours=[0.0, 7.0], usd=[6.0, 24.0]), 0.9, "usd")
    assert money["spent"].tolist() == pytest.approx([4, 10])  # 2 USD an hour; final trainings are no part of the search
    hours = budget_to_target(*searches(make, TWO, final_hours=[0.0, 7.0], searcher_hours=[0.0, 0.5]), 0.9)
    assert hours["spent"].tolist() == pytest.approx([2, 5.5])  # the searcher's last work comes after the last child
    late = {"final_hours": [0.0, 7.0], "searcher_hours": [0.0, 0.5], "usd": [6.0, 25.0]}
    assert budget_to_target(*searches(make, TWO, **late), 0.9, "usd")["spent"].tolist() == pytest.approx([4, 11])


def test_a_budget_ends_complete_runs_and_nothing_beyond_it_counts(make):
    rows = budget_to_target(*searches(make, TWO), 0.9, budget=6.0)
    assert rows["spent"].tolist() == [2, 6]
    assert rows["horizon"].tolist() == [6, 6]
    late = budget_to_target(*searches(make, TWO), 0.95, budget=2.5)
    assert late["reached"].tolist() == [False, False]
    assert late["spent"].tolist() == [2.5, 2.5]


def test_an_unfinished_run_is_watched_until_it_stopped_within_the_budget(make):
    stopped = {"status": ["interrupted", "interrupted"]}
    rows = budget_to_target(*searches(make, TWO, **stopped), 0.99, budget=4.0)
    assert rows["spent"].tolist() == [3, 4]
    assert not rows["reached"].any()
    assert rows["horizon"].tolist() == [3, 3]  # of the first run nothing is known beyond 3 of the 4 hours
    seen = budget_to_target(*searches(make, TWO, **stopped), 0.9, budget=4.0)
    assert seen["reached"].tolist() == [True, False]
    assert seen["horizon"].tolist() == [4, 4]  # what it had found when it stopped is known for good


def test_each_table_has_its_own_horizon_target_and_runs(make):
    four = {**TWO, "ppo/0": [(8.0, 0.3)], "ppo/1": [(9.0, 0.2)]}
    frame, runs = searches(make, four, data=["a", "a", "b", "b"])
    rows = budget_to_target(frame, runs, {f"{runs['space'][0]}, a": 0.9, f"{runs['space'][0]}, b": 0.3})
    assert rows["horizon"].tolist() == [3, 3, 8, 8]
    assert rows["reached"].tolist() == [True, False, True, False]


def test_each_table_has_its_own_budget_and_is_not_cut_at_another_ones(make):
    four = {**TWO, "ppo/0": [(8.0, 0.3)], "ppo/1": [(9.0, 0.2)]}
    frame, runs = searches(make, four, data=["a", "a", "b", "b"])
    first, second = (f"{runs['space'][0]}, {name}" for name in "ab")
    targets = {first: 0.9, second: 0.3}
    rows = budget_to_target(frame, runs, targets, budget={first: 1.5, second: 10.0})
    assert rows["horizon"].tolist() == [1.5, 1.5, 10, 10]
    assert rows["spent"].tolist() == [1.5, 1.5, 8, 10]
    assert rows["reached"].tolist() == [False, False, True, False]
    other = budget_to_target(frame, runs, targets, budget={first: 6.0, second: None})  # in another unit on the second
    assert other["horizon"].tolist() == [6, 6, 8, 8]
    assert other["spent"].tolist() == [2, 6, 8, 9]
    areas = regret_areas(frame, runs, optimum=dict.fromkeys((first, second), 1.0), budget={first: 6.0, second: None})
    assert areas["budget"].tolist() == [6, 6, 8, 8]


def test_the_last_incumbent_alone_may_be_tested(make):
    frame, runs = searches(make, {"random/0": TWO["random/0"]})
    last = frame.iloc[[2]].assign(stage="final", counted=False, test_acc=0.9)
    course = trajectories(make.children([*frame.to_dict("records"), *last.to_dict("records")]), runs)
    require_tested(course, runs, last=True)
    with pytest.raises(InputError, match=r"1 of 1 runs do not have the test score of every incumbent: random/0"):
        require_tested(course, runs)
    with pytest.raises(InputError, match="of their last incumbent"):
        require_tested(course.assign(test_acc=course["test_acc"].where(course["children"] < 3)), runs, last=True)


def test_shares_of_0_and_1_have_wilsons_limits():
    spent, reached = np.array([1.0, 2, 3, 4, 5, 6]), np.array([False, True, True, True, True, True])
    low, high = share_limits(spent, reached)
    assert (low[0], high[0]) == (0, pytest.approx(proportion_confint(0, 6, method="wilson")[1]))
    assert (low[-1], high[-1]) == (pytest.approx(proportion_confint(6, 6, method="wilson")[0]), 1)
    none = share_limits(spent, np.zeros(6, dtype=bool))
    assert none[1] == pytest.approx([proportion_confint(0, at_risk, method="wilson")[1] for at_risk in range(6, 0, -1)])


def test_restricted_means_end_at_0_and_at_the_horizon():
    late = np.array([False, False, False, True, True])
    found = restricted_mean(np.array([10.0, 10, 10, 9.9, 1.0]), late, 10.0)
    assert found.value == pytest.approx(8.18)
    assert found.high == 10
    assert found.low < 8.18 - (10 - 8.18)
    early = restricted_mean(np.array([0.01, 0.01, 0.01, 0.01, 10.0]), np.ones(5, dtype=bool), 10.0)
    assert early.low == 0
    assert early.high > early.value


def test_a_restricted_mean_takes_two_runs_that_reached_it_within_the_horizon():
    one = restricted_mean(np.array([10.0, 10, 10, 10, 2.0]), np.array([False] * 4 + [True]), 10.0)
    assert (one.value, one.text) == (pytest.approx(8.4), "n too small (1 of 5 runs reached it)")
    assert math.isnan(one.low)
    two = restricted_mean(np.array([10.0, 10, 10, 3.0, 2.0]), np.array([False] * 3 + [True] * 2), 10.0)
    assert two.text == "95% Greenwood"
    # What is reached beyond the horizon is not reached by then.
    beyond = restricted_mean(np.array([3.0, 3, 3, 3, 2.0]), np.ones(5, dtype=bool), 2.5)
    assert (beyond.value, beyond.text) == (pytest.approx(2.4), "n too small (1 of 5 runs reached it)")


def rising(times: dict[str, list[float]], top: float = 0.9):
    """Runs that find 0.5 at once and `top` at a given time, of a budget of 100 hours."""
    return {
        f"{name}/{seed}": [(0.5, 0.5), (time, top), (100.0, 0.1)]
        for name, values in times.items()
        for seed, value in enumerate(values)
        for time in [value]
    }


def test_a_speedup_and_its_interval_by_hand(make):
    times = {"random": [20, 24, 28, 40, 44, 48, 60.0], "ppo": [2, 4, 6, 8, 10, 12, 14.0]}
    row = speedups(*searches(make, rising(times)), budget=100.0).iloc[0]
    assert (row["budget"], row["speedup"]) == (8, 5)
    # Order statistics 1 and 7 of seven hold with 98.4%: the ends are the least of one over the most of the other.
    assert (row["low"], row["high"]) == (pytest.approx(20 / 14), pytest.approx(60 / 2))
    assert row["interval"] == "n=7 and 7: at least 97% order statistics"


def test_the_target_of_a_speedup_is_the_median_final_score(make):
    finals = [0.6, 0.7, 0.8, 0.9, 0.91]
    courses = {f"random/{seed}": [(1.0, score)] for seed, score in enumerate(finals)}
    courses |= {f"ppo/{seed}": [(1.0, 0.85)] for seed in range(5)}
    row = speedups(*searches(make, courses), budget=1.0).iloc[0]
    assert row["target"] == 0.8  # their mean is 0.782


def test_bounds_of_speedups_are_rounded_outwards(make):
    slow = {"random": [33.4] * 5, "ppo": [200.0] * 5}  # beyond the budget
    row = speedups(*searches(make, rising(slow)), budget=100.0).iloc[0]
    assert (row["budget"], row["bound"]) == (math.inf, "at most 0.34")
    # Half of the runs of random search are at its median or above, so its time is known; of test scores as well.
    finals = [(1.0, 0.5)]
    courses = {f"random/{seed}": finals for seed in range(2)} | {f"random/{seed}": [(1.0, 0.9)] for seed in (2, 3, 4)}
    courses |= {f"ppo/{seed}": [(1.0, 0.9)] for seed in range(5)}
    assert speedups(*searches(make, courses), budget=3.0).iloc[0]["bound"] == ""


def test_only_counted_children_are_among_the_top(make):
    frame, _ = searches(make, {"random/0": [(1.0, 0.5), (2.0, 0.6), (3.0, 0.99)]})
    frame.loc[2, "counted"] = False
    assert top_means(frame, (1,))["mean"].tolist() == [0.5, 0.6]


def test_the_optimum_of_a_table_is_not_that_of_another_space(make):
    """Fingerprints are of protocol and data: two spaces can share them."""
    path = str(Path(__file__).parents[2] / "results" / "digits201.h5")
    with Results(path) as results:
        fingerprint = str(results.runs()["fingerprint"].iloc[0])
    of = {"data": "digits", "fingerprint": fingerprint, "space": "nasbench201"}
    frame, runs = searches(make, {"random/0": [(1.0, 0.5)]}, **{name: [value] for name, value in of.items()})
    frame = frame.assign(**of)
    assert optima([path], frame, runs, "val_acc") == {"nasbench201, digits": pytest.approx(0.943704, abs=1e-6)}
    other = {"space": "nasnet:blocks=2"}
    with pytest.raises(InputError, match="none of the tables given is that of the runs on nasnet:blocks=2, digits"):
        optima([path], frame.assign(**other), runs.assign(**other), "val_acc")
