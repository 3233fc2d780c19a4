"""USD that a run had spent with each child, where it was charged at several prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Values = NDArray[np.float64]

_ROUNDING = 1e-6


def usd_spent(spent_hours: Values, gpu_hours: Values, usd: Values) -> Values | None:
    """Add up the USD of a search, each hour at the price at which it was charged.

    An attempt of a run may have another price than the one before, e.g. on other devices. A row was charged its child's
    hours and the searcher's for it at one price, which is that of the row before where the child was charged no hours.

    Args:
        spent_hours: device-hours that the search had spent with each counted child, in commit order, shape [children].
        gpu_hours: device-hours charged for each child, shape [children].
        usd: their USD, NaN where that is not known, shape [children].

    Returns:
        USD that the search had spent with each child, shape [children]; None if all have one price, or not all spending
        is known, so that the average price of the run is all there is.
    """
    priced = (gpu_hours > 0) & np.isfinite(usd)
    if not priced.any() or not np.isfinite(spent_hours).all():
        return None
    rates = np.divide(usd, gpu_hours, out=np.zeros_like(usd), where=priced)
    known = rates[priced]
    if np.ptp(known) <= _ROUNDING * known.max():
        return None
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
    return usd_spent(*(counted[name].to_numpy(dtype=float) for name in ("spent_gpu_hours", "gpu_hours", "usd")))


def prices_of_run(usd: float, hours: float, searched: float, in_search: Values | None) -> tuple[float, float]:
    """Compute the average prices of a search's hours, and of those beside its budget.

    Args:
        usd: USD of the run, all categories.
        hours: its device-hours, all categories.
        searched: those of the search.
        in_search: `usd_spent` of its counted children.

    Returns:
        USD per device-hour of the search, and of the rest; 0 where there are no hours. Both are the run's average
        unless it was charged at several prices.
    """
    average = usd / hours if hours > 0 else 0.0
    if in_search is None or not searched > 0:
        return average, average
    spent, rest = float(in_search[-1]), hours - searched
    return spent / searched, max(usd - spent, 0.0) / rest if rest > 0 else 0.0
