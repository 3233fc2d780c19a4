"""Repair a damaged results file: keep a copy, recover all sound rows, and report what was lost."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

import numpy as np

from nasbench.store.errors import CorruptResults, StoreError, explain
from nasbench.store.files import ResultsPaths, remove_if_there, remove_leftovers, sync_folder
from nasbench.store.format.columns import Data, Numbers, Text, take
from nasbench.store.format.manifest import TABLES, Table
from nasbench.store.format.rows import Row
from nasbench.store.format.schema import CHILD_COLUMNS, MEASUREMENT_COLUMNS, RUN_COLUMNS
from nasbench.store.journal import JournalContents, Record, read_journal
from nasbench.store.lock import ResultsLock
from nasbench.store.maintenance.checking import check_file, is_built_table
from nasbench.store.maintenance.recovery import Recovered, filler, recover_packed
from nasbench.store.maintenance.table_builder import (
    TableBuilder,
    Tables,
    epochs_at,
    join_tables,
    measurements_once,
    tables_of_rows,
    take_children,
)
from nasbench.store.maintenance.value_checks import REPAIRED
from nasbench.store.packing import pack_snapshot

# A child that lost one of these is kept: the value becomes missing (NaN, '' or -1), which cannot be mistaken for a real
# value.
_MAY_BE_MISSING: Final = {
    "error",
    "val_acc",
    "val_acc_best",
    "val_loss",
    "train_acc",
    "train_loss",
    "test_acc",
    "test_loss",
    "reward",
    "usd",
    "peak_memory",
    "device",
    "platform",
    "started_at",
    "finished_at",
}
# Likewise of a measurement.
_MAY_BE_MISSING_IN_MEASUREMENTS: Final = {
    *("choices", "low", "high", "spread", "n", "outliers", "software", "platform", "details", "source", "measured_at"),
}
_SHARED: Final = ("strategy", "space", "protocol", "fingerprint", "data")
_NAMED: Final = 5


@dataclass
class Repair:
    """Result of a repair.

    Args:
        children: rows of the children table that were recovered.
        runs: rows of the runs table that were recovered or reconstructed.
        measurements: rows of the table of measurements that were recovered.
        lost: descriptions of the losses, one line each; empty if everything was recovered.
        copies: copies of the damaged files.
    """

    children: int = 0
    runs: int = 0
    measurements: int = 0
    lost: list[str] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)


def repair_file(path: str | os.PathLike[str], take_over: bool = False) -> Repair | None:
    """Recover all sound rows of a results file into a sound file of the same name.

    A child is kept if all values that identify it, and all that a resumed run needs, are sound; other lost values
    become missing. Nothing is guessed.

    Args:
        path: the results file.
        take_over: see `lock.ResultsLock`.

    Returns:
        What was recovered and lost, or None if the file is sound and was not changed.

    Raises:
        MissingResults: when there is no such file.
        ResultsLocked: when a process is writing it.
        NewerSchema: when a later version wrote it.
        CorruptResults: when nothing can be recovered, or HDF5 file and journal are of two results files; nothing is
            changed.
        StoreError: when the copy or the new file cannot be written.
    """
    paths = ResultsPaths.of(path)
    if check_file(path).sound:
        return None
    lock = ResultsLock(paths, take_over)
    try:
        return _repair(paths, lock)
    finally:
        lock.release()


def _repair(paths: ResultsPaths, lock: ResultsLock) -> Repair:
    repair = Repair()
    journal = read_journal(paths.journal)
    recovered = recover_packed(paths.h5) if paths.h5.exists() else None
    header = journal.header
    if recovered and header and recovered.file and recovered.file != header.file:
        raise CorruptResults(
            f"{paths.journal} belongs to another results file than {paths.h5}; move one of them away and repair each"
        )
    if recovered is None and not journal.records:
        raise CorruptResults(f"nothing can be recovered from {paths.h5}; restore it from a copy")
    tables, last = _recover(paths, recovered, journal, repair)
    file = (recovered.file if recovered else "") or (header.file if header else "") or uuid4().hex
    repair.copies = _copy(paths)
    pack_snapshot(TableBuilder(paths, tables, file, last), lock)
    lock.confirm()
    try:
        remove_if_there(paths.journal)
        remove_leftovers(paths)
        sync_folder(paths.h5.parent)
    except OSError as error:
        raise explain(error, paths.journal, "removing the recovered journal") from error
    repair.children, repair.runs = len(tables.lengths), len(tables.runs["run"])
    repair.measurements = len(tables.measurements["hash"])
    return repair


def _recover(
    paths: ResultsPaths, recovered: Recovered | None, journal: JournalContents, repair: Repair
) -> tuple[Tables, int]:
    parts = []
    last = recovered.last_sequence if recovered else 0
    if recovered:
        repair.lost += recovered.remarks
        parts.append(_packed_part(recovered, repair))
    elif journal.header is None or journal.header.base > 0 or paths.h5.exists():
        repair.lost.append(f"all of {paths.h5.name}, which cannot be opened as HDF5 or is missing")
    repair.lost += [f"{paths.journal.name}, {damage}" for damage in journal.damages]
    if recovered and recovered.has_journal and journal.header is None and not journal.damages:
        repair.lost.append(f"the rows stored after record {last}, which were in {paths.journal.name}; it is not here")
    if recovered and last and journal.header and journal.header.base > last:
        repair.lost.append(f"the records {last + 1} to {journal.header.base}, which are in neither file")
    fresh = [record for record in journal.records if record.sequence > last]
    parts.append(_journal_part(fresh))
    last = max([last, *(record.sequence for record in fresh), journal.header.base if journal.header else 0])
    tables = _once(join_tables(parts))
    rows = len(tables.lengths) + len(tables.runs["run"]) + len(tables.measurements["hash"])
    return _with_runs(tables, repair), max(last, rows)


def _journal_part(records: Sequence[Record]) -> Tables:
    return tables_of_rows(
        [(record.row, record.curves) for record in records if record.kind == "child"],
        [record.row for record in records if record.kind == "run"],
        [record.row for record in records if record.kind == "measurement"],
    )


def _packed_part(recovered: Recovered, repair: Repair) -> Tables:
    columns, lost = recovered.columns["children"], recovered.lost["children"]
    needed = {name: gone for name, gone in lost.items() if name not in _MAY_BE_MISSING}
    dropped = np.logical_or.reduce(list(needed.values()))
    if dropped.any():
        why = ", ".join(name for name, gone in needed.items() if gone.any())
        repair.lost.append(f"{_children(columns, lost, dropped)}: the columns {why}")
    for name in sorted(_MAY_BE_MISSING):
        gone = lost[name] & ~dropped
        if gone.any():
            repair.lost.append(f"column {name!r} of {_children(columns, lost, gone)}; it is missing now")
    kept = np.flatnonzero(~dropped)
    for name, epochs in recovered.lost_epochs.items():
        missing = int(epochs[epochs_at(recovered.lengths, kept)].sum())
        if missing:
            repair.lost.append(f"curve {name!r} of {missing} epochs; they are missing (NaN) now")
    children = {
        item.name: blanked(columns[item.name], lost[item.name], item.name, "children") for item in CHILD_COLUMNS
    }
    runs, measurements = _recovered_runs(recovered, repair), _recovered_measurements(recovered, repair)
    gone = sorted(name for name in _MAY_BE_MISSING if (lost[name] & ~dropped).any())
    if gone:
        runs["provenance"] = _noting_loss(cast("Text", runs["provenance"]), gone)
    return take_children(Tables(children, runs, recovered.curves, recovered.lengths, measurements), kept)


def _noting_loss(provenance: Text, columns: Sequence[str]) -> Text:
    """Note in each run's provenance which columns lost values, so that a check does not take them for impossible."""
    texts = []
    for text in provenance.objects().tolist():
        try:
            known = json.loads(text or "{}")
        except (ValueError, RecursionError):
            known = None
        texts.append(json.dumps({**known, REPAIRED: list(columns)}) if isinstance(known, dict) else text)
    return Text(np.arange(len(texts), dtype=np.int64), texts)


