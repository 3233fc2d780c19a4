"""One writer per results file: a lock file names the owner, which is one process only and loses the lock when it ends.

The owner is the process whose text is in the lock file; `exclusive` describes how the text gets there. The owner also
holds the kernel's flock on that file if the file system supports flock, because only the kernel knows for certain that
a process has ended. Some file systems have no flock (Lustre, some NFS), and a mount may hide the flock of an owner on
another host. In these cases the owner's process is looked up, or its heartbeat is watched: a thread of the owner
rewrites the text every 10 s, which changes the file's modification time. Clocks of different hosts are never compared:
a heartbeat counts as stopped if it did not move while the watching process waited 75 s by its own clock.

A process that was suspended for longer than that may no longer be the owner when it continues. Therefore the text is
read before each append, and again before the append is acknowledged: when a row is acknowledged, its process was still
the owner after the row was on the disk, and any later owner finds the row there. Later writes of the former owner go
into a journal file that has lost its name (`journal.renew_journal`). One gap remains: a process that is suspended for a
minute exactly between this check and the rename or removal that follows it.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from nasbench.store.errors import NotALock, OwnershipLost, ResultsLocked, StoreError, explain
from nasbench.store.exclusive import TEXT_BYTES, Draft, drop, is_flocked, open_text, read_text, sweep
from nasbench.store.files import ResultsPaths, close_handle, write_at
from nasbench.store.owner import Owner

_log = logging.getLogger(__name__)

BEAT_S: Final = 10.0
OLD_S: Final = 75.0  # several heartbeats, and longer than an NFS client may cache a file's time (60 s)
LOOK_S: Final = 1.0
UNFINISHED_S: Final = 2.0  # far longer than writing a lock file's text takes (milliseconds)
ATTEMPTS: Final = 400  # of PAUSE_S, while other processes are at it, which takes them milliseconds
PAUSE_S: Final = 0.005


@dataclass(frozen=True)
class _Seen:
    """State of a lock file: its text, inode, modification time, and whether its flock is held (None: no flock here)."""

    text: bytes
    inode: int
    time_ns: int
    flocked: bool | None

    @property
    def owner(self) -> Owner | None:
        return Owner.parse(self.text)


class ResultsLock:
    """The right to write one results file, from construction until `release`.

    A dead owner on this host is replaced automatically. An owner on another host is replaced only with `take_over`, and
    only if its heartbeat has not moved for 75 s.

    Args:
        paths: the files of the results file; the folder must exist.
        take_over: whether to replace an owner on another host, or in another container, whose heartbeat has stopped.

    Attributes:
        owner: this process.
        previous_may_live: whether a previous owner may still continue, and write: it was replaced because its heartbeat
            had stopped, or there was no lock file, which somebody may have removed under it.

    Raises:
        ResultsLocked: when another process owns it; names its pid, host and since when, and what to do.
        StoreError: when the lock file cannot be made; none is left.
    """

    def __init__(self, paths: ResultsPaths, take_over: bool = False) -> None:
        self.paths, self.owner, self.previous_may_live = paths, Owner.me(), False
        self._take_over = take_over
        self._handle = -1
        self._draft: Draft | None = None
        self._refused: ResultsLocked | None = None  # raised if all attempts fail: the owner of a claim may be alive
        self._text = b""
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name=f"heartbeat of {paths.lock}", daemon=True)
        _held[self.owner.token] = self
        try:
            self._acquire()
            sweep(paths.lock, self._text)
            self._beating.start()
        except BaseException as error:
            self._withdraw()
            if isinstance(error, OSError):
                raise explain(error, paths.lock, "taking the lock") from error
            raise

    # -- acquiring ----------------------------------------------------------------------------------------------------

    def _acquire(self) -> None:
        for _ in range(ATTEMPTS):
            try:
                if self._draft is None:
                    self._draft = Draft(self.paths.lock, self._signed, self.owner.token)
                    self._text = self._draft.text
                if self._try(self._draft):
                    self._handle, self._draft.handle = self._draft.handle, -1
                    self._drop_draft()
                    return
            except FileNotFoundError:  # a new owner removed the draft, unless the folder is gone
                if not self.paths.lock.parent.is_dir():
                    raise
                self._drop_draft()
            time.sleep(PAUSE_S)
        seen = _look(self.paths.lock)
        raise self._refused or ResultsLocked(self._writing(seen.owner if seen else None))

    def _try(self, draft: Draft) -> bool:
        """Try once to get the lock; False if another attempt is worthwhile, because other processes are trying, too."""
        free = draft.put(self.paths.lock)
        taken = free or self._replace(draft)
        self.previous_may_live = self.previous_may_live or free
        # Another process may have taken this one for dead and have used its claim first.
        return taken and read_text(self.paths.lock) == self._text

    def _drop_draft(self) -> None:
        if self._draft is not None:
            self._draft.drop()
            self._draft.close()
            self._draft = None

    def _signed(self, flocked: bool) -> bytes:
        self.owner = replace(Owner.me(flocked), token=self.owner.token)
        return self.owner.text()

    def _replace(self, draft: Draft) -> bool:
        seen = _look(self.paths.lock)
        if seen is None or not self._is_gone(self.paths.lock, seen):
            return False
        return draft.replace(self.paths.lock, seen.text, self._is_gone_from)

    def _is_gone_from(self, claim: Path) -> bool:
        seen = _look(claim)
        if seen is None:
            return False
        try:
            return self._is_gone(claim, seen)
        except ResultsLocked as refused:
            self._refused = refused
            return False  # if it is alive, it is about to become the owner; the next attempt sees it

    def _is_gone(self, name: Path, seen: _Seen) -> bool:
        """Whether the owner has ended; False if this cannot be said yet and another attempt is worthwhile.

        Raises:
            ResultsLocked: when the owner is alive, or when this host cannot find out.
        """
        owner = seen.owner
        if seen.flocked and (owner is None or owner.lives is False):
            return False  # a forked child of a dead owner holds the flock until its after-fork hook has closed the file
        if seen.flocked:
            raise ResultsLocked(self._writing(owner))
        if owner is None:
            return seen.flocked is False or self._stands_still(name, seen, UNFINISHED_S)
        if owner.is_this_process and owner.token not in _held:
            return True  # this process released it, but could not remove the file
        if owner.lives:
            raise ResultsLocked(self._writing(owner))
        return self._is_gone_unseen(name, seen, owner)

    def _is_gone_unseen(self, name: Path, seen: _Seen, owner: Owner) -> bool:
        """Same as `_is_gone`, for an owner whose process and flock are not visible from here."""
        if owner.host == platform.node() and owner.flock and seen.flocked is False:
            return True  # on the same host its flock would be visible, also across containers
        if owner.rebooted:
            # Either this host was rebooted, or another host has the same name. The time since the last heartbeat counts
            # towards the wait: if it is the same host, both file times are of one clock.
            passed_s = (_time_of(self._draft) - seen.time_ns) / 1e9
            return self._stands_still(name, seen, OLD_S - max(passed_s, 0.0))
        if owner.lives is False:
            return True
        if not self._take_over:
            raise ResultsLocked(
                f"{self._written_by(owner)}; {self._cannot_tell(owner)}: if it is gone, run this again with "
                "--take-over, "
                f"which watches its heartbeat for {OLD_S:.0f} s first"
            )
        return self._stands_still(name, seen, OLD_S)

    def _stands_still(self, name: Path, seen: _Seen, seconds: float) -> bool:
        """Watch a heartbeat for `seconds` of this process's own clock.

        Returns:
            True if it did not move, False if the file was replaced.

        Raises:
            ResultsLocked: when it moves, which shows that the owner is alive.
        """
        if seen.owner is not None and seconds > 0:
            _log.warning("%s: watching for %.0f s whether %s is alive", self.paths.h5, seconds, seen.owner)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_S))
            now = _look(name)
            if now is None or now.text != seen.text:
                return False
            if (now.inode, now.time_ns) != (seen.inode, seen.time_ns):
                raise ResultsLocked(
                    f"{self._writing(seen.owner)}: its heartbeat moved within {seconds - left:.0f} s, so it is alive"
                )
        self.previous_may_live = True
        return True

    def _cannot_tell(self, owner: Owner) -> str:
        if owner.host != platform.node():
            return f"this host is {platform.node()} and cannot tell whether that process lives"
        return "that is another container, where this one cannot tell whether the process lives"

    def _written_by(self, owner: Owner | None) -> str:
        return f"{self.paths.h5} is being written by {owner or 'another process'}"

    def _writing(self, owner: Owner | None) -> str:
        return f"{self._written_by(owner)}; wait for it or choose another file"

    # -- owning ----------------------------------------------------------------------------------------------------

    def confirm(self) -> None:
        """Check that this process is still the owner.

        Called before it writes, and before it acknowledges the rows that it wrote.

        Raises:
            OwnershipLost: when it is not; nothing more may be written.
            StoreError: when the lock file cannot be read.
        """
        if self._handle < 0:
            raise StoreError(f"{self.paths.h5}: this process has given the file up")
        try:
            text, inode = _text_and_inode(self.paths.lock)
            mine = os.fstat(self._handle)
        except NotALock as error:
            raise OwnershipLost(
                f"{error}; it was put there while this process was writing {self.paths.h5}: this process stops, "
                f"all acknowledged rows are kept; go on with nasbench resume {self.paths.h5}"
            ) from error
        except OSError as error:
            raise explain(error, self.paths.lock, "looking who owns it") from error
        if text == self._text and inode == (mine.st_dev, mine.st_ino):
            return
        if text is None or text == self._text:  # a copy that was put there has no flock, and its time does not move
            raise OwnershipLost(
                f"{self.paths.lock} was removed while this process was writing {self.paths.h5}, so that others may "
                "write it now: "
                f"this process stops, all acknowledged rows are kept; go on with nasbench resume {self.paths.h5}"
            )
        raise OwnershipLost(
            f"{self.paths.h5} was taken over by {Owner.parse(text) or 'another process'} while this process stood "
            "still: it stops, "
            f"all acknowledged rows are kept; go on with nasbench resume {self.paths.h5} when that one has ended"
        )

    def blame(self) -> None:
        """Check after a failure whether this process is still the owner of the file.

        Raises:
            OwnershipLost: when it is not, which caused the failure.
        """
        try:
            self.confirm()
        except OwnershipLost:
            raise
        except StoreError:
            return  # the lock cannot be read either; the first failure is the more useful message

    def _beat(self) -> None:
        failed = False
        while not self._ended.wait(BEAT_S):
            try:
                if read_text(self.paths.lock) != self._text:
                    return  # ownership is lost; the next append reports it
                # Writing the same bytes changes the file's time (set by the file server), needs no space and cannot
                # leave a half-written text.
                write_at(self._handle, self._text, 0)
                os.fsync(self._handle)
                failed = False
            except NotALock:
                return  # lost, too
            except OSError as error:
                if not failed:
                    _log.warning("%s: the heartbeat failed, it is tried on: %s", self.paths.lock, error.strerror)
                failed = True

    # -- releasing --------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Give up ownership and remove the lock file. Does nothing if ownership was given up or lost before.

        Raises:
            StoreError: when the lock file cannot be removed.
        """
        if self._handle < 0:
            return
        self._stop_beating()
        try:
            # Removed while the flock is held: a process that has this file open sees that it no longer has this name.
            if read_text(self.paths.lock) == self._text:
                os.unlink(self.paths.lock)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise explain(error, self.paths.lock, "removing the lock") from error
        finally:
            self._close()

    def _withdraw(self) -> None:
        """Remove the files of an attempt to lock that failed or was interrupted by Ctrl-C."""
        try:
            if self._text and read_text(self.paths.lock) == self._text:
                drop(self.paths.lock)
        except NotALock:
            pass  # not this process's text; the failure that led here reports it
        except OSError as error:
            _log.warning("%s: could not be looked at again: %s", self.paths.lock, error.strerror)
        self._stop_beating()
        self._drop_draft()
        self._close()

    def _stop_beating(self) -> None:
        self._ended.set()
        if self._beating.ident is not None:
            self._beating.join()  # before its file number can be reused for another file

    def _close(self) -> None:
        _held.pop(self.owner.token, None)
        if self._handle >= 0:
            close_handle(self._handle)
            self._handle = -1

    def _close_in_fork(self) -> None:
        if self._draft is not None:
            self._draft.close()
        if self._handle >= 0:
            close_handle(self._handle)
            self._handle = -1


