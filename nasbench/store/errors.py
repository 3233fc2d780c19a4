"""What can go wrong with a results file; each error is one line that names the file and what to do."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from nasbench.errors import NasbenchError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_FAILING = _FULL | _FORBIDDEN | {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO}


class StoreError(NasbenchError):
    """A results file that cannot be read or written."""


class MissingResults(StoreError, FileNotFoundError):
    """No results file of that name."""


class CorruptResults(StoreError):
    """Bytes that are not what was written, or cannot be read; the message names the dataset or the line and what it affects."""


class NewerSchema(StoreError):
    """A file written by a later version of the suite."""

    @classmethod
    def of(cls, path: Path, found: int, known: int) -> NewerSchema:
        """The error for a file of schema `found` where this version reads up to `known`."""
        return cls(
            f"{path} was written by schema {found}, this nasbench reads up to {known}: upgrade nasbench-suite to read it"
        )


class OlderSchema(StoreError):
    """A file written by an earlier version of the suite, whose columns are not those of this one."""

    @classmethod
    def of(cls, path: Path, found: int, known: int) -> OlderSchema:
        """The error for a file of schema `found` where this version reads `known`."""
        return cls(
            f"{path} was written by schema {found}, this nasbench reads {known}: bring it up with nasbench migrate {path.with_suffix('.h5')}"
        )


class ResultsLocked(StoreError):
    """Another process owns the file."""


class NotALock(StoreError):
    """Something under a lock file's name that no process that writes puts there."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is {what}, so no lock can be there: remove it and run this again")


class OwnershipLost(StoreError):
    """Another process owns the file that this one was writing."""


class DuplicateChild(StoreError):
    """A child whose run, stage and index the file has already."""


class NotPermitted(StoreError):
    """A folder or file that may not be read or written."""


class DiskFull(StoreError):
    """No room on the disk, or the quota is used up."""


def failed_call(error: Exception) -> OSError | None:
    """What a failing disk, network or permission said through HDF5; None for anything else.

    HDF5 puts the number of the failed call into its text only. A damaged file makes calls fail, too, but as nonsense (EINVAL), not so.

    Args:
        error: what h5py raised.
    """
    number = getattr(error, "errno", None)
    said = re.search(r"errno = (\d+)", str(error))
    number = int(said[1]) if not number and said else number
    return OSError(number, os.strerror(number)) if number in _FAILING else None


def explain(error: OSError, path: Path, doing: str) -> StoreError:
    """Turn a failed system call into the error that tells a person what to do.

    Args:
        error: what the call raised.
        path: the file it was about.
        doing: what was being done, e.g. "appending a row".

    Returns:
        The error to raise; nothing that was acknowledged before is lost in any of them.
    """
    if error.errno in _FULL:
        return DiskFull(
            f"{path}: disk full while {doing}; free some space and resume, all acknowledged rows are on the disk"
        )
    if error.errno in _FORBIDDEN:
        return NotPermitted(
            f"{path}: no permission while {doing} ({error.strerror}); "
            "make the folder and its files accessible or choose another place"
        )
    return StoreError(
        f"{path}: {error.strerror or error} while {doing}; fix it and resume, all acknowledged rows are on the disk"
    )
