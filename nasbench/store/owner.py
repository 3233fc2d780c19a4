"""Who writes a results file: the process named in its lock file, and whether it lives."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Final
from uuid import uuid4

from nasbench.store.exclusive import read_text

_LARGEST_PID: Final = 2**31 - 1  # of pid_t; kill(2) takes no larger one


@dataclass(frozen=True)
class Owner:
    """The process that writes. Fields with a default are missing in lock files of the earlier form; '' is unknown.

    Args:
        pid: its number, among the processes of `pid_namespace`.
        host: name of its host.
        process_start: when it started, in clock ticks after boot; tells it from a later process that was given the same pid.
        since: when it took the file, UTC.
        boot: id of the host's boot, another one after each; differs between machines that share a name, too.
        pid_namespace: which processes its pid counts among; containers on one host have one each.
        token: 16 random hexadecimal digits, so that no two owners have the same text.
        flock: whether the kernel holds the lock file for it as well, and lets go of it when the process ends.
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
        """This process, from now on."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        start = _process_start(os.getpid())
        return cls(os.getpid(), platform.node(), start, now, _boot(), _pid_namespace(), uuid4().hex[:16], flock)

    @classmethod
    def parse(cls, text: bytes) -> Owner | None:
        """Read the text of a lock file; None for one that no owner wrote to its end. Fields of later versions are passed over."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):  # RecursionError: brackets within brackets, too many
            return None
        if not isinstance(content, dict):
            return None
        known = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        if not {"pid", "host", "process_start", "since"} <= known.keys():
            return None
        return cls(**known) if all(_can_be(name, value) for name, value in known.items()) else None

    def text(self) -> bytes:
        """The text of its lock file."""
        return json.dumps(asdict(self)).encode()

    @property
    def is_this_process(self) -> bool:
        """Whether it is the process that asks."""
        return (self.pid, self.host) == (os.getpid(), platform.node()) and self.lives is True

    @property
    def rebooted(self) -> bool:
        """Whether a host of this host's name was booted since; also true of another machine that has the same name."""
        return self.host == platform.node() and "" not in (self.boot, _boot()) and self.boot != _boot()

    @property
    def lives(self) -> bool | None:
        """Whether the very process lives, not a later one that was given the same pid.

        None where its pid says nothing here: on another host, or among the processes of another container. A pid that was given to
        another process within the same clock tick (10 ms) of the same boot would be taken for it.
        """
        if self.host != platform.node():
            return None
        if self.rebooted:
            return False
        if "" not in (self.pid_namespace, _pid_namespace()) and self.pid_namespace != _pid_namespace():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # it exists and belongs to another user
        return not self.process_start or self.process_start == _process_start(self.pid)

    def __str__(self) -> str:
        return f"pid {self.pid} on host {self.host} since {self.since}"


def read_owner(path: Path) -> Owner | None:
    """Who is named in a lock file; None when it is gone or says nothing readable."""
    text = read_text(path)
    return None if text is None else Owner.parse(text)


def _can_be(name: str, value: object) -> bool:
    """Whether an owner's field can have a value; what is printed must stay in one line."""
    if name == "pid":
        return (
            type(value) is int and 1 <= value <= _LARGEST_PID
        )  # a bool is an int, too, and 0 and -1 mean many processes
    if name == "flock":
        return isinstance(value, bool)
    return isinstance(value, str) and value.isprintable()


def _process_start(pid: int) -> str:
    """When a process started, in clock ticks after boot (field 22 of proc(5) stat), or '' where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    # The command, field 2, stands in parentheses and may hold blanks and parentheses itself.
    return stat.rpartition(")")[2].split()[19]


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
