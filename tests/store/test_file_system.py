"""What a file system does is found out by trying, and nothing is left behind."""

import errno
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from no_flock import built_library, environment, take_flock_away, take_links_away

from nasbench.errors import InputError
from nasbench.store.errors import DiskFull, NotPermitted, StoreError
from nasbench.store.exclusive import NO_FLOCK
from nasbench.store.filesystem import mounted_at, probe_file_system


def failing(code):
    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    yield
    assert list(tmp_path.iterdir()) == []


def test_a_local_disk_does_everything(tmp_path):
    found = probe_file_system(tmp_path)
    assert (found.flock, found.links, found.exclusive, found.renames, found.syncs, found.syncs_folders) == (
        *[True] * 4,
        "",
        True,
    )
    assert found.faults == ()
    assert not found.is_network
    assert 0 < found.row_s < 10
    assert found.free_bytes > 0
    assert found.free_files == -1 or found.free_files > 0
    assert abs(found.clock_ahead_s) < 1
    assert found.kind in Path("/proc/mounts").read_text()
    assert str(tmp_path).startswith(found.mount)


@pytest.mark.parametrize("code", sorted(NO_FLOCK), ids=errno.errorcode.get)
def test_a_missing_flock_is_found(tmp_path, monkeypatch, code):
    take_flock_away(monkeypatch, code)
    found = probe_file_system(tmp_path)
    assert not found.flock
    assert found.faults == ()


def test_a_flock_that_keeps_nobody_out_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    assert not probe_file_system(tmp_path).flock


def test_missing_links_are_found(tmp_path, monkeypatch):
    take_links_away(monkeypatch)
    found = probe_file_system(tmp_path)
    assert (found.links, found.faults) == (False, ())


def test_a_creation_that_is_not_exclusive_is_found(tmp_path, monkeypatch):
    take_links_away(monkeypatch)
    real = os.open
    monkeypatch.setattr(os, "open", lambda name, flags, *rest, **more: real(name, flags & ~os.O_EXCL, *rest, **more))
    found = probe_file_system(tmp_path)
    assert not found.exclusive
    assert "two processes could write one results file; choose a folder on another file system" in found.faults[0]


def test_a_rename_that_does_not_replace_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", failing(errno.EEXIST))
    found = probe_file_system(tmp_path)
    assert not found.renames
    assert "results files cannot be packed" in found.faults[0]


def test_a_rename_that_writes_into_the_old_file_is_found(tmp_path, monkeypatch):
    def copy(source, target):
        Path(target).write_bytes(Path(source).read_bytes())
        Path(source).unlink()

    monkeypatch.setattr(os, "replace", copy)
    assert not probe_file_system(tmp_path).renames


def test_a_missing_fsync_is_found_of_files_and_of_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    found = probe_file_system(tmp_path)
    assert found.syncs == "Invalid argument"
    assert math.isnan(found.row_s)
    assert not found.syncs_folders
    assert "fsync fails (Invalid argument)" in found.faults[0]


def test_a_slow_disk_is_measured(tmp_path, monkeypatch):
    import time

    monkeypatch.setattr(os, "fsync", lambda handle: time.sleep(0.02))
    assert 0.02 <= probe_file_system(tmp_path).row_s < 1


@pytest.mark.parametrize(
    ("code", "error"), [(errno.EACCES, NotPermitted), (errno.ENOSPC, DiskFull), (errno.EIO, StoreError)]
)
def test_what_makes_any_file_impossible_is_one_line(tmp_path, monkeypatch, code, error):
    real = os.open

    def fail(name, flags, *rest, **more):
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code))
        return real(name, flags, *rest, **more)

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(error, match="while trying out its file system"):
        probe_file_system(tmp_path)


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        probe_file_system(tmp_path / "none")


def test_the_nearest_mount_counts(tmp_path):
    mounts = [
        "proc /proc proc rw 0 0",
        "/dev/a / ext4 rw 0 0",
        f"server:/x {tmp_path.parent} nfs4 rw,local_lock=none 0 0",
        f"/dev/b {tmp_path}-other xfs rw 0 0",
    ]
    assert mounted_at(tmp_path, mounts) == ("nfs4", str(tmp_path.parent))
    assert mounted_at(tmp_path, [*mounts, f"mds@tcp:/l {tmp_path.parent} lustre rw,noflock 0 0"])[0] == "lustre"
    assert mounted_at(tmp_path, []) == ("", "")
    assert mounted_at(Path("/"), mounts) == ("ext4", "/")


def test_blanks_in_mount_points_are_read(tmp_path):
    folder = tmp_path / "my disk"
    folder.mkdir()
    try:
        line = f"/dev/a {str(folder).replace(' ', chr(92) + '040')} vfat rw 0 0"
        assert mounted_at(folder, ["/dev/b / ext4 rw 0 0", line]) == ("vfat", str(folder))
    finally:
        folder.rmdir()


def test_a_process_on_such_a_file_system_finds_it_out(tmp_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    code = "import sys; from pathlib import Path; from nasbench.store.filesystem import probe_file_system as p; f = p(Path(sys.argv[1]))"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{code}; print(f.flock, f.links, f.exclusive, f.renames, f.syncs_folders, f.faults)",
            tmp_path,
        ],
        env=environment(built_library(folder), errno.ENOLCK, folder / "log", links=False),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False False True True False ()\n"
