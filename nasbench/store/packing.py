"""Packing: write a snapshot into one new HDF5 file, which is completely on the disk before it replaces the old one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol

import h5py
import numpy as np

from nasbench.outputs import open_new
from nasbench.store.errors import RESUME, StoreError, explain
from nasbench.store.files import ResultsPaths, close_handle, remove_if_there, sync_folder, write_at
from nasbench.store.format.chunks import Crc32, digest_of
from nasbench.store.format.columns import Data, Numbers, Text
from nasbench.store.format.form import MAX_TEXT_BYTES
from nasbench.store.format.hdf5 import CRC, PackedFile, checksum_of
from nasbench.store.format.manifest import FORMAT, TABLES, Encoding, Entry, Manifest, Table, checksum_of_text
from nasbench.store.format.schema import CURVES, SCHEMA_VERSION, Column
from nasbench.store.lock import ResultsLock

_CHUNK_ROWS: Final = 1 << 16
_CHUNK_BYTES: Final = 1 << 20
# Level 1: on curves of random digits level 4 saved 0.5% of the bytes.
_LEVEL: Final = 1
_FILTERS: Final = {"compression": "gzip", "compression_opts": _LEVEL, "fletcher32": True}
# Size of the sample, in bytes, on which HDF5's shuffle filter (all first bytes, then all second bytes, ...) is tried.
# It makes times and counts smaller, but not accuracies: those are few different numbers, which zlib finds as a whole.
_SAMPLE_BYTES: Final = 1 << 17
_SHUFFLED_SHARE: Final = 0.98  # reading is faster without shuffling
# A text column is stored as codes if at most this share of its values is distinct.
_CODED_SHARE: Final = 0.75
# Fixed width wastes memory if one value is far longer than the rest.
_FIXED_BYTES: Final = 16 << 20
_FIXED_WASTE: Final = 8
_SCALAR: Final = h5py.h5s.create(h5py.h5s.SCALAR)
_OFFSETS: Final = Column("offsets", "int", "", "where each child's epochs start in the curves, and the end")
_ABOUT: Final = (
    "One value per child under /children, per run under /runs, per measurement under /measurements; integer columns with the attribute 'categories' are "
    "codes into that "
    "dataset. Child i has the rows offsets[i] to offsets[i+1] of the datasets in /curves. Units and meanings are "
    "attributes."
)


class Content(Protocol):
    """Interface of everything that can be packed: `reader.Snapshot` or `table_builder.TableBuilder`."""

    @property
    def paths(self) -> ResultsPaths:
        """The results file to write."""

    @property
    def file(self) -> str:
        """Id of the results file."""

    @property
    def last_sequence(self) -> int:
        """Number of the last journal record that is in it."""

    @property
    def children(self) -> int:
        """Rows of the children table."""

    @property
    def runs(self) -> int:
        """Rows of the runs table."""

    @property
    def measurements(self) -> int:
        """Rows of the table of measurements."""

    def column(self, table: Table, column: Column) -> Data:
        """Return a column of a table.

        Args:
            table: name of the table.
            column: a column of that table.

        Returns:
            The column, shape [rows].
        """

    def curve(self, name: str) -> Numbers:
        """Return one curve of all children, end to end.

        Args:
            name: a curve of `schema.CURVES`.

        Returns:
            Floats, shape [epochs of all children].
        """

    def offsets(self) -> Numbers:
        """Return the start of each child's epochs in a curve, and the end of the last.

        Returns:
            Ints, shape [children + 1].
        """


def pack_snapshot(snapshot: Content, lock: ResultsLock, new: bool = False) -> None:
    """Write a snapshot as the results file's next HDF5 file. A kill at any point leaves either the old or the new file.

    The new file is read back and verified before it is renamed. The caller removes the journal.

    Args:
        snapshot: all rows; its columns are read one at a time.
        lock: ownership of the file, confirmed before the new file replaces the old one.
        new: whether there is no journal: the rows are in memory alone, and no error says to resume.

    Raises:
        OwnershipLost: when another process has taken the file over; the file is not changed.
        CorruptResults: when the old file is damaged; it is not changed.
        StoreError: when the new file cannot be written; the old one and the journal stay as they are.
    """
    paths = snapshot.paths
    try:
        with _Spool(paths) as spool:
            _write(snapshot, spool)
            os.fsync(spool.handle)
        packed = PackedFile(paths.packing)
        try:
            packed.verify()
        finally:
            packed.close()
        lock.confirm()
        os.replace(paths.packing, paths.h5)
        sync_folder(paths.h5.parent)
    except StoreError:
        _drop(paths.packing, lock)
        raise
    except OSError as error:
        _drop(paths.packing, lock)
        doing, then = ("writing the new file", "run the command again") if new else ("packing the journal", RESUME)
        raise explain(error, paths.h5, doing, then) from error
    except BaseException:  # Ctrl-C, SIGTERM, or a fault of ours
        with contextlib.suppress(StoreError):
            _drop(paths.packing, lock)
        raise


def _drop(path: Path, lock: ResultsLock) -> None:
    lock.blame()  # else the file of that name is the new owner's
    try:
        remove_if_there(path)
    except OSError:
        return  # the next writer removes it; the error that matters is being raised already


class _Spool(io.RawIOBase):
    """File object to which HDF5 writes, in the form that h5py's file-object driver expects.

    HDF5 cannot close a file to which it cannot write. Therefore a failed write is remembered here, and HDF5 continues
    to its end.
    """

    def __init__(self, paths: ResultsPaths) -> None:
        super().__init__()
        remove_if_there(paths.packing)  # left by a killed process, or a link that somebody planted
        self.handle = open_new(paths.packing, paths.h5, paths.journal)
        self.failure: OSError | None = None
        self._position = self._end = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self.failure is None:
            try:
                write_at(self.handle, view, self._position)
            except OSError as error:
                self.failure = error
        self._position += len(view)
        self._end = max(self._end, self._position)
        return len(view)

    def readinto(self, buffer: Any) -> int:
        read = os.preadv(self.handle, [buffer], self._position)
        self._position += read
        return read

    def truncate(self, size: int | None = None) -> int:
        self._end = self._position if size is None else size
        if self.failure is None:
            try:
                os.ftruncate(self.handle, self._end)
            except OSError as error:
                self.failure = error
        return self._end

    def __enter__(self) -> _Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_handle(self.handle)
        super().close()


def _write(snapshot: Content, spool: _Spool) -> None:
    try:
        with h5py.File(spool, "w", libver=("v110", "v110")) as file:
            _fill(snapshot, file)
    except Exception:
        if spool.failure is None:
            raise
    if spool.failure is not None:
        raise spool.failure


def _fill(snapshot: Content, file: Any) -> None:
    sink = _Sink(file)
    for table, columns in TABLES.items():
        if table == "measurements" and not snapshot.measurements:
            continue  # most files have none
        for column in columns:
            sink.column(table, column, snapshot.column(table, column))
    for curve in CURVES:
        sink.column("curves", curve, snapshot.curve(curve.name))
    sink.column("curves", _OFFSETS, snapshot.offsets())
    manifest = Manifest(
        SCHEMA_VERSION,
        snapshot.file,
        snapshot.last_sequence,
        snapshot.children,
        snapshot.runs,
        sink.entries,
        snapshot.measurements,
    ).to_json()
    file.attrs["schema_version"] = SCHEMA_VERSION
    texts = {
        "format": FORMAT,
        "about": _ABOUT,
        "manifest": manifest,
        "manifest_checksum": checksum_of_text(manifest),
    }
    for name, text in texts.items():
        _set_text(file, name, text)


def _set_text(owner: Any, name: str, text: str) -> None:
    """Write an attribute as text of fixed width. It is stored in the object's header, which HDF5 checksums.

    Text of variable width would be stored in the file's global heap, which has no checksum, and in which a range of
    zeros makes the HDF5 library read in an endless loop.
    """
    raw = text.encode()
    kind, width = _text_type(max(len(raw), 1)), max(len(raw), 1)
    # h5py.attrs takes three times as long, for an attribute that may be there already; a pack writes 400 of them
    h5py.h5a.create(owner.id, name.encode(), kind, _SCALAR).write(np.array(raw, dtype=f"S{width}"), kind)


@lru_cache(maxsize=256)
def _text_type(width: int) -> Any:
    """Return HDF5's type of UTF-8 text of a fixed width in bytes."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(width)
    kind.set_cset(h5py.h5t.CSET_UTF8)
    kind.set_strpad(h5py.h5t.STR_NULLPAD)
    return kind


