"""Import of CSV and parquet tables, given a mapping from the suite's columns to the table's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from nasbench.errors import DataFaults, InputError, UnknownName
from nasbench.scores import VAL
from nasbench.spaces import from_json, get_space
from nasbench.spaces.base import Architecture, Space
from nasbench.store.format.quantities import Quantity
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.as_runs import COLUMNS as RUN_COLUMNS
from nasbench.tabular.importers.as_runs import STRATEGY, TRIAL, add_rows, notes_of, value_of
from nasbench.tabular.importers.cells import CellReader
from nasbench.tabular.importers.importer_base import UNKNOWN, Collector, Group, Imported, ImportSource
from nasbench.tabular.importers.json_stream import read_json
from nasbench.tabular.importers.json_tables import json_source, read_json_table
from nasbench.tabular.importers.naming import CHOICES, UNNAMED, Namer, Unnamed
from nasbench.tabular.importers.raw_tables import RawTable, read_csv, read_parquet
from nasbench.tabular.importers.stated_counts import settle_counts

ARCHITECTURE: Final = "architecture"
MATRIX: Final = "matrix"
OPERATIONS: Final = "operations"
EPOCH: Final = "epoch"
SECONDS: Final = "seconds"
_COSTS: Final = ("train_seconds", "eval_seconds", "setup_seconds", "device_seconds")
"""Costs of a training up to its last epoch; those of each epoch are `seconds`."""
_SHARED: Final = frozenset({"seed", "run_seed", "strategy", "status", "data", "protocol", "space", "stage", "epochs"})
"""Columns that may have one value for all rows of a table by columns."""
_SET_BY_IMPORT: Final = {
    "run",
    "index",
    "asked",
    "stage",
    "strategy",
    "run_seed",
    "space",
    "hash",
    "choices",
    "fingerprint",
    "reward",
    "duplicate",
    "counted",
    "cached_from",
    "gpu_hours",
    "spent_gpu_hours",
    "usd_per_hour",
    "stop_epoch",
    "from_epoch",
    "continues",
}
_TYPES: Final = {column.name: column.type for column in CHILD_COLUMNS if column.name not in _SET_BY_IMPORT}
_CURVES: Final = tuple(curve.name for curve in CURVES)
_LISTS: Final = {f"{name}_curve": name for name in _CURVES}
_IDENTITY: Final = (ARCHITECTURE, MATRIX, OPERATIONS)
ERRORS: Final = {"val_error": "val_acc", "test_error": "test_acc"}
MAPPABLE: Final = (*_IDENTITY, *_TYPES, *_LISTS, EPOCH, SECONDS, *ERRORS)
_ACCURACIES: Final = (*(name for name in (*_TYPES, *_CURVES) if name.endswith(("_acc", "_acc_best"))), *ERRORS)
_JUDGING: Final = ("val_acc", "val_loss", "test_acc", "test_loss", *ERRORS)
_BLANK: Final = {"float": math.nan, "int": UNKNOWN, "bool": False, "str": ""}
_HUNDRED: Final = 100.0

Scores = dict[str, Any]


@dataclass(frozen=True)
class TableForm:
    """Form of a table that differs from usual CSV.

    Args:
        separator: see `raw_tables.read_csv`.
        encoding: see `raw_tables.read_csv`.
        decimal: "." or ",", the decimal mark; None to find it.
        scale: column of a results file -> factor of its numbers, as text, e.g. {"params": "1e6"}.
        missing: further words for missing values: in any column, or in one as COLUMN=WORD.
        skip_bad: whether rows that cannot be read are left out and counted; otherwise nothing is written.
        score: name of the mapped quantity that trainings are judged by; "" for accuracy and loss or, without any, for the
            one quantity that is mapped as "val_...".
        as_run: whether rows are the trials of searches, in their order, and not a table.
        any_fidelity: with `as_run`, whether trials that were stopped early count by their last value.
    """

    separator: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    scale: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    skip_bad: bool = False
    score: str = ""
    as_run: bool = False
    any_fidelity: bool = False


@dataclass
class Training:
    """A training of the table: its first row, its architecture, its scores, and its curves."""

    row: int
    architecture: Architecture
    scores: Scores
    curves: dict[str, list[float]]
    measured: dict[Quantity, float]


@describes(
    About(
        what="any table with one training, one epoch or (--as-run) one trial of a search per row, as CSV, parquet or JSON, among "
        "them logs of HpBandSter, NASLib and archai",
        command="csv|parquet|json FILE -o OUT.h5 --space NAME --map architecture=COLUMN --map val_acc=COLUMN ...",
        licence="that of the table",
        size="any that fits in memory",
        published="whoever made the table",
        has=("what --map and --set name",),
        lacks=("what --map and --set do not name: it is missing, and counted",),
        times=None,
    )
)
def import_tabular(
    path: str,
    output: str | None,
    space: str,
    columns: Mapping[str, str],
    constants: Mapping[str, str],
    percent: Sequence[str] = (),
    take_over: bool = False,
    form: TableForm | None = None,
) -> Imported:
    """Import a table with one training per row, or one epoch per row, as a new results file.

    A row with val_acc or val_loss becomes a child of stage "search", a row with test_acc a child of stage "final", and
    a row with both becomes two, of which the first is charged. A row without any score is a training that failed.

    Args:
        path: the table: parquet if the name ends in .parquet, else text such as CSV.
        output: the new results file, ending in .h5; None to write nothing and return what would be stored.
        space: name and options of the space of all architectures, e.g. "nasbench201".
        columns: column of a results file -> column of the table. "architecture" is required; its values are lists of
            choices (JSON in CSV), JSON from `Architecture.to_json`, texts that the space parses, or the official index of a
            NAS-Bench-201 cell. In place of it, "matrix" and "operations" give a NAS-Bench-101 cell. "val_acc_curve" and
            others are JSON lists with a value per epoch. "NAME:UNIT:DIRECTION" is a quantity beside accuracy, see
            `Quantity.parse`. With "epoch", each row is an epoch of a training; the rows of a
            training have equal architecture, seed, protocol and data, and "seconds" are those of the epoch.
        constants: column of a results file -> value for all rows, as text, e.g. for "data" and "protocol".
        percent: columns of a results file whose values in the table are percentages, e.g. ("val_acc",).
        take_over: see `store.lock.ResultsLock`.
        form: form of the table; None to detect it.

    Returns:
        Number of children and runs written, of trainings by status, and of missing values.

    Raises:
        MissingData: when the file does not exist or has no rows.
        MissingExtra: when it is parquet and pyarrow is not installed.
        UnknownName: for an unknown column of either kind, an unknown space or an unknown status.
        InputError: when a value does not fit its column (the message names the row), or the output exists. Nothing is
            written then. `DataFaults` if this concerns several rows.
        StoreError: when the output cannot be written.
    """
    form = form or TableForm()
    _check_kind(columns, constants, form)
    quantities = _quantities(columns)
    percent, form = _by_text(percent, quantities), replace(form, scale=_scales_by_text(form.scale, quantities))
    _check_names([*columns, *constants, *percent, *form.scale], path, columns, quantities)
    score = _score(path, form.score, columns, quantities)
    parquet, in_json = path.endswith(".parquet"), is_json(path)
    source = json_source(path) if in_json else ImportSource.of(path, f"table {path.rpartition('.')[2]}")
    table = read_json_table(path, _by_row(columns)) if in_json else _read(path, form, columns)
    named = _architecture_columns(columns.get(ARCHITECTURE, ""), table)
    cells = {ours: table.column(theirs) for ours, theirs in columns.items() if ours != ARCHITECTURE or len(named) == 1}
    namer = _namer(space, named, table)
    opened, find = _finder(space, named, table, cells, namer, source)
    units = {text: quantity.unit for text, quantity in quantities.items()}
    decimal = form.decimal or ("." if in_json else None)
    reader = CellReader(frozenset(percent), form.scale, decimal, form.missing, not parquet, units)
    constant = _constants(constants, percent, form)
    _check_statement(path, cells, percent, reader, table)
    faults = {number: (number, f"row {number}: {why}") for number, why in table.broken.items()}
    rows: list[Training] = []
    for number in range(table.rows):
        if number in faults:
            continue
        try:
            rows.append(_training(find, number, cells, columns, constant, reader, quantities))
        except (ValueError, TypeError, OverflowError) as error:  # InputError is a ValueError; numbers raise others
            faults[number] = (number, f"row {number}: {error}")
    equal = []
    if EPOCH in columns:
        equal, rows = _equal_costs(rows), _joined(rows, faults)
    notes = notes_of(columns, constants, percent)
    with Collector(source) as collector:
        if form.as_run:
            _raise(path, [faults[number][1] for number in sorted(faults)], form)
            value, labels = value_of(score, [*columns, *constants]), namer.labels if namer else {}
            try:
                _, remarks = add_rows(collector, rows, value, notes, form.any_fidelity, labels)
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
            found = collector.write(output, take_over) if output is not None else collector.imported()
            found.skipped, found.unit = len(faults), "trials"
            found.remarks = [*table.remarks, *found.remarks, *dict.fromkeys(remarks), *_unnamed(columns), *equal]
            return found
        children = []
        for training in rows:
            protocol, data = (str(training.scores.pop(name, "") or "unknown") for name in ("protocol", "data"))
            group = Group(
                opened.spec,
                protocol,
                data,
                notes,
                constant.get("epochs"),
                score=score,
                options=namer.stored if namer else "",
            )
            children.append((group, training.architecture, training.scores))
        settle_counts(children)
        for training, (group, architecture, scores) in zip(rows, children):
            try:
                collector.child(group, architecture, scores, training.curves, measured=training.measured)
            except InputError as error:
                faults[training.row] = (training.row, f"row {training.row}: {_with_advice(str(error))}")
        _raise(path, [faults[number][1] for number in sorted(faults)], form)
        found = collector.write(output, take_over) if output is not None else collector.imported()
    found.skipped, found.unit = len(faults), "trainings" if EPOCH in columns else "rows"
    found.remarks = [*table.remarks, *found.remarks, *_remarks(rows), *equal]
    return found


def is_json(path: str) -> bool:
    """Whether a path is that of a table in JSON.

    Args:
        path: a file or a folder.

    Returns:
        True for a folder, and for names that end in .json, .jsonl or .ndjson, with or without .gz.
    """
    return Path(path).is_dir() or path.removesuffix(".gz").endswith((".json", ".jsonl", ".ndjson"))


def _read(path: str, form: TableForm, columns: Mapping[str, str]) -> RawTable:
    if path.endswith(".parquet"):
        return read_parquet(path)
    wanted = [name for theirs in columns.values() for name in theirs.split(",")]
    return read_csv(path, form.separator, form.encoding, wanted)


def _architecture_columns(text: str, table: RawTable) -> list[str]:
    """Columns that name an architecture: one, or one per decision with commas between."""
    if not text:
        return []
    names = [name.strip() for name in text.split(",")]
    return [text] if text in table.names or len(names) == 1 else names


def _namer(space: str, named: Sequence[str], table: RawTable) -> Namer | None:
    """What finds architectures of several columns, or in a space that is made of their values."""
    if not named or (len(named) == 1 and space != CHOICES):
        return None
    options = {}
    for name in named:
        values = {(str(type(each)), str(each)): each for each in table.column(name) if not _absent(each)}
        options[name] = sorted(values.values(), key=_by_size)
    return Namer(space, named, options if space == CHOICES else {})


def _by_size(value: Any) -> tuple[bool, float, str]:
    try:
        return False, float(value), str(value)
    except (TypeError, ValueError):
        return True, 0.0, str(value)


def _finder(
    space: str,
    named: Sequence[str],
    table: RawTable,
    cells: Mapping[str, Sequence[Any]],
    namer: Namer | None,
    source: ImportSource,
) -> tuple[Space, Callable[[int], Architecture]]:
    """The space, and a function from a row to its architecture."""
    if namer is not None:
        columns = [table.column(name) for name in named]
        return namer.opened, lambda number: namer.architecture([column[number] for column in columns])
    if MATRIX in cells:
        opened = get_space(space)
        return opened, lambda number: _of_matrix(opened, cells[MATRIX][number], cells[OPERATIONS][number])
    if not named:
        unnamed = Unnamed(source.digest)
        return get_space(UNNAMED), lambda number: unnamed.next()
    opened = get_space(space)
    return opened, lambda number: architecture_of(opened, cells[ARCHITECTURE][number])


def _unnamed(columns: Mapping[str, str]) -> list[str]:
    if ARCHITECTURE in columns or MATRIX in columns:
        return []
    return ["the source does not name architectures: each child counts as one of its own, so that none is a duplicate"]


def _by_row(columns: Mapping[str, str]) -> list[str]:
    """Names in the file of architectures, scores and costs, which no two trainings need to share."""
    names = [theirs for ours, theirs in columns.items() if ours not in _SHARED]
    return [part.strip() for name in names for part in name.split(",")]


def _check_kind(columns: Mapping[str, str], constants: Mapping[str, str], form: TableForm) -> None:
    given = [name for name in (*columns, *constants) if name in RUN_COLUMNS]
    if given and not form.as_run:
        raise InputError(f"{given[0]} is of a search and not of a table: give --as-run to import the rows as runs")
    if form.as_run and STRATEGY not in given:
        raise InputError("--as-run: which strategy made the search? --map strategy=COLUMN, or --set strategy=NAME")


def _quantities(columns: Mapping[str, str]) -> dict[str, Quantity]:
    """Text of a mapped name -> the quantity that it means."""
    found = {text: Quantity.parse(text) for text in columns if ":" in text}
    if len(set(found.values())) < len(found):
        raise InputError(
            "a quantity is mapped twice; give each device or method of its own: latency[device=A]:ms:lower=..."
        )
    return found


def _by_text(names: Sequence[str], quantities: Mapping[str, Quantity]) -> list[str]:
    """Names of columns, where that of a quantity means all quantities of this name."""
    texts: list[str] = []
    for name in names:
        texts += [text for text, each in quantities.items() if name in (each.name, text)] or [name]
    return texts


def _scales_by_text(scale: Mapping[str, str], quantities: Mapping[str, Quantity]) -> dict[str, str]:
    return {text: factor for name, factor in scale.items() for text in _by_text([name], quantities)}


def _score(path: str, name: str, columns: Mapping[str, str], quantities: Mapping[str, Quantity]) -> Quantity | None:
    """The quantity that trainings are judged by; None for accuracy and loss."""
    if name:
        chosen = [each for each in quantities.values() if each.name == name]
        if len(chosen) != 1:
            raise UnknownName(f"score of {path}, of the quantities that are mapped,", name, _names_of(quantities))
        return chosen[0]
    judged = {column for column in columns if column.startswith(_JUDGING)}
    candidates = [each for each in quantities.values() if each.name.startswith(VAL)]
    if judged or not quantities:
        return None
    if len(candidates) != 1:
        raise InputError(
            f"{path}: which quantity are the trainings judged by? map val_acc or val_loss, or give --score, one of: "
            f"{', '.join(_names_of(quantities))}"
        )
    return candidates[0]


def _names_of(quantities: Mapping[str, Quantity]) -> list[str]:
    return sorted({each.name for each in quantities.values()})


def _check_names(
    names: Sequence[str], path: str, columns: Mapping[str, str], quantities: Mapping[str, Quantity]
) -> None:
    for name in names:
        if name not in MAPPABLE and name not in quantities and name not in RUN_COLUMNS:
            raise UnknownName("column to import", name, MAPPABLE)
    if ARCHITECTURE in columns or {MATRIX, OPERATIONS} <= set(columns) or STRATEGY in names:
        return
    raise InputError(
        f"{path}: no column is given for the architectures: add --map {ARCHITECTURE}=COLUMN, or --map {MATRIX}=COLUMN "
        f"and --map {OPERATIONS}=COLUMN"
    )


def _constants(constants: Mapping[str, str], percent: Sequence[str], form: TableForm) -> Scores:
    """Values of --set, in the types of their columns."""
    reader = CellReader(frozenset(percent), form.scale, form.decimal or ".", form.missing)
    found = {}
    for name, text in constants.items():
        if name not in _TYPES and name not in RUN_COLUMNS:
            raise InputError(f"--set {name}: a column of the table gives it: --map {name}=COLUMN")
        try:
            value = reader.value(name, text)
        except ValueError as error:
            raise InputError(f"--set {name}={text}: {error}") from None
        if value is not None:
            found[name] = value
    return found


def _check_statement(
    path: str, cells: Mapping[str, Sequence[Any]], percent: Sequence[str], reader: CellReader, table: RawTable
) -> None:
    """Refuse a table whose decimal mark is unclear, fractions that are declared as percent, and percent that are not."""
    numbers = {name: values for name, values in cells.items() if name not in _IDENTITY}
    try:
        reader.settle_decimal(numbers, table.separator)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not reader.texts:
        _check_types(path, numbers)
    for name in _ACCURACIES:
        known = _known(name, numbers.get(name, ()), reader)
        if not known:
            continue
        highest = max(known.values())
        if name in percent and highest * _HUNDRED <= 1:
            raise InputError(
                f"{path}: no {name} is above {highest * _HUNDRED:g}, so these are fractions: leave --percent {name} out (for "
                f"percentages below 1: --scale {name}=0.01 in place of it)"
            )
        if name not in percent and name not in reader.scale and 1 < highest <= _HUNDRED:
            row, value = next((row, value) for row, value in known.items() if value > 1)
            raise InputError(
                f"{path}: row {row}: {name} is {value:g}, not a fraction between 0 and 1; for percent: --percent {name}"
            )


def _check_types(path: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Refuse a parquet column that has texts or lists where numbers belong, in one line and not in one per row."""
    for name, cells in columns.items():
        filled = {row: cell for row, cell in enumerate(cells) if cell is not None}
        if (
            (_TYPES.get(name) in ("int", "float") or ":" in name)
            and filled
            and all(isinstance(each, str | list) for each in filled.values())
        ):
            row, cell = next(iter(filled.items()))
            kind = "texts" if isinstance(cell, str) else "lists"
            raise InputError(
                f"{path}: row {row}: {name} takes numbers, and its column has {kind}, e.g. {cell!r:.60}; store numbers, or "
                "import the table as CSV"
            )


