"""A results file of a million rows beside parquet (pyarrow, zstd) of the same content: size, frames, columns, lookups, `query --head 5`;
and the table of a space beside NATS-Bench's files of the same content (store_nats.py).

pip install -r benchmarks/requirements.txt
OMP_NUM_THREADS=1 python benchmarks/store.py --rows 1000000 --folder /var/tmp/store-benchmark

All times but those of single lookups are of the processor, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import store_nats
from record import Measurement, keep
from store_content import made_up

from nasbench.store.format.columns import Text
from nasbench.store.format.schema import CHILD_COLUMNS
from nasbench.store.maintenance.table_builder import Tables, write_new
from nasbench.store.query import Results

REPEATS = 9
PARQUET = "pyarrow's parquet, zstd"
COMMANDS = {
    "--head 5": ["--head", "5"],
    "--sort val_acc --head 5": ["--sort", "val_acc", "--head", "5"],
    "--where 'params < 1e5' --head 5": ["--where", "params < 1e5", "--head", "5"],
}
LOOKUPS = 1000
COLUMNS = [column.name for column in CHILD_COLUMNS][:30]


def write_parquet(path: Path, tables: Tables) -> None:
    """The same children, each with its curves as lists."""
    columns: dict[str, pa.Array] = {}
    for name, values in tables.children.items():
        if isinstance(values, Text):
            coded = pa.DictionaryArray.from_arrays(pa.array(values.codes), pa.array(values.categories))
            columns[name] = coded.cast(pa.string())
        else:
            columns[name] = pa.array(values)
    offsets = pa.array(np.concatenate([[0], np.cumsum(tables.lengths)]).astype("i4"))
    for name, values in tables.curves.items():
        columns[f"curve_{name}"] = pa.ListArray.from_arrays(offsets, pa.array(values))
    pq.write_table(pa.table(columns), path, compression="zstd")


def interleaved(what: str, ours: Callable[[], object], theirs: Callable[[], object]) -> Measurement:
    """Medians of the processor's seconds of both, taken in turns; the seconds outside the system's calls as a note.

    On a machine with other work the system's share, which is mostly for fresh memory, varies by itself.
    """
    seconds: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    for _ in range(REPEATS):
        for which, task in enumerate((ours, theirs)):
            before = resource.getrusage(resource.RUSAGE_SELF)
            task()
            after = resource.getrusage(resource.RUSAGE_SELF)
            user = after.ru_utime - before.ru_utime
            seconds[which].append((user + after.ru_stime - before.ru_stime, user))
    whole, user = ([statistics.median(taken[at] for taken in seconds[which]) for which in (0, 1)] for at in (0, 1))
    note = f"without system calls {user[1] / user[0]:.2f} x ({user[0]:.3f} against {user[1]:.3f})"
    return Measurement(what, whole[1] / whole[0], PARQUET, *whole, "CPU s", note)


def frame_of(path: Path, columns: list[str]) -> pd.DataFrame:
    """Our way, from opening to closing."""
    with Results(str(path)) as results:
        return results.frame(columns)


def parquet_frame(path: Path, columns: list[str]) -> pd.DataFrame:
    """The usual way, on one thread as ours is."""
    table = pq.read_table(path, columns=columns, use_threads=False)
    return table.to_pandas(use_threads=False)


def lookup_seconds(path: Path) -> tuple[float, float]:
    """Seconds of the first lookup by hash with the opening, and the median of those after the first hundred."""
    with Results(str(path)) as results:
        keys = results.frame(["hash", "fingerprint", "seed"]).sample(LOOKUPS, random_state=0)
    rows = list(keys.itertuples(index=False))
    taken = []
    start = time.perf_counter()
    with Results(str(path)) as results:
        for row in rows:
            if results.lookup(row.hash, row.fingerprint, int(row.seed)) is None:
                raise SystemExit(f"{row.hash} is not found")
            now = time.perf_counter()
            taken.append(now - start)
            start = now
    return taken[0], statistics.median(taken[100:])


def command_cost(path: Path, words: list[str]) -> tuple[float, float]:
    """Processor seconds and peak MB of `nasbench query FILE WORDS` as a process, medians."""
    runs = [_run_command(path, words) for _ in range(REPEATS)]
    return statistics.median(seconds for seconds, _ in runs), statistics.median(peak for _, peak in runs)


def _run_command(path: Path, words: list[str]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from nasbench.cli import main; main()", "query", str(path), *words]
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        # Not ru_maxrss, which a child inherits from this large process.
        while process.poll() is None:
            peak = max(peak, _peak_megabytes(process.pid))
            time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak


def _peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0  # it has ended


def _zlib(data: object, size: int) -> bytes:
    return zlib.decompress(data, bufsize=size)  # type: ignore[arg-type]


def main() -> None:
    """Make the files where they are missing, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True, help="where the files are made, and kept")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    h5, parquet = (options.folder / f"{options.rows}.{ending}" for ending in ("h5", "parquet"))
    if not (h5.exists() and parquet.exists()):
        tables = made_up(options.rows)
        h5.unlink(missing_ok=True)
        write_new(str(h5), tables)
        write_parquet(parquet, tables)
    rows = f"{options.rows:,} rows"
    pd.testing.assert_frame_equal(frame_of(h5, COLUMNS), parquet_frame(parquet, COLUMNS))  # and both are in memory now
    sizes = os.path.getsize(h5) / 1e6, os.path.getsize(parquet) / 1e6
    measured = [Measurement(f"file of {rows} with curves", sizes[1] / sizes[0], PARQUET, *sizes, "MB")]
    for what, columns in ((f"{len(COLUMNS)} columns", COLUMNS), ("val_acc", ["val_acc"]), ("hash", ["hash"])):
        what, tasks = (
            f"frame of {what}, {rows}",
            (partial(frame_of, h5, columns), partial(parquet_frame, parquet, columns)),
        )
        measured.append(interleaved(what, *tasks))
        with mock.patch("nasbench.store.format.chunks.decompressor", return_value=_zlib):
            measured.append(interleaved(f"{what}, without the extra fast", *tasks))
    first, later = lookup_seconds(h5)
    goal = 1e-3
    measured.append(Measurement(f"opening and first lookup by hash, {rows}", 1 / first, "1 s", first, 1.0, "s"))
    measured.append(Measurement(f"warm lookup by hash, {rows}", goal / later, "the goal of 1 ms", later, goal, "s"))
    for option, words in COMMANDS.items():
        seconds, memory = command_cost(h5, words)
        what, note = f"nasbench query {option}, {rows}", f"peak {memory:,.0f} MB"
        measured.append(Measurement(what, 1 / seconds, "the goal of 1 s", seconds, 1.0, "CPU s", note))
    measured += store_nats.measure(options.folder)
    keep(measured)


if __name__ == "__main__":
    main()
