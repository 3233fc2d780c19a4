"""Base of all importers. Absent fields become missing values, and their number is reported."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections import ChainMap, Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from nasbench.errors import InputError, MissingData, require_regular
from nasbench.provenance import provenance_json, utc_now
from nasbench.scores import TEST, VAL
from nasbench.spaces.base import Architecture
from nasbench.store.format.columns import Data, Text, join_columns
from nasbench.store.format.quantities import COURSE, Quantity
from nasbench.store.format.rows import Curves, child_curves, child_row, measurement_row, run_row, unmeasured
from nasbench.store.format.schema import CHILD_COLUMNS, LEDGER_CATEGORIES, REPEATABLE_STATUSES
from nasbench.store.maintenance.table_builder import Tables, measurement_columns, tables_of_rows, write_new
from nasbench.tabular.importers.curve_files import CurveFiles, MappedArrays

STRATEGY: Final = "table"
UNKNOWN: Final = -1
"""Missing value of an int column, as in the schema for `peak_memory`."""

_PERCENT: Final = 100.0
_HOUR: Final = 3600.0
_BATCH: Final = 5_000  # rows held as Python values; a million of them would take gigabytes
_ROUNDED_COUNT: Final = 1
_BLOCK: Final = 1 << 20
_BLANK: Final = {"int": UNKNOWN, "float": math.nan, "bool": False, "str": ""}
_COUNTED: Final = {column.name: column.type for column in CHILD_COLUMNS if column.type in ("int", "float")}
_ACCURACIES: Final = ("val_acc", "val_acc_best", "train_acc", "test_acc")
FIRST: Final = 5
"""Rows that `Imported.first` has."""
_AMOUNTS: Final = tuple(column.name for column in CHILD_COLUMNS if column.unit in ("s", "h", "USD"))
_CURVES_OF_AMOUNTS: Final = {"train_seconds": "seconds"}
_KNOWN_COUNTS: Final = tuple(
    column.name for column in CHILD_COLUMNS if column.type == "int" and column.name != "run_seed"
)
_TEST: Final = ("test_acc", "test_loss")
_SCORES: Final = ("val_acc", "val_loss", *_TEST)
_SECONDS: Final = ("train_seconds", "eval_seconds", "setup_seconds")
NO_SCORE: Final = "the source has no score"
"""Error of a training whose source has neither a score nor a status."""
_OURS: Final = (
    "published_params",
    "published_mult_adds",
    "searcher_seconds",
    "wall_seconds",
    "usd",
    "usd_per_hour",
    "peak_memory",
)  # set by the import, not by the source, so not counted as missing


@dataclass(frozen=True)
class ImportSource:
    """A file or folder that is imported.

    Args:
        path: path of the file or folder.
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

    @classmethod
    def of_folder(cls, path: str | Path, files: Sequence[Path], format: str) -> ImportSource:
        """Compute the digest of some files of a folder.

        Args:
            path: path of the folder.
            files: its files, in the order in which they are read.
            format: format of the source, e.g. "nats-bench pickles".

        Returns:
            The source. Its digest is of the names of the files and of their bytes.

        Raises:
            MissingData: when one of them does not exist or cannot be read.
        """
        digest = hashlib.blake2b(digest_size=16)
        for file in files:
            digest.update(f"{file.name} {cls.of(file, format).digest}\n".encode())
        return cls(Path(path), digest.hexdigest(), format)


@dataclass(frozen=True)
class Search:
    """A search that somebody made, whose children are imported as those of a run.

    Args:
        strategy: name of the strategy.
        seed: seed of the search; -1 if it is unknown.
        name: name of the run in its source; "" if strategy and seed are its name.
        budget: budget as `nasbench run` takes it, e.g. "100 children"; "" if it is unknown: the number of children then.
        charged: whether the device time of every child is known; otherwise what was spent is not.
        about: what else the source says of the search, for the run's configuration: a JSON object as text.
    """

    strategy: str
    seed: int = -1
    name: str = ""
    budget: str = ""
    charged: bool = True
    about: str = "{}"


@dataclass(frozen=True)
class Order:
    """Place of a child in a search.

    Args:
        index: position among the proposals, from 0.
        asked: proposals made before the outcome of this child, itself included, >= 1.
    """

    index: int
    asked: int


