"""One writer per results file: a lock file that says who, held by the kernel so that it dies with its owner."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from weakref import WeakSet

from nasbench.store.errors import ResultsLocked, StoreError, explain
from nasbench.store.files import ResultsPaths, close_handle, write_at

_NAMED_WITHIN_S = 2.0


@dataclass(frozen=True)
class Owner:
    """The process that writes: its pid, host, start (clock ticks after boot, '' where unknown) and since when (UTC)."""

    pid: int
    host: str
    process_start: str
    since: str

    @classmethod
    def me(cls) -> Owner:
        """This process, from now on."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return cls(os.getpid(), platform.node(), _process_start(os.getpid()), now)

    @property
    def is_alive_here(self) -> bool:
        """Whether this host still runs the very process, not a later one that was given the same pid."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it exists and belongs to another user
        return not self.process_start or self.process_start == _process_start(self.pid)


class ResultsLock:
    """The right to write one results file, from construction until `release`.

    The lock itself is an flock, which the kernel ends with the process however it dies, so of two takers of a dead owner's lock exactly
    one gets it. The text in the file is for people and for other hosts, where the kernel's answer cannot be trusted: a lock written on
    another host is never taken over.

    Args:
        paths: the files of the results file; the folder must exist.

    Raises:
        ResultsLocked: when another process owns it; names its pid, host and since when.
        StoreError: when the lock file cannot be made.
    """

    def __init__(self, paths: ResultsPaths) -> None:
        self.paths, self.owner = paths, Owner.me()
        try:
            self._handle = _lock_current_file(paths)
        except OSError as error:
            raise explain(error, paths.lock, "taking the lock") from error
        try:
            self._refuse_living_or_foreign()
            text = json.dumps(asdict(self.owner)).encode()
            os.ftruncate(self._handle, 0)
            write_at(self._handle, text, 0)
        except OSError as error:
            self._close()
            raise explain(error, paths.lock, "taking the lock") from error
        except StoreError:
            self._close()
            raise
        _held.add(self)

    def _refuse_living_or_foreign(self) -> None:
        previous = read_owner(self.paths.lock)
        if previous is None or (previous.pid, previous.host) == (self.owner.pid, self.owner.host):
            return
        if previous.host != self.owner.host:
            raise ResultsLocked(
                f"{_written_by(self.paths.h5, previous)}; this host is {self.owner.host} and cannot tell whether that process "
                f"lives: if it is gone, remove {self.paths.lock}"
            )
        if previous.is_alive_here:
            raise ResultsLocked(f"{_written_by(self.paths.h5, previous)}; wait for it or choose another file")

    def release(self) -> None:
        """Give the right up and remove the lock file; a second call does nothing."""
        if self._handle < 0:
            return
        try:
            # Removed while held: whoever waits on this very file finds that it is no longer the one under this name.
            os.unlink(self.paths.lock)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise explain(error, self.paths.lock, "removing the lock") from error
        finally:
            self._close()

    def _close(self) -> None:
        _held.discard(self)
        close_handle(self._handle)
        self._handle = -1

    def _close_in_fork(self) -> None:
        if self._handle >= 0:
            close_handle(self._handle)
            self._handle = -1


_held: WeakSet[ResultsLock] = WeakSet()


def _after_fork() -> None:
    # A forked child shares the flock; were it to outlive its parent, the file would stay locked by a process that never writes.
    for lock in list(_held):
        lock._close_in_fork()
    _held.clear()


os.register_at_fork(after_in_child=_after_fork)


def _lock_current_file(paths: ResultsPaths) -> int:
    """Open and flock the file that is under the lock's name now; a file removed meanwhile is tried again."""
    while True:
        handle = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_current(handle, paths.lock):
                return handle
        except BlockingIOError:
            close_handle(handle)
            raise _locked(paths) from None
        except BaseException:
            close_handle(handle)
            raise
        close_handle(handle)


def _is_current(handle: int, path: Path) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _locked(paths: ResultsPaths) -> ResultsLocked:
    # The owner writes its name just after it got the lock; until then the file is empty or names the one before, who is dead.
    until = time.monotonic() + _NAMED_WITHIN_S
    while True:
        owner = read_owner(paths.lock)
        named = owner is not None and (owner.host != platform.node() or owner.is_alive_here)
        if named or time.monotonic() > until:
            break
        time.sleep(0.01)
    if owner is not None:
        return ResultsLocked(f"{_written_by(paths.h5, owner)}; wait for it or choose another file")
    return ResultsLocked(f"{paths.h5} is being written by another process; wait for it or choose another file")


def _written_by(path: Path, owner: Owner) -> str:
    return f"{path} is being written by pid {owner.pid} on host {owner.host} since {owner.since}"


def read_owner(path: Path) -> Owner | None:
    """Who is named in a lock file; None when it is gone or says nothing readable (killed while it was written)."""
    try:
        return Owner(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _process_start(pid: int) -> str:
    """When a process started, in clock ticks after boot (field 22 of proc(5) stat), or '' where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    # The command, field 2, stands in parentheses and may hold blanks and parentheses itself.
    return stat.rpartition(")")[2].split()[19]
