"""Conditions over columns: one list of conditions with the rows that hold, for Python and for the report's page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nasbench
from nasbench.errors import InputError
from nasbench.expressions import FUNCTIONS, ExpressionError, parse_condition
from nasbench.expressions.frames import kinds_of, rows_where

HERE = Path(__file__).parent
LIST = json.loads((HERE / "conditions.json").read_text(encoding="utf-8"))
SCRIPT = Path(nasbench.__file__).parents[1] / "analysis" / "report" / "static" / "conditions.js"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.DataFrame(LIST["rows"])


@pytest.mark.parametrize("text", LIST["holds"])
def test_a_condition_selects_rows(frame, text):
    assert np.flatnonzero(rows_where(frame, text)).tolist() == LIST["holds"][text]
    again = str(parse_condition(text, kinds_of(frame)))
    assert np.flatnonzero(rows_where(frame, again)).tolist() == LIST["holds"][text], again


@pytest.mark.parametrize("text", LIST["refused"])
def test_what_is_no_condition_is_refused_at_its_place(frame, text):
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text, kinds_of(frame))
    assert caught.value.position == LIST["refused"][text], str(caught.value)


def test_the_page_reads_the_same_language():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the PATH: the page's parser is tried by the tests in a browser alone")
    words = [node, str(HERE / "conditions_in_node.js"), str(SCRIPT), str(HERE / "conditions.json")]
    found = json.loads(subprocess.run(words, check=True, capture_output=True, timeout=60).stdout)
    assert found["holds"] == LIST["holds"]
    assert found["refused"] == LIST["refused"], found["messages"]


def test_the_page_has_the_same_functions():
    block = SCRIPT.read_text(encoding="utf-8").split("const FUNCTIONS = {")[1].split("\n};")[0]
    assert [line.split(":")[0].strip() for line in block.strip().split("\n")] == list(FUNCTIONS)


def test_columns_of_every_type_and_with_missing_values():
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "big": np.array([2**62, 2**62 + 1, -1]),
            "single": np.array([0.5, np.nan, 2], dtype=np.float32),
            "mixed": np.array([1, None, 2.5], dtype=object),
            "text": ["a", None, "c"],
            "old": np.array(["a", np.nan, "c"], dtype=object),
            "kinds": pd.Categorical(["x", None, "y"]),
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "some": np.array([True, None, False], dtype=object),
        }
    )
    for text, expected in {
        "whole >= 1": [0, 2],
        "whole != 1": [2],
        "big * 10 > 0": [0, 1],
        "single == 0.5": [0],
        "mixed > 1": [2],
        "text == ''": [1],
        "text != 'a'": [1, 2],
        "old in ['c', 'd']": [2],
        "missing(kinds)": [1],
        "maybe": [0],
        "not some": [1, 2],
    }.items():
        assert np.flatnonzero(rows_where(frame, text)).tolist() == expected, text
    assert rows_where(frame[:0], "whole > 1").tolist() == []


@pytest.mark.parametrize(
    "text",
    [
        "@re.enum.sys.modules['os'].system('touch made')",
        "@Path('made').write_text('y')",
        "val_acc.to_pickle('made')",
        "__import__('os').system('touch made')",
        "`val_acc`.to_csv('made')",
        "@pd.compat.os.system('touch made') == 0",
    ],
)
def test_no_text_is_run(frame, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^--where: expression .* position \d+: "):
        rows_where(frame, text)
    assert not list(tmp_path.iterdir())


def test_nothing_in_the_suite_evaluates_text_with_pandas():
    import re

    root = Path(nasbench.__file__).parents[1]
    for folder in ("nasbench", "runners", "analysis"):
        for file in (root / folder).rglob("*.py"):
            if file.name == "source_files.py":  # runs a strategy's file, which the user names for that
                continue
            code = re.sub(r'""".*?"""', "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
            assert not re.search(r"\.query\((?!\))|\bpd\.eval\(|(?<![\w.])eval\(|(?<![\w.])exec\(", code), file
