"""The single trainings behind a table's means, and the choice of one of them as a child's outcome. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Keys = NDArray[np.uint64]

OutcomeFrom = Literal["mean", "one"]
OUTCOMES_FROM: tuple[OutcomeFrom, ...] = ("mean", "one")
MEAN_SEED = -1
"""Training seed of a row that is a mean over seeds."""
_KEY_DIGITS = 16  # hexadecimal, of a hash: 64 bits
_HALF = np.uint64(32)  # bits


@dataclass(frozen=True, eq=False)
class Trainings:
    """All trainings of a table, sorted by hash.

    Args:
        keys: uint64 [size], the first 64 bits of the hash per position of the table; equal hashes have equal keys.
        first: ints [size], position in `val_acc` of the first training of each hash.
        counts: ints [size], number of trainings of each hash, >= 1.
        val_acc: [trainings], validation accuracies in [0, 1]; NaN for a training that failed.
        seeds: ints [trainings], their training seeds.
        rows: ints [trainings], labels of their rows in the frame that they were collected from; None if unknown.
    """

    keys: Keys
    first: IntArray
    counts: IntArray
    val_acc: FloatArray
    seeds: IntArray
    rows: IntArray | None = None

    @property
    def several(self) -> bool:
        """True if any architecture was trained more than once."""
        return bool((self.counts > 1).any())

    def picked(self, codes: IntArray, runs: IntArray) -> IntArray:
        """Pick the training whose accuracy a search receives, from the search seed and the architecture's hash alone.

        All trainings of an architecture are equally likely.

        Args:
            codes: ints of any shape, positions in the table.
            runs: ints, search seeds, each >= 0; broadcast against `codes`.

        Returns:
            Ints, positions in `val_acc` and `seeds`; their shape is that of `codes` and `runs` broadcast together.
        """
        seeds = mixed_bits(np.asarray(runs, dtype=np.uint64))
        bits = mixed_bits(self.keys[codes] ^ seeds) >> _HALF
        picks = (bits * self.counts[codes].astype(np.uint64)) >> _HALF
        places: IntArray = self.first[codes] + picks.astype(np.int64)
        return places


def each_once(rows: pd.DataFrame, values: Sequence[str] = ("val_acc",)) -> pd.DataFrame:
    """Leave out the copies of trainings that a cache made.

    Args:
        rows: children with hash, seed and the columns of `values`.
        values: what a copy has in common with its training, besides hash and seed.

    Returns:
        The first row of each training, in their order. Rows that are means over seeds (`MEAN_SEED`) all stay, because
        which trainings they are of is not known.
    """
    repeated = rows.duplicated(["hash", "seed", *values])
    return rows[~repeated | (rows["seed"] == MEAN_SEED)] if repeated.any() else rows


def trainings_of(rows: pd.DataFrame, hashes: Sequence[str]) -> Trainings:
    """Collect the trainings whose means a table holds.

    Args:
        rows: children with hash, seed, status and val_acc; at least one per hash. Rows with the same hash, seed and
            accuracy are copies of one training, made by a cache, and count once.
        hashes: [size], the hash at each position of the table.

    Returns:
        The trainings.
    """
    single = rows.assign(val_acc=rows["val_acc"].where(rows["status"] == "ok"))
    single = each_once(single).sort_values(["hash", "seed", "val_acc"])
    counts = single.groupby("hash").size()
    kinds = counts.index.get_indexer(hashes)
    sizes = counts.to_numpy(dtype=np.int64)
    keys = np.array([int(key[:_KEY_DIGITS], 16) for key in counts.index], dtype=np.uint64)
    return Trainings(
        keys=keys[kinds],
        first=(np.cumsum(sizes) - sizes)[kinds],
        counts=sizes[kinds],
        val_acc=single["val_acc"].to_numpy(dtype=np.float64),
        seeds=single["seed"].to_numpy(dtype=np.int64),
        rows=single.index.to_numpy(dtype=np.int64),
    )


def mixed_bits(numbers: Keys) -> Keys:
    """Mix the bits of uint64 numbers: a bijection in which every output bit depends on every input bit.

    The numbers become an array because overflow wraps without a warning only in arrays.

    Args:
        numbers: uint64, of any shape.

    Returns:
        uint64 of the same shape.

    Source: splitmix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"), its increment and
        finalizer.
    """
    mixed = np.atleast_1d(numbers) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed.reshape(np.shape(numbers))
