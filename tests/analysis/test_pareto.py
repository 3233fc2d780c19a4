"""Fronts and hypervolumes against naive oracles, and plots whose labels can be read."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.pareto.objectives import objective_points, objective_volumes
from nasbench.analysis.pareto.pareto import (
    hypervolume,
    lost_runs_note,
    pareto_front,
    plot_pareto,
    reference_point,
    without_score,
)
from nasbench.errors import InputError


def naive_front(points: list[tuple[float, float]]) -> list[bool]:
    return [not any(a <= x and b >= y and (a < x or b > y) for a, b in points) for x, y in points]


def naive_volume(points: list[tuple[float, float]], x_ref: float, y_ref: float) -> float:
    """Area under the staircase in (log10 x, y): cut into strips between neighbouring x."""
    inside = sorted((math.log10(x), y) for x, y in points if x < x_ref and y > y_ref)
    edges = [x for x, _ in inside] + [math.log10(x_ref)]
    return sum((edges[i + 1] - edges[i]) * (max(y for _, y in inside[: i + 1]) - y_ref) for i in range(len(inside)))


@pytest.fixture
def points(make):
    def from_points(values, strategies=("random",)):
        rows = [
            {"run": "r", "index": i, "strategy": strategies[i % len(strategies)], "hash": f"{i:08d}", "params": x, "mult_adds": 9 * x, "val_acc": y}
            for i, (x, y) in enumerate(values)
        ]  # fmt: skip
        return make.children(rows)

    return from_points


@pytest.mark.parametrize("seed", range(8))
def test_fronts_and_volumes_agree_with_naive_ones_ties_included(points, seed):
    rng = np.random.default_rng(seed)
    values = [(int(x), float(y)) for x, y in zip(rng.integers(1, 15, 60) * 1000, rng.integers(0, 12, 60) / 12)]
    front = pareto_front(points(values, ("random", "ppo")))
    plane = list(zip(front["params"], front["val_acc"]))
    assert front["front"].tolist() == naive_front(plane)
    for _, rows in front.groupby("strategy"):
        assert rows["strategy_front"].tolist() == naive_front(list(zip(rows["params"], rows["val_acc"])))
    volumes = hypervolume(front).set_index("strategy")
    assert volumes.loc["all", "hypervolume"] == pytest.approx(naive_volume(plane, *reference_point(front)))
    tight = hypervolume(front, reference=(8000, 0.4)).set_index("strategy")
    assert tight.loc["all", "hypervolume"] == pytest.approx(naive_volume(plane, 8000, 0.4))
    mine = [(x, y) for x, y, s in zip(front["params"], front["val_acc"], front["strategy"]) if s == "ppo"]
    assert tight.loc["ppo", "hypervolume"] == pytest.approx(naive_volume(mine, 8000, 0.4))


def test_ties_stay_on_the_front_together(points):
    front = pareto_front(points([(10, 0.5), (10, 0.5), (10, 0.4), (20, 0.5)]))
    assert front["front"].tolist() == [False, True, True, False]


def test_a_volume_by_hand(points):
    front = pareto_front(points([(100, 0.5), (1000, 0.75)]))
    row = hypervolume(front, reference=(10000, 0.0)).iloc[-1]
    assert row["hypervolume"] == pytest.approx(0.5 + 0.75)
    assert reference_point(front) == (10000.0, 0.0)
    assert reference_point(pareto_front(points([(999, 0.5)]))) == (1000.0, 0.0)


def test_a_hash_seen_twice_is_one_point_at_its_mean(points):
    frame = points([(100, 0.5), (100, 0.7)])
    frame["hash"] = "same"
    front = pareto_front(frame)
    assert front[["n", "val_acc"]].values.tolist() == [[2, 0.6]]


def test_the_score_chooses_the_stage(make):
    frame, _, _ = make.frames(children=8, retrained=2)
    tested = pareto_front(frame, y="test_acc")
    assert set(tested["hash"]) == set(frame.loc[frame["stage"] == "final", "hash"])
    searched = pareto_front(frame)
    assert searched["n"].sum() + without_score(frame) == (frame["stage"] == "search").sum()


def test_what_cannot_be_compared_is_refused(make, points):
    frame, _, _ = make.frames(children=4, failure=0.0)
    frame.loc[0, "fingerprint"] = "other"
    with pytest.raises(InputError, match=r"differ in protocol: digits \(f00d.*digits \(other\)"):
        pareto_front(frame)
    with pytest.raises(InputError, match="params is missing for 1 of 2 children, so that"):
        pareto_front(points([(0, 0.5), (7, 0.5)]))
    with pytest.raises(InputError, match="params is missing for 2 of 2 children, so that"):
        pareto_front(points([(-1, 0.5), (0, 0.5)]))
    with pytest.raises(InputError, match="the children lack the columns watts"):
        pareto_front(points([(1, 0.5)]), x="watts")
    with pytest.raises(InputError, match="two different columns"):
        pareto_front(points([(1, 0.5)]), x="val_acc")
    with pytest.raises(InputError, match="must be positive"):
        hypervolume(pareto_front(points([(1, 0.5)])), reference=(0, 0))


@pytest.mark.parametrize("options", [{}, {"strategies": ("random",), "seeds": 1, "children": 1, "failure": 0.0}])
def test_labels_cover_neither_each_other_nor_front_points(make, options):
    frame, _, _ = make.frames(**options)
    fronts = {x: pareto_front(frame, x) for x in ("params", "mult_adds")}
    figure = plot_pareto(fronts, notes=["a note"])
    figure.draw_without_rendering()
    for ax, (x, front) in zip(figure.axes, fronts.items()):
        boxes = [text.get_window_extent() for text in ax.texts]
        assert boxes
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        on_front = ax.transData.transform(front.loc[front["front"], [x, "val_acc"]])
        assert not any(box.contains(*point) for box in boxes for point in on_front)


def test_nothing_to_show_is_a_plot_that_says_so(make):
    frame, _, _ = make.frames(children=3, failure=1.0)
    fronts = {x: pareto_front(frame, x) for x in ("params", "mult_adds")}
    assert hypervolume(fronts["params"])["hypervolume"].tolist() == [0.0]
    for ax in plot_pareto(fronts).axes:
        assert "No child finished" in ax.texts[0].get_text()


def test_many_points_take_seconds(make):
    import time

    rng = np.random.default_rng(0)
    n = 200_000
    one = make.children([{"run": "r", "strategy": "random"}])
    frame = pd.DataFrame({name: np.repeat(one[name].to_numpy(), n) for name in one})
    frame["hash"] = [f"{i:x}" for i in range(n)]
    frame["params"], frame["val_acc"] = rng.integers(1000, 10**7, n), rng.random(n)
    start = time.process_time()
    assert pareto_front(frame)["front"].any()
    assert time.process_time() - start < 10


@pytest.mark.parametrize("column", ["params", "mult_adds"])
def test_several_counts_of_one_architecture_are_never_averaged(make, column):
    frame, _, _ = make.frames(seeds=1, children=10, failure=0.0)
    frame.loc[frame.index[1], "hash"] = frame["hash"].iloc[0]
    frame.loc[frame.index[:2], column] = [477_000, 478_000]
    with pytest.raises(InputError, match=rf"several values of {column} \(477,000, 478,000\)"):
        pareto_front(frame, column, "val_acc")
    with pytest.raises(InputError, match="several values"):
        objective_points(frame, ("error", column))


def test_runs_without_a_score_are_said(make):
    frame, runs, _ = make.frames(children=10, seeds=6)
    assert lost_runs_note(frame, runs) == ""
    lost = runs.loc[runs["strategy"] == "ppo", "run"].tolist()[:4]
    frame.loc[frame["run"].isin(lost), ["status", "val_acc"]] = "failed", np.nan
    for left in (frame, frame[~frame["run"].isin(lost)]):  # all children failed, or the budget ended before the first
        assert lost_runs_note(left, runs).startswith(
            "Runs without a score: 4 of 6 of ppo. The points of all runs are put together"
        )


def test_an_architecture_that_two_strategies_found_counts_once_in_all(make):
    """a and b were found twice; a, with the fewest parameters, and c, with the best score, are on the front."""
    found = {"random": "ab", "ppo": "abc"}
    about = {"a": (10, 0.5), "b": (20, 0.4), "c": (30, 0.9)}
    rows = [
        {"run": strategy, "strategy": strategy, "hash": name, "params": about[name][0], "val_acc": about[name][1]}
        for strategy, names in found.items()
        for name in names
    ]
    frame = make.children(rows)
    names = ("error", "params")
    for volumes in (hypervolume(pareto_front(frame)), objective_volumes(objective_points(frame, names), names)):
        counts = volumes.set_index("strategy")[["points", "front"]]
        assert counts.loc["all"].tolist() == [3, 2]
        assert counts.loc["random"].tolist() == [2, 1]
        assert counts.loc["ppo"].tolist() == [3, 2]
