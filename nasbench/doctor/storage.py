"""The file system of the results' folder: whether a results file can be kept there, and how quickly."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from nasbench.doctor.findings import Finding
from nasbench.errors import InputError
from nasbench.store.errors import DiskFull, NotPermitted, StoreError
from nasbench.store.filesystem import FileSystem, probe_file_system

NEEDED_BYTES: Final = 64 << 20
"""A search of 20,000 children leaves 17 MB (docs/scale.md), and a file is written anew beside itself when it is packed."""

EASY_BYTES: Final = 1 << 30
NEEDED_FILES: Final = 100
SLOW_ROW_S: Final = 0.05  # of a child that trains for seconds
CLOCK_S: Final = 2.0  # by which a file's time may differ from this host's
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_finding = partial(Finding, "storage")


def check_folder(folder: Path) -> list[Finding]:
    """Try the file system of a folder for results.

    Args:
        folder: where results are to be; where it is not there yet, the nearest folder above it is tried, in which a run would make it.
    """
    tried = folder.absolute()
    while not tried.exists() and tried != tried.parent:
        tried = tried.parent
    if not tried.is_dir():
        return [_finding("folder", "wrong", f"{tried} is a file and no folder", "name another: --folder", True)]
    try:
        system = probe_file_system(tried)
    except (StoreError, InputError) as error:
        # The store's own advice is for a search that was going on, which can be resumed; here none was.
        found, _, advice = str(error).partition("; ")
        if not isinstance(error, (NotPermitted, InputError)):
            room = "free some space, or " if isinstance(error, DiskFull) else ""
            advice = f"{room}choose another folder: --folder here, -o of a run"
        return [_finding("folder", "wrong", found, advice, True)]
    if tried == folder.absolute():
        first = _finding("folder", "ok", f"{folder}: files can be made and written")
    else:
        first = _finding("folder", "note", f"{folder} is not there; a run makes it, in {tried}, which was tried")
    return [first, *check_file_system(system)]


def check_file_system(system: FileSystem) -> list[Finding]:
    """Say what a file system does, and what it lacks.

    Args:
        system: as it was tried.
    """
    return [*_kind(system), *_ownership(system), *_durability(system), *_room(system), *_clock(system)]


def _kind(system: FileSystem) -> list[Finding]:
    if not system.kind:
        return [_finding("file system", "note", "the system does not say what is mounted there")]
    where = f"{system.kind}, mounted at {system.mount}"
    if system.is_network:
        found = f"{where}: other hosts may have it mounted, too"
        advice = "let one host write a results file; a fast local disk (--folder) costs a child less"
        return [_finding("file system", "note", found, advice)]
    if system.kind in IN_MEMORY:
        return [_finding("file system", "note", f"{where}: in memory, gone at the next start", "copy what is to stay")]
    return [_finding("file system", "ok", where)]


def _ownership(system: FileSystem) -> list[Finding]:
    advice = "choose a folder on another file system: --folder"
    findings = []
    if not system.exclusive and not system.links:
        found = "neither hard links nor exclusive creation of files: two processes could write one results file"
        findings.append(_finding("ownership", "wrong", found, advice, True))
    elif not system.flock:
        way = "a hard link" if system.links else "exclusive creation"
        found = f"no flock; a results file is owned by a lock file with a heartbeat, made by {way}"
        after = "after a crash on another host: --take-over"
        findings.append(_finding("ownership", "note", found, after))
    else:
        findings.append(_finding("ownership", "ok", "flock keeps other processes out"))
    if system.renames:
        findings.append(_finding("rename", "ok", "replaces a file at once"))
    else:
        found = "a rename does not replace an existing file: results files cannot be packed"
        findings.append(_finding("rename", "wrong", found, advice, True))
    return findings


def _durability(system: FileSystem) -> list[Finding]:
    if system.syncs:
        found = f"fails ({system.syncs}): no row could be promised to be on the disk"
        return [_finding("fsync", "wrong", found, "choose a folder on another file system: --folder", True)]
    findings = []
    took = f"{1000 * system.row_s:.1f} ms to write a row and have it on the disk"
    if system.row_s > SLOW_ROW_S:
        findings.append(
            _finding("fsync", "slow", f"{took}; each child costs that", "a local disk (--folder) is faster")
        )
    else:
        findings.append(_finding("fsync", "ok", took))
    if not system.syncs_folders:
        found = "does not work for folders: a power cut may undo the making of a file"
        findings.append(_finding("fsync of folders", "note", found, "keep copies of files that were just begun"))
    return findings


def _room(system: FileSystem) -> list[Finding]:
    free = f"{system.free_bytes / 2**30:.1f} GiB"
    findings = []
    if system.free_bytes < NEEDED_BYTES:
        found = f"{system.free_bytes / 2**20:.0f} MiB"
        advice = f"a search may need {NEEDED_BYTES >> 20} MiB: free some, or choose another folder: --folder"
        findings.append(_finding("free space", "wrong", found, advice, True))
    elif system.free_bytes < EASY_BYTES:
        advice = "a million rows take 1 GB, and as much again while they are packed"
        findings.append(_finding("free space", "note", free, advice))
    else:
        findings.append(_finding("free space", "ok", free))
    if 0 <= system.free_files < NEEDED_FILES:
        found = f"{system.free_files} more files can be made"
        findings.append(_finding("free files", "wrong", found, "delete some, or choose another folder: --folder", True))
    return findings


def _clock(system: FileSystem) -> list[Finding]:
    ahead = system.clock_ahead_s
    if math.isnan(ahead) or abs(ahead) <= CLOCK_S:
        return []
    found = f"files there are dated {abs(ahead):.0f} s {'after' if ahead > 0 else 'before'} this host's clock"
    advice = "set both hosts' clocks by NTP; heartbeats are watched by this host's own clock alone"
    return [_finding("file clock", "note", found, advice)]


def check_temporary_files(folder: Path | None = None) -> list[Finding]:
    """Try the folder for temporary files, which long searches use for scores that may be asked for again.

    Args:
        folder: None for the one that Python chooses (TMPDIR).
    """
    name = "temporary files"
    advice = "set TMPDIR to a folder with room; else scores that may be asked for again stay in memory"
    try:
        chosen = Path(tempfile.gettempdir()) if folder is None else folder
        with tempfile.TemporaryFile(dir=chosen) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(chosen).free
    except OSError as error:
        where = "" if folder is None else f"{folder}: "
        return [_finding(name, "wrong", f"{where}none can be written: {error.strerror or error}", advice)]
    if free < NEEDED_BYTES:
        return [_finding(name, "note", f"{chosen}: {free / 2**20:.0f} MiB free", advice)]
    return [_finding(name, "ok", f"{chosen}: {free / 2**30:.1f} GiB free")]
