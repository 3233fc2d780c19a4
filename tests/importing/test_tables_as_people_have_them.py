"""CSV and parquet as people have them: read where they are clear, else one line with the option that reads them."""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import nasbench

from nasbench.cli.import_output import missing_text
from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.tabular.importers.cells import CellReader
from nasbench.texts import csv_text

CELLS = [
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
]


def run_import(path: Path, *maps: str, words: tuple[str, ...] = (), space: str = "nasbench201") -> Any:
    out = path.parent / "out.h5"
    out.unlink(missing_ok=True)
    kind = "parquet" if path.suffix == ".parquet" else "csv"
    given = [word for pair in maps for word in ("--map", pair)]
    return nasbench("import", kind, str(path), "-o", str(out), "--space", space, *given, *words)


def frame_of(path: Path, *maps: str, words: tuple[str, ...] = (), space: str = "nasbench201") -> pd.DataFrame:
    done = run_import(path, *maps, words=words, space=space)
    assert (done.code, done.err) == (0, ""), done.err
    assert check_file(path.parent / "out.h5").sound
    with Results(path.parent / "out.h5") as results:
        return results.frame()


def written(folder: Path, text: str, encoding: str = "utf-8", name: str = "t.csv") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


SCORES = ("architecture=arch", "val_acc=acc")


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        (f"arch,acc\n{CELLS[0]},0.9\n", "utf-8-sig", ""),
        (f"arch,acc\r\n{CELLS[0]},0.9\r\n\r\n", "utf-8", ""),
        (f"arch\tacc\n{CELLS[0]}\t0.9\n", "utf-8", "separated by tab"),
        (f"arch;acc\n{CELLS[0]};0,9\n", "utf-8", "separated by semicolon"),
        (f"arch;acc;n\n{CELLS[0]};0.9;a,b\n", "utf-8", "separated by semicolon"),
        (f"arch,acc\n{CELLS[0]},0.9\n", "utf-16", "the text is UTF-16"),
        (f"arch,acc\n{CELLS[0]},0.9\n", "utf-16-le", ""),
        (f"arch,acc\n{CELLS[0]},0.9\n", "utf-16-be", ""),
        (f"arch,acc,gerät\n{CELLS[0]},0.9,Köln\n", "latin-1", "was read as Windows-1252 (--encoding"),
        (f"arch,acc\n{CELLS[0]},90%\n", "utf-8", ""),
        (f" arch , acc \n {CELLS[0]} , 0.9 \n", "utf-8", ""),
        (f'"arch","acc"\n"{CELLS[0]}","0.9"\n', "utf-8", ""),
        (f"arch,acc,acc\n{CELLS[0]},0.9,0.9\n", "utf-8", ""),
    ],
)
def test_a_table_is_read_whatever_its_separator_and_encoding(
    tmp_path: Path, text: str, encoding: str, said: str
) -> None:
    path = written(tmp_path, text, encoding)
    done = run_import(path, *SCORES)
    assert (done.code, done.err) == (0, ""), done.err
    assert said in done.out
    with Results(tmp_path / "out.h5") as results:
        assert results.frame()["val_acc"].tolist() == [0.9]


