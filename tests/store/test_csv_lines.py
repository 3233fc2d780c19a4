"""CSV in blocks: the bytes of pandas' writer, without a frame."""

from __future__ import annotations

import numpy as np
import pytest
from store_rows import write

from nasbench import open as open_results
from nasbench.store.format import csv_lines
from nasbench.store.format.columns import FixedTexts, Text
from nasbench.store.format.frames import for_pandas
from nasbench.texts import csv_blocks_of, csv_cells

ROWS = 60
TEXTS = ["", "plain", "a,b", 'say "no"', "=1+1", "-0.5", "-x", "@home", "'=1", "two words", "a=b-c", "é", "\u2028"]


def columns():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=ROWS)
    fixed = np.array([f"2026-01-{day:02}T00:00-{day}".encode() for day in range(ROWS)])
    return {
        "float": np.where(rng.random(ROWS) < 0.2, np.nan, numbers),
        "repeated": np.where(rng.random(ROWS) < 0.3, np.nan, np.round(numbers)) * 0.0,  # 0.0, -0.0 and NaN
        "odd": np.resize([np.inf, -np.inf, 1e300, 1e-5, 123456789.0, 1e16, 5e-324], ROWS),
        "int": rng.integers(-5, 10**12, ROWS),
        "few": rng.integers(0, 3, ROWS),
        "bool": rng.random(ROWS) < 0.5,
        "text": Text(rng.integers(0, len(TEXTS), ROWS), TEXTS),
        "fixed": Text(np.arange(ROWS), FixedTexts(fixed)),
        "formulas": Text(np.arange(ROWS), FixedTexts(np.array([b"=1", b"-x", b"a,b", b'"'] * (ROWS // 4)))),
        "=heading": rng.integers(0, 3, ROWS),
    }


def by_pandas(found):
    import pandas as pd

    frame = pd.DataFrame({name: for_pandas(data) for name, data in found.items()})
    return csv_cells(frame).to_csv(index=False).encode("utf-8", "backslashreplace")


@pytest.mark.parametrize("block", [7, ROWS, 1 << 13])
def test_blocks_are_the_bytes_of_pandas(monkeypatch, block):
    monkeypatch.setattr(csv_lines, "BLOCK", block)
    found = {name: data for name, data in columns().items() if name != "text"}
    assert b"".join(csv_lines.csv_blocks(found.items())) == by_pandas(found)


def test_texts_are_cells_as_pandas_writes_them():
    shown = {name: data for name, data in columns().items() if name in ("text", "int")}
    shown["text"] = Text(shown["text"].codes, [text for text in TEXTS if text.isprintable() or not text] + [""])
    assert b"".join(csv_lines.csv_blocks(shown.items())) == by_pandas(shown)


def test_an_empty_cell_of_a_single_column_is_a_row():
    found = {"text": Text(np.array([0, 1, 0]), ["", "a"])}
    assert b"".join(csv_lines.csv_blocks(found.items())) == by_pandas(found) == b'text\n""\na\n""\n'


def test_no_rows_are_the_headings():
    assert b"".join(csv_lines.csv_blocks([("a", np.zeros(0)), ("b", Text(np.zeros(0, dtype=int), []))])) == b"a,b\n"


def test_cells_are_the_values_of_the_frame(tmp_path):
    write(tmp_path / "a.h5", 10)
    with open_results(tmp_path / "a.h5") as results:
        rows = np.array([7, 2, 2])
        for chosen in (None, rows):
            frame = results.frame(rows=chosen)
            assert b"".join(csv_lines.csv_blocks(results.cells(rows=chosen).items())) == csv_cells(frame).to_csv(
                index=False
            ).encode("utf-8", "backslashreplace")


def test_blocks_of_a_frame_are_the_bytes_of_pandas():
    import pandas as pd

    found = {name: for_pandas(data) for name, data in columns().items()}
    frame = pd.DataFrame(found)
    frame["category"] = frame["text"].astype("category")
    frame["missing"] = frame["text"].astype(object).where(frame["bool"], None)
    frame["mixed"] = frame["int"].astype(object).where(frame["bool"], "text")
    frame["small"] = frame["float"].astype("float32")
    frame["when"] = pd.Timestamp("2026-01-01")
    with_others = [*frame.columns]
    plain = [name for name in with_others if name not in ("mixed", "small", "when")]
    for names in (plain, with_others, ["text"], ["int"], [], ["missing", "category"]):
        for part in (frame[names], frame[names].head(0)):
            expected = csv_cells(part).to_csv(index=False).encode("utf-8", "backslashreplace")
            assert b"".join(csv_blocks_of(part)) == expected, names