class _Sink:
    """Writes columns into an open HDF5 file and keeps a list of the datasets written."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.entries: dict[str, Entry] = {}

    def column(self, group: str, column: Column, data: Data) -> None:
        """Write one column under `group`, with its unit and meaning."""
        if group not in self._file:
            self._file.create_group(group, track_order=True)
        path = f"{group}/{column.name}"
        if not isinstance(data, Text):
            dataset = self._dataset(path, data, "numbers")
        else:
            dataset = self._text(path, data.compact())
        _set_text(dataset, "unit", column.unit)
        _set_text(dataset, "meaning", column.meaning)

    def _text(self, path: str, text: Text) -> Any:
        if len(text.categories) > _CODED_SHARE * len(text) and len(text) > 1:
            return self._strings(path, text.objects().tolist())
        self._strings(f"categories/{path}", text.categories)
        size = np.min_scalar_type(max(len(text.categories) - 1, 0))
        dataset = self._dataset(path, text.codes.astype(size), "codes")
        _set_text(dataset, "categories", f"/categories/{path}")
        return dataset

    def _strings(self, path: str, values: Sequence[str]) -> Any:
        escaped = not all(_fits_hdf5(value) for value in values)
        raw = [(json.dumps(value)[1:-1] if escaped else value).encode() for value in values]
        width, total = max(map(len, raw), default=0), sum(map(len, raw))
        if width <= MAX_TEXT_BYTES and width * len(raw) <= max(_FIXED_BYTES, _FIXED_WASTE * total):
            array = np.array(raw, dtype=h5py.string_dtype("utf-8", max(width, 1)))
            dataset = self._dataset(path, array, "fixed escaped" if escaped else "fixed")
        else:
            ends = np.cumsum([len(value) for value in raw], dtype="<i8")
            self._dataset(f"ends/{path}", ends, "numbers")
            array = np.frombuffer(b"".join(raw), dtype=np.uint8)
            dataset = self._dataset(path, array, "bytes escaped" if escaped else "bytes")
            _set_text(dataset, "ends", f"/ends/{path}")
        if escaped:
            _set_text(dataset, "escaped", "JSON string escapes")
        return dataset

    def _dataset(self, path: str, values: Numbers, encoding: Encoding) -> Any:
        rows = min(len(values), _CHUNK_ROWS, max(1, _CHUNK_BYTES // values.dtype.itemsize))
        storage = {"chunks": (rows,), **_FILTERS, "shuffle": _shuffles_well(values)} if rows else {}
        dataset = self._file.create_dataset(path, data=values, dtype=values.dtype, **storage)
        checksum = checksum_of(values)
        _set_text(dataset, "checksum", checksum)
        _set_text(dataset, CRC, digest_of(values, Crc32))
        self.entries[path] = Entry(checksum, encoding)
        return dataset


def _shuffles_well(values: Numbers) -> bool:
    """Whether byte shuffling improves the compression of a sample from the middle."""
    width = values.dtype.itemsize
    rows = min(len(values), max(1, _SAMPLE_BYTES // width))
    start = (len(values) - rows) // 2
    plain = np.ascontiguousarray(values[start : start + rows]).view(np.uint8).reshape(rows, width)
    return len(zlib.compress(plain.T.tobytes(), _LEVEL)) < _SHUFFLED_SHARE * len(zlib.compress(plain.tobytes(), _LEVEL))


def _fits_hdf5(value: str) -> bool:
    """Whether a fixed-width UTF-8 dataset can hold this text; it cannot hold zero bytes and lone surrogates."""
    if "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
