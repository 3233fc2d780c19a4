"""The form that each dataset of a packed results file must have. It is checked before the dataset is read for the first time.

A results file may come from a stranger. HDF5 can do much that our columns never need: links into other files, external
storage, virtual datasets, references, compound types, filters that are loaded as programs, and compressed data that is
a thousand times larger than the file. A file that uses any of these was not written by this suite.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

import h5py

from nasbench.store.format.chunks import PIPELINES, StoredDataset
from nasbench.store.format.schema import CURVES, Column

MAX_RATIO: Final = 1040
"""Largest ratio of values to stored bytes: zlib's is 1032, and small datasets have a fixed overhead."""
MAX_TEXT_BYTES: Final = 1 << 20
"""Widest text of fixed width, in bytes. `packing` stores longer texts as their bytes end to end."""
MAX_CHUNK_BYTES: Final = 1 << 24
_SMALL_BYTES: Final = 1 << 12
_NUMBERS: Final = {"int": "<i8", "float": "<f8", "bool": "|b1"}
_CODES: Final = ("|u1", "<u2", "<u4", "<u8")
_TEXT_ENCODINGS: Final = ("codes", "fixed", "fixed escaped", "bytes", "bytes escaped")
_LINKS: Final = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "a link to another file"}
_CLASSES: Final = {
    h5py.h5t.INTEGER: "integers",
    h5py.h5t.FLOAT: "floats",
    h5py.h5t.ENUM: "values of an enumeration",
    h5py.h5t.COMPOUND: "values of a compound type",
    h5py.h5t.REFERENCE: "references",
    h5py.h5t.VLEN: "values of variable length",
    h5py.h5t.ARRAY: "arrays",
    h5py.h5t.OPAQUE: "opaque bytes",
    h5py.h5t.BITFIELD: "bit fields",
    h5py.h5t.TIME: "times",
}


