"""Commands that look at results, on files whose shape makes them slow: processor seconds and peak memory of each.

OMP_NUM_THREADS=1 python benchmarks/looking.py --folder /var/tmp/looking

Four files are made where they are missing: 200,000 children in 2,000 runs of 4 strategies; 2,000 strategy names; 60 children of 10,000
epochs; 5,000 small runs. Each command is a process of its own, from its start to its end. `--start` imports what a command imports and
draws nothing; the first child of a new run is timed in a journal of 1,000 to 16,000 rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from looking_content import Shape, made_up
from record import Measurement, keep
from searched import remove_results

from nasbench.store.maintenance.table_builder import write_new
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

GOAL_MEGABYTES = 300.0
SHAPES = {
    "many_children": ("200,000 children in 2,000 runs", Shape(runs=2_000, children=100, strategies=4, epochs=3)),
    "many_strategies": ("2,000 strategies", Shape(runs=2_000, children=5, strategies=2_000, epochs=3)),
    "long_trainings": ("60 children of 10,000 epochs", Shape(runs=4, children=15, strategies=2, epochs=10_000)),
    "many_runs": ("5,000 runs of 4 children", Shape(runs=5_000, children=4, strategies=4, epochs=3)),
}
# Words of each command, and its goal in processor seconds.
COMMANDS: dict[str, tuple[tuple[str, ...], float]] = {
    "compare": (("--by", "children", "-o", "{folder}/compare.png"), 2.0),
    "claims": (("-o", "{folder}/claims.png"), 2.0),
    "report": (("-o", "{folder}/report.html", "--force"), 5.0),
    "status": ((), 0.5),
    "query": (("--columns", "all", "-o", "{folder}/query.csv", "--force"), 2.0),
    "query --columns all": (("--columns", "all"), 2.0),  # a table on standard output
    "cost": (("-o", "{folder}/cost.png"), 2.0),
    "pareto": (("-o", "{folder}/pareto.png"), 2.0),
    "curves": (("-o", "{folder}/curves.png"), 2.0),
    "query --where": (
        (
            "--where",
            "val_acc > 0.8 and params < 1M and strategy in ['ppo', 'random']",
            "--sort",
            "val_acc",
            "--head",
            "5",
        ),
        1.0,
    ),
}
START_GOAL = 1.5  # of a command that draws, on a small file
RUN_GOAL = 0.001  # of the first child of a new run, beside that of another child
JOURNAL_ROWS = (1_000, 4_000, 16_000)

# The last line on standard error: processor seconds, and the most memory that was resident.
_RUN = """
import atexit, json, resource, sys
def figures():
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps([used.ru_utime + used.ru_stime, peak / 1024]), file=sys.stderr)
atexit.register(figures)
from nasbench.cli import main
main()
"""


@dataclass(frozen=True)
class Used:
    """What a command took: processor seconds, and MB of 2^20 bytes at most."""

    seconds: float
    megabytes: float


def make(name: str, folder: Path) -> Path:
    """The file of a shape, made where it is missing."""
    path = folder / f"{name}.h5"
    if not path.exists():
        remove_results(path)
        write_new(str(path), made_up(SHAPES[name][1]))
    return path


def command(words: Sequence[str], folder: Path, limit: float) -> Used | None:
    """Run `nasbench WORDS` as a process; None if it takes longer than the limit, in seconds of the clock.

    Args:
        words: the command with its arguments.
        folder: where it writes.
        limit: seconds.

    Raises:
        SystemExit: when the command fails.
    """
    filled = [sys.executable, "-c", _RUN, *(word.format(folder=folder) for word in words)]
    try:
        done = subprocess.run(filled, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise SystemExit(f"nasbench {' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return Used(*json.loads(done.stderr.splitlines()[-1]))


def looked_at(name: str, which: str, folder: Path, limit: float) -> Measurement:
    """One command on one file."""
    words, goal = COMMANDS[which]
    used = command([which.split()[0], str(make(name, folder)), *words], folder, limit)
    what = f"nasbench {which} of {SHAPES[name][0]}"
    if used is None:
        return Measurement(what, goal / limit, f"the goal of {goal:g} s", limit, goal, "CPU s", "not done by then")
    note = f"peak {used.megabytes:.0f} MB ({GOAL_MEGABYTES / used.megabytes:.2f} x the goal of {GOAL_MEGABYTES:g} MB)"
    return Measurement(what, goal / used.seconds, f"the goal of {goal:g} s", used.seconds, goal, "CPU s", note)


def first_children(folder: Path) -> list[Measurement]:
    """Processor seconds of the first child of a new run in journals of several lengths, medians of five runs."""
    source, path = make("many_runs", folder), folder / "starting.h5"
    with Results(str(source)) as results:
        row = dict(next(iter(results.determined()))[1])
    curves = {name: list(values) for name, values in row.pop("curves").items()}
    measured = []
    for rows in JOURNAL_ROWS:
        remove_results(path)
        with ResultsWriter(path, pack_bytes=1 << 40) as writer:
            children = [({**row, "run": f"{number // 4:012x}", "index": number % 4}, curves) for number in range(rows)]
            for at in range(0, rows, 500):
                writer.append_children(children[at : at + 500])
            seconds = []
            for number in range(5):
                began = time.process_time()
                writer.append_child({**row, "run": f"new{number:09}", "index": 0}, curves)
                seconds.append(time.process_time() - began)
        note = f"journal of {rows:,} rows"
        what = f"first child of a new run, journal of {rows:,} rows"
        took = statistics.median(seconds)
        measured.append(Measurement(what, RUN_GOAL / took, "the goal of 1 ms", took, RUN_GOAL, "CPU s", note))
    remove_results(path)
    return measured


def start_of_plots(folder: Path) -> Measurement:
    """A command that draws, on a file of eight children: mostly its start."""
    path = folder / "small.h5"
    if not path.exists():
        remove_results(path)
        write_new(str(path), made_up(Shape(runs=2, children=4, strategies=2, epochs=3)))
    used = command(["cost", str(path), "-o", "{folder}/small.png"], folder, 60)
    if used is None:
        raise SystemExit("nasbench cost of eight children takes more than a minute")
    note = f"peak {used.megabytes:.0f} MB"
    return Measurement(
        "start of a command that draws",
        START_GOAL / used.seconds,
        "the goal of 1.5 s",
        used.seconds,
        START_GOAL,
        "CPU s",
        note,
    )


def main() -> None:
    """Make the files where they are missing, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the files are made, and kept")
    parser.add_argument("--only", default="", help="comma-separated commands, or start, or first")
    parser.add_argument("--shapes", default=",".join(SHAPES), help="comma-separated")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds of the clock for a command")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    only = set(filter(None, options.only.split(","))) or {*COMMANDS, "start", "first"}
    for name in options.shapes.split(","):
        for which in COMMANDS:
            if which in only:
                keep([looked_at(name, which, options.folder, options.limit)], record=not options.no_record)
    if "start" in only:
        keep([start_of_plots(options.folder)], record=not options.no_record)
    if "first" in only:
        keep(first_children(options.folder), record=not options.no_record)


if __name__ == "__main__":
    main()
