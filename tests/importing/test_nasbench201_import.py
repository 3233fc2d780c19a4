"""NAS-Bench-201's archive and NATS-Bench's records as rows; the real files where they are."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import nasbench
from nats_records import CELL, OTHER, small_record

from nasbench.spaces import get_space
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.structures import Scale

SHARED = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
ARCHIVE, RECORDS = SHARED / "nb201_tss.npz", SHARED / "nats_tss_3arch_full_records.json.gz"
needs = pytest.mark.skipif(
    not (ARCHIVE.exists() and RECORDS.exists()), reason="needs the shared data; set NASBENCH_SHARED_DATA to its folder"
)


def imported(tmp_path: Path, records: Any, packed: bool = True) -> Any:
    path = tmp_path / ("records.json.gz" if packed else "records.json")
    text = json.dumps(records).encode()
    path.write_bytes(gzip.compress(text) if packed else text)
    return nasbench("import", "nasbench201", str(path), "-o", str(tmp_path / "out.h5"))


@pytest.mark.parametrize("packed", [True, False])
def test_a_record_is_two_rows(tmp_path: Path, packed: bool) -> None:
    done, space = imported(tmp_path, [small_record()], packed), get_space("nasbench201")
    assert (done.code, done.err) == (0, "")
    with Results(tmp_path / "out.h5") as results:
        search, final = results.children_of(results.runs()["run"][0])
        assert (search["stage"], final["stage"]) == ("search", "final")
        assert (search["val_acc"], search["train_acc"], final["test_acc"]) == (0.4, 0.5, 0.3)
        assert np.isnan(search["test_acc"])
        assert np.isnan(search["val_acc_best"])  # an epoch was not validated
        assert (search["published_params"], search["published_mult_adds"], search["seed"]) == (250_000, 1_500_000, 777)
        counts = space.count(space.parse(CELL), Scale(cells=5, filters=16))
        assert (search["params"], search["mult_adds"]) == counts
        assert search["train_seconds"] == 2.5
        assert (search["device_seconds"], search["gpu_hours"]) == (2.5, 2.5 / 3600)
        assert (final["device_seconds"], final["gpu_hours"]) == (2.5, 0.0)  # the same training, charged once
        assert results.runs()["training_hours"].tolist() == [2.5 / 3600]
        assert results.runs()["final_hours"].tolist() == [0.0]
        assert search["curves"]["train_acc"] == (0.25, 0.5)
        assert np.isnan(search["curves"]["val_acc"][0])
        assert search["curves"]["val_acc"][1] == 0.4
        assert search["hash"] == get_space("nasbench201").parse(CELL).hash  # type: ignore[attr-defined]
        assert len(final["curves"]["train_acc"]) == 0  # stored once
    assert "1 training read, 1 stored: 1 ok\n" in done.out
    assert "device_seconds are without eval_seconds, which the source does not have: 1 of 1 trainings" in done.out
    assert re.search(r"missing: .*\bval_loss\b[^;]* of 1\b", done.out)
    assert re.search(r"missing: .*\btest_loss\b[^;]* of 1\b", done.out)
    assert check_file(tmp_path / "out.h5").sound


def test_the_test_set_is_x_test_where_it_was_split_off(tmp_path: Path) -> None:
    scores = {"x-valid@1": 40.0, "x-test@1": 35.0, "ori-test@1": 37.5}
    imported(tmp_path, [small_record(dataset="cifar100", eval_acc=scores)])
    with Results(tmp_path / "out.h5") as results:
        assert results.frame(stage="final")["test_acc"].tolist() == [0.35]


def test_no_validation_is_no_row_of_stage_search(tmp_path: Path) -> None:
    done = imported(
        tmp_path, [small_record(dataset="cifar10", eval_acc={"ori-test@1": 30.0}), small_record(arch=OTHER)]
    )
    assert "3 children (2 final, 1 search) of 2 runs" in done.out


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({}, "a list of records"),
        ([[]], "record 0: it has no arch"),
        ([small_record(arch="|nor_conv_5x5~0|")], "nor_conv_5x5"),
        ([], "no rows"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, records: Any, said: str) -> None:
    done = imported(tmp_path, records)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err
    assert not list(tmp_path.glob("out*"))


@needs
def test_the_records_of_three_cells(tmp_path: Path) -> None:
    done = nasbench("import", "nasbench201", str(RECORDS), "-o", str(tmp_path / "nats.h5"))
    assert done.code == 0, done.err
    assert "90 children (39 search, 51 final) of 8 runs" in done.out
    with gzip.open(RECORDS) as file:
        records = json.load(file)
    with Results(tmp_path / "nats.h5") as results:
        frame = results.frame(stage="search").set_index(["data", "epochs", "hash", "seed"])["val_acc"]
        space: Any = get_space("nasbench201")
        for record in records:
            last = len(record["train_acc"]) - 1
            score = record["eval_acc"].get(f"x-valid@{last}")
            if score is not None:
                key = (record["dataset"].lower(), last + 1, space.parse(record["arch"]).hash, record["seed"])
                assert frame[key] == score / 100


@needs
@pytest.mark.parametrize("data", ["cifar10", pytest.param("cifar10-valid", marks=pytest.mark.slow)])
def test_the_archive_of_all_cells(tmp_path: Path, data: str) -> None:
    done = nasbench("import", "nasbench201", str(ARCHIVE), "--data", data, "-o", str(tmp_path / "nb201.h5"))
    assert done.code == 0, done.err
    with np.load(ARCHIVE) as archive, Results(tmp_path / "nb201.h5") as results:
        search, final = results.frame(stage="search"), results.frame(stage="final")
        val, test = {
            "cifar10": ("c10_valid_acc_12", "c10_test_acc_200"),
            "cifar10-valid": ("c10v_valid_acc_200", "c10v_test_acc_200"),
        }[data]
        np.testing.assert_array_equal(search["val_acc"], archive[val] / 100)
        np.testing.assert_array_equal(final["test_acc"], archive[test] / 100)
        assert search["test_acc"].isna().all()
        if data == "cifar10":
            np.testing.assert_allclose(search["device_seconds"], archive["sim_cost_12_c10_s"], rtol=1e-12)
            assert final["test_acc"].max() == pytest.approx(0.94373, abs=5e-6)
            assert set(final["protocol"]) == {"nasbench201-200"}
            assert final["val_acc"].isna().all()
            assert re.search(rf"missing: .*\bval_loss\b[^;]* of {len(search)}\b", done.out)
        else:
            np.testing.assert_array_equal(search["val_loss"], archive["c10v_valid_loss_200"])
    assert check_file(tmp_path / "nb201.h5").sound


@needs
def test_an_unknown_data_set_and_a_used_name_are_refused(tmp_path: Path) -> None:
    wrong = nasbench("import", "nasbench201", str(ARCHIVE), "--data", "cifar11", "-o", str(tmp_path / "x.h5"))
    assert (wrong.code, "did you mean 'cifar1" in wrong.err) == (2, True)


def test_another_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", values=np.zeros(3))
    done = nasbench("import", "nasbench201", str(tmp_path / "other.npz"), "-o", str(tmp_path / "x.h5"))
    assert (done.code, "is not the archive" in done.err) == (2, True)
