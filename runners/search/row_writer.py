"""Writer of a search's rows: trained children are written at once, cached ones in batches."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

Row = Mapping[str, Any]
Curves = Mapping[str, Sequence[float]]

BATCH_ROWS: Final = 64
BATCH_SECONDS: Final = 0.25


class RowSink(Protocol):
    """Interface of a destination of rows; `store.writer.ResultsWriter` is one."""

    def append_children(self, children: Sequence[tuple[Row, Curves]]) -> None:
        """Store finished children, all or none.

        Args:
            children: columns and curves of each child; a curve has one value per epoch.
        """

    def put_run(self, row: Row) -> None:
        """Store the row of a run, in place of its earlier row.

        Args:
            row: columns of the run.
        """

    def append_measurements(self, rows: Sequence[Row]) -> None:
        """Store measurements, all or none.

        Args:
            rows: columns of each measurement.
        """


class RowWriter:
    """Writes children into a sink.

    A trained child is on the disk when `write` returns, together with the rows before it. Cached children are written
    in batches (64 rows or 0.25 s), because the search can look them up again after a kill.

    Args:
        sink: destination; each row is on the disk when its call returns.
    """

    def __init__(self, sink: RowSink) -> None:
        self._sink = sink
        self._waiting: list[tuple[Row, Curves]] = []
        self._waiting_since = 0.0

    def write(self, row: Row, curves: Curves, at_once: bool) -> None:
        """Write a child; without `at_once` it may wait for the next batch.

        Args:
            row: columns of the child.
            curves: its curves.
            at_once: whether the row must be on the disk when this returns.
        """
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting.append((row, curves))
        waited = time.monotonic() - self._waiting_since
        if at_once or len(self._waiting) >= BATCH_ROWS or waited >= BATCH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the waiting rows."""
        waiting, self._waiting = self._waiting, []  # cleared first, because Ctrl-C must not make them written twice
        if waiting:
            self._sink.append_children(waiting)

    def put_run(self, row: Row) -> None:
        """Write the waiting children, then the row of the run; see `RowSink.put_run`."""
        self.flush()
        self._sink.put_run(row)

    def append_measurements(self, rows: Sequence[Row]) -> None:
        """Write measurements at once, if there are any; see `RowSink.append_measurements`."""
        if rows:
            self._sink.append_measurements(rows)
