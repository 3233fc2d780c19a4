"""Match the rows of two results files by run, stage and index, and compare them column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from nasbench.store.format.columns import Data, Numbers, Text
from nasbench.store.maintenance.table_builder import Tables, epochs_at

Key = tuple[str, str, int]


@dataclass(frozen=True)
class RowMatches:
    """Comparison of the children of two files.

    Args:
        left: positions in the first file of the children that both files have, shape [pairs].
        right: their positions in the second file, shape [pairs].
        only_left: positions in the first file of the children that only it has.
        only_right: likewise in the second.
        differing: column, or "curve NAME" -> whether each pair differs, bools, shape [pairs]; columns without a
            difference are left out.
    """

    left: Numbers
    right: Numbers
    only_left: Numbers
    only_right: Numbers
    differing: Mapping[str, Numbers]

    @property
    def unequal(self) -> Numbers:
        """Whether each pair differs in any column or curve: bools, shape [pairs]."""
        unequal: Numbers = np.logical_or.reduce([np.zeros(len(self.left), dtype=bool), *self.differing.values()])
        return unequal


def keys_of(tables: Tables) -> list[Key]:
    """List the keys (run, stage, index) of all children.

    Args:
        tables: rows of a results file.

    Returns:
        One key per child, in their order.
    """
    texts = [cast("Text", tables.children[name]).objects().tolist() for name in ("run", "stage")]
    return list(zip(*texts, cast("Numbers", tables.children["index"]).tolist()))


def match_children(left: Tables, right: Tables) -> RowMatches:
    """Match the children of two files by run, stage and index, and compare each pair to the bit; NaN equals NaN.

    Args:
        left: rows of the first file.
        right: rows of the second file.

    Returns:
        Pairs with their differences, and the rows that only one file has.
    """
    places = {key: position for position, key in reversed(list(enumerate(keys_of(left))))}
    keys = keys_of(right)
    met = [(places[key], position) for position, key in enumerate(keys) if key in places]
    pairs = np.array(met, dtype=np.int64).reshape(-1, 2)
    at_left, at_right = pairs[:, 0], pairs[:, 1]
    return RowMatches(
        left=at_left,
        right=at_right,
        only_left=np.setdiff1d(np.array(sorted(places.values()), dtype=np.int64), at_left),
        only_right=np.setdiff1d(np.arange(len(keys)), at_right),
        differing=_differing(left, right, at_left, at_right),
    )


def _differing(left: Tables, right: Tables, at_left: Numbers, at_right: Numbers) -> dict[str, Numbers]:
    found = {name: ~same(left.children[name], right.children[name], at_left, at_right) for name in left.children}
    found |= {f"curve {name}": where for name, where in _differing_curves(left, right, at_left, at_right).items()}
    return {name: where for name, where in found.items() if where.any()}


def same(left: Data, right: Data, at_left: Numbers, at_right: Numbers) -> Numbers:
    """Compare two columns at some positions, to the bit; NaN equals NaN.

    Args:
        left: a column.
        right: a column of the same type.
        at_left: ints, shape [pairs], positions in `left`.
        at_right: ints, shape [pairs], positions in `right`.

    Returns:
        Whether the values are equal: bools, shape [pairs].
    """
    if isinstance(left, Text) and isinstance(right, Text):
        return cast("Numbers", left.take(at_left).objects() == right.take(at_right).objects())
    return _same_numbers(cast("Numbers", left)[at_left], cast("Numbers", right)[at_right])


def _same_numbers(left: Numbers, right: Numbers) -> Numbers:
    if left.dtype.kind != "f":
        equal: Numbers = left == right
        return equal
    both_missing = np.isnan(left) & np.isnan(right)
    same_bits: Numbers = np.ascontiguousarray(left).view("<i8") == np.ascontiguousarray(right).view("<i8")
    either: Numbers = same_bits | both_missing
    return either


def _differing_curves(left: Tables, right: Tables, at_left: Numbers, at_right: Numbers) -> dict[str, Numbers]:
    lengths = left.lengths[at_left]
    alike = lengths == right.lengths[at_right]
    owner = np.repeat(np.flatnonzero(alike), lengths[alike])
    epochs_left, epochs_right = epochs_at(left.lengths, at_left[alike]), epochs_at(right.lengths, at_right[alike])
    differing = {}
    for name, values in left.curves.items():
        where = ~alike
        where[owner[~_same_numbers(values[epochs_left], right.curves[name][epochs_right])]] = True
        differing[name] = where
    return differing
