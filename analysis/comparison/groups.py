"""Groups of rows as positions in arrays: a frame per group takes a millisecond, and there may be thousands of groups."""

from __future__ import annotations

from typing import Any

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


def repeated(texts: pd.Series[str], places: NDArray[Any], as_categories: bool) -> pd.Series[Any]:
    """Take texts at positions, which may be many.

    Args:
        texts: a column of texts.
        places: positions, [rows].
        as_categories: make categories of them, which take a byte or two a row; only where the rows are not given to
            users, because pandas 2 groups by categories that no row has.

    Returns:
        The texts, numbered from 0.
    """
    return pd.Series(texts.astype("category") if as_categories else texts).iloc[places].reset_index(drop=True)
