"""Groups of rows as positions in arrays: a frame per group takes a millisecond, and there may be thousands of groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Places = NDArray[np.intp]


def group_rows(numbers: Places) -> list[Places]:
    """Split rows by the number of their group.

    Args:
        numbers: number of each row's group, [rows].

    Returns:
        Positions of each group's rows, ascending; groups in the order of their numbers.
    """
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(order) else []


def rows_of_each(frame: pd.DataFrame, keys: list[str]) -> list[Places]:
    """Split the rows of a frame by the values of some columns.

    Args:
        frame: any frame.
        keys: its columns, without missing values.

    Returns:
        Positions of each group's rows, ascending; groups in the order of their first rows.
    """
    return group_rows(frame.groupby(keys, sort=False).ngroup().to_numpy())
