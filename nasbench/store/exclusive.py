"""A text under a name that exactly one process gets, and its replacement by exactly one other, without the kernel's locks.

The name is given by link(2), of a file that is complete already: atomic on local disks and on every version of NFS, it shows nobody an
empty file and leaves none behind, whatever fails or dies. open(2) with O_EXCL, which would be the other way, makes an empty file first
(and was not atomic on NFS 2); it is the way only on file systems that have no hard links (FAT, some FUSE mounts).
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import stat
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Final

from nasbench.store.errors import NotALock
from nasbench.store.files import close_handle, remove_if_there, write_at

_log = logging.getLogger(__name__)

# What flock says where there is none: Lustre mounted without -o flock ENOSYS, NFS without a lock daemon ENOLCK, others the rest.
NO_FLOCK: Final = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
NO_LINK: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
TEXT_BYTES: Final = 4096  # more than any text has
_DIGITS: Final = 16


class Draft:
    """A text under a name of its own, ready to be put under `target`; held by flock where that works.

    Args:
        target: the name that it is for; the folder must exist.
        text: what to write, given whether flock works; no two drafts may have the same.
        token: 16 hexadecimal digits, for its own name.

    Raises:
        OSError: when it cannot be written; nothing is left.
    """

    def __init__(self, target: Path, text: Callable[[bool], bytes], token: str) -> None:
        self.path = target.with_name(f"{target.name}.{token}")
        self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            self.flocked = flock_works(self.handle, self.path)
            self.text = text(self.flocked)
            write_at(self.handle, self.text, 0)
            os.fsync(self.handle)  # NFS shows other hosts what was synced
        except BaseException:
            self.drop()
            self.close()
            raise

    def put(self, name: Path) -> bool:
        """Put the text under a name, if there is no such file; whether it is there now. Of several processes one is the first.

        Raises:
            OSError: when neither could be done.
        """
        try:
            os.link(self.path, name)
        except FileExistsError:
            # NFS sends a request again whose answer was lost, and the second fails because the first did not.
            return read_text(name) == self.text
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            return self._create(name)
        return True

    def _create(self, name: Path) -> bool:
        try:
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            return read_text(name) == self.text  # moved there with a claim, by a process that took this one for dead
        try:
            if self.flocked:
                fcntl.flock(handle, fcntl.LOCK_EX)
            write_at(handle, self.text, 0)
            os.fsync(handle)
        except BaseException:
            if is_current(handle, name):
                drop(name)
            close_handle(handle)
            raise
        self.close()
        self.handle = handle
        return True

    def replace(self, name: Path, seen: bytes, is_gone: Callable[[Path], bool]) -> bool:
        """Put the text in place of another, if that is there still; of several processes that try at most one does.

        First a claim on the very text that was seen is put beside it, which again one process gets, and only that one goes on: it looks
        whether the text is there still and moves the claim over it. The name is never free meanwhile. A rename of the old text out of the
        way would not do: a second process, later by a moment, would move the text of the first.

        Args:
            name: where the other text is.
            seen: the other text, of an owner that is gone.
            is_gone: whether the process whose text is under a name is gone, for claims of processes that died over theirs.

        Returns:
            Whether it did; if not, another process is at it or was before.

        Raises:
            OSError: when it could not be tried.
        """
        claim = claim_on(name, seen)
        if not self.put(claim):
            there = read_text(claim)
            if there is None or not is_gone(claim) or not self.replace(claim, there, is_gone):
                return False
        if read_text(name) != seen:
            drop(claim)
            return False
        try:
            os.replace(claim, name)
        except FileNotFoundError:  # swept up by the one that owns the name meanwhile
            return False
        return True

    def drop(self) -> None:
        """Remove the draft's own name, and keep the file open; done when it has another, or is not needed."""
        drop(self.path)

    def close(self) -> None:
        """Close the file, which ends the flock; a second call does nothing."""
        if self.handle >= 0:
            close_handle(self.handle)
            self.handle = -1


def claim_on(name: Path, text: bytes) -> Path:
    """The name of the claim to replace a text."""
    return name.with_name(f"{name.name}.{blake2b(text, digest_size=_DIGITS // 2).hexdigest()}")


def sweep(name: Path, text: bytes) -> None:
    """Remove drafts and claims that killed processes left; only for the process whose `text` is under the name.

    A living process whose draft is removed makes another, and finds the owner then; a claim on the owner's own text stays.
    """
    left = re.compile(re.escape(name.name) + rf"(\.[0-9a-f]{{{_DIGITS}}})+")
    kept = claim_on(name, text).name
    with os.scandir(name.parent) as entries:
        found = [entry.name for entry in entries if left.fullmatch(entry.name) and not entry.name.startswith(kept)]
    for other in found:
        drop(name.with_name(other))


def drop(path: Path) -> None:
    """Remove a worthless file. Where that fails it is logged: the next owner sweeps it up."""
    try:
        remove_if_there(path)
    except OSError as error:
        _log.warning("%s is not needed and could not be removed: %s", path, error.strerror)


def read_text(path: Path) -> bytes | None:
    """The bytes of a lock file, None where there is none; by opening it, which on NFS asks the server and not the cache."""
    handle = open_text(path)
    if handle is None:
        return None
    try:
        return os.pread(handle, TEXT_BYTES, 0)
    finally:
        close_handle(handle)


def open_text(path: Path) -> int | None:
    """Open a lock file for reading; None where there is none. Never waits, as a plain open of a named pipe does.

    A symbolic link to a file is followed.

    Raises:
        NotALock: when something else than a file is there: a pipe, a device, a socket, a folder, or a link that leads nowhere.
        OSError: when it cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink() and error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            raise NotALock(path, "a symbolic link that leads nowhere") from error
        if error.errno == errno.ENXIO:  # what open(2) says of sockets, and of devices that are not there
            raise NotALock(path, "a socket or a device and no file") from error
        if error.errno == errno.ENOENT:
            return None
        raise
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    close_handle(handle)
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISDIR, "a folder"))
    raise NotALock(path, f"{next((kind for matches, kind in kinds if matches(mode)), 'a device')} and no file")


def is_current(handle: int, path: Path) -> bool:
    """Whether an open file is the one under a name."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def flock_works(handle: int, path: Path) -> bool:
    """Flock an open file for this process alone; whether that works and keeps others out.

    Args:
        handle: of the file, open for writing, which no other process has.
        path: its name; it is opened once more to see that the flock counts.

    Raises:
        OSError: for what is no matter of flock, such as a failing disk.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_FLOCK:
            return False
        raise
    other = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return is_flocked(other) is True
    finally:
        close_handle(other)


def is_flocked(handle: int) -> bool | None:
    """Whether another open file holds a flock on this one; None where there is no flock."""
    try:
        # Shared, so that processes that look at the same time do not take each other for the owner.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in NO_FLOCK:
            return None
        raise
    return False
