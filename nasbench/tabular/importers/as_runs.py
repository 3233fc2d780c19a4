"""Rows of a table that are the trials of searches, as searches: one run per strategy, seed and name of a run."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError
from nasbench.store.format.quantities import Quantity
from nasbench.tabular.importers.importer_base import Collector, Group
from nasbench.tabular.importers.search_logs import SearchLog, Setting, Trial, Value, add_search, seconds_of
from nasbench.tabular.importers.stated_counts import settle_counts

if TYPE_CHECKING:
    from nasbench.tabular.importers.csv_parquet import Training

STRATEGY: Final = "strategy"
RESOURCE: Final = "resource"
TRIAL: Final = "trial"
COLUMNS: Final = (STRATEGY, "run", "run_seed", "index", "budget", TRIAL, RESOURCE, "started", "finished")
"""Columns that say which search a row is of, and where in it."""
_PARTS: Final = ("train_seconds", "eval_seconds", "setup_seconds")
_OWN: Final = (*COLUMNS, "protocol", "data", "status", "error", "device_seconds")


def value_of(score: Quantity | None, mapped: Sequence[str]) -> Value:
    """What the rows are judged by.

    Args:
        score: the quantity that judges them; None for accuracy or loss.
        mapped: columns that the table gives.

    Returns:
        The meaning of their values.
    """
    if score is not None:
        return Value("", score)
    loss = "val_loss" in mapped and not any(name.startswith("val_acc") for name in mapped)
    return Value("val_loss" if loss else "val_acc")


def add_rows(
    collector: Collector, rows: Sequence[Training], value: Value, notes: str, any_fidelity: bool, labels: dict[str, Any]
) -> tuple[int, list[str]]:
    """Add rows as the trials of searches.

    Args:
        collector: collects them.
        rows: rows of the table, with the columns `COLUMNS` among their scores.
        value: what they are judged by.
        notes: remarks for the runs' configurations.
        any_fidelity: see `search_logs.Setting`.
        labels: decision -> its options, of a space that was made of the table.

    Returns:
        Number of runs, and remarks, one sentence each.

    Raises:
        InputError: when a value does not fit; the message names run and trial.
    """
    searches: dict[tuple[Any, ...], list[Training]] = {}
    for row in rows:
        of = row.scores
        key = (of[STRATEGY], of.get("run_seed", -1), str(of.get("run", "")), of.get("protocol"), of.get("data"))
        searches.setdefault(key, []).append(row)
    remarks = []
    for (strategy, seed, name, protocol, data), mine in searches.items():
        named = f"run {name or strategy!r}"
        try:
            trials = [_trial(reports, value, place) for place, reports in enumerate(_by_trial(mine))]
            setting = Setting(str(protocol or "unknown"), str(data or "unknown"), value, notes, any_fidelity)
            space = trials[0].architecture.space.spec
            group = Group(space, setting.protocol, setting.data, notes)
            settle_counts([(group, trial.architecture, trial.columns) for trial in trials])
            budgets = {str(row.scores["budget"]) for row in mine if "budget" in row.scores}
            if len(budgets) > 1:
                raise InputError(f"it has several budgets: {', '.join(sorted(budgets)[:3])}; a rung's is a resource")
            about = {"options": labels} if labels else {}
            log = SearchLog(str(strategy), int(seed), name, trials, next(iter(budgets), ""), about)
            remarks += add_search(collector, log, setting)
        except InputError as error:
            raise InputError(f"{named}, seed {seed}: {error}") from None
    return len(searches), remarks


def _by_trial(rows: Sequence[Training]) -> list[list[Training]]:
    """The rows of each trial, those that were trained most at the end; trials in the order of their index or of the rows."""
    found: dict[Any, list[Training]] = {}
    for place, row in enumerate(rows):
        if TRIAL in row.scores:
            key: Any = row.scores[TRIAL]
        elif RESOURCE in row.scores:
            key = (row.architecture.choices, row.scores.get("seed"))
        else:
            key = place
        found.setdefault(key, []).append(row)
    ordered = [sorted(reports, key=lambda row: row.scores.get(RESOURCE, 0.0)) for reports in found.values()]
    for reports in ordered:
        if len({row.architecture.choices for row in reports}) > 1:
            raise InputError(f"trial {reports[0].scores.get(TRIAL)} has several architectures")
        resources = [row.scores.get(RESOURCE) for row in reports]
        if len(set(resources)) < len(resources):
            raise InputError(
                f"trial {reports[0].scores.get(TRIAL, reports[0].row)} has several rows of resource {resources[0]}: map what "
                "tells trials apart, --map trial=COLUMN"
            )
    if any("index" in row.scores for row in rows):
        ordered.sort(key=_index)
        _check_indices([_index(reports) for reports in ordered])
    return ordered


def _index(reports: Sequence[Training]) -> float:
    return min(float(row.scores.get("index", math.inf)) for row in reports)


def _check_indices(indices: Sequence[float]) -> None:
    """Refuse an index of several trials: the rows of several searches would silently become one run."""
    for index, count in Counter(indices).items():
        if count > 1 and math.isfinite(index):
            raise InputError(
                f"index {index:g} is that of {count} trials; if these are several searches, map what tells them apart: "
                "--map run_seed=COLUMN or --map run=COLUMN"
            )


def _trial(reports: Sequence[Training], value: Value, place: int) -> Trial:
    last = reports[-1]
    status, error = last.scores.get("status", "ok"), last.scores.get("error", "")
    values = [_value(row, value) for row in reports]
    known = {
        float(row.scores[RESOURCE]): each
        for row, each in zip(reports, values)
        if RESOURCE in row.scores and not math.isnan(each)
    }
    if last.curves and not math.isnan(values[-1]):
        known = {float(last.scores.get("epochs", 0)): values[-1]}
    begun = [seconds_of(row.scores.get("started")) for row in reports]
    ended = [seconds_of(row.scores.get("finished")) for row in reports]
    columns = {name: each for name, each in last.scores.items() if name not in (*_OWN, *_PARTS, value.column)}
    if len(reports) == 1:
        columns |= {name: last.scores[name] for name in _PARTS if name in last.scores}
    judged = {quantity: each for quantity, each in last.measured.items() if quantity != value.quantity}
    if "status" not in last.scores and math.isnan(values[-1]) and last.scores.get("error"):
        status = "failed"
    return Trial(
        number=place,
        architecture=last.architecture,
        status=status,
        error=error,
        value=values[-1] if status == "ok" else math.nan,
        reports=known,
        seconds=_seconds(reports, begun, ended),
        started=min((each for each in begun if not math.isnan(each)), default=math.nan),
        finished=max((each for each in ended if not math.isnan(each)), default=math.nan),
        columns=columns,
        measured=judged,
        curves=dict(last.curves) or None,
    )


def _value(row: Training, value: Value) -> float:
    if value.quantity is not None:
        return row.measured.get(value.quantity, math.nan)
    return float(row.scores.get(value.column, math.nan))


def _seconds(reports: Sequence[Training], begun: Sequence[float], ended: Sequence[float]) -> float:
    """Device-seconds of all rows of a trial: the stated ones, else those of the parts, else from beginning to end."""
    total = 0.0
    for row, start, end in zip(reports, begun, ended):
        scores = row.scores
        parts = [scores[name] for name in _PARTS if name in scores]
        if "device_seconds" in scores:
            total += scores["device_seconds"]
        elif parts:
            total += math.fsum(parts) * scores.get("devices", 1.0)
        else:
            total += 0.0 if end < start else end - start  # NaN where one of them is unknown
    return total


def notes_of(columns: Any, constants: Any, percent: Any) -> str:
    """Write the mapping of an import as its notes.

    Args:
        columns: see `csv_parquet.import_tabular`.
        constants: likewise.
        percent: likewise.

    Returns:
        JSON.
    """
    return json.dumps({"map": dict(columns), "set": dict(constants), "percent": list(percent)}, sort_keys=True)