@dataclass(frozen=True)
class Group:
    """Children that form one run of the results file: those of one space, protocol and data set.

    Args:
        space: space with its options.
        protocol: name of the protocol.
        data: name of the data set.
        notes: remarks on the values, stored with the run.
        epochs: epochs of every training of the group, where the format says them; None otherwise.
        split: part of the data set on which the children were trained, where the name of the data set does not say it.
        score: what the trainings are judged by where it is no accuracy, e.g. Quantity("val_ssim"); None for accuracies.
        search: the search that the children are of; None for a table.
        options: decision -> labels of its options, of a space that was made of the source's values, as JSON; "" for a
            space that says itself what its options are.
    """

    space: str
    protocol: str
    data: str
    notes: str
    epochs: int | None = None
    split: str = ""
    score: Quantity | None = None
    search: Search | None = None
    options: str = ""

    @property
    def fingerprint(self) -> str:
        """Digest of what was measured, 16 hexadecimal digits.

        It depends on the space, the protocol's name, the data set, its split and the epochs, and not on the bytes of
        the imported file: parts of one table that were imported one by one have the same fingerprint. In a space that
        was made of a file, an option's number means what the file has, so its labels are part of it: files with other
        labels are no parts of one table, and their architectures with equal hashes are not the same.
        """
        made = [json.loads(self.options)] if self.options else []
        measured = json.dumps([self.space, self.protocol, self.data, self.split, self.epochs, *made])
        return hashlib.blake2b(f"imported {measured}".encode(), digest_size=8).hexdigest()


@dataclass
class Imported:
    """Result of an import.

    Args:
        children: stage -> number of children written.
        runs: number of runs written.
        missing: column -> number of children without a value: of stage "final" for test scores, else of stage "search".
        statuses: status -> number of trainings stored; a training with two scores is two children and counts once.
        skipped: number of rows of the source that were not stored, because they could not be read.
        remarks: one sentence each on values that are not what they may seem.
        unit: plural of what the source holds one of per training, e.g. "rows".
        first: the first children as they are stored, column -> value.
        measurements: number of rows written to the table of measurements, where the source has nothing else.
    """

    children: Mapping[str, int]
    runs: int
    missing: Mapping[str, int]
    statuses: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    remarks: Sequence[str] = ()
    unit: str = "trainings"
    first: Sequence[Mapping[str, Any]] = ()
    measurements: int = 0


@dataclass
class _Run:
    id: str
    fingerprint: str
    hashes: set[str] = field(default_factory=set)
    indices: Counter[str] = field(default_factory=Counter)
    hours: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    stages_with_hours: set[str] = field(default_factory=set)
    spent: float = math.nan
    wall: float = math.nan


