"""What a full disk or a kill left beside a results file is finished or removed by the next command that writes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from commands import nasbench
from store_rows import child, expected, run, stored, write

import nasbench as suite
from nasbench.store import writer as writers
from nasbench.store.errors import DiskFull, MissingResults, ResultsLocked
from nasbench.store.files import ResultsPaths
from nasbench.store.writer import ResultsWriter, finish_packing


def full(*_: object) -> None:
    raise DiskFull("disk full")


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A complete run whose last pack met a full disk."""
    path = tmp_path / "x.h5"
    write(path, 2)
    with monkeypatch.context() as within:
        within.setattr(writers, "pack_snapshot", full)
        writer = ResultsWriter(path)
        writer.append_child(*child(2))
        writer.put_run(run(children=3, status="complete"))
        with pytest.raises(DiskFull):
            writer.close()
    assert sorted(os.listdir(tmp_path)) == ["x.h5", "x.journal"]
    return path


def test_resume_finishes_the_last_pack(unpacked: Path) -> None:
    done = nasbench("resume", str(unpacked))
    assert done.code == 0
    assert "packed 2 records that were in its journal only" in done.out
    assert os.listdir(unpacked.parent) == ["x.h5"]
    assert stored(unpacked) == expected(3)
    again = nasbench("resume", str(unpacked))
    assert "nothing to resume" in again.out
    assert "packed" not in again.out


def test_resume_from_python_finishes_the_last_pack(unpacked: Path) -> None:
    assert suite.resume(unpacked, progress=False) == []
    assert os.listdir(unpacked.parent) == ["x.h5"]
    assert stored(unpacked) == expected(3)


def test_resume_says_that_the_disk_is_full_still(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "pack_snapshot", full)
    done = nasbench("resume", str(unpacked))
    assert (done.code, "disk full" in done.err) == (2, True)
    assert sorted(os.listdir(unpacked.parent)) == ["x.h5", "x.journal"]
    assert stored(unpacked) == expected(3)


def killed_in_a_pack(path: str) -> None:
    """Ends as a process does that is killed while it packs."""
    writer = ResultsWriter(path)
    writer.append_child(*child(2))
    writer.put_run(run(children=3, status="complete"))
    writer.paths.packing.write_bytes(b"half a file")
    writer.paths.beginning.write_bytes(b"half a journal")
    os.kill(os.getpid(), signal.SIGKILL)


def left_by_a_kill(path: Path) -> ResultsPaths:
    write(path, 2)
    process = multiprocessing.get_context("fork").Process(target=killed_in_a_pack, args=(str(path),))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    paths = ResultsPaths.of(path)
    assert all(each.exists() for each in (paths.journal, paths.lock, paths.packing, paths.beginning))
    return paths


def test_resume_removes_what_a_kill_left(tmp_path: Path) -> None:
    paths = left_by_a_kill(tmp_path / "x.h5")
    assert nasbench("resume", str(paths.h5)).code == 0
    assert os.listdir(tmp_path) == ["x.h5"]
    assert stored(paths.h5) == expected(3)


def test_repair_removes_what_a_kill_left(tmp_path: Path) -> None:
    paths = left_by_a_kill(tmp_path / "x.h5")
    data = bytearray(paths.journal.read_bytes())
    data[-30] ^= 0x10
    paths.journal.write_bytes(data)
    assert nasbench("repair", str(paths.h5)).code == 0
    assert sorted(os.listdir(tmp_path)) == ["x.h5", "x.h5.damaged-1", "x.journal.damaged-1"]


def test_nothing_is_packed_while_another_process_writes_or_where_no_file_is(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "x.h5") as writer:
        writer.append_child(*child(0))
        with pytest.raises(ResultsLocked):
            finish_packing(tmp_path / "x.h5")
    assert finish_packing(tmp_path / "x.h5") == 0
    (tmp_path / "y.lock").touch()
    with pytest.raises(MissingResults):
        finish_packing(tmp_path / "y.h5")
