"""Budgets of searches as texts: their units, their spellings, and which of them mean the same."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError, did_you_mean

Unit = Literal["children", "gpu_seconds", "usd", "wall_seconds"]
Number = TypeVar("Number", float, NDArray[np.float64])

SECONDS_PER_HOUR = 3600.0

_UNITS: dict[str, tuple[Unit, float]] = {
    "child": ("children", 1.0),
    "children": ("children", 1.0),
    "gpu-seconds": ("gpu_seconds", 1.0),
    "gpu-minutes": ("gpu_seconds", 60.0),
    "gpu-hours": ("gpu_seconds", SECONDS_PER_HOUR),
    "gpu-days": ("gpu_seconds", 24 * SECONDS_PER_HOUR),
    "usd": ("usd", 1.0),
    "s": ("wall_seconds", 1.0),
    "seconds": ("wall_seconds", 1.0),
    "min": ("wall_seconds", 60.0),
    "minutes": ("wall_seconds", 60.0),
    "h": ("wall_seconds", SECONDS_PER_HOUR),
    "hours": ("wall_seconds", SECONDS_PER_HOUR),
}

# Words of one spelling: for an amount of 1, and for others. Words that mean the same are other spellings of it.
_WORDS: dict[tuple[Unit, float], tuple[str, str]] = {
    ("children", 1.0): ("child", "children"),
    **{_UNITS[f"gpu-{word}s"]: (f"gpu-{word}", f"gpu-{word}s") for word in ("second", "minute", "hour", "day")},
    ("usd", 1.0): ("usd", "usd"),
    **{_UNITS[word]: (word, word) for word in ("s", "min", "h")},
}

# After a number only: in a text that is no budget, nothing is replaced, so that its error repeats what was given.
_DEVICE_UNIT = re.compile(
    r"^(\s*[0-9.]+(?:e[+-]?[0-9]+)?\s*)device-(?=(?:second|minute|hour|day)s?\s*$)", re.IGNORECASE
)


@dataclass(frozen=True)
class Budget:
    """Limit of a search's spending.

    Args:
        limit: amount in `unit`, > 0.
        unit: "children", "gpu_seconds" (device-seconds, of CPUs too), "usd" or "wall_seconds".
        text: the budget in the spelling that results files store: "3 children" for "3.0children", too.
        given: the budget as the user wrote it.
    """

    limit: float
    unit: Unit
    text: str
    given: str = field(default="", compare=False)

    @property
    def children(self) -> float | None:
        """Number of children that the budget pays for; None for a budget of time or money."""
        return self.limit if self.unit == "children" else None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read a budget such as "6 children", "2.5 gpu-hours", "3 usd" or "10 min".

        Args:
            text: a positive number and a unit; with "1" the unit may be singular. "device-hours" are "gpu-hours", and
                so for the other units of device time.

        Returns:
            The budget.

        Raises:
            InputError: for any other text; the message names the units.
        """
        allowed = (
            "N children, N gpu-seconds|gpu-minutes|gpu-hours|gpu-days (or device-seconds, ...), N usd, or wall time: "
            "N s|min|h"
        )
        given, text = " ".join(text.split()), with_usual_unit(text)
        match = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z-]+)\s*", text)
        if match is None:
            raise InputError(f"budget {given!r} should read number and unit: {allowed}")
        word = match[2].lower()
        unit = _UNITS.get(word) or _UNITS.get(f"{word}s")
        if unit is None:
            raise InputError(
                f"budget {given!r}: unknown unit {match[2]!r}{did_you_mean(word, _UNITS)}; allowed: {allowed}"
            )
        try:
            amount = float(match[1])
        except ValueError:
            raise InputError(f"budget {given!r}: {match[1]!r} is not a number; allowed: {allowed}") from None
        if not 0 < amount < float("inf"):
            raise InputError(f"budget {given!r}: the amount must be a finite number above 0; allowed: {allowed}")
        if unit[0] == "children" and amount != int(amount):
            raise InputError(f"budget {given!r}: children come whole")
        return cls(amount * unit[1], unit[0], _spelled(amount, unit), given)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Texts that mean this budget, that of new runs first; earlier versions stored the one that was given."""
        given = with_usual_unit(self.given) if self.given else self.text
        texts = [self.text, given]
        for word, (unit, factor) in _UNITS.items():
            amount = self.limit / factor
            if unit != self.unit or amount * factor != self.limit:
                continue
            numbers = dict.fromkeys([f"{_number(amount)}", repr(amount)])
            words = (word, word.removesuffix("s")) if f"{word.removesuffix('s')}s" == word else (word,)
            texts += [f"{number}{gap}{each}" for each in words if each for number in numbers for gap in (" ", "")]
        return tuple(dict.fromkeys(texts))

    def amount(self, *, children: Number, device_seconds: Number, usd: Number, wall_seconds: Number) -> Number:
        """Select the quantity that this budget limits.

        Searches, replays and `nasbench status` all measure spending with this method.

        Args:
            children: counted children.
            device_seconds: device-seconds charged to the search.
            usd: their price.
            wall_seconds: seconds since the start. Each argument is one number, or an array with one number per search.

        Returns:
            The amount, to be compared with `limit`.
        """
        used = {"children": children, "gpu_seconds": device_seconds, "usd": usd, "wall_seconds": wall_seconds}
        return used[self.unit]


def _spelled(amount: float, unit: tuple[Unit, float]) -> str:
    one, several = _WORDS[unit]
    return f"{_number(amount)} {one if amount == 1 else several}"


def _number(amount: float) -> str:
    return str(int(amount)) if amount == int(amount) and amount < 1e15 else repr(amount)


def with_usual_unit(text: str) -> str:
    """Write a budget in device time with the unit that results files store: "2 gpu-hours" for "2 device-hours".

    Args:
        text: a budget; other texts are returned as they are.

    Returns:
        The text with "gpu-" in place of "device-".
    """
    return _DEVICE_UNIT.sub(r"\1gpu-", text)


def several_budgets(texts: Collection[str]) -> list[str]:
    """List different budgets: "60 min" and "1 h" are one.

    Args:
        texts: budgets as results files store them; a text that is no budget differs from all others.

    Returns:
        The first text of each budget, sorted; empty if there is one budget or none.
    """
    known: dict[object, str] = {}
    for text in texts:
        try:
            budget = Budget.parse(text)
            known.setdefault((budget.unit, budget.limit), budget.text)
        except InputError:  # imported rows may have any text
            known.setdefault(text, text)
    return sorted(known.values()) if len(known) > 1 else []
