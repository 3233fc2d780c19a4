"""Conversion of replays to rows of a results file, which all commands for real runs can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench.provenance import provenance_json, utc_now
from nasbench.runners.replay.replay import Replayed
from nasbench.runners.search.budget import SECONDS_PER_HOUR
from nasbench.runners.strategies.source_files import source_of
from nasbench.store.format.columns import DTYPES, Data, Text
from nasbench.store.format.quantities import Quantity
from nasbench.store.format.rows import measurement_row, unmeasured
from nasbench.store.format.schema import CHILD_COLUMNS, CURVES, LEDGER_CATEGORIES, RUN_COLUMNS, Column
from nasbench.store.judged import LOSS
from nasbench.store.maintenance.table_builder import Tables, join_tables, measurement_columns, measurements_once
from nasbench.tabular.surrogates.table import SurrogateTable
from nasbench.tabular.tables import FloatArray, IntArray, Table

_ACC, _LOSS, _MEASURED = range(3)


def tables_of(replays: Sequence[Replayed], reports: Sequence[Table] = ()) -> Tables:
    """Make rows of all counted children, of every incumbent as stage "final" with its test accuracy, and of the runs.

    Costs are those of the table, in category "cached"; what the searcher was charged is in its category; wall time is the
    simulated clock; reading a test accuracy costs nothing. Of a child that continues another, costs are those of the added epochs. There are no curves, and values that the table does not have are missing. The scores of a row belong to the
    data set in its column `data`, with that table's fingerprint. Search rows have the scores that the search received,
    from the searched table. Final rows have means over trainings: for each table in which choices are reported, one row
    per incumbent in the order in which the run found them, numbered on by `index`; the last is the run's choice. So a
    test accuracy is known at every moment of a run, as after a search with final="incumbents". The `data` of a run is
    that of the searched table.

    Args:
        replays: replays of one table, at least one.
        reports: tables of the same space and different data sets in which choices are scored; none for the searched
            one.

    Returns:
        Rows of children and runs, for `table_builder.write_new`.

    Raises:
        InputError: when a table of `reports` belongs to another space.
    """
    return measurements_once(join_tables([_tables(replayed, reports) for replayed in replays]))


def _tables(replayed: Replayed, reports: Sequence[Table]) -> Tables:
    scored = tuple(replayed.scores_on(report) for report in reports) or (replayed.table,)
    config = _config(replayed, scored)
    ids = [_run_id(replayed, config, seed) for seed in replayed.seeds]
    children = _children(replayed, scored, ids)
    count = len(children["index"])
    return Tables(
        children={column.name: _filled(column, children, count) for column in CHILD_COLUMNS},
        runs={
            column.name: _filled(column, runs, len(ids))
            for runs in [_runs(replayed, config, ids)]
            for column in RUN_COLUMNS
        },
        curves={curve.name: np.zeros(0) for curve in CURVES},
        lengths=np.zeros(count, dtype="<i8"),
        measurements=measurement_columns(_measurements(replayed, scored)),
    )


def _measurements(replayed: Replayed, scored: Sequence[Table]) -> list[dict[str, Any]]:
    """Scores of the children that are no accuracies: of all architectures in the searched table, of incumbents in others."""
    runs, places = replayed.improved()
    incumbents, every = np.unique(replayed.codes[runs, places]), np.unique(replayed.codes[replayed.codes >= 0])
    rows = []
    for table in dict.fromkeys((replayed.table, *scored)):
        if table.score.is_accuracy or table.score.val == LOSS.val:
            continue
        for code in (every if table is replayed.table else incumbents).tolist():
            architecture = table.architecture(code)
            for name, values in ((table.score.val, table.val_acc), (table.score.test, table.test_acc)):
                if not name or np.isnan(values[code]):
                    continue
                quantity = Quantity(name, table.score.unit, table.score.direction)
                rows.append(
                    measurement_row(
                        unmeasured()
                        | quantity.columns
                        | {
                            "hash": architecture.hash,
                            "space": table.space.spec,
                            "choices": json.dumps(list(architecture.choices), separators=(",", ":")),
                            "value": table.score.sign * float(values[code]),
                            "protocol": table.protocol,
                            "fingerprint": table.fingerprint,
                            "data": table.name,
                            "seed": 0,
                            "source": f"replay of {table.what} {table.name}",
                        }
                    )
                )
    return rows


def _run_id(replayed: Replayed, config: Mapping[str, Any], seed: int) -> str:
    text = json.dumps({**config, "seed": seed, "fingerprint": replayed.table.fingerprint}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _config(replayed: Replayed, scored: Sequence[Table]) -> dict[str, Any]:
    """Configuration of a replayed run.

    Later fields are included only if they differ from the default, so run ids do not change.
    """
    config: dict[str, Any] = {
        "replay": replayed.table.name,
        "strategy": replayed.setting.name,
        "options": replayed.setting.config.model_dump(mode="json"),
        "space": replayed.table.space.spec,
        "budget": replayed.budget.text,
        "price": replayed.budget.usd_per_hour,
    }
    if isinstance(replayed.table, SurrogateTable):
        about = replayed.table.surrogate.about
        config["surrogate"] = {
            "fingerprint": replayed.table.fingerprint,
            "trainings": about.children,
            "kendall_tau": about.quality["both"].kendall_tau,
        }
    config["stream"] = "strategy"  # earlier versions seeded every strategy with the run's seed, and did not say so
    if [table.fingerprint for table in scored] != [replayed.table.fingerprint]:
        config["report_on"] = {table.name: table.fingerprint for table in scored}
    if replayed.table.seeds is not None:
        config["search_seeds"] = replayed.table.seeds
    if scored[0].seeds is not None:
        config["report_seeds"] = scored[0].seeds
    if not replayed.table.score.is_accuracy:
        config["score"] = replayed.table.score.as_dict()
    reported = {table.name: table.score.as_dict() for table in scored if table.score != replayed.table.score}
    if reported:
        config["report_scores"] = reported
    if replayed.outcome_from != "mean":
        config["draw"] = replayed.outcome_from
    if replayed.setting.config.measured:
        config["measured"] = {
            name: hashlib.blake2b(replayed.table.measured[name].tobytes(), digest_size=8).hexdigest()
            for name in replayed.setting.config.measured
        }
    if replayed.devices != 1:
        config["children_at_once"] = replayed.devices
    if replayed.setting.where_arch:
        config["where_arch"] = replayed.setting.where_arch
    if replayed.setting.guidance:
        config["guidance"] = vars(replayed.setting.guidance)
    if replayed.setting.shown != replayed.setting.name:
        config["label"] = replayed.setting.label
    source = source_of(replayed.setting.kind)
    if source is not None:
        config["strategy_digest"] = source.digest
    return config


def _filled(column: Column, given: Mapping[str, Any], count: int) -> Data:
    """Make a column; a single value is repeated for all rows, and an unknown one is NaN, 0, false or ''."""
    value = given.get(column.name, {"int": 0, "float": np.nan, "bool": False, "str": ""}[column.type])
    if column.type == "str":
        return value if isinstance(value, Text) else Text(np.zeros(count, dtype=np.int64), [value])
    return np.broadcast_to(np.asarray(value, dtype=DTYPES[column.type]), (count,)).copy()


def _children(replayed: Replayed, scored: Sequence[Table], ids: list[str]) -> dict[str, Any]:
    """Make the columns of all rows: search rows by run and order, then the incumbents' final rows by table and run."""
    table, rate = replayed.table, replayed.budget.usd_per_hour / SECONDS_PER_HOUR
    runs, places = np.nonzero(replayed.codes >= 0)
    codes = replayed.codes[runs, places]
    tested_runs, tested_places = replayed.improved()
    tested = replayed.codes[tested_runs, tested_places]
    n, m = len(codes), len(tested) * len(scored)
    every = np.concatenate([codes, np.tile(tested, len(scored))])
    run = np.concatenate([runs, np.tile(tested_runs, len(scored))])
    asks = np.tile(replayed.children[tested_runs], len(scored))
    of = np.concatenate([np.zeros(n, dtype=np.int64), 1 + np.repeat(np.arange(len(scored)), len(tested))])
    tables = [table, *scored]
    seconds, spent, clock = (each[runs, places] for each in (replayed.children_costs, replayed.seconds, replayed.ends))
    last = replayed.children[tested_runs] - 1
    at_end, clock_at_end = (np.tile(each[tested_runs, last], len(scored)) for each in (replayed.seconds, replayed.ends))
    hashes, choices, kinds = _names(replayed, every)
    outcomes = replayed.outcomes[runs, places]
    val = np.concatenate([outcomes, *(each.val_acc[tested] for each in scored)])
    test = np.concatenate([np.full(n, np.nan), *(each.test_acc[tested] for each in scored)])
    failed = np.isnan(val) & np.isnan(test)
    kind = np.repeat([_kind(each) for each in tables], [n, *[len(tested)] * len(scored)])
    reward = np.nan_to_num(outcomes, nan=0.0) if table.score.is_accuracy else outcomes
    nothing = np.zeros(m)
    return {
        "run": Text(run, ids),
        "index": np.concatenate([places, _final_index(tested_runs, len(scored))]),
        "asked": np.concatenate([places + 1, asks]),
        "stage": Text(np.repeat([0, 1], [n, m]), ["search", "final"]),
        "strategy": replayed.setting.shown,
        "run_seed": np.array(replayed.seeds)[run],
        "space": table.space.spec,
        "hash": hashes,
        "choices": choices,
        "protocol": Text(of, [each.protocol for each in tables]).compact(),
        "fingerprint": Text(of, [each.fingerprint for each in tables]).compact(),
        "data": Text(of, [each.name for each in tables]).compact(),
        "seed": np.concatenate([_training_seeds(replayed, runs, codes), nothing]),
        "status": Text(failed.astype(np.int64), ["ok", "failed"]),
        "val_acc": np.where(kind == _ACC, val, np.nan),
        "test_acc": np.where(kind == _ACC, test, np.nan),
        "val_loss": np.where(kind == _LOSS, -val, np.nan),
        "test_loss": np.where(kind == _LOSS, -test, np.nan),
        "reward": np.concatenate([reward, np.full(m, np.nan)]),
        "params": np.concatenate([table.params[codes], *(each.params[tested] for each in scored)]),
        "mult_adds": np.concatenate([table.mult_adds[codes], *(each.mult_adds[tested] for each in scored)]),
        "published_params": -1,
        "published_mult_adds": -1,
        "train_seconds": np.concatenate([seconds, nothing]),
        "eval_seconds": 0.0,
        "setup_seconds": 0.0,
        "device_seconds": np.concatenate([seconds, nothing]),
        "gpu_hours": np.concatenate([seconds, nothing]) / SECONDS_PER_HOUR,
        "usd": np.concatenate([seconds, nothing]) * rate,
        "usd_per_hour": rate * SECONDS_PER_HOUR,
        "searcher_seconds": 0.0
        if replayed.searcher is None
        else np.concatenate([replayed.searcher[runs, places], nothing]),
        "spent_gpu_hours": np.concatenate([spent, at_end]) / SECONDS_PER_HOUR,
        "wall_seconds": np.concatenate([clock, clock_at_end]),
        "peak_memory": -1,
        "device": table.what,
        "devices": 1.0,
        "cached_from": Text(of, [f"{each.what} {each.fingerprint}" for each in tables]).compact(),
        "duplicate": np.concatenate([_repeated(runs, kinds[:n]), np.zeros(m, dtype=bool)]),
        "counted": np.repeat([True, False], [n, m]),
        **_of_courses(replayed, ids, runs, places, tested_runs, len(scored)),
    }