def test_a_stated_separator_and_encoding_win(tmp_path: Path) -> None:
    path = written(tmp_path, f"arch!acc!device\n{CELLS[0]}!0.9!\u8d85\n", "gbk")
    found = frame_of(path, *SCORES, "device=device", words=("--separator", "!", "--encoding", "gbk"))
    assert found["device"].tolist() == ["\u8d85"]
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(f"arch,acc\n{CELLS[0]},0.9\n".encode()))
    assert frame_of(tmp_path / "t.csv.gz", *SCORES)["val_acc"].tolist() == [0.9]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--encoding", "utf-99"), "--encoding 'utf-99' is unknown"),
        (("--encoding", "utf-16"), "another encoding: --encoding"),
        (("--separator", "ab"), "--separator is one character"),
        (("--decimal", ";"), "--decimal is '.' or ','"),
        (("--scale", "val_acc=no"), "the factor is a positive number"),
        (("--scale", "nope=2"), "unknown column to import 'nope'"),
        (("--set", "epoch=3"), "--set epoch: a column of the table gives it"),
        (("--set", "params=many"), "--set params=many: column 'params' takes numbers"),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = run_import(written(tmp_path, f"arch,acc,x\n{CELLS[0]},0.9,1\n"), *SCORES, words=words)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert said in done.err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("rows", "maps", "said"),
    [
        ([("0.9", "0.1")], ("val_acc=acc",), "2 columns are called 'acc': name one of them by acc#1 or acc#2"),
        ([("0.9", "0.1")], ("val_acc=acc#3",), "unknown column"),
    ],
)
def test_columns_of_one_name_are_named_by_number(tmp_path: Path, rows: Any, maps: tuple[str, ...], said: str) -> None:
    text = "arch,acc,acc\n" + "".join(f"{CELLS[0]},{','.join(row)}\n" for row in rows)
    path = written(tmp_path, text)
    done = run_import(path, "architecture=arch", *maps)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err
    assert frame_of(path, "architecture=arch", "val_acc=acc#2")["val_acc"].tolist() == [0.1]


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("val_acc", "93.1%", 0.931),
        ("val_acc", " 0.5 ", 0.5),
        ("params", "0.802426M", 802_426),
        ("params", "802 426", 802_426),
        ("params", "802,426", 802_426),
        ("params", "1,802,426", 1_802_426),
        ("params", "802_426", 802_426),
        ("params", "8.02426e5", 802_426),
        ("mult_adds", "1.5 G", 1_500_000_000),
        ("mult_adds", "113.95M", 113_950_000),
        ("params", "0.6403993333333333M", 640_399),
        ("train_seconds", "2.5h", 9_000.0),
        ("train_seconds", "90 min", 5_400.0),
        ("train_seconds", "1,234.5", 1_234.5),
        ("peak_memory", "2 GiB", 2 << 30),
        ("val_loss", "-inf", -np.inf),
        ("val_loss", "Infinity", np.inf),
        ("val_loss", ".5", 0.5),
        ("epochs", "12.0", 12),
        *[("val_loss", word, None) for word in ("", "NA", "n/a", "NaN", "null", "None", "-", "?", "#N/A")],
        ("error", "NA", "NA"),
        ("error", "", None),
        ("status", "n/a", None),
        ("counted", "", None),
    ],
)
def test_a_cell_is_the_value_that_a_person_reads(name: str, cell: str, value: Any) -> None:
    found = CellReader(decimal=".").value(name, cell)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("params", "0.5"),
        ("params", "1e30"),
        ("params", "12,34"),
        ("params", "many"),
        ("params", "inf"),
        ("params", "5%"),
        ("params", "5 km"),
        ("val_acc", "0.8M"),
        ("val_acc", "1.2.3"),
        ("val_acc", [0.5]),
        ("val_acc", True),
        ("seed", "1.5"),
    ],
)
def test_a_cell_that_fits_no_column_is_refused(name: str, cell: Any) -> None:
    with pytest.raises(InputError, match=f"{name}|decimal mark"):
        CellReader(decimal=".").value(name, cell)


@pytest.mark.parametrize(
    ("cells", "separator", "mark"),
    [
        (["0,9", "0,85"], ";", ","),
        (["0.9", "1,234.5"], ";", "."),
        (["1.234,5"], ";", ","),
        (["1,234,567"], ";", "."),
        (["1.234.567"], ";", ","),
        (["1,234"], ",", "."),
        (["1,234", "0,9"], ";", ","),
        (["12", "NA", ""], ";", "."),
        ([Decimal("0.5")], "", "."),
    ],
)
def test_the_decimal_mark_is_found_from_all_cells(cells: list[Any], separator: str, mark: str) -> None:
    reader = CellReader()
    reader.settle_decimal({"val_loss": cells}, separator)
    assert reader.decimal == mark


