"""One writer per results file: a lock file that says who, that no two processes get, and that a dead owner does not keep.

The owner is the process whose text is in the lock file; `exclusive` says how it gets there. The kernel's flock on that file is used where
the file system has it, for the one thing that only the kernel knows: that the owner has ended, however it died. Where there is no flock
(Lustre, some NFS), and for owners on other hosts, whose flock a mount may keep to itself, the owner's process is looked up, or its heartbeat
is watched: a thread writes the text again every 10 s, which moves the file's time. Nothing is read from clocks of several hosts: an old
heartbeat is one that did not move while somebody watched for 75 s by their own clock.

A process that was stopped for longer than that may wake up as the owner no more. So the text is read again before each append and again
before the append is acknowledged: when a row is acknowledged, its process was still the owner after the row was on the disk, and whoever
takes the file over later finds it there. What it writes after that goes into a journal that has no name any more (`journal.renew_journal`). What is
left is a process that is stopped for a minute just between such a look and the rename or removal that follows it.
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
OLD_S: Final = (
    75.0  # of many beats, and longer than an NFS client may keep a file's time without asking the server (60 s)
)
LOOK_S: Final = 1.0
UNFINISHED_S: Final = 2.0  # writing the text of a lock takes milliseconds
ATTEMPTS: Final = 400  # of PAUSE_S, while other processes are at it, which takes them milliseconds
PAUSE_S: Final = 0.005


@dataclass(frozen=True)
class _Seen:
    """What is under the lock's name: its text, the file and its time, and whether a process holds it by flock (None: no flock here)."""

    text: bytes
    inode: int
    time_ns: int
    flocked: bool | None

    @property
    def owner(self) -> Owner | None:
        return Owner.parse(self.text)


