"""Replayed searches as rows of a results file, so that every command that reads real runs reads them, too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasbench.provenance import provenance_json, utc_now
from nasbench.runners.budget import SECONDS_PER_HOUR
from nasbench.runners.replay import Replayed
from nasbench.store.assembled import Tables, join_tables
from nasbench.store.columns import DTYPES, Data, Text
from nasbench.store.schema import CHILD_COLUMNS, CURVES, LEDGER_CATEGORIES, RUN_COLUMNS, Column
from nasbench.tables import FloatArray, IntArray

DEVICE = "table"


def tables_of(replays: Sequence[Replayed]) -> Tables:
    """All counted children, each choice once more as stage "final" with its test accuracy, and the runs.

    Costs are the table's, under "cached"; wall time is the simulated clock; reading a test accuracy costs nothing. There are no curves,
    and of what the table does not say there is nothing.

    Args:
        replays: of one table, at least one.
    """
    return join_tables([_tables(replayed) for replayed in replays])


def _tables(replayed: Replayed) -> Tables:
    ids = [_run_id(replayed, seed) for seed in replayed.seeds]
    children = _children(replayed, ids)
    count = len(children["index"])
    return Tables(
        children={column.name: _filled(column, children, count) for column in CHILD_COLUMNS},
        runs={
            column.name: _filled(column, runs, len(ids)) for runs in [_runs(replayed, ids)] for column in RUN_COLUMNS
        },
        curves={curve.name: np.zeros(0) for curve in CURVES},
        lengths=np.zeros(count, dtype="<i8"),
    )


def _run_id(replayed: Replayed, seed: int) -> str:
    text = json.dumps({**_config(replayed), "seed": seed, "fingerprint": replayed.table.fingerprint}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _config(replayed: Replayed) -> dict[str, Any]:
    return {
        "replay": replayed.table.name,
        "strategy": replayed.setting.name,
        "options": replayed.setting.config.model_dump(mode="json"),
        "space": replayed.table.space.spec,
        "budget": replayed.price.budget.text,
        "price": replayed.price.usd_per_hour,
    }


def _filled(column: Column, known: Mapping[str, Any], count: int) -> Data:
    """A column; one value stands for all rows, and what is not known is NaN, 0, false or ''."""
    value = known.get(column.name, {"int": 0, "float": np.nan, "bool": False, "str": ""}[column.type])
    if column.type == "str":
        return value if isinstance(value, Text) else Text(np.zeros(count, dtype=np.int64), [value])
    return np.broadcast_to(np.asarray(value, dtype=DTYPES[column.type]), (count,)).copy()


def _children(replayed: Replayed, ids: list[str]) -> dict[str, Any]:
    """The columns that are known: the searches' children by run and order, then the choices' tests."""
    table, rate = replayed.table, replayed.price.usd_per_hour / SECONDS_PER_HOUR
    runs, places = np.nonzero(replayed.codes >= 0)
    codes = replayed.codes[runs, places]
    tested_runs, tested_places = replayed.chosen()
    tested = replayed.codes[tested_runs, tested_places]
    n, m = len(codes), len(tested)
    every = np.concatenate([codes, tested])
    seconds, spent = table.seconds[codes], replayed.seconds[runs, places]
    at_end = replayed.seconds[tested_runs, replayed.children[tested_runs] - 1]
    hashes, choices, kinds = _names(replayed, every)
    failed = np.isnan(table.val_acc[every])
    nothing = np.zeros(m)
    return {
        "run": Text(np.concatenate([runs, tested_runs]), ids),
        "index": np.concatenate([places, np.zeros(m, dtype=np.int64)]),
        "asked": np.concatenate([places + 1, replayed.children[tested_runs]]),
        "stage": Text(np.repeat([0, 1], [n, m]), ["search", "final"]),
        "strategy": replayed.setting.name,
        "run_seed": np.array(replayed.seeds)[np.concatenate([runs, tested_runs])],
        "space": table.space.spec,
        "hash": hashes,
        "choices": choices,
        "protocol": table.protocol,
        "fingerprint": table.fingerprint,
        "data": table.name,
        "status": Text(failed.astype(np.int64), ["ok", "failed"]),
        "val_acc": table.val_acc[every],
        "test_acc": np.concatenate([np.full(n, np.nan), table.test_acc[tested]]),
        "reward": np.concatenate([np.nan_to_num(table.val_acc[codes], nan=0.0), np.full(m, np.nan)]),
        "params": table.params[every],
        "mult_adds": table.mult_adds[every],
        "train_seconds": np.concatenate([seconds, nothing]),
        "eval_seconds": 0.0,
        "setup_seconds": 0.0,
        "device_seconds": np.concatenate([seconds, nothing]),
        "gpu_hours": np.concatenate([seconds, nothing]) / SECONDS_PER_HOUR,
        "usd": np.concatenate([seconds, nothing]) * rate,
        "searcher_seconds": 0.0,
        "spent_gpu_hours": np.concatenate([spent, at_end]) / SECONDS_PER_HOUR,
        "wall_seconds": np.concatenate([spent, at_end]),
        "peak_memory": -1,
        "device": DEVICE,
        "devices": 1.0,
        "cached_from": f"table {table.fingerprint}",
        "duplicate": np.concatenate([_repeated(runs, kinds[:n]), np.zeros(m, dtype=bool)]),
        "counted": np.repeat([True, False], [n, m]),
    }


def _names(replayed: Replayed, codes: IntArray) -> tuple[Text, Text, IntArray]:
    """Hashes and choices, each architecture's formed once; and which hash each row has."""
    distinct, which = np.unique(codes, return_inverse=True)
    architectures = [replayed.table.architecture(code) for code in distinct.tolist()]
    hashes = Text(which, [architecture.hash for architecture in architectures]).compact()
    choices = [json.dumps(list(architecture.choices), separators=(",", ":")) for architecture in architectures]
    return hashes, Text(which, choices), hashes.codes


def _repeated(runs: IntArray, kinds: IntArray) -> Any:
    """Whether a row's run had the same hash before; rows come in order."""
    first = np.unique(runs * (int(kinds.max(initial=0)) + 1) + kinds, return_index=True)[1]
    repeated = np.ones(len(runs), dtype=bool)
    repeated[first] = False
    return repeated


def _runs(replayed: Replayed, ids: list[str]) -> dict[str, Any]:
    table, now, places = replayed.table, utc_now(), np.arange(len(ids))
    configs = [json.dumps({**_config(replayed), "seed": seed}) for seed in replayed.seeds]
    seconds: FloatArray = replayed.seconds[:, -1] if replayed.codes.shape[1] else np.zeros(len(ids))
    return {
        "run": Text(places, ids),
        "strategy": replayed.setting.name,
        "space": table.space.spec,
        "protocol": table.protocol,
        "fingerprint": table.fingerprint,
        "data": table.name,
        "data_digest": table.fingerprint,
        "seed": np.array(replayed.seeds),
        "budget": replayed.price.budget.text,
        "status": "complete",
        "children": replayed.children,
        **dict.fromkeys((f"{name}_hours" for name in LEDGER_CATEGORIES), 0.0),
        "cached_hours": seconds / SECONDS_PER_HOUR,
        "usd": seconds / SECONDS_PER_HOUR * replayed.price.usd_per_hour,
        "wall_seconds": seconds,
        "started_at": now,
        "finished_at": now,
        "config": Text(places, configs),
        "provenance": provenance_json(),
    }