@pytest.mark.parametrize("cells", [["0,9", "0.8"], ["1,234"]])
def test_an_unclear_decimal_mark_names_its_option(tmp_path: Path, cells: list[str]) -> None:
    text = "arch;loss\n" + "".join(f"{CELLS[0]};{cell}\n" for cell in cells)
    path = written(tmp_path, text)
    done = run_import(path, "architecture=arch", "val_loss=loss")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--decimal" in done.err
    if len(cells) == 1:
        maps = ("architecture=arch", "val_loss=loss")
        assert frame_of(path, *maps, words=("--decimal", ","))["val_loss"].tolist() == [1.234]
        assert frame_of(path, *maps, words=("--decimal", "."))["val_loss"].tolist() == [1234.0]


def test_units_and_scales_are_exact(tmp_path: Path) -> None:
    path = written(tmp_path, f"arch,acc,p,f\n{CELLS[0]},0.9,0.802426,1.1\n{CELLS[1]},0.8,0.135156,0.3\n")
    maps = (*SCORES, "published_params=p", "train_seconds=f")
    found = frame_of(path, *maps, words=("--scale", "published_params=1e6", "--scale", "train_seconds=3600"))
    assert found["published_params"].tolist() == [802_426, 135_156]
    assert found["train_seconds"].tolist() == [3960.0, 1080.0]


def test_failed_trainings_keep_status_error_and_seconds(tmp_path: Path) -> None:
    text = (
        "arch,acc,loss,status,error,secs\n"
        f"{CELLS[0]},0.91,0.3,ok,,100\n"
        f"{CELLS[1]},,,diverged,loss is nan,40\n"
        f"{CELLS[2]},,,out_of_memory,CUDA OOM,5\n"
    )
    maps = (*SCORES, "val_loss=loss", "status=status", "error=error", "device_seconds=secs")
    path = written(tmp_path, text)
    assert "3 rows read, 3 stored: 1 ok, 1 diverged, 1 out_of_memory\n" in run_import(path, *maps).out
    found = frame_of(path, *maps)
    assert found["status"].tolist() == ["ok", "diverged", "out_of_memory"]
    assert found["error"].tolist() == ["", "loss is nan", "CUDA OOM"]
    assert found["device_seconds"].tolist() == [100.0, 40.0, 5.0]
    with Results(tmp_path / "out.h5") as results:
        run = results.runs().iloc[0]
    assert [3600 * run[f"{name}_hours"] for name in ("training", "failed")] == pytest.approx([140.0, 5.0])


def test_a_score_of_a_training_that_diverged_goes_to_its_error(tmp_path: Path) -> None:
    text = f"arch,acc,loss,status,secs\n{CELLS[0]},0.91,0.3,ok,100\n{CELLS[1]},0.1,inf,diverged,40\n"
    maps = (*SCORES, "val_loss=loss", "status=status", "device_seconds=secs")
    found = frame_of(written(tmp_path, text), *maps)
    assert found["val_acc"].fillna(-1).tolist() == [0.91, -1]
    assert found["error"].tolist()[1] == "diverged (the source states val_acc 0.1)"
    cost = nasbench("cost", str(tmp_path / "out.h5"), "--allow", "baseline", "-o", str(tmp_path / "cost"))
    assert "0.03889" in cost.out
    for name in ("page.md", "page.html"):
        page = nasbench("report", str(tmp_path / "out.h5"), "-o", str(tmp_path / name))
        assert page.code == 0, page.err
        text = (tmp_path / name).read_text()
        assert "1 training of 1 architecture, 1 seed, 1 more without a score; " in text
        assert "; 140 device-seconds." in text
    assert "| training | 140 | 100.0% | 0 of 2 |" in (tmp_path / "page.md").read_text()