class Collector:
    """Collects the children of a source and writes them as a results file.

    Args:
        source: the imported file.
    """

    def __init__(self, source: ImportSource) -> None:
        self.source = source
        self._runs: dict[Group, _Run] = {}
        self._rows: list[dict[str, Any]] = []
        self._measured: list[dict[str, Any]] = []
        self._curves = CurveFiles()
        self._first: list[dict[str, Any]] = []
        self._parts: list[Tables] = []
        self._missing: Counter[str] = Counter()
        self._stages: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._parts_missing: Counter[tuple[str, ...]] = Counter()
        self._counts: dict[str, bool] = {}
        self._other_count = ""
        self._other_counts = 0
        self._set_aside = 0
        self._now = utc_now()

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *unused: object) -> None:
        self._curves.close()

    def child(
        self,
        group: Group,
        architecture: Architecture,
        scores: Mapping[str, Any],
        curves: Mapping[str, Sequence[float]] | None = None,
        digest: str | None = None,
        measured: Mapping[Quantity, float] | None = None,
        score_curve: Sequence[float] = (),
        order: Order | None = None,
    ) -> None:
        """Add a training as a child of stage "search", of stage "final", or of both.

        Stage "search" has the validation scores, stage "final" the test scores. A training without any score is a child
        of stage "search" that failed. A training with both is two children, and its seconds are charged once, to the
        first of them, which also has the curves.

        Args:
            group: the child's run.
            architecture: the trained architecture.
            scores: column of the children table -> value; NaN and absent values are missing. If the child's protocol
                differs from its run's, they include "protocol" and "fingerprint".
            curves: curve of `store.format.schema.CURVES` -> one value per epoch, with all curves; None for no curves.
            digest: hash of the architecture; None to compute it.
            measured: quantities beside accuracy, and the group's score if it has one; NaN for a missing value. They go to
                the table of measurements. Of a training that did not end well, "val_" and "test_" scores are left out.
            score_curve: values of the group's score, one per report of the training; () for none.
            order: place of the child in its search; None for the next one. Children are added in the order of outcomes.

        Raises:
            InputError: when a value does not fit its column, an accuracy is no fraction, a quantity is infinite, or the
                status is ok without a score; the message names it.
        """
        base = self._base(group, architecture, digest or architecture.hash) | dict(scores)
        _check_values(base, curves or {})
        known = _known(measured or {})
        own = _own_scores(group.score, known)
        set_aside = _settle_status(base, stated="status" in scores, own=own)
        if base["status"] != "ok":
            known = {each: value for each, value in known.items() if not each.is_score and each != group.score}
            own = dict.fromkeys(own, math.nan)
        whole = child_curves(curves or {})
        # From here on nothing is refused, so that a caller may leave refused trainings out and go on.
        run = self._run(group)
        base["run"] = run.id
        base["device_seconds"], parts = _charged(base)
        self._parts_missing[parts] += 1
        self._set_aside += set_aside
        self._compare_counts(base)
        base["gpu_hours"] = base["device_seconds"] / _HOUR
        test = {name: base.pop(name, math.nan) for name in _TEST}
        val_score, test_score = own.get(VAL, math.nan), own.get(TEST, math.nan)
        has_test = not all(math.isnan(value) for value in (*test.values(), test_score))
        has_val = not all(math.isnan(value) for value in (base["val_acc"], base["val_loss"], val_score))
        searched = has_val or not has_test
        base["reward"] = base["val_acc"] if group.score is None else group.score.sign * val_score
        index = run.indices["search" if searched else "final"] if order is None else order.index
        self._measure(group, base, known, score_curve, f"{run.id}/{index}" if group.search else "")
        shown = len(self._first)
        if searched:
            self._add("search", group, base | dict.fromkeys(_TEST, math.nan) | {"counted": True}, whole, order)
        if has_test:
            paid = {} if not searched else {"gpu_hours": 0.0, "usd": 0.0}
            once = whole if not searched else child_curves({})
            self._add("final", group, base | test | {"counted": False, "reward": math.nan} | paid, once, None)
        self._statuses[base["status"]] += 1
        self._missing.update(each.name for each, value in (measured or {}).items() if math.isnan(value))
        for row in self._first[shown:]:
            row.update({each.text: known.get(each, math.nan) for each in measured or {}})

    def _measure(
        self,
        group: Group,
        base: Mapping[str, Any],
        known: Mapping[Quantity, float],
        curve: Sequence[float],
        child: str,
    ) -> None:
        """Add a row per quantity to the table of measurements."""
        rows = dict(known)
        if group.score is not None and group.score not in known and any(not math.isnan(each) for each in curve):
            last = [each for each in curve if not math.isnan(each)][-1]
            rows[replace(group.score, name=f"{group.score.name}{COURSE}")] = last
        for quantity, value in rows.items():
            mine = quantity.name.removesuffix(COURSE) == (group.score.name if group.score else "")
            details: dict[str, Any] = {"child": child} if child else {}
            if mine and curve:
                details["curve"] = [None if math.isnan(each) else each for each in curve]
            row = (
                unmeasured()
                | quantity.columns
                | {
                    "hash": base["hash"],
                    "space": base["space"],
                    "choices": base["choices"],
                    "value": value,
                    "protocol": base["protocol"],
                    "fingerprint": base["fingerprint"],
                    "data": base["data"],
                    "seed": base["seed"],
                    "details": json.dumps(details, sort_keys=True) if details else "",
                    "source": f"{self.source.format} {self.source.path.name}",
                }
            )
            self._measured.append(measurement_row(row))

    def _compare_counts(self, base: Mapping[str, Any]) -> None:
        """Count the architectures whose published number of parameters is not that of the closed form."""
        own, published = base["params"], base["published_params"]
        if UNKNOWN in (own, published):
            return
        self._counts.setdefault(base["hash"], False)
        if abs(own - published) > _ROUNDED_COUNT:  # sources round to millionths of a million
            self._counts[base["hash"]] = True
            self._other_counts += 1
            self._other_count = self._other_count or f"{published:,} for {own:,} of {base['hash'][:8]}"

    def _run(self, group: Group) -> _Run:
        if group not in self._runs:
            named: list[Any] = [self.source.digest, self.source.format, group.space, group.fingerprint]
            if group.search is not None:
                named += [group.search.strategy, group.search.seed, group.search.name]
            text = json.dumps(named)
            self._runs[group] = _Run(hashlib.blake2b(text.encode(), digest_size=6).hexdigest(), group.fingerprint)
        return self._runs[group]

    def _base(self, group: Group, architecture: Architecture, digest: str) -> dict[str, Any]:
        row: dict[str, Any] = {column.name: _BLANK[column.type] for column in CHILD_COLUMNS}
        return row | {
            "stop_epoch": 0,  # a whole training, from its start
            "from_epoch": 0,
            "strategy": group.search.strategy if group.search else STRATEGY,
            "run_seed": group.search.seed if group.search else 0,
            "space": group.space,
            "hash": digest,
            "choices": json.dumps(list(architecture.choices), separators=(",", ":")),
            "protocol": group.protocol,
            "fingerprint": group.fingerprint,
            "data": group.data,
            "status": "ok",
            "devices": 1.0,
            "searcher_seconds": 0.0,
        }

    def _add(self, stage: str, group: Group, row: dict[str, Any], curves: Curves, order: Order | None) -> None:
        run = self._run(group)
        index = run.indices[stage]
        run.indices[stage] += 1
        row |= {"stage": stage, "index": index, "asked": index + 1}
        if order is not None and stage == "search":
            row |= {"index": order.index, "asked": order.asked}
        hours = row["gpu_hours"]
        charged = group.search is None or group.search.charged
        if charged and not math.isnan(hours):
            run.stages_with_hours.add(stage)
            self._charge(stage, run, row, hours)
        if not math.isnan(row["wall_seconds"]):
            run.wall = max(row["wall_seconds"], 0.0 if math.isnan(run.wall) else run.wall)
        if stage == "search":
            row["duplicate"] = row["hash"] in run.hashes
            run.hashes.add(row["hash"])
        row["spent_gpu_hours"] = run.spent
        judged_otherwise = group.score is not None
        self._count_missing(stage, row, judged_otherwise)
        self._stages[stage] += 1
        checked = child_row(row)
        self._rows.append(checked)
        if len(self._first) < FIRST:
            self._first.append(dict(checked))
        self._curves.append(curves)
        if len(self._rows) >= _BATCH:
            self._flush()

    def _charge(self, stage: str, run: _Run, row: Mapping[str, Any], hours: float) -> None:
        if stage == "final":
            run.hours["final"] += hours
            return
        run.spent = hours if math.isnan(run.spent) else run.spent + hours
        if row["status"] not in (
            *REPEATABLE_STATUSES,
            "unfinished",
        ):  # stopped early, as by successive halving, is no failure
            run.hours["failed"] += hours
            return
        evaluating = 0.0 if math.isnan(row["eval_seconds"]) else row["eval_seconds"] * row["devices"] / _HOUR
        evaluating = min(evaluating, hours)
        run.hours["evaluation"] += evaluating
        run.hours["training"] += hours - evaluating  # all of it, if the table has only a total

    def _count_missing(self, stage: str, row: Mapping[str, Any], judged_otherwise: bool) -> None:
        for name, kind in _COUNTED.items():
            if (
                name in _OURS
                or (judged_otherwise and name.startswith((VAL, TEST, "train_")))
                or name.startswith("test_") != (stage == "final")
            ):
                continue
            if (kind == "float" and math.isnan(row[name])) or (kind == "int" and row[name] == UNKNOWN):
                self._missing[name] += 1

    def _flush(self, runs: Sequence[dict[str, Any]] = ()) -> None:
        none = child_curves({})
        part = tables_of_rows([(row, none) for row in self._rows], runs)
        small = {name: _small(data) for name, data in part.children.items()}
        self._parts.append(replace(part, children=small, measurements=self._measured_columns()))
        self._rows = []

    def _measured_columns(self) -> dict[str, Data]:
        columns = measurement_columns(self._measured)
        self._measured = []
        return {name: _small(data) for name, data in columns.items()}

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
        self._flush(runs)
        parts, self._parts = self._parts, []
        # Column by column, so that no more than one of them is there twice.
        columns = [dict(part.children) for part in parts]
        measurements = {name: _joined([part.measurements[name] for part in parts]) for name in parts[0].measurements}
        runs_part, parts = parts[-1], []
        small: dict[str, Data] = {}
        files: dict[str, IO[bytes]] = {}
        types: dict[str, str] = {}
        for name in list(columns[0]):
            data = _joined([part.pop(name) for part in columns])
            if isinstance(data, Text) or data.strides == (0,):
                small[name] = data
            else:
                files[name], types[name] = tempfile.TemporaryFile(), data.dtype.str  # noqa: SIM115
                files[name].write(data.tobytes())
                files[name].flush()
        children: Mapping[str, Data] = ChainMap(small, MappedArrays(files, types))  # type: ignore[arg-type]
        lengths = self._curves.lengths()
        whole = replace(
            runs_part, children=children, curves=self._curves.arrays(), lengths=lengths, measurements=measurements
        )
        try:
            write_new(output, whole, take_over)
        finally:
            for file in files.values():
                file.close()
        return self.imported()

    def imported(self) -> Imported:
        """Count what was added so far.

        Returns:
            The counts, and the first rows as they would be stored.

        Raises:
            MissingData: when no child was added.
        """
        if not self._runs:
            raise MissingData(f"{self.source.path} has no rows to import")
        return Imported(
            dict(self._stages),
            len(self._runs),
            dict(self._missing),
            dict(self._statuses),
            remarks=self._remarks(),
            first=self._first,
        )

    def _remarks(self) -> list[str]:
        remarks = []
        for parts, count in self._parts_missing.items():
            if parts:
                remarks.append(
                    f"device_seconds are without {' and '.join(parts)}, which the source does not have: "
                    f"{count:,} of {self._parts_missing.total():,} trainings"
                )
        if self._set_aside:
            remarks.append(
                "scores of trainings that did not end well are in the column error: "
                f"{self._set_aside:,} of {self._parts_missing.total():,} trainings"
            )
        differing = sum(self._counts.values())
        if differing:
            remarks.append(
                f"published_params differ from the closed form in {differing:,} of {len(self._counts):,} architectures "
                f"({self._other_counts:,} trainings), e.g. {self._other_count}; params are the closed form"
            )
        return remarks

    def _run_row(self, group: Group, run: _Run) -> dict[str, Any]:
        described = {
            "format": self.source.format,
            "file": self.source.path.name,
            "digest": self.source.digest,
            "notes": group.notes,
        }
        children, search = run.indices["search"], group.search
        config: dict[str, Any] = {"import": described}
        if group.options:
            described["options"] = json.loads(group.options)
        if group.score is not None:
            config["score"] = group.score.as_dict()
        if search is not None:
            described |= {"search": search.name, **json.loads(search.about)}
        return {
            "run": run.id,
            "strategy": search.strategy if search else STRATEGY,
            "space": group.space,
            "protocol": group.protocol,
            "fingerprint": run.fingerprint,
            "data": group.data,
            "data_digest": "",
            "seed": search.seed if search else 0,
            # A budget is at least one child; a run with test scores only has no child of a search.
            "budget": (search.budget if search else "") or f"{children or run.indices['final']} children",
            "status": "complete",
            "children": children,
            **_ledger(run),
            "usd": math.nan,
            "wall_seconds": run.wall,
            "started_at": self._now,
            "finished_at": self._now,
            "config": json.dumps(config, sort_keys=True),
            "provenance": provenance_json(),
        }


