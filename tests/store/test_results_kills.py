"""Killed at any moment, nothing acknowledged is lost; readers never see less than what was acknowledged before they looked."""

import os
import random
import select
import signal
import threading
import time

import pytest
from kills import OPERATIONS
from store_rows import child, expected, fork_writer, stored, write

from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter


def drain(pipe):
    """How many acknowledgements are in the pipe, without waiting."""
    count = 0
    while select.select([pipe], [], [], 0)[0]:
        data = os.read(pipe, 1 << 16)
        if not data:
            break
        count += len(data)
    return count


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the writer had ended by itself, by an error"


def rows_after_kills(path, kills, seed):
    """Let that many writers, one after the other, get on by some rows and milliseconds, and kill each; return how many rows there are."""
    rng = random.Random(seed)
    acknowledged = len(Results(path)) if path.exists() else 0
    for _ in range(kills):
        pid, pipe = fork_writer(path, pack_bytes=20_000)
        try:
            for _ in range(rng.randrange(20)):
                acknowledged += len(os.read(pipe, 1))
            time.sleep(rng.random() ** 2 * 0.1)
        finally:
            kill(pid)
        acknowledged += drain(pipe)
        os.close(pipe)
        count = len(Results(path)) if path.exists() or path.with_suffix(".journal").exists() else 0
        assert acknowledged <= count <= acknowledged + 1  # one may have been written, but not yet acknowledged
        acknowledged = count
    return acknowledged


@pytest.mark.slow
def test_forty_kills_lose_nothing(tmp_path):
    path = tmp_path / "x.h5"
    count = rows_after_kills(path, kills=40, seed=1)
    assert count > 100
    assert stored(path) == expected(count)
    with ResultsWriter(path):
        pass
    assert stored(path) == expected(count)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.h5"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_five_kills_of_each_operation_lose_nothing(tmp_path, operation):
    """The quick part of tests/faults/kills.py."""
    tally = OPERATIONS[operation](tmp_path, 0, tmp_path, seed=1).go_on(kills=5, until=time.time() + 120)
    assert tally.kills
    assert tally.clean, "\n".join(tally.errors)


def test_readers_see_every_acknowledged_row_while_it_is_written_and_packed(tmp_path):
    path = tmp_path / "x.h5"
    pid, pipe = fork_writer(path, pack_bytes=15_000)
    try:
        acknowledged = len(os.read(pipe, 1))
        looks, files, until = 0, set(), time.monotonic() + 60
        while (looks <= 20 or len(files) <= 3) and time.monotonic() < until:
            acknowledged += drain(pipe)
            with Results(path) as results:
                rows = results.frame(["index", "status", "hash", "val_acc"])
            assert len(rows) >= acknowledged
            right = [child(number)[0] for number in range(len(rows))]
            assert rows["hash"].tolist() == [row["hash"] for row in right]
            assert rows["val_acc"].tolist() == [row["val_acc"] for row in right]
            assert rows["index"].tolist() == list(range(len(rows)))
            assert set(rows["status"]) == {"ok"}
            looks += 1
            if path.exists():
                files.add(path.stat().st_mtime_ns)
    finally:
        kill(pid)
        os.close(pipe)
    assert looks > 20
    assert len(files) > 3  # it was packed again and again meanwhile
    assert stored(path)[:acknowledged] == expected(acknowledged)


STEPS = ("open", "pwrite", "fsync", "ftruncate", "replace", "unlink")


@pytest.mark.slow
def test_a_reader_before_any_step_of_writing_and_packing_sees_every_acknowledged_row(tmp_path, monkeypatch):
    path = tmp_path / "x.h5"
    write(path, 3)
    acknowledged, steps, looking, worker = 3, [], False, threading.get_ident()

    def look(name):
        nonlocal looking
        if looking or threading.get_ident() != worker:  # the lock's heartbeat, which comes by the clock
            return
        steps.append(name)
        if name == "pwrite" and len(steps) % 20:  # hundreds of one HDF5 file
            return
        looking = True
        try:
            rows = stored(path)
        finally:
            looking = False
        assert acknowledged <= len(rows) <= acknowledged + 1
        assert rows == expected(len(rows))

    def watched(name, call):
        def step(*arguments, **options):
            look(name)
            return call(*arguments, **options)

        return step

    for name in STEPS:
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    with ResultsWriter(path) as writer:
        for number in range(3, 6):
            writer.append_child(*child(number))
            acknowledged = number + 1
            look("end")
    assert {*steps} == {*STEPS, "end"}


def test_an_open_reader_keeps_what_it_opened(tmp_path):
    path = tmp_path / "x.h5"
    write(path, 10)
    results = Results(path)
    write(path, 10, start=10)
    assert results.frame()["index"].tolist() == list(range(10))
    assert len(Results(path)) == 20
