"""How long a query of a shipped table takes, and opening twenty: `python benchmarks/table_queries.py`.

Processor time of this process, the least of several repetitions.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

from nasbench.tabular.catalogue import shipped_table
from nasbench.tabular.tables import Selection

TABLES, QUERIES, REPETITIONS = 20, 20_000, 5


def least(work: Callable[[], object]) -> float:
    """Least processor seconds of several repetitions."""
    seconds = []
    for _ in range(REPETITIONS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def main() -> None:
    """Print both times."""
    shipped = shipped_table("digits201-2")
    opened = least(lambda: [shipped.read(Selection(None, (0,))) for _ in range(TABLES)])
    (table,) = shipped.read(Selection(None, (0,)))
    choices = table.architecture(1234).choices
    table.row(choices)
    timer = timeit.Timer(lambda: table.row(choices), timer=time.process_time)
    each = min(timer.repeat(REPETITIONS, QUERIES))
    print(f"{TABLES} tables opened: {opened:.3f} s; a row: {1e6 * each / QUERIES:.2f} us")


if __name__ == "__main__":
    main()
