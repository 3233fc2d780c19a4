"""Read the sound parts of a damaged HDF5 results file, chunk by chunk.

Values whose checksum does not fit are never used.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import h5py
import numpy as np

from nasbench.store.errors import CorruptResults
from nasbench.store.format.chunks import read_chunk
from nasbench.store.format.columns import DTYPES, Data, Numbers, Text, constant
from nasbench.store.format.form import fault_of_dataset, fault_of_links
from nasbench.store.format.hdf5 import PackedFile, attributes_of, checksum_of, text_in
from nasbench.store.format.manifest import FORMAT, TABLES, Encoding, Entry, Table
from nasbench.store.format.schema import CURVES, SCHEMA_VERSION, Column

_COLUMNS: Final = {f"{table}/{column.name}": column for table, columns in TABLES.items() for column in columns}


@dataclass
class Recovered:
    """Data recovered from a damaged file.

    Args:
        file: id of the results file, '' if it is lost.
        last_sequence: number of its last journal record, 0 if it is lost.
        schema: version of its schema; if that is lost, this version's.
        has_journal: whether it says that rows were stored in a journal beside it.
        columns: table -> name -> column; a lost value is replaced by a filler.
        lost: table -> name -> whether each value is lost, bools, shape [rows].
        curves: name -> the epochs of all children end to end, NaN for lost values.
        lost_epochs: name -> whether each value of the curve is lost, bools, shape [epochs].
        lengths: number of epochs per child, shape [children].
        remarks: descriptions of parts that are lost completely.
    """

    file: str = ""
    last_sequence: int = 0
    schema: int = SCHEMA_VERSION
    has_journal: bool = False
    columns: dict[Table, dict[str, Data]] = field(default_factory=lambda: {table: {} for table in TABLES})
    lost: dict[Table, dict[str, Numbers]] = field(default_factory=lambda: {table: {} for table in TABLES})
    curves: dict[str, Numbers] = field(default_factory=dict)
    lost_epochs: dict[str, Numbers] = field(default_factory=dict)
    lengths: Numbers = field(default_factory=lambda: np.zeros(0, dtype="<i8"))
    remarks: list[str] = field(default_factory=list)


def recover_packed(path: Path) -> Recovered | None:
    """Read the sound parts of an HDF5 results file.

    Args:
        path: the HDF5 file; it is not changed.

    Returns:
        The recovered data, or None if HDF5 cannot open the file at all.

    Raises:
        NewerSchema: when a later version wrote it.
        CorruptResults: when it is another kind of HDF5 file.
    """
    recovered = Recovered()
    entries: Mapping[str, Entry] | None = None
    rows: dict[Table, int] = {}
    try:
        packed = PackedFile(path)
        recovered.file, recovered.last_sequence = packed.manifest.file, packed.manifest.last_sequence
        recovered.has_journal, recovered.schema = packed.has_journal, packed.manifest.schema
        entries, rows = packed.manifest.datasets, {table: packed.manifest.rows(table) for table in TABLES}
        packed.close()
    except CorruptResults:
        recovered.remarks.append("the table of contents; each dataset's own checksum is used instead")
    try:
        file = h5py.File(path, "r", locking=False)
    except Exception:  # HDF5 reports damage by various errors; the caller reports that all of it is lost
        return None
    with file:
        _require_ours(path, file)
        _Reader(file, entries, recovered).read(rows)
    return recovered


def _require_ours(path: Path, file: Any) -> None:
    """Refuse a foreign file.

    A file whose attributes are unreadable is accepted if it has the groups of a results file.
    """
    try:
        ours = text_in(attributes_of(file), "format") == FORMAT  # a stranger may have put an array there
    except Exception:  # as above
        ours = True
    if not ours and "children" not in file:
        raise CorruptResults(f"{path} is an HDF5 file, but not a results file of nasbench")


class _Reader:
    def __init__(self, file: Any, entries: Mapping[str, Entry] | None, recovered: Recovered) -> None:
        self._file, self._entries, self._recovered = file, entries, recovered

    def read(self, rows: dict[Table, int]) -> None:
        for table, columns in TABLES.items():
            found = {column.name: self._column(table, column) for column in columns}
            number = rows.get(table, _usual([len(data) for data, _ in found.values()]))
            for column in columns:
                data, lost = found[column.name]
                if column.since > self._recovered.schema:
                    data, lost = constant(column, number), np.zeros(number, dtype=bool)
                if len(data) != number:  # also if nothing of it could be read
                    data, lost = filler(column, number), np.ones(number, dtype=bool)
                self._recovered.columns[table][column.name], self._recovered.lost[table][column.name] = data, lost
        self._curves(len(self._recovered.columns["children"]["run"]))

    def _column(self, table: Table, column: Column) -> tuple[Data, Numbers]:
        path = f"{table}/{column.name}"
        entry = self._entry(path)
        if entry is None:
            return filler(column, 0), np.zeros(0, dtype=bool)
        if column.type != "str":
            return self._numbers(path, entry)
        if entry.encoding == "codes":
            return self._codes(path, entry)
        return self._strings(path, entry)

    def _codes(self, path: str, entry: Entry) -> tuple[Data, Numbers]:
        codes, lost = self._numbers(path, entry)
        categories = f"categories/{path}"
        values = self._entry(categories)
        if values is None:
            return filler_text(len(codes)), np.ones(len(codes), dtype=bool)
        text, unknown = self._strings(categories, values)
        missing = np.append(unknown, True)  # the code of a lost value is that of the filler, the last category
        safe = np.where(lost | (codes >= len(text)), len(text), codes).astype(np.int64)
        return Text(safe, [*text.objects().tolist(), ""]), missing[safe]

    def _strings(self, path: str, entry: Entry) -> tuple[Text, Numbers]:
        values, lost = self._numbers(path, entry)
        if not entry.encoding.startswith("bytes"):
            found = [b"" if gone else value for value, gone in zip(values.tolist(), lost.tolist())]
        else:
            where = self._entry(f"ends/{path}")
            ends, unknown = self._numbers(f"ends/{path}", where) if where else (np.zeros(0, dtype="<i8"), lost[:0])
            if unknown.any() or lost.any():
                return filler_text(len(ends)), np.ones(len(ends), dtype=bool)
            data = values.tobytes()
            found = [data[start:end] for start, end in pairwise([0, *ends.tolist()])]
            lost = np.zeros(len(found), dtype=bool)
        texts = [_decoded(value, entry.encoding.endswith("escaped")) for value in found]
        lost = lost | np.array([text is None for text in texts], dtype=bool)
        return Text(np.arange(len(texts), dtype=np.int64), [text or "" for text in texts]), lost

    def _curves(self, children: int) -> None:
        recovered = self._recovered
        for curve in CURVES:
            entry = self._entry(f"curves/{curve.name}")
            empty = np.zeros(0, dtype="<f8"), np.zeros(0, dtype=bool)
            values, lost = self._numbers(f"curves/{curve.name}", entry) if entry else empty
            recovered.curves[curve.name] = np.where(lost, np.nan, values)
            recovered.lost_epochs[curve.name] = lost
        epochs = _usual([len(values) for values in recovered.curves.values()])
        recovered.lengths = self._lengths(children, epochs)
        if recovered.lengths.sum() != epochs:
            recovered.remarks.append(f"all curves ({epochs} epochs): which child each epoch belongs to")
            recovered.lengths, epochs = np.zeros(children, dtype="<i8"), 0
        for name, values in recovered.curves.items():
            if len(values) != epochs:
                recovered.curves[name] = np.full(epochs, np.nan)
                recovered.lost_epochs[name] = np.ones(epochs, dtype=bool)

    def _lengths(self, children: int, epochs: int) -> Numbers:
        """Number of epochs per child: from the offsets, or else from the column `epochs` if its sum fits."""
        entry = self._entry("curves/offsets")
        if entry is not None:
            offsets, lost = self._numbers("curves/offsets", entry)
            if len(offsets) == children + 1 and not lost.any() and (np.diff(offsets) >= 0).all():
                return np.diff(offsets)
        counted = cast("Numbers", self._recovered.columns["children"]["epochs"])
        if not self._recovered.lost["children"]["epochs"].any() and int(np.sum(counted)) == epochs:
            return counted
        return np.zeros(children, dtype="<i8")

    def _entry(self, path: str) -> Entry | None:
        """Read checksum and encoding of a dataset from the manifest, or else from the dataset's attributes."""
        if self._entries is not None:
            return self._entries.get(path)
        try:
            if fault_of_links(self._file, path):
                return None
            attributes = attributes_of(self._file[path])
        except Exception:  # HDF5 reports damage by various errors; an unreadable part is lost
            return None
        if "checksum" not in attributes:
            return None
        kind = self._file[path].dtype
        escaped = " escaped" if "escaped" in attributes else ""
        if "categories" in attributes:
            encoding = "codes"
        elif "ends" in attributes:
            encoding = f"bytes{escaped}"
        else:
            encoding = f"fixed{escaped}" if kind.kind == "S" else "numbers"
        return Entry(str(attributes["checksum"]), cast("Encoding", encoding))

    def _numbers(self, path: str, entry: Entry) -> tuple[Numbers, Numbers]:
        """Read a dataset's values and which of them are lost: those in chunks whose HDF5 checksum does not fit."""
        try:
            why, dataset, _ = fault_of_dataset(self._file, path, entry.encoding, _COLUMNS.get(path))
            if dataset is None:
                self._recovered.remarks.append(f"dataset {path!r} ({why})")
                return np.zeros(0, dtype="<i8"), np.zeros(0, dtype=bool)
            values = np.zeros(dataset.length, dataset.dtype)
            rows = dataset.rows or max(1, len(values))
        except Exception:  # as above
            return np.zeros(0, dtype="<i8"), np.zeros(0, dtype=bool)
        lost = np.zeros(len(values), dtype=bool)
        for start in range(0, len(values), rows):
            try:
                values[start : start + rows] = read_chunk(dataset, start) if dataset.filters else dataset.whole()
            except Exception:  # as above
                lost[start : start + rows] = True
        if not lost.any() and checksum_of(values) != entry.checksum:
            # every chunk is readable, but the checksum of the whole does not fit, and the damaged part is unknown
            lost[:] = True
        return values, lost


def _decoded(value: bytes, escaped: bool) -> str | None:
    """Decode one text; None if that is impossible, which a checksum that fits does not exclude."""
    try:
        text = value.decode()
        unescaped = json.loads(f'"{text}"') if escaped else text
    except ValueError:
        return None
    return unescaped if isinstance(unescaped, str) else None


def filler(column: Column, rows: int) -> Data:
    """Make a column of filler values that mean "unknown": NaN, '', -1 or False.

    Args:
        column: column of the schema.
        rows: number of rows.

    Returns:
        The column, shape [rows].
    """
    if column.type == "str":
        return filler_text(rows)
    blank = {"int": -1, "float": np.nan, "bool": False}[column.type]
    return np.full(rows, blank, dtype=DTYPES[column.type])


def filler_text(rows: int) -> Text:
    """Make a text column of ''.

    Args:
        rows: number of rows.

    Returns:
        The column, shape [rows].
    """
    return Text(np.zeros(rows, dtype=np.int64), [""])


def _usual(lengths: list[int]) -> int:
    """Most frequent length. All sound datasets of one table have the same length."""
    return Counter(lengths).most_common(1)[0][0] if lengths else 0
