"""The single trainings behind a table's means, and which of them a replayed search is shown. No torch."""

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
_KEY_DIGITS = 16  # hexadecimal, of a hash: 64 bits
_HALF = np.uint64(32)  # bits


@dataclass(frozen=True, eq=False)
class Trainings:
    """Every training of a table, those of one architecture together.

    Args:
        keys: [size], 64 bits of the hash at each position of the table; positions of one hash have one key.
        first: [size], where the trainings of a position's hash begin in `val_acc`.
        counts: [size], how many they are, >= 1.
        val_acc: [trainings], in [0, 1]; NaN for one that failed.
        seeds: [trainings], the seeds that they were trained with.
    """

    keys: Keys
    first: IntArray
    counts: IntArray
    val_acc: FloatArray
    seeds: IntArray

    @property
    def several(self) -> bool:
        """True if any architecture was trained more than once."""
        return bool((self.counts > 1).any())

    def picked(self, codes: IntArray, runs: IntArray) -> IntArray:
        """Index of the training that a search receives; it depends only on the search's seed and the architecture's hash.

        Args:
            codes: positions in the table.
            runs: seeds of the searches, each >= 0; broadcast against `codes`.

        Returns:
            Places in `val_acc` and `seeds`, of the shape of both together. Each training of an architecture is as likely as another.
        """
        seeds = _mixed(np.asarray(runs, dtype=np.uint64))
        bits = _mixed(self.keys[codes] ^ seeds) >> _HALF
        picks = (bits * self.counts[codes].astype(np.uint64)) >> _HALF
        places: IntArray = self.first[codes] + picks.astype(np.int64)
        return places


def trainings_of(rows: pd.DataFrame, hashes: Sequence[str]) -> Trainings:
    """The trainings that a table's means are of.

    Args:
        rows: children with hash, seed, status and val_acc; of every hash at least one. A row that repeats hash, seed and score is a copy
            of the same training, as a cache makes them.
        hashes: [size], of each position of the table.
    """
    single = rows.assign(val_acc=rows["val_acc"].where(rows["status"] == "ok"))
    single = single.drop_duplicates(["hash", "seed", "val_acc"]).sort_values(["hash", "seed", "val_acc"])
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
    )


def _mixed(numbers: Keys) -> Keys:
    """Numbers whose 64 bits all depend on all bits of those given; another number for each. Arrays only: it counts on overflow.

    Source: splitmix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"), its increment and finalizer.
    """
    mixed = np.atleast_1d(numbers) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed.reshape(np.shape(numbers))
