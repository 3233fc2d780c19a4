"""Scores that need not be trained again: hits across runs and files."""

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
    """Where a row's bytes are in the spool."""

    start: int
    length: int


class _Spool:
    """Bytes in a temporary file without a name: a long search may ask for any of its children again, and memory is to hold few of them.

    Searches that run side by side share it, so bytes are written and read by their place, not by the file's position.
    """

    def __init__(self) -> None:
        # Unbuffered, so that a full disk is noticed by the write that fills it. Open as long as the cache.
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._end = 0
        self._writing = threading.Lock()

    def put(self, data: bytes) -> _Place:
        """Keep bytes; OSError when there is no room for all of them."""
        with self._writing:
            place = _Place(self._end, len(data))
            write_at(self._file.fileno(), memoryview(data), place.start)
            self._end += place.length
        return place

    def get(self, place: _Place) -> bytes:
        """The bytes at a place."""
        return os.pread(self._file.fileno(), place.length, place.start)


class ScoreCache:
    """Outcomes by (architecture hash, protocol fingerprint, seed, with or without test score).

    Only outcomes that training again would repeat are in it: ok and diverged. A child that ran out of memory or time, or failed, may fare
    otherwise on another device, so it is never a hit.

    Args:
        files: results files, or patterns of them; none for an empty cache. They are read as they are now.

    Raises:
        StoreError: when a file is missing or damaged.
    """

    def __init__(self, files: Iterable[PathLike] = ()) -> None:
        names = list(files)
        # An added row is kept as the bytes of its values, in the spool where there is room: long searches add tens of thousands.
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
            hash: of the architecture.
            fingerprint: of the protocol with its data.
            seed: of the training.
            test: whether the row must have a test score (stage "final"); without, only rows that have none are found, so that no test
                score can reach a search.

        Returns:
            The row, with "curves" where it came from a file or was added with them, or None.
        """
        row = self._rows.get((hash, fingerprint, int(seed), _stage(test)))
        if isinstance(row, _Place):
            assert self._spool is not None
            row = self._spool.get(row)
        return dict(zip(self._names, pickle.loads(row))) if isinstance(row, bytes) else row

    def add(self, row: Mapping[str, Any]) -> None:
        """Remember a row of `schema.CHILD_COLUMNS` with "curves"; the first of a key stays, and rows that are not reusable are ignored."""
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
        """In the spool, or in memory where the disk of temporary files is full: that must not end a search."""
        try:
            with self._opening:
                self._spool = self._spool or _Spool()
            return self._spool.put(data)
        except OSError:
            return data

    def __len__(self) -> int:
        return len(self._rows)


def source_row(row: Mapping[str, Any]) -> str:
    """What a copy of `row` says in its column cached_from: "run id/index" of the row that was trained, never of another copy."""
    return str(row["cached_from"]) or f"{row['run']}/{row['index']}"


def _stage(test: bool) -> str:
    return "final" if test else "search"
