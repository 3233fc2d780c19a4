"""Tables in blocks: the characters of pandas' writer, without a frame."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.store.format import table_lines
from nasbench.store.format.columns import FixedTexts, Text
from nasbench.store.format.frames import for_pandas

ROWS = 25
TEXTS = ["", "a", "é" * 59, "x" * 60, "y" * 61, "z" * 200, "日本", "two words"]
FIXED = np.array([b"q" * (7 * place % 71) for place in range(100)])
UNUSED = Text(np.zeros(ROWS, dtype=int), ["short", "a longer one that no row has"])


def columns():
    rng = np.random.default_rng(0)
    return {
        "float": np.where(rng.random(ROWS) < 0.3, np.nan, rng.normal(size=ROWS) * 10.0 ** rng.integers(-12, 12, ROWS)),
        "repeated": np.where(rng.random(ROWS) < 0.3, np.nan, np.round(rng.normal(size=ROWS))) * 0.0,  # 0, -0 and NaN
        "odd": np.resize([np.inf, -np.inf, 1e300, -1.2345678e-300, 1e5, 99999.5, 0.1], ROWS),
        "int": rng.integers(-(2**63), 2**63 - 1, ROWS),
        "few": rng.integers(0, 3, ROWS),
        "bool": rng.random(ROWS) < 0.5,
        "text": Text(rng.integers(0, len(TEXTS), ROWS), TEXTS),
        "fixed": Text(rng.integers(0, 3, ROWS), FixedTexts(np.array([b"a", b"bcd", b"z" * 61]))),
        "many fixed": Text(rng.integers(0, len(FIXED), ROWS), FixedTexts(FIXED)),
        "unused": UNUSED,
        "h" * 61: rng.integers(0, 3, ROWS),
        "i" * 75: rng.normal(size=ROWS),
        "j" * 60: rng.normal(size=ROWS),
        "last" * 20: UNUSED,
    }


def by_pandas(found):
    frame = pd.DataFrame({place: for_pandas(data) for place, (_, data) in enumerate(found)})
    frame.columns = [name for name, _ in found]
    return frame.to_string(index=False, float_format=lambda value: f"{value:.5g}", max_colwidth=60) + "\n"


@pytest.mark.parametrize("block", [1, 7, 1 << 12])
def test_blocks_are_the_characters_of_pandas(monkeypatch, block):
    monkeypatch.setattr(table_lines, "BLOCK", block)
    found = [*columns().items()]
    assert "".join(table_lines.table_blocks(found)) == by_pandas(found)
    plain = [(name, data) for name, data in found if name not in ("text", "int")]  # ASCII alone
    assert "".join(table_lines.table_blocks(plain)) == by_pandas(plain)


@pytest.mark.parametrize("name", columns())
def test_a_column_alone_is_as_wide_as_in_pandas(name):
    found = [(name, columns()[name])]
    assert "".join(table_lines.table_blocks(found)) == by_pandas(found)


def test_a_column_is_not_read_before_the_one_in_front_of_it_is_written():
    """Beside the cells there is only one column in memory at a time."""
    asked = []

    def read():
        for number in range(3):
            asked.append(number)
            yield str(number), np.zeros(2)

    made = table_lines._number_cells
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_lines, "_number_cells", lambda *given: (asked.append("cells"), made(*given))[1])
        "".join(table_lines.table_blocks(read()))
    assert asked == [0, "cells", 1, "cells", 2, "cells"]


def test_a_block_has_few_rows(monkeypatch):
    monkeypatch.setattr(table_lines, "BLOCK", 10)
    blocks = [*table_lines.table_blocks([("a", np.arange(25))])]
    assert [block.count("\n") for block in blocks] == [1, 10, 10, 5]
