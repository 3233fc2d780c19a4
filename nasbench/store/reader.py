"""Snapshot of a results file: the HDF5 file and the newer records of the journal, as they are at one moment."""

from __future__ import annotations

import logging
import os
import time
from functools import cached_property
from typing import Final, cast

import numpy as np

from nasbench.store.errors import CorruptResults, MissingResults, OlderSchema, explain
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Data, Numbers, Text, column_of, gather, join_columns, take
from nasbench.store.format.hdf5 import PackedFile
from nasbench.store.format.manifest import TABLES, Table
from nasbench.store.format.schema import OLDEST_READABLE, SCHEMA_VERSION, Column
from nasbench.store.journal import JournalContents, Kind, Record, read_journal

_log = logging.getLogger(__name__)

_warned: set[str] = set()

_RUN_ID: Final = TABLES["runs"][0]
_KINDS: Final[dict[Kind, Table]] = {"child": "children", "run": "runs", "measurement": "measurements"}
_ATTEMPTS: Final = 100
_LOOKS: Final = 3
_PAUSE: Final = 0.02


class Snapshot:
    """All acknowledged rows of a results file at the moment of opening. Columns are read on access, and verified.

    Args:
        paths: paths of the results file.
        packed: the HDF5 file, or None before the first pack.
        journal: a sound journal that belongs to it.
    """

    def __init__(self, paths: ResultsPaths, packed: PackedFile | None, journal: JournalContents) -> None:
        self.paths: Final = paths
        self.packed, self.journal = packed, journal
        packed_sequence = packed.manifest.last_sequence if packed else 0
        fresh = [record for record in journal.records if record.sequence > packed_sequence]
        self.last_sequence: Final = fresh[-1].sequence if fresh else packed_sequence
        self._fresh: dict[Table, list[Record]] = {table: [] for table in TABLES}
        for record in fresh:
            self._fresh[_KINDS[record.kind]].append(record)

    @property
    def file(self) -> str:
        """Id of the results file, '' if nothing was ever written."""
        if self.packed:
            return self.packed.manifest.file
        return self.journal.header.file if self.journal.header else ""

    @property
    def lost_journal(self) -> str:
        """One line if the HDF5 file says that a journal belongs to it and there is none, else ''."""
        if self.packed is None or self.journal.header is not None or not self.packed.has_journal:
            return ""
        name = self.paths.journal.name
        return (
            f"{self.paths.h5}: its journal {name} is not here, with the rows stored after record "
            f"{self.packed.manifest.last_sequence}; copy {name}, too, from where this file is from, or accept the loss with "
            f"nasbench repair {self.paths.h5}"
        )

    @property
    def children(self) -> int:
        """Rows of the children table."""
        return (self.packed.manifest.children if self.packed else 0) + len(self._fresh["children"])

    @property
    def runs(self) -> int:
        """Rows of the runs table."""
        return len(self._current_runs)

    @property
    def measurements(self) -> int:
        """Rows of the table of measurements."""
        return (self.packed.manifest.measurements if self.packed else 0) + len(self._fresh["measurements"])

    def column(self, table: Table, column: Column) -> Data:
        """Read a column: rows in commit order, or runs in order of first appearance with their latest record.

        Args:
            table: name of the table.
            column: a column of that table.

        Returns:
            The column, shape [rows].

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        data = self._all_records(table, column)
        return take(data, self._current_runs) if table == "runs" else data

    def fresh_records(self, table: Table) -> list[Record]:
        """Return the records of a table that are only in the journal.

        Args:
            table: name of the table.

        Returns:
            Records in commit order.
        """
        return self._fresh[table]

    def children_at(self, column: Column, positions: Numbers) -> Data:
        """Read some rows of a column of the children table, without reading the whole column.

        Args:
            column: a column of the children table.
            positions: ints, shape [rows].

        Returns:
            The rows in the order of `positions`.

        Raises:
            CorruptResults: when a dataset is damaged; the message names it.
        """
        fresh = self._fresh["children"]
        packed = self.packed

        def read(part: int, places: Numbers) -> Data:
            if part == 0 and packed:
                return packed.column_at("children", column, places)
            return column_of(column, [fresh[place].row[column.name] for place in places.tolist()])

        return gather(positions, [packed.manifest.children if packed else 0, len(fresh)], read)

    def _all_records(self, table: Table, column: Column) -> Data:
        parts = [self.packed.column(table, column)] if self.packed else []
        fresh = self._fresh[table]
        if fresh or not parts:
            parts.append(column_of(column, [record.row[column.name] for record in fresh]))
        return join_columns(parts)

    @cached_property
    def _current_runs(self) -> Numbers:
        """Positions of the latest record of each run."""
        ids = cast("Text", self._all_records("runs", _RUN_ID))
        latest = {ids[position]: position for position in range(len(ids))}
        return np.array(list(latest.values()), dtype=np.int64)

    def curve(self, name: str) -> Numbers:
        """Read one curve of all children, end to end; `offsets` gives the start of each child.

        Args:
            name: a curve of `schema.CURVES`.

        Returns:
            Floats, shape [epochs of all children].

        Raises:
            CorruptResults: when the curve is damaged.
        """
        packed = [self.packed.values(f"curves/{name}")] if self.packed else []
        return np.concatenate([*packed, self._fresh_curve(name)])

    def curve_at(self, name: str, positions: Numbers) -> Numbers:
        """Read some epochs of one curve, without reading the whole curve.

        Args:
            name: a curve of `schema.CURVES`.
            positions: ints, shape [epochs], into the curve of all children end to end.

        Returns:
            The values in the order of `positions`.
        """

        def read(part: int, places: Numbers) -> Numbers:
            if part == 0 and self.packed:
                return self.packed.values_at(f"curves/{name}", places)
            return self._fresh_curve(name)[places]

        packed = int(self._packed_offsets[-1])
        return cast("Numbers", gather(positions, [packed, len(self._fresh_curve(name))], read))

    def _fresh_curve(self, name: str) -> Numbers:
        values = [value for record in self._fresh["children"] for value in record.curves[name]]
        return np.array(values, dtype="<f8")

    @cached_property
    def _packed_offsets(self) -> Numbers:
        return self.packed.offsets() if self.packed else np.zeros(1, dtype="<i8")

    def offsets(self) -> Numbers:
        """Return the borders of the children in a curve; see `Content.offsets`."""
        packed = self._packed_offsets
        lengths = [len(next(iter(record.curves.values()))) for record in self._fresh["children"]]
        return np.concatenate([packed, packed[-1] + np.cumsum(np.array(lengths, dtype="<i8"))])

    def close(self) -> None:
        """Close the HDF5 file."""
        if self.packed:
            self.packed.close()


def open_snapshot(paths: ResultsPaths) -> Snapshot:
    """Open a results file as `read_snapshot` does, and warn once per process if its journal is not there.

    Args:
        paths: paths of the results file.

    Returns:
        Every row that was acknowledged before the call.

    Raises:
        StoreError: see `read_snapshot`.
    """
    snapshot = read_snapshot(paths)
    if (lost := snapshot.lost_journal) and lost not in _warned:
        _warned.add(lost)
        _log.warning("%s", lost)
    return snapshot


def read_snapshot(paths: ResultsPaths) -> Snapshot:
    """Open a results file for reading; another process may write and pack it at the same time.

    Args:
        paths: paths of the results file.

    Returns:
        Every row that was acknowledged before the call, of those that are here (`Snapshot.lost_journal`).

    Raises:
        MissingResults: when there is neither HDF5 file nor journal.
        CorruptResults: when either is damaged, or the two do not belong together.
        NewerSchema: when a later version wrote either.
        OlderSchema: when an earlier version with other columns wrote it.
        StoreError: when they cannot be read.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        packed = _open_packed(paths)
        try:
            journal = read_journal(paths.journal)
            current = _is_current(paths, packed)
            problem = mismatch(paths, packed, journal)
            snapshot = Snapshot(paths, packed, journal)
            # An apparent fault may be a pack between the two reads, or a failed append that is being cut off: look
            # again.
            if current and (not (problem or snapshot.lost_journal) or attempt >= _LOOKS):
                journal.require_sound(paths.journal)
                if problem is not None:
                    raise problem
                return snapshot
        except BaseException:
            _close(packed)
            raise
        _close(packed)
        time.sleep(_PAUSE if current else 0.0)
    raise CorruptResults(f"{paths.h5} is replaced faster than it can be read; try again")