def _kind(table: Table) -> int:
    """In which columns the scores of a table are: accuracies, losses, or none but the table of measurements."""
    return _ACC if table.score.is_accuracy else _LOSS if table.score.val == LOSS.val else _MEASURED


def _of_courses(
    replayed: Replayed, ids: list[str], runs: IntArray, places: IntArray, tested_runs: IntArray, tables: int
) -> dict[str, Any]:
    """Columns of children that ended in another order than that of their proposals, stopped early or went on."""
    courses, table = replayed.courses, replayed.table
    if courses is None:
        return {}
    indices, asked, stops, bases, continues = (
        each[runs, places] for each in (courses.indices, courses.asked, courses.stops, courses.bases, courses.continues)
    )
    finals = np.zeros(len(tested_runs) * tables, dtype=np.int64)
    whole = table.curves.epochs if table.curves is not None else 0
    names, codes = np.unique(np.stack([runs, continues]), axis=1, return_inverse=True)
    texts = ["" if index < 0 else f"{ids[run]}/{index}" for run, index in names.T.tolist()]
    calls = np.tile(asked_in_all(courses.asked)[tested_runs], tables)
    return {
        "index": np.concatenate([indices, _final_index(tested_runs, tables)]),
        "asked": np.concatenate([asked, calls]),
        "epochs": np.concatenate([np.where(stops, stops, whole), finals + whole]),
        "stop_epoch": np.concatenate([stops, finals]),
        "from_epoch": np.concatenate([bases, finals]),
        "continues": Text(np.concatenate([codes.ravel(), finals + len(texts)]), [*texts, ""]).compact(),
    }


