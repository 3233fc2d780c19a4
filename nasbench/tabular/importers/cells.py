"""Cells of tables as values: numbers with separators, units and percent signs, words for missing values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, DecimalException, InvalidOperation
from numbers import Real
from typing import Any, Final

from nasbench.errors import InputError, UnknownName
from nasbench.store.format.schema import CHILD_COLUMNS, STATUSES

MISSING_WORDS: Final = frozenset(
    {"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "unknown", "-", "--", "?", "<na>"}
)
"""Texts, in lower case, that mean a missing number."""

_TYPES: Final = {column.name: column.type for column in CHILD_COLUMNS} | {
    "epoch": "int",
    "seconds": "float",
    "val_error": "float",
    "test_error": "float",
    "resource": "float",
    **dict.fromkeys(("budget", "trial", "started", "finished"), "str"),
}
_UNITS: Final = {column.name: column.unit for column in CHILD_COLUMNS} | {
    "seconds": "s",
    "val_error": "fraction",
    "test_error": "fraction",
}
_COUNTS: Final = ("params", "mult_adds", "published_params", "published_mult_adds")
_MULTIPLES: Final = {"k": 3, "K": 3, "M": 6, "m": 6, "G": 9, "B": 9, "b": 9, "T": 12}
_SECONDS: Final = {"ms": "0.001", "s": "1", "sec": "1", "min": "60", "h": "3600", "d": "86400"}
_BYTES: Final = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_GAPS: Final = re.compile(r"(?<=\d)[ \u00a0\u202f'’_](?=\d{3}(?!\d))")
_GROUPED: Final = {",": re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+"), ".": re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")}
_NUMBER: Final = re.compile(r"([+-]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)")
_INFINITE: Final = {
    "inf": math.inf,
    "+inf": math.inf,
    "-inf": -math.inf,
    "infinity": math.inf,
    "+infinity": math.inf,
    "-infinity": -math.inf,
    "∞": math.inf,
    "-∞": -math.inf,
}
_LARGEST_INT: Final = (1 << 63) - 1
_LARGEST_EXPONENT: Final = 400  # beyond it, every float is infinite or 0
_MOST_DIGITS: Final = 1_000
_TRUE: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass
class CellReader:
    """Reads cells as values of columns of the children table.

    Args:
        percent: columns whose numbers are percentages.
        scale: column -> factor of its numbers, as text.
        decimal: "." or ",", the mark before the digits after the whole number; None where `settle_decimal` finds it.
        missing: further words for missing values: in any column, or in one as COLUMN=WORD.
        texts: whether numbers are written as texts, as in CSV.
        quantities: name -> unit of further columns of numbers, which children do not have; a cell may repeat the unit.
    """

    percent: frozenset[str] = frozenset()
    scale: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    missing: tuple[str, ...] = ()
    texts: bool = True
    quantities: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.decimal not in (None, ".", ","):
            raise InputError(f"--decimal is '.' or ',', got {self.decimal!r}")
        self._factors: dict[str, Decimal] = {}
        for name, text in self.scale.items():
            try:
                factor = Decimal(text)
            except InvalidOperation:
                factor = Decimal(0)
            if not factor.is_finite() or factor <= 0:
                raise InputError(f"--scale {name}={text}: the factor is a positive number, e.g. {name}=1e6")
            self._factors[name] = factor

    def settle_decimal(self, columns: Mapping[str, Sequence[Any]], separator: str) -> None:
        """Find out from all cells whether the decimal mark is a point or a comma, unless it is stated.

        Args:
            columns: column of the children table -> its cells; those of texts are ignored.
            separator: character between the cells of the file.

        Raises:
            InputError: when some cells have one mark and some the other, or nothing says which it is.
        """
        if self.decimal is not None:
            return
        shown: dict[str, str] = {}
        unclear = ""
        for name, cells in columns.items():
            if self.kind(name) not in ("int", "float"):
                continue
            for cell in cells:
                found = _NUMBER.fullmatch(_GAPS.sub("", cell.strip())) if isinstance(cell, str) else None
                digits = re.split("[eE]", found[1])[0] if found else ""
                mark = _mark(digits)
                if mark:
                    shown.setdefault(mark, cell)
                elif "," in digits and self.kind(name) == "float":
                    unclear = unclear or cell
        if len(shown) == 2:
            raise InputError(
                f"{shown['.']!r} and {shown[',']!r} are both numbers of this table; state the decimal mark by --decimal"
            )
        if unclear and not shown and separator != ",":
            raise InputError(f"is {unclear!r} in thousands, or has it decimals? state the decimal mark by --decimal")
        self.decimal = next(iter(shown), ".")

    def kind(self, name: str) -> str:
        """Type of a column.

        Args:
            name: column of the children table, or one of `quantities`.

        Returns:
            "int", "float", "bool" or "str"; "" for another name.
        """
        return "float" if name in self.quantities else _TYPES.get(name, "")

    def value(self, name: str, cell: Any) -> Any:
        """Read a cell.

        Args:
            name: column of the children table.
            cell: text of a CSV file, or a value of a parquet file.

        Returns:
            The value in the column's unit and type. A missing one is None.

        Raises:
            InputError: when the cell does not fit the column.
        """
        kind = self.kind(name)
        plain = cell.item() if hasattr(cell, "item") else cell
        if plain is None or (isinstance(plain, float) and math.isnan(plain)) or self._is_missing(name, plain):
            return None
        if kind == "str":
            return self._text(name, plain)
        if kind == "bool":
            if str(plain).strip().lower() not in _TRUE:
                raise InputError(f"column {name!r} takes true or false, got {plain!r:.60}")
            return _TRUE[str(plain).strip().lower()]
        return self.number(name, plain)

    def _is_missing(self, name: str, cell: Any) -> bool:
        if isinstance(cell, bool) or not isinstance(cell, str | int | float):
            return False
        word = cell.strip() if isinstance(cell, str) else f"{cell:g}"
        if word in self.missing or f"{name}={word}" in self.missing:
            return True
        return not word if self.kind(name) == "str" and name != "status" else word.lower() in MISSING_WORDS

    def _text(self, name: str, cell: Any) -> str:
        text = str(cell)
        if name == "status" and text.strip() not in STATUSES:
            raise UnknownName("status", text, STATUSES)
        return text.strip() if name == "status" else text

    def number(self, name: str, cell: Any) -> Any:
        """Read a number that is not missing.

        Args:
            name: column of the children table.
            cell: text, or a number of a parquet file.

        Returns:
            A float, or an int for a column of whole numbers.

        Raises:
            InputError: when the cell is no number, or no whole one where the column takes only these.
        """
        whole = self.kind(name) == "int"
        exact, rounded = self._decimal(name, cell)
        if exact is None:
            if whole:
                raise InputError(f"column {name!r} takes whole numbers, got {str(cell)!r:.60}")
            return _INFINITE[str(cell).strip().lower()]
        if not whole:
            return float(exact)
        if exact != exact.to_integral_value() and not rounded:
            raise InputError(f"column {name!r} takes whole numbers, got {str(cell)!r:.60}")
        count = int(exact.to_integral_value())
        if abs(count) > _LARGEST_INT:
            raise InputError(f"column {name!r} takes whole numbers of 64 bits, got {str(cell)!r:.60}")
        return count

    def _decimal(self, name: str, cell: Any) -> tuple[Decimal | None, bool]:
        """The number, None for an infinite one, and whether it was in a larger unit and may have to be rounded."""
        if isinstance(cell, str) and not self.texts:
            raise InputError(
                f"column {name!r} takes numbers, got the text {cell!r:.60}; store numbers, or import the table as CSV"
            )
        if isinstance(cell, bool) or not isinstance(cell, str | Real | Decimal):
            raise InputError(f"column {name!r} takes numbers, got a {type(cell).__name__}: {cell!r:.60}")
        unit = ""
        if isinstance(cell, str):
            text = cell.strip()
            if text.lower() in _INFINITE:
                return None, False
            found = _NUMBER.fullmatch(_GAPS.sub("", text))
            if found is None:
                raise InputError(f"column {name!r} takes numbers, got {cell!r:.60}")
            text, unit = self._plain(found[1]), found[2]
        elif isinstance(cell, float) and math.isinf(cell):
            return None, False
        else:
            text = repr(cell) if isinstance(cell, float) else str(cell)
        try:
            number = Decimal(text) if len(text) <= _MOST_DIGITS else Decimal("NaN")
        except DecimalException:
            number = Decimal("NaN")
        if not number.is_finite():
            raise InputError(f"column {name!r} takes numbers, got {cell!r:.60}")
        if number and abs(number.adjusted()) > _LARGEST_EXPONENT:
            raise InputError(
                f"column {name!r} takes numbers up to 1.8e308, and none below 1e-324 but 0, got {cell!r:.60}"
            )
        factor, per_cent = self._unit(name, unit, cell)
        if name in self.percent and not per_cent:
            factor /= 100
        factor *= self._factors.get(name, Decimal(1))
        return number * factor, factor != 1

    def _unit(self, name: str, unit: str, cell: Any) -> tuple[Decimal, bool]:
        """Factor of a unit after a number, and whether it is the percent sign."""
        if not unit or unit == self.quantities.get(name):
            return Decimal(1), unit == "%"
        if unit == "%" and (_UNITS.get(name) == "fraction" or self.quantities.get(name) == "fraction"):
            return Decimal("0.01"), True
        if name in _COUNTS and unit in _MULTIPLES:
            return Decimal(10) ** _MULTIPLES[unit], False
        if _UNITS.get(name) == "s" and unit in _SECONDS:
            return Decimal(_SECONDS[unit]), False
        if _UNITS.get(name) == "bytes" and unit in _BYTES:
            return Decimal(_BYTES[unit]), False
        raise InputError(f"column {name!r} does not take the unit {unit!r}, got {cell!r:.60}; for a factor: --scale")

    def _plain(self, digits: str) -> str:
        """Digits with a point before the decimals and without marks of thousands."""
        mark = self.decimal or "."
        other = "," if mark == "." else "."
        whole, _, decimals = re.split("[eE]", digits)[0].partition(mark)
        if mark in decimals or other in decimals or (other in whole and not _GROUPED[other].fullmatch(whole)):
            raise InputError(f"{digits!r} is no number with the decimal mark {mark!r}; for another one: --decimal")
        return digits.replace(other, "").replace(mark, ".")


def _mark(digits: str) -> str | None:
    """Decimal mark of a number as it is written; None if it has none, or if its only comma may be one of thousands."""
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        return "," if comma > point else "."
    if point >= 0:
        return "." if digits.count(".") == 1 else ","
    if comma >= 0:
        if digits.count(",") > 1:
            return "."
        return None if _GROUPED[","].fullmatch(digits) else ","
    return None
