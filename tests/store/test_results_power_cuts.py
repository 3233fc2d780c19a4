"""A power cut at any moment of appending and packing, whatever part of the unsynced bytes survives: no acknowledged row is lost."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fault_time import deadline
from power_cuts import Disk
from store_rows import child, expected, stored, write
from syscalls import Operation, Worker, built_library, read_trace

from nasbench.store.errors import StoreError
from nasbench.store.maintenance.checking import check_file
from nasbench.store.writer import ResultsWriter


@dataclass(frozen=True)
class Recorded:
    """What a writer did on the disk: it appended, packed, appended and closed."""

    before: bytes
    inode: int
    directory: int
    operations: Sequence[Operation]
    seen: dict[tuple[tuple[str, bytes], ...], int] = field(
        default_factory=dict
    )  # rows in the states that were looked at


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded")
    path, trace = folder / "files" / "x.h5", folder / "trace"
    write(path, 5)
    before, inode = path.read_bytes(), path.stat().st_ino
    with Worker(built_library(folder)) as worker:
        answer = worker.work(path.parent, trace=str(trace))
    return Recorded(before, inode, answer["directory"], read_trace(trace))


def cut_after(recorded: Recorded, operations: int) -> Disk:
    disk = Disk(recorded.directory, acknowledged=5)
    disk.start_with("x.h5", recorded.before, recorded.inode)
    for operation in recorded.operations[:operations]:
        disk.apply(operation)
    return disk


def look_at(folder: Path, state: dict[str, bytes], acknowledged: int) -> int:
    """What was acknowledged is there, nothing needs a repair, and the writer goes on; how many rows there are."""
    folder.mkdir()
    for name, data in state.items():
        (folder / name).write_bytes(data)
    path = folder / "x.h5"
    assert check_file(path).sound
    rows = stored(path)
    count = len(rows)
    assert count >= acknowledged
    assert rows == expected(count)
    with ResultsWriter(path) as writer:
        writer.append_child(*child(count))
    assert stored(path) == expected(count + 1)
    assert sorted(os.listdir(folder)) == ["x.h5"]
    shutil.rmtree(folder)
    return count


def cuts(recorded: Recorded, folder: Path, number: int, seed: int) -> int:
    """Cut the power that many times, most of them beside a sync or a change of names; equal states are looked at once."""
    rng = random.Random(seed)
    rare = [place for place, operation in enumerate(recorded.operations, start=1) if operation.what != "write"]
    for cut in range(number):
        place = (
            rng.choice(rare) + rng.randrange(-1, 2) if rng.random() < 0.7 else rng.randrange(len(recorded.operations))
        )
        disk = cut_after(recorded, place)
        state = disk.after_a_power_cut(rng)
        key = tuple(sorted(state.items()))
        if key not in recorded.seen:
            recorded.seen[key] = look_at(folder / str(cut), state, disk.acknowledged)
        assert recorded.seen[key] >= disk.acknowledged
    return number


@pytest.mark.slow
def test_power_cuts_lose_nothing(recorded: Recorded, tmp_path: Path) -> None:
    assert {operation.what for operation in recorded.operations} >= {"create", "write", "sync", "rename", "unlink"}
    cuts(recorded, tmp_path, 25, seed=0)


def test_the_simulated_disk_forgets_what_was_not_synced(recorded: Recorded, tmp_path: Path) -> None:
    """Without the fsyncs the same writes lose rows, so the simulation can tell."""
    kept = [operation for operation in recorded.operations if operation.what != "sync"]
    unsynced = Recorded(recorded.before, recorded.inode, recorded.directory, kept)
    with pytest.raises((AssertionError, StoreError)):
        cuts(unsynced, tmp_path, 100, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_many_power_cuts_lose_nothing(recorded: Recorded, tmp_path: Path) -> None:
    until, done = deadline("power cuts"), 0
    while done < 2000 and time.monotonic() < until:
        done += cuts(recorded, tmp_path, 20, seed=done + 1)
    assert done
    print(f"\n{done} simulated power cuts, {len(recorded.seen)} different states, 0 acknowledged rows lost, 0 repairs")
