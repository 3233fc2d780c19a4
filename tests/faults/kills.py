"""SIGKILLs of processes that append, pack, merge and resume, at random moments, over small and large results files.

    python tests/faults/kills.py --kills 1020

After every kill the file is opened as any reader opens it: every row that was acknowledged must be there, no row torn, nothing in need of
a repair; and the next writer goes on from what the killed one left. Ends with a table, and with code 1 where anything was lost.
"""

from __future__ import annotations

import argparse
import filecmp
import io
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
os.environ["NASBENCH_CONFIG"] = os.devnull  # not that of the user who runs this

from fault_time import minutes_for
from searching import stable_rows, tiny_plan
from store_rows import child, plain, run

from nasbench.runners.executors.base import Executor, ExecutorOptions
from nasbench.runners.search.loop import Search
from nasbench.runners.search.progress import Progress
from nasbench.store.cache import ScoreCache
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Data, Text
from nasbench.store.format.rows import child_curves, child_row, run_row
from nasbench.store.maintenance.checking import check_file
from nasbench.store.maintenance.merging import merge_files
from nasbench.store.maintenance.table_builder import (
    Tables,
    join_tables,
    tables_of_rows,
    tables_of_snapshot,
    write_new,
)
from nasbench.store.query import Results
from nasbench.store.reader import open_snapshot
from nasbench.store.writer import ResultsWriter
from nasbench.training.evaluation import Child, Evaluation

SIZES = (0, 20_000, 100_000)
# Kills of 1,020: the larger the file, the longer each takes.
PLAN = {
    "append": (150, 120, 110),
    "pack": (110, 80, 40),
    "merge": (90, 60, 30),
    "resume": (120, 70, 40),
}
BLOCK = 1000
UNPACKED = 200
CHILDREN = 40


# -- the files -----------------------------------------------------------------------------------------------------------


def tables(name: str, start: int, count: int) -> Tables:
    """Children `start` to `start + count` of a run, as the writer takes them."""
    rows = [child(number, run=name) for number in range(start, start + count)]
    return tables_of_rows([(child_row(row), child_curves(curves)) for row, curves in rows], [run_row(run(name))])


def large_tables(rows: int) -> Tables:
    """Old rows: the same thousand again and again, under indices of their own."""
    if not rows:
        return tables("old", 0, 0)
    block = tables("old", 0, min(rows, BLOCK))
    parts = []
    for start in range(0, rows, BLOCK):
        children = dict(block.children) | {"index": np.asarray(block.children["index"]) + start}
        parts.append(
            Tables(children, block.runs if not start else tables("old", 0, 0).runs, block.curves, block.lengths)
        )
    joined = join_tables(parts)
    return Tables(joined.children, block.runs, joined.curves, joined.lengths)


def same(left: Tables, right: Tables) -> bool:
    """Whether two files hold the same, to the bit."""
    pairs: list[tuple[Data, Data]] = [(left.children[name], right.children[name]) for name in left.children]
    pairs += [(left.runs[name], right.runs[name]) for name in left.runs]
    pairs += [(left.curves[name], right.curves[name]) for name in left.curves]
    pairs.append((left.lengths, right.lengths))
    return all(_same_column(one, other) for one, other in pairs)


def _same_column(one: Data, other: Data) -> bool:
    if isinstance(one, Text) and isinstance(other, Text):
        return one.objects().tolist() == other.objects().tolist()
    numbers, others = np.asarray(one), np.asarray(other)
    return numbers.dtype == others.dtype and numbers.tobytes() == others.tobytes()


def tables_in(path: Path) -> Tables:
    with closing(open_snapshot(ResultsPaths.of(path))) as snapshot:
        return tables_of_snapshot(snapshot)


def left_unpacked(path: Path, name: str, count: int) -> None:
    """Append children of a run and end as if killed."""
    writer = ResultsWriter(path)
    writer.put_run(run(name))
    for number in range(count):
        writer.append_child(*child(number, run=name))
    writer._journal.close()
    writer._lock.release()


def copy_files(source: Path, target: Path) -> None:
    """Put a results file and its journal, and nothing else, in place of another."""
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir()
    for suffix in (".h5", ".journal"):
        if source.with_suffix(suffix).exists():
            shutil.copy2(source.with_suffix(suffix), target.with_suffix(suffix))


# -- one kill ------------------------------------------------------------------------------------------------------------


@dataclass
class Killed:
    """A process after its end: how many acknowledgements it sent, and whether the kill came before its own end."""

    acknowledged: int
    killed: bool


