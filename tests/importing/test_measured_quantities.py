"""Columns of a table that are neither accuracies nor counts: named quantities with unit, direction and conditions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import nasbench

from nasbench.errors import InputError, UnknownName
from nasbench.spaces import get_space
from nasbench.store.format.quantities import Quantity
from nasbench.store.query import Results
from nasbench.tabular.importers.importer_base import Collector, Group, ImportSource

TABLE = """arch,ssim,test,phone,board,energy
0000,0.51,0.50,3.1,4.5ms,12
1000,0.61,0.59,3.3,4.4 ms,13
0010,0.41,,2.1,4.2,11
0001,,,2.2,4.1,
"""
MAPS = (
    "architecture=arch",
    "val_ssim::higher=ssim",
    "test_ssim::higher=test",
    "latency[device=phone]:ms:lower=phone",
    "latency[device=board,batch=1]:ms:lower=board",
    "energy:mJ:lower=energy",
)


def imported(folder: Path, *more: str, maps: tuple[str, ...] = MAPS, table: str = TABLE) -> str:
    (folder / "t.csv").write_text(table)
    words = [word for each in maps for word in ("--map", each)]
    found = nasbench(
        *("import", "csv", str(folder / "t.csv"), "-o", str(folder / "t.h5"), "--space", "choices:2/2/2/2"),
        *(*words, "--set", "data=faces", "--set", "protocol=theirs", *more),
    )
    assert found.code == 0, found.err
    return found.out


def test_quantities_have_unit_direction_and_conditions(tmp_path: Path) -> None:
    printed = imported(tmp_path)
    assert "4 rows read, 4 stored: 3 ok, 1 failed" in printed
    assert re.search(r"missing: .*\bval_ssim\b[^;]* of 1\b", printed)
    assert re.search(r"missing: .*\benergy\b[^;]* of 1\b", printed)
    assert "val_acc" not in printed  # nobody expects one where SSIM is the score
    with Results(tmp_path / "t.h5") as results:
        rows, frame, runs = results.measurements(), results.frame(), results.runs()
    phone = rows[(rows["quantity"] == "latency") & (rows["device"] == "phone")]
    assert phone["value"].tolist() == [3.1, 3.3, 2.1, 2.2]
    assert set(phone["unit"]) == {"ms"}
    assert set(phone["direction"]) == {"lower"}
    assert set(phone["batch"]) == {-1}
    board = rows[rows["device"] == "board"]
    assert board["value"].tolist() == [4.5, 4.4, 4.2, 4.1]
    assert set(board["batch"]) == {1}
    assert rows[rows["quantity"] == "energy"]["value"].tolist() == [12.0, 13.0, 11.0]
    # The score is the reward, and its test value a row of the table of measurements.
    search = frame[frame["stage"] == "search"]
    np.testing.assert_array_equal(search["reward"], [0.51, 0.61, 0.41, np.nan])
    assert search["status"].tolist() == ["ok", "ok", "ok", "failed"]
    assert (frame["stage"] == "final").sum() == 2
    assert json.loads(runs["config"][0])["score"] == {"name": "val_ssim", "direction": "higher"}
    assert "sound" in nasbench("check", str(tmp_path / "t.h5")).out


def test_a_dry_run_shows_quantities(tmp_path: Path) -> None:
    printed = imported(tmp_path, "--dry-run")
    (line,) = [line for line in printed.splitlines() if line.startswith("energy:mJ:lower")]
    assert line.split()[1:] == ["12.0", "12.0", "13.0", "13.0", "11.0"]
    assert not (tmp_path / "t.h5").exists()


def test_lower_scores_are_better_where_the_direction_says_so(tmp_path: Path) -> None:
    table = "arch,ppl\n0000,21.5\n0001,19.0\n"
    imported(tmp_path, maps=("architecture=arch", "val_perplexity::lower=ppl"), table=table)
    with Results(tmp_path / "t.h5") as results:
        assert results.frame()["reward"].tolist() == [-21.5, -19.0]
        assert results.measurements()["value"].tolist() == [21.5, 19.0]


def test_percent_and_scale_take_names_of_quantities(tmp_path: Path) -> None:
    table = "arch,miou,us\n0000,21.5%,1500\n0001,19.0%,900\n"
    maps = ("architecture=arch", "val_miou:fraction:higher=miou", "latency:ms:lower=us")
    imported(tmp_path, "--scale", "latency=0.001", maps=maps, table=table)
    with Results(tmp_path / "t.h5") as results:
        rows = results.measurements()
    assert rows[rows["quantity"] == "val_miou"]["value"].tolist() == [0.215, 0.19]
    assert rows[rows["quantity"] == "latency"]["value"].tolist() == [1.5, 0.9]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latency:ms", "is no quantity; write NAME:UNIT:DIRECTION"),
        ("latency:ms:smaller", "direction"),
        ("latency[phone]:ms:lower", "conditions are COLUMN=VALUE"),
        ("latency[colour=red]:ms:lower", "condition of a quantity"),
        ("latency[batch=one]:ms:lower", "batch is a whole number"),
        ("val_acc:fraction:higher", "a column of its own"),
    ],
)
def test_a_text_that_is_no_quantity_is_one_line(text: str, said: str) -> None:
    with pytest.raises((InputError, UnknownName)) as error:
        Quantity.parse(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["val_ssim::higher", "latency[device=EdgeGPU,batch=1]:ms:lower", "energy:mJ:lower"])
def test_the_text_of_a_quantity_is_read_back(text: str) -> None:
    assert Quantity.parse(text).text == text


def test_which_quantity_is_the_score_must_be_clear(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TABLE)
    words = ("--map", "architecture=arch", "--map", "a::higher=ssim", "--map", "b::higher=test")
    found = nasbench(
        *("import", "csv", str(tmp_path / "t.csv"), "-o", str(tmp_path / "t.h5"), "--space", "choices:2/2/2/2", *words)
    )
    assert found.code == 2
    assert "give --score, one of: a, b" in found.err
    assert not (tmp_path / "t.h5").exists()


def test_a_failed_training_keeps_what_does_not_depend_on_training(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("x")
    ssim, latency = Quantity("val_ssim"), Quantity("latency", "ms", "lower", device="phone")
    group = Group("choices:2/2", "theirs", "faces", "", score=ssim)
    space = get_space("choices:2/2")
    with Collector(ImportSource.of(tmp_path / "source", "test")) as collector:
        for text, status in (("00", "ok"), ("01", "diverged")):
            collector.child(group, space.parse(text), {"status": status}, measured={ssim: 0.4, latency: 3.0})
        with pytest.raises(InputError, match="it is finite"):
            collector.child(group, space.parse("10"), {}, measured={ssim: 0.4, latency: np.inf})
        collector.write(str(tmp_path / "t.h5"))
    with Results(tmp_path / "t.h5") as results:
        frame, rows = results.frame(), results.measurements()
    assert frame["error"][1] == "diverged (the source states val_score 0.4)"
    assert rows["quantity"].tolist() == ["val_ssim", "latency", "latency"]
