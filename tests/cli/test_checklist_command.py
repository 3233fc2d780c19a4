"""`nasbench checklist` as users call it, on the shipped files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from commands import nasbench

RESULTS = Path(__file__).parents[2] / "results"


def test_the_shipped_searches_item_by_item(tmp_path):
    done = nasbench("checklist", str(RESULTS / "claims.h5"), "--csv", "list.csv", cwd=tmp_path)
    assert done.code == 0, done.err
    data = pd.read_csv(tmp_path / "list.csv", dtype=str).set_index("number")
    assert len(data) == 16
    assert data.loc["2.6", "answer"] == "met"
    assert data.loc["2.8", "answer"] == "not met"
    for number, row in data.iterrows():
        assert any(line.split()[:1] == [number] and row["answer"].upper() in line for line in done.out.splitlines())
    assert "615 trainings" in done.out
    assert f"{(data['answer'] == 'met').sum()} met" in done.out.splitlines()[-1]


def test_markdown_of_a_table_that_no_strategy_searched():
    done = nasbench("checklist", str(RESULTS / "digits201.h5"), "--format", "md")
    assert done.code == 0, done.err
    assert done.out.startswith("## NAS best practices checklist\n")
    assert "- [-] **2.6 Random search as a baseline**: not applicable. no strategy searched here" in done.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("none.h5",), "none.h5"),
        ((str(RESULTS / "claims.h5"), "--format", "pdf"), "'pdf' is not one of"),
        ((str(RESULTS / "claims.h5"), "--csv", "/dev/null/list.csv"), "cannot write '/dev/null/list.csv'"),
        ((), "Missing argument"),
    ],
)
def test_bad_input_is_one_line(words, expected, tmp_path):
    done = nasbench("checklist", *words, cwd=tmp_path)
    assert done.code == 2
    assert expected in done.err
    assert len(done.err.strip().splitlines()) == 1
