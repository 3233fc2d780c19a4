"""Checks of the folder for results: whether its file system is safe and fast enough for results files."""

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
"""Space that a search may need: 20,000 children take 17 MB (docs/scale.md), and packing writes a second file."""

EASY_BYTES: Final = 1 << 30
NEEDED_FILES: Final = 100
SLOW_ROW_S: Final = 0.05  # seconds per row, of children that train for seconds
CLOCK_S: Final = 2.0  # seconds by which times of files may differ from this host's clock
IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_finding = partial(Finding, "storage")


def check_folder(folder: Path) -> list[Finding]:
    """Test the file system of a folder for results.

    Args:
        folder: the folder. If it does not exist, the nearest existing folder above it is tested.

    Returns:
        At least one finding.
    """
    tried = folder.absolute()
    while not tried.exists() and tried != tried.parent:
        tried = tried.parent
    if not tried.is_dir():
        return [_finding("folder", "wrong", f"{tried} is a file, not a folder", "choose another: --folder", True)]
    try:
        system = probe_file_system(tried)
    except (StoreError, InputError) as error:
        # The store's own advice is about resuming a search, and does not apply here.
        found, _, advice = str(error).partition("; ")
        if not isinstance(error, (NotPermitted, InputError)):
            room = "free some space, or " if isinstance(error, DiskFull) else ""
            advice = f"{room}choose another folder: --folder here, -o of a run"
        return [_finding("folder", "wrong", found, advice, True)]
    if tried == folder.absolute():
        first = _finding("folder", "ok", f"{folder}: files can be created and written")
    else:
        first = _finding(
            "folder", "note", f"{folder} does not exist; a run will create it in {tried}, which was tested"
        )
    return [first, *check_file_system(system)]


def check_file_system(system: FileSystem) -> list[Finding]:
    """Report the properties of a file system that results files need.

    Args:
        system: the tested file system.

    Returns:
        At least one finding.
    """
    return [*_kind(system), *_ownership(system), *_durability(system), *_room(system), *_clock(system)]


def _kind(system: FileSystem) -> list[Finding]:
    if not system.kind:
        return [_finding("file system", "note", "the system does not report the kind of file system")]
    where = f"{system.kind}, mounted at {system.mount}"
    if system.is_network:
        found = f"{where}: a network file system, which other hosts may use, too"
        advice = "write each results file from one host only; a local disk (--folder) is faster"
        return [_finding("file system", "note", found, advice)]
    if system.kind in IN_MEMORY:
        found = f"{where}: in memory, lost at a restart of the machine"
        return [_finding("file system", "note", found, "copy results that you want to keep")]
    return [_finding("file system", "ok", where)]


def _ownership(system: FileSystem) -> list[Finding]:
    advice = "choose a folder on another file system: --folder"
    findings = []
    if not system.exclusive and not system.links:
        found = "neither hard links nor exclusive creation of files: two processes could write to one results file"
        findings.append(_finding("ownership", "wrong", found, advice, True))
    elif not system.flock:
        way = "a hard link" if system.links else "exclusive creation"
        found = f"no flock; a lock file with a heartbeat, created by {way}, keeps other processes from a results file"
        after = "after a crash on another host, use --take-over"
        findings.append(_finding("ownership", "note", found, after))
    else:
        findings.append(_finding("ownership", "ok", "flock keeps other processes from a results file"))
    if system.renames:
        findings.append(_finding("rename", "ok", "replaces a file atomically"))
    else:
        found = "a rename does not replace an existing file: results files cannot be packed"
        findings.append(_finding("rename", "wrong", found, advice, True))
    return findings


def _durability(system: FileSystem) -> list[Finding]:
    if system.syncs:
        found = f"fails ({system.syncs}): rows may not be on the disk, and a power cut would lose them"
        return [_finding("fsync", "wrong", found, "choose a folder on another file system: --folder", True)]
    findings = []
    took = f"{1000 * system.row_s:.1f} ms until a row is on the disk"
    if system.row_s > SLOW_ROW_S:
        findings.append(_finding("fsync", "slow", f"{took}, for each child", "a local disk (--folder) is faster"))
    else:
        findings.append(_finding("fsync", "ok", took))
    if not system.syncs_folders:
        found = "does not work: a power cut may remove a file that was just created"
        findings.append(_finding("fsync of folders", "note", found, "keep copies of new results files"))
    return findings


def _room(system: FileSystem) -> list[Finding]:
    free = f"{system.free_bytes / 2**30:.1f} GiB"
    findings = []
    if system.free_bytes < NEEDED_BYTES:
        found = f"{system.free_bytes / 2**20:.0f} MiB"
        advice = f"a search may need {NEEDED_BYTES >> 20} MiB: free some space, or choose another folder: --folder"
        findings.append(_finding("free space", "wrong", found, advice, True))
    elif system.free_bytes < EASY_BYTES:
        advice = "a million rows need 1 GB, and twice that while they are packed"
        findings.append(_finding("free space", "note", free, advice))
    else:
        findings.append(_finding("free space", "ok", free))
    if 0 <= system.free_files < NEEDED_FILES:
        found = f"only {system.free_files} more files can be created"
        advice = "delete some files, or choose another folder: --folder"
        findings.append(_finding("free files", "wrong", found, advice, True))
    return findings


def _clock(system: FileSystem) -> list[Finding]:
    ahead = system.clock_ahead_s
    if math.isnan(ahead) or abs(ahead) <= CLOCK_S:
        return []
    found = f"times of files are {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this host's clock"
    advice = "set the clocks of both hosts by NTP; heartbeats do not depend on them"
    return [_finding("file clock", "note", found, advice)]


def check_temporary_files(folder: Path | None = None) -> list[Finding]:
    """Test the folder for temporary files, in which long searches keep scores that they may need again.

    Args:
        folder: the folder; None for Python's choice (TMPDIR).

    Returns:
        One finding.
    """
    name = "temporary files"
    advice = "set TMPDIR to a folder with enough space; otherwise long searches need more memory"
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
