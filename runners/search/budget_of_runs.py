"""The budget of runs, in the unit in which an analysis counts what they spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nasbench.errors import InputError
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget, Unit

if TYPE_CHECKING:
    import pandas as pd

By = Literal["gpu_hours", "children", "usd", "wall"]
_COUNTED_AS: dict[Unit, By] = {
    "children": "children",
    "usd": "usd",
    "wall_seconds": "wall",
    "gpu_seconds": "gpu_hours",
}


def budget_unit(runs: pd.DataFrame) -> By:
    """Find the unit in which an analysis counts the spending of runs: that of their budget.

    In another unit, the analysis would follow runs to points that depend on their speed.

    Args:
        runs: the runs (`store.format.schema.RUN_COLUMNS`).

    Returns:
        The unit; "gpu_hours" if the budgets have several units, or if there is none.
    """
    units = {_COUNTED_AS[each.unit] for each in _budgets(runs)}
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
    if not budgets or any(_COUNTED_AS[each.unit] != by for each in budgets):
        return None
    unit = SECONDS_PER_HOUR if by in ("gpu_hours", "wall") else 1.0
    return min(each.limit for each in budgets) / unit


def one_budget(runs: pd.DataFrame, by: By) -> float | None:
    """Return the budget of these runs in a unit of spending, and refuse runs of several budgets.

    Args:
        runs: the runs (`store.format.schema.RUN_COLUMNS`).
        by: unit of spending.

    Returns:
        As `budget_in`.

    Raises:
        InputError: when the budgets differ.
    """
    limits = {(each.unit, each.limit): each.text for each in _budgets(runs)}
    if len(limits) > 1:
        raise InputError(f"the runs have several budgets ({', '.join(limits.values())}): choose one by --where")
    return budget_in(runs, by)


def _budgets(runs: pd.DataFrame) -> list[Budget]:
    try:
        return [Budget.parse(text) for text in runs["budget"].unique()]
    except InputError:  # imported rows may have no budget
        return []
