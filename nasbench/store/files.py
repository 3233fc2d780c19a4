"""The files that make up one results file, and the few durable operations on them."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nasbench.errors import InputError

_log = logging.getLogger(__name__)

# What fsync says of a folder on a file system where folders cannot be synced (some FUSE and network mounts). There is nothing else to do:
# creations and renames are as durable there as that file system makes them. For files it stays an error: a row's promise hangs on it.
NO_FOLDER_SYNC: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}


@dataclass(frozen=True)
class ResultsPaths:
    """`<name>.h5` and what lies beside it: the journal, the lock, and the file being packed."""

    h5: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> ResultsPaths:
        """Name the files of a results file.

        Raises:
            InputError: when the name does not end in .h5.
        """
        h5 = Path(path)
        if h5.suffix != ".h5":
            raise InputError(f"results file {str(h5)!r}: the name must end in .h5, e.g. {str(h5.with_suffix('.h5'))!r}")
        return cls(h5)

    @property
    def journal(self) -> Path:
        """Rows that are not packed yet."""
        return self.h5.with_suffix(".journal")

    @property
    def beginning(self) -> Path:
        """The next journal until its first lines are on the disk; a leftover of a killed process is worthless."""
        return self.h5.with_suffix(".journal.beginning")

    @property
    def lock(self) -> Path:
        """Who is writing."""
        return self.h5.with_suffix(".lock")

    @property
    def packing(self) -> Path:
        """The next HDF5 file while it is being written; a leftover of a killed process is worthless."""
        return self.h5.with_suffix(".h5.packing")


def write_at(handle: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at `offset` bytes; one system call may write less than it was given."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(handle, rest, offset)
        rest, offset = rest[written:], offset + written


def read_all(path: Path) -> bytes | None:
    """The bytes of a file, or None when there is no such file."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def sync_folder(folder: Path) -> None:
    """Make creations and renames in a folder survive a power cut, where the file system can."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        close_handle(handle)


def close_handle(handle: int) -> None:
    """Close a file of which everything that matters is synced. The kernel lets go of it also where it reports an error, which is logged."""
    try:
        os.close(handle)
    except OSError as error:
        _log.warning("closing a file that is on the disk already: %s", error)


def remove_if_there(path: Path) -> None:
    """Remove a file; it is fine if there is none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
