"""Owner of a results file: the process that its lock file names, and a check of whether it is alive."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Final
from uuid import uuid4

from nasbench.processes import process_fields, process_runs
from nasbench.store.exclusive import read_text

_LARGEST_PID: Final = 2**31 - 1  # of pid_t; kill(2) takes no larger one


@dataclass(frozen=True)
class Owner:
    """The process that writes a results file.

    Fields with a default are missing in lock files of the earlier form; '' means unknown.

    Args:
        pid: its process number within `pid_namespace`.
        host: name of its host.
        process_start: its start time in clock ticks after boot; distinguishes it from a later process with the same
            pid.
        since: time at which it became the owner, UTC.
        boot: id of the host's boot, new after each boot; also differs between hosts of the same name.
        pid_namespace: namespace in which its pid is unique; each container on a host has its own.
        token: 16 random hexadecimal digits, which make the texts of any two owners different.
        flock: whether it also holds the kernel's flock on the lock file, which the kernel releases when the process
            ends.
    """

    pid: int
    host: str
    process_start: str
    since: str
    boot: str = ""
    pid_namespace: str = ""
    token: str = ""
    flock: bool = True

    @classmethod
    def me(cls, flock: bool = True) -> Owner:
        """Make the owner for this process, with the current time.

        Args:
            flock: whether the process holds the flock of the lock file.

        Returns:
            The owner.
        """
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        start = _process_start(os.getpid())
        return cls(os.getpid(), platform.node(), start, now, _boot(), _pid_namespace(), uuid4().hex[:16], flock)

    @classmethod
    def parse(cls, text: bytes) -> Owner | None:
        """Parse the text of a lock file. Fields of later versions are ignored.

        Args:
            text: bytes of the file.

        Returns:
            The owner; None if the text is incomplete or not that of a lock file.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):  # RecursionError: too many nested brackets
            return None
        if not isinstance(content, dict):
            return None
        known = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        if not {"pid", "host", "process_start", "since"} <= known.keys():
            return None
        return cls(**known) if all(_can_be(name, value) for name, value in known.items()) else None

    def text(self) -> bytes:
        """Return the text for the lock file.

        Returns:
            JSON in UTF-8.
        """
        return json.dumps(asdict(self)).encode()

    @property
    def is_this_process(self) -> bool:
        """Whether the owner is the calling process."""
        return (self.pid, self.host) == (os.getpid(), platform.node()) and self.lives is True

    @property
    def rebooted(self) -> bool:
        """Whether this host was booted since; also true if the owner is on another host of the same name."""
        return self.host == platform.node() and "" not in (self.boot, _boot()) and self.boot != _boot()

    @property
    def lives(self) -> bool | None:
        """Whether this very process is alive, and not a later one with the same pid.

        None if this cannot be determined from here: on another host, or in another container. A later process with the
        same pid that started within the same clock tick (10 ms) of the same boot would be taken for the owner.
        """
        if self.host != platform.node():
            return None
        if self.rebooted:
            return False
        if "" not in (self.pid_namespace, _pid_namespace()) and self.pid_namespace != _pid_namespace():
            return None
        if not process_runs(self.pid):
            return False
        return not self.process_start or self.process_start == _process_start(self.pid)

    def __str__(self) -> str:
        return f"pid {self.pid} on host {self.host} since {self.since}"


def read_owner(path: Path) -> Owner | None:
    """Read the owner from a lock file.

    Args:
        path: the lock file.

    Returns:
        The owner; None if the file is missing, or its text is not that of a lock file.

    Raises:
        NotALock: when it is not a file.
        OSError: when it cannot be read.
    """
    text = read_text(path)
    return None if text is None else Owner.parse(text)


def _can_be(name: str, value: object) -> bool:
    """Whether a value is valid for a field of `Owner`. Texts must be printable, so that messages stay on one line."""
    if name == "pid":
        return (
            type(value) is int and 1 <= value <= _LARGEST_PID
        )  # a bool is an int, too; 0 and -1 address several processes
    if name == "flock":
        return isinstance(value, bool)
    return isinstance(value, str) and value.isprintable()


def _process_start(pid: int) -> str:
    """Start time of a process in clock ticks after boot (field 22 of proc(5) stat), or '' if it is unknown."""
    fields = process_fields(pid)
    return fields[19] if fields else ""


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
