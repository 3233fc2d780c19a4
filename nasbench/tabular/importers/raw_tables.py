"""Tables as people have them, CSV and parquet, read into columns of cells as they are in the file."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from nasbench.errors import InputError, MissingExtra, UnknownName
from nasbench.texts import text_of_csv

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
_NAMED_SEPARATORS: Final = {name: char for char, name in SEPARATORS.items()}
_DETECTED_SEPARATORS: Final = (",", ";", "\t")
_GZIP: Final = b"\x1f\x8b"
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED_BYTES: Final = 32 << 20
_BLOCK: Final = 1 << 20
_LARGEST_RATIO: Final = 100  # tables become 3 to 50 times smaller; files made to do harm, 1,000 times
_LONGEST_CELL: Final = 1 << 24  # characters; curves of thousands of epochs are longer than Python's limit


@dataclass(frozen=True)
class RawTable:
    """The cells of a table.

    Args:
        path: the file.
        names: headings, in their order; a heading may occur twice.
        columns: one list of cells per heading. Cells of CSV are texts; those of parquet are Python's values, None for a
            missing one.
        separator: character between the cells; "" for parquet.
        remarks: what was detected and not stated, one sentence each.
        broken: row, from 0 -> why its cells cannot be told apart; its cells are empty.
    """

    path: str
    names: Sequence[str]
    columns: Sequence[Sequence[Any]]
    separator: str = ""
    remarks: Sequence[str] = ()
    broken: dict[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0]) if self.columns else 0

    def column(self, name: str) -> Sequence[Any]:
        """Return a column.

        Args:
            name: its heading, or heading#N for the N-th column of this heading, from 1.

        Returns:
            Its cells.

        Raises:
            UnknownName: when there is no such column.
            InputError: when several columns with different cells have this heading.
        """
        places = [place for place, known in enumerate(self.names) if known == name]
        if len(places) > 1 and any(self.columns[place] != self.columns[places[0]] for place in places):
            which = " or ".join(f"{name}#{number}" for number in range(1, len(places) + 1))
            raise InputError(f"{self.path}: {len(places)} columns are called {name!r}: name one of them by {which}")
        if places:
            return self.columns[places[0]]
        base, mark, number = name.rpartition("#")
        places = [place for place, known in enumerate(self.names) if known == base]
        if mark and number.isdecimal() and 1 <= int(number) <= len(places):
            return self.columns[places[int(number) - 1]]
        raise UnknownName(f"column of {self.path}", name, dict.fromkeys(self.names))


def read_csv(path: str, separator: str | None, encoding: str | None, wanted: Sequence[str]) -> RawTable:
    """Read a table of text: CSV with any separator and encoding, plain or compressed by gzip.

    Args:
        path: the file.
        separator: character between the cells, or its name in `SEPARATORS`; None to detect comma, semicolon or tab: the
            one by which the headings have the wanted columns.
        encoding: encoding of the text, e.g. "utf-16"; None to detect UTF-8 and UTF-16, and to take anything else for
            Windows-1252.
        wanted: headings that the table should have.

    Returns:
        The table, without rows that are empty. Apostrophes that protect formulas in this suite's own CSV are removed.

    Raises:
        InputError: when the text cannot be decoded or has no headings, or the encoding is unknown.
    """
    text, remarks = read_text(path, encoding)
    char = _separator(path, text, separator, wanted)
    if separator is None and char != ",":
        remarks.append(f"the cells are separated by {SEPARATORS[char]} (--separator states another)")
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=char))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    finally:
        csv.field_size_limit(before)
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if not lines:
        raise InputError(f"{path} has no headings; its first line should name the columns")
    names = [text_of_csv(name.strip()) for name in lines[0]]
    rows, broken = [], {}
    for number, line in enumerate(lines[1:]):
        if len(line) != len(names):
            broken[number] = f"it has {len(line)} cells, but there are {len(names)} headings"
            line = [""] * len(names)
        rows.append([text_of_csv(cell) for cell in line])
    columns = [list(cells) for cells in zip(*rows)] if rows else [[] for _ in names]
    return RawTable(path, names, columns, char, remarks, broken)


def read_text(path: str, encoding: str | None) -> tuple[str, list[str]]:
    """Read the text of a file, plain or compressed by gzip.

    Args:
        path: the file.
        encoding: see `read_csv`.

    Returns:
        The text, and what was detected and not stated, one sentence each.

    Raises:
        InputError: when it cannot be read or decoded.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read()
        if raw.startswith(_GZIP):
            raw = _unpacked(path, raw)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    named = encoding or _encoding(raw)
    try:
        return raw.decode(named), [] if encoding or named != "utf-16" else ["the text is UTF-16"]
    except LookupError:
        raise InputError(f"--encoding {named!r} is unknown; e.g. utf-8, utf-16, latin-1, cp1252, gbk") from None
    except UnicodeError as error:
        if encoding or named != "utf-8":
            raise InputError(
                f"{path} cannot be read as {named}: {error}; another encoding: --encoding, e.g. utf-8, utf-16 or latin-1"
            ) from None
    said = "the text is not UTF-8 and was read as Windows-1252 (--encoding states another)"
    try:
        return raw.decode("cp1252"), [said]
    except UnicodeError:  # five bytes mean nothing in it
        return raw.decode("latin-1"), [said.replace("Windows-1252", "Latin-1")]


def _unpacked(path: str, packed: bytes) -> bytes:
    """Decompress gzip, and refuse what was made to fill the memory."""
    most = max(_PACKED_BYTES, _LARGEST_RATIO * len(packed))
    size = 0
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        while block := file.read(_BLOCK):
            size += len(block)
            if size > most:
                raise InputError(
                    f"{path}: {len(packed):,} bytes of gzip become more than {most:,}, as no table does; if it is one "
                    "all the same, unpack it with gunzip first"
                )
    return gzip.decompress(packed)


def _encoding(raw: bytes) -> str:
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return name
    start = raw[:1000]
    if start.count(0) > len(start) // 4:  # UTF-16 without a mark: every other byte of ASCII is 0
        return "utf-16-be" if start[:1] == b"\0" else "utf-16-le"
    return "utf-8"


def _separator(path: str, text: str, separator: str | None, wanted: Sequence[str]) -> str:
    if separator is not None:
        char = _NAMED_SEPARATORS.get(separator, "\t" if separator == "\\t" else separator)
        if len(char) != 1 or char in '"\r\n':
            raise InputError(f"--separator is one character, or {', '.join(_NAMED_SEPARATORS)}; got {separator!r}")
        return char
    first = next((line for line in text.splitlines() if line.strip()), "")
    headings = {char: [name.strip() for name in _cells(first, char)] for char in _DETECTED_SEPARATORS}
    lacking = {
        char: sum(name.rpartition("#")[0] not in there and name not in there for name in wanted)
        for char, there in headings.items()
    }
    # Of separators that fit equally, the first: commas inside texts are common, semicolons and tabs are not.
    return min(_DETECTED_SEPARATORS, key=lambda char: (lacking[char], -len(headings[char])))


def _cells(line: str, char: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=char), [])
    except csv.Error:
        return []


def read_parquet(path: str) -> RawTable:
    """Read a parquet table.

    Args:
        path: the file.

    Returns:
        The table; nulls of every type are None.

    Raises:
        MissingExtra: when pyarrow is not installed.
        InputError: when the file is no parquet.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        columns = [column.to_pylist() for column in table.columns]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as parquet: {' '.join(str(error).split())}") from None
    return RawTable(path, table.column_names, columns)
