"""The budget of runs, in the unit in which an analysis counts what they spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.analysis.comparison.anytime import By
    from nasbench.runners.search.budget import Budget, Unit


def budget_unit(runs: pd.DataFrame) -> By:
    """Return the unit of the budget of these runs; device-hours if they have several, or none.

    In another unit, runs would be watched to points that depend on their speed.

    Args:
        runs: the runs (`store.format.schema.RUN_COLUMNS`).
    """
    units = {_counted_as(each.unit) for each in _budgets(runs)}
    return units.pop() if len(units) == 1 else "gpu_hours"


def budget_in(runs: pd.DataFrame, by: By) -> float | None:
    """Return the budget of these runs in a unit of spending; the smallest if they differ.

    Args:
        runs: the runs (`store.format.schema.RUN_COLUMNS`).
        by: unit of spending.

    Returns:
        Children, device-hours, USD or hours of wall time; None if a run's budget is in another unit.
    """
    budgets = _budgets(runs)
    if not budgets or any(_counted_as(each.unit) != by for each in budgets):
        return None
    hours = 3600.0 if by in ("gpu_hours", "wall") else 1.0
    return min(each.limit for each in budgets) / hours


def _budgets(runs: pd.DataFrame) -> list[Budget]:
    from nasbench.errors import InputError
    from nasbench.runners.search.budget import Budget

    try:
        return [Budget.parse(text) for text in runs["budget"].unique()]
    except InputError:  # imported rows may have no budget
        return []


def _counted_as(unit: Unit) -> By:
    counts: dict[Unit, By] = {
        "children": "children",
        "usd": "usd",
        "wall_seconds": "wall",
        "gpu_seconds": "gpu_hours",
    }
    return counts[unit]
