"""Every system call of writing fails once, or from then on: a named error, nothing acknowledged lost, and the repair is enough."""

import contextlib
import errno
import os
import random
import shutil
import subprocess
import threading
import time

import pytest
from fault_time import minutes_for
from store_rows import child, expected, stored, write

from nasbench.store.errors import DiskFull, NotPermitted, StoreError
from nasbench.store.writer import ResultsWriter

CALLS = ("open", "pwrite", "fsync", "ftruncate", "replace", "unlink", "mkdir")
KINDS = {errno.ENOSPC: DiskFull, errno.EIO: StoreError, errno.EROFS: NotPermitted}


class Faults:
    """Lets the n-th of the watched system calls fail, and with `lasting` all that follow.

    Only the calls of the thread that works are counted: the lock's heartbeat adds some by the clock, more on a slow
    machine, and the n-th call would be another one each time.
    """

    def __init__(self, monkeypatch, folder, code, nth, lasting):
        self.folder, self.code, self.nth, self.lasting = str(folder), code, nth, lasting
        self.worker = threading.get_ident()
        self.calls, self.failed = [], []
        for name in CALLS:
            monkeypatch.setattr(os, name, self.wrap(name, getattr(os, name)))

    def wrap(self, name, call):
        def watched(*arguments, **options):
            counted = threading.get_ident() == self.worker
            if counted:
                self.calls.append(name)
            broken = self.lasting and 0 < self.nth < len(self.calls)
            if broken or (counted and len(self.calls) == self.nth):
                self.failed.append(name)
                if name == "pwrite":  # half of it is written before the disk is full
                    call(arguments[0], arguments[1][: len(arguments[1]) // 2], arguments[2])
                raise OSError(self.code, os.strerror(self.code), self.folder)
            return call(*arguments, **options)

        return watched


def work(path, acknowledged):
    """Append, pack, append, close; count what was acknowledged, and try each failed append once more."""
    with ResultsWriter(path) as writer:
        for number in range(5, 11):
            try:
                writer.append_child(*child(number))
            except StoreError:
                writer.append_child(*child(number))
            acknowledged.append(number)
            if number == 7:
                writer.pack()


def work_with_fault(first, path, code, nth, lasting):
    """Do the work on a copy of `first` with one fault, repair it, and check that nothing is lost; return the names of all calls."""
    path.parent.mkdir()
    shutil.copy(first, path)
    acknowledged = []
    with pytest.MonkeyPatch.context() as patch:
        faults = Faults(patch, path.parent, code, nth, lasting)
        with contextlib.suppress(KINDS[code]):
            work(path, acknowledged)
    count = len(stored(path))
    assert count >= 5 + len(acknowledged), (nth, faults.failed)
    with ResultsWriter(path) as writer:
        for number in range(count, 12):
            writer.append_child(*child(number))
    assert stored(path) == expected(12), (nth, faults.failed)
    assert sorted(file.name for file in path.parent.iterdir()) == ["x.h5"]
    shutil.rmtree(path.parent)
    assert bool(faults.failed) == (nth > 0)
    return faults.calls


def calls_of_the_work(tmp_path):
    write(tmp_path / "first.h5", 5)
    calls = work_with_fault(tmp_path / "first.h5", tmp_path / "none" / "x.h5", errno.EIO, 0, lasting=False)
    assert set(calls) == set(CALLS)
    return calls


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("code", "lasting"), [(errno.ENOSPC, False), (errno.EIO, True), (errno.EROFS, True)])
def test_some_failing_calls_lose_nothing(tmp_path, code, lasting):
    calls = calls_of_the_work(tmp_path)
    rare = [nth for nth, name in enumerate(calls, start=1) if name != "pwrite"]
    often = [nth for nth, name in enumerate(calls, start=1) if name == "pwrite"]
    rng = random.Random(code)
    for nth in [*rng.sample(rare, 4), *rng.sample(often, 1)]:
        work_with_fault(tmp_path / "first.h5", tmp_path / str(nth) / "x.h5", code, nth, lasting)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_every_kind_of_failing_call_loses_nothing(tmp_path, code, lasting):
    places = [*enumerate(calls_of_the_work(tmp_path), start=1)]
    random.Random(code).shuffle(places)
    until = time.monotonic() + 60 * minutes_for("calls of Python") / 6  # six of these tests
    for nth, name in places:
        if time.monotonic() > until:
            break
        if name == "pwrite" and nth % 5:  # hundreds of writes of one HDF5 file, all alike
            continue
        work_with_fault(tmp_path / "first.h5", tmp_path / str(nth) / "x.h5", code, nth, lasting)


def test_a_pack_that_fails_by_itself_is_no_failed_append(tmp_path, monkeypatch, caplog):
    path = tmp_path / "x.h5"
    with ResultsWriter(path, pack_bytes=3000) as writer:
        with monkeypatch.context() as patch:
            replace = os.replace

            def full(source, target):
                if str(target).endswith(".h5"):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                replace(source, target)

            patch.setattr(os, "replace", full)
            for number in range(10):
                writer.append_child(*child(number))
        assert "disk full while packing the journal" in caplog.text
        assert stored(path) == expected(10)
    assert stored(path) == expected(10)
    assert not path.with_suffix(".journal").exists()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_read_only_folder_is_one_clear_line(tmp_path, monkeypatch, code):
    path = tmp_path / "x.h5"
    real = os.open

    def forbidden(name, flags, *rest, **options):
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(code, os.strerror(code), str(name))
        return real(name, flags, *rest, **options)

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(NotPermitted, match=r"x\.lock: no permission while taking the lock .*choose another place"):
        ResultsWriter(path)


def test_a_results_file_in_a_read_only_folder_can_be_read(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("permissions do not bind root")
    write(tmp_path / "x.h5", 3)
    tmp_path.chmod(0o500)
    try:
        assert stored(tmp_path / "x.h5") == expected(3)
        with pytest.raises(NotPermitted):
            ResultsWriter(tmp_path / "x.h5")
    finally:
        tmp_path.chmod(0o700)


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def append_until_full(writer):
    for number in range(100_000):
        try:
            writer.append_child(*child(number))
        except DiskFull:
            return number
    return pytest.fail("the disk never got full")


def test_a_full_disk_loses_nothing_and_the_run_goes_on_after_the_mend(small_disk):
    path, ballast = small_disk / "x.h5", small_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    writer = ResultsWriter(path, pack_bytes=40_000)
    number = append_until_full(writer)
    assert stored(path) == expected(number)
    with pytest.raises(DiskFull, match="disk full while appending a row; free some space and resume"):
        writer.append_child(*child(number))
    ballast.unlink()
    writer.append_child(*child(number))
    writer.close()
    assert number > 10
    assert stored(path) == expected(number + 1)