def test_the_report_has_the_device_time_by_category_and_says_what_is_missing(tmp_path: Path) -> None:
    text = (
        "arch,acc,test,status,secs\n"
        f"{CELLS[0]},0.91,0.9,ok,100\n"
        f"{CELLS[1]},0.8,0.7,ok,\n"
        f"{CELLS[2]},,,timed_out,40\n"
        f"{CELLS[0]},,,failed,\n"
        f"{CELLS[2]},,0.6,ok,\n"
    )
    maps = (*SCORES, "test_acc=test", "status=status", "device_seconds=secs")
    assert run_import(written(tmp_path, text), *maps).code == 0
    done = nasbench("report", str(tmp_path / "out.h5"), "--format", "md")
    assert "; 140 device-seconds, and 3 trainings without a device time." in done.out, done.err
    rows = [line.strip("| ").split(" | ") for line in done.out.splitlines() if line.startswith("|")]
    cost = {row[0]: row[1:] for row in rows[[row[0] for row in rows].index("Category") :]}
    assert cost["Category"] == ["Device-seconds", "Share", "Trainings without a device time"]
    assert cost["training"] == ["100", "71.4%", "1 of 2"]
    assert cost["failed"] == ["40", "28.6%", "1 of 2"]
    assert cost["final"] == ["–", "–", "1 of 1"]  # two more test scores are of trainings that are counted above
    assert cost["all"] == ["140", "100.0%", "3 of 5"]


def test_a_row_without_score_and_status_is_a_training_that_failed(tmp_path: Path) -> None:
    text = f"arch,acc,loss\n{CELLS[0]},N/A,\n{CELLS[1]},NaN,inf\n{CELLS[2]},0.9,0.3\n"
    done = run_import(written(tmp_path, text), *SCORES, "val_loss=loss")
    assert "3 rows read, 3 stored: 1 failed, 1 diverged, 1 ok\n" in done.out
    found = frame_of(tmp_path / "t.csv", *SCORES, "val_loss=loss")
    assert found["error"].tolist() == ["the source has no score", "the loss is not finite", ""]


def test_an_infinite_accuracy_names_the_option_that_reads_it(tmp_path: Path) -> None:
    text = f"arch,acc,loss\n{CELLS[0]},inf,0.1\n{CELLS[1]},0.8,inf\n"
    path = written(tmp_path, text)
    done = run_import(path, *SCORES, "val_loss=loss")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "row 0: val_acc is inf, not a fraction between 0 and 1" in done.err
    assert "--missing val_acc=inf" in done.err
    found = frame_of(path, *SCORES, "val_loss=loss", words=("--missing", "val_acc=inf"))
    assert found["val_acc"].fillna(-1).tolist() == [-1, 0.8]
    assert found["val_loss"].tolist() == [0.1, np.inf]


