"""Merge results files.

Identical children are written once, conflicting ones are refused or kept under another run id.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import numpy as np

from nasbench.errors import InputError
from nasbench.store.files import ResultsPaths
from nasbench.store.format.columns import Data, Text
from nasbench.store.format.rows import Row
from nasbench.store.maintenance.row_matching import keys_of, match_children
from nasbench.store.maintenance.table_builder import (
    Tables,
    join_tables,
    measurements_once,
    row_of,
    tables_of_rows,
    tables_of_snapshot,
    take_children,
    write_new,
)
from nasbench.store.reader import open_snapshot
from nasbench.texts import stored_object

Conflicts = Literal["refuse", "keep"]

_STATES = ("running", "interrupted", "complete")
_SOURCES = ("cached_from", "continues")  # columns that name another child, "run/index"


@dataclass
class Merge:
    """Result of a merge.

    Args:
        children: number of rows in the children table of the new file.
        runs: number of rows in its runs table.
        identical: number of children left out because an earlier file has them, too.
        measurements: number of rows in its table of measurements.
        renamed: (file, run) -> id of the run in the new file, for runs that conflicted with another run of the same id.
    """

    children: int = 0
    runs: int = 0
    identical: int = 0
    measurements: int = 0
    renamed: dict[tuple[str, str], str] = field(default_factory=dict)


def merge_files(files: Sequence[str], output: str, conflicts: Conflicts = "refuse", take_over: bool = False) -> Merge:
    """Write the rows of several results files into a new one. The files themselves are not changed.

    Two children are the same if run, stage and index are equal; they are identical if also every column and curve is
    equal, to the bit. If several files have a row of the same run, the row of the run's latest state is taken.
    Measurements never conflict: all that differ in any column are kept.

    Args:
        files: at least one; their order is kept in the new file.
        output: the new file.
        conflicts: treatment of children that are the same but not identical: "refuse", or "keep" the later file's whole
            run under the id "RUN~2", with its source noted in the run's provenance under "merged_from". A run that is
            there under such an id already, because its file was merged before, is not kept a second time.
        take_over: see `lock.ResultsLock`.

    Returns:
        Counts of what was written and left out.

    Raises:
        InputError: when there is a conflict and `conflicts` is "refuse", when one space was made of other options in
            other files, or when the output exists already; nothing is written.
        StoreError: when a file cannot be read or the output cannot be written.
    """
    merge, merged = Merge(), None
    for file in files:
        snapshot = open_snapshot(ResultsPaths.of(file))
        try:
            tables = tables_of_snapshot(snapshot)
        finally:
            snapshot.close()
        merged = tables if merged is None else _joined(merged, tables, file, conflicts, merge)
    if merged is None:
        raise InputError("no results file given to merge; name at least one")
    _check_options(merged)
    merged = measurements_once(_one_row_a_run(merged))
    write_new(output, merged, take_over)
    merge.children, merge.runs = len(merged.lengths), len(merged.runs["run"])
    merge.measurements = len(merged.measurements["hash"])
    return merge


def _check_options(merged: Tables) -> None:
    """Refuse runs of a space that an import made of other options: their hashes mean other architectures."""
    known: dict[str, tuple[str, str]] = {}
    for row in _rows_of_runs(merged):
        described = stored_object(row["config"], f"the configuration of run {row['run']}").get("import")
        options = described.get("options") if isinstance(described, dict) else None
        if not isinstance(options, dict):
            continue
        space, run, text = str(row["space"]), str(row["run"]), json.dumps(options)
        first, before = known.setdefault(space, (run, text))
        if before != text:
            raise InputError(
                f"runs {first} and {run} are both of space {space}, but it was made of other options in their files "
                f"({before[:80]} and {text[:80]}), so that equal hashes mean other architectures; join the source files "
                "and import them as one"
            )


def _joined(merged: Tables, tables: Tables, file: str, conflicts: Conflicts, merge: Merge) -> Tables:
    pairs = match_children(_with_plain_sources(merged), _with_plain_sources(tables))
    clashes = pairs.right[pairs.unequal]
    runs = cast("Text", tables.children["run"]).objects()
    if not len(clashes):
        merge.identical += len(pairs.left)
        return join_tables([merged, take_children(tables, pairs.only_right)])
    if conflicts == "refuse":
        run, stage, index = keys_of(tables)[int(clashes[0])]
        columns = ", ".join(pairs.differing)
        raise InputError(
            f"{file}: {len(clashes)} of its children are in an earlier file with other content, first run {run} "
            f"{stage} {index} "
            f"(differing: {columns}); keep both with --conflicts keep"
        )
    clashing = list(dict.fromkeys(runs[clashes].tolist()))
    names = _names_there(merged, tables, clashing)
    taken = set(cast("Text", merged.runs["run"]).objects().tolist()) | set(runs.tolist())
    names |= {run: _free_name(run, taken) for run in clashing if run not in names}
    merge.renamed |= {(file, run): name for run, name in names.items()}
    kept = np.isin(runs, list(names))
    merge.identical += int((~kept[pairs.right]).sum())
    rest = _with_moved_sources(take_children(tables, np.setdiff1d(pairs.only_right, np.flatnonzero(kept))), names)
    renamed = _renamed(take_children(tables, np.flatnonzero(kept)), names, file)
    again = match_children(merged, renamed)
    merge.identical += len(again.left)
    others = _runs_without(tables, names)
    return join_tables([merged, replace(rest, runs=others), take_children(renamed, again.only_right)])


def _names_there(merged: Tables, tables: Tables, clashing: Sequence[str]) -> dict[str, str]:
    """Ids RUN~2, RUN~3, ... under which runs are in `merged` already: no child of theirs has other content there."""
    known = list(dict.fromkeys(cast("Text", merged.runs["run"]).objects().tolist()))
    left = {run: [name for name in known if re.fullmatch(re.escape(run) + r"~\d+", name)] for run in clashing}
    merged = _with_plain_sources(merged)
    found: dict[str, str] = {}
    runs = cast("Text", tables.children["run"]).objects()
    while tried := {run: names.pop(0) for run, names in left.items() if names and run not in found}:
        some = _renamed(take_children(tables, np.flatnonzero(np.isin(runs, list(tried)))), tried, "")
        pairs = match_children(merged, _with_plain_sources(some))
        ids = cast("Text", some.children["run"]).objects()
        met = Counter(ids[pairs.right].tolist())
        unequal = set(ids[pairs.right[pairs.unequal]].tolist())
        found |= {run: name for run, name in tried.items() if met[name] and name not in unequal}
    return found


def _with_plain_sources(tables: Tables) -> Tables:
    """The same with the named runs without numbers: which number a run gets depends on what was merged."""
    return _with_sources(tables, lambda source: re.sub(r"(~\d+)+(?=/)", "", source))


def _with_moved_sources(tables: Tables, names: Mapping[str, str]) -> Tables:
    """The same with the new ids of the runs that other rows name: their rows are those of the same file."""
    return _with_sources(tables, lambda source: _moved(source, names))


def _with_sources(tables: Tables, rename: Callable[[str], str]) -> Tables:
    changed = {name: _replaced(tables.children[name], rename) for name in _SOURCES}
    return replace(tables, children={**tables.children, **changed})


def _free_name(run: str, taken: set[str]) -> str:
    name = next(name for number in range(2, len(taken) + 3) if (name := f"{run}~{number}") not in taken)
    taken.add(name)
    return name


def _renamed(tables: Tables, names: Mapping[str, str], file: str) -> Tables:
    """Children and rows of the runs in `names` under their new ids; the provenance of each run names its source."""
    children = dict(_with_moved_sources(tables, names).children)
    children["run"] = _replaced(children["run"], lambda run: names.get(run, run))
    rows = []
    for row in _rows_of_runs(tables):
        if row["run"] in names:
            provenance = stored_object(row["provenance"], f"the provenance of run {row['run']}") | {
                "merged_from": {"file": file, "run": row["run"]}
            }
            rows.append(row | {"run": names[row["run"]], "provenance": json.dumps(provenance, sort_keys=True)})
    return Tables(children, tables_of_rows([], rows).runs, tables.curves, tables.lengths)  # no measurement twice


def _moved(source: str, names: Mapping[str, str]) -> str:
    """Value of a column in `_SOURCES`, "run/index", with the run's new id."""
    run, slash, index = source.partition("/")
    return f"{names.get(run, run)}{slash}{index}"


def _replaced(column: Data, rename: Callable[[str], str]) -> Text:
    text = cast("Text", column)
    return Text(text.codes, [rename(value) for value in text.categories])


def _runs_without(tables: Tables, names: Mapping[str, str]) -> Mapping[str, Data]:
    return tables_of_rows([], [row for row in _rows_of_runs(tables) if row["run"] not in names]).runs


def _rows_of_runs(tables: Tables) -> list[Row]:
    return [row_of(tables.runs, position) for position in range(len(tables.runs["run"]))]


def _one_row_a_run(tables: Tables) -> Tables:
    best: dict[str, Row] = {}
    for row in _rows_of_runs(tables):
        if row["run"] not in best or _progress(row) > _progress(best[row["run"]]):
            best[row["run"]] = row
    return replace(tables, runs=tables_of_rows([], list(best.values())).runs)


def _progress(row: Row) -> tuple[int, int, float]:
    """Sort key: how far a run had got when its row was stored."""
    return _STATES.index(row["status"]) if row["status"] in _STATES else -1, row["children"], row["wall_seconds"]