def _small(data: Data) -> Data:
    """The same column in less memory: one value where all are equal, and codes of texts in few bytes."""
    if isinstance(data, Text):
        text = data.compact()
        return Text(text.codes.astype(np.min_scalar_type(max(len(text.categories) - 1, 0))), text.categories)
    if len(data) and bool((data[:1].view("u1") == data.view("u1").reshape(len(data), -1)).all()):  # NaN equals NaN
        return np.broadcast_to(data[:1].copy(), data.shape)
    return data


def _joined(parts: Sequence[Data]) -> Data:
    """Join the parts of a column; those that all hold one value become a column that holds it once."""
    first = parts[0]
    if isinstance(first, Text):
        return _small(join_columns(parts))
    size = sum(len(part) for part in parts)
    values = np.array([part[0] for part in parts if len(part)], dtype=first.dtype)
    if (
        all(not isinstance(part, Text) and part.strides == (0,) for part in parts if len(part))
        and len(np.unique(values)) == 1
    ):
        return np.broadcast_to(values[:1].copy(), (size,))
    return join_columns(parts)


def _ledger(run: _Run) -> dict[str, float]:
    """Hours by category: sums over the trainings whose seconds are known, NaN where none of a stage's are."""
    hours = {f"{name}_hours": float(run.hours[name]) for name in LEDGER_CATEGORIES}
    if run.indices["search"] and "search" not in run.stages_with_hours:
        hours["training_hours"] = math.nan
    if run.indices["final"] and "final" not in run.stages_with_hours:
        hours["final_hours"] = math.nan
    return hours