def asked_in_all(asked: IntArray) -> IntArray:
    """Return the `ask` calls of each search up to its last outcome.

    Args:
        asked: ints [runs, most children], `ask` calls before each outcome; 0 at the end.

    Returns:
        Ints [runs].
    """
    calls: IntArray = asked.max(axis=1, initial=0)
    return calls


def _final_index(runs: IntArray, tables: int) -> IntArray:
    """Index of each final row in its run, given the runs of the incumbents in order: table after table."""
    first = np.searchsorted(runs, runs, side="left")
    count = np.searchsorted(runs, runs, side="right") - first
    index: IntArray = np.concatenate([np.arange(len(runs)) - first + table * count for table in range(tables)])
    return index


def _training_seeds(replayed: Replayed, runs: IntArray, codes: IntArray) -> IntArray:
    """Seed of the training whose accuracy the search received, per child; 0 for a mean."""
    trainings = replayed.table.trainings
    if replayed.outcome_from == "mean" or trainings is None:
        return np.zeros(len(codes), dtype=np.int64)
    return trainings.seeds[trainings.picked(codes, np.array(replayed.setting.streams(replayed.seeds))[runs])]


def _names(replayed: Replayed, codes: IntArray) -> tuple[Text, Text, IntArray]:
    """Hashes and choices, formed once per architecture, and the hash number of each row."""
    distinct, which = np.unique(codes, return_inverse=True)
    architectures = [replayed.table.architecture(code) for code in distinct.tolist()]
    hashes = Text(which, [architecture.hash for architecture in architectures]).compact()
    choices = [json.dumps(list(architecture.choices), separators=(",", ":")) for architecture in architectures]
    return hashes, Text(which, choices), hashes.codes


