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
from nasbench.texts import json_object, stored_object

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
        renamed: (file, run) -> id of the run in the new file, for runs that conflicted with another run of the same id,
            and for copies of a run that an earlier file has under another id.
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
            there under another id already, because its file was merged before, is not kept a second time, in whatever
            order the files are given.
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
    if len(clashes) and conflicts == "refuse":
        run, stage, index = keys_of(tables)[int(clashes[0])]
        columns = ", ".join(pairs.differing)
        raise InputError(
            f"{file}: {len(clashes)} of its children are in an earlier file with other content, first run {run} "
            f"{stage} {index} "
            f"(differing: {columns}); keep both with --conflicts keep"
        )
    clashing = set(runs[clashes].tolist())
    names = _new_names(merged, tables, clashing, set(runs[pairs.right].tolist()) - clashing)
    merge.renamed |= {(file, run): name for run, name in names.items()}
    kept = np.isin(runs, list(names))
    merge.identical += int((~kept[pairs.right]).sum())
    rest = _with_moved_sources(take_children(tables, np.setdiff1d(pairs.only_right, np.flatnonzero(kept))), names)
    if not names:
        return join_tables([merged, rest])
    renamed = _renamed(take_children(tables, np.flatnonzero(kept)), names, file)
    again = match_children(merged, renamed)
    merge.identical += len(again.left)
    others = _runs_without(tables, names)
    return join_tables([merged, replace(rest, runs=others), take_children(renamed, again.only_right)])


def _new_names(merged: Tables, tables: Tables, clashing: set[str], settled: set[str]) -> dict[str, str]:
    """Ids of the runs of `tables` that get another one in `merged`: that which they have there, or a free one.

    Args:
        clashing: runs with a child that has other content in the run of the same id in `merged`.
        settled: runs with children in the run of the same id in `merged`, all of the same content.
    """
    origins = _origins(tables)
    names = _names_there(merged, tables, settled)
    claimed = settled | set(names.values())
    new = [run for run in origins if run not in names and (run in clashing or (run in claimed and run not in settled))]
    there = (
        cast("Text", merged.runs["run"]).objects().tolist() + cast("Text", merged.children["run"]).objects().tolist()
    )
    taken = set(there) | (origins.keys() - names.keys())
    return names | {run: _free_name(origins[run], taken) for run in new}


def _names_there(merged: Tables, tables: Tables, settled: set[str]) -> dict[str, str]:
    """Other ids under which `merged` has runs of `tables`: copies of one run, no child of which has other content there.

    Either of the two, or both, may be a copy that an earlier merge kept under an id of its own. No two runs get one id.
    """
    copies: dict[str, list[str]] = {}
    for name, origin in _origins(merged).items():
        copies.setdefault(origin, []).append(name)
    left = {
        run: [name for name in copies.get(origin, ()) if name != run]
        for run, origin in _origins(tables).items()
        if run not in settled
    }
    merged = _with_plain_sources(merged)
    found: dict[str, str] = {}
    runs = cast("Text", tables.children["run"]).objects()
    while tried := _next_tried(left, settled | set(found.values())):
        some = _renamed(take_children(tables, np.flatnonzero(np.isin(runs, list(tried)))), tried, "")
        pairs = match_children(merged, _with_plain_sources(some))
        ids = cast("Text", some.children["run"]).objects()
        met = Counter(ids[pairs.right].tolist())
        unequal = set(ids[pairs.right[pairs.unequal]].tolist())
        matched = {run: name for run, name in tried.items() if met[name] and name not in unequal}
        found |= matched
        left = {run: names for run, names in left.items() if run not in matched}
    return found


def _next_tried(left: Mapping[str, list[str]], claimed: set[str]) -> dict[str, str]:
    """Take the next id of every run off its list, each id for one run at a time; none that is another run's already."""
    tried: dict[str, str] = {}
    busy = set(claimed)
    for run, names in left.items():
        name = next((name for name in names if name not in busy), None)
        if name is not None:
            names.remove(name)
            busy.add(name)
            tried[run] = name
    return tried


def _origins(tables: Tables) -> dict[str, str]:
    """Id of every run -> its id before any merge gave it another one."""
    return {str(row["run"]): _origin(row) for row in _rows_of_runs(tables)}


def _origin(row: Row) -> str:
    source = json_object(row["provenance"]).get("merged_from")
    named = source.get("run") if isinstance(source, dict) else None
    # A copy of a copy names the copy that it was made of, whose id differs from the run's by its number.
    return re.sub(r"(~\d+)+$", "", named) if isinstance(named, str) and named else str(row["run"])


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
            name = names[row["run"]]
            provenance = stored_object(row["provenance"], f"the provenance of run {row['run']}")
            provenance.pop("merged_from", None)  # it is no copy where it has the id again that it began with
            if name != _origin(row):
                provenance["merged_from"] = {"file": file, "run": row["run"]}
            rows.append(row | {"run": name, "provenance": json.dumps(provenance, sort_keys=True)})
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
