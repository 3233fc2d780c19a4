"""Tables of anyone by a column map: values as they are, missing ones missing, wrong ones named by row."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import nasbench

from nasbench.spaces import get_space
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results

CELLS = [
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",
]
TABLE = pd.DataFrame(
    {
        "cell": CELLS,
        "top1": [71.25, np.nan, 70.1],
        "held_out": [70.0, 60.5, np.nan],
        "weights": [1000, 2000, 3000],
        "note": ["a", "", "c"],
    }
)
MAP = ("architecture=cell", "val_acc=top1", "test_acc=held_out", "params=weights", "error=note")


def run_import(path: Path, kind: str, *words: str, columns: tuple[str, ...] = MAP) -> Any:
    maps = [word for pair in columns for word in ("--map", pair)]
    out = str(path.parent / "out.h5")
    return nasbench("import", kind, str(path), "-o", out, "--space", "nasbench201", *maps, *words)


def written(tmp_path: Path, kind: str, table: pd.DataFrame = TABLE) -> Path:
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        pytest.importorskip("pyarrow")
        table.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_values_are_the_tables(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    words = ("--percent", "val_acc,test_acc", "--set", "data=cifar10", "--set", "protocol=theirs", "--set", "seed=3")
    done = run_import(path, kind, *words)
    assert (done.code, done.err) == (0, "")
    assert "4 children (2 search, 2 final) of 1 run\n" in done.out
    assert re.search(r"missing: .*\btrain_acc\b[^;]* of 2\b", done.out)
    assert check_file(tmp_path / "out.h5").sound
    with Results(tmp_path / "out.h5") as results:
        search, final = results.frame(stage="search"), results.frame(stage="final")
        assert search["val_acc"].tolist() == [71.25 / 100, 70.1 / 100]
        assert final["test_acc"].tolist() == [70.0 / 100, 60.5 / 100]
        assert search["test_acc"].isna().all()
        # One hash for which the table states two counts: neither is its count.
        assert search["published_params"].tolist() == [1000, 3000]
        assert search["params"].fillna(-1).tolist() == [-1, -1]
        assert search["error"].tolist() == ["a", "c"]
        assert search["seed"].tolist() == [3, 3]
        assert search["duplicate"].tolist() == [False, True]
        assert set(search["protocol"]) == {"theirs"}
        config = json.loads(results.runs()["config"][0])
    assert json.loads(config["import"]["notes"])["map"]["val_acc"] == "top1"


@pytest.mark.parametrize("form", ["choices", "object", "text"])
def test_every_form_of_an_architecture(tmp_path: Path, form: str) -> None:
    space: Any = get_space("nasbench201")
    architecture = space.parse(CELLS[0])
    text = {"choices": str(list(architecture.choices)), "object": architecture.to_json(), "text": CELLS[0]}[form]
    path = written(tmp_path, "csv", pd.DataFrame({"a": [text], "v": [0.5]}))
    assert run_import(path, "csv", columns=("architecture=a", "val_acc=v")).code == 0
    with Results(tmp_path / "out.h5") as results:
        assert results.frame()["hash"].tolist() == [architecture.hash]


@pytest.mark.parametrize(
    ("columns", "words", "said"),
    [
        (MAP, (), "row 0: val_acc is 71.25, not a fraction between 0 and 1; for percent: --percent val_acc"),
        (("val_acc=top1",), (), "--map architecture=COLUMN"),
        (("architecture=cel", "val_acc=top1"), (), "did you mean 'cell'"),
        (("architecture=cell", "val_ac=top1"), (), "did you mean 'val_acc'"),
        (("architecture=cell", "hash=note"), (), "unknown column to import 'hash'"),
        (("architecture=note", "val_acc=top1"), (), "row 0"),
        (("architecture=cell", "params=top1"), (), "takes whole numbers, got '71.25'"),
        (("architecture=cell", "val_acc=cell"), (), "row 0"),
        (("architecture=cell", "status=note", "val_acc=top1"), ("--percent", "val_acc"), "unknown status 'a'"),
        (("architecture=cell", "val_acc=top1"), ("--percent", "valacc"), "did you mean 'val_acc'"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_written(
    tmp_path: Path, columns: tuple[str, ...], words: tuple[str, ...], said: str
) -> None:
    done = run_import(written(tmp_path, "csv"), "csv", *words, columns=columns)
    rows = done.err.count("\n  row ")  # several bad rows have a line each below the first
    assert (done.code, done.err.count("\n")) == (2, 1 + rows), done.out
    assert rows in (0, 2, 3)
    assert said in done.err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("scores", [("val_acc=top1",), ("test_acc=held_out",), ("val_acc=top1", "test_acc=held_out")])
def test_what_is_imported_is_sound_whichever_scores_it_has(tmp_path: Path, scores: tuple[str, ...]) -> None:
    words = ("--percent", ",".join(score.partition("=")[0] for score in scores))
    done = run_import(written(tmp_path, "csv"), "csv", *words, columns=("architecture=cell", *scores))
    assert done.code == 0, done.err
    assert check_file(tmp_path / "out.h5").sound


def test_an_existing_file_is_not_written_over(tmp_path: Path) -> None:
    path = written(tmp_path, "csv")
    assert run_import(path, "csv", "--percent", "val_acc,test_acc").code == 0
    before = (tmp_path / "out.h5").read_bytes()
    again = run_import(path, "csv", "--percent", "val_acc,test_acc")
    assert (again.code, "is there already" in again.err) == (2, True)
    assert (tmp_path / "out.h5").read_bytes() == before


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    done = run_import(tmp_path / "none.csv", "csv")
    assert (done.code, "none.csv" in done.err) == (2, True)


@pytest.mark.parametrize("missing", [None, ""])
def test_a_row_without_architecture_is_named(tmp_path: Path, missing: str | None) -> None:
    pytest.importorskip("pyarrow")
    path = written(tmp_path, "parquet", TABLE.assign(cell=[TABLE["cell"][0], missing, TABLE["cell"][2]]))
    done = run_import(path, "parquet", "--percent", "val_acc,test_acc")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {path}: row 1: there is no architecture\n"


def test_a_total_of_seconds_without_its_parts_is_charged_as_training(tmp_path: Path) -> None:
    table = pd.DataFrame({"cell": CELLS[:2], "top1": [0.7, 0.6], "s": [100.0, 40.0], "e": [np.nan, 10.0]})
    columns = ("architecture=cell", "val_acc=top1", "device_seconds=s", "eval_seconds=e")
    done = run_import(written(tmp_path, "csv", table), "csv", columns=columns)
    assert (done.code, done.err) == (0, "")
    with Results(tmp_path / "out.h5") as results:
        run = results.runs().iloc[0]
    assert 3600 * run["training_hours"] == pytest.approx(130)
    assert 3600 * run["evaluation_hours"] == pytest.approx(10)
    cost = nasbench("cost", str(tmp_path / "out.h5"), "--allow", "baseline", "-o", str(tmp_path / "cost"))
    assert "0.03889" in cost.out


def two_parts(tmp_path: Path) -> list[Path]:
    """Parts of one table: the first never has skip as its first operation, the second never conv."""
    parts = []
    for number, rows in enumerate(
        (
            ["conv,pool,0.90", "conv,skip,0.80", "pool,pool,0.70", "pool,skip,0.6"],
            ["pool,pool,0.71", "pool,skip,0.61", "skip,pool,0.5", "skip,skip,0.2"],
        )
    ):
        parts.append(tmp_path / f"p{number}.csv")
        parts[-1].write_text("\n".join(["op1,op2,acc", *rows]) + "\n")
    return parts


@pytest.mark.parametrize("as_run", [False, True])
def test_numbers_of_options_that_files_give_otherwise_are_never_taken_for_one(tmp_path: Path, as_run: bool) -> None:
    """One hash is (conv, pool) in the first file and (pool, pool) in the second."""
    words = [
        "--space",
        "choices",
        "--map",
        "architecture=op1,op2",
        "--map",
        "val_acc=acc",
        "--set",
        "data=d",
        "--set",
        "protocol=p",
    ]
    found = []
    for number, path in enumerate(two_parts(tmp_path)):
        mine = (
            ["--as-run", "--set", "strategy=x", "--set", f"run_seed={number}"]
            if as_run
            else ["--set", f"seed={number}"]
        )
        nasbench("import", "csv", str(path), "-o", str(tmp_path / f"{number}.h5"), *words, *mine)
        with Results([str(tmp_path / f"{number}.h5")]) as results:
            config = json.loads(results.runs()["config"].iloc[0])
            found.append((set(results.frame()["fingerprint"]), config["import"]["options"]))
    assert found[0][0].isdisjoint(found[1][0])
    assert [options["op1"] for _, options in found] == [["conv", "pool"], ["pool", "skip"]]
    merged = nasbench("merge", str(tmp_path / "0.h5"), str(tmp_path / "1.h5"), "-o", str(tmp_path / "m.h5"))
    assert (merged.code, merged.err.count("\n")) == (2, 1)
    assert "it was made of other options in their files" in merged.err
    assert not (tmp_path / "m.h5").exists()


@pytest.mark.parametrize(
    ("seconds", "column", "said", "stored"),
    [
        ((100, 100, 100), "seconds", None, 300.0),
        ((100, 200, 300), "device_seconds", None, 300.0),
        ((100, 100, 100), "device_seconds", "device_seconds are equal in all rows of a training", 100.0),
        ((100, 90, 80), "device_seconds", "its device_seconds fall from one epoch to a later one", None),
        ((100, 90, 80), "train_seconds", "those of each epoch are mapped as seconds", None),
    ],
)
def test_costs_of_each_epoch_are_not_taken_for_those_of_a_training(
    tmp_path: Path, seconds, column, said, stored
) -> None:
    lines = [f'"[0,1,2,3,4,0]",{epoch},0.{5 + epoch},{cost}' for epoch, cost in enumerate(seconds, start=1)]
    (tmp_path / "t.csv").write_text("\n".join(["arch,ep,acc,sec", *lines]) + "\n")
    columns = ("architecture=arch", "epoch=ep", "val_acc=acc", f"{column}=sec")
    done = run_import(tmp_path / "t.csv", "csv", "--set", "data=d", "--set", "protocol=p", columns=columns)
    assert done.code == (2 if stored is None else 0)
    assert said is None or said in done.out + done.err
    if stored is not None:
        with Results([str(tmp_path / "out.h5")]) as results:
            assert results.frame()["device_seconds"].tolist() == [stored]