class ResultsLock:
    """The right to write one results file, from construction until `release`.

    A dead owner's place is taken on its host without being asked. On another host only by `take_over`, and only when its heartbeat did not
    move for a minute.

    Args:
        paths: the files of the results file; the folder must exist.
        take_over: whether to take the place of an owner on another host, or in another container, that shows no sign of life.

    Attributes:
        owner: this process.
        previous_may_live: whether the owner before was taken for dead by its heartbeat; then it may yet wake up, and write.

    Raises:
        ResultsLocked: when another process owns it; names its pid, host and since when, and what to do.
        StoreError: when the lock file cannot be made; none is left.
    """

    def __init__(self, paths: ResultsPaths, take_over: bool = False) -> None:
        self.paths, self.owner, self.previous_may_live = paths, Owner.me(), False
        self._take_over = take_over
        self._handle = -1
        self._draft: Draft | None = None
        self._refused: ResultsLocked | None = None  # because of a claim
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

    # -- getting it ---------------------------------------------------------------------------------------------------

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
            except FileNotFoundError:  # a new owner swept up the draft, unless the folder is gone
                if not self.paths.lock.parent.is_dir():
                    raise
                self._drop_draft()
            time.sleep(PAUSE_S)
        seen = _look(self.paths.lock)
        raise self._refused or ResultsLocked(self._writing(seen.owner if seen else None))

    def _try(self, draft: Draft) -> bool:
        """One attempt; False when it is worth another, because other processes are at it."""
        taken = draft.put(self.paths.lock) or self._replace(draft)
        # A process that took this one for dead over its claim may have been faster.
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
            return False  # about to be the owner, if it lives; the next attempt sees whether it is

    def _is_gone(self, name: Path, seen: _Seen) -> bool:
        """Whether the owner is gone for good; False when it is worth another look.

        Raises:
            ResultsLocked: when it lives, or that cannot be told.
        """
        owner = seen.owner
        if seen.flocked and (owner is None or owner.lives is False):
            return (
                False  # a forked child of a dead owner keeps the flock for the moment in which it learns that it is one
            )
        if seen.flocked:
            raise ResultsLocked(self._writing(owner))
        if owner is None:
            return seen.flocked is False or self._stands_still(name, seen, UNFINISHED_S)
        if owner.is_this_process and owner.token not in _held:
            return True  # it could not be removed when it was released
        if owner.lives:
            raise ResultsLocked(self._writing(owner))
        return self._is_gone_unseen(name, seen, owner)

    def _is_gone_unseen(self, name: Path, seen: _Seen, owner: Owner) -> bool:
        """The same for an owner of whom neither a process nor a flock is seen here."""
        if owner.host == platform.node() and owner.flock and seen.flocked is False:
            return True  # on one host the kernel would hold its flock, whatever container it is in
        if owner.rebooted:
            # Else the machine is another one of that name. What passed before counts: both times are of one clock, if the host is the same.
            passed_s = (_time_of(self._draft) - seen.time_ns) / 1e9
            return self._stands_still(name, seen, OLD_S - max(passed_s, 0.0))
        if owner.lives is False:
            return True
        if not self._take_over:
            raise ResultsLocked(
                f"{self._written_by(owner)}; {self._cannot_tell(owner)}: if it is gone, run this again with --take-over, "
                f"which watches its heartbeat for {OLD_S:.0f} s first"
            )
        return self._stands_still(name, seen, OLD_S)

    def _stands_still(self, name: Path, seen: _Seen, seconds: float) -> bool:
        """Watch a heartbeat, by the clock of this process alone.

        Raises:
            ResultsLocked: when it moves.
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

    # -- having it ----------------------------------------------------------------------------------------------------

    def confirm(self) -> None:
        """Make sure that this process is the owner still: before it writes, and before it says that what it wrote is kept.

        Raises:
            OwnershipLost: when it is not; nothing more may be written.
            StoreError: when that cannot be told.
        """
        if self._handle < 0:
            raise StoreError(f"{self.paths.h5}: this process has given the file up")
        try:
            text = read_text(self.paths.lock)
        except NotALock as error:
            raise OwnershipLost(
                f"{error}; it was put there while this process was writing {self.paths.h5}: this process stops, "
                f"all acknowledged rows are kept; go on with nasbench resume {self.paths.h5}"
            ) from error
        except OSError as error:
            raise explain(error, self.paths.lock, "looking who owns it") from error
        if text == self._text:
            return
        if text is None:
            raise OwnershipLost(
                f"{self.paths.lock} was removed while this process was writing {self.paths.h5}, so that others may write it now: "
                f"this process stops, all acknowledged rows are kept; go on with nasbench resume {self.paths.h5}"
            )
        raise OwnershipLost(
            f"{self.paths.h5} was taken over by {Owner.parse(text) or 'another process'} while this process stood still: it stops, "
            f"all acknowledged rows are kept; go on with nasbench resume {self.paths.h5} when that one has ended"
        )

    def blame(self) -> None:
        """After a failure: raise `OwnershipLost` if this process is the owner no more, which then is the reason."""
        try:
            self.confirm()
        except OwnershipLost:
            raise
        except StoreError:
            return  # the lock cannot be read either: the first failure says more

    def _beat(self) -> None:
        failed = False
        while not self._ended.wait(BEAT_S):
            try:
                if read_text(self.paths.lock) != self._text:
                    return  # lost; the next append says so
                # The same bytes: it moves the file's time, which the file server sets, needs no space and is never half done.
                write_at(self._handle, self._text, 0)
                os.fsync(self._handle)
                failed = False
            except NotALock:
                return  # lost likewise
            except OSError as error:
                if not failed:
                    _log.warning("%s: the heartbeat failed, it is tried on: %s", self.paths.lock, error.strerror)
                failed = True

    # -- giving it up -------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Give the right up and remove the lock file; a second call does nothing, nor does it after the right was lost."""
        if self._handle < 0:
            return
        self._stop_beating()
        try:
            # Removed while held: whoever looks at this very file finds that it is no longer the one under this name.
            if read_text(self.paths.lock) == self._text:
                os.unlink(self.paths.lock)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise explain(error, self.paths.lock, "removing the lock") from error
        finally:
            self._close()

    def _withdraw(self) -> None:
        """Leave nothing behind after a failure or Ctrl-C on the way to the lock."""
        try:
            if self._text and read_text(self.paths.lock) == self._text:
                drop(self.paths.lock)
        except NotALock:
            pass  # not this process's text; the failure that led here says so
        except OSError as error:
            _log.warning("%s: could not be looked at again: %s", self.paths.lock, error.strerror)
        self._stop_beating()
        self._drop_draft()
        self._close()

    def _stop_beating(self) -> None:
        self._ended.set()
        if self._beating.ident is not None:
            self._beating.join()  # before its handle is another file's

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


_held: dict[str, ResultsLock] = {}  # by token: those that this process has, or is about to have


def _after_fork() -> None:
    # A forked child shares the flock; were it to outlive its parent, the file would stay locked by a process that never writes.
    for lock in list(_held.values()):
        lock._close_in_fork()
    _held.clear()


os.register_at_fork(after_in_child=_after_fork)


def _look(name: Path) -> _Seen | None:
    """What is under a name now, None where there is nothing. The file is opened for it: on NFS that asks the server, stat(2) the cache."""
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