def require_results(path: str | os.PathLike[str]) -> None:
    """Refuse a name under which no results file can be begun or continued, before hours are spent on its content.

    Args:
        path: the results file; it need not exist.

    Raises:
        InputError: when the name does not end in .h5, or is that of a folder, a pipe or a device.
        CorruptResults: when another file has this name.
        NewerSchema: when a later version wrote it.
    """
    _close(_open_packed(ResultsPaths.of(path)))


def _close(packed: PackedFile | None) -> None:
    if packed:
        packed.close()


def _open_packed(paths: ResultsPaths) -> PackedFile | None:
    try:
        packed = PackedFile(paths.h5)
    except MissingResults:
        return None
    if packed.manifest.schema < OLDEST_READABLE:
        packed.close()
        raise OlderSchema.of(paths.h5, packed.manifest.schema, SCHEMA_VERSION)
    return packed


def _is_current(paths: ResultsPaths, packed: PackedFile | None) -> bool:
    """Whether the opened file is still the one under its name, so that no pack has replaced it."""
    try:
        status = os.stat(paths.h5)
    except FileNotFoundError:
        return packed is None
    except OSError as error:
        raise explain(error, paths.h5, "reading") from error
    return packed is not None and packed.identity == (status.st_dev, status.st_ino)


def mismatch(paths: ResultsPaths, packed: PackedFile | None, journal: JournalContents) -> Exception | None:
    """Check that an HDF5 file and a journal can be read together.

    Args:
        paths: paths of the results file.
        packed: the HDF5 file, or None.
        journal: parsed journal.

    Returns:
        The error to raise; None if they can be read together.
    """
    header = journal.header
    if journal.damages:
        return CorruptResults(f"{paths.journal}, {journal.damages[0]}")
    if header is None:
        return None if packed or paths.journal.exists() else MissingResults(_missing(paths))
    if packed is None and header.base > 0:
        return CorruptResults(
            f"{paths.h5} is missing, and with it the records 1 to {header.base} that came before {paths.journal}; "
            "restore it from a copy"
        )
    if packed is not None and packed.manifest.file != header.file:
        return CorruptResults(f"{paths.journal} belongs to another results file than {paths.h5}; move one of them away")
    if packed is not None and packed.manifest.last_sequence < header.base:
        return CorruptResults(
            f"{paths.h5} is older than its journal: the records {packed.manifest.last_sequence + 1} to {header.base} "
            "are in neither; "
            "restore the newer HDF5 file"
        )
    return None


def _missing(paths: ResultsPaths) -> str:
    if not paths.h5.parent.is_dir():
        return f"{paths.h5}: no such results file; there is no folder {str(paths.h5.parent)!r}"
    others = sorted(other.name for other in paths.h5.parent.glob("*.h5"))
    there = f"; in that folder there are: {', '.join(others[:5])}" if others else "; that folder has no results file"
    return f"{paths.h5}: no such results file{there}"
