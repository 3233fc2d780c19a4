"""Errors of results files. Each message is one line that names the file and says what to do."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Final

from nasbench.errors import NasbenchError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_FAILING = _FULL | _FORBIDDEN | {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO}


class StoreError(NasbenchError):
    """A results file cannot be read or written."""


class MissingResults(StoreError, FileNotFoundError):
    """There is no results file of that name."""


class CorruptResults(StoreError):
    """Stored bytes are damaged or unreadable; the message names the dataset or the line and what is affected."""


class NewerSchema(StoreError):
    """The file was written by a later version of nasbench."""

    @classmethod
    def of(cls, path: Path, found: int, known: int) -> NewerSchema:
        """Make the error for a file whose schema is newer than this version can read.

        Args:
            path: the file.
            found: its schema version.
            known: latest schema version that can be read.

        Returns:
            The error, to be raised.
        """
        return cls(
            f"{path} was written by schema {found}, this nasbench reads up to {known}: upgrade nasbench-suite to "
            "read it"
        )


class OlderSchema(StoreError):
    """The file was written by an earlier version of nasbench, with other columns."""

    @classmethod
    def of(cls, path: Path, found: int, known: int) -> OlderSchema:
        """Make the error for a file whose schema is older than this version can read.

        Args:
            path: the file.
            found: its schema version.
            known: schema version that can be read.

        Returns:
            The error, to be raised.
        """
        return cls(
            f"{path} was written by schema {found}, this nasbench reads {known}: bring it up with nasbench migrate "
            f"{path.with_suffix('.h5')}"
        )


class ResultsLocked(StoreError):
    """Another process owns the file."""


class NotALock(StoreError):
    """Something else has the name of the lock file: a folder, a pipe, a device or a broken link.

    Args:
        path: path of the lock file.
        what: kind of the thing that has this name, e.g. "a folder".
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is {what}, so no lock can be there: remove it and run this again")


class OwnershipLost(StoreError):
    """Another process took over the file that this process was writing."""


class DuplicateChild(StoreError):
    """The file already has a child of the same run, stage and index."""


class NotPermitted(StoreError):
    """The permissions of a folder or file forbid reading or writing."""


class DiskFull(StoreError):
    """The disk is full, or the quota is used up."""


def failed_call(error: Exception) -> OSError | None:
    """Extract the system error of a failing disk, network or permission from an HDF5 error.

    HDF5 puts the error number into its text only. A damaged file makes calls fail, too, but with other numbers
    (EINVAL).

    Args:
        error: exception that h5py raised.

    Returns:
        The system error, or None if the cause is something else, e.g. damage.
    """
    number = getattr(error, "errno", None)
    said = re.search(r"errno = (\d+)", str(error))
    number = int(said[1]) if not number and said else number
    return OSError(number, os.strerror(number)) if number in _FAILING else None


RESUME: Final = "resume, all acknowledged rows are on the disk"


def explain(error: OSError, path: Path, doing: str, then: str = RESUME) -> StoreError:
    """Turn a failed system call into an error whose message says what to do.

    Args:
        error: exception of the call.
        path: the file concerned.
        doing: the action that failed, e.g. "appending a row".
        then: what to do when the cause is repaired, and what was kept.

    Returns:
        The error to raise. In every case all rows acknowledged before are kept.
    """
    if error.errno in _FULL:
        return DiskFull(f"{path}: disk full while {doing}; free some space and {then}")
    if error.errno in _FORBIDDEN:
        return NotPermitted(
            f"{path}: no permission while {doing} ({error.strerror}); "
            "make the folder and its files accessible or choose another place"
        )
    return StoreError(f"{path}: {error.strerror or error} while {doing}; fix it and {then}")
