"""Base of all imports. Absent fields become missing values, and their number is reported."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nasbench.errors import MissingData
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
_BATCH: Final = 20_000  # rows as Python values at a time; a million of them would take gigabytes
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
        path: of the file.
        digest: of its bytes, 32 hexadecimal digits.
        format: format of the source, e.g. "nasbench201".
    """

    path: Path
    digest: str
    format: str

    @classmethod
    def of(cls, path: str | Path, format: str) -> ImportSource:
        """Digest a file.

        Raises:
            MissingData: when there is none that can be read.
        """
        digest = hashlib.blake2b(digest_size=16)
        try:
            with open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise MissingData(f"{path}: {error.strerror}; name the {format} file to import") from None
        return cls(Path(path), digest.hexdigest(), format)

    def fingerprint(self, protocol: str, data: str) -> str:
        """Stands for a protocol of which only the source knows everything: 16 hexadecimal digits."""
        return hashlib.blake2b(f"{self.digest}|{protocol}|{data}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Group:
    """Rows that belong to one run of the results file.

    Args:
        space: with its options.
        protocol: name; the fingerprint is the source's.
        data: name of the data set.
        notes: the source's remarks on its values, stored with the run.
    """

    space: str
    protocol: str
    data: str
    notes: str


@dataclass
class Imported:
    """Result of an import.

    Args:
        children: rows written, by stage.
        runs: runs written.
        missing: column -> how many rows of stage "search" (of stage "final" for the test scores) have no value.
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
    hours: Counter[str] = field(default_factory=Counter)
    spent: float = 0.0


class Collector:
    """Takes the children of a source and writes them as a results file."""

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
        """Add a child: a row of stage "search" without a test score, a row of stage "final" with one.

        Args:
            group: whose run it belongs to.
            architecture: the trained architecture.
            scores: columns of the children table that the source has; NaN and absent ones are missing. A child without any validation
                score has no row of stage "search". A child of another protocol than its run's gives "protocol" and "fingerprint" too.
            curves: exactly those of the schema, or None.
            digest: the architecture's hash, where it is known.
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
            run.hours["evaluation"] += row["eval_seconds"] / _HOUR
            run.hours["training"] += row["gpu_hours"] - row["eval_seconds"] / _HOUR
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
        """Write everything as a new results file; `take_over` as for `store.lock.ResultsLock`.

        Raises:
            MissingData: when the source had no child.
            InputError, StoreError: see `store.maintenance.table_builder.write_new`.
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
    """An accuracy of 0 to 100 as a fraction; NaN stays NaN."""
    return percent / _PERCENT
