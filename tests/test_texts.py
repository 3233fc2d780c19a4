"""Each kind of output has one function that keeps texts texts."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest
from hostile import TEXTS

from nasbench.errors import printable, printable_data
from nasbench.texts import csv_cells, csv_text, json_object, latex_text, markdown_text, shortened, text_of_csv


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1+1", "'+1+1"),
        ("-cmd", "'-cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("'=1", "''=1"),
        ("＝1+1", "'＝1+1"),
        ("-0.5", "-0.5"),
        ("+3e-4", "+3e-4"),
        ("-inf", "-inf"),
        ("-5%", "-5%"),
        ("-", "-"),
        ("'quoted'", "'quoted'"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_cell_is_a_formula_and_numbers_stay_numbers(text, written):
    assert csv_text(text) == written
    assert text_of_csv(written) == text


def test_a_frame_for_csv_comes_back():
    frame = pd.DataFrame(
        {"=name": ["=1", "-0.5", "ok", None], "value": [-0.5, 1.0, float("nan"), 2.0], "count": [-1, 2, 3, 4]}
    )
    safe = csv_cells(frame)
    assert list(frame["=name"])[:3] == ["=1", "-0.5", "ok"], "the frame itself is not changed"
    back = pd.read_csv(io.StringIO(safe.to_csv(index=False)), keep_default_na=False)
    assert back.columns[0] == "'=name"
    assert [text_of_csv(cell) for cell in back["'=name"]] == ["=1", "-0.5", "ok", ""]
    assert back["count"].tolist() == [-1, 2, 3, 4]
    plain = frame[["value", "count"]]
    assert csv_cells(plain) is plain


@pytest.mark.parametrize("text", TEXTS)
def test_every_hostile_text_is_one_printable_line(text):
    for shown in (printable(text), printable_data(text), markdown_text(text), latex_text(text)):
        assert shown.isprintable()
        shown.encode()
    assert printable(printable(text)) == printable(text)
    assert len(shortened(text)) <= 60


def test_json_stays_json():
    for value in ({"a\n": ["\x1b", "\u202e", "\udce9"]}, ["\u2028"]):
        raw = json.dumps(value, ensure_ascii=False, indent=1)
        assert json.loads(printable_data(raw)) == value
        assert printable_data(raw).isprintable()
    assert printable_data("{no\njson") == "{no\\njson"


@pytest.mark.parametrize("text", ["", "[1]", "3", "null", "{", "[" * 100_000, '{"a": ' * 5000])
def test_what_is_no_object_is_an_empty_one(text):
    assert json_object(text) == {}


def test_texts_in_an_object_are_printable():
    assert json_object('{"a\\u001b": ["\\u202e", {"b": "\\n"}], "c": 3}') == {
        "a\\x1b": ["\\u202e", {"b": "\\n"}],
        "c": 3,
    }
