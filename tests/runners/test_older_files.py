"""A results file of the schema before this one is appended to by a run of today."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest
from commands import nasbench
from searching import search, tiny_plan

from nasbench.store.format.schema import SCHEMA_VERSION
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results

OLD = Path(__file__).parents[1] / "data-files" / f"schema-{SCHEMA_VERSION - 1}.h5"
LATER = ("usd_per_hour",)  # columns of this schema, which old rows have as NaN


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.h5"
    path.write_bytes(OLD.read_bytes())
    return path


def schema_of(path: Path) -> int:
    with h5py.File(path) as file:
        return int(file.attrs["schema_version"])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("strategy", ["random", "successive_halving"])
def test_a_run_of_today_appends_to_an_older_file(strategy: str, old: Path) -> None:
    assert schema_of(old) == SCHEMA_VERSION - 1
    with Results(old) as results:
        before, curves, runs = results.frame(), results.all_curves(), results.runs()
    options = {"max_epochs": 2} if strategy == "successive_halving" else {}
    changes = {"data": "fake:images=96,size=8,classes=3", "epochs": 2, "filters": 4, "validation": 0.5}
    plan = tiny_plan(strategy=strategy, options=options, budget="3 children", seed=5, set=changes)
    search(plan, old)
    assert schema_of(old) == SCHEMA_VERSION
    assert check_file(old).sound
    with Results(old) as results:
        after, later, all_runs = results.frame(), results.all_curves(), results.runs()
    kept = after[after["run"] == before["run"].iloc[0]].reset_index(drop=True)
    assert kept.equals(before)
    assert kept[list(LATER)].isna().all(axis=None)
    assert later[later["run"] == before["run"].iloc[0]].reset_index(drop=True).equals(curves)
    new = after[after["run"] == plan.run]
    assert (new["stage"] == "search").sum() == 3
    assert new[list(LATER)].notna().all(axis=None)
    assert (new["stop_epoch"] > 0).any() == (strategy == "successive_halving")
    assert all_runs["status"].tolist() == ["complete", "complete"]
    assert all_runs[all_runs["run"] == before["run"].iloc[0]].reset_index(drop=True).equals(runs)


def test_commands_read_both_runs(old: Path) -> None:
    search(tiny_plan(seed=5, budget="2 children"), old)
    assert nasbench("check", str(old)).code == 0
    done = nasbench("query", str(old), "--stage", "search", "--columns", "run,stop_epoch,val_acc")
    assert done.code == 0
    assert done.out.count("\n") >= 5
    assert nasbench("status", str(old)).code == 0