def _charged(row: Mapping[str, Any]) -> tuple[float, tuple[str, ...]]:
    """Device-seconds of a training: the stated total, else the sum of the stated parts, and which parts it lacks."""
    if not math.isnan(row["device_seconds"]):
        return row["device_seconds"], ()
    stated = [name for name in _SECONDS if not math.isnan(row[name])]
    if not stated:
        return math.nan, ()
    lacking = tuple(name for name in _SECONDS[:2] if name not in stated)  # few sources know of a set-up
    return math.fsum(row[name] for name in stated) * row["devices"], lacking


def _known(measured: Mapping[Quantity, float]) -> dict[Quantity, float]:
    """The quantities that have a value."""
    for quantity, value in measured.items():
        if math.isinf(value):
            raise InputError(f"{quantity.name} is {value:g}; it is finite")
    return {quantity: float(value) for quantity, value in measured.items() if not math.isnan(value)}


def _own_scores(score: Quantity | None, known: Mapping[Quantity, float]) -> dict[str, float]:
    """Validation and test value of a group's own score, by part; empty if it is judged by accuracies."""
    if score is None:
        return {}
    values = {quantity.name: value for quantity, value in known.items()}
    return {part: values.get(score.on(part), math.nan) for part in (VAL, TEST)}


def _settle_status(base: dict[str, Any], stated: bool, own: Mapping[str, float]) -> bool:
    """Make status, error and scores of a training agree, in place: one that did not end well has no score.

    Args:
        base: columns of the child.
        stated: whether the source states the status.
        own: values of the group's own score.

    Returns:
        Whether scores were moved to the column error.

    Raises:
        InputError: when the source states the status ok and no score.
    """
    scores = {name: base[name] for name in _SCORES if not math.isnan(base[name])}
    scores |= {f"{part}score": value for part, value in own.items() if not math.isnan(value)}
    if base["status"] == "ok":
        if any(map(math.isfinite, scores.values())):
            return False
        if stated:
            raise InputError("the status is 'ok', but there is no score")
        base["status"] = "diverged" if scores else "failed"
        base["error"] = base["error"] or ("the loss is not finite" if scores else NO_SCORE)
        return False
    ends = {name: value for name, value in scores.items() if name not in ("val_loss",)}
    if ends:
        said = ", ".join(f"{name} {value:g}" for name, value in ends.items())
        base["error"] = f"{base['error'] or base['status']} (the source states {said})"
        base.update({name: math.nan for name in ends if name in base})
    return bool(ends)


