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
from nasbench.store.query import Key, PathLike, Results


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
    or failed, may succeed on another device, so it is never a hit.

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
        self._names: tuple[str, ...] = ()  # of the values of added rows
        self._spool: _Spool | None = None
        self._opening = threading.Lock()
        if names:
            for key, row in Results(names).determined():
                self._rows.setdefault(key, row)

    def get(self, hash: str, fingerprint: str, seed: int, test: bool) -> Mapping[str, Any] | None:
        """Find an outcome.

        Args:
            hash: hash of the architecture.
            fingerprint: fingerprint of the protocol with its data.
            seed: training seed.
            test: True finds only rows with a test score (stage "final"); False only rows without one, so that no test
                score can reach a search.

        Returns:
            The row, with "curves" if it came from a file or was added with them; None if there is none.
        """
        row = self._rows.get((hash, fingerprint, int(seed), _stage(test)))
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
        if key in self._rows:
            return
        names = tuple(row)
        self._names = self._names or names
        if names == self._names:
            self._rows[key] = self._kept(pickle.dumps(tuple(row.values()), pickle.HIGHEST_PROTOCOL))
        else:
            self._rows[key] = row

    def _kept(self, data: bytes) -> bytes | _Place:
        """Put bytes in the spool, or keep them in memory if the temporary disk is full, which must not end a search."""
        try:
            with self._opening:
                self._spool = self._spool or _Spool()
            return self._spool.put(data)
        except OSError:
            return data

    def __len__(self) -> int:
        return len(self._rows)


def source_row(row: Mapping[str, Any]) -> str:
    """Return the value of the column cached_from for a copy of a row.

    Args:
        row: a row with run, index and cached_from.

    Returns:
        "run id/index" of the row that was trained; of a copy's source, never of the copy.
    """
    return str(row["cached_from"]) or f"{row['run']}/{row['index']}"


def _stage(test: bool) -> str:
    return "final" if test else "search"
