"""The results' folder: what its file system lacks is provoked where this process can, and told to the check where it cannot."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from no_flock import take_flock_away, take_links_away

from nasbench.doctor.storage import check_file_system, check_folder, check_temporary_files
from nasbench.store.filesystem import FileSystem

GOOD = FileSystem(
    folder=Path("results"),
    kind="ext4",
    mount="/",
    is_network=False,
    flock=True,
    links=True,
    exclusive=True,
    renames=True,
    syncs="",
    syncs_folders=True,
    row_s=0.002,
    free_bytes=50 << 30,
    free_files=1_000_000,
    clock_ahead_s=0.001,
)


def named(found):
    return {finding.name: finding for finding in found}


def test_a_good_folder_is_ok_in_every_line(tmp_path):
    found = check_folder(tmp_path)
    assert {finding.level for finding in found if finding.name not in ("file system", "fsync", "free space")} == {"ok"}
    assert not any(finding.breaks for finding in found)
    assert list(tmp_path.iterdir()) == []


def test_every_line_of_a_good_file_system():
    found = check_file_system(GOOD)
    assert [(finding.name, finding.level) for finding in found] == [
        ("file system", "ok"),
        ("ownership", "ok"),
        ("rename", "ok"),
        ("fsync", "ok"),
        ("free space", "ok"),
    ]
    assert "2.0 ms" in named(found)["fsync"].found


@pytest.mark.parametrize(
    ("changes", "name", "level", "breaks", "words"),
    [
        ({"kind": "", "mount": ""}, "file system", "note", False, "does not report"),
        ({"kind": "nfs4", "is_network": True}, "file system", "note", False, "other hosts may use"),
        ({"kind": "tmpfs"}, "file system", "note", False, "lost at a restart"),
        (
            {"flock": False},
            "ownership",
            "note",
            False,
            "no flock; a lock file with a heartbeat, created by a hard link",
        ),
        ({"flock": False, "links": False}, "ownership", "note", False, "created by exclusive creation"),
        ({"exclusive": False}, "ownership", "ok", False, "flock"),
        (
            {"exclusive": False, "links": False},
            "ownership",
            "wrong",
            True,
            "two processes could write to one results file",
        ),
        ({"renames": False}, "rename", "wrong", True, "cannot be packed"),
        ({"syncs": "Invalid argument", "row_s": math.nan}, "fsync", "wrong", True, "fails (Invalid argument)"),
        ({"row_s": 0.2}, "fsync", "slow", False, "200.0 ms"),
        ({"syncs_folders": False}, "fsync of folders", "note", False, "power cut"),
        ({"free_bytes": 10 << 20}, "free space", "wrong", True, "10 MiB"),
        ({"free_bytes": 500 << 20}, "free space", "note", False, "0.5 GiB"),
        ({"free_files": 3}, "free files", "wrong", True, "3 more files"),
        ({"clock_ahead_s": 61.0}, "file clock", "note", False, "61 s ahead of this host's"),
        ({"clock_ahead_s": -61.0}, "file clock", "note", False, "61 s behind this host's"),
    ],
)
def test_what_a_file_system_lacks(changes, name, level, breaks, words):
    found = named(check_file_system(replace(GOOD, **changes)))[name]
    assert (found.level, found.breaks) == (level, breaks)
    assert words in found.found
    assert found.advice or level in ("ok", "note")


def test_a_file_system_without_a_limit_on_files_is_not_short_of_them():
    assert "free files" not in named(check_file_system(replace(GOOD, free_files=-1)))


def test_the_check_says_wrong_exactly_where_the_store_finds_a_fault():
    """The store's own list of faults is the measure."""
    for changes in (
        {"exclusive": False},
        {"links": False},
        {"exclusive": False, "links": False},
        {"renames": False},
        {"syncs": "x"},
        {"syncs_folders": False},
        {"flock": False},
    ):
        system = replace(GOOD, **changes)
        assert sum(finding.breaks for finding in check_file_system(system)) == len(system.faults)


def test_a_file_system_without_flock_is_tried_as_it_is(tmp_path, monkeypatch):
    take_flock_away(monkeypatch)
    assert named(check_folder(tmp_path))["ownership"].level == "note"
    take_links_away(monkeypatch)
    assert "created by exclusive creation" in named(check_folder(tmp_path))["ownership"].found


def test_a_slow_disk_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: time.sleep(0.06))
    assert named(check_folder(tmp_path))["fsync"].level == "slow"


def test_a_folder_that_is_not_there_is_tried_in_the_one_above_and_not_made(tmp_path):
    found = check_folder(tmp_path / "a" / "b")
    assert (found[0].name, found[0].level) == ("folder", "note")
    assert f"in {tmp_path}, which was tested" in found[0].found
    assert len(found) > 4
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "x").write_text("")
    for folder in (tmp_path / "x", tmp_path / "x" / "y"):
        (found,) = check_folder(folder)
        assert (found.level, found.breaks) == ("wrong", True)
        assert "is a file" in found.found


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys, in which nobody can write")
def test_a_read_only_folder_is_wrong():
    (found,) = check_folder(Path("/sys/kernel"))
    assert (found.name, found.level, found.breaks) == ("folder", "wrong", True)
    assert "no permission" in found.found
    assert "choose another place" in found.advice


def test_a_read_only_folder_of_another_user_is_wrong(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    try:
        (found,) = check_folder(tmp_path)
    finally:
        tmp_path.chmod(0o700)
    assert (found.level, found.breaks) == ("wrong", True)


FULL = """
import resource, sys
from pathlib import Path
from nasbench.doctor.storage import check_folder, check_temporary_files
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for finding in [*check_folder(folder), *check_temporary_files(folder)]:
    print(finding.name, finding.level, finding.breaks, finding.found, finding.advice, sep="|")
"""


def test_a_folder_in_which_no_byte_can_be_written_is_wrong(tmp_path):
    """The kernel itself refuses: this process may write no bytes into files."""
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    folder, temporary = (line.split("|") for line in done.stdout.splitlines())
    assert folder[:3] == ["folder", "wrong", "True"]
    assert "disk full" in folder[3]
    assert folder[4].startswith("free some space")
    assert temporary[:3] == ["temporary files", "wrong", "False"]
    assert list(tmp_path.iterdir()) == []


def test_a_failing_disk_is_wrong(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "mkdir", fail)
    (found,) = check_folder(tmp_path)
    assert (found.level, found.breaks) == ("wrong", True)
    assert os.strerror(errno.EIO) in found.found
    assert found.advice == "choose another folder: --folder here, -o of a run"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc, in which no folder can be made")
def test_nothing_is_said_of_a_search_that_was_not_running():
    (found,) = check_folder(Path("/proc"))
    assert (found.level, found.breaks) == ("wrong", True)
    assert found.advice == "choose another folder: --folder here, -o of a run"
    assert not {"resume", "acknowledged"} & {*found.found.split(), *found.advice.split()}


def test_temporary_files(tmp_path, monkeypatch):
    assert [finding.level for finding in check_temporary_files(tmp_path)] == ["ok"]
    (missing,) = check_temporary_files(tmp_path / "none")
    assert (missing.level, missing.breaks) == ("wrong", False)
    assert "TMPDIR" in missing.advice
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 5 << 20}))
    (little,) = check_temporary_files(tmp_path)
    assert (little.level, little.found) == ("note", f"{tmp_path}: 5 MiB free")
