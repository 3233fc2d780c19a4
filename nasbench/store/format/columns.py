"""One column in memory: numpy arrays for numbers, codes into categories for text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import printable_data
from nasbench.store.format.schema import Column, ColumnType

Numbers = NDArray[Any]
DTYPES: Final[dict[ColumnType, str]] = {"int": "<i8", "float": "<f8", "bool": "|b1"}


def is_ascii(raw: Numbers) -> bool:
    """Whether all bytes of an array of byte strings are ASCII, which is UTF-8 as it is.

    Args:
        raw: numpy type S, shape [texts].

    Returns:
        True if no byte is above 127.
    """
    return not len(raw) or int(np.ascontiguousarray(raw).view(np.uint8).max()) < 128


class FixedTexts(Sequence[str]):
    """Texts as HDF5 returns them, decoded on access.

    Args:
        raw: UTF-8 of fixed width, numpy type S, shape [texts].
    """

    def __init__(self, raw: Numbers) -> None:
        self.raw: Final = raw

    @classmethod
    def of(cls, values: Sequence[str], width: int) -> FixedTexts | None:
        """Encode texts with at most `width` bytes each.

        Args:
            values: texts.
            width: maximal number of bytes per text.

        Returns:
            The encoded texts; None if one is longer or numpy cannot hold it.
        """
        if isinstance(values, FixedTexts):
            return values
        try:
            encoded = [value.encode() for value in values]
        except UnicodeEncodeError:  # a lone surrogate
            return None
        if any(len(value) > width or b"\0" in value for value in encoded):
            return None
        return cls(np.array(encoded, dtype=f"S{width}"))

    @cached_property
    def _decoded(self) -> list[str]:
        return [value.decode() for value in self.raw.tolist()]

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return self._decoded[place]
        value: str = self.raw[place].decode()
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded)

    def __len__(self) -> int:
        return len(self.raw)

    def places(self, value: str) -> Numbers:
        """Find a text.

        Args:
            value: the text.

        Returns:
            Its positions, ints, shape [matches].
        """
        wanted = FixedTexts.of([value], max(1, self.raw.dtype.itemsize))
        return np.flatnonzero(self.raw == wanted.raw[0]) if wanted else np.zeros(0, dtype=np.int64)


def decoded_texts(values: Numbers, ends: Numbers | None, escaped: bool) -> list[str]:
    """Decode the texts of a dataset.

    Args:
        values: texts of fixed width, or the bytes of all texts end to end.
        ends: where each text ends in those bytes; None for texts of fixed width.
        escaped: whether they are written with JSON's escapes.

    Returns:
        The texts.

    Raises:
        ValueError: when a text is not UTF-8, its escapes are not JSON's, or the ends do not fit the bytes.
    """
    if ends is None:
        raw = values.tolist()
    else:
        borders = np.concatenate([np.zeros(1, dtype="<i8"), ends])
        if borders[-1] != len(values) or (np.diff(borders) < 0).any():
            raise ValueError(f"the ends of its texts do not rise to its {len(values)} bytes")
        data = values.tobytes()
        raw = [data[start:end] for start, end in pairwise(borders.tolist())]
    try:
        texts = [value.decode() for value in raw]
    except UnicodeDecodeError as error:
        raise ValueError(f"a text is not UTF-8: {error.reason}") from error
    if not escaped:
        return texts
    try:
        unescaped = [json.loads(f'"{text}"') for text in texts]
    except ValueError as error:
        raise ValueError("a text has escapes that are not JSON's") from error
    if not all(isinstance(text, str) for text in unescaped):
        raise ValueError("a text has escapes that are not JSON's")
    return unescaped


@dataclass(frozen=True)
class Text:
    """A column of str, shape [rows]: `categories[codes[i]]`. Categories may repeat and may be unused.

    Args:
        codes: non-negative ints, shape [rows].
        categories: the values that the codes stand for.
    """

    codes: Numbers
    categories: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, position: int) -> str:
        return self.categories[int(self.codes[position])]

    def objects(self) -> Numbers:
        """Convert to an array of str.

        Returns:
            The values, dtype object, shape [rows].
        """
        return np.array([*self.categories, ""], dtype=object)[self.codes]

    def equals(self, value: str) -> Numbers:
        """Compare each row with a text.

        Args:
            value: the text.

        Returns:
            Bools, shape [rows].
        """
        if isinstance(self.categories, FixedTexts):
            same = self.categories.places(value).tolist()
        else:
            same = [code for code, category in enumerate(self.categories) if category == value]
        return self.codes == same[0] if len(same) == 1 else np.isin(self.codes, same)

    def take(self, positions: Numbers) -> Text:
        """Select rows.

        Args:
            positions: ints, or bools with shape [rows].

        Returns:
            The selected rows, with the same categories.
        """
        return Text(self.codes[positions], self.categories)

    def compact(self) -> Text:
        """Remove unused and repeated categories; the others keep their order of first appearance.

        Returns:
            A column with the same values.
        """
        used = np.zeros(len(self.categories), dtype=bool)
        used[self.codes] = True
        places: dict[str, int] = {}
        renumbered = np.array(
            [
                places.setdefault(value, len(places)) if wanted else 0
                for value, wanted in zip(self.categories, used.tolist())
            ],
            dtype=np.int64,
        )
        return Text(renumbered[self.codes] if len(places) else self.codes, list(places))


Data = Numbers | Text


def column_of(column: Column, values: Sequence[Any]) -> Data:
    """Make a column from Python values of the column's type.

    Args:
        column: column of the schema.
        values: one value per row.

    Returns:
        The column, shape [rows].
    """
    if column.type == "str":
        return Text(np.arange(len(values), dtype=np.int64), list(values)).compact()
    return np.array(values, dtype=DTYPES[column.type])


def constant(column: Column, rows: int) -> Data:
    """Make a column that an earlier file lacks: every row has the value that stands for its absence.

    Args:
        column: column of the schema.
        rows: number of rows.

    Returns:
        The column, shape [rows].
    """
    if column.type == "str":
        return Text(np.zeros(rows, dtype=np.int64), [str(column.earlier)])
    return np.full(rows, column.earlier, dtype=DTYPES[column.type])


def take(data: Data, positions: Numbers) -> Data:
    """Select rows of a column.

    Args:
        data: the column, shape [rows].
        positions: ints, or bools with shape [rows].

    Returns:
        The selected rows.
    """
    return data.take(positions) if isinstance(data, Text) else data[positions]


def shown(data: Data) -> Data:
    """Write the characters of texts that would change a terminal, end a line or cannot be encoded as escapes.

    Args:
        data: a column, shape [rows].

    Returns:
        The column; see `errors.printable_data`. Numbers, and texts without such characters, are returned as they are.
    """
    if not isinstance(data, Text) or _is_plain(data.categories):
        return data
    return Text(data.codes, [printable_data(value) for value in data.categories])


def _is_plain(categories: Sequence[str]) -> bool:
    """Whether all texts are made of printable characters; for texts as bytes, of printable ASCII."""
    if not isinstance(categories, FixedTexts):
        return all(value.isprintable() for value in categories)
    stored = np.ascontiguousarray(categories.raw).view(np.uint8)
    if not stored.size or (stored.max() < 127 and stored.min() >= 32):
        return True
    return bool(stored.max() < 127) and np.count_nonzero(stored < 32) == np.count_nonzero(stored == 0)  # padding


def join_columns(parts: Iterable[Data]) -> Data:
    """Concatenate columns of one type.

    Args:
        parts: columns, at least one.

    Returns:
        One column with all rows, in order.
    """
    pieces = list(parts)
    texts = [piece for piece in pieces if isinstance(piece, Text)]
    if not texts:
        return np.concatenate([np.asarray(piece) for piece in pieces]) if len(pieces) > 1 else pieces[0]
    if len(texts) == 1:
        return texts[0]
    starts = np.cumsum([0] + [len(text.categories) for text in texts])
    codes = np.concatenate([text.codes.astype(np.int64) + start for text, start in zip(texts, starts)])
    return Text(codes, _join_texts([text.categories for text in texts]))


def _join_texts(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    """Join texts without decoding the packed ones, if the texts of the journal are no longer than those."""
    width = max((part.raw.dtype.itemsize for part in parts if isinstance(part, FixedTexts)), default=0)
    fixed = [FixedTexts.of(part, width) for part in parts] if width else []
    whole = [part.raw for part in fixed if part is not None]
    if width and len(whole) == len(parts):
        return FixedTexts(np.concatenate(whole))
    return [value for part in parts for value in part]


def gather(positions: Numbers, sizes: Sequence[int], read: Callable[[int, Numbers], Data]) -> Data:
    """Read some rows of several columns that are regarded as one column end to end.

    Args:
        positions: ints over all of them, in any order.
        sizes: number of rows per column.
        read: function that returns rows of one column, given the column's number and the positions in it.

    Returns:
        The rows in the order of `positions`.
    """
    starts = np.cumsum([0, *sizes])
    owner = np.searchsorted(starts, positions, side="right") - 1
    owners = np.unique(owner).tolist() or [0]
    places = [np.flatnonzero(owner == part) for part in owners]
    parts = [read(part, positions[here] - starts[part]) for part, here in zip(owners, places)]
    return parts[0] if len(parts) == 1 else take(join_columns(parts), np.argsort(np.concatenate(places)))