def kill_within(work: Callable[[Callable[[], None]], None], seconds: float, after: int = 0) -> Killed:
    """Fork a process that does the work, and kill it after so many acknowledgements and seconds.

    Raises:
        AssertionError: when the work itself failed.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            work(partial(os.write, writing, b"."))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    acknowledged = 0
    while acknowledged < after and (data := os.read(reading, after - acknowledged)):
        acknowledged += len(data)
    ended = select.select([reading], [], [], 0)[0] and acknowledged < after
    if not ended:
        time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    while data := os.read(reading, 1 << 16):
        acknowledged += len(data)
    os.close(reading)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the process ended by an error of its own"
    return Killed(acknowledged, os.WIFSIGNALED(status))


def seconds_of(work: Callable[[Callable[[], None]], None]) -> float:
    """How long the work takes when it is not killed."""
    began = time.monotonic()
    pid = os.fork()
    if not pid:
        work(lambda: None)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == 0
    return time.monotonic() - began


# -- operations ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What a series of kills came to."""

    operation: str
    size: int
    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    torn: int = 0
    unreadable: int = 0
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing at all went wrong."""
        return not (self.lost or self.torn or self.unreadable or self.errors)


class Series(ABC):
    """One operation, killed again and again over a file of one size.

    Args:
        prepared: where the files of that size lie.
        folder: to work in.
        seed: of the moments.
    """

    def __init__(self, prepared: Path, size: int, folder: Path, seed: int) -> None:
        self.base, self.size, self.path = prepared / f"base-{size}.h5", size, folder / "work" / "x.h5"
        self.rng = random.Random(seed)
        self.tally = Tally(type(self).__name__.lower(), size)
        self.start()

    @abstractmethod
    def start(self) -> None:
        """Lay out the files, and measure how long the operation takes."""

    @abstractmethod
    def kill_once(self) -> bool:
        """Kill once and look at what is there; whether the kill came in time."""

    @abstractmethod
    def end(self) -> None:
        """Let the operation go to its end, and look at the whole file."""

    def go_on(self, kills: int, until: float) -> Tally:
        began = time.monotonic()
        try:
            while self.tally.kills < kills and time.time() < until:
                self.tally.kills += self.kill_once()
            self.end()
        except Exception:
            self.tally.unreadable += 1
            self.tally.errors.append(traceback.format_exc())
        self.tally.seconds = time.monotonic() - began
        return self.tally

    def count(self, acknowledged: int, found: Sequence[Any], right: Callable[[int], Any]) -> None:
        """Note how many of the acknowledged rows are missing, and how many of the rows that are there are not what was written."""
        self.tally.lost += max(0, acknowledged - len(found))
        self.tally.torn += sum(row != right(number) for number, row in enumerate(found))


def is_base_with_mark(path: Path, base: Path) -> bool:
    """Whether a file is as it was, but for the line at its end that says that it has a journal."""
    whole, size = path.read_bytes(), base.stat().st_size
    return whole[:size] == base.read_bytes() and len(whole) - size < 200


class Append(Series):
    """Rows one after the other, without packing; the file starts anew after fifty kills."""

    def start(self) -> None:
        self._restore()

    def _restore(self) -> None:
        copy_files(self.base, self.path)
        self._rows, self._kills = 0, 0

    def _work(self, acknowledge: Callable[[], None]) -> None:
        writer = ResultsWriter(self.path, pack_bytes=1 << 40)
        for number in range(self._rows, self._rows + 1000):
            writer.append_child(*child(number, run="new"))
            acknowledge()

    def kill_once(self) -> bool:
        done = kill_within(self._work, self.rng.random() ** 2 * 0.05, after=self.rng.randrange(8))
        self._look(self._rows + done.acknowledged)
        self.tally.acknowledged += done.acknowledged
        self._kills += 1
        if self._kills % 50 == 0:
            self.end()
            self._restore()
        return done.killed

    def _look(self, acknowledged: int) -> None:
        paths = ResultsPaths.of(self.path)
        if not self.size and not paths.journal.exists() and not paths.h5.exists():
            found: list[Any] = []
        else:
            with closing(open_snapshot(paths)) as snapshot:
                records = [record for record in snapshot.journal.records if record.kind == "child"]
                found = [plain(record.row | {"curves": record.curves}) for record in records]
                assert snapshot.children == self.size + len(records)
        assert not paths.h5.exists() or is_base_with_mark(paths.h5, self.base)
        self.count(acknowledged, found, lambda number: plain_child(number, "new"))
        assert len(found) <= acknowledged + 1, "a row is there that nobody wrote"
        self._rows = len(found)

    def end(self) -> None:
        with ResultsWriter(self.path) as writer:
            writer.put_run(run("new"))
        parts = [large_tables(self.size)] * (self.size > 0) + [tables("new", 0, self._rows)]
        assert same(tables_in(self.path), join_tables(parts))
        assert check_file(self.path).sound


def plain_child(number: int, name: str) -> dict[str, Any]:
    row, curves = child(number, run=name)
    return plain(row | {"curves": curves})


class Pack(Series):
    """Two hundred rows of a journal into the HDF5 file."""

    def start(self) -> None:
        self._before = self.path.parent.parent / "before" / "x.h5"
        copy_files(self.base, self._before)
        left_unpacked(self._before, "new", UNPACKED)
        self._right = tables_in(self._before)
        copy_files(self._before, self.path)
        self._seconds = seconds_of(self._work)
        copy_files(self._before, self.path)

    def _work(self, acknowledge: Callable[[], None]) -> None:
        ResultsWriter(self.path).pack()
        acknowledge()

    def kill_once(self) -> bool:
        done = kill_within(self._work, self.rng.uniform(0.0, self._seconds))
        self.tally.acknowledged += UNPACKED
        self._look()
        if not self.path.with_suffix(".journal").exists():
            copy_files(self._before, self.path)
        return done.killed

    def _look(self) -> None:
        unchanged = all(
            _same_file(self.path.with_suffix(end), self._before.with_suffix(end)) for end in (".h5", ".journal")
        )
        if unchanged:
            with closing(open_snapshot(ResultsPaths.of(self.path))) as snapshot:
                self.tally.lost += max(0, self.size + UNPACKED - snapshot.children)
        elif not same(tables_in(self.path), self._right):
            self.tally.torn += 1

    def end(self) -> None:
        ResultsWriter(self.path).close()
        assert same(tables_in(self.path), self._right)
        assert sorted(os.listdir(self.path.parent)) == ["x.h5"]


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() == other.exists() and (not one.exists() or filecmp.cmp(one, other, shallow=False))


class Merge(Series):
    """The file and one of two hundred rows, half of them packed, into a new one."""

    def start(self) -> None:
        copy_files(self.base, self.path)
        if not self.size:
            with ResultsWriter(self.path) as writer:
                writer.put_run(run("old"))
        self._other = self.path.with_name("other.h5")
        write_new(str(self._other), tables("new", 0, UNPACKED))
        self._out = self.path.with_name("out.h5")
        self._kept = {path: path.read_bytes() for path in (self.path, self._other)}
        self._seconds = seconds_of(self._work)
        self._right = join_tables([large_tables(self.size), tables("new", 0, UNPACKED)])
        assert same(tables_in(self._out), self._right)
        self._out.unlink()

    def _work(self, acknowledge: Callable[[], None]) -> None:
        merge_files([str(self.path), str(self._other)], str(self._out))
        acknowledge()

    def kill_once(self) -> bool:
        done = kill_within(self._work, self.rng.uniform(0.0, self._seconds))
        self.tally.acknowledged += UNPACKED * done.acknowledged
        self._look(done.acknowledged > 0)
        return done.killed

    def _look(self, acknowledged: bool) -> None:
        for path, data in self._kept.items():
            assert path.read_bytes() == data, f"the merge changed {path.name}"
        if self._out.exists():
            self.tally.torn += not same(tables_in(self._out), self._right)
            self._out.unlink()
        else:
            self.tally.lost += UNPACKED * acknowledged

    def end(self) -> None:
        merge_files([str(self.path), str(self._other)], str(self._out))
        assert same(tables_in(self._out), self._right)


class Instant(Executor):
    """Trains nothing: a child's score is a function of its choices."""

    def __init__(self) -> None:
        super().__init__(ExecutorOptions())
        self._waiting: list[tuple[int, Child]] = []

    def submit(self, ticket: int, child: Child) -> None:
        self._waiting.append((ticket, child))

    def wait(self) -> list[tuple[int, Evaluation]]:
        ticket, child = self._waiting.pop()
        score = random.Random(str(child.architecture.choices)).random()
        return [(ticket, Evaluation(status="ok", val_acc=score, val_acc_best=score, train_seconds=1.0))]

    def drop(self) -> list[tuple[int, Evaluation]]:
        self._waiting.clear()
        return []

    def close(self) -> None:
        self._waiting.clear()