@pytest.mark.parametrize("cells", [("0.9", "0.8"), ("1", "0")])
def test_fractions_that_are_declared_as_percent_are_refused(tmp_path: Path, cells: tuple[str, ...]) -> None:
    path = written(tmp_path, "arch,acc\n" + "".join(f"{CELLS[0]},{cell}\n" for cell in cells))
    done = run_import(path, *SCORES, words=("--percent", "val_acc"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "these are fractions: leave --percent val_acc out" in done.err
    assert not list(tmp_path.glob("out*"))
    scaled = frame_of(path, *SCORES, words=("--scale", "val_acc=0.01"))
    assert scaled["val_acc"].tolist() == [float(Decimal(cell) / 100) for cell in cells]


def test_percent_signs_among_percentages_are_divided_once(tmp_path: Path) -> None:
    path = written(tmp_path, f"arch,acc\n{CELLS[0]},93.1%\n{CELLS[1]},90.2\n")
    assert frame_of(path, *SCORES, words=("--percent", "val_acc"))["val_acc"].tolist() == [0.931, 0.902]


def bad_table(folder: Path, bad: int) -> Path:
    rows = [f"{CELLS[0]},0.9"] + [f"{CELLS[0]},x{number}" for number in range(bad)] + [f"{CELLS[1]},0.8,1"]
    return written(folder, "arch,acc\n" + "\n".join(rows) + "\n")


def test_all_bad_rows_are_named_up_to_20(tmp_path: Path) -> None:
    few = run_import(bad_table(tmp_path, 2), *SCORES)
    assert few.code == 2
    lines = few.err.splitlines()
    assert lines[0].endswith("nothing is stored (--skip-bad stores the other rows): 3 faults")
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["row 1", "row 2", "row 3"]
    assert "it has 3 cells, but there are 2 headings" in lines[3]
    assert "column 'val_acc' takes numbers, got 'x0' (column 'acc' of the table)" in lines[1]
    many = run_import(bad_table(tmp_path, 30), *SCORES).err.splitlines()
    assert (len(many), many[-1].strip()) == (22, "and 11 more")
    assert not list(tmp_path.glob("out*"))


def test_skip_bad_stores_and_counts(tmp_path: Path) -> None:
    done = run_import(bad_table(tmp_path, 2), *SCORES, words=("--skip-bad",))
    assert "4 rows read, 1 stored: 1 ok, 3 skipped\n" in done.out
    assert check_file(tmp_path / "out.h5").sound
    text = f"arch,acc,status\n{CELLS[0]},,ok\n{CELLS[1]},0.5,ok\n{CELLS[1]},2,ok\n"
    found = frame_of(written(tmp_path, text), *SCORES, "status=status", words=("--skip-bad", "--scale", "val_acc=1"))
    assert found["val_acc"].tolist() == [0.5]


def test_dry_run_shows_five_rows_and_writes_nothing(tmp_path: Path) -> None:
    text = "arch,acc,p\n" + "".join(f"{CELLS[0]},9{number}.5%,0.{number + 1}M\n" for number in range(7))
    done = run_import(written(tmp_path, text), *SCORES, "published_params=p", words=("--dry-run",))
    assert (done.code, done.err) == (0, "")
    shown = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()}
    assert shown["val_acc"] == ["0.905", "0.915", "0.925", "0.935", "0.945"]
    assert shown["published_params"] == ["100000", "200000", "300000", "400000", "500000"]
    assert "not written: --dry-run" in done.out
    assert "7 rows read, 7 stored: 7 ok" in done.out
    assert not list(tmp_path.glob("out*"))


def test_the_official_index_of_a_cell_is_an_architecture(tmp_path: Path) -> None:
    space: Any = get_space("nasbench201")
    path = written(tmp_path, "index,acc\n0,0.5\n235,0.6\n15624,0.7\n")
    found = frame_of(path, "architecture=index", "val_acc=acc")
    # The first cell of the benchmark's files.
    assert found["hash"][0] == space.parse(CELLS[1]).hash
    assert [space.index(space.decode(json.loads(choices))) for choices in found["choices"]] == [0, 235, 15624]
    done = run_import(written(tmp_path, "index,acc\n15625,0.5\n"), "architecture=index", "val_acc=acc")
    assert "row 0: the index of a cell is 0 to 15624, got 15625" in done.err


DIAMOND = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
OPERATIONS = ["input", "conv3x3-bn-relu", "maxpool3x3", "output"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("matrix", [json.dumps(DIAMOND), "0110000100010000"])
@pytest.mark.parametrize("operations", [json.dumps(OPERATIONS), str(OPERATIONS), ", ".join(OPERATIONS)])
def test_matrix_and_operations_are_a_cell_of_nasbench101(tmp_path: Path, matrix: str, operations: str) -> None:
    pd.DataFrame({"m": [matrix], "o": [operations], "acc": [0.9]}).to_csv(tmp_path / "t.csv", index=False)
    found = frame_of(tmp_path / "t.csv", "matrix=m", "operations=o", "val_acc=acc", space="nasbench101")
    space: Any = get_space("nasbench101")
    assert found["hash"].tolist() == [space.from_matrix(DIAMOND, OPERATIONS).hash]


@pytest.mark.parametrize(
    ("matrix", "operations", "said"),
    [
        ("011", ",".join(OPERATIONS), "has 16 digits"),
        ("", ",".join(OPERATIONS), "there is no architecture"),
        ("[[0,2],[0,0]]", "input,output", "rows of 0 and 1"),
        ("{}", "input,output", "row 0"),
    ],
)
def test_a_matrix_that_is_none_is_one_line(tmp_path: Path, matrix: str, operations: str, said: str) -> None:
    pd.DataFrame({"m": [matrix], "o": [operations], "acc": [0.9]}).to_csv(tmp_path / "t.csv", index=False)
    done = run_import(tmp_path / "t.csv", "matrix=m", "operations=o", "val_acc=acc", space="nasbench101")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err
    other = run_import(tmp_path / "t.csv", "matrix=m", "operations=o", "val_acc=acc")
    assert "nasbench101 has" in other.err


def curves_of(folder: Path) -> dict[str, tuple[float, ...]]:
    with Results(folder / "out.h5") as results:
        (row,) = results.children_of(results.runs()["run"][0])
        return row["curves"]


def test_curves_are_json_lists(tmp_path: Path) -> None:
    table = pd.DataFrame({"arch": [CELLS[0]], "val": ["[50, null, 70]"], "t": ["[1.0, 2.0, 3.5]"]})
    table.to_csv(tmp_path / "t.csv", index=False)
    maps = ("architecture=arch", "val_acc_curve=val", "seconds_curve=t")
    done = run_import(tmp_path / "t.csv", *maps)
    assert "val_acc is" in done.err
    found = frame_of(tmp_path / "t.csv", *maps, words=("--percent", "val_acc"))
    assert found[["val_acc", "val_acc_best", "epochs", "train_seconds"]].values.tolist() == [[0.7, 0.7, 3, 6.5]]
    assert curves_of(tmp_path)["val_acc"][::2] == (0.5, 0.7)
    assert curves_of(tmp_path)["seconds"] == (1.0, 2.0, 3.5)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("train_loss_curve=x", "[1, 2]", "their lengths differ"),
        ("train_loss_curve=x", "3", "is a list with one number per epoch"),
        ("val_acc=x", "0.5", "val_acc is 0.5, but its curve gives 0.7"),
        ("epochs=x", "4", "epochs is 4, but its curve gives 3"),
    ],
)
def test_curves_that_contradict_the_row_are_refused(tmp_path: Path, column: str, cell: str, said: str) -> None:
    table = pd.DataFrame({"arch": [CELLS[0]], "val": ["[0.5, 0.6, 0.7]"], "x": [cell]})
    table.to_csv(tmp_path / "t.csv", index=False)
    done = run_import(tmp_path / "t.csv", "architecture=arch", "val_acc_curve=val", column)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err


