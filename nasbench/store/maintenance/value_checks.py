"""Check that the values of a results file can be: ranges, ends of curves, hashes of choices, sums of ledgers.

Checksums say that bytes are those that were written. An editor can write other values and make the checksums anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, cast

import numpy as np

from nasbench.store.format.columns import Data, Numbers, Text
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, MEASUREMENT_COLUMNS, RUN_COLUMNS, Column
from nasbench.store.reader import Snapshot

REPAIRED: Final = "lost_in_repair"
"""Entry of a run's provenance: columns of which a repair lost values."""

_CHILD: Final = {column.name: column for column in CHILD_COLUMNS}
_RUN: Final = {column.name: column for column in RUN_COLUMNS}
_SHARES: Final = ("val_acc", "val_acc_best", "train_acc", "test_acc")
_AMOUNTS: Final = tuple(column.name for column in CHILD_COLUMNS if column.unit in ("s", "h", "USD"))
_RUN_AMOUNTS: Final = tuple(column.name for column in RUN_COLUMNS if column.unit in ("s", "h", "USD"))
_COUNTS: Final = ("index", "asked", "stop_epoch", "from_epoch")
_COUNTS_OR_UNKNOWN: Final = (
    "epochs",
    "params",
    "mult_adds",
    "published_params",
    "published_mult_adds",
    "peak_memory",
    "seed",
)
_SUMMED: Final = ("training_hours", "evaluation_hours", "cached_hours", "failed_hours")
_LARGEST_SAMPLE: Final = 10_000
_ROUNDING: Final = 1e-9
_HASH: Final = re.compile("[0-9a-f]{32}")


HashOf = Callable[[str, str], str | None]
"""Function of a space's specification and stored choices: their hash, "" if they are none of the space, None if unknown."""


def impossible_values(snapshot: Snapshot, imported: Sequence[str], hash_of: HashOf | None) -> Iterator[str]:
    """Find values that no training and no search can have given.

    Args:
        snapshot: an open results file whose checksums fit.
        imported: ids of the runs that were imported or built as a table of another source: their charges are those of
            the source.
        hash_of: computes hashes; None to compare none.

    Yields:
        One line per kind of fault: the column, how many rows it concerns, and the first of them.
    """
    children = _Children(snapshot)
    yield from _ranges(children)
    yield from _scores(children, imported, _runs_that_lost(snapshot, "val_acc"), _judged_otherwise(snapshot))
    yield from _curve_ends(snapshot, children)
    yield from _continuations(children, imported)
    yield from _charges(children, imported)
    if hash_of is not None:
        yield from _hashes(children, hash_of)
    yield from _run_sums(snapshot, children, imported)
    yield from _measurements(snapshot)


