"""The best score of the complete tables that runs searched; a table is used only for runs that belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasbench.analysis.comparison.checks import limits_of
from nasbench.analysis.comparison.reaching import require_measure, table_of_runs
from nasbench.errors import InputError, UnknownName
from nasbench.scores import judged_by
from nasbench.texts import json_object

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.tabular.tables import Table

BoolArray = NDArray[np.bool_]


def optima(
    paths: Sequence[str], frame: pd.DataFrame, runs: pd.DataFrame, measure: str, data: str | None = None
) -> dict[str, float]:
    """Find the best score of each table that runs searched.

    A file is the table of a run if it has the run's space and data set, and the fingerprint of the run (of its test
    scores, for "test_acc"): that of the table in a replay, that of the protocol in a real search.

    Args:
        paths: files of complete tables; each may hold several data sets.
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`).
        measure: "val_acc" or "test_acc".
        data: the data set to look for in the files; None for that of the runs.

    Returns:
        Table (see `reaching.table_of_runs`) -> its best score for the training seeds that the runs used, oriented, among
        the architectures that fit the limits of the runs.

    Raises:
        InputError: when runs of a table have no file, a file is of another table, or runs differ in training seeds or
            in their limits (`where_arch`).
    """
    require_measure(measure)
    tables = table_of_runs(frame, runs, measure)
    found = {}
    for name in tables.unique():
        mine = runs[runs["run"].isin(tables.index[tables == name])]
        rows = mine
        if measure == "test_acc":
            finals = frame[(frame["stage"] == "final") & frame["run"].isin(set(mine["run"]))]
            rows = finals if len(finals) else mine
        seeds = _training_seeds(mine, "search_seeds" if measure == "val_acc" else "report_seeds")
        space, digests = str(mine["space"].iloc[0]), set(rows["fingerprint"])
        table = _table(paths, data or str(rows["data"].iloc[0]), space, seeds, digests, name)
        found[name] = _best(table, measure, mine)
    return found


def _best(table: Table, measure: str, runs: pd.DataFrame) -> float:
    fits = _fits(table, runs)
    if measure == "test_acc":
        return float(np.nanmax(table.reported_acc[fits]))
    single = {json_object(config).get("draw", "mean") == "one" for config in runs["config"]}
    if single == {True} and table.trainings is not None:  # these searches received single trainings
        starts = np.unique(table.trainings.first)
        tops = np.fmax.reduceat(table.trainings.val_acc, starts)
        return float(np.nanmax(tops[np.searchsorted(starts, table.trainings.first[fits])]))
    return float(np.nanmax(table.val_acc[fits]))


def _fits(table: Table, runs: pd.DataFrame) -> BoolArray:
    """Mark the architectures of a table that the searches could propose: [size], all without limits."""
    found = {limits_of(str(config)) for config in runs["config"]}
    if len(found) > 1:
        texts = " against ".join(repr(limits or "none") for limits in sorted(found))
        raise InputError(f"these runs differ in their limits where_arch ({texts}); choose those of one with --where")
    (limits,) = found
    return table.fitting(limits)


def _table(
    paths: Sequence[str], data: str, space: str, seeds: tuple[int, ...] | None, digests: set[str], name: str
) -> Table:
    """The one table of these files that has the space, the data set and the fingerprint."""
    from nasbench.tabular.tables import read_table

    others = []
    for path in paths:
        try:
            table = read_table(path, data, seeds, judged_by().val)
        except UnknownName as error:
            others.append(" ".join(str(error).split()))
            continue
        if table.space.spec == space and digests <= {table.fingerprint, *_protocols(path, data)}:
            return table
        others.append(f"{path} holds {table.space.spec}, {table.name} ({table.fingerprint})")
    raise InputError(
        f"none of the tables given is that of the runs on {name} ({', '.join(sorted(digests))}): {'; '.join(others)}. "
        "Give the table that they searched, one --table per table, or leave --table out"
    )


def _protocols(path: str, data: str) -> set[str]:
    """Fingerprints of the protocols under which a table's children were trained; none of an archive."""
    if str(path).endswith(".npz"):
        return set()
    from nasbench.store.query import Results

    with Results(str(path)) as results:
        frame = results.frame(["data", "fingerprint"])
    return set(frame.loc[frame["data"] == data, "fingerprint"])


def _training_seeds(runs: pd.DataFrame, which: str) -> tuple[int, ...] | None:
    """Training seeds that replays searched with (search_seeds) or reported with (report_seeds); None for all."""
    found = {tuple(json_object(config).get(which) or ()) for config in runs["config"]}
    if len(found) > 1:
        texts = [",".join(map(str, seeds)) or "all" for seeds in sorted(found)]
        raise InputError(f"these runs differ in {which} ({' against '.join(texts)}); choose those of one with --where")
    return next(iter(found), ()) or None