class Form:
    """Compares the form of an open file with its manifest and the schema. It reads no value.

    Args:
        file: h5py file, open for reading.
        encodings: path of each dataset in the manifest -> its encoding.
        rows: number of rows of each table, from the manifest.
        tables: columns of each table.
        size: bytes of the file.
    """

    def __init__(
        self,
        file: Any,
        encodings: Mapping[str, str],
        rows: Mapping[str, int],
        tables: Mapping[str, tuple[Column, ...]],
        size: int,
    ) -> None:
        self._file, self._encodings, self._rows, self._size = file, encodings, rows, size
        self._columns = {f"{table}/{column.name}": column for table, found in tables.items() for column in found}
        self._found: dict[str, tuple[str, int]] = {}
        self._datasets: dict[str, StoredDataset] = {}
        self._groups: dict[str, Any] = {}
        self._stored = 0
        self._looking = (
            threading.RLock()
        )  # again while it is held: a look compares lengths with those of other datasets

    def fault_of_rows(self) -> str:
        """Return why the manifest cannot be true of a file of this size; "" if it can.

        Returns:
            The reason.
        """
        for table, rows in self._rows.items():
            columns = [column for path, column in self._columns.items() if path.startswith(f"{table}/")]
            width = sum(8 if column.type in ("int", "float") else 1 for column in columns)
            if rows * width > MAX_RATIO * self._size:
                return f"it claims {rows} rows of {table} in a file of {self._size} bytes"
        return ""

    def fault(self, path: str) -> str:
        """Return why a dataset cannot be read; "" if it can. Each dataset is looked at once.

        Searches that are resumed at the same time read one open file from several threads; one looks, the others wait.

        Args:
            path: path of a dataset in the manifest.

        Returns:
            The reason.
        """
        with self._looking:
            if path not in self._found:
                self._found[path] = ("", 0)  # lengths may be compared with this dataset's own
                self._found[path] = self._look(path)
            return self._found[path][0]

    def dataset(self, path: str) -> StoredDataset:
        """Return a dataset in which `fault` found none.

        Args:
            path: path of a dataset in the manifest.

        Returns:
            The dataset, open for reading.
        """
        return self._datasets[path]

    def strangers(self) -> Iterator[tuple[str, str]]:
        """Find what is in the file although no results file has it.

        Yields:
            Path, and what it is.
        """
        groups = {
            "/".join(steps[:place])
            for path in self._encodings
            for steps in [path.split("/")]
            for place in range(1, len(steps))
        }
        for owner in ["", *sorted(groups)]:
            place = self._file.id if not owner else h5py.h5o.open(self._file.id, owner.encode())
            if not isinstance(place, h5py.h5g.GroupID | h5py.h5f.FileID):
                continue
            for name in [name.decode(errors="replace") for name in (place if owner else h5py.h5g.open(place, b"/"))]:
                path = f"{owner}/{name}" if owner else name
                if path not in self._encodings and path not in groups:
                    yield path, fault_of_links(self._file, path) or "it is not in the manifest"

    def _length(self, path: str) -> int:
        """Length of a dataset, -1 if it is at fault or missing."""
        return -1 if path not in self._encodings or self.fault(path) else self._found[path][1]

    def _look(self, path: str) -> tuple[str, int]:
        """Return why a dataset cannot be a column ("" if it can), and its length."""
        encoding = self._encodings[path]
        why, found, used = fault_of_dataset(self._file, path, encoding, self._columns.get(path), self._groups)
        if found is None:
            return why, 0
        length, self._datasets[path] = found.length, found
        self._stored += used
        if self._stored > self._size:
            return f"it and others claim {self._stored} stored bytes in a file of {self._size}", length
        self._found[path] = ("", length)
        return self._fault_of_length(path, encoding, length), length

    def _fault_of_length(self, path: str, encoding: str, length: int) -> str:
        """Compare a dataset's length with the manifest and with the datasets that belong to it."""
        group, _, name = path.partition("/")
        expected = self._rows.get(group)
        if encoding.startswith("bytes"):
            expected = None  # ends/PATH has the lengths of its texts
            if f"ends/{path}" not in self._encodings:
                return f"'ends/{path}' is missing"
        if encoding == "codes" and f"categories/{path}" not in self._encodings:
            return f"'categories/{path}' is missing"
        if path == "curves/offsets":
            expected = self._rows.get("children", -2) + 1
        elif group == "curves":
            first = next(each for curve in CURVES if (each := f"curves/{curve.name}") in self._encodings)
            expected = self._length(first) if first != path else None
        elif group == "ends":
            expected = self._rows.get(name.partition("/")[0])  # None for the ends of categories
        if expected is not None and expected >= 0 and length != expected:
            return f"it has {length} values where {expected} are expected"
        return ""


def fault_of_dataset(
    file: Any, path: str, encoding: str, column: Column | None, groups: dict[str, Any] | None = None
) -> tuple[str, StoredDataset | None, int]:
    """Look at one dataset by itself.

    Args:
        file: h5py file, open for reading.
        path: path of the dataset.
        encoding: form in which the manifest says that its values are stored.
        column: the column that it holds; None if it holds categories, ends or a curve.
        groups: see `fault_of_links`.

    Returns:
        Why it cannot be read ("" if it can), the dataset (None if it cannot be read), and its stored bytes.
    """
    if why := fault_of_links(file, path, groups):
        return why, None, 0
    found = h5py.h5o.open(file.id, path.encode())
    if not isinstance(found, h5py.h5d.DatasetID):
        return "it is no dataset", None, 0
    space = found.get_space()
    if space.get_simple_extent_type() != h5py.h5s.SIMPLE or space.get_simple_extent_ndims() != 1:
        return f"it has the shape {found.shape}, not one dimension", None, 0
    stored, length, used = found.get_type(), int(found.shape[0]), int(found.get_storage_size())
    why = _fault_of_storage(found, length, stored.get_size()) or _fault_of_type(found, stored, path, encoding, column)
    if why:
        return why, None, 0
    values = length * stored.get_size()
    if values > max(MAX_RATIO * used, _SMALL_BYTES if used else 0):
        return f"it claims {values} bytes of values in {used} stored bytes", None, used
    return "", StoredDataset(found), used