def _children(columns: dict[str, Data], lost: dict[str, Numbers], which: Numbers) -> str:
    """Text with the number of children, and the name of the first one if that is sound."""
    total = int(which.sum())
    named = np.flatnonzero(which & ~lost["run"] & ~lost["index"] & ~lost["stage"])[:_NAMED].tolist()
    names = [f"run {columns['run'][at]} {columns['stage'][at]} {columns['index'][at]}" for at in named]
    more = ", ..." if total > len(names) else ""
    return f"{total} children" + (f" ({', '.join(names)}{more})" if names else "")


def _recovered_runs(recovered: Recovered, repair: Repair) -> dict[str, Data]:
    columns, lost = recovered.columns["runs"], recovered.lost["runs"]
    kept = np.flatnonzero(~lost["run"])
    if len(kept) < len(lost["run"]):
        repair.lost.append(f"{len(lost['run']) - len(kept)} rows of the table of runs")
    for name, gone in lost.items():
        if name != "run" and gone[kept].any():
            repair.lost.append(f"column {name!r} of {int(gone[kept].sum())} runs")
    runs = {}
    for item in RUN_COLUMNS:
        runs[item.name] = take(blanked(columns[item.name], lost[item.name], item.name, "runs"), kept)
    return runs


def _recovered_measurements(recovered: Recovered, repair: Repair) -> dict[str, Data]:
    columns, lost = recovered.columns["measurements"], recovered.lost["measurements"]
    needed = {name: gone for name, gone in lost.items() if name not in _MAY_BE_MISSING_IN_MEASUREMENTS}
    dropped = np.logical_or.reduce(list(needed.values()))
    if dropped.any():
        why = ", ".join(name for name, gone in needed.items() if gone.any())
        repair.lost.append(f"{int(dropped.sum())} measurements: the columns {why}")
    kept = np.flatnonzero(~dropped)
    for name in sorted(_MAY_BE_MISSING_IN_MEASUREMENTS):
        if lost[name][kept].any():
            repair.lost.append(f"column {name!r} of {int(lost[name][kept].sum())} measurements; it is missing now")
    return {
        item.name: take(blanked(columns[item.name], lost[item.name], item.name, "measurements"), kept)
        for item in MEASUREMENT_COLUMNS
    }


