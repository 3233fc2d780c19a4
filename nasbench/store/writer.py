"""Writing a results file: one owner, every row on the disk before it is acknowledged."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final
from uuid import uuid4

from nasbench.store.duplicate_index import DuplicateIndex
from nasbench.store.errors import CorruptResults, MissingResults, OwnershipLost, StoreError, explain
from nasbench.store.files import ResultsPaths, remove_if_there, remove_leftovers, sync_folder
from nasbench.store.format.rows import child_curves, child_row, measurement_row, run_row
from nasbench.store.format.schema import SCHEMA_VERSION
from nasbench.store.journal import Header, JournalContents, JournalWriter, renew_journal
from nasbench.store.lock import ResultsLock
from nasbench.store.packing import pack_snapshot
from nasbench.store.reader import Snapshot, open_snapshot, read_snapshot

_log = logging.getLogger(__name__)

# A reader parses the journal each time it opens the file: about 15 ms a MiB.
PACK_BYTES: Final = 16 << 20


class ResultsWriter:
    """Owns a results file and appends rows to it.

    Use it as a context manager: on exit it packs the journal and releases the file.

    A row is on the disk once its call returns. The journal is packed into the HDF5 file on closing, and before that
    whenever it has grown beyond `pack_bytes` and beyond the HDF5 file's own size, so that the cost of packing stays in
    proportion to the data written. Not safe for use by several threads at once.

    Args:
        path: the results file, ending in .h5; its folder is created if there is none.
        pack_bytes: size of the journal in bytes above which it is packed automatically, >= 0.
        take_over: whether to replace an owner on another host whose heartbeat has stopped, see `lock.ResultsLock`.

    Raises:
        InputError: when the name does not end in .h5.
        ResultsLocked: when another process writes the file.
        CorruptResults: when the existing file is damaged.
        NewerSchema: when a later version wrote it.
        StoreError: when the folder or its files cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], pack_bytes: int = PACK_BYTES, take_over: bool = False) -> None:
        self.paths, self.pack_bytes = ResultsPaths.of(path), pack_bytes
        self._pack_again_at = pack_bytes
        self._make_folder()
        self._lock = ResultsLock(self.paths, take_over)
        try:
            self._journal = self._open_journal()
        except BaseException:
            self._lock.release()
            raise
        self._known = DuplicateIndex(self.paths)
        self._open = True

    def _make_folder(self) -> None:
        folder = self.paths.h5.parent
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise explain(error, folder, "making the folder") from error

    def _open_journal(self) -> JournalWriter:
        try:
            remove_leftovers(self.paths)
        except OSError as error:
            raise explain(error, self.paths.h5, "removing what a killed process left") from error
        if self._lock.previous_may_live:
            renew_journal(self.paths, self._lock.confirm)
        try:
            snapshot = read_snapshot(self.paths)
        except MissingResults:
            return self._journal_writer(Header(uuid4().hex, 0), JournalContents())
        try:
            if lost := snapshot.lost_journal:
                raise CorruptResults(lost)  # rows that are stored now would take the places of those
        finally:
            snapshot.close()
        header = Header(snapshot.file or uuid4().hex, snapshot.last_sequence)
        packed = snapshot.packed.manifest.last_sequence if snapshot.packed else None
        if self._is_packed_already(snapshot):
            self._remove_journal()
            return self._journal_writer(header, JournalContents(), packed)
        return self._journal_writer(header, snapshot.journal, packed)

    def _journal_writer(self, header: Header, contents: JournalContents, packed: int | None = None) -> JournalWriter:
        return JournalWriter(self.paths, header, contents, self._lock.confirm, packed)

    def _is_packed_already(self, snapshot: Snapshot) -> bool:
        """Whether the last owner was killed between packing and removing the journal."""
        records = snapshot.journal.records
        last = records[-1].sequence if records else 0
        return snapshot.packed is not None and last <= snapshot.packed.manifest.last_sequence

    def append_child(self, row: Mapping[str, Any], curves: Mapping[str, Sequence[float]]) -> None:
        """Store one finished child. It is on the disk when this returns.

        Args:
            row: exactly the columns of `schema.CHILD_COLUMNS`.
            curves: exactly the curves of `schema.CURVES`, one value per completed epoch; {} for none.

        Raises:
            InputError: when the row does not fit the schema; nothing is written.
            DuplicateChild: when the file has a child of the same run, stage and index; nothing is written.
            OwnershipLost: when another process has taken the file over; stop writing.
            StoreError: when it could not be written; try again once the cause is removed.
        """
        self.append_children([(row, curves)])

    def append_children(self, children: Sequence[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]]) -> None:
        """Store several finished children with a single fsync.

        When this returns, all are on the disk; if it fails, none is.

        Args:
            children: rows with their curves, as for `append_child`; none for nothing to do.

        Raises:
            InputError: when a row does not fit the schema; nothing is written.
            DuplicateChild: when the file or `children` has a child of the same run, stage and index; nothing is
                written.
            StoreError: when they could not be written; try again once the cause is removed.
        """
        self._require_open()
        checked = [(child_row(row), child_curves(curves)) for row, curves in children]
        self._known.refuse_known([row for row, _ in checked])
        if checked:
            self._leave_earlier_journal()
        with self._as_owner():
            if len(checked) == 1:
                self._journal.append("child", *checked[0])
            elif checked:
                self._journal.append_several("children", checked)
        for row, _ in checked:
            self._known.add(row)
        self._pack_if_long()

    def put_run(self, row: Mapping[str, Any]) -> None:
        """Store a row of the runs table; a later row of the same run replaces the earlier.

        Args:
            row: exactly the columns of `schema.RUN_COLUMNS`.

        Raises:
            InputError: when the row does not fit the schema; nothing is written.
            StoreError: when it could not be written; it can be tried again once the cause is removed.
        """
        self._require_open()
        checked = run_row(row)
        with self._as_owner():
            self._journal.append("run", checked, {})
        self._pack_if_long()

    def append_measurements(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store measurements with a single fsync. When this returns, all are on the disk; if it fails, none is.

        Args:
            rows: exactly the columns of `schema.MEASUREMENT_COLUMNS` each; none for nothing to do. Equal rows may be
                stored repeatedly.

        Raises:
            InputError: when a row does not fit the schema; nothing is written.
            StoreError: when they could not be written; try again once the cause is removed.
        """
        self._require_open()
        checked = [measurement_row(row) for row in rows]
        if not checked:
            return
        self._leave_earlier_journal()
        with self._as_owner():
            if len(checked) == 1:
                self._journal.append("measurement", checked[0], {})
            else:
                self._journal.append_several("measurements", [(row, {}) for row in checked])
        self._pack_if_long()

    def _leave_earlier_journal(self) -> None:
        """Pack a journal of an earlier schema: a version that reads it would call rows with later columns damage."""
        if self._journal.schema < SCHEMA_VERSION:
            self.pack()

    @contextmanager
    def _as_owner(self) -> Iterator[None]:
        """Replace a failure by `OwnershipLost` if that caused it."""
        try:
            yield
        except StoreError:
            self._lock.blame()
            raise

    def _require_open(self) -> None:
        if not self._open:
            raise StoreError(f"{self.paths.h5}: this writer is closed")

    def _pack_if_long(self) -> None:
        if self._journal.length > self._pack_again_at:
            self._pack_by_itself()

    def _pack_by_itself(self) -> None:
        """Pack if the journal is larger than the HDF5 file. The row is stored already, so a failure is only logged."""
        if self._journal.length <= self._packed_size():
            return
        try:
            self.pack()
        except OwnershipLost:
            return  # the row was acknowledged before; the next append raises this error
        except StoreError as error:
            _log.warning("rows are kept in the journal, but it could not be packed: %s", error)
            self._pack_again_at = 2 * self._journal.length

    def _packed_size(self) -> int:
        try:
            return self.paths.h5.stat().st_size
        except FileNotFoundError:
            return 0

    def pack(self) -> None:
        """Move the journal's rows into the HDF5 file.

        Raises:
            OwnershipLost: when another process has taken the file over; stop writing.
            StoreError: when it cannot be written; the rows stay in the journal, and the writer remains usable.
        """
        if not self._journal.length:
            return
        with self._as_owner():
            self._pack()
        self._pack_again_at = self.pack_bytes

    def _pack(self) -> None:
        self._lock.confirm()
        self._journal.settle()
        snapshot = open_snapshot(self.paths)
        try:
            if snapshot.last_sequence != self._journal.sequence:
                raise CorruptResults(
                    f"{self.paths.journal} was changed by another process; stop, and look at it before going on"
                )
            began = time.perf_counter()
            pack_snapshot(snapshot, self._lock)
            _log.debug("%s: packed in %.2f s", self.paths.h5, time.perf_counter() - began)
            self._journal.packed_up_to(snapshot.last_sequence)
            self._remove_journal()
            self._journal.start_again(Header(snapshot.file, snapshot.last_sequence))
        finally:
            snapshot.close()

    def _remove_journal(self) -> None:
        self._lock.confirm()
        try:
            remove_if_there(self.paths.journal)
            sync_folder(self.paths.journal.parent)
        except OSError as error:
            raise explain(error, self.paths.journal, "removing the packed journal") from error

    def close(self) -> None:
        """Pack and release the file. A second call does nothing.

        Raises:
            StoreError: when packing failed; the rows stay in the journal, and the file is released all the same.
        """
        if not self._open:
            return
        self._open = False
        try:
            self.pack()
        finally:
            self._journal.close()
            self._lock.release()

    def __enter__(self) -> ResultsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except StoreError as failure:
            if error is None:
                raise
            if isinstance(failure, OwnershipLost) and isinstance(error, OwnershipLost):
                return
            _log.warning("rows are kept in the journal, but it could not be packed: %s", failure)


def finish_packing(path: str | os.PathLike[str], take_over: bool = False) -> int:
    """Pack the rows that the last writer could not pack, and remove what a killed one left beside the file.

    Args:
        path: the results file.
        take_over: see `lock.ResultsLock`.

    Returns:
        Records that were in the journal only; 0 for a file without journal, which is not changed.

    Raises:
        ResultsLocked: when another process writes the file.
        MissingResults, StoreError: when there is no such file, or it cannot be read or written.
    """
    paths = ResultsPaths.of(path)
    beside = (paths.journal, paths.packing, paths.beginning, paths.lock)
    if not any(os.path.lexists(each) for each in beside):
        return 0
    snapshot = open_snapshot(paths)
    snapshot.close()
    with ResultsWriter(path, take_over=take_over):
        pass
    return snapshot.last_sequence - (snapshot.packed.manifest.last_sequence if snapshot.packed else 0)