_held: dict[str, ResultsLock] = {}  # locks that this process owns or is acquiring, by token


def _after_fork() -> None:
    # A forked child shares the flock. If it outlived its parent, the file would stay locked by a process that never
    # writes.
    for lock in list(_held.values()):
        lock._close_in_fork()
    _held.clear()


os.register_at_fork(after_in_child=_after_fork)


def _text_and_inode(name: Path) -> tuple[bytes | None, tuple[int, int]]:
    """Text of a lock file with its device and inode; (None, (0, 0)) if there is none."""
    handle = open_text(name)
    if handle is None:
        return None, (0, 0)
    try:
        status = os.fstat(handle)
        return os.pread(handle, TEXT_BYTES, 0), (status.st_dev, status.st_ino)
    finally:
        close_handle(handle)


def _look(name: Path) -> _Seen | None:
    """Read the state of a lock file, None if there is none.

    The file is opened because on NFS that asks the server; stat(2) may be cached.
    """
    handle = open_text(name)
    if handle is None:
        return None
    try:
        status = os.fstat(handle)
        return _Seen(os.pread(handle, TEXT_BYTES, 0), status.st_ino, status.st_mtime_ns, is_flocked(handle))
    finally:
        close_handle(handle)


def _time_of(draft: Draft | None) -> int:
    assert draft is not None
    return os.fstat(draft.handle).st_mtime_ns