@dataclass
class Telling:
    """A writer that says when a row is acknowledged."""

    writer: ResultsWriter
    acknowledge: Callable[[], None]

    def append_children(self, children: Any) -> None:
        self.writer.append_children(children)
        for _ in children:
            self.acknowledge()

    def put_run(self, row: Any) -> None:
        self.writer.put_run(row)


class Resume(Series):
    """A search by evolution that is resumed until it is complete; then it starts anew."""

    def start(self) -> None:
        self._plan = tiny_plan(
            strategy="evolution",
            options={"population": 6, "sample": 3},
            space="nasbench201",
            budget=f"{CHILDREN} children",
            cached="off",
        )
        copy_files(self.base, self.path)
        self._seconds = seconds_of(self._work)
        self._right = self._rows()
        assert len(self._right) >= CHILDREN
        copy_files(self.base, self.path)
        self._told = 0

    def _work(self, acknowledge: Callable[[], None]) -> None:
        with ResultsWriter(self.path) as writer, Instant() as executor:
            there = self.path.exists() or self.path.with_suffix(".journal").exists()
            stored = Results(str(self.path)).children_of(self._plan.run) if there else []
            sink = Telling(writer, acknowledge)
            Search(self._plan, stored, sink, ScoreCache(), executor, Progress("", io.StringIO())).run()

    def _rows(self) -> list[dict[str, Any]]:
        return [row for row in stable_rows(self.path) if row["run"] == self._plan.run]

    def kill_once(self) -> bool:
        done = kill_within(self._work, self.rng.uniform(0.0, self._seconds))
        self._told += done.acknowledged
        self.tally.acknowledged += done.acknowledged
        there = self.path.exists() or self.path.with_suffix(".journal").exists()
        rows = self._rows() if there else []
        self.count(self._told, rows, lambda number: self._right[number])
        self._told = len(rows)
        if rows == self._right:
            self.end()
            copy_files(self.base, self.path)
            self._told = 0
        return done.killed

    def end(self) -> None:
        self._work(lambda: None)
        assert self._rows() == self._right
        assert sorted(os.listdir(self.path.parent)) == ["x.h5"]