def _repeated(runs: IntArray, kinds: IntArray) -> Any:
    """Whether an earlier row of the same run has the same hash; rows are in order."""
    first = np.unique(runs * (int(kinds.max(initial=0)) + 1) + kinds, return_index=True)[1]
    repeated = np.ones(len(runs), dtype=bool)
    repeated[first] = False
    return repeated


def _runs(replayed: Replayed, config: Mapping[str, Any], ids: list[str]) -> dict[str, Any]:
    table, now, places = replayed.table, utc_now(), np.arange(len(ids))
    source = source_of(replayed.setting.kind)
    configs = [json.dumps({**config, "seed": seed}) for seed in replayed.seeds]
    nothing = np.zeros(len(ids))
    seconds: FloatArray = replayed.seconds[:, -1] if replayed.codes.shape[1] else nothing
    own = nothing if replayed.searcher is None else replayed.searcher.sum(axis=1)
    clock: FloatArray = np.maximum(replayed.ends[:, -1], 0.0) if replayed.codes.shape[1] else nothing
    return {
        "run": Text(places, ids),
        "strategy": replayed.setting.shown,
        "space": table.space.spec,
        "protocol": table.protocol,
        "fingerprint": table.fingerprint,
        "data": table.name,
        "data_digest": table.fingerprint,
        "seed": np.array(replayed.seeds),
        "budget": replayed.budget.text,
        "status": "complete",
        "children": replayed.children,
        **dict.fromkeys((f"{name}_hours" for name in LEDGER_CATEGORIES), 0.0),
        "cached_hours": (seconds - own) / SECONDS_PER_HOUR,
        f"{replayed.setting.kind.charged_as}_hours": own / SECONDS_PER_HOUR,
        "usd": seconds / SECONDS_PER_HOUR * replayed.budget.usd_per_hour,
        "wall_seconds": clock,
        "started_at": now,
        "finished_at": now,
        "config": Text(places, configs),
        "provenance": provenance_json(source.noted() if source is not None else None),
    }
