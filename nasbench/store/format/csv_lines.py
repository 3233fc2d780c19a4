"""Columns as lines of CSV, a block of rows at a time: neither a data frame nor the whole text is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from nasbench.store.format.columns import Data, FixedTexts, Numbers, Text
from nasbench.texts import csv_cell, number_writer

BLOCK: Final = 1 << 13
_PLAIN: Final = np.array([byte >= 32 and chr(byte) not in ",\"'=+-@" for byte in range(127)] + [False] * 129)


def csv_blocks(columns: Iterable[tuple[str, Data]]) -> Iterator[bytes]:
    """Write columns as pandas' `to_csv` writes them, in UTF-8: shortest digits of floats, nothing for NaN.

    Args:
        columns: headings and columns, all of one length; at least one.

    Yields:
        The headings' line, then blocks of lines.
    """
    headings, parts = zip(*columns)
    yield (",".join(map(csv_cell, headings)) + "\n").encode("utf-8", "backslashreplace")
    writers = [_writer(data) for data in parts]
    alone = len(writers) == 1  # an empty line would be no row
    for start in range(0, len(parts[0]), BLOCK):
        block = slice(start, start + BLOCK)
        cells = [write(block) for write in writers]
        lines = [cell or '""' for cell in cells[0]] if alone else map(",".join, zip(*cells))
        yield ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _writer(data: Data) -> Callable[[slice], list[str]]:
    """Make a function that writes some rows of a column."""
    if isinstance(data, Text):
        return _text_writer(data)
    return number_writer(data)


def _text_writer(data: Text) -> Callable[[slice], list[str]]:
    codes, categories = data.codes, data.categories
    if isinstance(categories, FixedTexts) and 2 * len(categories) > len(codes) and _all_plain(categories.raw):
        raw = categories.raw
        return lambda block: raw[codes[block]].astype(str).tolist()
    cells: Numbers = np.array([csv_cell(text) for text in categories], dtype=object)
    return lambda block: cells[codes[block]].tolist()


def _all_plain(raw: Numbers) -> bool:
    """Whether texts are their cells: no quotes, no commas, and no beginning of a formula."""
    stored = np.ascontiguousarray(raw).view(np.uint8).reshape(len(raw), -1)
    inner = _PLAIN[stored] | (stored == 0) | (stored == ord("-")) | (stored == ord("+")) | (stored == ord("="))
    return bool(inner.all() and (_PLAIN[stored[:, :1]] | (stored[:, :1] == 0)).all())