def test_one_row_per_epoch_is_a_training_with_curves(tmp_path: Path) -> None:
    rows = [(CELLS[0], 2, 0.6, 1.5, 0.9, 7), (CELLS[0], 1, 0.7, 1.0, 0.8, 7), (CELLS[0], 1, 0.4, 2.0, 0.5, 8)]
    table = pd.DataFrame(rows, columns=["arch", "epoch", "acc", "s", "test", "seed"])
    table.to_csv(tmp_path / "t.csv", index=False)
    maps = (*SCORES, "epoch=epoch", "seconds=s", "test_acc=test", "seed=seed")
    assert "2 trainings read, 2 stored: 2 ok\n" in run_import(tmp_path / "t.csv", *maps).out
    found = frame_of(tmp_path / "t.csv", *maps)
    search, final = (found[found["stage"] == stage] for stage in ("search", "final"))
    columns = ["val_acc", "val_acc_best", "epochs", "train_seconds", "seed"]
    assert search[columns].values.tolist() == [[0.6, 0.7, 2, 2.5, 7], [0.4, 0.4, 1, 2.0, 8]]
    assert final["test_acc"].tolist() == [0.9, 0.5]
    gap = table.assign(epoch=[3, 1, 1])
    gap.to_csv(tmp_path / "t.csv", index=False)
    done = run_import(tmp_path / "t.csv", *maps)
    assert (done.code, "its epochs are 1, 3; they should follow each other" in done.err) == (2, True)


