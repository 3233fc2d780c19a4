"""One column in memory: numpy arrays for numbers, codes into categories for text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nasbench.store.schema import Column, ColumnType

Numbers = NDArray[Any]
DTYPES: Final[dict[ColumnType, str]] = {"int": "<i8", "float": "<f8", "bool": "|b1"}


@dataclass(frozen=True)
class Text:
    """A column of str, shape [rows]: `categories[codes[i]]`. Categories may repeat and may be unused.

    Args:
        codes: non-negative ints, shape [rows].
        categories: the values that the codes stand for.
    """

    codes: Numbers
    categories: list[str]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, position: int) -> str:
        return self.categories[int(self.codes[position])]

    def objects(self) -> Numbers:
        """The values as an object array of str, shape [rows]."""
        return np.array([*self.categories, ""], dtype=object)[self.codes]

    def equals(self, value: str) -> Numbers:
        """Where the column has `value`: bools, shape [rows]."""
        same = [code for code, category in enumerate(self.categories) if category == value]
        return np.isin(self.codes, same)

    def take(self, positions: Numbers) -> Text:
        """The rows at `positions`, or where a bool mask is true."""
        return Text(self.codes[positions], self.categories)

    def compact(self) -> Text:
        """The same column with each category once, in order of first appearance among the categories."""
        places: dict[str, int] = {}
        renumbered = np.array([places.setdefault(value, len(places)) for value in self.categories], dtype=np.int64)
        return Text(renumbered[self.codes] if len(places) else self.codes, list(places))


Data = Numbers | Text


def column_of(column: Column, values: Sequence[Any]) -> Data:
    """Make a column from Python values of the column's type."""
    if column.type == "str":
        return Text(np.arange(len(values), dtype=np.int64), list(values)).compact()
    return np.array(values, dtype=DTYPES[column.type])


def join_columns(parts: Iterable[Data]) -> Data:
    """Put columns of one type end to end; at least one is needed."""
    pieces = list(parts)
    texts = [piece for piece in pieces if isinstance(piece, Text)]
    if not texts:
        return np.concatenate([np.asarray(piece) for piece in pieces]) if len(pieces) > 1 else pieces[0]
    if len(texts) == 1:
        return texts[0]
    starts = np.cumsum([0] + [len(text.categories) for text in texts])
    codes = np.concatenate([text.codes.astype(np.int64) + start for text, start in zip(texts, starts)])
    return Text(codes, [value for text in texts for value in text.categories])
