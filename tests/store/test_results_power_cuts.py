"""A power cut at any moment of appending and packing, whatever part of the unsynced bytes survives: no acknowledged row is lost."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from power_cuts import Disk
from store_rows import child, expected, stored, write
from syscalls import Operation, Worker, built_library, read_trace

from nasbench.store.checking import check_file
from nasbench.store.errors import StoreError
from nasbench.store.writer import ResultsWriter


@dataclass(frozen=True)
class Recorded:
    """What a writer did on the disk: it appended, packed, appended and closed."""

    before: bytes
    directory: int
    operations: Sequence[Operation]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded")
    path, trace = folder / "files" / "x.h5", folder / "trace"
    write(path, 5)
    before = path.read_bytes()
    with Worker(built_library(folder)) as worker:
        answer = worker.work(path.parent, trace=str(trace))
    return Recorded(before, answer["directory"], read_trace(trace))


def cut_after(recorded: Recorded, operations: int) -> Disk:
    disk = Disk(recorded.directory, acknowledged=5)
    disk.start_with("x.h5", recorded.before)
    for operation in recorded.operations[:operations]:
        disk.apply(operation)
    return disk


def look_at(folder: Path, state: dict[str, bytes], acknowledged: int) -> None:
    """What was acknowledged is there, nothing needs a repair, and the writer goes on."""
    folder.mkdir()
    for name, data in state.items():
        (folder / name).write_bytes(data)
    path = folder / "x.h5"
    assert check_file(path).sound
    count = len(stored(path))
    assert count >= acknowledged
    assert stored(path) == expected(count)
    with ResultsWriter(path) as writer:
        writer.append_child(*child(count))
    assert stored(path) == expected(count + 1)
    assert sorted(os.listdir(folder)) == ["x.h5"]
    shutil.rmtree(folder)


def cuts(recorded: Recorded, folder: Path, number: int, seed: int) -> int:
    """Cut the power that many times, half of them between two syncs that are close to each other."""
    rng = random.Random(seed)
    rare = [place for place, operation in enumerate(recorded.operations, start=1) if operation.what != "write"]
    for cut in range(number):
        place = (
            rng.choice(rare) + rng.randrange(-1, 2) if rng.random() < 0.7 else rng.randrange(len(recorded.operations))
        )
        disk = cut_after(recorded, place)
        look_at(folder / str(cut), disk.after_a_power_cut(rng), disk.acknowledged)
    return number


def test_power_cuts_lose_nothing(recorded: Recorded, tmp_path: Path) -> None:
    assert {operation.what for operation in recorded.operations} >= {"create", "write", "sync", "rename", "unlink"}
    cuts(recorded, tmp_path, 25, seed=0)


def test_the_simulated_disk_forgets_what_was_not_synced(recorded: Recorded, tmp_path: Path) -> None:
    """Without the fsyncs the same writes lose rows, so the simulation can tell."""
    kept = [operation for operation in recorded.operations if operation.what != "sync"]
    unsynced = Recorded(recorded.before, recorded.directory, kept)
    with pytest.raises((AssertionError, StoreError)):
        cuts(unsynced, tmp_path, 100, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_power_cuts_lose_nothing(recorded: Recorded, tmp_path: Path) -> None:
    began, done = time.monotonic(), 0
    minutes = float(os.environ.get("FAULT_MINUTES", "inf"))
    while done < 2000 and time.monotonic() - began < 60 * minutes:
        done += cuts(recorded, tmp_path, 20, seed=done + 1)
    print(f"\n{done} simulated power cuts, 0 acknowledged rows lost, 0 repairs")
