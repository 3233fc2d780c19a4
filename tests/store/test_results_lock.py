"""One file, one writer; a dead one's place is taken on the same host, by one taker only; where flock works and where it does not."""

import errno
import json
import multiprocessing
import os
import platform
import signal
import time

import pytest
from no_flock import take_flock_away, take_links_away
from store_rows import child, expected, fork_writer, stored

from nasbench.store import lock as locks
from nasbench.store.errors import ResultsLocked
from nasbench.store.writer import ResultsWriter

SYSTEMS = ("flock", "no flock", "no flock, no links", "flock, no links")


@pytest.fixture(params=SYSTEMS, autouse=True)
def file_system(request, monkeypatch):
    """All of it must hold on each kind of file system."""
    monkeypatch.setattr(locks, "UNFINISHED_S", 0.1)
    if request.param.startswith("no flock"):
        take_flock_away(monkeypatch, errno.ENOTSUP)
    if request.param.endswith("no links"):
        take_links_away(monkeypatch)
    return request.param


def test_a_second_writer_is_told_who_writes(tmp_path):
    path = tmp_path / "x.h5"
    with ResultsWriter(path) as writer:
        writer.append_child(*child(0))
        message = rf"x\.h5 is being written by pid {os.getpid()} on host {platform.node()} since 20\d\d-\d\d-\d\dT"
        with pytest.raises(ResultsLocked, match=message):
            ResultsWriter(path)
        writer.append_child(*child(1))
    with ResultsWriter(path) as writer:
        writer.append_child(*child(2))
    assert stored(path) == expected(3)
    assert not path.with_suffix(".lock").exists()


@pytest.mark.sampled(2)
def test_a_writer_in_another_process_is_named_and_its_place_is_taken_when_it_is_dead(tmp_path):
    path = tmp_path / "x.h5"
    pid, pipe = fork_writer(path, pack_bytes=1 << 20)
    os.read(pipe, 1)
    deadline = time.monotonic() + 5
    while not path.with_suffix(".lock").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(pid, signal.SIGSTOP)
    locked = path.with_suffix(".lock").exists()
    if locked:
        with pytest.raises(ResultsLocked, match=f"by pid {pid} on host"):
            ResultsWriter(path)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pipe)
    with ResultsWriter(path):
        pass
    count = len(stored(path))
    assert count >= 1
    assert stored(path) == expected(count)


def owner_file(path, **changes):
    owner = {"pid": 1, "host": platform.node(), "process_start": "", "since": "2026-01-01T00:00:00Z"} | changes
    path.with_suffix(".lock").write_text(json.dumps(owner))


def test_a_lock_of_another_host_is_never_taken_over(tmp_path):
    path = tmp_path / "x.h5"
    owner_file(path, pid=2**22 + 1, host="elsewhere")
    before = path.with_suffix(".lock").read_bytes()
    with pytest.raises(
        ResultsLocked, match=r"on host elsewhere since 2026.*if it is gone, run this again with --take-over"
    ):
        ResultsWriter(path)
    assert path.with_suffix(".lock").read_bytes() == before
    path.with_suffix(".lock").unlink()
    ResultsWriter(path).close()


def test_a_living_owner_is_believed_even_where_the_kernels_lock_says_nothing(tmp_path):
    path = tmp_path / "x.h5"
    owner_file(path, pid=os.getppid())
    with pytest.raises(ResultsLocked, match=f"by pid {os.getppid()} "):
        ResultsWriter(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs the process's start time from /proc")
def test_a_pid_that_was_given_to_another_process_is_a_dead_owner(tmp_path):
    path = tmp_path / "x.h5"
    owner_file(path, pid=os.getppid(), process_start="1")
    ResultsWriter(path).close()


@pytest.mark.parametrize("text", ["", "\0\0\0\0", '{"pid": 3'])
def test_a_lock_file_that_was_never_finished_is_taken_over(tmp_path, text):
    path = tmp_path / "x.h5"
    path.with_suffix(".lock").write_text(text)
    ResultsWriter(path).close()


def contend(path, start, all_tried, answers):
    start.wait()
    try:
        writer = ResultsWriter(path)
    except ResultsLocked as error:
        answers.put((os.getpid(), str(error)))
        return
    with writer:
        writer.append_child(*child(0))
        answers.put((os.getpid(), "owner"))
        all_tried.wait(60)


def ten_at_once(path):
    """Ten processes want the file at the same moment; what each was told, by pid."""
    context = multiprocessing.get_context("fork")
    start, all_tried, answers = context.Event(), context.Event(), context.Queue()
    processes = [context.Process(target=contend, args=(path, start, all_tried, answers)) for _ in range(10)]
    for process in processes:
        process.start()
    start.set()
    told = dict(answers.get(timeout=60) for _ in processes)
    all_tried.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 10
    assert {*told} == {process.pid for process in processes}
    return told


@pytest.mark.sampled(1)
@pytest.mark.parametrize("before", ["nothing", "a dead owner's lock"])
def test_of_ten_writers_one_owns_the_file_and_the_others_are_told_who(tmp_path, before):
    path = tmp_path / "x.h5"
    if before != "nothing":
        owner_file(path, pid=2**22 + 1)
    told = ten_at_once(path)
    (owner,) = (pid for pid, answer in told.items() if answer == "owner")
    refused = [answer for answer in told.values() if answer != "owner"]
    assert len(refused) == 9
    for answer in refused:
        assert f"x.h5 is being written by pid {owner} on host {platform.node()} since 20" in answer
    assert stored(path) == expected(1)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.h5"]


@pytest.mark.sampled(1)
def test_of_ten_writers_none_takes_the_lock_of_another_host(tmp_path):
    path = tmp_path / "x.h5"
    owner_file(path, pid=2**22 + 1, host="elsewhere")
    told = ten_at_once(path)
    assert all("by pid 4194305 on host elsewhere" in answer for answer in told.values())
    assert not path.exists()


def test_a_forked_child_neither_holds_nor_releases_its_parents_lock(tmp_path):
    path = tmp_path / "x.h5"
    writer = ResultsWriter(path)
    pid = os.fork()
    if pid == 0:
        writer._lock.release()
        time.sleep(30)
        os._exit(0)
    try:
        time.sleep(0.05)
        with pytest.raises(ResultsLocked):
            ResultsWriter(path)
        writer.close()
        ResultsWriter(path).close()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
