"""Compact tables: what replays need of a complete table, without its rows, in one small file that opens at once.

A compact table is made from a results file and gives the same `Table`, to the bit: the same outcomes, costs, counts,
trainings and fingerprint, and with curves the same scores and costs after each epoch. It has no hashes, devices or dates;
the results file has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError, UnknownName
from nasbench.outputs import write_output
from nasbench.scores import TEST_ACC, VAL_ACC
from nasbench.spaces import get_space
from nasbench.tabular.array_files import DAMAGE, MARKS, ArrayFile, is_array_file, packed
from nasbench.tabular.table_curves import TableCurves
from nasbench.tabular.tables import LARGEST, Selection, Table
from nasbench.tabular.trainings import Trainings

FORMAT: Final = 1
KIND: Final = "nasbench compact table"
_COLUMNS: Final = ("val_acc", "test_acc", "seconds", "params", "mult_adds")
_TYPES: Final = {"params": np.int64, "mult_adds": np.int64}
_TRAININGS: Final = ("counts", "training_val_acc", "training_seeds")

Arrays = dict[str, NDArray[Any]]


def is_compact(path: Path) -> bool:
    """Whether a file may be a compact table, and is no other archive of arrays.

    Args:
        path: a file.

    Returns:
        True if it has a description.
    """
    return is_array_file(path)


def write_compact(path: str | Path, tables: Sequence[Table], about: Mapping[str, Any]) -> None:
    """Write selections of one complete table.

    Args:
        path: the file, ending in .npz.
        tables: the table with different selections of training seeds, read from one results file; all of it first.
        about: what else is to be known: JSON values, e.g. where the table came from.

    Raises:
        InputError: when they are not selections of one table, or the file must not be replaced.
    """
    write_output(Path(path), compact_bytes(tables, about), MARKS)


def compact_bytes(tables: Sequence[Table], about: Mapping[str, Any]) -> bytes:
    """Pack selections of one complete table; see `write_compact`.

    Args:
        tables: see `write_compact`.
        about: see `write_compact`.

    Returns:
        The content of the file; equal tables give equal bytes with one version of zlib.

    Raises:
        InputError: when the tables are not selections of one table, or are judged by another score than accuracy.
    """
    first = tables[0]
    if not all(table.score.is_accuracy for table in tables):
        raise InputError(f"a compact table holds accuracies; {first.name!r} is judged by {first.score.name(VAL_ACC)}")
    if any((table.name, table.space) != (first.name, first.space) for table in tables):
        raise InputError("a compact table holds selections of one table; give those of one data set")
    kinds, places = _kinds(first)
    arrays: Arrays = {"kinds": kinds}
    described: list[dict[str, Any]] = []
    for number, table in enumerate(tables):
        for column in _COLUMNS:
            values = getattr(table, column)
            if not np.array_equal(values[places][kinds], values, equal_nan=True):
                raise InputError(f"table {table.name!r} has different {column} for one architecture")
            arrays[f"{column}.{number}"] = values[places]
        trainings = table.trainings
        if trainings is not None:
            arrays |= {
                "keys": trainings.keys[places],
                f"counts.{number}": trainings.counts[places],
                f"training_val_acc.{number}": trainings.val_acc,
                f"training_seeds.{number}": trainings.seeds,
            }
        described.append(
            {
                "seeds": None if table.seeds is None else list(table.seeds),
                "fingerprint": table.fingerprint,
                "trainings": trainings is not None,
            }
        )
        if table.curves is not None:
            described[-1]["epochs"] = table.curves.epochs
            arrays |= _arrays_of_curves(table.curves, number, places)
    text = {"kind": KIND, "format": FORMAT, "data": first.name, "space": first.space.spec, "tables": described, **about}
    return packed(text, arrays)


def _arrays_of_curves(curves: TableCurves, number: int, places: NDArray[np.int64]) -> Arrays:
    """Scores and costs after each epoch, one distinct architecture after the other."""
    rows = curves.kinds[places]
    found: Arrays = {
        f"curve_val_acc.{number}": curves.val_acc[rows].ravel(),
        f"curve_seconds.{number}": curves.seconds[rows].ravel(),
    }
    if curves.single is not None:
        found[f"curve_single.{number}"] = curves.single.ravel()
    return found


def has_curves(path: Path) -> bool:
    """Whether a compact table has scores and costs after each epoch.

    Args:
        path: the file.

    Returns:
        True if all its selections have them.

    Raises:
        InputError: when the file is damaged.
    """
    file = ArrayFile(path, "compact table", KIND, FORMAT)
    try:
        return all("epochs" in each for each in file.about["tables"])
    except DAMAGE as error:
        raise file.damaged(error) from None


def _kinds(table: Table) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Number of the distinct architecture at each position, and the first position of each.

    Without trainings, each position is an architecture of its own. With them, their order is that of the hashes.
    """
    if table.trainings is None:
        every = np.arange(table.space.size)
        return every.astype(np.uint32), every
    starts, places, kinds = np.unique(table.trainings.first, return_index=True, return_inverse=True)
    small = np.uint16 if len(starts) <= np.iinfo(np.uint16).max else np.uint32
    return kinds.astype(small), places


