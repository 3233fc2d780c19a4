"""USD that a run had spent with each child, where it was charged at several prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]


def usd_spent(spent_hours: Values, gpu_hours: Values, usd: Values, usd_per_hour: Values | None = None) -> Values | None:
    """Add up the USD of a search, each hour at the price at which it was charged.

    An attempt of a run may have another price than the one before, e.g. on other devices. A row was charged its child's
    hours and the searcher's for it at one price, `usd_per_hour`. Rows of files before schema 6 do not have it: their price
    is that of their USD, and that of the row before where the child was charged no hours.

    Args:
        spent_hours: device-hours that the search had spent with each counted child, in commit order, shape [children].
        gpu_hours: device-hours charged for each child, shape [children].
        usd: their USD, NaN where that is not known, shape [children].
        usd_per_hour: price of each row, NaN where that is not known, shape [children]; None for rows without it.

    Returns:
        USD that the search had spent with each child, shape [children]; None if no row has a price, or not all spending
        is known, so that the average price of the run is all there is.
    """
    stated = np.isfinite(usd_per_hour) if usd_per_hour is not None else np.zeros(len(usd), dtype=bool)
    priced = stated | ((gpu_hours > 0) & np.isfinite(usd))
    if not priced.any() or not np.isfinite(spent_hours).all():
        return None
    rates = np.divide(usd, gpu_hours, out=np.zeros_like(usd), where=priced & ~stated)
    if usd_per_hour is not None:
        rates = np.where(stated, usd_per_hour, rates)
    last = np.maximum.accumulate(np.where(priced, np.arange(len(usd)), -1))
    of_row = rates[np.where(last < 0, int(np.argmax(priced)), last)]
    spent: Values = np.cumsum(np.diff(spent_hours, prepend=0.0) * of_row)
    return spent


def usd_spent_by(children: pd.DataFrame) -> Values | None:
    """Do the same as `usd_spent` for the rows of one run.

    Args:
        children: its rows of stage "search" (`store.format.schema.CHILD_COLUMNS`), in commit order.

    Returns:
        See `usd_spent`, for the counted children.
    """
    counted = children[children["counted"].astype(bool)]
    return usd_spent(*priced_columns(counted))


def priced_columns(counted: pd.DataFrame) -> list[Values]:
    """Return the arguments of `usd_spent`.

    Args:
        counted: the counted children of one run or several, with `spent_gpu_hours`, `gpu_hours` and `usd`, and perhaps
            `usd_per_hour`.

    Returns:
        The columns as numbers, in that order.
    """
    names = ("spent_gpu_hours", "gpu_hours", "usd", "usd_per_hour")
    return [counted[name].to_numpy(dtype=float) for name in names if name in counted]


def prices_of_run(usd: float, hours: float, searched: float, in_search: Values | None) -> tuple[float, float]:
    """Compute the average prices of a search's hours, and of those beside its budget.

    Args:
        usd: USD of the run, all categories.
        hours: its device-hours, all categories.
        searched: those of the search.
        in_search: `usd_spent` of its counted children.

    Returns:
        USD per device-hour of the search, and of the rest; 0 where there are no hours. Both are the run's average
        where `in_search` is None.
    """
    average = usd / hours if hours > 0 else 0.0
    if in_search is None or not searched > 0:
        return average, average
    spent, rest = float(in_search[-1]), hours - searched
    return spent / searched, max(usd - spent, 0.0) / rest if rest > 0 else 0.0
