"""Checks of rows and curves before they are written to a results file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Final

import numpy as np

from nasbench.errors import InputError, did_you_mean
from nasbench.store.format.schema import (
    CHILD_COLUMNS,
    CURVES,
    DIRECTIONS,
    MEASUREMENT_COLUMNS,
    RUN_COLUMNS,
    STAGES,
    STATUSES,
    Column,
    ColumnType,
)

Row = dict[str, Any]
Curves = dict[str, list[float]]

CURVE_NAMES: Final = tuple(curve.name for curve in CURVES)
_INT64: Final = np.iinfo(np.int64)
_MISSING: Final = {"int": -1, "float": math.nan, "bool": False, "str": ""}
_ALLOWED: Final = {"status": STATUSES, "stage": STAGES}


def child_row(row: Mapping[str, Any]) -> Row:
    """Check a row of the children table and convert it to plain Python types, in the schema's order.

    Args:
        row: exactly the columns of `schema.CHILD_COLUMNS`.

    Returns:
        Column -> value.

    Raises:
        InputError: for a missing, unknown or wrongly typed column, or an unknown status or stage.
    """
    checked = _typed(row, CHILD_COLUMNS, "child")
    for name, allowed in _ALLOWED.items():
        if checked[name] not in allowed:
            raise InputError(f"child row: {name} is {checked[name]!r}; allowed: {', '.join(allowed)}")
    return checked


def run_row(row: Mapping[str, Any]) -> Row:
    """Check a row of the runs table and convert it to plain Python types, in the schema's order.

    Args:
        row: exactly the columns of `schema.RUN_COLUMNS`.

    Returns:
        Column -> value.

    Raises:
        InputError: for a missing, unknown or wrongly typed column, or an empty run id.
    """
    checked = _typed(row, RUN_COLUMNS, "run")
    if not checked["run"]:
        raise InputError("run row: the column 'run' is empty; every run needs an id")
    return checked


def unmeasured() -> Row:
    """A row of the table of measurements of which nothing is known: NaN, -1 and ''."""
    return {column.name: _MISSING[column.type] for column in MEASUREMENT_COLUMNS}


def measurement_row(row: Mapping[str, Any]) -> Row:
    """Check a row of the table of measurements and convert it to plain Python types, in the schema's order.

    Args:
        row: exactly the columns of `schema.MEASUREMENT_COLUMNS`.

    Returns:
        Column -> value.

    Raises:
        InputError: for a missing, unknown or wrongly typed column, an unknown direction, or a row without hash,
            quantity or value.
    """
    checked = _typed(row, MEASUREMENT_COLUMNS, "measurement")
    if checked["direction"] not in DIRECTIONS:
        raise InputError(
            f"measurement row: direction is {checked['direction']!r}; allowed: {', '.join(DIRECTIONS)} (which is better)"
        )
    for name in ("hash", "quantity"):
        if not checked[name]:
            raise InputError(f"measurement row: the column {name!r} is empty; every measurement needs one")
    if math.isnan(checked["value"]):
        raise InputError(f"measurement row: the value of {checked['quantity']!r} is not a number; leave the row out")
    return checked


def child_curves(curves: Mapping[str, Sequence[float]]) -> Curves:
    """Check a child's curves: either none, or every curve of the schema, all of the same length.

    Args:
        curves: curve -> one value per epoch; empty for no curves.

    Returns:
        Every curve of the schema -> floats, one per epoch.

    Raises:
        InputError: for a missing or unknown curve, unequal lengths, or a value that is not a number.
    """
    if not curves:
        return {name: [] for name in CURVE_NAMES}
    _same_names(curves, CURVE_NAMES, "curves")
    lengths = {name: len(curves[name]) for name in CURVE_NAMES}
    if len(set(lengths.values())) > 1:
        raise InputError(f"curves: one value per epoch each, but the lengths differ: {lengths}")
    return {name: [_float(value, name, "curves") for value in curves[name]] for name in CURVE_NAMES}


def _typed(row: Mapping[str, Any], columns: Sequence[Column], kind: str) -> Row:
    _same_names(row, [column.name for column in columns], f"{kind} row")
    return {column.name: _CHECKS[column.type](row[column.name], column.name, f"{kind} row") for column in columns}


def _same_names(given: Mapping[str, Any], names: Sequence[str], where: str) -> None:
    unknown = [name for name in given if name not in names]
    if unknown:
        raise InputError(f"{where}: unknown column {unknown[0]!r}{did_you_mean(str(unknown[0]), names)}")
    missing = [name for name in names if name not in given]
    if missing:
        raise InputError(f"{where}: missing {', '.join(missing)}")


def _int(value: Any, name: str, where: str) -> int:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise _wrong_type(value, name, where, "an int")
    number = int(value)
    if not _INT64.min <= number <= _INT64.max:
        raise InputError(f"{where}: column {name!r} is {number}; it must fit into 64 bits with sign")
    return number


def _float(value: Any, name: str, where: str) -> float:
    if type(value) is float:
        return value
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise _wrong_type(value, name, where, "a float (NaN where unknown)")
    return float(value)


def _bool(value: Any, name: str, where: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _wrong_type(value, name, where, "a bool")
    return bool(value)


def _str(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type(value, name, where, "a str ('' where missing)")
    return str(value)


def _wrong_type(value: Any, name: str, where: str, wanted: str) -> InputError:
    return InputError(f"{where}: column {name!r} must be {wanted}, not {value!r} ({type(value).__name__})")


_CHECKS: Final[dict[ColumnType, Callable[[Any, str, str], Any]]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "str": _str,
}


def spell_float(value: Any) -> Any:
    """Replace NaN and the infinities, which JSON cannot express as numbers, by the strings "nan", "inf" and "-inf".

    Args:
        value: any value.

    Returns:
        The string, or the value itself.
    """
    return repr(value) if type(value) is float and not math.isfinite(value) else value


def unspell_floats(values: Mapping[str, Any], floats: Sequence[str]) -> dict[str, Any]:
    """Reverse `spell_float` for some columns.

    Args:
        values: column -> value.
        floats: names of the columns of floats; those that `values` lacks are ignored.

    Returns:
        Column -> value.
    """
    plain = dict(values)
    for name in floats:
        if name in plain:  # rows of an earlier schema may lack one
            plain[name] = float(plain[name])
    return plain
