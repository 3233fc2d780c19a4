"""Exported tables give back every bit; missing values stay missing."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from store_rows import child, run

from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, RUN_COLUMNS
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

COUNT = 30
TYPES = {column.name: column.type for column in (*CHILD_COLUMNS, *RUN_COLUMNS, *CURVES)} | {"epoch": "int"}
FLOATS = [name for name, kind in TYPES.items() if kind == "float"]
READ = {"str": str, "int": int, "float": lambda text: float(text or "nan"), "bool": lambda text: text == "True"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("export") / "results.h5"
    with ResultsWriter(path) as writer:
        writer.put_run(run())
        for number in range(COUNT):
            writer.append_child(
                *child(number, error="a \"quoted\", 'odd'\u00e9 text", reward=[math.inf, 0.1][number % 2])
            )
    return str(path)


def exported(file: str, target: Path, what: str) -> pd.DataFrame:
    done = nasbench("export", file, "--what", what, "-o", str(target))
    assert (done.code, done.err) == (0, "")
    if target.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        return pd.read_parquet(target)
    if target.suffix == ".csv":
        texts = pd.read_csv(target, dtype=str, keep_default_na=False)
        return texts.apply(lambda column: column.map(READ[TYPES.get(column.name, "str")]))
    frame = pd.DataFrame([json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()])
    for name in FLOATS:
        if name in frame:
            frame[name] = [float("nan") if value is None else float(value) for value in frame[name]]
    return frame


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("what", ["children", "curves", "runs"])
def test_every_format_gives_back_every_value(file: str, tmp_path: Path, ending: str, what: str) -> None:
    with Results(file) as results:
        frame = {"children": results.frame, "curves": results.all_curves, "runs": results.runs}[what]()
    again = exported(file, tmp_path / f"out.{ending}", what)
    assert list(again) == list(frame)
    for name in frame:
        if frame[name].dtype.kind == "f":
            np.testing.assert_array_equal(frame[name].to_numpy(), again[name].to_numpy(dtype=float, na_value=np.nan))
        else:
            assert frame[name].tolist() == again[name].tolist(), name


@pytest.mark.parametrize("what", ["children", "curves", "runs"])
def test_a_file_and_its_copy_are_not_exported_twice(file: str, tmp_path: Path, what: str) -> None:
    shutil.copy(file, tmp_path / "copy.h5")
    target = tmp_path / "out.csv"
    done = nasbench("export", file, str(tmp_path / "copy.h5"), "--what", what, "-o", str(target))
    assert (done.code, target.exists()) == (2, False)
    assert "these runs occur more than once: run0; give each results file once, and no copies" in done.err
    assert nasbench("export", file, file, "-o", str(target)).out.endswith(f"{COUNT} rows of children\n")


def test_missing_values_are_null_in_json_lines(file: str, tmp_path: Path) -> None:
    nasbench("export", file, "-o", str(tmp_path / "out.jsonl"))
    first = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["test_acc"] is None
    assert first["reward"] == "inf"


def test_another_ending_is_refused(file: str, tmp_path: Path) -> None:
    done = nasbench("export", file, "-o", str(tmp_path / "out.xlsx"))
    assert done.code == 2
    assert ".parquet, .csv, .jsonl" in done.err
    assert not (tmp_path / "out.xlsx").exists()
