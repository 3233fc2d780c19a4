"""The ledger of a search's spending, and the stop rule, which real and replayed runs share; budgets are read elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nasbench.store.format.budgets import SECONDS_PER_HOUR, Budget, Number, Unit, with_usual_unit
from nasbench.store.format.schema import LEDGER_CATEGORIES, SEARCH_CATEGORIES

__all__ = ["SECONDS_PER_HOUR", "Budget", "Ledger", "Number", "Unit", "with_usual_unit"]


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