def _check_values(row: Mapping[str, Any], curves: Mapping[str, Sequence[float]]) -> None:
    """Refuse what `check` would call impossible in the results file."""
    for name in _AMOUNTS:
        for value in (row[name], *curves.get(_CURVES_OF_AMOUNTS.get(name, ""), ())):
            if value < 0 or math.isinf(value):
                raise InputError(f"{name} is {value:g}; it is at least 0, and finite")
    if row["devices"] <= 0 or math.isinf(row["devices"]):
        raise InputError(f"devices is {row['devices']:g}; it is above 0, and finite")
    for name in _KNOWN_COUNTS:
        if row[name] < UNKNOWN:
            raise InputError(f"{name} is {row[name]}; it is at least 0, or {UNKNOWN} for an unknown one")
    for name in _ACCURACIES:
        for value in (row[name], *curves.get(name, ())):
            if not (math.isnan(value) or 0 <= value <= 1):
                percent = f" (as percent: {value * _PERCENT:g})" if math.isfinite(value) else ""
                raise InputError(f"{name} is {value:g}, not a fraction between 0 and 1{percent}")


def fraction(percent: float) -> float:
    """Convert an accuracy from percent to a fraction.

    Args:
        percent: accuracy in [0, 100], or NaN.

    Returns:
        The accuracy in [0, 1], or NaN.
    """
    return percent / _PERCENT
