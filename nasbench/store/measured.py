"""Choice of measurements by quantity and conditions, and their join to children by the architecture's hash.

"latency[device=EPYC, method=eager, batch=1]" names a quantity and its conditions. Values measured under different
conditions are never mixed: where several are left, the error lists them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError, UnknownName
from nasbench.scores import TEST, VAL
from nasbench.store.format.quantities import COURSE
from nasbench.store.format.schema import CHILD_COLUMNS, MEASUREMENT_COLUMNS
from nasbench.store.query import PathLike, Results

if TYPE_CHECKING:
    import pandas as pd

# Columns in which all values of one choice must agree.
DECIDING: Final = ("device", "method", "batch", "threads", "input", "scale", "fingerprint", "unit", "direction")
# Columns that a condition may name.
CONDITIONS: Final = (*DECIDING, "protocol", "data", "seed", "software", "platform", "source")
SHOWN: Final = 8
HIGHER: Final = "higher"
FLAGGED: Final = "flagged"
"""Key in the details of a measurement that is stored and not used; its value says why."""
_NAME: Final = re.compile(r"\s*(?P<quantity>[^\[\]]+?)\s*(?:\[(?P<conditions>.*)\])?\s*", re.DOTALL)
_CONDITION: Final = re.compile(r"""\s*(\w+)\s*=\s*("[^"]*"|'[^']*'|[^,"']*?)\s*(?:,|$)""")
_INTEGERS: Final = {column.name for column in MEASUREMENT_COLUMNS if column.type == "int"}


@dataclass(frozen=True)
class Wanted:
    """A quantity, and the conditions under which it was measured.

    Args:
        quantity: name of the quantity, e.g. "latency".
        conditions: column -> value; of a text, a part of it is enough.
    """

    quantity: str
    conditions: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """Parse "QUANTITY" or "QUANTITY[COLUMN=VALUE,...]"; values may be in quotes.

        Args:
            text: e.g. "latency[method=eager,batch=1]".

        Returns:
            The quantity with its conditions.

        Raises:
            InputError: when the text has another form.
            UnknownName: when a condition names no column of measurements.
        """
        found = _NAME.fullmatch(text)
        if found is None:
            raise InputError(f"{text!r} names no measurement: write e.g. latency or latency[method=eager,batch=1]")
        return cls(found["quantity"], _conditions(found["conditions"] or "", text))


def _conditions(inside: str, text: str) -> dict[str, str]:
    conditions: dict[str, str] = {}
    place = 0
    while place < len(inside.rstrip()):
        found = _CONDITION.match(inside, place)
        if found is None or not found[2]:
            raise InputError(f"{text!r}: conditions are COLUMN=VALUE with commas between, e.g. [method=eager,batch=1]")
        if found[1] not in CONDITIONS:
            raise UnknownName("condition of a measurement", found[1], CONDITIONS)
        conditions[found[1]] = found[2].strip("\"'")
        place = found.end()
    return conditions


def split_names(text: str) -> list[str]:
    """Split a list of names at the commas that are outside brackets.

    Args:
        text: e.g. "error,latency[method=eager,batch=1]".

    Returns:
        The names without blanks around them; empty ones are left out.
    """
    parts, depth, begin = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth <= 0:
            parts.append(text[begin:place])
            begin = place + 1
    return [part.strip() for part in (*parts, text[begin:]) if part.strip()]


@dataclass(frozen=True)
class Measured:
    """The values of one quantity under one set of conditions.

    Args:
        name: the text by which it was chosen.
        quantity: name of the quantity.
        unit: unit of the values; "" for a pure number.
        direction: values that are better: "lower" or "higher".
        conditions: what was common to all, e.g. "AMD EPYC, eager, batch 1, 1 thread".
        values: hash -> value, a pandas Series of floats.
        repeated: measurements left out because a later one has the same hash and the same conditions.
        flagged: measurements left out because they are faults, as their details say.
    """

    name: str
    quantity: str
    unit: str
    direction: str
    conditions: str
    values: pd.Series[float]
    repeated: int
    flagged: int = 0

    @property
    def left_out(self) -> str:
        """What is said of flagged measurements, after the conditions; "" without any."""
        return f"; {self.flagged:,} measurements that are flagged as faults are left out" if self.flagged else ""

    @property
    def label(self) -> str:
        """Label of an axis: quantity and unit."""
        return f"{self.quantity} ({self.unit})" if self.unit else self.quantity