def blanked(data: Data, lost: Numbers, name: str, table: Table) -> Data:
    """Replace the lost values of a column by filler values.

    Args:
        data: the column, shape [rows].
        lost: bools, shape [rows].
        name: name of the column.
        table: its table.

    Returns:
        The column, shape [rows].
    """
    column = next(item for item in TABLES[table] if item.name == name)
    if not lost.any():
        return data
    if isinstance(data, Text):
        return Text(np.where(lost, len(data.categories), data.codes), [*data.categories, ""])
    return np.where(lost, cast("Numbers", filler(column, len(lost))), data)


def _once(tables: Tables) -> Tables:
    """Remove rows that are in both HDF5 file and journal, a consequence of a lost last sequence number."""
    keys = zip(
        cast("Text", tables.children["run"]).objects().tolist(),
        cast("Text", tables.children["stage"]).objects().tolist(),
        cast("Numbers", tables.children["index"]).tolist(),
    )
    first: dict[tuple[str, str, int], int] = {}
    for position, key in enumerate(keys):
        first.setdefault(key, position)
    return measurements_once(take_children(tables, np.array(list(first.values()), dtype=np.int64)))


def _with_runs(tables: Tables, repair: Repair) -> Tables:
    """Take each run's latest row and correct its counts by its children.

    A lost row is reconstructed from the children.
    """
    rows: dict[str, Row] = {}
    for position, name in enumerate(cast("Text", tables.runs["run"]).objects().tolist()):
        rows[name] = {item.name: _plain(tables.runs[item.name][position]) for item in RUN_COLUMNS}
    run = cast("Text", tables.children["run"]).objects()
    stage = cast("Text", tables.children["stage"])
    counted = np.asarray(tables.children["counted"]) & stage.equals("search")
    for name in dict.fromkeys(run.tolist()):
        here = np.flatnonzero(run == name)
        if name not in rows:
            rows[name] = _run_of_children(tables, int(here[0]), name)
            repair.lost.append(f"the configuration and totals of run {name}, which cannot be resumed without them")
    for name, row in rows.items():
        of_run = stage.equals("final") if is_built_table(row["strategy"], row["config"]) else counted
        number = int((of_run & (run == name)).sum())
        if row["status"] not in ("running", "interrupted", "complete") or row["children"] != number:
            row["status"] = "interrupted"
        row["children"] = number
    return replace(tables, runs=tables_of_rows([], list(rows.values())).runs)


def _run_of_children(tables: Tables, position: int, name: str) -> Row:
    row: Row = {item.name: _plain(filler(item, 1)[0]) for item in RUN_COLUMNS}
    row |= {column: tables.children[column][position] for column in _SHARED}
    return row | {"run": name, "seed": int(tables.children["run_seed"][position])}


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _copy(paths: ResultsPaths) -> list[Path]:
    """Copy the damaged files to new names in the same folder, and sync them to the disk."""
    copies = []
    try:
        for source in (paths.h5, paths.journal):
            if not source.exists():
                continue
            target = next(
                name
                for number in range(1, 10**6)
                if not (name := source.with_name(f"{source.name}.damaged-{number}")).exists()
            )
            shutil.copy2(source, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
            copies.append(target)
        sync_folder(paths.h5.parent)
    except OSError as error:
        raise explain(error, paths.h5, "copying it before the repair") from error
    if not copies:
        raise StoreError(f"{paths.h5}: nothing to copy")
    return copies
