"""Columns as an aligned table, a block of rows at a time: neither a data frame nor the whole text is in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nasbench.store.format.columns import Data, FixedTexts, Numbers, Text, is_ascii

BLOCK: Final = 1 << 12
WIDEST: Final = 60
_SPACE: Final = ord(" ")
_INT, _FLOAT, _FLOAT_WIDTH, _INT_WIDTH = "%20d", "%12.5g", 12, 20  # no number is wider


@dataclass(frozen=True)
class _Cells:
    """Cells of a column: characters as numbers, aligned to the right, shape [different, width]; row i is that of codes[i]."""

    heading: str
    characters: Numbers
    codes: Numbers | None

    @property
    def width(self) -> int:
        return max(len(self.heading), int(self.characters.shape[1]))

    def rows(self, block: slice) -> Numbers:
        return self.characters[block] if self.codes is None else np.take(self.characters, self.codes[block], axis=0)


def table_blocks(columns: Iterable[tuple[str, Data]]) -> Iterator[str]:
    """Write columns as pandas' `to_string(index=False)` writes them: cells to the right, numbers with five digits.

    Every cell is written once before the first line, because the widest decides on the width of its column: a byte per
    character and different cell. A column itself is not kept.

    Args:
        columns: headings and columns, all of one length; at least one of each. Texts are as `columns.shown` makes them.

    Yields:
        The headings' line, then blocks of lines.
    """
    count, cells = 0, []
    for heading, data in columns:
        count = len(data)
        cells.append(_text_cells(heading, data) if isinstance(data, Text) else _number_cells(heading, data))
    yield " ".join(each.heading.rjust(each.width) for each in cells) + "\n"
    ascii_only = all(each.characters.dtype.itemsize == 1 for each in cells)
    line = sum(each.width + 1 for each in cells)  # a space behind each, and in place of the last one a line break
    for start in range(0, count, BLOCK):
        rows = slice(start, min(start + BLOCK, count))
        block = np.full((rows.stop - start, line), _SPACE, dtype=np.uint8 if ascii_only else np.dtype("<u4"))
        at = 0
        for each in cells:
            block[:, at : at + each.characters.shape[1]] = each.rows(rows)
            at += each.width + 1
        block[:, -1] = ord("\n")
        yield block.tobytes().decode("ascii" if ascii_only else "utf-32-le")


def _number_cells(heading: str, values: Numbers) -> _Cells:
    """Make cells of numbers or of true and false; their headings begin with a space, as in pandas."""
    shown = f" {heading}"
    if values.dtype.kind == "b":
        return _aligned(shown, Text(values.astype(np.intp), ["False", "True"]))
    if 2 * len(np.unique(values[:BLOCK])) > min(len(values), BLOCK):
        return _Cells(shown, _trimmed(_written(values), shown), None)
    # by their bits: 0.0 and -0.0 are equal, and differ as texts
    bits, codes = np.unique(values.view(np.int64), return_inverse=True)
    return _Cells(shown, _trimmed(_written(bits.view(values.dtype)), shown), codes.astype(np.uint32))


def _written(values: Numbers) -> Numbers:
    """Write numbers as characters, in the width of the widest possible one, shape [numbers, width]."""
    form, width = (_FLOAT, _FLOAT_WIDTH) if values.dtype.kind == "f" else (_INT, _INT_WIDTH)
    characters = np.empty((len(values), width), dtype=np.uint8)
    for start in range(0, len(values), BLOCK):
        part = values[start : start + BLOCK]
        text = (form * len(part)) % tuple(part.tolist())
        characters[start : start + len(part)] = np.frombuffer(text.encode(), dtype=np.uint8).reshape(-1, width)
    if values.dtype.kind == "f":
        characters[np.isnan(values)] = np.frombuffer(b"NaN".rjust(width), dtype=np.uint8)
    return characters


def _trimmed(characters: Numbers, heading: str) -> Numbers:
    """Remove the spaces with which all cells begin; keep as many as the heading needs."""
    used = (characters != _SPACE).any(axis=0)
    width = max(len(used) - int(np.argmax(used)), min(len(heading), WIDEST))
    wider = np.full((len(characters), max(0, width - len(used))), _SPACE, dtype=np.uint8)
    return np.ascontiguousarray(np.hstack([wider, characters[:, -min(width, len(used)) :]]))


def _text_cells(heading: str, data: Text) -> _Cells:
    return _aligned(heading, data if len(data.codes) > len(data.categories) else _of_each_row(data))


def _of_each_row(data: Text) -> Text:
    """Make one category per row, for a column that has fewer rows than categories."""
    categories = data.categories
    if isinstance(categories, FixedTexts):
        return Text(np.arange(len(data)), FixedTexts(categories.raw[data.codes]))
    return Text(np.arange(len(data)), [categories[code] for code in data.codes.tolist()])


def _aligned(heading: str, data: Text) -> _Cells:
    """Make cells of texts. A text of more than 60 characters is cut, and ends in three dots."""
    used = np.zeros(len(data.categories), dtype=bool)
    used[data.codes] = True
    left, lengths = _characters(data.categories)
    width = min(WIDEST, max(int(lengths[used].max(initial=0)), len(heading)))
    aligned = np.full((len(left), width), _SPACE, dtype=left.dtype)
    for length in np.unique(lengths[used]).tolist():
        rows = np.flatnonzero((lengths == length) & used)
        if length > width:
            aligned[rows, : width - 3], aligned[rows, width - 3 :] = left[rows, : width - 3], ord(".")
        else:
            aligned[rows, width - length :] = left[rows, :length]
    return _Cells(heading, aligned, data.codes)


def _characters(texts: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Return the characters of texts, from the left, [texts, longest], and how many each text has."""
    if isinstance(texts, FixedTexts) and is_ascii(texts.raw):
        width = texts.raw.dtype.itemsize
        stored = np.ascontiguousarray(texts.raw).view(np.uint8).reshape(len(texts), width)
        return stored, np.char.str_len(texts.raw)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    width = max(1, min(WIDEST, int(lengths.max(initial=0))))
    wide = np.array([text[:width] for text in texts], dtype=f"<U{width}").view("<u4").reshape(len(texts), width)
    return (wide.astype(np.uint8) if (wide < 128).all() else wide), lengths