def fault_of_links(file: Any, path: str, groups: dict[str, Any] | None = None) -> str:
    """Return why a path leads elsewhere or nowhere; "" if every step is a group or dataset of this file.

    Args:
        file: h5py file, open for reading.
        path: path of a dataset.
        groups: groups of the file that this function opened before, which it need not look at again; it adds to them.

    Returns:
        The reason.
    """
    owner, steps = file.id, path.split("/")
    groups = {} if groups is None else groups
    for place, step in enumerate(steps):
        name, here = step.encode(), "/".join(steps[: place + 1])
        if here in groups:
            owner = groups[here]
            continue
        if name in (b"", b".", b"..") or not owner.links.exists(name):
            return "it is missing"
        kind = owner.links.get_info(name).type
        if kind != h5py.h5l.TYPE_HARD:
            return f"{here!r} is {_LINKS.get(kind, 'a link of an unknown kind')}"
        if place < len(steps) - 1:
            owner = h5py.h5o.open(owner, name)
            if not isinstance(owner, h5py.h5g.GroupID):
                return f"{here!r} is no group"
            groups[here] = owner
    return ""


def _fault_of_storage(dataset: Any, length: int, width: int) -> str:
    creation = dataset.get_create_plist()
    if creation.get_external_count():
        return "its values are in another file"
    layout = creation.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        return "it is virtual: its values are in other datasets"
    if layout == h5py.h5d.CHUNKED:
        chunk = int(creation.get_chunk()[0])
        if chunk > max(length, 1) or chunk * width > MAX_CHUNK_BYTES:
            return f"its chunks have {chunk} values; it has {length}"
    filters = [creation.get_filter(place)[0] for place in range(creation.get_nfilters())]
    if filters and filters not in PIPELINES:
        return f"it has the filters {filters}; known: {', '.join(map(str, PIPELINES))}"
    return ""


def _fault_of_type(dataset: Any, stored: Any, path: str, encoding: str, column: Column | None) -> str:
    """Return why values of the stored type cannot be those of the column; "" if they can."""
    kind = stored.get_class()
    if encoding.startswith("fixed"):
        if kind != h5py.h5t.STRING or stored.is_variable_str():
            return f"it holds {_kind_name(stored)}, not text of fixed width"
        if stored.get_size() > MAX_TEXT_BYTES:
            return f"its texts have {stored.get_size()} bytes; at most {MAX_TEXT_BYTES}"
        return "" if column is None or column.type == "str" else f"it holds text, not values of type {column.type}"
    if kind not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM):
        return f"it holds {_kind_name(stored)}, not numbers"
    name = dataset.dtype.str
    if encoding == "codes":
        allowed: tuple[str, ...] = _CODES
    elif encoding.startswith("bytes"):
        allowed = ("|u1",)
    elif path.startswith("ends/") or path == "curves/offsets":
        allowed = ("<i8",)
    elif path.startswith("curves/"):
        allowed = ("<f8",)
    else:
        allowed = tuple(_NUMBERS.values()) if column is None else (_NUMBERS.get(column.type, ""),)
    if name not in allowed:
        return f"its values are of type {name}; allowed: {', '.join(filter(None, allowed)) or 'text'}"
    if column is not None and (column.type == "str") != (encoding in _TEXT_ENCODINGS):
        return f"its encoding is {encoding!r}, but the column is of type {column.type}"
    return ""


def _kind_name(stored: Any) -> str:
    if stored.get_class() == h5py.h5t.STRING:
        return "text of variable width" if stored.is_variable_str() else "text"
    return _CLASSES.get(stored.get_class(), "values of an unknown type")