class _Children:
    """Columns of the children, read when they are asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def numbers(self, name: str) -> Numbers:
        return np.asarray(self._snapshot.column("children", _CHILD[name]))

    def texts(self, name: str) -> Numbers:
        return cast("Text", self._snapshot.column("children", _CHILD[name])).objects()

    @cached_property
    def run(self) -> Numbers:
        return self.texts("run")

    @cached_property
    def ok(self) -> Numbers:
        return cast("Numbers", self.texts("status") == "ok")

    def fault(self, wrong: Numbers, text: str, **values: Numbers) -> Iterator[str]:
        """Yield one line about the rows for which `wrong` is true; `text` is formatted with the values of the first."""
        places = np.flatnonzero(wrong)
        if len(places):
            first = int(places[0])
            index, stage = self.numbers("index")[first], self.texts("stage")[first]
            more = f"; {len(places) - 1} more rows" if len(places) > 1 else ""
            said = text.format(**{name: column[first] for name, column in values.items()})
            yield f"{said} (run {self.run[first]}, {stage} {index}{more})"


def _ranges(children: _Children) -> Iterator[str]:
    for name in _SHARES:
        values = children.numbers(name)
        text = f"{name} is {{value:g}}, a share is between 0 and 1"
        yield from children.fault((values < 0) | (values > 1), text, value=values)
    for name in _AMOUNTS:
        values = children.numbers(name)
        yield from children.fault(
            (values < 0) | np.isinf(values), f"{name} is {{value:g}}; it is at least 0", value=values
        )
    for name in (*_COUNTS, *_COUNTS_OR_UNKNOWN):
        values, least = children.numbers(name), 0 if name in _COUNTS else -1
        yield from children.fault(values < least, f"{name} is {{value}}; it is at least {least}", value=values)


def _scores(
    children: _Children, imported: Sequence[str], lost: Sequence[str], otherwise: Sequence[str]
) -> Iterator[str]:
    val = children.numbers("val_acc")
    others = [children.numbers(name) for name in ("test_acc", "val_loss", "test_loss")]
    # What was trained here has a validation accuracy; an imported training may have any of the scores alone.
    without = np.isnan(val) & (~np.isin(children.run, list(imported)) | np.isnan(others).all(axis=0))
    # Where the score is a measured quantity, a child of a search has it as its reward.
    measured = np.isin(children.run, list(otherwise))
    measured &= np.isfinite(children.numbers("reward")) | (children.texts("stage") == "final")
    unscored = children.ok & without & ~np.isin(children.run, list(lost)) & ~measured
    yield from children.fault(unscored, "the status is ok, but there is no score")
    yield from children.fault(
        ~children.ok & ~np.isnan(val), "val_acc is {value:g}, but the child did not end well", value=val
    )


def _runs_that_lost(snapshot: Snapshot, column: str) -> list[str]:
    """Ids of the runs that lost values of a column when their file was repaired."""
    ids, provenance = (cast("Text", snapshot.column("runs", _RUN[name])).objects() for name in ("run", "provenance"))
    return [run for run, text in zip(ids.tolist(), provenance.tolist()) if column in _lost_columns(text)]


def _judged_otherwise(snapshot: Snapshot) -> list[str]:
    """Ids of the runs whose score, or that of their reports, is a measured quantity, as their configuration says."""
    ids, configs = (cast("Text", snapshot.column("runs", _RUN[name])).objects() for name in ("run", "config"))
    return [run for run, text in zip(ids.tolist(), configs.tolist()) if "score" in text and _has_score(text)]


def _has_score(config: str) -> bool:
    try:
        known = json.loads(config)
    except (ValueError, RecursionError):
        return False
    return isinstance(known, dict) and any(isinstance(known.get(name), dict) for name in ("score", "report_scores"))


def _lost_columns(provenance: str) -> Sequence[str]:
    try:
        known = json.loads(provenance or "{}")
    except (ValueError, RecursionError):
        return ()
    lost = known.get(REPAIRED) if isinstance(known, dict) else None
    return lost if isinstance(lost, list) else ()


def _curve_ends(snapshot: Snapshot, children: _Children) -> Iterator[str]:
    offsets = snapshot.offsets()
    lengths, ends = np.diff(offsets), offsets[1:] - 1
    has = lengths > 0
    epochs = children.numbers("epochs")
    text = "epochs is {value}, but its curves have {length}"
    yield from children.fault(has & (epochs >= 0) & (lengths != epochs), text, value=epochs, length=lengths)
    stop, start = children.numbers("stop_epoch"), children.numbers("from_epoch")
    text = "it ended well after {value} epochs, but it was to stop after {stop}"
    yield from children.fault(children.ok & (stop > 0) & (epochs != stop), text, value=epochs, stop=stop)
    text = "it has {value} epochs, but it began after epoch {start}"
    yield from children.fault((start > 0) & (epochs < start), text, value=epochs, start=start)
    text = "it began after epoch {start}, but it says of no child that it continues it"
    yield from children.fault((start > 0) & (children.texts("continues") == ""), text, start=start)
    for name in ("val_acc", "val_loss", "train_acc", "train_loss"):
        curve, values = snapshot.curve(name), children.numbers(name)
        last = np.full(len(values), np.nan)
        last[has] = curve[ends[has]]
        text = f"{name} is {{value:g}}, but its curve ends at {{end:g}}"
        yield from children.fault(has & children.ok & ~_same(last, values), text, value=values, end=last)
    best, curve = children.numbers("val_acc_best"), snapshot.curve("val_acc")
    highest = np.full(len(best), np.nan)
    if has.any():
        highest[has] = np.fmax.reduceat(curve, offsets[:-1][has])
    text = "val_acc_best is {value:g}, but its curve reaches {highest:g}"
    yield from children.fault(has & children.ok & ~_same(highest, best), text, value=best, highest=highest)
    for name in (curve.name for curve in CURVES):
        if name.endswith("acc"):
            values = snapshot.curve(name)
            outside = np.flatnonzero((values < 0) | (values > 1))
            if len(outside):
                yield f"the curve {name} has the value {values[outside[0]]:g}; a share is between 0 and 1"


def _continuations(children: _Children, imported: Sequence[str]) -> Iterator[str]:
    """Check that a child goes on with the training of an earlier child of its run, of the same architecture."""
    named, run, hashes = children.texts("continues"), children.run, children.texts("hash")
    going = np.flatnonzero((named != "") & ~np.isin(run, list(imported)))
    if not len(going):
        return
    index, searched = children.numbers("index"), children.texts("stage") == "search"
    place = {f"{run[at]}/{index[at]}": at for at in np.flatnonzero(searched).tolist()}
    foreign, other = np.zeros(len(run), dtype=bool), np.zeros(len(run), dtype=bool)
    for at in going.tolist():
        foreign[at] = named[at].rpartition("/")[0] != run[at]
        other[at] = named[at] in place and hashes[place[named[at]]] != hashes[at]
    text = "it continues {named:.60}, a child of another run"
    yield from children.fault(foreign, text, named=named)
    text = "it continues {named:.60}, a child of another architecture"
    yield from children.fault(other & ~foreign, text, named=named)


def _charges(children: _Children, imported: Sequence[str]) -> Iterator[str]:
    own = ~np.isin(children.run, list(imported))
    parts = sum(children.numbers(name) for name in ("train_seconds", "eval_seconds", "setup_seconds"))
    expected, stated = parts * children.numbers("devices"), children.numbers("device_seconds")
    text = "device_seconds is {value:g}, but its parts times its devices are {expected:g}"
    yield from children.fault(own & ~_close(expected, stated), text, value=stated, expected=expected)
    hours = children.numbers("gpu_hours")
    trained = own & (hours > 0) & (children.texts("cached_from") == "")
    again = (children.texts("continues") != "") & (
        children.numbers("from_epoch") == 0
    )  # epochs charged to another child
    wrong = np.where(again, hours > stated / 3600.0 + _ROUNDING, ~_close(stated / 3600.0, hours))
    text = "gpu_hours is {value:g}, but device_seconds is {seconds:g}"
    yield from children.fault(trained & wrong, text, value=hours, seconds=stated)


def _hashes(children: _Children, hash_of: HashOf) -> Iterator[str]:
    """Compare hashes with choices: all of them in small files, a sample over the whole file in large ones."""
    digests, choices, spaces = (children.texts(name) for name in ("hash", "choices", "space"))
    places: Numbers = np.arange(len(digests))
    if len(places) > _LARGEST_SAMPLE:
        places = np.unique(np.linspace(0, len(digests) - 1, _LARGEST_SAMPLE).astype(np.int64))
    wrong = np.zeros(len(digests), dtype=bool)
    known: dict[tuple[str, str], str | None] = {}
    for at in places.tolist():
        key = (spaces[at], choices[at])
        if key not in known:
            known[key] = hash_of(*key)
        wrong[at] = known[key] is not None and known[key] != digests[at]
    yield from children.fault(
        wrong, "the hash {digest:.40} is not that of the choices {choices:.60}", digest=digests, choices=choices
    )


def _run_sums(snapshot: Snapshot, children: _Children, imported: Sequence[str]) -> Iterator[str]:
    def of(name: str) -> Data:
        return snapshot.column("runs", _RUN[name])

    runs, status = (cast("Text", of(name)).objects() for name in ("run", "status"))
    stage, hours, counted = children.texts("stage"), children.numbers("gpu_hours"), children.numbers("counted")
    searched = np.sum([np.asarray(of(name)) for name in _SUMMED], axis=0)
    final = np.asarray(of("final_hours"))
    for column in (_RUN[name] for name in _RUN_AMOUNTS):
        yield from _amounts_of_runs(runs, column, np.asarray(of(column.name)))
    for at, run in enumerate(runs.tolist()):
        if status[at] != "complete" or run in imported:
            continue
        mine = children.run == run
        for what, stated, found in (
            ("children of the search", searched[at], hours[mine & (stage == "search") & counted].sum()),
            ("trainings after the search", final[at], hours[mine & (stage == "final")].sum()),
        ):
            if not abs(stated - found) <= _ROUNDING * max(1.0, abs(stated)) and not np.isnan(stated):
                yield f"run {run} states {stated:g} device-hours for its {what}, but its rows have {found:g}"


def _measurements(snapshot: Snapshot) -> Iterator[str]:
    """Check measurements: finite values between their quantiles, numbers of things that are -1 (unknown) or more."""
    found = {column.name: snapshot.column("measurements", column) for column in MEASUREMENT_COLUMNS}
    value, low, high, spread = (np.asarray(found[name]) for name in ("value", "low", "high", "spread"))
    seconds = cast("Text", found["unit"]).equals("s")
    faults = {
        "is not finite": ~np.isfinite(value),
        "is a time of 0 or less": seconds & (value <= 0),
        "is not between low and high": (low > value) | (value > high),
        "has a spread below 0": spread < 0,
        "has a hash that is not 32 hexadecimal digits": np.array(
            [not _HASH.fullmatch(each) for each in _all(found["hash"])]
        ),
    }
    faults |= {
        f"has {name} below -1": np.asarray(found[name]) < -1 for name in ("n", "outliers", "batch", "threads", "seed")
    }
    for what, wrong in faults.items():
        places = np.flatnonzero(wrong)
        if len(places):
            first = int(places[0])
            more = f"; {len(places) - 1} more" if len(places) > 1 else ""
            hashes, quantities = cast("Text", found["hash"]), cast("Text", found["quantity"])
            yield f"the measurement {value[first]:g} of {quantities[first][:40]} of {hashes[first][:40]} {what}{more}"


def _all(data: Data) -> list[str]:
    texts: list[str] = cast("Text", data).objects().tolist()
    return texts


def _amounts_of_runs(runs: Numbers, column: Column, values: Any) -> Iterator[str]:
    wrong = np.flatnonzero((values < 0) | np.isinf(values))
    if len(wrong):
        yield f"{column.name} of run {runs[wrong[0]]} is {values[wrong[0]]:g}; it is at least 0"


def _same(one: Numbers, other: Numbers) -> Numbers:
    """Whether values are equal; a missing one, as of an import or after a repair, contradicts nothing."""
    return cast("Numbers", (one == other) | np.isnan(one) | np.isnan(other))


def _close(one: Numbers, other: Numbers) -> Numbers:
    return cast(
        "Numbers", np.isclose(one, other, rtol=1e-6, atol=1e-9, equal_nan=True) | np.isnan(one) | np.isnan(other)
    )
