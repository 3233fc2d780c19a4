"""Migrate files of earlier schema versions to the current one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from nasbench.store.errors import CorruptResults, MissingResults, StoreError, explain
from nasbench.store.files import ResultsPaths, remove_if_there, remove_leftovers, sync_folder
from nasbench.store.format.hdf5 import PackedFile
from nasbench.store.format.manifest import TABLES, Entry, Table
from nasbench.store.format.schema import (
    CHILD_COLUMNS,
    CURVES,
    MEASUREMENT_COLUMNS,
    RUN_COLUMNS,
    SCHEMA_VERSION,
    Column,
    ColumnType,
)
from nasbench.store.journal import JournalContents, read_journal
from nasbench.store.lock import ResultsLock
from nasbench.store.maintenance.migrations import MIGRATIONS, Migration
from nasbench.store.maintenance.table_builder import TableBuilder, Tables
from nasbench.store.packing import pack_snapshot
from nasbench.store.reader import Snapshot, mismatch

_TYPES: Final[dict[type, ColumnType]] = {bool: "bool", int: "int", float: "float", str: "str"}


@dataclass(frozen=True)
class Migrated:
    """Result of a migration.

    Args:
        found: schema version of the file before.
        now: schema version of the file now.
        copies: copies of the original HDF5 file and journal; empty if they were of this version already.
    """

    found: int
    now: int
    copies: tuple[Path, ...]


def migrate_file(
    path: str | os.PathLike[str], migrations: Mapping[int, Migration] = MIGRATIONS, take_over: bool = False
) -> Migrated:
    """Migrate a results file to this version's schema and pack its journal.

    Copies of the original files are kept under other names.

    Args:
        path: the results file.
        migrations: schema version -> function that converts its tables to the next version.
        take_over: see `lock.ResultsLock`.

    Returns:
        Versions before and after, and the copies made.

    Raises:
        MissingResults: when there is no such file.
        NewerSchema: when a later version wrote it.
        CorruptResults: when it is damaged, or the migrated tables are not those of the schema; nothing is changed.
        ResultsLocked: when a process is writing it.
        StoreError: when there is no migration from its version, or it cannot be written.
    """
    paths = ResultsPaths.of(path)
    lock = ResultsLock(paths, take_over)
    try:
        journal = read_journal(paths.journal, older=True)
        packed = _packed_if_there(paths, journal)
        snapshot = Snapshot(paths, packed, journal)
        try:
            return _migrate(snapshot, migrations, lock)
        finally:
            snapshot.close()
    finally:
        lock.release()


def _packed_if_there(paths: ResultsPaths, journal: JournalContents) -> PackedFile | None:
    try:
        return PackedFile(paths.h5)
    except MissingResults:
        if journal.header is None and not journal.damages:
            raise
        return None


def _migrate(snapshot: Snapshot, migrations: Mapping[int, Migration], lock: ResultsLock) -> Migrated:
    paths, packed, journal = snapshot.paths, snapshot.packed, snapshot.journal
    if problem := mismatch(paths, packed, journal):
        raise problem
    if snapshot.lost_journal:
        raise CorruptResults(snapshot.lost_journal)
    versions = [packed.manifest.schema] if packed else []
    versions += [journal.header.schema] if journal.header else []
    found = min(versions)
    if found == SCHEMA_VERSION:
        return Migrated(found, found, ())
    if packed and packed.manifest.schema == SCHEMA_VERSION:  # killed between packing and removing the journal
        if snapshot.last_sequence > packed.manifest.last_sequence:
            raise CorruptResults(f"{paths.journal} has rows of schema {found}, but {paths.h5} is of a later one")
        copies = _keep([paths.journal], found)
    else:
        tables = _stored(snapshot)
        for version in range(found, SCHEMA_VERSION):
            if version not in migrations:
                raise StoreError(
                    f"{paths.h5} is of schema {found}; there is no way from schema {version} to {version + 1}"
                )
            tables = migrations[version](tables)
        _require_schema(paths, tables)
        copies = _keep([path for path in (paths.h5, paths.journal) if path.exists()], found)
        pack_snapshot(TableBuilder(paths, tables, snapshot.file, snapshot.last_sequence), lock)
    lock.confirm()
    try:
        remove_if_there(paths.journal)
        remove_leftovers(paths)
        sync_folder(paths.h5.parent)
    except OSError as error:
        raise explain(error, paths.journal, "removing the packed journal") from error
    return Migrated(found, SCHEMA_VERSION, copies)


def _stored(snapshot: Snapshot) -> Tables:
    """Read the tables as stored, with any columns."""
    return Tables(
        children={column.name: snapshot.column("children", column) for column in _columns(snapshot, "children")},
        runs={column.name: snapshot.column("runs", column) for column in _columns(snapshot, "runs")},
        curves={name: snapshot.curve(name) for name in _curves(snapshot)},
        lengths=np.diff(snapshot.offsets()),
        measurements={
            column.name: snapshot.column("measurements", column) for column in _columns(snapshot, "measurements")
        },
    )


def _columns(snapshot: Snapshot, table: Table) -> list[Column]:
    """Columns that a table has in the files; those of this schema if the table has no rows."""
    known = {column.name: column for column in TABLES[table]}
    packed = {name: entry.encoding == "numbers" for name, entry in _datasets(snapshot, table).items()}
    fresh = snapshot.fresh_records(table)
    row = fresh[0].row if fresh else {}
    types: dict[str, ColumnType] = {name: "int" if numbers else "str" for name, numbers in packed.items()}
    types |= {name: _TYPES[type(value)] for name, value in row.items()}
    return [known.get(name) or Column(name, kind, "", "") for name, kind in types.items()] or list(known.values())


def _curves(snapshot: Snapshot) -> list[str]:
    fresh = snapshot.fresh_records("children")
    names = [*_datasets(snapshot, "curves"), *(fresh[0].curves if fresh else ())]
    return [name for name in dict.fromkeys(names) if name != "offsets"] or [curve.name for curve in CURVES]


def _datasets(snapshot: Snapshot, group: str) -> dict[str, Entry]:
    stored = snapshot.packed.manifest.datasets if snapshot.packed else {}
    return {path.partition("/")[2]: entry for path, entry in stored.items() if path.startswith(f"{group}/")}


def _require_schema(paths: ResultsPaths, tables: Tables) -> None:
    for what, columns, wanted in (
        ("children", tables.children, CHILD_COLUMNS),
        ("runs", tables.runs, RUN_COLUMNS),
        ("measurements", tables.measurements, MEASUREMENT_COLUMNS),
        ("curves", tables.curves, CURVES),
    ):
        odd = sorted(set(columns) ^ {column.name for column in wanted})
        if odd:
            raise CorruptResults(
                f"{paths.h5}: after migration the {what} are not those of the schema: {', '.join(odd)}"
            )


def _keep(files: Sequence[Path], found: int) -> tuple[Path, ...]:
    """Copy files under names that contain their schema version."""
    copies = []
    for path in files:
        copy = path.with_name(f"{path.name}.schema-{found}")
        try:
            shutil.copy2(path, copy)
            with copy.open("rb") as file:
                os.fsync(file.fileno())
            sync_folder(copy.parent)
        except OSError as error:
            raise explain(error, path, "copying it before the migration") from error
        copies.append(copy)
    return tuple(copies)