def test_a_table_that_the_suite_wrote_is_read_back(tmp_path: Path) -> None:
    """Its CSV protects cells that a spreadsheet would run as formulas by an apostrophe."""
    errors = ["=1+1", "'=1+1", "-x", "@home", "plain", "'quoted"]
    table = pd.DataFrame({"arch": [CELLS[0]] * 6, "error": errors, "acc": [0.1] * 6})
    table.assign(error=[csv_text(error) for error in errors]).to_csv(tmp_path / "t.csv", index=False)
    first = frame_of(tmp_path / "t.csv", *SCORES, "error=error")
    assert first["error"].tolist() == errors
    done = nasbench("export", str(tmp_path / "out.h5"), "-o", str(tmp_path / "again.csv"))
    assert done.code == 0, done.err
    assert "'=1+1" in (tmp_path / "again.csv").read_text()
    again = frame_of(tmp_path / "again.csv", "architecture=choices", "val_acc=val_acc", "error=error")
    assert again["error"].tolist() == errors


def parquet(folder: Path, **columns: Any) -> Path:
    pytest.importorskip("pyarrow")
    pd.DataFrame(columns).to_parquet(folder / "t.parquet", index=False)
    return folder / "t.parquet"


def test_nullable_types_of_parquet_are_missing_values(tmp_path: Path) -> None:
    path = parquet(
        tmp_path,
        arch=CELLS[:2],
        acc=[0.9, 0.8],
        p=pd.array([802_426, None], dtype="Int64"),
        loss=pd.array([0.5, None], dtype="Float64"),
        note=pd.array(["a", None], dtype="string"),
    )
    maps = (*SCORES, "published_params=p", "val_loss=loss", "error=note")
    found = frame_of(path, *maps)
    assert found["val_loss"].fillna(-1).tolist() == [0.5, -1]
    assert found["error"].tolist() == ["a", ""]
    with Results(tmp_path / "out.h5") as results:
        rows = results.children_of(results.runs()["run"][0])
        assert [row["published_params"] for row in rows] == [802_426, -1]
    whole = parquet(tmp_path, arch=CELLS[:2], acc=[0.9, 0.8], p=pd.array([0.5, None], dtype="Float64"))
    done = run_import(whole, *SCORES, "params=p")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "row 0: column 'params' takes whole numbers, got '0.5' (column 'p' of the table)" in done.err


def test_a_missing_architecture_of_parquet_names_its_row(tmp_path: Path) -> None:
    done = run_import(parquet(tmp_path, arch=[CELLS[0], None], acc=[0.9, 0.8]), *SCORES)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "row 1: there is no architecture" in done.err


def test_text_or_lists_where_numbers_belong_are_one_line(tmp_path: Path) -> None:
    path = parquet(tmp_path, arch=CELLS[:2], acc=["0.9", "0.8"], many=[[0, 1, 2, 3, 4, 0], [1, 1, 1, 1, 1, 1]])
    for column, kind in (("acc", "texts, e.g. '0.9'"), ("many", "lists, e.g. [0, 1, 2, 3, 4, 0]")):
        done = run_import(path, "architecture=arch", f"val_acc={column}")
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        assert f"row 0: val_acc takes numbers, and its column has {kind}" in done.err