def choose(measurements: pd.DataFrame, name: str) -> Measured:
    """Choose the values of one quantity, all of one device, method, batch, number of threads and size.

    Args:
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.
        name: the quantity with conditions, as `Wanted.parse` reads it.

    Returns:
        One value per hash: the latest of repeated measurements. Of values that belong to several trainings of one
        architecture, or to several architectures of one hash that were measured together, the mean. Flagged measurements
        are left out.

    Raises:
        InputError: when there is no such measurement, or there are several under different conditions; the message
            lists what there is.
        UnknownName: when the quantity was not measured, or a condition names no column.
    """
    wanted = Wanted.parse(name)
    quantities = sorted(set(measurements["quantity"].astype(str)))
    if wanted.quantity not in quantities:
        raise not_measured(wanted.quantity, quantities)
    rows = matching(measurements[measurements["quantity"] == wanted.quantity], wanted)
    ways = rows.drop_duplicates(list(DECIDING))
    if len(ways) > 1:
        raise InputError(_ambiguous(wanted, ways))
    return _values(name, rows)


def matching(rows: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """Select the measurements that satisfy the conditions of a name.

    Args:
        rows: measurements of one quantity.
        wanted: the quantity with its conditions.

    Returns:
        The rows, at least one.

    Raises:
        InputError: when none satisfies a condition; the message lists what there is.
    """
    for column, value in wanted.conditions.items():
        kept = _matching(rows, column, value)
        if kept.empty:
            there = ", ".join(map(repr, sorted(map(str, set(rows[column])))))
            raise InputError(f"no {wanted.quantity} has {column}={value!r}; there is: {there}")
        rows = kept
    return rows


def of_trainings(measurements: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out scores of other protocols and data sets than those of the children.

    Args:
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.
        frame: children with the column fingerprint.

    Returns:
        Measurements of quantities that are scores of these trainings, or of no training.
    """
    scores = measurements["quantity"].astype(str).str.startswith((VAL, TEST))
    return measurements[~scores | measurements["fingerprint"].isin(set(frame["fingerprint"]))]


def every_way(measurements: pd.DataFrame) -> list[Measured]:
    """Split measurements by quantity and conditions.

    Args:
        measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.

    Returns:
        What `choose` returns for each quantity and set of conditions, in order of first appearance; nothing where all
        measurements are flagged.
    """
    ended = measurements[~measurements["quantity"].astype(str).str.endswith(COURSE)]
    groups = ended.groupby(["quantity", *DECIDING], sort=False)
    return [_values(str(rows["quantity"].iloc[0]), rows) for _, rows in groups if not flagged(rows).all()]


def flagged(rows: pd.DataFrame) -> pd.Series[bool]:
    """Find the measurements that are faults: stored, and used by no analysis.

    Args:
        rows: measurements.

    Returns:
        One value per row.
    """
    return rows["details"].astype(str).str.contains(f'"{FLAGGED}": ', regex=False)


def _values(name: str, rows: pd.DataFrame) -> Measured:
    """One value per hash, of rows that were all measured in one way."""
    faults = flagged(rows)
    ordered = rows[~faults].sort_values("measured_at", kind="stable")
    if ordered.empty:
        raise InputError(f"{name}: all of its {len(rows):,} measurements are flagged as faults")
    again = ["hash", "seed"]
    if ordered.duplicated(again).any():
        times = ordered["measured_at"].astype(str)
        last = times.groupby([ordered[each] for each in again], observed=True).transform("max")
        latest = ordered[times == last].drop_duplicates([*again, "choices"], keep="last")
    else:
        latest = ordered
    values = latest.groupby("hash", sort=False)["value"].mean()
    way = rows.iloc[0]
    repeated = len(ordered) - len(latest)
    conditions = describe_way(way)
    return Measured(
        name, way["quantity"], way["unit"], way["direction"], conditions, values, repeated, int(faults.sum())
    )


def not_measured(quantity: str, quantities: Sequence[str]) -> InputError:
    """Make the error for a quantity that files have no measurement of.

    Args:
        quantity: the quantity asked for.
        quantities: the measured ones.

    Returns:
        The error, to be raised.
    """
    if quantities:
        return UnknownName("measured quantity", quantity, quantities)
    if quantity == "latency":
        return InputError(
            "latency was not measured: nasbench latency FILE measures it, and --measurements OTHER.h5 reads it from "
            "another file (the seconds of a validation pass are validation_seconds_per_epoch)"
        )
    return InputError(f"{quantity!r} is neither a column nor measured; the files have no measurements")


def _matching(rows: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    if column in _INTEGERS:
        if not re.fullmatch(r"-?\d+", value):
            raise InputError(f"condition {column}={value!r} of a measurement: {column} is a whole number")
        return rows[rows[column] == int(value)]
    texts = rows[column].astype(str)
    same = texts == value
    return rows[same if same.any() else texts.str.lower().str.contains(value.lower(), regex=False)]


def _ambiguous(wanted: Wanted, ways: pd.DataFrame) -> str:
    differing = [column for column in DECIDING if ways[column].nunique() > 1]
    listed = [
        f"{wanted.quantity}[{','.join(f'{column}={_quoted(way[column])}' for column in differing)}]"
        for way in ways.to_dict("records")
    ]
    more = f", ... ({len(listed) - SHOWN} more)" if len(listed) > SHOWN else ""
    return (
        f"{wanted.quantity} was measured in {len(listed)} ways, which are not averaged: choose one of "
        f"{', '.join(listed[:SHOWN])}{more}"
    )


def _quoted(value: object) -> str:
    text = str(value)
    return f"'{text}'" if re.search(r"[,\[\]\s\"]", text) else text


def describe_way(row: Mapping[str, Any] | pd.Series[Any]) -> str:
    """Write the conditions of a measurement for people.

    Args:
        row: one measurement.

    Returns:
        E.g. "AMD EPYC, eager, batch 1, 1 thread, 3x32x32"; "" if nothing is known.
    """
    batch, threads = int(row["batch"]), int(row["threads"])
    parts = [
        str(row["device"]),
        str(row["method"]),
        f"batch {batch}" if batch > 0 else "",
        f"{threads} thread{'s' if threads > 1 else ''}" if threads > 0 else "",
        str(row["input"]),
    ]
    return ", ".join(filter(None, parts))


def read_measurements(results: Results, others: PathLike | Iterable[PathLike] = ()) -> pd.DataFrame:
    """Read the measurements of opened results files and of further files.

    Args:
        results: opened results files.
        others: a file of measurements, as `nasbench latency -o` writes it, or several.

    Returns:
        The columns of `schema.MEASUREMENT_COLUMNS`, all rows.

    Raises:
        MissingResults, StoreError: when one of the others is not there, or cannot be read.
        InputError: when one of the others has no measurements.
    """
    import pandas as pd

    parts = [results.measurements()]
    for path in [others] if isinstance(others, str | os.PathLike) else others:
        with Results(path) as opened:
            parts.append(opened.measurements())
        if parts[-1].empty:
            raise InputError(f"{path}: no measurements in this file; nasbench latency FILE -o {path} writes some")
    names = [column.name for column in MEASUREMENT_COLUMNS]
    return pd.concat([part[names] for part in parts], ignore_index=True) if len(parts) > 1 else parts[0][names]


def join(frame: pd.DataFrame, measured: Sequence[Measured]) -> pd.DataFrame:
    """Add measured quantities to children, by the hash of their architectures.

    Args:
        frame: children with the column "hash".
        measured: the quantities.

    Returns:
        The frame with one column per quantity, named as it was chosen; NaN where a hash was not measured.
        `attrs["measured"]` has the label of each by its name.
    """
    hashes = frame["hash"].astype(str)
    joined = frame.assign(**{each.name: hashes.map(each.values).astype(float) for each in measured})
    joined.attrs = {**frame.attrs, "measured": {each.name: each.label for each in measured}}
    return joined


def measured_names(names: Sequence[str], known: Sequence[str] = ()) -> list[str]:
    """Find the names that are no columns of children, and therefore name measured quantities.

    Args:
        names: names of columns and quantities.
        known: further names that are no quantities.

    Returns:
        The quantities, each once, in their order.
    """
    columns = {column.name for column in CHILD_COLUMNS} | {"file"} | set(known)
    return [name for name in dict.fromkeys(names) if name not in columns]
