"""Lock files without kernel locks: one process can create the file, and one other process can replace it.

The text is first written to a file of its own (a draft), which then gets the name by link(2). That is atomic on local
disks and on every version of NFS: no other process ever sees an empty file, and none is left behind by a failure or
kill. The alternative, open(2) with O_EXCL, creates an empty file first (and was not atomic on NFS 2). It is used only
on file systems without hard links (FAT, some FUSE mounts).

To replace the file, a process first links its draft as a *claim*, a second file whose name is derived from the text to
be replaced.
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

# Errors of flock on file systems without it: ENOSYS on Lustre mounted without -o flock, ENOLCK on NFS without a lock
# daemon, others elsewhere.
NO_FLOCK: Final = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
NO_LINK: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
TEXT_BYTES: Final = 4096  # more than the length of any text
_DIGITS: Final = 16


class Draft:
    """A complete file under a temporary name, ready to get the name `target`. Its flock is held if flock works.

    Args:
        target: the name to get later; the folder must exist.
        text: function that returns the bytes to write; its argument is whether flock works. No two drafts may have the
            same text.
        token: 16 hexadecimal digits, part of the temporary name.

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
        """Give the draft a name if no such file exists. If several processes try, exactly one succeeds.

        Args:
            name: the name to get.

        Returns:
            Whether this draft's text is under that name now.

        Raises:
            OSError: when the file can be created neither by a hard link nor with O_EXCL.
        """
        try:
            os.link(self.path, name)
        except FileExistsError:
            # If an answer was lost, NFS repeats the request; the second then fails because the first succeeded.
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
            return read_text(name) == self.text  # another process took this one for dead and moved its claim there
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
        """Replace another text with this one if that is still there. If several processes try, at most one succeeds.

        First a claim, whose name is derived from the old text, is created beside it. Only one process can create the
        claim, and only that one continues: it checks that the old text is still there and renames the claim over it.
        The name is never free in between. Renaming the old text away first would not be safe: a second process, a
        moment later, would move the new text of the first.

        Args:
            name: name of the file to replace.
            seen: its text, written by an owner that has ended.
            is_gone: function that returns whether the process whose text is in a file has ended; used for claims whose
                process died.

        Returns:
            Whether the text was replaced; if not, another process is replacing it or has replaced it.

        Raises:
            OSError: when a file could not be created or renamed.
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
        except FileNotFoundError:  # removed by the process that has become the owner meanwhile
            return False
        return True

    def drop(self) -> None:
        """Remove the draft's temporary name and keep the file open. Used once it has another name or is not needed."""
        drop(self.path)

    def close(self) -> None:
        """Close the file, which releases the flock. A second call does nothing."""
        if self.handle >= 0:
            close_handle(self.handle)
            self.handle = -1


def claim_on(name: Path, text: bytes) -> Path:
    """Return the name of the claim file that a process must create before it replaces a text.

    Args:
        name: name of the lock file.
        text: text to be replaced.

    Returns:
        The name, in the folder of the lock file.
    """
    return name.with_name(f"{name.name}.{blake2b(text, digest_size=_DIGITS // 2).hexdigest()}")


def sweep(name: Path, text: bytes) -> None:
    """Remove drafts and claims that killed processes left.

    Only the owner, whose `text` is under the name, may call this.

    A live process whose draft is removed creates another one and then finds the owner. A claim on the owner's own text
    stays.

    Args:
        name: name of the lock file.
        text: the owner's text.
    """
    left = re.compile(re.escape(name.name) + rf"(\.[0-9a-f]{{{_DIGITS}}})+")
    kept = claim_on(name, text).name
    with os.scandir(name.parent) as entries:
        found = [entry.name for entry in entries if left.fullmatch(entry.name) and not entry.name.startswith(kept)]
    for other in found:
        drop(name.with_name(other))


def drop(path: Path) -> None:
    """Remove a file that is not needed. A failure is only logged, because the next owner removes it.

    Args:
        path: the file.
    """
    try:
        remove_if_there(path)
    except OSError as error:
        _log.warning("%s is not needed and could not be removed: %s", path, error.strerror)


def read_text(path: Path) -> bytes | None:
    """Read the bytes of a lock file.

    The file is opened, because on NFS opening asks the server and not the cache.

    Args:
        path: the lock file.

    Returns:
        Its bytes, at most `TEXT_BYTES`; None if there is no such file.

    Raises:
        NotALock: when it is not a file.
        OSError: when it cannot be read.
    """
    handle = open_text(path)
    if handle is None:
        return None
    try:
        return os.pread(handle, TEXT_BYTES, 0)
    finally:
        close_handle(handle)


def open_text(path: Path) -> int | None:
    """Open a lock file for reading. Never blocks, unlike a plain open of a named pipe.

    A symbolic link to a file is followed.

    Args:
        path: the lock file.

    Returns:
        File number; None if there is no such file.

    Raises:
        NotALock: when it is not a file: a pipe, a device, a socket, a folder, or a broken symbolic link.
        OSError: when it cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if path.is_symlink() and error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            raise NotALock(path, "a symbolic link that leads nowhere") from error
        if error.errno == errno.ENXIO:  # the error of open(2) for sockets and for missing devices
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
    """Check whether an open file still has a given name.

    Args:
        handle: file number of the open file.
        path: the name.

    Returns:
        False if the name is gone or belongs to another file.
    """
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def flock_works(handle: int, path: Path) -> bool:
    """Take an exclusive flock on an open file; return whether that works and keeps other processes out.

    Args:
        handle: file number of the file, open for writing in this process only.
        path: its name; it is opened a second time to test that the flock excludes others.

    Returns:
        True if the flock was taken and excludes others.

    Raises:
        OSError: for errors that are not about flock, e.g. a failing disk.
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
    """Check whether another open file holds the flock.

    Args:
        handle: file number of the open lock file.

    Returns:
        True or False; None if flock is unavailable.

    Raises:
        OSError: when flock fails otherwise.
    """
    try:
        # Shared, because processes that look at the same time would otherwise take each other for the owner.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in NO_FLOCK:
            return None
        raise
    return False
