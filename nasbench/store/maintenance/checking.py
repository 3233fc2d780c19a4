"""Check a results file: every checksum, the schema and the counts. The file is not changed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

import numpy as np

from nasbench.store.errors import CorruptResults, MissingResults, OlderSchema
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Text
from nasbench.store.format.hdf5 import PackedFile
from nasbench.store.format.manifest import TABLES
from nasbench.store.format.schema import (
    CHILD_COLUMNS,
    CURVES,
    DIRECTIONS,
    MEASUREMENT_COLUMNS,
    OLDEST_READABLE,
    RUN_COLUMNS,
    SCHEMA_VERSION,
    STAGES,
    STATUSES,
    TABLE,
    Column,
)
from nasbench.store.journal import JournalContents, read_journal
from nasbench.store.maintenance.value_checks import HashOf, impossible_values
from nasbench.store.reader import Snapshot, read_snapshot

Severity = Literal["damage", "value", "note"]

_CHILD: Final = {column.name: column for column in CHILD_COLUMNS}
_RUN: Final = {column.name: column for column in RUN_COLUMNS}
_DIRECTION: Final = next(column for column in MEASUREMENT_COLUMNS if column.name == "direction")
_ALLOWED: Final = {"status": STATUSES, "stage": STAGES}
_SHOWN: Final = 3


@dataclass(frozen=True)
class FileFinding:
    """One finding about a results file.

    Args:
        severity: "damage" of bytes, "value" for values that cannot be although all checksums fit, or "note" for
            something harmless, e.g. after a kill.
        text: one line.
    """

    severity: Severity
    text: str


@dataclass
class Health:
    """Result of a check.

    Args:
        findings: damages and notes, in the order of the parts of the file.
        children: rows of the children table that can be read; if something is damaged, rows of the sound part.
        runs: rows of the runs table, likewise.
        measurements: rows of the table of measurements, likewise.
        datasets: datasets whose checksums were verified.
        records: journal records whose checksums were verified.
    """

    findings: list[FileFinding] = field(default_factory=list)
    children: int = 0
    runs: int = 0
    measurements: int = 0
    datasets: int = 0
    records: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not any(finding.severity == "damage" for finding in self.findings)

    @property
    def plausible(self) -> bool:
        """Whether all values can be; unknown of a damaged file."""
        return not any(finding.severity == "value" for finding in self.findings)

    def damage(self, text: str) -> None:
        """Add a damage.

        Args:
            text: one line.
        """
        self.findings.append(FileFinding("damage", text))

    def note(self, text: str) -> None:
        """Add a note.

        Args:
            text: one line.
        """
        self.findings.append(FileFinding("note", text))


def check_file(path: str | os.PathLike[str], hash_of: HashOf | None = None) -> Health:
    """Verify a results file.

    Args:
        path: the results file.
        hash_of: computes the hash of stored choices (`nasbench.spaces.stored_choices.hash_of_choices`), to compare it
            with the stored one; None to compare none.

    Returns:
        Everything found; without findings for a file as a finished run leaves it.

    Raises:
        MissingResults: when there is neither HDF5 file nor journal.
        NewerSchema: when a later version wrote either.
        OlderSchema: when an earlier version wrote it; migrate it first.
        StoreError: when the files cannot be read at all (permissions).
    """
    paths = ResultsPaths.of(path)
    health = Health()
    _check_packed(paths, health)
    journal = read_journal(paths.journal)
    _check_journal(paths, journal, health)
    for leftover in (paths.packing, paths.beginning):
        if leftover.exists():
            health.note(f"{leftover.name} is left from a writer that was killed; the next writer removes it")
    if health.sound:
        _check_together(paths, health, hash_of)
    return health


def _check_packed(paths: ResultsPaths, health: Health) -> None:
    try:
        packed = PackedFile(paths.h5)
    except MissingResults:
        return
    except CorruptResults as error:
        health.damage(str(error))
        return
    try:
        if packed.manifest.schema < OLDEST_READABLE:
            raise OlderSchema.of(paths.h5, packed.manifest.schema, SCHEMA_VERSION)
        health.children, health.runs = packed.manifest.children, packed.manifest.runs
        health.measurements = packed.manifest.measurements
        lengths = _check_datasets(packed, health)
        _check_schema(packed, lengths, health)
    finally:
        packed.close()


def _check_datasets(packed: PackedFile, health: Health) -> dict[str, int]:
    """Verify every dataset, and return the lengths of the sound ones by path."""
    lengths = {}
    for name in packed.manifest.datasets:
        try:
            lengths[name] = packed.verify_dataset(name)
            health.datasets += 1
        except CorruptResults as error:
            health.damage(f"{error}; affected: {_affected(packed, name)}")
    try:
        for name, what in packed.strangers():
            health.damage(f"{packed.path}: {name!r} is no part of a results file ({what})")
    except CorruptResults as error:
        health.damage(str(error))
    return lengths


def _affected(packed: PackedFile, name: str) -> str:
    group, _, rest = name.partition("/")
    if group == "curves":
        return f"the curves of {packed.manifest.children} children"
    while group in ("categories", "ends"):  # ends/categories/TABLE/COLUMN is possible, too
        name = rest
        group, _, rest = name.partition("/")
    table, _, column = name.partition("/")
    if table not in TABLES:
        return "no column of the schema"
    return f"column {column!r} of {packed.manifest.rows(table)} {table}"


def _check_schema(packed: PackedFile, lengths: dict[str, int], health: Health) -> None:
    manifest = packed.manifest
    expected = {"curves/offsets": manifest.children + 1}
    for table, columns in TABLES.items():
        rows = manifest.rows(table)
        if table == "measurements" and not rows:
            continue
        expected |= {f"{table}/{column.name}": rows for column in columns if column.since <= manifest.schema}
    for name, rows in expected.items():
        if name not in manifest.datasets:
            health.damage(f"{packed.path}: dataset {name!r} of the schema is missing")
        elif name in lengths and not manifest.datasets[name].encoding.startswith("bytes") and lengths[name] != rows:
            health.damage(f"{packed.path}: dataset {name!r} has {lengths[name]} rows, the manifest says {rows}")
    curves = {curve.name: lengths.get(f"curves/{curve.name}") for curve in CURVES}
    if "curves/offsets" not in lengths:
        return
    offsets = packed.numbers("curves/offsets")
    if len(offsets) and (offsets[0] != 0 or np.any(np.diff(offsets) < 0)):
        health.damage(f"{packed.path}: dataset 'curves/offsets' does not rise from 0")
    for name, length in curves.items():
        if length is not None and len(offsets) and length != offsets[-1]:
            health.damage(f"{packed.path}: curve {name!r} has {length} epochs, its offsets say {offsets[-1]}")


def _check_journal(paths: ResultsPaths, journal: JournalContents, health: Health) -> None:
    health.records = len(journal.records)
    for damage in journal.damages:
        health.damage(f"{paths.journal}, {damage}")
    if journal.commit_counter_broken:
        health.note(
            f"{paths.journal.name}, line 2: the count of acknowledged records is not what was written; no record is "
            "affected, but a cut "
            "at the end would not be noticed; the next append writes it anew"
        )
    if journal.torn_length and not journal.damages:
        health.note(
            f"{paths.journal.name} ends in {journal.torn_length} bytes of a record that was never acknowledged; "
            "the next writer cuts them off"
        )


def _check_together(paths: ResultsPaths, health: Health, hash_of: HashOf | None) -> None:
    try:
        snapshot = read_snapshot(paths)
    except CorruptResults as error:
        health.damage(str(error))
        return
    try:
        health.children, health.runs, health.measurements = snapshot.children, snapshot.runs, snapshot.measurements
        if snapshot.lost_journal:
            health.damage(snapshot.lost_journal)
        _check_values(snapshot, health)
        _check_counts(snapshot, health)
        if health.sound:
            for text in impossible_values(snapshot, _imported_runs(snapshot), hash_of):
                health.findings.append(FileFinding("value", text))
    finally:
        snapshot.close()


def _check_values(snapshot: Snapshot, health: Health) -> None:
    for name, allowed in _ALLOWED.items():
        _check_texts(_text(snapshot, _CHILD[name]), f"column {name!r} of children", allowed, health)
    if snapshot.measurements:
        text = cast("Text", snapshot.column("measurements", _DIRECTION))
        _check_texts(text, "column 'direction' of measurements", DIRECTIONS, health)


def _check_texts(text: Text, where: str, allowed: Sequence[str], health: Health) -> None:
    found = {text.categories[code] for code in np.unique(text.codes).tolist()}
    strange = sorted(found - set(allowed))
    if strange:
        health.damage(f"{where} has {', '.join(map(repr, strange[:_SHOWN]))}; allowed: {tuple(allowed)}")


def is_built_table(strategy: str, config: str) -> bool:
    """Check whether a run is one seed of a table that was built here; its children all have the stage "final".

    Args:
        strategy: that of the run.
        config: its configuration, as stored.

    Returns:
        False for searches and imports, whose number of children is that of the stage "search".
    """
    return strategy == TABLE and not _is_imported(config)


def _is_imported(config: str) -> bool:
    """Whether a run's configuration is that of an import. Imported children are counted as those of a search are."""
    try:
        fields = json.loads(config)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and "import" in fields


