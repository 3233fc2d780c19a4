"""Conditions over the columns of data frames: which rows a text selects. The text is parsed, and never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InputError
from nasbench.expressions.functions import Kind
from nasbench.expressions.parser import parse_condition
from nasbench.expressions.tokens import ExpressionError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from nasbench.expressions.tree import Node


def parse_where(text: str, names: Mapping[str, Kind], option: str = "--where") -> Node:
    """Parse a condition that a user gave.

    Args:
        text: the condition; see `parse_condition`.
        names: column -> kind of its values.
        option: name of the option or argument that has the text, for the message.

    Returns:
        The condition.

    Raises:
        InputError: when the text is no condition over these columns; names the position, and what is allowed there.
    """
    try:
        return parse_condition(text, names)
    except ExpressionError as error:
        raise InputError(f"{option}: {error}") from None


def rows_where(frame: pd.DataFrame, text: str, option: str = "--where") -> NDArray[np.bool_]:
    """Find the rows of a frame for which a condition holds.

    Args:
        frame: a frame with columns of numbers, texts and truth values.
        text: the condition, e.g. "params < 1e6 and startswith(strategy, 'p')"; see `parse_condition`.
        option: name of the option or argument that has the text, for the message.

    Returns:
        One truth value per row. Comparisons with a missing number are false; a missing text is the text '', as in
        results files.

    Raises:
        InputError: see `parse_where`.
    """
    return rows_that_hold(frame, parse_where(text, kinds_of(frame), option))


def rows_that_hold(frame: pd.DataFrame, condition: Node) -> NDArray[np.bool_]:
    """Find the rows of a frame for which a parsed condition holds.

    Args:
        frame: a frame that has all columns of the condition.
        condition: a condition over its columns.

    Returns:
        One truth value per row; see `rows_where`.
    """
    values = {name: _values(frame[name]) for name in condition.names}
    with np.errstate(all="ignore"):
        found = condition.evaluate(values)
    return np.broadcast_to(np.asarray(found, dtype=bool), len(frame))


def kinds_of(frame: pd.DataFrame) -> dict[str, Kind]:
    """Find out what the columns of a frame hold.

    Args:
        frame: any frame.

    Returns:
        Column -> "number", "text" or "condition", in the order of the frame.
    """
    return {str(name): _kind(frame[name]) for name in frame.columns}


def _kind(column: pd.Series[Any]) -> Kind:
    kind = getattr(column.dtype, "kind", "O")
    if kind in "iuf":
        return "number"
    if kind == "b":
        return "condition"
    if column.dtype == object:
        known = column.dropna()
        if len(known) and all(isinstance(value, (bool, np.bool_)) for value in known):
            return "condition"
        if len(known) and all(isinstance(value, (int, float, np.number)) for value in known):
            return "number"
    return "text"


def _values(column: pd.Series[Any]) -> NDArray[Any]:
    """Return a column as an array of numbers, truth values, or texts as Python objects."""
    kind = _kind(column)
    missing = column.isna().to_numpy(dtype=bool)
    if kind == "condition":
        return np.asarray(column.where(~missing, False).to_numpy(dtype=bool))
    if kind == "number":
        if missing.any() or column.dtype.kind not in "iu":
            return np.asarray(column.to_numpy(dtype=float, na_value=np.nan))
        return np.asarray(column.to_numpy(dtype=column.dtype.name.lower()))
    texts = np.asarray(column.to_numpy(dtype=object))
    return np.where(missing, "", texts) if missing.any() else texts
