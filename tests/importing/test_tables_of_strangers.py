"""Tables made to harm, or by mistake: one line that names the row, and nothing stored that `check` calls impossible."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from nasbench.errors import InputError
from nasbench.tabular.importers import json_stream, raw_tables
from nasbench.tabular.importers.csv_parquet import import_tabular
from nasbench.tabular.importers.json_stream import read_json, read_list


def imported(path: Path, **columns: str) -> Any:
    output = str(path.parent / "new.h5")
    known = {"architecture": "a", "val_acc": "v"} | columns
    try:
        return import_tabular(str(path), output, "choices:3/3/2", known, {})
    finally:
        Path(output).unlink(missing_ok=True)


def table(folder: Path, row: str) -> Path:
    path = folder / "t.csv"
    path.write_text(f"a,v,x\n{row}\n")
    return path


@pytest.mark.parametrize(
    ("column", "row", "said"),
    [
        ("epochs", "0/1/1,0.5,1e999999999", "row 0: column 'epochs' takes numbers up to"),
        ("params", "0/1/1,0.5,1e9999999M", "row 0: column 'params' takes numbers up to"),
        ("train_seconds", "0/1/1,0.5,1e-99999999999999", "takes numbers up to"),
        ("params", f"0/1/1,0.5,{'9' * 2_000_000}", "column 'params' takes numbers"),
        ("val_loss_curve", f'0/1/1,0.5,"{"[" * 200_000}"', "nested too deeply"),
        ("val_loss_curve", f'0/1/1,0.5,"[{"9" * 5000}]"', "too many digits"),
        ("train_seconds", "0/1/1,0.5,-4", "row 0: train_seconds is -4; it is at least 0"),
        ("train_seconds", "0/1/1,0.5,inf", "row 0: train_seconds is inf; it is at least 0"),
        ("device_seconds", "0/1/1,0.5,-4", "row 0: device_seconds is -4; it is at least 0"),
        ("seed", "0/1/1,0.5,-5", "row 0: seed is -5; it is at least 0"),
        ("params", "0/1/1,0.5,-5", "row 0: params is -5; it is at least 0"),
        ("devices", "0/1/1,0.5,0", "row 0: devices is 0; it is above 0"),
        ("seconds_curve", '0/1/1,0.5,"[5,-2]"', "is -2; it is at least 0"),
    ],
)
def test_a_value_that_cannot_be_names_its_row(tmp_path: Path, column: str, row: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        imported(table(tmp_path, row), **{column: "x"})


@pytest.mark.parametrize(
    "cell", ["[0,1,Infinity]", "[0,1,NaN]", "[0,1,1e300]", "[0", "[" * 200_000, '{""space"":' * 50_000]
)
def test_json_that_is_no_architecture_names_its_row(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InputError, match="row 0: "):
        imported(table(tmp_path, f'"{cell}",0.5,1'))


def test_gzip_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_tables, "_PACKED_BYTES", 1 << 20)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,v\n" + b"0/1/1,0.5\n" * 1_000_000))
    with pytest.raises(InputError, match=r"become more than .* gunzip"):
        imported(path)
    path.write_bytes(gzip.compress(b"a,v\n" + b"0/1/1,0.5\n" * 1_000))
    assert imported(path).children == {"search": 1_000}


@pytest.mark.parametrize("after", ["junk", "[1]", "]", ", 2]"])
def test_what_follows_a_json_list_is_not_overlooked(tmp_path: Path, after: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(f"[1] \n{after}")
    with pytest.raises(InputError, match="goes on after its list"):
        list(read_list(str(path), "records"))
    path.write_text("[1] \n\t ")
    assert list(read_list(str(path), "records")) == [1]


def test_a_json_list_that_more_text_cannot_mend_is_not_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_BLOCK", 10_000)
    path = tmp_path / "t.json"
    path.write_text("[" + "9" * 5_000 + "," + " " * 5_000_000 + "]")
    with pytest.raises(InputError, match="record 0: it has a whole number of too many digits"):
        list(read_list(str(path), "records"))
    path.write_text("[" * 5_000_000)
    with pytest.raises(InputError, match="record 0: it is nested too deeply"):
        list(read_list(str(path), "records"))


def test_a_heading_that_is_not_there_is_one_short_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"column{place}" for place in range(100_000)) + "\n")
    with pytest.raises(InputError, match="and 99900 more") as caught:
        imported(path)
    assert len(str(caught.value)) < 3_000
    path.write_text("x" * 1_000_000 + "\n1\n")
    with pytest.raises(InputError, match="unknown column") as caught:
        imported(path)
    assert len(str(caught.value)) < 1_000


def test_json_is_read_as_it_is() -> None:
    assert read_json(json.dumps([1, [2.5, None]])) == [1, [2.5, None]]
