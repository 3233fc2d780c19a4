"""The budget of a search, the ledger of its spending, and the stop rule, which real and replayed runs share."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError, did_you_mean
from nasbench.store.format.schema import LEDGER_CATEGORIES, SEARCH_CATEGORIES

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
        text: the budget with the unit that results files store.
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
        return cls(amount * unit[1], unit[0], " ".join(text.split()), given)

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


@dataclass
class Ledger:
    """Charges of a run by category, and the rest of its budget.

    The stop rule: a child counts only if all charges, including its own, are within the limit. The first child that
    would exceed the limit ends the search and does not count, so no search exceeds its budget.

    Args:
        budget: the limit.
        usd_per_hour: price of one device-hour, >= 0.
        children: counted children, >= 0.
        wall_seconds: wall time of the run over all attempts, >= 0.
        device_seconds: device-seconds by category of `LEDGER_CATEGORIES`.
        repriced: USD by category that hours charged at other prices cost beyond `usd_per_hour`, which may be less than 0.
            An attempt with another price, or on other devices, leaves what earlier ones were charged.
    """

    budget: Budget
    usd_per_hour: float
    children: int = 0
    wall_seconds: float = 0.0
    device_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LEDGER_CATEGORIES, 0.0))
    repriced: dict[str, float] = field(default_factory=dict)

    def charge(self, category: str, device_seconds: float, usd_per_hour: float | None = None) -> None:
        """Charge device-seconds (>= 0) to a category of `LEDGER_CATEGORIES`.

        Args:
            category: one of `LEDGER_CATEGORIES`.
            device_seconds: device-seconds, >= 0.
            usd_per_hour: price at which an earlier attempt was charged for them, >= 0; None for that of the ledger.
        """
        self.device_seconds[category] += device_seconds
        # A price computed from a row differs from the ledger's by rounding.
        if usd_per_hour is not None and not math.isclose(usd_per_hour, self.usd_per_hour, rel_tol=1e-9):
            beyond = device_seconds / SECONDS_PER_HOUR * (usd_per_hour - self.usd_per_hour)
            self.repriced[category] = self.repriced.get(category, 0.0) + beyond

    @property
    def search_seconds(self) -> float:
        """Device-seconds charged to the search: everything but final trainings and uncounted children."""
        charged = self.device_seconds
        return sum([charged[name] for name in SEARCH_CATEGORIES])  # a list: replays ask for this a million times

    @property
    def usd(self) -> float:
        """Price of the search so far in USD."""
        return self._usd(self.search_seconds)

    def _usd(self, search_seconds: float) -> float:
        """USD of the search after so many device-seconds, each at the price at which it was charged."""
        usd = search_seconds / SECONDS_PER_HOUR * self.usd_per_hour
        return usd + sum(self.repriced.get(name, 0.0) for name in SEARCH_CATEGORIES) if self.repriced else usd

    @property
    def total_usd(self) -> float:
        """Price of all categories in USD."""
        usd = sum(self.device_seconds.values()) / SECONDS_PER_HOUR * self.usd_per_hour
        return usd + sum(self.repriced.values()) if self.repriced else usd

    @property
    def spent(self) -> float:
        """Amount spent, in the budget's unit."""
        return self._spent_after(0, 0.0)

    def _spent_after(self, children: int, device_seconds: float) -> float:
        if self.budget.unit == "wall_seconds":  # without the sum below: simulated searches ask a million times
            return self.wall_seconds
        seconds = self.search_seconds + device_seconds
        return self.budget.amount(
            children=float(self.children + children),
            device_seconds=seconds,
            usd=self._usd(seconds),
            wall_seconds=self.wall_seconds,
        )

    def fits(self, device_seconds: float) -> bool:
        """Whether a child with these charges is within the budget.

        Args:
            device_seconds: charges of the child and of the searcher's work for it, >= 0.

        Returns:
            True if all charges including these are within the limit.
        """
        return self._spent_after(1, device_seconds) <= self.budget.limit

    def room(self, outstanding: int) -> bool:
        """Check whether another child may be proposed.

        Args:
            outstanding: number of children in training, >= 0.

        Returns:
            True if the amount spent is below the limit; children in training count only against a budget in children.
        """
        if self.budget.unit == "children":
            return self.children + outstanding < self.budget.limit
        return self.spent < self.budget.limit

    @property
    def device_seconds_left(self) -> float:
        """Device-seconds after which a child cannot count any more; inf if neither device time nor money is limited."""
        if self.budget.unit == "gpu_seconds":
            return self.budget.limit - self.spent
        if self.budget.unit == "usd" and self.usd_per_hour > 0:
            return (self.budget.limit - self.spent) / self.usd_per_hour * SECONDS_PER_HOUR
        return float("inf")


def with_usual_unit(text: str) -> str:
    """Write a budget in device time with the unit that results files store: "2 gpu-hours" for "2 device-hours".

    Args:
        text: a budget; other texts are returned as they are.

    Returns:
        The text with "gpu-" in place of "device-".
    """
    return _DEVICE_UNIT.sub(r"\1gpu-", text)
