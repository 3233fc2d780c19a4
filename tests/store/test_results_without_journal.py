"""A results file that was copied without its journal says so; a finished one has no such mark."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest
from commands import nasbench
from store_rows import child, expected, run, stored, write

from nasbench.store import journal as journals
from nasbench.store import reader
from nasbench.store.errors import CorruptResults, DiskFull
from nasbench.store.files import write_at
from nasbench.store.format.hdf5 import PackedFile
from nasbench.store.format.journal_mark import mark_of
from nasbench.store.maintenance.checking import check_file
from nasbench.store.writer import ResultsWriter


@pytest.fixture(autouse=True)
def forget_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_warned", set())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the HDF5 file alone, of a writer that has two children in the file and one in the journal."""
    path, copy = tmp_path / "x.h5", tmp_path / "copy" / "x.h5"
    copy.parent.mkdir()
    with ResultsWriter(path) as writer:
        writer.put_run(run(children=2, budget="3 children"))
        for number in range(2):
            writer.append_child(*child(number))
    with ResultsWriter(path) as writer:
        writer.append_child(*child(2))
        assert check_file(path).sound
        shutil.copy(path, copy)
    return copy


def marked(path: Path) -> bool:
    packed = PackedFile(path)
    packed.close()
    return packed.has_journal


def test_check_and_status_say_that_the_journal_is_missing(copy: Path) -> None:
    done = nasbench("check", str(copy))
    assert done.code == 1
    assert "its journal x.journal is not here, with the rows stored after record 3; copy x.journal, too" in done.out
    assert done.out.count("is not here") == 1
    assert done.err == ""
    assert stored(copy) == expected(2)


def test_readers_are_told_once(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert nasbench("status", str(copy)).code == 0
    assert nasbench("query", str(copy), "--head", "1").code == 0
    (record,) = caplog.records
    assert f"{copy}: its journal x.journal is not here" in record.getMessage()


def test_a_writer_does_not_write_where_the_missing_rows_were(copy: Path) -> None:
    with pytest.raises(CorruptResults, match="is not here"):
        ResultsWriter(copy)
    assert os.listdir(copy.parent) == ["x.h5"]


def test_repair_accepts_the_loss(copy: Path) -> None:
    done = nasbench("repair", str(copy))
    assert "lost: the rows stored after record 3, which were in x.journal; it is not here" in done.out
    assert check_file(copy).findings == []
    with ResultsWriter(copy) as writer:
        writer.append_child(*child(2))
    assert stored(copy) == expected(3)


def test_a_copy_with_its_journal_is_sound(copy: Path) -> None:
    path = copy.parent.parent / "x.h5"
    with ResultsWriter(path) as writer:
        writer.append_child(*child(3))
        for name in ("x.h5", "x.journal"):
            shutil.copy(path.parent / name, copy.parent / name)
    assert check_file(copy).findings == []
    assert stored(copy) == expected(4)


def test_a_finished_file_has_no_mark_and_each_pack_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write(path, 2)
    assert not marked(path)
    with ResultsWriter(path) as writer:
        assert not marked(path)
        for number in range(2, 6, 2):
            writer.append_child(*child(number))
            assert marked(path)
            size = path.stat().st_size
            writer.append_child(*child(number + 1))
            assert path.stat().st_size == size
            writer.pack()
            assert not marked(path)
    assert not marked(path)
    assert check_file(path).findings == []


def test_a_mark_of_another_pack_says_nothing(tmp_path: Path) -> None:
    """An owner that stood still may write its mark into the file of the next."""
    path = tmp_path / "x.h5"
    write(path, 2)
    with ResultsWriter(path) as writer:
        writer.append_child(*child(2))
        mark = path.read_bytes()[-200:].partition(b"\nnasbench: ")
    with path.open("ab") as file:
        file.write(b"".join(mark[1:]))
    assert mark[1]
    assert check_file(path).sound


def append_and_be_killed(path: str, step: int) -> None:
    """Append a row, and be killed before the n-th write or sync from the beginning of the journal on."""
    count = 0

    def dying(call):
        def counted(*arguments):
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments)

        return counted

    writer = ResultsWriter(path)
    for name in ("pwrite", "replace", "fsync", "open"):
        setattr(os, name, dying(getattr(os, name)))
    writer.append_child(*child(2))
    os._exit(0)


