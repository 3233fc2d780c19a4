"""Bringing files of earlier schema versions up to this one.

`MIGRATIONS` has one function a version: it is given the tables of a file of that version and returns those of the next. To release schema
n + 1, add `MIGRATIONS[n]`, and commit a file of schema n + 1 to `tests/data-files`, where the files of all released versions lie.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from nasbench.store.assembled import Assembled, Tables
from nasbench.store.columns import Data
from nasbench.store.errors import CorruptResults, MissingResults, StoreError, explain
from nasbench.store.files import ResultsPaths, sync_folder
from nasbench.store.hdf5 import PackedFile
from nasbench.store.lock import ResultsLock
from nasbench.store.packing import pack_snapshot
from nasbench.store.schema import CHILD_COLUMNS, CURVES, RUN_COLUMNS, SCHEMA_VERSION, Column

Migration = Callable[[Tables], Tables]

MIGRATIONS: Final[dict[int, Migration]] = {}


@dataclass(frozen=True)
class Migrated:
    """What a migration did.

    Args:
        found: schema version of the file before.
        now: schema version of the file now.
        copy: where the file was copied to as it was; None when it was of this version already and nothing was done.
    """

    found: int
    now: int
    copy: Path | None


def migrate_file(path: str | os.PathLike[str], migrations: Mapping[int, Migration] = MIGRATIONS) -> Migrated:
    """Bring a results file up to this version's schema; the old file stays beside it under another name.

    Args:
        path: the results file.
        migrations: version -> function to the next version.

    Returns:
        What was done.

    Raises:
        MissingResults: when there is no such HDF5 file.
        NewerSchema: when a later version wrote it.
        CorruptResults: when it is damaged, or the migrated tables are not those of the schema; nothing is changed.
        ResultsLocked: when a process is writing it.
        StoreError: when there is no way from its version, it has rows that are not packed, or it cannot be written.
    """
    paths = ResultsPaths.of(path)
    lock = ResultsLock(paths)
    try:
        return _migrate(paths, migrations)
    finally:
        lock.release()


def _migrate(paths: ResultsPaths, migrations: Mapping[int, Migration]) -> Migrated:
    try:
        packed = PackedFile(paths.h5)
    except MissingResults:
        if not paths.journal.exists():
            raise
        return Migrated(SCHEMA_VERSION, SCHEMA_VERSION, None)  # a journal of another version is refused when it is read
    try:
        found, manifest = packed.manifest.schema, packed.manifest
        if found == SCHEMA_VERSION:
            return Migrated(found, found, None)
        if paths.journal.exists():
            raise StoreError(
                f"{paths.journal} has rows that are not packed: open and close the file with the version that wrote it, then migrate"
            )
        tables = _stored(packed)
        for version in range(found, SCHEMA_VERSION):
            if version not in migrations:
                raise StoreError(
                    f"{paths.h5} is of schema {found}; there is no way from schema {version} to {version + 1}"
                )
            tables = migrations[version](tables)
        _require_schema(paths, tables)
    finally:
        packed.close()
    copy = _keep(paths, found)
    pack_snapshot(Assembled(paths, tables, manifest.file, manifest.last_sequence))
    return Migrated(found, SCHEMA_VERSION, copy)


def _stored(packed: PackedFile) -> Tables:
    """The tables as they are in the file, whatever their columns."""
    names = list(packed.manifest.datasets)
    curves = [name.removeprefix("curves/") for name in names if name.startswith("curves/")]
    return Tables(
        children=_columns(packed, "children"),
        runs=_columns(packed, "runs"),
        curves={name: packed.numbers(f"curves/{name}") for name in curves if name != "offsets"},
        lengths=np.diff(packed.numbers("curves/offsets")),
    )


def _columns(packed: PackedFile, table: str) -> dict[str, Data]:
    columns = {}
    for path, entry in packed.manifest.datasets.items():
        group, _, name = path.partition("/")
        if group == table:
            kind = Column(name, "int" if entry.encoding == "numbers" else "str", "", "")
            columns[name] = packed.column("children" if table == "children" else "runs", kind)
    return columns


def _require_schema(paths: ResultsPaths, tables: Tables) -> None:
    for what, columns, wanted in (
        ("children", tables.children, CHILD_COLUMNS),
        ("runs", tables.runs, RUN_COLUMNS),
        ("curves", tables.curves, CURVES),
    ):
        odd = sorted(set(columns) ^ {column.name for column in wanted})
        if odd:
            raise CorruptResults(
                f"{paths.h5}: after migration the {what} are not those of the schema: {', '.join(odd)}"
            )


def _keep(paths: ResultsPaths, found: int) -> Path:
    copy = paths.h5.with_name(f"{paths.h5.name}.schema-{found}")
    try:
        shutil.copy2(paths.h5, copy)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        sync_folder(copy.parent)
    except OSError as error:
        raise explain(error, paths.h5, "copying it before the migration") from error
    return copy
