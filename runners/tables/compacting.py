"""Compact tables from results files, read again and compared before they are believed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nasbench.errors import InputError
from nasbench.tabular.compact import read_compact, write_compact
from nasbench.tabular.tables import Selection, Table, read_tables

Seeds = tuple[int, ...]
_OF_TRAININGS = ("keys", "first", "counts", "val_acc", "seeds")
_OF_CURVES = ("val_acc", "seconds")


class Compacted(NamedTuple):
    """A compact table that was written.

    Attributes:
        sha256: SHA-256 of the file.
        fingerprints: training seeds as text ("all", "0,1") -> fingerprint of their table.
    """

    sha256: str
    fingerprints: dict[str, str]


def compact_table(
    source: Path, output: Path, data: str | None, seeds: Sequence[Seeds] | None, curves: bool = False
) -> Compacted:
    """Write a complete table in compact form, and compare what can be read from it.

    Args:
        source: results file of the table.
        output: the compact table.
        data: data set; None for the only one.
        seeds: selections of training seeds beside all; None for each alone.
        curves: whether it has scores and costs after each epoch, which strategies that stop trainings need.

    Returns:
        Digest of the file and fingerprints of the selections.

    Raises:
        InputError: when the file is no table, lacks a seed or curves, or the compact table reads differently.
        MissingData, UnknownName, StoreError: as `read_tables`.
    """
    (whole,) = read_tables(source, [Selection(data)])
    trained = sorted(set(whole.trainings.seeds.tolist())) if whole.trainings is not None else []
    alone = [(seed,) for seed in trained] if len(trained) > 1 else []
    selections = [Selection(data), *(Selection(data, each) for each in (alone if seeds is None else seeds))]
    tables = read_tables(source, selections, curves)
    about = {
        "source": source.name,
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "seeds": trained,
    }
    write_compact(output, tables, about)
    for expected, found in zip(tables, read_compact(output, selections, curves)):
        _require_equal(output, expected, found)
    names = ["all" if each.seeds is None else ",".join(map(str, each.seeds)) for each in selections]
    digest = hashlib.sha256(output.read_bytes()).hexdigest()
    return Compacted(digest, {name: table.fingerprint for name, table in zip(names, tables)})


def _require_equal(path: Path, expected: Table, found: Table) -> None:
    same = found.fingerprint == expected.fingerprint and (found.trainings is None) == (expected.trainings is None)
    if same and expected.trainings is not None:
        same = all(
            np.array_equal(
                getattr(found.trainings, name), getattr(expected.trainings, name), equal_nan=name == "val_acc"
            )
            for name in _OF_TRAININGS
        )
    if same and expected.curves is not None and found.curves is not None:
        same = all(
            np.array_equal(
                getattr(found.curves, name)[found.curves.kinds],
                getattr(expected.curves, name)[expected.curves.kinds],
                equal_nan=True,
            )
            for name in _OF_CURVES
        )
        mine, theirs = found.curves.single, expected.curves.single
        same = same and (mine is None) == (theirs is None)
        if same and mine is not None and theirs is not None:
            same = np.array_equal(mine, theirs, equal_nan=True)
    if not same:
        raise InputError(f"{path} does not read as its table (training seeds {expected.seeds or 'all'}); remove it")
