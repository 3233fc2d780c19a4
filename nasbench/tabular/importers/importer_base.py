"""Base of all importers. Absent fields become missing values, and their number is reported."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nasbench.errors import MissingData, require_regular
from nasbench.provenance import provenance_json, utc_now
from nasbench.spaces.base import Architecture
from nasbench.store.format.rows import Curves, child_curves, child_row, run_row
from nasbench.store.format.schema import CHILD_COLUMNS, LEDGER_CATEGORIES
from nasbench.store.maintenance.table_builder import Tables, join_tables, tables_of_rows, write_new

STRATEGY: Final = "table"
UNKNOWN: Final = -1
"""Missing value of an int column, as in the schema for `peak_memory`."""

_PERCENT: Final = 100.0
_HOUR: Final = 3600.0
_BATCH: Final = 20_000  # rows held as Python values; a million of them would take gigabytes
_BLOCK: Final = 1 << 20
_BLANK: Final = {"int": UNKNOWN, "float": math.nan, "bool": False, "str": ""}
_COUNTED: Final = {column.name: column.type for column in CHILD_COLUMNS if column.type in ("int", "float")}
_OURS: Final = (
    "published_params",
    "published_mult_adds",
    "searcher_seconds",
    "wall_seconds",
    "usd",
    "peak_memory",
)  # set by the import, not by the source, so not counted as missing


@dataclass(frozen=True)
class ImportSource:
    """A file that is imported.

    Args:
        path: path of the file.
        digest: digest of its bytes, 32 hexadecimal digits.
        format: format of the source, e.g. "nasbench201".
    """

    path: Path
    digest: str
    format: str

    @classmethod
    def of(cls, path: str | Path, format: str) -> ImportSource:
        """Compute the digest of a file.

        Args:
            path: path of the file.
            format: format of the source, e.g. "nasbench201".

        Returns:
            The source.

        Raises:
            MissingData: when the file does not exist or cannot be read.
        """
        digest = hashlib.blake2b(digest_size=16)
        require_regular(Path(path), f"{format} file", "name the file to import")
        try:
            with open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise MissingData(f"{path}: {error.strerror}; name the {format} file to import") from None
        return cls(Path(path), digest.hexdigest(), format)

    def fingerprint(self, protocol: str, data: str) -> str:
        """Make a fingerprint for a protocol that is described only by the source.

        Args:
            protocol: name of the protocol.
            data: name of the data set.

        Returns:
            16 hexadecimal digits; they depend on the source's bytes, too.
        """
        return hashlib.blake2b(f"{self.digest}|{protocol}|{data}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Group:
    """Children that form one run of the results file: those of one space, protocol and data set.

    Args:
        space: space with its options.
        protocol: name of the protocol; the fingerprint is that of `ImportSource.fingerprint`.
        data: name of the data set.
        notes: remarks on the values, stored with the run.
    """

    space: str
    protocol: str
    data: str
    notes: str


@dataclass
class Imported:
    """Result of an import.

    Args:
        children: stage -> number of children written.
        runs: number of runs written.
        missing: column -> number of children without a value: of stage "final" for test scores, else of stage "search".
    """

    children: Mapping[str, int]
    runs: int
    missing: Mapping[str, int]


@dataclass
class _Run:
    id: str
    fingerprint: str
    hashes: set[str] = field(default_factory=set)
    indices: Counter[str] = field(default_factory=Counter)
    hours: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    spent: float = 0.0


class Collector:
    """Collects the children of a source and writes them as a results file.

    Args:
        source: the imported file.
    """

    def __init__(self, source: ImportSource) -> None:
        self.source = source
        self._runs: dict[Group, _Run] = {}
        self._rows: list[tuple[dict[str, Any], Curves]] = []
        self._parts: list[Tables] = []
        self._missing: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()
        self._now = utc_now()

    def child(
        self,
        group: Group,
        architecture: Architecture,
        scores: Mapping[str, Any],
        curves: Mapping[str, Sequence[float]] | None = None,
        digest: str | None = None,
    ) -> None:
        """Add a training as a child of stage "search", of stage "final", or of both.

        Stage "search" needs val_acc or val_loss and has no test score; stage "final" needs test_acc.

        Args:
            group: the child's run.
            architecture: the trained architecture.
            scores: column of the children table -> value; NaN and absent values are missing. If the child's protocol
                differs from its run's, they include "protocol" and "fingerprint".
            curves: curve of `store.format.schema.CURVES` -> one value per epoch, with all curves; None for no curves.
            digest: hash of the architecture; None to compute it.

        Raises:
            InputError: when a value does not fit its column; the message names it.
        """
        run = self._run(group)
        base = self._base(group, run, architecture, digest or architecture.hash) | dict(scores)
        test = {name: base.pop(name, math.nan) for name in ("test_acc", "test_loss")}
        whole = child_curves(curves or {})
        base["device_seconds"] = base.get("device_seconds", math.nan)
        base["gpu_hours"] = base["device_seconds"] / _HOUR
        if not (math.isnan(base["val_acc"]) and math.isnan(base["val_loss"])):
            self._add("search", run, base | {"test_acc": math.nan, "test_loss": math.nan, "counted": True}, whole)
        if not math.isnan(test["test_acc"]):
            self._add("final", run, base | test | {"counted": False, "reward": math.nan}, whole)

    def _run(self, group: Group) -> _Run:
        if group not in self._runs:
            fingerprint = self.source.fingerprint(group.protocol, group.data)
            text = json.dumps([self.source.digest, self.source.format, group.space, fingerprint])
            self._runs[group] = _Run(hashlib.blake2b(text.encode(), digest_size=6).hexdigest(), fingerprint)
        return self._runs[group]

    def _base(self, group: Group, run: _Run, architecture: Architecture, digest: str) -> dict[str, Any]:
        row: dict[str, Any] = {column.name: _BLANK[column.type] for column in CHILD_COLUMNS}
        return row | {
            "run": run.id,
            "strategy": STRATEGY,
            "run_seed": 0,
            "space": group.space,
            "hash": digest,
            "choices": json.dumps(list(architecture.choices), separators=(",", ":")),
            "protocol": group.protocol,
            "fingerprint": run.fingerprint,
            "data": group.data,
            "status": "ok",
            "devices": 1.0,
            "searcher_seconds": 0.0,
        }

    def _add(self, stage: str, run: _Run, row: dict[str, Any], curves: Curves) -> None:
        index = run.indices[stage]
        run.indices[stage] += 1
        row |= {"stage": stage, "index": index, "asked": index + 1}
        if stage == "search":
            row["reward"] = row["val_acc"]
            row["duplicate"] = row["hash"] in run.hashes
            run.hashes.add(row["hash"])
            run.spent += row["gpu_hours"]
            evaluating = 0.0 if math.isnan(row["eval_seconds"]) else row["eval_seconds"] * row["devices"] / _HOUR
            run.hours["evaluation"] += evaluating
            run.hours["training"] += row["gpu_hours"] - evaluating  # all of it, if the table has only a total
        else:
            run.hours["final"] += row["gpu_hours"]
        row["spent_gpu_hours"] = run.spent
        self._count_missing(stage, row)
        self._stages[stage] += 1
        self._rows.append((child_row(row), curves))
        if len(self._rows) >= _BATCH:
            self._flush()

    def _count_missing(self, stage: str, row: Mapping[str, Any]) -> None:
        for name, kind in _COUNTED.items():
            if name in _OURS or name.startswith("test_") != (stage == "final"):
                continue
            if (kind == "float" and math.isnan(row[name])) or (kind == "int" and row[name] == UNKNOWN):
                self._missing[name] += 1

    def _flush(self) -> None:
        self._parts.append(tables_of_rows(self._rows, []))
        self._rows = []

    def write(self, output: str, take_over: bool = False) -> Imported:
        """Write all children as a new results file.

        Args:
            output: the new results file, ending in .h5.
            take_over: see `store.lock.ResultsLock`.

        Returns:
            Number of children and runs written, and of missing values.

        Raises:
            MissingData: when no child was added.
            InputError: when the name does not end in .h5, or the file exists.
            StoreError: when it cannot be written.
        """
        if not self._runs:
            raise MissingData(f"{self.source.path} has no rows to import")
        runs = [run_row(self._run_row(group, run)) for group, run in self._runs.items()]
        self._rows, rest = [], self._rows
        self._parts.append(tables_of_rows(rest, runs))
        write_new(output, join_tables(self._parts), take_over)
        return Imported(dict(self._stages), len(runs), dict(self._missing))

    def _run_row(self, group: Group, run: _Run) -> dict[str, Any]:
        described = {
            "format": self.source.format,
            "file": self.source.path.name,
            "digest": self.source.digest,
            "notes": group.notes,
        }
        children = run.indices["search"]
        return {
            "run": run.id,
            "strategy": STRATEGY,
            "space": group.space,
            "protocol": group.protocol,
            "fingerprint": run.fingerprint,
            "data": group.data,
            "data_digest": "",
            "seed": 0,
            "budget": f"{children} children",
            "status": "complete",
            "children": children,
            **{f"{name}_hours": float(run.hours[name]) for name in LEDGER_CATEGORIES},
            "usd": math.nan,
            "wall_seconds": math.nan,
            "started_at": self._now,
            "finished_at": self._now,
            "config": json.dumps({"import": described}, sort_keys=True),
            "provenance": provenance_json(),
        }


def fraction(percent: float) -> float:
    """Convert an accuracy from percent to a fraction.

    Args:
        percent: accuracy in [0, 100], or NaN.

    Returns:
        The accuracy in [0, 1], or NaN.
    """
    return percent / _PERCENT
