"""The driver alone: 20,000 children on 800 simulated devices through the real search loop, ledger, journal and packing.

OMP_NUM_THREADS=1 python benchmarks/scale.py --folder build/scale

A child takes no time of the machine: the executor keeps a clock of its own and hands out the child whose simulated training ends next, so
what is left is what the driver takes. Each search is a process of its own, for its memory. Times are of the clock, disk included.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from record import Measurement, keep
from searched import remove_results, resident_megabytes

from nasbench.runners.executors import Executor, ExecutorOptions
from nasbench.runners.search.config import SearchConfig, plan_search
from nasbench.runners.search.loop import Search
from nasbench.runners.search.progress import Progress
from nasbench.store.cache import ScoreCache
from nasbench.store.format.schema import CURVES
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.training.evaluation import Child, Evaluation

SPACE = "nasnet:blocks=5"  # the cells of NASNet
EPOCHS = 20  # of its children
MEAN_SECONDS = 450 * 4 * 86_400 / 20_000  # of its children: 450 devices for 4 days, 20,000 children
SPREAD = 0.5  # standard deviation of the logarithm of a child's seconds
GOAL_SECONDS = 0.005
QUARTERS = (0.25, 0.5, 0.75, 1.0)
CASES = (
    ("random", 800, False),
    ("evolution", 800, False),
    ("reinforce", 800, False),
    ("ppo", 800, False),
    ("random", 800, True),
    ("ppo", 800, True),
    ("random", 1, False),
    ("ppo", 1, False),
)


class Simulated(Executor):
    """Devices on a clock of their own: `wait` moves it to the end of the next training.

    Args:
        devices: how many, each with one child.
        ended: called with the number of children that have ended, after each.
    """

    def __init__(self, devices: int, ended: Callable[[int], None]) -> None:
        super().__init__(ExecutorOptions(devices=("cpu",) * devices))
        self.clock, self.seconds = 0.0, 0.0
        self._ended, self._count = ended, 0
        self._running: list[tuple[float, int, Child, float]] = []

    def submit(self, ticket: int, child: Child) -> None:
        """Start a child, whose seconds depend on it alone."""
        began = time.perf_counter()
        takes = MEAN_SECONDS * math.exp(random.Random(f"{child.architecture.hash}{child.seed}").gauss(0, SPREAD))
        heapq.heappush(self._running, (self.clock + takes, ticket, child, takes))
        self.seconds += time.perf_counter() - began

    def wait(self) -> list[tuple[int, Evaluation]]:
        """The next to end."""
        began = time.perf_counter()
        self.clock, ticket, child, takes = heapq.heappop(self._running)
        evaluation = _evaluation(child, takes)
        self.seconds += time.perf_counter() - began
        self._ended(self._count)
        self._count += 1
        return [(ticket, evaluation)]

    def drop(self) -> list[tuple[int, Evaluation]]:
        """Forget what is in training."""
        self._running.clear()
        return []

    def close(self) -> None:
        """Nothing to end."""


def _evaluation(child: Child, seconds: float) -> Evaluation:
    """A score that depends on the architecture alone, with curves whose digits do not repeat, as those of a training."""
    noise = random.Random(child.architecture.hash)
    score = noise.random()
    curves = {column.name: tuple(noise.random() for _ in range(EPOCHS)) for column in CURVES}
    return Evaluation(
        status="ok",
        val_acc=score,
        val_acc_best=score,
        val_loss=1 - score,
        train_acc=score,
        train_loss=1 - score,
        params=10**6,
        mult_adds=10**8,
        epochs=EPOCHS,
        train_seconds=0.9 * seconds,
        eval_seconds=0.1 * seconds,
        started_at="2026-01-01T00:00:00.000+00:00",
        finished_at="2026-01-01T00:00:01.000+00:00",
        curves=curves,
    )


class TimedSink:
    """A sink that notes how long each row took to be kept."""

    def __init__(self, writer: ResultsWriter) -> None:
        self._writer = writer
        self.seconds: list[float] = []

    def append_children(self, children: Sequence[tuple[Mapping[str, Any], Mapping[str, Sequence[float]]]]) -> None:
        """Keep finished children."""
        began = time.perf_counter()
        self._writer.append_children(children)
        self.seconds.append(time.perf_counter() - began)

    def put_run(self, row: Mapping[str, Any]) -> None:
        """Keep what is known of a run."""
        self._writer.put_run(row)


@dataclass(frozen=True)
class Figures:
    """What one search took; times in seconds, memory in MB."""

    seconds: float  # of the loop, the last pack not included
    processor_seconds: float
    executor_seconds: float  # of the simulation itself
    searcher_seconds: float
    rows_seconds: float  # in the sink, packs included
    row_seconds: float  # the median row
    longest_row_seconds: float  # one that packed
    last_pack_seconds: float
    quarter_seconds: tuple[float, ...]  # of each quarter of the children
    resident: tuple[float, ...]  # after each quarter
    peak: float
    file_bytes: int
    simulated_seconds: float


def searched(strategy: str, devices: int, ordered: bool, children: int, path: Path) -> Figures:
    """Run one search in this process, and check that its file has every child once."""
    plan = plan_search(
        SearchConfig(
            strategy=strategy,
            space=SPACE,
            budget=f"{children} children",
            final="none",
            child_seeds="run",
            executor="local",
            devices=("cpu",) * devices,
            ordered=ordered,
        )
    )
    at: dict[int, tuple[float, float]] = {}  # children ended -> clock, resident
    marks = {round(share * children) - 1 for share in QUARTERS}

    def ended(count: int) -> None:
        if count in marks:
            at[count] = time.perf_counter(), resident_megabytes()

    remove_results(path)
    with ResultsWriter(path) as writer, Simulated(devices, ended) as executor:
        sink = TimedSink(writer)
        search = Search(plan, [], sink, ScoreCache(), executor, Progress("scale", StringIO()))
        began, processor = time.perf_counter(), time.process_time()
        search.run()
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        packing = time.perf_counter()
    last_pack = time.perf_counter() - packing
    with Results(str(path)) as results:
        rows = results.frame(["index", "counted"])
    if sorted(rows.loc[rows["counted"], "index"]) != sorted(set(rows["index"])) or rows["counted"].sum() != children:
        raise SystemExit(f"{path}: {rows['counted'].sum()} children of {children} were counted")
    clocks = [began, *(at[mark][0] for mark in sorted(at))]
    return Figures(
        seconds=seconds,
        processor_seconds=processor,
        executor_seconds=executor.seconds,
        searcher_seconds=search.ledger.device_seconds["searcher"],
        rows_seconds=sum(sink.seconds),
        row_seconds=median(sink.seconds),
        longest_row_seconds=max(sink.seconds),
        last_pack_seconds=last_pack,
        quarter_seconds=tuple(after - before for before, after in pairwise(clocks)),
        resident=tuple(at[mark][1] for mark in sorted(at)),
        peak=resident_megabytes(what="VmHWM"),
        file_bytes=path.stat().st_size,
        simulated_seconds=executor.clock,
    )


def measured(strategy: str, devices: int, ordered: bool, children: int, folder: Path) -> Measurement:
    """One search in a process of its own."""
    name = f"{strategy}-{devices}{'-ordered' if ordered else ''}"
    words = [sys.executable, __file__, "--folder", str(folder), "--children", str(children)]
    words += ["--one", strategy, "--devices", str(devices), *(["--ordered"] if ordered else [])]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    figures = json.loads(done.stdout)
    each = (figures["seconds"] - figures["executor_seconds"]) / children
    milliseconds = [1e3 * seconds / children * len(QUARTERS) for seconds in figures["quarter_seconds"]]
    note = (
        f"by quarter {', '.join(f'{ms:.2f}' for ms in milliseconds)} ms; "
        f"searcher {1e3 * figures['searcher_seconds'] / children:.2f} ms, "
        f"rows {1e3 * figures['rows_seconds'] / children:.2f} ms (median {1e3 * figures['row_seconds']:.2f} ms, the longest, "
        f"with a pack, {figures['longest_row_seconds']:.2f} s); processor {1e3 * figures['processor_seconds'] / children:.2f} ms; "
        f"resident at 25/50/75/100% {'/'.join(f'{mb:.0f}' for mb in figures['resident'])} MB, at most {figures['peak']:.0f} MB; "
        f"file {figures['file_bytes'] / 1e6:.1f} MB, last pack {figures['last_pack_seconds']:.2f} s"
    )
    print(
        f"{name}: {figures['simulated_seconds'] / 86_400:.2f} simulated days in {figures['seconds']:.1f} s", flush=True
    )
    return Measurement(
        f"driver of {children:,} children on {devices} devices, {strategy}{', ordered' if ordered else ''}",
        GOAL_SECONDS / each,
        "the goal of 5 ms a child",
        each,
        GOAL_SECONDS,
        "s",
        note,
    )


def main() -> None:
    """Measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, required=True, help="where results files are made, on the disk that is measured"
    )
    parser.add_argument("--children", type=int, default=20_000)
    parser.add_argument(
        "--one", metavar="STRATEGY", help="one search in this process, figures as JSON; nothing is recorded"
    )
    parser.add_argument("--devices", type=int, default=800, help="with --one")
    parser.add_argument("--ordered", action="store_true", help="with --one")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    if options.one:
        path = options.folder / f"{options.one}-{options.devices}{'-ordered' if options.ordered else ''}.h5"
        figures = searched(options.one, options.devices, options.ordered, options.children, path)
        print(json.dumps(figures.__dict__))
        return
    for strategy, devices, ordered in CASES:
        keep([measured(strategy, devices, ordered, options.children, options.folder)], record=not options.no_record)


if __name__ == "__main__":
    main()
