"""Cache of scores: a child that was trained before, in any run or file, is not trained again."""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nasbench.store.files import write_at
from nasbench.store.format.schema import REPEATABLE_STATUSES
from nasbench.store.prefixes import up_to
from nasbench.store.query import Key, PathLike, Results, Row


class _Place(NamedTuple):
    """Offset and length of a row's bytes in the spool."""

    start: int
    length: int


class _Spool:
    """Temporary file without a name that keeps rows out of memory. A long search may look up any of its children again.

    Concurrent searches share it, so bytes are written and read at an offset and not at the file's current position.
    """

    def __init__(self) -> None:
        # Unbuffered, so that the write that fills the disk fails. Stays open as long as the cache.
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._end = 0
        self._writing = threading.Lock()

    def put(self, data: bytes) -> _Place:
        """Store bytes and return their place; OSError if the disk has no room for them."""
        with self._writing:
            place = _Place(self._end, len(data))
            write_at(self._file.fileno(), memoryview(data), place.start)
            self._end += place.length
        return place

    def get(self, place: _Place) -> bytes:
        """Read the bytes at a place."""
        return os.pread(self._file.fileno(), place.length, place.start)


class ScoreCache:
    """Cache of outcomes by architecture hash, protocol fingerprint, seed, and whether there is a test score.

    It holds only outcomes that another training would repeat: ok and diverged. A child that ran out of memory or time,
    or failed, may succeed on another device, so it is never a hit. Of the trainings of a key that stopped early, it holds
    the longest; a training that stops earlier than a stored one is found in its curves.

    Args:
        files: results files, or patterns of them; none for an empty cache. They are read once, when the cache is
            created.

    Raises:
        StoreError: when a file is missing or damaged.
    """

    def __init__(self, files: Iterable[PathLike] = ()) -> None:
        names = list(files)
        # An added row is kept as the bytes of its values, in the spool if the disk has room: long searches add tens of
        # thousands.
        self._rows: dict[Key, Mapping[str, Any] | bytes | _Place] = {}
        self._partial: dict[
            Key, tuple[int, Mapping[str, Any] | bytes | _Place]
        ] = {}  # with the epochs whose outcome is known
        self._names: tuple[str, ...] = ()  # of the values of added rows
        self._spool: _Spool | None = None
        self._opening = threading.Lock()
        if names:
            for key, row in Results(names).determined():
                if row["stop_epoch"]:
                    self._add_partial(key, row)
                else:
                    self._rows.setdefault(key, row)

    def get(self, hash: str, fingerprint: str, seed: int, test: bool, epochs: int = 0) -> Mapping[str, Any] | None:
        """Find an outcome.

        Args:
            hash: hash of the architecture.
            fingerprint: fingerprint of the protocol with its data.
            seed: training seed.
            test: True finds only rows with a test score (stage "final"); False only rows without one, so that no test
                score can reach a search.
            epochs: epoch up to which the child is to be trained; 0 for all epochs of the protocol.

        Returns:
            The row, with "curves" if it came from a file or was added with them; None if there is none. Of a longer
            training, the row as it would be after `epochs`, see `prefixes.up_to`.
        """
        key = hash, fingerprint, int(seed), _stage(test)
        found = self._read(self._rows.get(key))
        if found is not None and (found := up_to(found, epochs) if _is_cut(found, epochs) else found) is not None:
            return found
        partial = self._partial.get(key)
        row = self._read(partial[1]) if partial is not None else None
        return up_to(row, epochs) if row is not None else None

    def _read(self, row: Mapping[str, Any] | bytes | _Place | None) -> Mapping[str, Any] | None:
        if isinstance(row, _Place):
            assert self._spool is not None
            row = self._spool.get(row)
        return dict(zip(self._names, pickle.loads(row))) if isinstance(row, bytes) else row

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row to the cache.

        Args:
            row: the columns of `schema.CHILD_COLUMNS` and "curves". It is ignored if its status is not ok or diverged,
                or if the cache has a row for the same key already.
        """
        if row["status"] not in REPEATABLE_STATUSES:
            return
        key = row["hash"], row["fingerprint"], int(row["seed"]), row["stage"]
        if row.get("stop_epoch", 0):
            self._add_partial(key, row)
        elif key not in self._rows:
            self._rows[key] = self._packed(row)

    def _add_partial(self, key: Key, row: Mapping[str, Any]) -> None:
        known = row["epochs"] + (row["status"] != "ok")  # of one that diverged, also the epoch in which it did
        if key not in self._partial or self._partial[key][0] < known:
            self._partial[key] = known, row if isinstance(row, Row) else self._packed(row)

    def _packed(self, row: Mapping[str, Any]) -> Mapping[str, Any] | bytes | _Place:
        names = tuple(row)
        self._names = self._names or names
        if names != self._names:
            return row
        return self._kept(pickle.dumps(tuple(row.values()), pickle.HIGHEST_PROTOCOL))

    def _kept(self, data: bytes) -> bytes | _Place:
        """Put bytes in the spool, or keep them in memory if the temporary disk is full, which must not end a search."""
        try:
            with self._opening:
                self._spool = self._spool or _Spool()
            return self._spool.put(data)
        except OSError:
            return data

    def __len__(self) -> int:
        return len(self._rows.keys() | self._partial.keys())


def source_row(row: Mapping[str, Any]) -> str:
    """Return the value of the column cached_from for a copy of a row.

    Args:
        row: a row with run, index and cached_from.

    Returns:
        "run id/index" of the row that was trained; of a copy's source, never of the copy.
    """
    return str(row["cached_from"]) or f"{row['run']}/{row['index']}"


def _is_cut(row: Mapping[str, Any], epochs: int) -> bool:
    """Whether a child that ended is not simply the answer: fewer epochs are asked for, or its seconds are of a part."""
    return bool(epochs or row.get("from_epoch", 0))


def _stage(test: bool) -> str:
    return "final" if test else "search"