def test_lists_of_choices_are_architectures_in_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path, arch=[[0, 1, 2, 3, 4, 0], [1, 1, 1, 1, 1, 1]], acc=np.array([0.5, 0.25], dtype="float32"))
    assert frame_of(path, *SCORES)["choices"].tolist() == ["[0,1,2,3,4,0]", "[1,1,1,1,1,1]"]
    odd = parquet(tmp_path, arch=[[0, 1, 2, 3, 4, 0.5]], acc=[0.5])
    done = run_import(odd, *SCORES)
    assert (done.code, "row 0: an architecture is a list of whole numbers" in done.err) == (2, True)


def test_a_file_that_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing of the kind")
    done = run_import(tmp_path / "t.parquet", *SCORES)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "cannot be read as parquet" in done.err


def test_a_total_wins_over_its_parts_and_missing_parts_are_said(tmp_path: Path) -> None:
    text = f"arch,acc,t,e,d\n{CELLS[0]},0.9,100,,130\n{CELLS[1]},0.8,100,,\n{CELLS[2]},0.7,100,20,\n"
    maps = (*SCORES, "train_seconds=t", "eval_seconds=e", "device_seconds=d")
    path = written(tmp_path, text)
    done = run_import(path, *maps)
    assert "device_seconds are without eval_seconds, which the source does not have: 1 of 3 trainings" in done.out
    assert frame_of(path, *maps)["device_seconds"].tolist() == [130.0, 100.0, 120.0]
    with Results(tmp_path / "out.h5") as results:
        run = results.runs().iloc[0]
    assert [3600 * run[f"{name}_hours"] for name in ("training", "evaluation")] == pytest.approx([330.0, 20.0])


def test_trainings_of_several_lengths_are_said(tmp_path: Path) -> None:
    path = written(tmp_path, f"arch,acc,e\n{CELLS[0]},0.9,12\n{CELLS[1]},0.8,200\n")
    assert "the epochs of trainings differ (12 to 200)" in run_import(path, *SCORES, "epochs=e").out


def test_parts_of_a_table_have_one_fingerprint(tmp_path: Path) -> None:
    words = ("--set", "data=mine", "--set", "protocol=theirs")
    found = [frame_of(written(tmp_path, f"arch,acc\n{cell},0.9\n"), *SCORES, words=words) for cell in CELLS]
    assert len({frame["fingerprint"][0] for frame in found}) == 1
    assert len({frame["run"][0] for frame in found}) == 3
    others = [("--set", "data=other", "--set", "protocol=theirs"), (*words, "--set", "epochs=12")]
    for given in others:
        assert frame_of(tmp_path / "t.csv", *SCORES, words=given)["fingerprint"][0] != found[0]["fingerprint"][0]


def test_a_count_that_is_unknown_is_counted_as_missing(tmp_path: Path) -> None:
    text = f"arch,acc,p,s\n{CELLS[0]},0.9,100,\n{CELLS[1]},0.8,,3\n{CELLS[2]},0.7,NA,\n"
    done = run_import(written(tmp_path, text), *SCORES, "params=p", "seed=s")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"missing: .*\bparams\b[^;]* of 2\b", done.out)
    assert re.search(r"missing: .*\bseed\b[^;]* of 2\b", done.out)
    assert not re.search(r"missing: .*\bval_acc\b", done.out)


def test_no_more_than_the_total_is_charged_to_evaluation(tmp_path: Path) -> None:
    text = f"arch,acc,d,e\n{CELLS[0]},0.9,10,30\n{CELLS[1]},0.8,100,20\n"
    frame_of(written(tmp_path, text), *SCORES, "device_seconds=d", "eval_seconds=e")
    with Results(tmp_path / "out.h5") as results:
        run = results.runs().iloc[0]
    assert [3600 * run[f"{name}_hours"] for name in ("training", "evaluation")] == pytest.approx([80.0, 30.0])


def test_missing_columns_are_one_line() -> None:
    assert missing_text({"val_loss": 200, "epochs": 3, "test_acc": 200}) == "epochs of 3; test_acc, val_loss of 200"
