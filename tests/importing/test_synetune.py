"""Experiments of Syne Tune, as its folders have them, become runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import nasbench
from search_log_files import reports, write_synetune

from nasbench.store.query import Results

METADATA = {"metric_names": ["valid_error"], "metric_mode": "min", "algorithm": "ASHA", "seed": 3}
ROWS = [
    *reports(0, [0.5, 0.4, 0.3], "nor_conv_3x3"),
    *reports(1, [0.9], "none", "STOP", start=5),
    *reports(2, [0.6, float("nan")], "none", start=20),
]


def imported(path: str, folder: Path, *words: str, code: int = 0) -> str:
    found = nasbench("import", "synetune", path, "-o", str(folder / "s.h5"), *words)
    assert found.code == code, found.err
    return found.out if code == 0 else found.err


@pytest.mark.parametrize("packed", [True, False])
def test_an_experiment_is_a_run_and_a_stopped_trial_unfinished(packed: bool, tmp_path: Path) -> None:
    path = write_synetune(tmp_path / "asha-3", ROWS, METADATA, packed)
    printed = imported(path, tmp_path, "--architecture", "op", "--value", "val_error", "--data", "cifar10")
    assert "3 trials read, 3 stored: 1 unfinished, 1 ok, 1 diverged" in printed
    assert "1 of 3 trials of ASHA ended before the most that one was trained (3)" in printed
    with Results(tmp_path / "s.h5") as results:
        frame, runs, curves = results.frame(), results.runs(), results.all_curves()
    assert runs[["strategy", "seed", "space"]].to_numpy().tolist() == [["ASHA", 3, "choices:2"]]
    assert frame["index"].tolist() == [1, 0, 2]
    assert frame["status"].tolist() == ["unfinished", "ok", "diverged"]
    assert frame["error"].tolist() == ["stopped by the scheduler", "", "the value is nan"]
    np.testing.assert_allclose(frame["val_acc"], [np.nan, 0.7, np.nan])
    assert frame["device_seconds"].tolist() == [10, 30, 20]
    assert frame["epochs"].tolist() == [1, 3, 1]
    course = curves[curves["index"] == 0]["val_acc"]
    np.testing.assert_allclose(course, [0.5, 0.6, 0.7])
    about = json.loads(runs["config"][0])["import"]
    assert about["options"] == {"op": ["none", "nor_conv_3x3"]}
    assert about["children_at_once"] == 2
    assert "sound" in nasbench("check", str(tmp_path / "s.h5")).out


def test_stopped_trials_may_count_by_their_last_values(tmp_path: Path) -> None:
    path = write_synetune(tmp_path / "a", ROWS[:4], METADATA)
    imported(path, tmp_path, "--architecture", "op", "--value", "val_error", "--any-fidelity")
    with Results(tmp_path / "s.h5") as results:
        np.testing.assert_allclose(results.frame()["val_acc"], [0.1, 0.7])


def test_several_experiments_are_several_runs_of_one_space(tmp_path: Path) -> None:
    for seed, operation in enumerate(("none", "skip")):
        rows = reports(0, [0.5, 0.4 - seed / 10], operation)
        write_synetune(tmp_path / "all" / f"rs-{seed}", rows, {**METADATA, "algorithm": "RS", "seed": seed})
    imported(str(tmp_path / "all"), tmp_path, "--architecture", "op")
    with Results(tmp_path / "s.h5") as results:
        frame, runs = results.frame(), results.runs()
    assert runs["seed"].tolist() == [0, 1]
    assert runs["space"].tolist() == ["choices:2"] * 2
    assert frame["hash"].nunique() == 2
    np.testing.assert_allclose(frame["reward"], [-0.4, -0.3])
    found = nasbench("curves", str(tmp_path / "s.h5"), "-o", str(tmp_path / "c.png"))
    assert found.code == 0, found.err
    assert "valid_error" in found.out


def test_a_paused_and_resumed_trial_is_one_child(tmp_path: Path) -> None:
    first, again = reports(0, [0.5], "none", "PAUSE"), reports(0, [0.5, 0.4], "none", start=100)[1:]
    again[0]["st_worker_time"] = 10.0  # the clock of the worker begins anew
    imported(write_synetune(tmp_path / "a", [*first, *again], METADATA), tmp_path, "--architecture", "op")
    with Results(tmp_path / "s.h5") as results:
        frame = results.frame()
    assert frame[["status", "epochs"]].to_numpy().tolist() == [["ok", 2]]
    assert frame["device_seconds"].tolist() == [10.0]


@pytest.mark.parametrize(
    ("metadata", "words", "said"),
    [
        ({}, (), "does not say which column is the metric (metric_names)"),
        (METADATA, ("--value", "val_acc"), "has the mode 'min'"),
        (METADATA, ("--architecture", "nope"), "'config_nope'"),
        (METADATA, ("--resource", "steps"), "'steps'"),
        (METADATA, ("--space", "nasbench201", "--architecture", "op"), "trial 0"),
    ],
)
def test_what_does_not_fit_is_one_line(
    metadata: dict[str, object], words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    error = imported(write_synetune(tmp_path / "a", ROWS, metadata), tmp_path, *words, code=2)
    assert said in error
    assert error.count("\n") == 1


def test_a_folder_without_an_experiment_is_one_line(tmp_path: Path) -> None:
    error = imported(str(tmp_path), tmp_path, code=2)
    assert "no experiment of Syne Tune there" in error