@pytest.mark.slow
def test_a_kill_at_any_step_of_the_first_append_leaves_a_sound_file(tmp_path: Path) -> None:
    codes = []
    write(tmp_path / "prepared.h5", 2)
    for step in range(1, 60):
        path = tmp_path / f"{step}.h5"
        shutil.copy(tmp_path / "prepared.h5", path)
        process = multiprocessing.get_context("fork").Process(target=append_and_be_killed, args=(str(path), step))
        process.start()
        process.join()
        codes.append(process.exitcode)
        assert check_file(path).sound
        assert stored(path) in (expected(2), expected(3))
        with ResultsWriter(path) as writer:
            writer.put_run(run(children=2))
        assert check_file(path).findings == []
        if process.exitcode == 0:
            assert stored(path) == expected(3)
            return
    raise AssertionError(f"the append never ended: {codes}")


def test_a_mark_that_does_not_fit_on_the_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.h5"
    write(path, 2)
    before = path.read_bytes()

    def full(handle: int, data: bytes, offset: int) -> None:
        if data.startswith(b"\nnasbench"):
            write_at(handle, data[:20], offset)
            raise OSError(28, "No space left on device")
        write_at(handle, data, offset)

    with ResultsWriter(path) as writer:
        with monkeypatch.context() as within:
            within.setattr(journals, "write_at", full)
            with pytest.raises(DiskFull):
                writer.append_child(*child(2))
        assert path.read_bytes() == before
        writer.append_child(*child(2))
    assert stored(path) == expected(3)


def test_a_file_with_another_name_is_not_marked(tmp_path: Path) -> None:
    """A backup by hard links is complete as it is."""
    path, backup = tmp_path / "x.h5", tmp_path / "backup.h5"
    write(path, 2)
    os.link(path, backup)
    with ResultsWriter(path) as writer:
        writer.append_child(*child(2))
        assert check_file(backup).sound
    assert stored(backup) == expected(2)
    assert stored(path) == expected(3)


def test_a_file_that_may_not_be_written_gets_rows_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, opened = tmp_path / "x.h5", os.open
    write(path, 2)

    def forbidden(name, flags, *rest):
        if Path(name) == path and flags & os.O_RDWR:
            raise OSError(13, "Permission denied")
        return opened(name, flags, *rest)

    monkeypatch.setattr(os, "open", forbidden)
    with ResultsWriter(path) as writer:
        writer.append_child(*child(2))
    assert "copy it with its journal only" in caplog.text
    assert stored(path) == expected(3)


def test_a_mark_is_found_when_another_program_has_changed_the_end(copy: Path) -> None:
    whole = copy.read_bytes()
    at = whole.rindex(b"\nnasbench: a journal")
    mark = whole[at:]
    changed = {
        "bytes behind it": whole + b"hello\n",
        "zeros behind it": whole + b"\0" * 4096,
        "twice": whole + mark,
        "a stale one behind it": whole + mark_of("other", 3),
        "a changed byte": whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:],
        "cut off": whole[:-10],
        "cut off early": whole[: at + 30],
        "of great size": whole[:at] + mark[:40] + b"9" * 60_000 + b"\n",
    }
    for what, content in changed.items():
        copy.write_bytes(content)
        found = [each for each in check_file(copy).findings if each.severity == "damage"]
        assert len(found) == 1, what
        assert "its journal x.journal is not here" in str(found[0]), what
        with pytest.raises(CorruptResults, match="is not here"):
            ResultsWriter(copy)
    assert nasbench("repair", str(copy)).code == 0
    assert check_file(copy).sound
    assert stored(copy) == expected(2)


def test_bytes_that_are_no_mark_say_nothing(copy: Path) -> None:
    whole = copy.read_bytes()
    plain = whole[: whole.rindex(b"\nnasbench: a journal")]
    for behind in (b"", b"hello\n", b"\0" * 4096, mark_of("other", 3), mark_of("other", 3) + b"hello\n"):
        copy.write_bytes(plain + behind)
        assert check_file(copy).sound


def test_a_text_that_reads_as_a_mark_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.put_run(run(children=1, budget="\nnasbench: a journal has the records"))
        writer.append_child(*child(0))
    assert not marked(path)
