"""A whole results file built in memory, as written by imports, merges, repairs and migrations."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

import numpy as np

from nasbench.errors import InputError
from nasbench.store.errors import StoreError, explain
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Data, Numbers, Text, column_of, join_columns
from nasbench.store.format.manifest import Table
from nasbench.store.format.rows import Curves, Row
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, MEASUREMENT_COLUMNS, RUN_COLUMNS, Column
from nasbench.store.lock import ResultsLock
from nasbench.store.packing import pack_snapshot
from nasbench.store.reader import Snapshot, open_snapshot

CURVE_NAMES: Final = tuple(curve.name for curve in CURVES)


def measurement_columns(rows: Sequence[Row]) -> dict[str, Data]:
    """Make the columns of the table of measurements.

    Args:
        rows: rows that were checked by `rows.measurement_row`.

    Returns:
        Name -> column, shape [rows].
    """
    return {item.name: column_of(item, [row[item.name] for row in rows]) for item in MEASUREMENT_COLUMNS}


@dataclass(frozen=True)
class Tables:
    """Rows of results files, stored as columns.

    Args:
        children: name -> column of the children table, shape [children].
        runs: name -> column of the runs table, shape [runs].
        curves: name -> the epochs of all children end to end.
        lengths: number of epochs per child, ints, shape [children].
        measurements: name -> column of the table of measurements, shape [measurements].
    """

    children: Mapping[str, Data]
    runs: Mapping[str, Data]
    curves: Mapping[str, Numbers]
    lengths: Numbers
    measurements: Mapping[str, Data] = field(default_factory=lambda: measurement_columns([]))


@dataclass(frozen=True)
class TableBuilder:
    """Whole tables in the form that `packing.pack_snapshot` writes as a results file.

    Args:
        paths: paths of the file to write.
        tables: exactly the columns of the schema.
        file: id of the results file.
        last_sequence: number of the last journal record that it includes.
    """

    paths: ResultsPaths
    tables: Tables
    file: str
    last_sequence: int

    @property
    def children(self) -> int:
        """Rows of the children table."""
        return len(self.tables.lengths)

    @property
    def runs(self) -> int:
        """Rows of the runs table."""
        return len(self.tables.runs["run"])

    @property
    def measurements(self) -> int:
        """Rows of the table of measurements."""
        return len(self.tables.measurements["hash"])

    def column(self, table: Table, column: Column) -> Data:
        """Return a column of a table; see `Content.column`."""
        tables = self.tables
        columns = {"children": tables.children, "runs": tables.runs, "measurements": tables.measurements}
        return columns[table][column.name]

    def curve(self, name: str) -> Numbers:
        """Return one curve of all children, end to end; see `Content.curve`."""
        return self.tables.curves[name]

    def offsets(self) -> Numbers:
        """Return the borders of the children in a curve; see `Content.offsets`."""
        return np.concatenate([np.zeros(1, dtype="<i8"), np.cumsum(self.tables.lengths, dtype="<i8")])


def tables_of_rows(
    children: Sequence[tuple[Row, Curves]], runs: Sequence[Row], measurements: Sequence[Row] = ()
) -> Tables:
    """Make tables from rows that were checked by the functions of `rows`.

    Args:
        children: checked rows with their curves.
        runs: checked rows of runs.
        measurements: checked rows of measurements.

    Returns:
        The tables.
    """
    return Tables(
        children={item.name: column_of(item, [row[item.name] for row, _ in children]) for item in CHILD_COLUMNS},
        runs={item.name: column_of(item, [row[item.name] for row in runs]) for item in RUN_COLUMNS},
        curves={
            name: np.array([value for _, curves in children for value in curves[name]], dtype="<f8")
            for name in CURVE_NAMES
        },
        lengths=np.array([len(curves[CURVE_NAMES[0]]) for _, curves in children], dtype="<i8"),
        measurements=measurement_columns(measurements),
    )


def tables_of_snapshot(snapshot: Snapshot) -> Tables:
    """Read all tables of a results file.

    Args:
        snapshot: the opened results file.

    Returns:
        Its tables.

    Raises:
        CorruptResults: when a dataset is damaged; the message names it.
    """
    return Tables(
        children={item.name: snapshot.column("children", item) for item in CHILD_COLUMNS},
        runs={item.name: snapshot.column("runs", item) for item in RUN_COLUMNS},
        curves={name: snapshot.curve(name) for name in CURVE_NAMES},
        lengths=np.diff(snapshot.offsets()),
        measurements={item.name: snapshot.column("measurements", item) for item in MEASUREMENT_COLUMNS},
    )


def take_children(tables: Tables, positions: Numbers) -> Tables:
    """Select the children at `positions` with their curves, and all runs and measurements.

    Args:
        tables: the tables.
        positions: ints, shape [children].

    Returns:
        Tables with the selected children.
    """
    places = epochs_at(tables.lengths, positions)
    return replace(
        tables,
        children={name: _take(data, positions) for name, data in tables.children.items()},
        curves={name: values[places] for name, values in tables.curves.items()},
        lengths=tables.lengths[positions],
    )


def epochs_at(lengths: Numbers, positions: Numbers) -> Numbers:
    """Compute the positions, in the curves, of all epochs of some children.

    Args:
        lengths: number of epochs per child, ints, shape [children].
        positions: positions of children, ints.

    Returns:
        Ints, the epochs of the children end to end.
    """
    starts = (np.cumsum(lengths) - lengths)[positions]
    repeats = lengths[positions]
    ends = np.cumsum(repeats)
    counted = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - repeats, repeats)
    places: Numbers = np.repeat(starts, repeats) + counted
    return places


def join_tables(parts: Sequence[Tables]) -> Tables:
    """Concatenate tables.

    Args:
        parts: tables with the same columns, at least one.

    Returns:
        Tables with all rows, in order.
    """
    return Tables(
        children={name: join_columns([part.children[name] for part in parts]) for name in parts[0].children},
        runs={name: join_columns([part.runs[name] for part in parts]) for name in parts[0].runs},
        curves={name: np.concatenate([part.curves[name] for part in parts]) for name in parts[0].curves},
        lengths=np.concatenate([part.lengths for part in parts]),
        measurements={
            name: join_columns([part.measurements[name] for part in parts]) for name in parts[0].measurements
        },
    )


def measurements_once(tables: Tables) -> Tables:
    """Leave out measurements all of whose columns are equal to those of an earlier one, to the bit.

    Args:
        tables: the tables.

    Returns:
        Tables without repeated measurements.
    """
    first: dict[tuple[Any, ...], int] = {}
    for position, key in enumerate(measurement_keys(tables)):
        first.setdefault(key, position)
    kept = np.array(list(first.values()), dtype=np.int64)
    return replace(tables, measurements={name: _take(data, kept) for name, data in tables.measurements.items()})


def measurement_keys(tables: Tables, ignored: Collection[str] = ()) -> list[tuple[Any, ...]]:
    """Make a key per measurement, by which equal rows are recognized.

    Args:
        tables: the tables.
        ignored: columns in which equal rows may differ.

    Returns:
        One key per row. Two are equal exactly if the other columns are equal to the bit; NaN equals NaN.
    """
    columns = [data for name, data in tables.measurements.items() if name not in ignored]
    listed = [list(data.objects()) if isinstance(data, Text) else list(map(repr, data.tolist())) for data in columns]
    return list(zip(*listed))


def row_of(columns: Mapping[str, Data], position: int) -> dict[str, Any]:
    """One row as plain Python values.

    Args:
        columns: name -> column.
        position: position of the row.

    Returns:
        Name -> value.
    """
    return {name: _plain(data[position]) for name, data in columns.items()}


def require_new(path: str | os.PathLike[str]) -> None:
    """Refuse the name of a results file that is there. New ones appear whole: what is there was not left half by a kill.

    Args:
        path: the file, ending in .h5.

    Raises:
        InputError: when the name does not end in .h5, or the file or a journal of it is there; the message says what is
            in it.
    """
    paths = ResultsPaths.of(path)
    if not paths.h5.exists() and not paths.journal.exists():
        return
    try:
        snapshot = open_snapshot(paths)
        found = f", whole, with {snapshot.children} children of {snapshot.runs} runs"
        snapshot.close()
    except StoreError:
        found = ", and cannot be read as a results file"
    raise InputError(
        f"{os.fspath(path)} is there already{found}: name another file (nasbench merge joins two), or remove it to "
        "write it anew"
    )


def write_new(path: str, tables: Tables, take_over: bool = False) -> None:
    """Write tables as a new results file, complete and on the disk when this returns.

    Args:
        path: file that does not exist yet, ending in .h5; its folder is created if there is none.
        tables: exactly the columns of the schema.
        take_over: see `lock.ResultsLock`.

    Raises:
        InputError: when the name does not end in .h5, or when the file exists; nothing is written.
        StoreError: when it cannot be written, or another process has it open for writing (`ResultsLocked`).
    """
    paths = ResultsPaths.of(path)
    try:
        paths.h5.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, paths.h5.parent, "making the folder") from error
    lock = ResultsLock(paths, take_over)
    try:
        require_new(path)
        rows = len(tables.lengths) + len(tables.runs["run"]) + len(tables.measurements["hash"])
        pack_snapshot(TableBuilder(paths, tables, uuid4().hex, rows), lock, new=True)
    finally:
        lock.release()


def _take(data: Data, positions: Numbers) -> Data:
    return data.take(positions) if isinstance(data, Text) else data[positions]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else value.item()
