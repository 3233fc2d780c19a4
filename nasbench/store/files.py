"""The files that make up one results file, and durable operations on them."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nasbench.errors import InputError, require_regular
from nasbench.store.format.opening import open_plain

_log = logging.getLogger(__name__)

# Errors of fsync on a folder if the file system cannot sync folders (some FUSE and network mounts). They are ignored:
# creations and renames are as durable there as that file system makes them. For files they remain errors, because an
# acknowledged row must be on the disk.
NO_FOLDER_SYNC: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}


@dataclass(frozen=True)
class ResultsPaths:
    """Paths of `<name>.h5` and the files beside it: the journal, the lock, and the file being packed.

    Args:
        h5: path of the HDF5 file.
    """

    h5: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> ResultsPaths:
        """Make the paths of a results file.

        Args:
            path: the results file, ending in .h5.

        Returns:
            Its paths.

        Raises:
            InputError: when the name does not end in .h5, or it or the journal's is that of a folder, a pipe, a socket or a
                device, from which reading may never end.
        """
        h5 = Path(path)
        if h5.suffix != ".h5":
            example = str(h5.with_suffix(".h5")) if h5.name else "results/a.h5"
            raise InputError(f"results file {str(path)!r}: the name must end in .h5, e.g. {example!r}")
        paths = cls(h5)
        for each in (paths.h5, paths.journal):
            require_regular(each, "results file", "name a file that ends in .h5")
        return paths

    @property
    def journal(self) -> Path:
        """Rows that are not packed yet."""
        return self.h5.with_suffix(".journal")

    @property
    def beginning(self) -> Path:
        """The next journal until its first lines are on the disk; one left by a killed process can be deleted."""
        return self.h5.with_suffix(".journal.beginning")

    @property
    def lock(self) -> Path:
        """The lock file, which names the process that writes."""
        return self.h5.with_suffix(".lock")

    @property
    def packing(self) -> Path:
        """The next HDF5 file while it is being written; one left by a killed process can be deleted."""
        return self.h5.with_suffix(".h5.packing")


def write_at(handle: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data` at byte `offset`, with several system calls if one writes only a part.

    Args:
        handle: file number of a file open for writing.
        data: bytes to write.
        offset: position in bytes, >= 0.
    """
    rest = memoryview(data)
    while rest:
        written = os.pwrite(handle, rest, offset)
        rest, offset = rest[written:], offset + written


def read_all(path: Path) -> bytes | None:
    """Read the bytes of a file.

    Args:
        path: the file.

    Returns:
        Its bytes; None if there is no such file.

    Raises:
        OSError: when it cannot be read.
    """
    try:
        with open_plain(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


def sync_folder(folder: Path) -> None:
    """Make creations and renames in a folder survive a power cut, if the file system can.

    Args:
        folder: the folder.

    Raises:
        OSError: when the sync fails on a file system that can do it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        close_handle(handle)


def close_handle(handle: int) -> None:
    """Close a file that is synced already. An error is only logged, because the kernel closes the file all the same.

    Args:
        handle: file number of the open file.
    """
    try:
        os.close(handle)
    except OSError as error:
        _log.warning("closing a file that is on the disk already: %s", error)


def remove_if_there(path: Path) -> None:
    """Remove a file if it exists.

    Args:
        path: the file.

    Raises:
        OSError: when it cannot be removed.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
