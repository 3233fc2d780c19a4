"""Import of CSV and parquet tables, given a mapping from the suite's columns to the table's."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError, MissingExtra, UnknownName
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture, Space
from nasbench.store.format.schema import CHILD_COLUMNS, STATUSES
from nasbench.tabular.importers.importer_base import UNKNOWN, Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.importers.stated_counts import settle_counts

if TYPE_CHECKING:
    import pandas as pd

ARCHITECTURE: Final = "architecture"
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
}
_TYPES: Final = {column.name: column.type for column in CHILD_COLUMNS if column.name not in _SET_BY_IMPORT}
MAPPABLE: Final = (ARCHITECTURE, *_TYPES)
_TRUE: Final = {"true": True, "1": True, "false": False, "0": False}


def import_tabular(
    path: str,
    output: str,
    space: str,
    columns: Mapping[str, str],
    constants: Mapping[str, str],
    percent: Sequence[str] = (),
    take_over: bool = False,
) -> Imported:
    """Import a table with one training per row as a new results file.

    A row with val_acc or val_loss becomes a child of stage "search", a row with test_acc a child of stage "final", and
    a row with both becomes two.

    Args:
        path: the table, ending in .csv or .parquet.
        output: the new results file, ending in .h5.
        space: name and options of the space of all architectures, e.g. "nasbench201".
        columns: column of a results file -> column of the table. "architecture" is required; its values are JSON lists
            of choices, JSON from `Architecture.to_json`, or texts that the space parses.
        constants: column of a results file -> value for all rows, as text, e.g. for "data" and "protocol".
        percent: columns of a results file whose values in the table are percentages, e.g. ("val_acc",).
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        MissingData: when the file does not exist or has no rows.
        MissingExtra: when it is parquet and pyarrow is not installed.
        UnknownName: for an unknown column of either kind, an unknown space or an unknown status.
        InputError: when a value does not fit its column (the message names the row), or the output exists. Nothing is
            written then.
        StoreError: when the output cannot be written.
    """
    _check_names([*columns, *constants, *percent])
    if ARCHITECTURE not in columns:
        raise InputError(f"{path}: no column is given for the architectures: add --map {ARCHITECTURE}=COLUMN")
    source = ImportSource.of(path, f"table {path.rpartition('.')[2]}")
    frame = _read(path)
    for theirs in columns.values():
        if theirs not in frame.columns:
            raise UnknownName(f"column of {path}", theirs, map(str, frame.columns))
    opened, collector = get_space(space), Collector(source)
    notes = json.dumps({"map": dict(columns), "set": dict(constants), "percent": list(percent)}, sort_keys=True)
    texts = {ours: frame[theirs].tolist() for ours, theirs in columns.items()}
    rows: list[tuple[Group, Architecture, dict[str, Any]]] = []
    for number in range(len(frame)):
        try:
            architecture = _architecture(opened, texts[ARCHITECTURE][number])
            given = {name: values[number] for name, values in texts.items() if name != ARCHITECTURE}
            scores = {name: _typed(name, value) for name, value in {**constants, **given}.items()}
        except ValueError as error:  # InputError is one; JSON and numbers raise others
            raise InputError(f"{path}: row {number}: {error}") from None
        for name in percent:
            scores[name] = fraction(scores[name])
        protocol, data = str(scores.pop("protocol", "")) or "unknown", str(scores.pop("data", "")) or "unknown"
        _check_fractions(path, number, scores)
        rows.append((Group(opened.spec, protocol, data, notes), architecture, _with_cost(scores)))
    settle_counts(rows)
    for group, architecture, scores in rows:
        collector.child(group, architecture, scores)
    return collector.write(output, take_over)


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if name not in MAPPABLE:
            raise UnknownName("column to import", name, MAPPABLE)


def _read(path: str) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.endswith(".csv"):
            return pd.read_csv(path, dtype=str, keep_default_na=False)
        if path.endswith(".parquet"):
            return pd.read_parquet(path)
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    raise InputError(f"{path}: the name should end in .csv or .parquet")


def _architecture(space: Space, value: Any) -> Architecture:
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    ):
        raise InputError("there is no architecture")
    if not isinstance(value, str):
        return space.decode([int(choice) for choice in value])
    text = value.strip()
    if text.startswith("["):
        return space.decode(json.loads(text))
    if text.startswith("{"):
        from nasbench.spaces import from_json

        architecture = from_json(text)
        if architecture.space != space:
            raise InputError(f"an architecture of space {architecture.space.spec!r}, not of {space.spec!r}")
        return architecture
    parse = getattr(space, "parse", None)
    if parse is None:
        raise InputError(f"space {space.spec!r} reads architectures as a JSON list of choices, got {text!r}")
    parsed: Architecture = parse(text)
    return parsed


def _typed(name: str, value: Any) -> Any:
    """Convert a value to the type of its column; a missing value stays missing."""
    kind = _TYPES[name]
    plain = value.item() if hasattr(value, "item") else value
    missing = plain is None or plain == "" or (isinstance(plain, float) and math.isnan(plain))
    if kind == "str":
        text = "" if missing else str(plain)
        if name == "status" and text not in STATUSES:
            raise UnknownName("status", text, STATUSES)
        return text
    if missing:
        return {"float": math.nan, "int": UNKNOWN, "bool": False}[kind]
    if kind == "bool":
        if str(plain).lower() not in _TRUE:
            raise InputError(f"column {name!r} takes true or false, got {plain!r}")
        return _TRUE[str(plain).lower()]
    number = float(plain)
    if kind == "float":
        return number
    if number != int(number):
        raise InputError(f"column {name!r} takes whole numbers, got {plain!r}")
    return int(plain) if isinstance(plain, int) else int(number)


def _check_fractions(path: str, number: int, scores: Mapping[str, Any]) -> None:
    for name, value in scores.items():
        if "_acc" in name and not math.isnan(value) and not 0 <= value <= 1:
            raise InputError(
                f"{path}: row {number}: {name} is {value:g}, not a fraction between 0 and 1; for percent: --percent "
                f"{name}"
            )


def _with_cost(scores: dict[str, Any]) -> dict[str, Any]:
    """Add device-seconds, the sum of training, evaluation and set-up, if the table has all three and no total."""
    parts = [scores.get(name, math.nan) for name in ("train_seconds", "eval_seconds", "setup_seconds")]
    total = scores.get("device_seconds", math.nan)
    return scores | {"device_seconds": sum(parts) * scores.get("devices", 1.0) if math.isnan(total) else total}
