"""Conversion of columns for pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from nasbench.errors import printable
from nasbench.store.format.columns import Data, FixedTexts, Numbers, Text, shown

if TYPE_CHECKING:
    import pandas as pd

_BLOCK: Final = 1 << 16
_FEW: Final = 8


def for_pandas(data: Data) -> Any:
    """Convert a column for a DataFrame: numbers are unchanged, text gets the type that pandas uses for str.

    In pandas 3 with pyarrow this is Arrow's string type, built directly from the bytes in the file without one str per
    value. This is the one place where texts of files become those that tables, pictures and pages show: see `shown`.

    Args:
        data: the column, shape [rows].

    Returns:
        A numpy or pandas array, shape [rows].
    """
    data = shown(data)
    if not isinstance(data, Text):
        return data
    import pandas as pd

    usual = pd.Series([""]).array
    if isinstance(data.categories, FixedTexts) and isinstance(usual, pd.arrays.ArrowStringArray):
        return pd.array(_arrow_strings(data.codes, data.categories.raw), dtype=usual.dtype)
    # Built from the few categories and not from the many values. pandas infers the type: "str" in pandas 3, objects in
    # pandas 2.
    categories = pd.Series(["", *data.categories]).array
    return categories.take(data.codes.astype(np.intp) + 1)


def _arrow_strings(codes: Numbers, raw: Numbers) -> Any:
    """Arrow strings of `raw[codes]`, as one array or in parts."""
    import pyarrow as pa

    if len(raw) == 1 and len(codes) > _BLOCK:  # the same part again and again
        block = _arrow_texts(raw.repeat(_BLOCK))
        whole, rest = divmod(len(codes), _BLOCK)
        return pa.chunked_array([*[block] * whole, block.slice(0, rest)])
    if not len(codes):
        return pa.array([], pa.large_string())
    if len(codes) == len(raw) and np.array_equal(codes, np.arange(len(raw))):
        return _arrow_texts(raw)
    if _FEW * len(raw) < len(codes):
        return _arrow_texts(raw).take(pa.array(codes))
    return _arrow_texts(np.take(raw, codes))  # many values are gathered faster at fixed width


def _arrow_texts(raw: Numbers) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    width = raw.dtype.itemsize
    stored = np.ascontiguousarray(raw).view(np.uint8)
    fixed = pa.Array.from_buffers(pa.binary(width), len(raw), [None, pa.py_buffer(stored)])
    texts = fixed.cast(pa.large_binary()).cast(pa.large_string())  # the second cast fails for bytes that are not UTF-8
    return texts if stored[width - 1 :: width].all() else pc.utf8_rtrim(texts, characters="\0")


def whole_trainings(frame: pd.DataFrame) -> pd.DataFrame:
    """Select the children that were trained over all epochs of their protocol, whose scores can be averaged.

    Args:
        frame: children; a frame without the column `stop_epoch` has no others.

    Returns:
        Its rows without those of trainings that stopped early.
    """
    return frame[frame["stop_epoch"] == 0] if "stop_epoch" in frame else frame


def longest_trainings(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Select the children of each group that were trained longest, as scores after different epochs are not averaged.

    Args:
        frame: children; a frame without the column `stop_epoch` has whole trainings only.
        keys: columns of the groups, e.g. run and hash.

    Returns:
        Its rows without those of trainings that stopped before others of their group.
    """
    if "stop_epoch" not in frame or not (frame["stop_epoch"] > 0).any():
        return frame
    reached = frame["stop_epoch"].astype(float).where(frame["stop_epoch"] > 0, float("inf"))
    return frame[reached == reached.groupby([frame[key] for key in keys], observed=True).transform("max")]


def runs_named(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Find runs by their id or its first digits, as a user names them.

    Args:
        runs: rows of runs, with the column `run`.
        name: the id, or its first digits; "" for all runs.

    Returns:
        The row of the run with exactly that id; if there is none, all whose id starts with it. A run that a merge kept
        as RUN~2 starts with RUN, too.
    """
    name = printable(name)  # as frames have texts
    exact = runs[runs["run"] == name]
    return exact if len(exact) else runs[runs["run"].str.startswith(name)]


def from_the_start(frame: pd.DataFrame) -> pd.DataFrame:
    """Add to the costs of children that go on those of the children that they continue.

    Args:
        frame: children; a frame without the column `continues` has none that go on. Children that they continue must be
            among the rows, as far as their costs are to be added.

    Returns:
        The rows with `gpu_hours`, `usd`, `device_seconds`, `train_seconds` and `eval_seconds`, as far as they are there,
        from the first epoch on. Seconds of a child that was trained again have all epochs already.
    """
    if "continues" not in frame or not (frame["continues"] != "").any():
        return frame
    earlier, order = _continued(frame)
    again = frame["from_epoch"].to_numpy() == 0
    changed = {}
    for column in {"gpu_hours", "usd", "device_seconds", "train_seconds", "eval_seconds"} & set(frame.columns):
        values = frame[column].to_numpy(dtype=float).copy()
        for at in order:
            if column in ("gpu_hours", "usd") or not again[at]:
                values[at] += values[earlier[at]]
        changed[column] = values
    return frame.assign(**changed)


def begins_at_the_start(frame: pd.DataFrame) -> pd.Series[bool]:
    """Mark the children whose seconds, as `from_the_start` gives them, are those from the first epoch on.

    Args:
        frame: children; a frame without the column `from_epoch` has none that go on.

    Returns:
        One bool per row; False for a child that goes on where one of those that it continues is not among the rows.
    """
    import pandas as pd

    if "from_epoch" not in frame:
        return pd.Series(True, index=frame.index)
    known = frame["from_epoch"].to_numpy() == 0
    if not known.all() and "continues" in frame:
        earlier, order = _continued(frame)
        for at in order:
            known[at] = known[at] or known[earlier[at]]
    return pd.Series(known, index=frame.index)


def _continued(frame: pd.DataFrame) -> tuple[list[int], list[int]]:
    """Place of the child that each row continues, -1 if it is not there; and the rows that continue one, in order."""
    names = (frame["run"].astype(str) + "/" + frame["index"].astype(str)).where(frame["stage"] == "search", "")
    place = {name: at for at, name in enumerate(names.tolist()) if name}
    earlier = [place.get(name, -1) if name else -1 for name in frame["continues"].tolist()]
    # a child has a higher index than the one that it continues
    order = sorted((at for at, before in enumerate(earlier) if before >= 0), key=frame["index"].tolist().__getitem__)
    return earlier, order
