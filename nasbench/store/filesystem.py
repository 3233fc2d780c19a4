"""Test of a folder's file system: locks, links, renames and fsync are tried out; the list of mounts gives its type."""

from __future__ import annotations

import errno
import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nasbench.errors import InputError
from nasbench.store.errors import explain
from nasbench.store.exclusive import NO_LINK, flock_works
from nasbench.store.files import NO_FOLDER_SYNC, close_handle, write_at

# Types of file system that other hosts may have mounted, too; fuse.NAME for those that run as user programs.
NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
    }
    | {"panfs", "pvfs2", "smb3", "smbfs", "wekafs"}
    | {f"fuse.{name}" for name in ("ceph-fuse", "gcsfuse", "glusterfs", "juicefs", "rclone", "s3fs", "sshfs")}
)
_ROW_BYTES: Final = 2048  # size in the journal of a child without curves
_SYNCS: Final = 5


@dataclass(frozen=True)
class FileSystem:
    """Type and abilities of a folder's file system.

    Args:
        folder: the folder that was tested.
        kind: its type in the list of mounts, e.g. "ext4" or "nfs4"; '' if unknown.
        mount: its mount point; '' if unknown.
        is_network: whether other hosts may have it mounted, too.
        flock: whether flock works and keeps other processes out; if not, ownership of a results file depends on the
            lock file's heartbeat.
        links: whether hard links work; if not, the lock file is created with O_EXCL.
        exclusive: whether creating a file with O_EXCL fails if the file exists.
        renames: whether a rename replaces an existing file at once, while a process that has the old file open can
            still read it.
        syncs: '' if fsync of files works, else the reason why not.
        syncs_folders: whether fsync of folders works; if not, a power cut may undo the creation of a file.
        row_s: median seconds to write a row of 2 kB and have it on the disk, the minimum cost of a child; nan without
            fsync.
        free_bytes: free space for this user.
        free_files: number of files that this user can still create; -1 if the file system has no such limit.
        clock_ahead_s: seconds by which the clock of its files is ahead of this host's, by one file's time; exact to
            some milliseconds.
    """

    folder: Path
    kind: str
    mount: str
    is_network: bool
    flock: bool
    links: bool
    exclusive: bool
    renames: bool
    syncs: str
    syncs_folders: bool
    row_s: float
    free_bytes: int
    free_files: int
    clock_ahead_s: float

    @property
    def faults(self) -> tuple[str, ...]:
        """Reasons why no results file can be kept here, one line each; empty if it can."""
        found = []
        if not self.exclusive and not self.links:
            found.append(
                "neither hard links nor exclusive creation of files: two processes could write one results file"
            )
        if not self.renames:
            found.append("a rename does not replace an existing file: results files cannot be packed")
        if self.syncs:
            found.append(f"fsync fails ({self.syncs}): no row could be promised to be on the disk")
        return tuple(f"{self.folder}: {fault}; choose a folder on another file system" for fault in found)


def probe_file_system(folder: Path) -> FileSystem:
    """Test the file system of a folder. Takes some fsyncs and leaves nothing behind.

    Args:
        folder: an existing folder in which this process may write.

    Returns:
        The file system's type and abilities.

    Raises:
        InputError: when there is no such folder.
        StoreError: when nothing can be written there, e.g. `NotPermitted` or `DiskFull`.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r}; make it, or name another")
    try:
        within = Path(tempfile.mkdtemp(prefix=".nasbench-probe-", dir=folder))
        try:
            return _probe(folder, within)
        finally:
            shutil.rmtree(within)
    except OSError as error:
        raise explain(error, folder, "trying out its file system") from error


def _probe(folder: Path, within: Path) -> FileSystem:
    kind, mount = mounted_at(folder)
    room = os.statvfs(within)
    clock_ahead_s = _written(within / "clock", b"now").stat().st_mtime - time.time()
    syncs, row_s = _syncs(within / "row")
    return FileSystem(
        folder=folder,
        kind=kind,
        mount=mount,
        is_network=kind in NETWORK,
        flock=_flocks(within / "flock"),
        links=_links(within / "linked", within / "link"),
        exclusive=_excludes(within / "exclusive"),
        renames=_renames(within / "old", within / "new"),
        syncs=syncs,
        syncs_folders=_syncs_folders(within),
        row_s=row_s,
        free_bytes=room.f_bavail * room.f_frsize,
        free_files=room.f_favail if room.f_files else -1,
        clock_ahead_s=clock_ahead_s,
    )


def mounted_at(folder: Path, mounts: Iterable[str] | None = None) -> tuple[str, str]:
    """Look up type and mount point of a folder's file system.

    Args:
        folder: an existing folder.
        mounts: lines in the form of /proc/mounts; None reads /proc/self/mounts.

    Returns:
        Type and mount point; ('', '') if the system does not say.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()
        except OSError:
            return "", ""
    real, found = folder.resolve(), ("", "")
    for line in mounts:
        _, point, kind, *_ = line.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)  # blanks are written as \040
        if real.is_relative_to(point) and len(point) >= len(
            found[1]
        ):  # of two at one point the later hides the earlier
            found = kind, point
    return found


def _written(path: Path, data: bytes) -> Path:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        write_at(handle, data, 0)
    finally:
        close_handle(handle)
    return path


def _flocks(path: Path) -> bool:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        return flock_works(handle, path)
    finally:
        close_handle(handle)


def _links(path: Path, other: Path) -> bool:
    _written(path, b"linked")
    try:
        os.link(path, other)
    except OSError as error:
        if error.errno in NO_LINK:
            return False
        raise
    return other.read_bytes() == b"linked"


def _excludes(path: Path) -> bool:
    for _ in range(2):
        try:
            close_handle(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            return True
    return False


def _renames(old: Path, new: Path) -> bool:
    _written(old, b"old")
    _written(new, b"new")
    handle = os.open(old, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.replace(new, old)
        return old.read_bytes() == b"new" and os.pread(handle, 3, 0) == b"old" and not new.exists()
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.ESTALE, errno.EBUSY):
            return False
        raise
    finally:
        close_handle(handle)


def _syncs(path: Path) -> tuple[str, float]:
    """Test fsync of a file; return why it fails ('' if it works) and the median seconds of a row's write and fsync."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    taken = []
    try:
        for place in range(_SYNCS):
            began = time.perf_counter()
            write_at(handle, bytes(_ROW_BYTES), place * _ROW_BYTES)
            os.fsync(handle)
            taken.append(time.perf_counter() - began)
    except OSError as error:
        return error.strerror or str(error), float("nan")
    finally:
        close_handle(handle)
    return "", statistics.median(taken)


def _syncs_folders(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in NO_FOLDER_SYNC:
            return False
        raise
    finally:
        close_handle(handle)
    return True
