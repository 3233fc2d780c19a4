"""Fronts of searches that stop trainings early: an architecture has the score of its longest training, and all its costs."""

from __future__ import annotations

import pandas as pd
import pytest

from nasbench.analysis.pareto.objectives import objective_points
from nasbench.analysis.pareto.pareto import pareto_front
from nasbench.analysis.pareto.volume_course import volume_courses

# index, hash, stop_epoch, from_epoch, continues, val_acc, seconds: b goes on twice, the second time it is trained again
CHILDREN = (
    (0, "a", 1, 0, "", 0.30, 1.0),
    (1, "b", 1, 0, "", 0.40, 2.0),
    (2, "b", 3, 1, "r/1", 0.70, 4.0),
    (3, "b", 0, 0, "r/2", 0.90, 12.0),
)


@pytest.fixture
def search(make) -> tuple[pd.DataFrame, pd.DataFrame]:
    frame, runs, _ = make.frames(strategies=("random",), children=4, seeds=1)
    rows = frame[frame["stage"] == "search"].sort_values("index").reset_index(drop=True)
    names = ["index", "hash", "stop_epoch", "from_epoch", "continues", "val_acc", "device_seconds"]
    rows = rows.assign(**{name: [child[at] for child in CHILDREN] for at, name in enumerate(names)})
    rows = rows.assign(
        run="r", status="ok", counted=True, params=[10, 20, 20, 20], spent_gpu_hours=[1.0, 3.0, 7.0, 9.0]
    )
    return rows.assign(gpu_hours=[1.0, 2.0, 4.0, 2.0]), runs.assign(run="r")


def test_scores_after_different_epochs_are_not_averaged(search):
    frame, _ = search
    for by_run in (False, True):
        points = objective_points(frame, ["error", "device_seconds", "gpu_hours"], by_run=by_run).set_index("hash")
        assert points["error"].to_dict() == pytest.approx({"a": 0.7, "b": 0.1})
        assert points["n"].to_dict() == {"a": 1, "b": 1}
        assert points["device_seconds"].to_dict() == {"a": 1.0, "b": 12.0}  # its last training had all epochs
        assert points["gpu_hours"].to_dict() == {"a": 1.0, "b": 8.0}  # what was charged for it
    assert pareto_front(frame).set_index("hash")["val_acc"].to_dict() == {"a": 0.3, "b": 0.9}


def test_costs_of_a_child_that_goes_on_are_those_from_the_first_epoch(search):
    frame, _ = search
    points = objective_points(frame.iloc[:3], ["error", "device_seconds"]).set_index("hash")
    assert points["device_seconds"].to_dict() == {"a": 1.0, "b": 6.0}


def test_a_volume_so_far_has_the_scores_that_were_reached_by_then(search):
    courses = volume_courses(*search, ["error", "params"], {"error": 1.0, "params": 100.0})
    volumes = courses.set_index("budget")["hypervolume"]
    assert volumes[1] == pytest.approx(1.0 * 0.3)
    assert volumes[2] == pytest.approx(1.0 * 0.3 + 0.69897 * 0.1)
    assert volumes[4] == pytest.approx(1.0 * 0.3 + 0.69897 * 0.6)
