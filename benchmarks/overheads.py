"""What the suite itself takes beside training: rows, ledger and progress; searchers; the start of a command; 20,000 cached children.

OMP_NUM_THREADS=1 python benchmarks/overheads.py --folder build/overheads

Times are of the clock, disk included, unless marked: what a user waits for.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from record import Measurement, keep
from searched import remove_results, resident_megabytes

from nasbench.runners.executors import Executor, ExecutorOptions
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_search
from nasbench.runners.search.loop import Search
from nasbench.runners.search.progress import Progress
from nasbench.store.cache import ScoreCache
from nasbench.store.format.schema import CURVES
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.training.evaluation import Child, Evaluation

SPACE = "nasnet:blocks=5"  # cells of NASNet's size
CHILD_SECONDS = 1.0  # the child that overheads are measured against
GOAL_SHARE = 0.05  # of its time
GOAL_SECONDS = 0.020
START_GOAL = 5.0
CACHED_GOAL = 60.0
FREE = ("random", "evolution")


class MadeUp(Executor):
    """Answers at once, as if a child of one second had been trained: what is left is what the suite takes itself."""

    def __init__(self) -> None:
        super().__init__(ExecutorOptions())
        self._queue: list[tuple[int, Child]] = []

    def submit(self, ticket: int, child: Child) -> None:
        """Queue a child."""
        self._queue.append((ticket, child))

    def wait(self) -> list[tuple[int, Evaluation]]:
        """A score that depends on the architecture only, with curves of twenty epochs."""
        ticket, child = self._queue.pop(0)
        score = int(child.architecture.hash[:8], 16) / 0x100000000
        curve = tuple(score * (epoch + 1) / 20 for epoch in range(20))
        return [
            (
                ticket,
                Evaluation(
                    status="ok",
                    val_acc=score,
                    val_acc_best=score,
                    val_loss=1 - score,
                    train_acc=score,
                    train_loss=1 - score,
                    params=10**6,
                    mult_adds=10**8,
                    epochs=20,
                    train_seconds=0.9 * CHILD_SECONDS,
                    eval_seconds=0.1 * CHILD_SECONDS,
                    started_at="2026-01-01T00:00:00.000+00:00",
                    finished_at="2026-01-01T00:00:01.000+00:00",
                    curves={column.name: curve for column in CURVES},
                ),
            )
        ]

    def drop(self) -> list[tuple[int, Evaluation]]:
        """Forget what was queued."""
        self._queue.clear()
        return []

    def close(self) -> None:
        """Nothing to end."""


class Timed:
    """A sink that notes how long each write took to be on the disk.

    Args:
        writer: of the results file.
        together: children that wait for each other; 1 for each at once, as in a real search.
    """

    def __init__(self, writer: ResultsWriter, together: int = 1) -> None:
        self._writer, self._together = writer, together
        self._waiting: list[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]] = []
        self.seconds: list[float] = []

    def append_children(self, children: Sequence[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]]) -> None:
        """Keep finished children."""
        self._waiting += children
        if len(self._waiting) >= self._together:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        began = time.perf_counter()
        self._writer.append_children(self._waiting)
        self.seconds.append(time.perf_counter() - began)
        self._waiting = []

    def put_run(self, row: Mapping[str, Any]) -> None:
        """Keep what is known of a run."""
        self._write()
        self._writer.put_run(row)


def plan_of(strategy: str, children: int, **fields: Any) -> SearchPlan:
    """A search of a NASNet-size space."""
    given = {"strategy": strategy, "space": SPACE, "budget": f"{children} children", "final": "none"}
    return plan_search(SearchConfig(**{**given, **fields}))


def searched(plan: SearchPlan, path: Path, together: int = 1) -> tuple[Search, Timed, float]:
    """Run a search whose children take no time; the seconds are of the whole loop, a closed file included."""
    remove_results(path)
    began = time.perf_counter()
    with ResultsWriter(path) as writer, MadeUp() as executor:
        sink = Timed(writer, together)
        run = Search(plan, [], sink, ScoreCache(), executor, Progress("overheads", stream=io.StringIO()))
        run.run()
    return run, sink, time.perf_counter() - began


def child_overhead(folder: Path, children: int) -> list[Measurement]:
    """Asking, journalling, charging, telling and progress of one child, by `random`, with every row on the disk before the next."""
    _, sink, seconds = searched(plan_of("random", children), folder / "child.h5")
    each = seconds / children
    row = statistics.median(sink.seconds)
    note = f"of which the row on the disk {1e3 * row:.2f} ms; {fsync_milliseconds(folder):.2f} ms of it fsync"
    return [
        Measurement(
            "store, ledger and progress of a child",
            GOAL_SECONDS / each,
            "the goal of 20 ms",
            each,
            GOAL_SECONDS,
            "s",
            note,
        ),
        Measurement(
            "share of a 1-second child",
            GOAL_SHARE * CHILD_SECONDS / each,
            "the goal of 5%",
            100 * each / CHILD_SECONDS,
            100 * GOAL_SHARE,
            "%",
        ),
    ]


def gaps(folder: Path, children: int) -> Measurement:
    """What passes between the end of a child and the start of the next in a real run with one worker process; the median."""
    path = folder / "gaps.h5"
    remove_results(path)
    words = ["run", "--space", "nasbench201", "--strategy", "evolution", "--budget", f"{children} children"]
    words += ["--final", "none", "--cached", "off", "--set", "epochs=1", "--set", "train_images=100", "-o", str(path)]
    subprocess.run(_nasbench(words), check=True, capture_output=True)
    with Results(str(path)) as results:
        frame = results.frame()
    ends, starts = (
        [datetime.fromisoformat(text).timestamp() for text in frame[name]] for name in ("finished_at", "started_at")
    )
    gap = statistics.median(start - end for end, start in zip(ends, starts[1:]))
    note = f"journal, ledger, searcher, progress and the way to the worker and back; {load()}"
    return Measurement(
        "from child to child of nasbench run", GOAL_SECONDS / gap, "the goal of 20 ms", gap, GOAL_SECONDS, "s", note
    )


def load() -> str:
    """What else the machine had to do; times of the clock are to be read with it."""
    return f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} processors"


def fsync_milliseconds(folder: Path) -> float:
    """Median of a write of 2 kB and an fsync by themselves."""
    path, taken = folder / "fsync", []
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        for place in range(100):
            began = time.perf_counter()
            os.pwrite(handle, bytes(2000), 2000 * place)
            os.fsync(handle)
            taken.append(1e3 * (time.perf_counter() - began))
    finally:
        os.close(handle)
        path.unlink()
    return statistics.median(taken)


def searchers(folder: Path, children: int) -> list[Measurement]:
    """Seconds a strategy takes a child, as charged; checks that the ledger holds what the rows say."""
    goal, rows = GOAL_SHARE * CHILD_SECONDS, []
    for strategy in ("random", "evolution", "local_search", "reinforce_logits", "reinforce", "ppo"):
        run, _, _ = searched(plan_of(strategy, children), folder / "searcher.h5")
        with Results(str(folder / "searcher.h5")) as results:
            told = float(results.frame()["searcher_seconds"].sum())
        charged = run.ledger.device_seconds["searcher"]
        if not (charged > 0 and math.isclose(charged, told, rel_tol=1e-9)):
            raise SystemExit(f"{strategy}: the ledger charged {charged} s to the searcher, its rows say {told} s")
        each = charged / children
        rows.append(
            Measurement(f"searcher of a child: {strategy}", goal / each, "5% of a 1-second child", each, goal, "s")
        )
    return rows


def start(folder: Path, executor: str, repeats: int) -> Measurement:
    """From the start of the process `nasbench run` to its first training step; the quickest, as other work only adds."""
    taken, before = [], _processor_seconds()
    for repeat in range(repeats):
        path = folder / f"start-{executor}-{repeat}.h5"
        remove_results(path)
        words = ["run", "--space", SPACE, "--strategy", "random", "--budget", "1 children", "--final", "none"]
        words += ["--set", "epochs=1", "--executor", executor, "-o", str(path)]
        began = time.time()
        subprocess.run(_nasbench(words), check=True, capture_output=True)
        with Results(str(path)) as results:
            [row] = results.frame().to_dict("records")
        # The set-up, building the network above all, comes before the first step.
        taken.append(datetime.fromisoformat(row["started_at"]).timestamp() + row["setup_seconds"] - began)
    seconds = min(taken)
    return Measurement(
        f"start of nasbench run to its first step, {executor}",
        START_GOAL / seconds,
        "the goal of 5 s",
        seconds,
        START_GOAL,
        "s",
        f"{(_processor_seconds() - before) / repeats:.1f} s of the processor for the whole command; {load()}",
    )


def cached(folder: Path, strategy: str, children: int) -> list[Measurement]:
    """`nasbench run` of children that are all in a cache: seconds, and whether its memory grows with the children."""
    source, path = folder / f"cached-{strategy}.h5", folder / f"again-{strategy}.h5"
    searched(plan_of(strategy, children, executor="local"), source, together=256)
    remove_results(path)
    words = ["run", "--space", SPACE, "--strategy", strategy, "--budget", f"{children} children", "--final", "none"]
    words += ["--cache", str(source), "-o", str(path)]
    before, began = _processor_seconds(), time.perf_counter()
    memory: list[tuple[int, float]] = []
    with subprocess.Popen(_nasbench(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory.append((_journalled(path), resident_megabytes(process.pid)))
            time.sleep(0.05)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    processor = _processor_seconds() - before
    with Results(str(path)) as results:
        frame = results.frame()
    if len(frame) != children or not frame["cached_from"].ne("").all():
        raise SystemExit(f"{strategy}: {frame['cached_from'].ne('').sum()} of {len(frame)} children were cached")
    return [
        Measurement(
            f"nasbench run of {children:,} cached children, {strategy}",
            CACHED_GOAL / seconds,
            "the goal of 60 s",
            seconds,
            CACHED_GOAL,
            "s",
            f"{processor:.1f} s of the processor; {_growth(memory)}; {load()}",
        )
    ]


def _processor_seconds() -> float:
    """Of all processes that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _growth(memory: list[tuple[int, float]]) -> str:
    """Resident memory after a quarter and half of the time in which rows are written, and at most."""
    running = [(rows, megabytes) for rows, megabytes in memory if rows]
    if not running:
        return "too short to see its memory"
    quarter, half = (running[len(running) // part][1] for part in (4, 2))
    peak = max(megabytes for _, megabytes in running)
    return f"resident after a quarter {quarter:.0f} MB, half {half:.0f} MB, at most {peak:.0f} MB"


def _journalled(path: Path) -> int:
    """Bytes of the journal, 0 before it is there."""
    with contextlib.suppress(FileNotFoundError):
        return path.with_suffix(".journal").stat().st_size
    return 0


def _nasbench(words: list[str]) -> list[str]:
    return [sys.executable, "-c", "from nasbench.cli import main; main()", *words]


def main() -> None:
    """Measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, required=True, help="where results files are made, on the disk that is measured"
    )
    parser.add_argument("--children", type=int, default=20_000, help="of the cached searches")
    parts = ("child", "searchers", "start", "cached")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    measured: list[Measurement] = []
    if "child" in options.only:
        measured += [*child_overhead(options.folder, 300), gaps(options.folder, 100)]
    if "searchers" in options.only:
        measured += searchers(options.folder, 100)
    if "start" in options.only:
        measured += [start(options.folder, executor, 5) for executor in ("inline", "local")]
    if "cached" in options.only:
        for strategy in FREE:
            measured += cached(options.folder, strategy, options.children)
    keep(measured, record=not options.no_record)


if __name__ == "__main__":
    main()