OPERATIONS: dict[str, type[Series]] = {"append": Append, "pack": Pack, "merge": Merge, "resume": Resume}


# -- all of them ---------------------------------------------------------------------------------------------------------


def prepare(folder: Path, sizes: Sequence[int]) -> None:
    """Write the large files once."""
    for size in sizes:
        path = folder / f"base-{size}.h5"
        if size and not path.exists():
            write_new(str(path), large_tables(size))


def one_series(prepared: Path, operation: str, size: int, kills: int, seconds: float) -> Tally:
    until = time.time() + seconds
    with temporary_folder() as folder:
        return OPERATIONS[operation](prepared, size, folder, seed=size).go_on(kills, until)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="nasbench-kills-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def table_of(tallies: Sequence[Tally]) -> str:
    lines = [
        "| operation | rows in the file | kills | rows acknowledged | lost | torn | unreadable or in need of repair | minutes |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for tally in [*tallies, _sum_of(tallies)]:
        lines.append(
            f"| {tally.operation} | {tally.size if tally.size >= 0 else ''} | {tally.kills} | {tally.acknowledged} | {tally.lost} "
            f"| {tally.torn} | {tally.unreadable} | {tally.seconds / 60:.1f} |"
        )
    return "\n".join(lines)


def _sum_of(tallies: Sequence[Tally]) -> Tally:
    total = Tally("all", -1)
    for name in ("kills", "acknowledged", "lost", "torn", "unreadable", "seconds"):
        setattr(total, name, sum(getattr(tally, name) for tally in tallies))
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1020, help="over all operations and sizes")
    parser.add_argument(
        "--minutes",
        type=float,
        default=minutes_for("kills"),
        help="of which every series may take the same part; it says how many kills there were (half of FAULT_MINUTES)",
    )
    parser.add_argument("--jobs", type=int, default=2, help="series side by side")
    parser.add_argument("--prepared", type=Path, help="folder in which the large files are kept for the next time")
    given = parser.parse_args()
    with temporary_folder() as folder:
        prepared = given.prepared or folder
        prepare(prepared, SIZES)
        seconds = 60 * given.minutes * given.jobs / (len(PLAN) * len(SIZES))
        share = given.kills / sum(map(sum, PLAN.values()))
        with ProcessPoolExecutor(given.jobs) as pool:
            waiting = [
                pool.submit(one_series, prepared, operation, size, max(1, round(share * kills)), seconds)
                for operation, counts in PLAN.items()
                for size, kills in zip(SIZES, counts)
            ]
            tallies = []
            for future in waiting:
                tallies.append(future.result())
                print(
                    f"{tallies[-1].operation} {tallies[-1].size}: {tallies[-1].kills} kills",
                    file=sys.stderr,
                    flush=True,
                )
    print(table_of(tallies))
    for tally in tallies:
        print(*tally.errors, sep="\n", end="")
    sys.exit(0 if all(tally.clean for tally in tallies) else 1)


if __name__ == "__main__":
    main()
