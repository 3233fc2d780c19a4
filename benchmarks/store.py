"""A results file of a million rows beside parquet (pyarrow, zstd) of the same content: size, frames, columns, lookups, `query --head 5`.

OMP_NUM_THREADS=1 python benchmarks/store.py --rows 1000000 --folder /var/tmp/store-benchmark
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from record import Measurement, keep
from store_content import made_up

from nasbench.store.assembled import Tables, write_new
from nasbench.store.columns import Text
from nasbench.store.query import Results
from nasbench.store.schema import CHILD_COLUMNS

REPEATS = 5
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


def interleaved(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Medians of the processor's seconds of both, taken in turns."""
    seconds: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(REPEATS):
        for which, task in enumerate((ours, theirs)):
            start = time.process_time()
            task()
            seconds[which].append(time.process_time() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def frame_of(path: Path, columns: list[str]) -> pd.DataFrame:
    """Our way, from opening to closing."""
    with Results(str(path)) as results:
        return results.frame(columns)


def parquet_frame(path: Path, columns: list[str]) -> pd.DataFrame:
    """The usual way, on one thread as ours is."""
    table = pq.read_table(path, columns=columns, use_threads=False)
    return table.to_pandas(use_threads=False)


def lookup_seconds(path: Path) -> float:
    """Median seconds of a lookup by hash, after the first."""
    with Results(str(path)) as results:
        keys = results.frame(["hash", "fingerprint", "seed"]).sample(LOOKUPS, random_state=0)
        rows = list(keys.itertuples(index=False))
        results.lookup(rows[0].hash, rows[0].fingerprint, int(rows[0].seed))
        taken = []
        for row in rows:
            start = time.perf_counter()
            results.lookup(row.hash, row.fingerprint, int(row.seed))
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def command_cost(path: Path) -> tuple[float, float]:
    """Processor seconds and peak MB of `nasbench query FILE --head 5` as a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from nasbench.cli import main; main()", "query", str(path), "--head", "5"]
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
    usual, rows = "pyarrow's parquet, zstd", f"{options.rows:,} rows"
    sizes = os.path.getsize(h5) / 1e6, os.path.getsize(parquet) / 1e6
    measured = [Measurement(f"file of {rows} with curves", sizes[1] / sizes[0], usual, *sizes, "MB")]
    for what, columns in ((f"{len(COLUMNS)} columns", COLUMNS), ("val_acc", ["val_acc"]), ("hash", ["hash"])):
        found = interleaved(lambda c=columns: frame_of(h5, c), lambda c=columns: parquet_frame(parquet, c))
        measured.append(Measurement(f"frame of {what}, {rows}", found[1] / found[0], usual, *found, "CPU s"))
    goal = 1e-3
    seconds = lookup_seconds(h5)
    measured.append(Measurement(f"warm lookup by hash, {rows}", goal / seconds, "the goal of 1 ms", seconds, goal, "s"))
    seconds, memory = command_cost(h5)
    note = f"peak {memory:,.0f} MB"
    measured.append(
        Measurement(f"nasbench query --head 5, {rows}", 1 / seconds, "the goal of 1 s", seconds, 1.0, "CPU s", note)
    )
    keep(measured)


if __name__ == "__main__":
    main()
