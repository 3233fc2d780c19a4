"""Killed at any moment, nothing acknowledged is lost; readers never see less than what was acknowledged before they looked."""

import os
import random
import select
import signal
import time

import pytest
from store_rows import expected, fork_writer, stored, write

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
    os.waitpid(pid, 0)


def rows_after_kills(path, kills, longest, seed):
    """Kill that many writers, one after the other; return how many rows were acknowledged at least."""
    rng = random.Random(seed)
    acknowledged = len(Results(path)) if path.exists() else 0
    for _ in range(kills):
        pid, pipe = fork_writer(path, pack_bytes=20_000)
        try:
            time.sleep(rng.random() * longest)
        finally:
            kill(pid)
        acknowledged += drain(pipe)
        os.close(pipe)
        count = len(Results(path)) if path.exists() or path.with_suffix(".journal").exists() else 0
        assert acknowledged <= count <= acknowledged + 1  # one may have been written, but not yet acknowledged
        acknowledged = count
    return acknowledged


def test_forty_kills_lose_nothing(tmp_path):
    path = tmp_path / "x.h5"
    count = rows_after_kills(path, kills=40, longest=0.25, seed=1)
    assert count > 100
    assert stored(path) == expected(count)
    with ResultsWriter(path):
        pass
    assert stored(path) == expected(count)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.h5"]


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, 20_000])
def test_hundreds_of_kills_lose_nothing(tmp_path, start):
    path = tmp_path / "x.h5"
    if start:
        write(path, start)
    count = rows_after_kills(path, kills=300, longest=0.2 if not start else 0.5, seed=start)
    assert stored(path) == expected(count)


def test_readers_see_every_acknowledged_row_while_it_is_written_and_packed(tmp_path):
    path = tmp_path / "x.h5"
    pid, pipe = fork_writer(path, pack_bytes=15_000)
    try:
        acknowledged = len(os.read(pipe, 1))
        looks, inodes, until = 0, set(), time.monotonic() + 4
        while time.monotonic() < until:
            acknowledged += drain(pipe)
            with Results(path) as results:
                rows = results.frame(["index", "status"])
            assert len(rows) >= acknowledged
            assert rows["index"].tolist() == list(range(len(rows)))
            assert set(rows["status"]) == {"ok"}
            looks += 1
            if path.exists():
                inodes.add(path.stat().st_ino)
    finally:
        kill(pid)
        os.close(pipe)
    assert looks > 20
    assert len(inodes) > 3  # it was packed again and again meanwhile
    assert stored(path)[:acknowledged] == expected(acknowledged)


def test_an_open_reader_keeps_what_it_opened(tmp_path):
    path = tmp_path / "x.h5"
    write(path, 10)
    results = Results(path)
    write(path, 10, start=10)
    assert results.frame()["index"].tolist() == list(range(10))
    assert len(Results(path)) == 20