def _known(name: str, cells: Sequence[Any], reader: CellReader) -> dict[int, float]:
    """Row -> value of the cells without a percent sign that can be read."""
    found = {}
    for row, cell in enumerate(cells):
        if isinstance(cell, str) and "%" in cell:
            continue
        try:
            value = reader.value(name, cell)
        except ValueError:
            continue  # its row is a fault, named with all others
        if value is not None and math.isfinite(value):
            found[row] = value
    return found


def _training(
    find: Callable[[int], Architecture],
    number: int,
    cells: Mapping[str, Sequence[Any]],
    columns: Mapping[str, str],
    constant: Scores,
    reader: CellReader,
    quantities: Mapping[str, Quantity],
) -> Training:
    architecture = find(number)
    scores, curves, measured = dict(constant), {}, {}
    for name, values in cells.items():
        if name in _IDENTITY:
            continue
        try:
            if name in quantities:
                measured[quantities[name]] = _or_nan(reader.value(name, values[number]))
            elif name in _LISTS:
                curves[_LISTS[name]] = _curve(_LISTS[name], values[number], reader)
            elif (value := reader.value(name, values[number])) is not None:
                scores[name] = value
        except ValueError as error:
            raise InputError(f"{error} (column {columns[name]!r} of the table)") from None
    if EPOCH not in cells:
        seconds = scores.pop(SECONDS, None)
        if seconds is not None:
            scores.setdefault("train_seconds", seconds)
    for theirs, ours in ERRORS.items():
        if theirs in scores:
            wrong = scores.pop(theirs)
            if ours in scores:
                raise InputError(f"{theirs} is 1 - {ours}; map one of the two")
            scores[ours] = 1.0 - wrong
    curves = {name: values for name, values in curves.items() if values}
    return Training(number, architecture, scores, _ended(scores, curves) if curves else {}, measured)


