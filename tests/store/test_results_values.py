"""Values that cannot be: an editor changed them and made every checksum anew."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commands import nasbench
from hostile_files import _replace, _seal_manifest
from store_rows import child, measurement, run

from nasbench.spaces.stored_choices import hash_of_choices
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.repairing import repair_file
from nasbench.store.writer import ResultsWriter

SHIPPED = Path(__file__).resolve().parents[2] / "results" / "claims.h5"
Edit = Callable[[np.ndarray[Any, Any]], Any]


def edited(folder: Path, **columns: Edit) -> Path:
    """A copy of a shipped file whose columns ("children/NAME" with __ for /) were changed by an editor."""
    path = folder / "x.h5"
    shutil.copy(SHIPPED, path)
    with h5py.File(path, "r+") as file:
        manifest = json.loads(file.attrs["manifest"])
        for name, edit in columns.items():
            values = file[name.replace("__", "/")][()]
            values = edit(values)
            _replace(file, manifest, name.replace("__", "/"), values)
        _seal_manifest(file, manifest)
    return path


def with_value(place: int, value: Any) -> Edit:
    def edit(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        values[place] = value
        return values

    return edit


def texts(path: Path) -> list[str]:
    health = check_file(path, hash_of_choices)
    assert health.sound, health.findings
    assert health.plausible == (not health.findings)
    return [finding.text for finding in health.findings]


@pytest.mark.sampled(10)
@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("children__val_acc", 1.7, "val_acc is 1.7, a share is between 0 and 1"),
        ("children__val_acc", -0.1, "val_acc is -0.1"),
        ("children__val_acc", np.nan, "the status is ok, but there is no score"),
        ("children__val_acc", 0.5, "val_acc is 0.5, but its curve ends at"),
        ("children__val_acc_best", 0.01, "val_acc_best is 0.01, but its curve reaches"),
        ("children__train_acc", 0.123, "train_acc is 0.123, but its curve ends at"),
        ("children__val_loss", 0.123, "val_loss is 0.123, but its curve ends at"),
        ("children__test_acc", 1.01, "test_acc is 1.01"),
        ("children__epochs", 77, "epochs is 77, but its curves have"),
        ("children__train_seconds", -1.0, "train_seconds is -1"),
        ("children__train_seconds", 12345.0, "device_seconds is"),
        ("children__device_seconds", np.inf, "device_seconds is inf"),
        ("children__gpu_hours", 5.0, "gpu_hours is 5, but device_seconds is"),
        ("children__gpu_hours", 5.0, "device-hours for its"),
        ("children__usd", -3.0, "usd is -3"),
        ("children__index", -4, "index is -4"),
        ("children__params", -2, "params is -2"),
        ("children__hash", b"0" * 32, "the hash 00000000000000000000000000000000 is not that of the choices"),
        ("runs__training_hours", 9.0, "states 9"),
        ("runs__final_hours", -9.0, "final_hours of run"),
        ("curves__val_acc", 1.5, "the curve val_acc has the value 1.5"),
    ],
)
def test_a_changed_value_is_found(tmp_path: Path, column: str, value: Any, said: str) -> None:
    assert any(said in text for text in texts(edited(tmp_path, **{column: with_value(3, value)})))


def test_shipped_values_can_be() -> None:
    assert texts(SHIPPED) == []


def test_choices_of_no_architecture_are_found(tmp_path: Path) -> None:
    path = edited(tmp_path)
    with h5py.File(path) as file:
        name = "children/choices" if file["children/choices"].dtype.kind == "S" else "categories/children/choices"
    path = edited(tmp_path, **{name.replace("/", "__"): with_value(0, b"[99, 99]")})
    assert any("is not that of the choices [99, 99]" in text for text in texts(path))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("run0/0", ""),
        ("run0/1", "run0/1, a child of another architecture"),
        ("run1/0", "run1/0, a child of another run"),
    ],
)
def test_a_child_goes_on_with_one_of_its_run_and_architecture(tmp_path: Path, name: str, said: str) -> None:
    with ResultsWriter(tmp_path / "a.h5") as writer:
        for each in ("run0", "run1"):
            writer.put_run(run(each))
            writer.append_child(*child(0, each))
        writer.append_child(*child(1))
        goes_on = {"hash": child(0)[0]["hash"], "continues": name, "from_epoch": 1}
        writer.append_child(*child(3, **goes_on))
    found = [finding.text for finding in check_file(tmp_path / "a.h5").findings]
    assert [text for text in found if "it continues" in text] == (
        [f"it continues {said} (run run0, search 3)"] if said else []
    )


def test_large_files_are_sampled_over_their_whole_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasbench.store.maintenance.value_checks._LARGEST_SAMPLE", 50)
    path = edited(tmp_path, children__hash=lambda values: np.full_like(values, b"0" * 32))
    assert any("more rows" in text for text in texts(path))
    path = edited(tmp_path, children__hash=with_value(-1, b"1" * 32))
    assert any("the hash 1111" in text for text in texts(path))


def test_the_command_says_what_cannot_be_and_repair_changes_nothing(tmp_path: Path) -> None:
    path = edited(tmp_path, children__val_acc=with_value(3, 1.7))
    before = path.read_bytes()
    done = nasbench("results", "check", str(path))
    assert done.code == 1
    assert "IMPOSSIBLE VALUES" in done.out
    assert "value: val_acc is 1.7" in done.out
    assert repair_file(path) is None
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.h5"]


def test_random_edits_of_one_number_are_found(tmp_path: Path) -> None:
    """Scores, seconds and counts of rows: another number contradicts the curve, the charge or the ledger."""
    rng = random.Random(0)
    for column in (
        "val_acc",
        "train_acc",
        "val_loss",
        "train_loss",
        "val_acc_best",
        "epochs",
        "gpu_hours",
        "eval_seconds",
    ):
        place = rng.randrange(600)
        path = edited(tmp_path, **{f"children__{column}": lambda values, p=place: with_value(p, values[p] + 1)(values)})
        assert texts(path), (column, place)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"value": -1.0, "low": -1.0, "high": -1.0}, "is a time of 0 or less"),
        ({"value": float("inf"), "high": float("inf")}, "is not finite"),
        ({"value": 5.0, "low": 6.0, "high": 7.0}, "is not between low and high"),
        ({"value": 5.0, "low": 1.0, "high": 2.0}, "is not between low and high"),
        ({"spread": -0.5}, "has a spread below 0"),
        ({"n": -3}, "has n below -1"),
        ({"outliers": -2}, "has outliers below -1"),
        ({"hash": "zz"}, "has a hash that is not 32 hexadecimal digits"),
    ],
)
def test_a_measurement_that_cannot_be_is_found(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.append_measurements([measurement(0), measurement(1, **columns)])
    assert [said in text for text in texts(path)] == [True]


def test_measurements_whose_quantiles_are_unknown_can_be(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.append_measurements([measurement(0, low=float("nan"), high=float("nan"), n=-1, unit="J", value=-2.0)])
    assert texts(path) == []
