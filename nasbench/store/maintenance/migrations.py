"""Conversions from each released schema version to the next.

`MIGRATIONS` has one function per version, which converts the tables of a file of that version to the next. To release
schema n + 1, add `MIGRATIONS[n]`, and commit a file of schema n + 1 to `tests/data-files`, which has files of all
released versions.

| schema | what is new |
|---|---|
| 2 | the column `platform` of children |
| 3 | the columns `published_params` and `published_mult_adds` of children, `uncounted_hours` of runs; the status `unfinished` |
| 4 | the table of measurements |
| 5 | the columns `stop_epoch`, `from_epoch` and `continues` of children |
| 6 | the column `usd_per_hour` of children |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from nasbench.provenance import platform_of
from nasbench.store.format.columns import Data, Text, constant
from nasbench.store.format.schema import CHILD_COLUMNS
from nasbench.store.maintenance.table_builder import Tables
from nasbench.texts import stored_object

Migration = Callable[[Tables], Tables]

_MEASURED: Final = ("ok", "diverged")


def _with_platform(tables: Tables) -> Tables:
    """Give children that ended the platform of their run's last attempt, all that schema 1 stored; '' if untrained."""
    runs = zip(*(_texts(tables.runs[name]) for name in ("run", "config", "provenance")))
    platforms = {
        run: platform_of(stored_object(provenance, f"the provenance of run {run}"))
        if "protocol" in stored_object(config, f"the configuration of run {run}")
        else ""
        for run, config, provenance in runs
    }
    children = zip(_texts(tables.children["run"]), _texts(tables.children["status"]))
    values = [platforms.get(run, "") if status in _MEASURED else "" for run, status in children]
    categories = list(dict.fromkeys(values))
    codes = {value: code for code, value in enumerate(categories)}
    column = Text(np.array([codes[value] for value in values], dtype=np.int64), categories)
    return replace(tables, children={**tables.children, "platform": column})


def _texts(data: Data) -> list[str]:
    assert isinstance(data, Text)
    return list(data.objects())


def _with_uncounted(tables: Tables) -> Tables:
    """Add the columns of schema 3: published counts were not kept apart (-1), uncounted hours not recorded (NaN)."""
    unknown = np.full(len(tables.children["run"]), -1, dtype=np.int64)
    children = {**tables.children, "published_params": unknown, "published_mult_adds": unknown.copy()}
    runs = {**tables.runs, "uncounted_hours": np.full(len(tables.runs["run"]), np.nan)}
    return replace(tables, children=children, runs=runs)


def _with_measurements(tables: Tables) -> Tables:
    """Keep the tables: files of schema 3 have no measurements, and `Tables` without any has the empty table."""
    return tables


def _with_partial_trainings(tables: Tables) -> Tables:
    """Add the columns of schema 5: before it, every child was trained from the first epoch to the last."""
    return _with_columns_of(tables, 5)


def _with_prices(tables: Tables) -> Tables:
    """Add the column of schema 6: before it, a row said its price only by its hours and USD."""
    return _with_columns_of(tables, 6)


def _with_columns_of(tables: Tables, schema: int) -> Tables:
    """Add the columns of children that begin with a schema, with the value that earlier files have."""
    rows = len(tables.lengths)
    later = {column.name: constant(column, rows) for column in CHILD_COLUMNS if column.since == schema}
    return replace(tables, children={**tables.children, **later})


MIGRATIONS: Final[dict[int, Migration]] = {
    1: _with_platform,
    2: _with_uncounted,
    3: _with_measurements,
    4: _with_partial_trainings,
    5: _with_prices,
}
