"""Functions that expressions may call: their arguments, their results, and how they are computed on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal

import numpy as np

Kind = Literal["number", "text", "condition"]


@dataclass(frozen=True)
class Function:
    """A function of the language.

    Args:
        arguments: allowed kinds of each argument, e.g. (("text",), ("text",)).
        result: kind of its result.
        call: computes it from scalars or arrays; a missing number is NaN, and NaN is the result where it has no other.
        usage: its call as an example for messages.
        more: True if further arguments of the last one's kinds may follow.
    """

    arguments: tuple[tuple[Kind, ...], ...]
    result: Kind
    call: Callable[..., Any]
    usage: str
    more: bool = False


def _plain(value: Any) -> Any:
    """Return numpy's scalars as Python's; arrays as they are."""
    return value.item() if isinstance(value, np.generic) else value


def _of_numbers(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        with np.errstate(all="ignore"):
            return _plain(function(np.asarray(value, dtype=float)[()]))

    return call


def _smallest(*values: Any) -> Any:
    return _plain(reduce(np.minimum, values))


def _largest(*values: Any) -> Any:
    return _plain(reduce(np.maximum, values))


def _of_texts(holds: Callable[[str, str], bool]) -> Callable[[Any, Any], Any]:
    def call(text: Any, part: Any) -> Any:
        if isinstance(text, str) and isinstance(part, str):
            return holds(text, part)
        found = np.frompyfunc(holds, 2, 1)(np.asarray(text, dtype=object), np.asarray(part, dtype=object))
        return np.asarray(found, dtype=bool)

    return call


def _missing(value: Any) -> Any:
    if isinstance(value, str):
        return value == ""
    values = np.asarray(value)
    return _plain(values == "" if values.dtype.kind in "OUT" else np.isnan(values))


_NUMBER: Final[tuple[Kind, ...]] = ("number",)
_TEXT: Final[tuple[Kind, ...]] = ("text",)
_IN_TEXT: Final = (_TEXT, _TEXT)

FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": Function((_NUMBER,), "number", _of_numbers(np.abs), "abs(params)"),
    "ceil": Function((_NUMBER,), "number", _of_numbers(np.ceil), "ceil(gpu_hours)"),
    "contains": Function(
        _IN_TEXT, "condition", _of_texts(lambda text, part: part in text), "contains(error, 'memory')"
    ),
    "endswith": Function(_IN_TEXT, "condition", _of_texts(str.endswith), "endswith(file, '.h5')"),
    "floor": Function((_NUMBER,), "number", _of_numbers(np.floor), "floor(gpu_hours)"),
    "isnan": Function((_NUMBER,), "condition", _missing, "isnan(test_acc)"),
    "log": Function((_NUMBER,), "number", _of_numbers(np.log), "log(params)"),
    "log10": Function((_NUMBER,), "number", _of_numbers(np.log10), "log10(params)"),
    "max": Function((_NUMBER, _NUMBER), "number", _largest, "max(val_acc, test_acc)", more=True),
    "min": Function((_NUMBER, _NUMBER), "number", _smallest, "min(val_acc, test_acc)", more=True),
    "missing": Function((("number", "text"),), "condition", _missing, "missing(test_acc)"),
    "round": Function((_NUMBER,), "number", _of_numbers(np.rint), "round(gpu_hours)"),
    "sqrt": Function((_NUMBER,), "number", _of_numbers(np.sqrt), "sqrt(params)"),
    "startswith": Function(_IN_TEXT, "condition", _of_texts(str.startswith), "startswith(hash, 'ab')"),
}
"""name -> function; `round` gives the even one of two equally near whole numbers. The report's page has the same ones."""
