"""Index of the children in a results file, which prevents writing one twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from nasbench.store.errors import DuplicateChild, MissingResults
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Numbers, Text
from nasbench.store.format.schema import CHILD_COLUMNS
from nasbench.store.reader import open_snapshot

_COLUMN: Final = {column.name: column for column in CHILD_COLUMNS}


class DuplicateIndex:
    """Set of the (run, stage, index) of all children in a results file, kept by its writer.

    The entries of a run are read from the file before the first child of that run is written, and kept from then on: 8
    bytes per stored child, and one set entry per added child.

    Args:
        paths: paths of the results file.
    """

    def __init__(self, paths: ResultsPaths) -> None:
        self._paths = paths
        self._stored: dict[str, dict[str, Numbers]] = {}
        self._added: defaultdict[tuple[str, str], set[int]] = defaultdict(set)

    def refuse_known(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Raise if the file already has one of the children, or if `rows` has one twice.

        Args:
            rows: rows of the children table, about to be written.

        Raises:
            DuplicateChild: when there is a child of the same run, stage and index.
            StoreError: when the file cannot be read.
        """
        new: set[tuple[str, str, int]] = set()
        for row in rows:
            child = run, stage, index = row["run"], row["stage"], row["index"]
            if child in new or self._has(run, stage, index):
                raise DuplicateChild(
                    f"{self._paths.h5} has child {index} of run {run} (stage {stage}) already; nothing was written. "
                    "Each child of a run and stage needs an index of its own"
                )
            new.add(child)

    def _has(self, run: str, stage: str, index: int) -> bool:
        if run not in self._stored:
            self._stored[run] = _indices_by_stage(self._paths, run)
        stored = self._stored[run].get(stage)
        return index in self._added[run, stage] or (stored is not None and _holds(stored, index))

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a child that was written.

        Args:
            row: the child, with run, stage and index.
        """
        self._added[row["run"], row["stage"]].add(row["index"])


def _holds(ordered: Numbers, index: int) -> bool:
    place = int(np.searchsorted(ordered, index))
    return place < len(ordered) and int(ordered[place]) == index


def _indices_by_stage(paths: ResultsPaths, run: str) -> dict[str, Numbers]:
    """Indices of a run's stored children by stage, in ascending order."""
    try:
        snapshot = open_snapshot(paths)
    except MissingResults:
        return {}
    try:
        here = cast("Text", snapshot.column("children", _COLUMN["run"])).equals(run)
        if not here.any():
            return {}
        stages = cast("Text", snapshot.column("children", _COLUMN["stage"])).objects()[here]
        indices = cast("Numbers", snapshot.column("children", _COLUMN["index"]))[here]
    finally:
        snapshot.close()
    return {stage: np.sort(indices[stages == stage]) for stage in set(stages.tolist())}
