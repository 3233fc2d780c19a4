"""Processors and memory that this process may use, limited by CPU affinity and control groups."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUP: Final = Path("/proc/self/cgroup")
MEMINFO: Final = Path("/proc/meminfo")
_NO_LIMIT: Final = 1 << 60  # bytes; version 1 of control groups writes a number near 2^63 for no limit


@dataclass(frozen=True)
class Limits:
    """Processors and memory that a process may use.

    Args:
        there: number of processors of the machine.
        usable: number of processors on which this process may run.
        cpu_quota: processor-seconds per second that control groups allow; inf without a limit.
        memory: bytes of the machine's memory; nan if unknown.
        available: bytes of memory that are free or can be freed; nan if unknown.
        memory_limit: bytes of memory that control groups allow; inf without a limit.
        memory_used: bytes of that limit in use, by all processes of the group, without cached files that are freed
            when memory is needed; nan if unknown.
    """

    there: int
    usable: int
    cpu_quota: float = math.inf
    memory: float = math.nan
    available: float = math.nan
    memory_limit: float = math.inf
    memory_used: float = math.nan

    @property
    def processors(self) -> float:
        """Processor-seconds per second that this process may use."""
        return min(self.usable, self.cpu_quota)

    @property
    def memory_left(self) -> float:
        """Bytes that control groups still allow; inf without a limit."""
        return _left(self.memory_limit, self.memory_used)


def limits_here(root: Path = CGROUPS, own: Path = OWN_CGROUP, meminfo: Path = MEMINFO) -> Limits:
    """Read the limits of this process.

    Args:
        root: mount point of control groups.
        own: file with the control groups of this process.
        meminfo: file with the machine's memory.

    Returns:
        The limits; the strictest one counts if several control groups have one: of memory that which leaves least.
    """
    there = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    counts = {name: int(value.split()[0]) * 1024 for name, _, value in _fields(meminfo)}
    quota, (limit, used) = math.inf, (math.inf, math.nan)
    for folder in _groups(root, own, "cpu"):
        quota = min(quota, _quota(folder))
    for folder in _groups(root, own, "memory"):
        here = _memory(folder)
        if _left(*here) < _left(limit, used):
            limit, used = here
    memory, available = (float(counts.get(name, math.nan)) for name in ("MemTotal", "MemAvailable"))
    return Limits(there, usable, quota, memory, available, limit, used)


def _left(limit: float, used: float) -> float:
    return limit if math.isnan(used) else max(limit - used, 0.0)


def _fields(path: Path) -> list[tuple[str, str, str]]:
    try:
        return [line.partition(":") for line in path.read_text().splitlines()]
    except OSError:
        return []


def _groups(root: Path, own: Path, controller: str) -> list[Path]:
    """Return the folders of this process's control group and of all groups above it, of version 2 and of version 1."""
    found = []
    for number, _, rest in _fields(own):
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            tops = [root, root / "unified"]
        elif controller in controllers.split(","):
            tops = [root / controllers, root / controller]
        else:
            continue
        for top in tops:
            inner = top / path.lstrip("/")  # missing in a container that sees only its own groups
            found += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(top) and folder.is_dir()]
    return list(dict.fromkeys(found))


def _number(path: Path) -> float:
    try:
        text = path.read_text().strip()
    except OSError:
        return math.nan
    return math.inf if text == "max" else float(text)


def _quota(folder: Path) -> float:
    """Return the processors that a group allows: cpu.max in version 2, cpu.cfs_quota_us in version 1."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except OSError:
        pass
    allowed, every = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return allowed / every if allowed > 0 and every > 0 else math.inf


def _memory(folder: Path) -> tuple[float, float]:
    """Return limit and use of a group in bytes: memory.max in version 2, memory.limit_in_bytes in version 1."""
    for limit_name, used_name in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        limit = _number(folder / limit_name)
        if limit < _NO_LIMIT:
            return limit, _number(folder / used_name) - _freeable(folder)
    return math.inf, math.nan


def _freeable(folder: Path) -> float:
    """Return the bytes of cached files in a group's use that are freed when memory is needed; 0 if unknown."""
    try:
        lines = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
    except OSError:
        return 0.0
    counts = {line[0]: float(line[1]) for line in lines if len(line) == 2}
    # In version 1 the use is that of the groups below, too, and so is what begins with total_.
    return counts.get("total_inactive_file", counts.get("inactive_file", 0.0))