def read_compact(path: Path, selections: Sequence[Selection], curves: bool = False) -> list[Table]:
    """Read selections of a compact table.

    Args:
        path: the file.
        selections: data set, training seeds and score, as for `read_tables`; the score is accuracy.
        curves: whether to read scores and costs after each epoch, too.

    Returns:
        One table per selection, in their order; equal selections give the same object.

    Raises:
        UnknownName: when the table is of another data set.
        InputError: when the file does not have these seeds together, lacks the curves or the score, or is damaged.
    """
    file = ArrayFile(path, "compact table", KIND, FORMAT)
    about = file.about
    found: dict[Selection, Table] = {}
    for each in dict.fromkeys(selections):
        if each.data is not None and each.data != about.get("data"):
            raise UnknownName(f"data set of {path}", each.data, [str(about.get("data"))])
        if each.score not in (VAL_ACC, TEST_ACC):
            raise InputError(
                f"{path} holds accuracies, and no {each.score!r}; leave --score out, or give the results file from which it was "
                "made"
            )
        found[each] = _table(file, each.seeds, curves)
    return [found[each] for each in selections]


def _table(file: ArrayFile, seeds: tuple[int, ...] | None, curves: bool) -> Table:
    path, about = file.path, file.about
    try:
        number = _selected(path, about, seeds)
        space = get_space(about["space"])
        if space.size > LARGEST:
            raise ValueError(f"space {space.spec!r} has {space.size} sequences of choices; at most {LARGEST}")
        kinds = file.array("kinds", np.int64)
        columns = {name: file.array(f"{name}.{number}", _TYPES.get(name, np.float64))[kinds] for name in _COLUMNS}
        trainings = _trainings(file, number, kinds) if about["tables"][number]["trainings"] else None
        of_epochs = _curves(file, number, kinds, trainings) if curves else None
        return Table(
            name=str(about["data"]), space=space, **columns, trainings=trainings, seeds=seeds, curves=of_epochs
        )
    except InputError:
        raise
    except DAMAGE as error:
        raise file.damaged(error) from None


def _curves(file: ArrayFile, number: int, kinds: NDArray[np.int64], trainings: Trainings | None) -> TableCurves:
    epochs = file.about["tables"][number].get("epochs")
    if epochs is None:
        raise InputError(
            f"{file.path} has no scores after each epoch; choose a strategy of whole trainings, e.g. random, or give the "
            "results file from which it was made"
        )
    val_acc, seconds = (file.array(f"curve_{name}.{number}", np.float64) for name in ("val_acc", "seconds"))
    shape = (int(kinds.max()) + 1, int(epochs))
    single = None
    if trainings is not None:
        single = file.array(f"curve_single.{number}", np.float64).reshape(len(trainings.val_acc), epochs)
    return TableCurves(kinds, val_acc.reshape(shape), seconds.reshape(shape), single)


def _selected(path: Path, about: Mapping[str, Any], seeds: tuple[int, ...] | None) -> int:
    """Number of the selection with these training seeds; all seeds named are those of all of the table."""
    stored = [None if each["seeds"] is None else tuple(each["seeds"]) for each in about["tables"]]
    if seeds in stored:
        return stored.index(seeds)
    if seeds is not None and list(seeds) == about.get("seeds") and None in stored:
        return stored.index(None)
    offered = "; ".join("all" if each is None else ",".join(map(str, each)) for each in stored)
    raise InputError(
        f"{path} is a compact table, which has means over these training seeds: {offered}; for others, give the results "
        "file from which it was made"
    )


def _trainings(file: ArrayFile, number: int, kinds: NDArray[np.int64]) -> Trainings:
    counts, scores, seeds = (
        file.array(f"{name}.{number}", np.float64 if name == "training_val_acc" else np.int64) for name in _TRAININGS
    )
    if counts.sum() != len(scores) or len(scores) != len(seeds) or (counts < 1).any():
        raise ValueError(f"{len(scores)} scores and {len(seeds)} seeds of {counts.sum()} trainings")
    return Trainings(
        keys=file.array("keys", np.uint64)[kinds],
        first=(np.cumsum(counts) - counts)[kinds],
        counts=counts[kinds],
        val_acc=scores,
        seeds=seeds,
        rows=np.arange(len(scores)),
    )
