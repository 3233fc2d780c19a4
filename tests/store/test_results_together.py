"""Children that are kept together: the same rows at one fsync, all or none after a kill, a power cut, damage or a mistake."""

from __future__ import annotations

import os
import random
import threading

import pytest
from store_rows import child, expected, run, stored

from nasbench.errors import InputError
from nasbench.store.errors import CorruptResults, DuplicateChild
from nasbench.store.journal import _COUNTER_BYTES, _counter_line
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.repairing import repair_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

ALONE, TOGETHER = 3, 4


def children(start: int, stop: int):
    return [child(number) for number in range(start, stop)]


@pytest.fixture
def path(tmp_path):
    """Three children one by one and four together in the journal, left as by a killed writer."""
    path = tmp_path / "x.h5"
    writer = ResultsWriter(path)
    for row, curves in children(0, ALONE):
        writer.append_child(row, curves)
    writer.append_children(children(ALONE, ALONE + TOGETHER))
    writer._journal.close()
    writer._lock.release()
    return path


def unclaimed(data: bytes) -> bytes:
    """The journal as before it was known that the last line is on the disk."""
    start = data.index(b"\n") + 1
    return data[:start] + _counter_line(ALONE) + data[start + _COUNTER_BYTES :]


def test_the_rows_are_those_of_one_by_one_before_and_after_packing(path):
    assert stored(path) == expected(ALONE + TOGETHER)
    with ResultsWriter(path) as writer:
        writer.append_children(children(ALONE + TOGETHER, 9))
        writer.append_children([])
        writer.put_run(run(children=9))
        assert stored(path) == expected(9)
    assert stored(path) == expected(9)
    assert check_file(path).sound


def test_they_wait_for_the_disk_once(tmp_path, monkeypatch):
    syncs, real, worker = [], os.fsync, threading.get_ident()

    def counted(handle):
        if threading.get_ident() == worker:  # not the lock's heartbeat, which comes by the clock
            syncs.append(handle)
        real(handle)

    with ResultsWriter(tmp_path / "x.h5") as writer:
        writer.append_child(*child(0))
        monkeypatch.setattr(os, "fsync", counted)
        writer.append_children(children(1, 65))
        assert len(syncs) == 1
    monkeypatch.undo()


def test_a_mistake_in_one_writes_none(path):
    with ResultsWriter(path) as writer:
        seven, eight = child(7), child(8)
        with pytest.raises(InputError, match="unknown column"):
            writer.append_children([seven, ({**eight[0], "colour": "red"}, eight[1])])
        with pytest.raises(DuplicateChild, match="child 7"):
            writer.append_children([seven, seven])
        with pytest.raises(DuplicateChild, match="child 5"):
            writer.append_children([seven, child(5)])
        assert stored(path) == expected(7)
        writer.append_children([seven, eight])
    assert stored(path) == expected(9)


def test_a_kill_leaves_all_or_none(path):
    journal = path.with_suffix(".journal")
    data = unclaimed(journal.read_bytes())
    start = data[:-1].rindex(b"\n") + 1
    for length in [start, *random.Random(0).sample(range(start, len(data) - 1), 12), len(data) - 1, len(data)]:
        journal.write_bytes(data[:length])
        path.unlink(missing_ok=True)
        kept = ALONE + TOGETHER if length >= len(data) - 1 else ALONE
        assert stored(path) == expected(kept)
        with ResultsWriter(path) as writer:
            writer.append_children(children(kept, 9))
        assert stored(path) == expected(9)


def test_a_hole_that_a_power_cut_left_is_cut_off(path):
    journal = path.with_suffix(".journal")
    data = bytearray(unclaimed(journal.read_bytes()))
    data[-900:-300] = bytes(600)
    journal.write_bytes(data)
    assert stored(path) == expected(ALONE)


def test_damage_is_named_and_repaired_around(path):
    journal = path.with_suffix(".journal")
    lines = journal.read_bytes().split(b"\n")
    lines[-2] = lines[-2].replace(b'"status":"ok"', b'"status":"OK"', 1)
    journal.write_bytes(b"\n".join(lines))
    with pytest.raises(CorruptResults, match="line 6: checksum does not fit, the records 4 to 7 are affected; 3 other"):
        Results(path)
    assert repair_file(path).children == ALONE
    assert stored(path) == expected(ALONE)


def test_a_cut_of_acknowledged_children_is_found(path):
    journal = path.with_suffix(".journal")
    data = journal.read_bytes()
    journal.write_bytes(data[: data[:-1].rindex(b"\n") + 1])
    with pytest.raises(CorruptResults, match="cut here: records 4 to 7, acknowledged once"):
        Results(path)