def _curve(name: str, cell: Any, reader: CellReader) -> list[float]:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return []
    values = read_json(cell) if isinstance(cell, str) else cell
    if not isinstance(values, list):
        raise InputError(f"the curve {name} is a list with one number per epoch, got {cell!r:.60}")
    return [_or_nan(reader.value(name, value)) for value in values]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _ended(scores: Scores, curves: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Complete the curves, and set the scores at their ends in place; a score that is stated otherwise is refused."""
    lengths = {name: len(values) for name, values in curves.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"the curves of a training have one value per epoch each, but their lengths differ: {lengths}")
    epochs = next(iter(lengths.values()))
    whole = {name: curves.get(name, [math.nan] * epochs) for name in _CURVES}
    known = [value for value in whole["val_acc"] if not math.isnan(value)]
    ends = {name: whole[name][-1] for name in ("val_acc", "val_loss", "train_acc", "train_loss")}
    ends |= {"val_acc_best": max(known, default=math.nan), "epochs": epochs}
    well = scores.get("status", "ok") == "ok"
    for name, value in ends.items():
        stated = scores.get(name)
        if stated is None and not math.isnan(value) and (well or name == "epochs"):
            scores[name] = value
        elif well and stated is not None and not math.isnan(value) and stated != value:
            raise InputError(f"{name} is {stated:g}, but its curve gives {value:g}; map one of the two")
    seconds = whole["seconds"]
    if "train_seconds" not in scores and "device_seconds" not in scores and not any(map(math.isnan, seconds)):
        scores["train_seconds"] = math.fsum(seconds)
    return whole


def _joined(rows: Sequence[Training], faults: dict[int, tuple[int, str]]) -> list[Training]:
    """Join the rows of each training, one per epoch; those whose epochs do not follow each other are faults."""
    trainings: dict[tuple[Any, ...], list[Training]] = {}
    for row in rows:
        own = ("seed", "protocol", "data", *RUN_COLUMNS[:3], TRIAL)
        key = (row.architecture.choices, *(row.scores.get(name) for name in own))
        trainings.setdefault(key, []).append(row)
    joined = []
    for epochs in trainings.values():
        first = epochs[0].row
        try:
            joined.append(_of_epochs(epochs))
        except InputError as error:
            faults[first] = (first, f"row {first} and others of its training: {error}")
    return joined


def _equal_costs(rows: Sequence[Training]) -> list[str]:
    """Say which costs are one number in all rows of the first training of several epochs: of the whole, or of each epoch?"""
    first = [row for row in rows if row.architecture.choices == rows[0].architecture.choices] if rows else []
    known = {name: [row.scores[name] for row in first if row.scores.get(name) is not None] for name in _COSTS}
    return [
        f"{name} are equal in all rows of a training, and are taken for its whole cost; costs of each epoch are mapped as {SECONDS}"
        for name, values in known.items()
        if len(values) > 1 and len(set(values)) == 1
    ]


def _of_epochs(rows: Sequence[Training]) -> Training:
    unnumbered = [row.row for row in rows if EPOCH not in row.scores]
    if unnumbered:
        raise InputError(f"row {unnumbered[0]} has no epoch")
    ordered = sorted(rows, key=lambda row: row.scores[EPOCH])
    numbers = [row.scores[EPOCH] for row in ordered]
    if numbers[0] not in (0, 1) or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise InputError(
            f"its epochs are {', '.join(map(str, numbers[:10]))}; they should follow each other, from 0 or 1 (a column "
            "that tells trainings of one architecture apart: --map seed=COLUMN)"
        )
    for name in _COSTS:
        known = [float(row.scores[name]) for row in ordered if row.scores.get(name) is not None]
        if any(after < before for before, after in itertools.pairwise(known)):
            raise InputError(
                f"its {name} fall from one epoch to a later one, so that they are no cost up to each epoch; those of each "
                f"epoch are mapped as {SECONDS}"
            )
    curves = {
        name: [_or_nan(row.scores.get(name)) for row in ordered]
        for name in _CURVES
        if any(name in row.scores for row in ordered)
    }
    last = {name: value for name, value in ordered[-1].scores.items() if name not in (EPOCH, *curves)}
    ends = _ended(last, curves) if curves else {}
    return Training(rows[0].row, ordered[0].architecture, last, ends, ordered[-1].measured)


def architecture_of(space: Space, value: Any) -> Architecture:
    """Read an architecture as tables write it.

    Args:
        space: its space.
        value: a list of choices, or its JSON; JSON of `Architecture.to_json`; a text that the space parses; or the official
            index.

    Returns:
        The architecture.

    Raises:
        InputError: when it is none of these.
    """
    if _absent(value):
        raise InputError("there is no architecture")
    if isinstance(value, int | float) and hasattr(space, "parse") and not hasattr(space, "of_index"):
        value = str(value)
    if not isinstance(value, str):
        return _of_index(space, value) if isinstance(value, int | float) else space.decode(_ints(value))
    text = value.strip()
    if text.startswith("["):
        return space.decode(_ints(read_json(text)))
    if text.startswith("{"):
        architecture = from_json(text)
        if architecture.space != space:
            raise InputError(f"an architecture of space {architecture.space.spec!r}, not of {space.spec!r}")
        return architecture
    if text.isdecimal() and hasattr(space, "of_index"):
        return _of_index(space, int(text))
    parse = getattr(space, "parse", None)
    if parse is None:
        raise InputError(f"space {space.spec!r} reads architectures as a JSON list of choices, got {text[:60]!r}")
    parsed: Architecture = parse(text)
    return parsed


def _absent(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _ints(values: Any) -> list[int]:
    whole = isinstance(values, list) and all(_is_whole(each) for each in values)
    if not whole:
        raise InputError(f"an architecture is a list of whole numbers, got {values!r:.60}")
    return [int(each) for each in values]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _of_index(space: Space, value: float) -> Architecture:
    of_index = getattr(space, "of_index", None)
    if of_index is None or not _is_whole(value):
        raise InputError(f"space {space.spec!r} has no architecture {value!r}; it has no official index")
    architecture: Architecture = of_index(int(value))
    return architecture


def _of_matrix(space: Space, matrix: Any, operations: Any) -> Architecture:
    """A cell of NAS-Bench-101: its adjacency matrix as nested lists or digits row by row, and its operations."""
    from_matrix = getattr(space, "from_matrix", None)
    if from_matrix is None:
        raise InputError(f"space {space.spec!r} has no architectures by matrix and operations; nasbench101 has")
    if _absent(matrix) or _absent(operations):
        raise InputError("there is no architecture: its matrix or its operations are missing")
    labels = operations
    if isinstance(operations, str):
        text = operations.strip()
        # Python writes lists with single quotes.
        labels = (
            read_json(text.replace("'", '"')) if text.startswith("[") else [each.strip() for each in text.split(",")]
        )
    rows = matrix
    if isinstance(matrix, str):
        text = matrix.strip()
        if text.startswith("["):
            rows = read_json(text)
        else:
            digits, size = [int(digit) for digit in text], len(labels)
            if len(digits) != size * size:
                raise InputError(f"the matrix of {size} operations has {size * size} digits 0 or 1, got {text[:60]!r}")
            rows = [digits[start : start + size] for start in range(0, len(digits), size)]
    well = isinstance(rows, list) and isinstance(labels, list) and all(isinstance(row, list) for row in rows)
    if not well or any(digit not in (0, 1) for row in rows for digit in row):
        raise InputError(f"the matrix is a list of rows of 0 and 1, got {matrix!r:.60}")
    architecture: Architecture = from_matrix([[int(digit) for digit in row] for row in rows], labels)
    return architecture


def _with_advice(fault: str) -> str:
    name = fault.partition(" ")[0]
    return f"{fault}; for a word that means missing: --missing {name}=inf" if "is inf," in fault else fault


def _raise(path: str, faults: Sequence[str], form: TableForm) -> None:
    if not faults or form.skip_bad:
        return
    if len(faults) == 1:
        raise InputError(f"{path}: {faults[0]}")
    raise DataFaults(f"{path}: nothing is stored (--skip-bad stores the other rows)", faults)


def _remarks(rows: Sequence[Training]) -> list[str]:
    epochs = {row.scores["epochs"] for row in rows if row.scores.get("status", "ok") == "ok" and "epochs" in row.scores}
    if len(epochs) < 2:
        return []
    return [
        f"the epochs of trainings differ ({min(epochs)} to {max(epochs)}), and rows of one protocol are compared: import "
        "trainings that should not be under another protocol"
    ]
