"""Index of the children in a results file, which prevents writing one twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from nasbench.store.errors import DuplicateChild, MissingResults
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Numbers, Text
from nasbench.store.format.schema import CHILD_COLUMNS, STAGES
from nasbench.store.reader import open_snapshot

_COLUMN: Final = {column.name: column for column in CHILD_COLUMNS}


class DuplicateIndex:
    """Set of the (run, stage, index) of all children in a results file, kept by its writer.

    The file is read once, before the first child is written; what the writer adds is kept beside it. That takes about 20
    bytes per stored child, and one set entry per added child. The entries of a run are looked up when its first child
    comes, which takes no reading of the file, so that the thousandth run starts as quickly as the first.

    Args:
        paths: paths of the results file. Only the writer that owns this index adds children to it.
    """

    def __init__(self, paths: ResultsPaths) -> None:
        self._paths = paths
        self._file: _StoredChildren | None = None
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
            if self._file is None:
                self._file = _StoredChildren.of(self._paths)
            self._stored[run] = self._file.indices_by_stage(run)
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


@dataclass(frozen=True)
class _StoredChildren:
    """Stage and index of all children in a file, sorted by run.

    Args:
        places: run -> its slice of the arrays.
        stages: number of the stage in `STAGES`, shape [children].
        indices: index within run and stage, shape [children].
    """

    places: Mapping[str, slice]
    stages: Numbers
    indices: Numbers

    @classmethod
    def of(cls, paths: ResultsPaths) -> _StoredChildren:
        """Read a file; one that does not exist has no children."""
        none = np.zeros(0, dtype=np.int64)
        try:
            snapshot = open_snapshot(paths)
        except MissingResults:
            return cls({}, none, none)
        try:
            if not snapshot.children:
                return cls({}, none, none)
            runs = cast("Text", snapshot.column("children", _COLUMN["run"])).compact()
            stage = cast("Text", snapshot.column("children", _COLUMN["stage"]))
            indices = cast("Numbers", snapshot.column("children", _COLUMN["index"]))
        finally:
            snapshot.close()
        stages = np.select([stage.equals(name) for name in STAGES], list(range(len(STAGES))), -1)
        order = np.argsort(runs.codes, kind="stable")
        borders = np.searchsorted(runs.codes[order], np.arange(len(runs.categories) + 1)).tolist()
        places = {run: slice(*borders[code : code + 2]) for code, run in enumerate(runs.categories)}
        return cls(places, stages[order].astype(np.int8), indices[order])

    def indices_by_stage(self, run: str) -> dict[str, Numbers]:
        """Indices of a run's children by stage, in ascending order."""
        here = self.places.get(run, slice(0))
        stages, indices = self.stages[here], self.indices[here]
        found = {name: np.sort(indices[stages == code]) for code, name in enumerate(STAGES)}
        return {name: each for name, each in found.items() if len(each)}
