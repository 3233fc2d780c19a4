"""NATS-Bench's records of other shapes: one line with file and record, and parts of a table that compare."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from commands import nasbench
from nats_records import CELL, OTHER, small_record

from nasbench.errors import InputError
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.tabular.importers.json_stream import read_list

TIMED: dict[str, Any] = {
    "hp": "02",
    "dataset": "cifar100",
    "train_times": {"0": 10.0, "1": 15.0},
    "eval_acc": {"x-valid@0": 30.0, "x-valid@1": 40.0, "x-test@1": 35.0, "ori-test@1": 37.5},
    "eval_times": {"x-valid@0": 1.0, "x-valid@1": 2.0, "x-test@1": 4.0, "ori-test@1": 8.0},
}


def timed_record(**changes: Any) -> dict[str, Any]:
    return small_record(**TIMED | changes)


def imported(path: Path, records: Any) -> Any:
    path.write_text(json.dumps(records))
    return nasbench("import", "nasbench201", str(path), "-o", str(path.with_suffix(".h5")))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_acc": [25.0, 50.0]}, "train_acc is an object with one value per epoch, got a list"),
        ({"train_times": None}, "train_times is an object with one value per epoch, got a NoneType"),
        ({"train_acc": {}}, "train_acc has one value per epoch"),
        ({"train_acc": {"0": 1.0, "last": 2.0}}, "train_acc has one value per epoch"),
        ({"train_acc": {"99999999999": 1.0}}, "there are at most 10000"),
        ({"eval_acc": {"x-valid@1": "forty"}}, "eval_acc of 'x-valid@1' is a number, got 'forty'"),
        ({"params_m": None}, "params_m is a number of millions, got None"),
        ({"params_m": -1.0}, "params_m is a number of millions, got -1.0"),
        ({"params_m": 1e308}, "params_m is a number of millions, got 1e+308"),
        ({"train_acc": {"0": 10**400}}, "train_acc of '0' is a number, got 1000"),
        ({"train_acc": {"9" * 5000: 1.0}}, "train_acc has one value per epoch"),
        ({"train_acc": {"\u0663": 1.0}}, "train_acc has one value per epoch"),
        ({"hp": "9" * 5000}, "hp is a number of epochs, e.g. '12', got '999"),
        ({"seed": -5}, "seed is -5; it is at least 0"),
        ({"train_times": {"0": -4.0, "1": 1.0}}, "train_seconds is -3; it is at least 0"),
        ({"flops_m": "12"}, "flops_m is a number of millions, got '12'"),
        ({"seed": "777"}, "seed is a whole number, got '777'"),
        ({"hp": "long"}, "hp is a number of epochs, e.g. '12', got 'long'"),
        ({"dataset": 100}, "dataset is a text, got 100"),
        ({"arch": None}, "arch is a text, got None"),
        ({"arch": CELL.replace("nor_conv_3x3", "nor_conv_7x7")}, "no operation 'nor_conv_7x7'"),
        ({"eval_acc": {"x-valid@1": 3184.0}}, "val_acc is 31.84, not a fraction between 0 and 1 (as percent: 3184)"),
        ({"train_acc": {"0": -5.0, "1": 50.0}}, "train_acc is -0.05, not a fraction"),
    ],
)
def test_a_malformed_record_is_one_line_with_file_and_record(tmp_path: Path, changes: Any, said: str) -> None:
    path = tmp_path / "records.json"
    done = imported(path, [timed_record(), timed_record(**changes)])
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert done.err.startswith(f"error: {path}: record 1: ")
    assert said in done.err
    assert not list(tmp_path.glob("*.h5*"))


def test_params_that_differ_from_the_closed_form_are_said_once(tmp_path: Path) -> None:
    done = imported(tmp_path / "r.json", [timed_record(), timed_record(seed=888), timed_record(arch=OTHER)])
    assert done.code == 0, done.err
    assert (
        done.out.count(
            "published_params differ from the closed form in 2 of 2 architectures (3 trainings), e.g. 250,000 for "
        )
        == 1
    )
    with Results(tmp_path / "r.h5") as results:
        frame = results.frame()
    assert set(frame["published_params"]) == {250_000}
    assert 250_000 not in set(frame["params"])


def test_a_training_with_validation_and_test_scores_is_charged_once(tmp_path: Path) -> None:
    done = imported(tmp_path / "r.json", [timed_record()])
    assert done.code == 0, done.err
    with Results(tmp_path / "r.h5") as results:
        frame, run = results.frame(), results.runs().iloc[0]
    assert frame["eval_seconds"].tolist() == [3.0, 3.0]  # the validation passes, which a search needs
    assert frame["device_seconds"].tolist() == [28.0, 28.0]
    assert [3600 * hours for hours in frame["gpu_hours"]] == pytest.approx([28.0, 0.0])
    hours = [3600 * run[f"{name}_hours"] for name in ("training", "evaluation", "failed", "final")]
    assert hours == pytest.approx([25.0, 3.0, 0.0, 0.0])
    cost = nasbench("cost", str(tmp_path / "r.h5"), "--allow", "baseline", "-o", str(tmp_path / "cost"))
    assert "0.007778" in cost.out  # 28 s


def test_parts_that_were_imported_one_by_one_are_one_table(tmp_path: Path) -> None:
    assert imported(tmp_path / "a.json", [timed_record(), timed_record(hp="200")]).code == 0
    assert imported(tmp_path / "b.json", [timed_record(arch=OTHER)]).code == 0
    files = [str(tmp_path / "a.h5"), str(tmp_path / "b.h5")]
    merged = nasbench("merge", *files, "-o", str(tmp_path / "all.h5"))
    assert merged.code == 0, merged.err
    assert check_file(tmp_path / "all.h5").sound
    with Results(tmp_path / "all.h5") as results:
        frame = results.frame(stage="search")
    short = frame[frame["protocol"] == "nasbench201-2"]
    assert short["fingerprint"].nunique() == 1
    assert short["hash"].nunique() == 2
    assert frame["fingerprint"].nunique() == 2  # other epochs are another fingerprint
    done = nasbench(
        "pareto", str(tmp_path / "all.h5"), "--where", "protocol == 'nasbench201-2'", "-o", "p", cwd=tmp_path
    )
    assert done.code == 0, done.err
    both = nasbench("table", "stats", "all.h5", cwd=tmp_path)
    assert both.code == 2
    assert "choose by --where" in both.err
    chosen = nasbench("table", "stats", "all.h5", "--where", "protocol == 'nasbench201-2'", cwd=tmp_path)
    assert f"all.h5: {len(short)} trainings ({len(short)} ok) of 2 architectures" in chosen.out, chosen.err
    near = ("table", "neighbours", short["hash"].iloc[0], "all.h5", "--where")
    assert nasbench(*near, "protocol == 'nasbench201-2'", cwd=tmp_path).code == 0
    assert "no children match" in nasbench(*near, "protocol == 'other'", cwd=tmp_path).err


LISTS = [[], [1, 22, 333], ["a", "]", '\\"'], [{"a": [1, {"b": "}"}]}] * 3, [[], [[]], {}], [1.5e3, None, True]]


@pytest.mark.parametrize("block", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("packed", [False, True])
def test_a_list_is_read_element_by_element(tmp_path: Path, monkeypatch: Any, block: int, packed: bool) -> None:
    monkeypatch.setattr("nasbench.tabular.importers.json_stream._BLOCK", block)
    for number, values in enumerate(LISTS):
        for indent in (None, 1):
            text = ("\ufeff" if number % 2 else "") + " " + json.dumps(values, indent=indent) + "\n"
            path = tmp_path / "list.json"
            path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
            assert list(read_list(str(path), "records")) == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with ''"),
        ('{"a": 1}', "begins with '{'"),
        ("[1, 2", "record 2: expected ',' or ']', got ''"),
        ("[1 2]", "record 1: expected ',' or ']', got '2'"),
        ("[1,]", "record 1: Expecting value"),
        ('[{"a": 1}, {"b"', "record 1: "),
        ("[" * 100_000, "record 0: "),
    ],
)
def test_a_broken_list_names_its_element(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        list(read_list(str(path), "NATS-Bench records"))
    assert said in str(raised.value)


def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.json.gz"
    path.write_bytes(gzip.compress(json.dumps([timed_record()] * 50).encode())[:-20])
    with pytest.raises(InputError, match="is no JSON"):
        list(read_list(str(path), "NATS-Bench records"))