def _imported_runs(snapshot: Snapshot) -> list[str]:
    ids, configs = (cast("Text", snapshot.column("runs", _RUN[name])).objects().tolist() for name in ("run", "config"))
    return [run for run, config in zip(ids, configs) if _is_imported(config)]


def _check_counts(snapshot: Snapshot, health: Health) -> None:
    run, stage = (_text(snapshot, _CHILD[name]).objects() for name in ("run", "stage"))
    index = snapshot.column("children", _CHILD["index"])
    keys = Counter(zip(run.tolist(), stage.tolist(), np.asarray(index).tolist()))
    twice = [key for key, count in keys.items() if count > 1]
    if twice:
        named = "; ".join(f"run {key[0]} {key[1]} {key[2]}" for key in twice[:_SHOWN])
        health.damage(f"{len(twice)} children are there more than once: {named}")
    counted = np.asarray(snapshot.column("children", _CHILD["counted"])) & (stage == "search")
    children = Counter(run[counted].tolist())
    tabled = Counter(run[stage == "final"].tolist())  # a complete table has no search: each row has a test score, too
    known = cast("Text", snapshot.column("runs", _RUN["run"])).objects().tolist()
    for orphan in sorted(set(run.tolist()) - set(known)):
        health.damage(f"the run {orphan} of {int((run == orphan).sum())} children is not in the table of runs")
    status = cast("Text", snapshot.column("runs", _RUN["status"])).objects().tolist()
    strategy = cast("Text", snapshot.column("runs", _RUN["strategy"])).objects().tolist()
    said = np.asarray(snapshot.column("runs", _RUN["children"])).tolist()
    config = cast("Text", snapshot.column("runs", _RUN["config"])).objects().tolist()
    for name, state, chosen_by, number, text in zip(known, status, strategy, said, config):
        found = tabled[name] if is_built_table(chosen_by, text) else children[name]
        if state == "complete" and found != number:
            health.damage(f"run {name} is complete with {number} children, but {found} are in the file")


def _text(snapshot: Snapshot, column: Column) -> Text:
    return cast("Text", snapshot.column("children", column))
