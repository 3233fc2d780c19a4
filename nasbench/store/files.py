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
        h5: path of the HDF5 file, no symbolic link: of a file with several names each must lead to the same lock.
    """

    h5: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> ResultsPaths:
        """Make the paths of a results file. A symbolic link is followed: journal and lock lie beside the file it means.

        Args:
            path: the results file, ending in .h5, or a link of such a name to a file of any name.

        Returns:
            Its paths.

        Raises:
            InputError: when the name does not end in .h5, or it or the journal's is that of a folder, a pipe, a socket or a
                device, from which reading may never end; for links that lead in a circle; and when a journal lies
                beside a link.
        """
        h5 = Path(path)
        if h5.suffix != ".h5":
            example = str(h5.with_suffix(".h5")) if h5.name else "results/a.h5"
            raise InputError(f"results file {str(path)!r}: the name must end in .h5, e.g. {example!r}")
        paths = cls(_followed(h5))
        if paths.h5 != h5:
            _require_no_journal(h5, paths)
        for each in (paths.h5, paths.journal):
            require_regular(each, "results file", "name a file that ends in .h5")
        return paths

    def _beside(self, ending: str) -> Path:
        # What a link leads to may have another ending, e.g. in a store whose names are digests: it is kept, so that
        # two files that differ in it only share no journal.
        named = self.h5 if self.h5.suffix == ".h5" else self.h5.with_name(f"{self.h5.name}.h5")
        return named.with_suffix(ending)

    @property
    def journal(self) -> Path:
        """Rows that are not packed yet."""
        return self._beside(".journal")

    @property
    def beginning(self) -> Path:
        """The next journal until its first lines are on the disk; one left by a killed process can be deleted."""
        return self._beside(".journal.beginning")

    @property
    def lock(self) -> Path:
        """The lock file, which names the process that writes."""
        return self._beside(".lock")

    @property
    def packing(self) -> Path:
        """The next HDF5 file while it is being written; one left by a killed process can be deleted."""
        return self._beside(".h5.packing")


def _followed(path: Path) -> Path:
    if not os.path.islink(path):
        return path
    real = Path(os.path.realpath(path))
    if os.path.islink(real):
        raise InputError(f"results file {str(path)!r}: this link leads in a circle; name a file that ends in .h5")
    return real


def _require_no_journal(link: Path, paths: ResultsPaths) -> None:
    """Refuse a link with a journal beside it, where earlier versions wrote it: its rows would be overlooked."""
    journal = link.with_suffix(".journal")
    if not os.path.lexists(journal) or os.path.realpath(journal) == os.path.realpath(paths.journal):
        return
    raise InputError(
        f"{link} is a link to {paths.h5}, and there may be rows in {journal}, beside the link: "
        f"move that file to {paths.journal}, where it belongs, or away if it is of another results file"
    )


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


def remove_leftovers(paths: ResultsPaths) -> None:
    """Remove the files that a killed process was writing. Only the owner of the lock may call this.

    Args:
        paths: the results file.

    Raises:
        OSError: when one cannot be removed.
    """
    for leftover in (paths.packing, paths.beginning):
        remove_if_there(leftover)


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
