"""NATS-Bench's records of its topology space: one training a record, every epoch, as JSON (plain or gzip).

A record has `arch` (the official string), `hp` (epochs, "12" or "200"), `dataset`, `seed`, `flops_m`, `params_m`, `train_acc` {epoch: %},
`train_times` {epoch: s}, and `eval_acc` {"SPLIT@EPOCH": %}. Splits: `x-valid` is the validation set; `x-test` the test set where it was
split off from it, with `ori-test` the two together; without `x-test`, `ori-test` is the test set. Where losses are there, as
`train_losses` {epoch: nats} and `eval_losses` {"SPLIT@EPOCH": nats}, they are read too.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.spaces import Architecture, get_space
from nasbench.tabular.importers.importer_base import Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.importers.nasbench201_archive import DEVICE
from nasbench.tabular.nasbench201_networks import network_counts

FORMAT: Final = "nats-bench records"
_PROTOCOLS: Final = {"12": "nasbench201", "200": "nasbench201-200"}
_SPACE: Final = "nasbench201"
_MILLION: Final = 1e6
_GZIP: Final = b"\x1f\x8b"
_NOTES: Final = (
    "one training a row; seconds are those of the training epochs, evaluation was not recorded; the validation curve has a value only "
    "for the epochs whose validation was recorded"
)
_NEEDED: Final = ("arch", "hp", "dataset", "seed", "params_m", "flops_m", "train_acc", "train_times", "eval_acc")


def import_records(path: str, output: str, take_over: bool = False) -> Imported:
    """Write the records as a results file: a run for each data set and number of epochs.

    Args:
        path: of the records, .json or .json.gz: a list of them.
        output: the new results file.
        take_over: see `store.lock.ResultsLock`.

    Raises:
        MissingData: when the file does not exist.
        InputError: when it does not hold such records, naming the first that is none; or the output is there already.
    """
    source = ImportSource.of(path, FORMAT)
    space, collector = get_space(_SPACE), Collector(source)
    for number, record in enumerate(_records(path)):
        lacking = [name for name in _NEEDED if name not in record] if isinstance(record, dict) else list(_NEEDED)
        if lacking:
            raise InputError(f"{path}: record {number} has no {', '.join(lacking)}; it is no NATS-Bench record")
        epochs = str(record["hp"]).lstrip("0")
        protocol = _PROTOCOLS.get(epochs, f"nasbench201-{epochs}")
        group = Group(_SPACE, protocol, str(record["dataset"]).lower(), _NOTES)
        architecture = space.parse(record["arch"])  # type: ignore[attr-defined]
        scores = _scores(record) | _counts(record, architecture, group.data)
        collector.child(group, architecture, scores, _curves(record))
    return collector.write(output, take_over)


def _records(path: str) -> list[Any]:
    with open(path, "rb") as file:
        data = file.read()
    try:
        records = json.loads(gzip.decompress(data) if data.startswith(_GZIP) else data)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is no JSON of NATS-Bench records: {' '.join(str(error).split())}") from None
    if not isinstance(records, list):
        raise InputError(f"{path} should hold a list of records, got {type(records).__name__}")
    return records


def _scores(record: Mapping[str, Any]) -> dict[str, Any]:
    curves = _curves(record)
    test = "x-test" if any(name.startswith("x-test@") for name in record["eval_acc"]) else "ori-test"
    last = _epochs(record) - 1
    known = [value for value in curves["val_acc"] if not math.isnan(value)]
    return {
        "seed": int(record["seed"]),
        "epochs": last + 1,
        "val_acc": curves["val_acc"][-1],
        "val_acc_best": max(known) if len(known) == last + 1 else math.nan,
        "val_loss": curves["val_loss"][-1],
        "train_acc": curves["train_acc"][-1],
        "train_loss": curves["train_loss"][-1],
        "test_acc": fraction(_at(record, "eval_acc", f"{test}@{last}")),
        "test_loss": _at(record, "eval_losses", f"{test}@{last}"),
        "train_seconds": math.fsum(curves["seconds"]),
        "device": DEVICE,
    }


def _counts(record: Mapping[str, Any], architecture: Architecture, data: str) -> dict[str, int]:
    """Closed-form counts of the network, if the data set is one of the benchmark's, and those of the record."""
    published = {
        "published_params": round(record["params_m"] * _MILLION),
        "published_mult_adds": round(record["flops_m"] * _MILLION),
    }
    counts = network_counts(architecture, data)
    return published if counts is None else published | {"params": counts.params, "mult_adds": counts.mult_adds}


def _curves(record: Mapping[str, Any]) -> dict[str, list[float]]:
    epochs = [str(epoch) for epoch in range(_epochs(record))]
    return {
        "train_loss": [_at(record, "train_losses", epoch) for epoch in epochs],
        "train_acc": [fraction(_at(record, "train_acc", epoch)) for epoch in epochs],
        "val_loss": [_at(record, "eval_losses", f"x-valid@{epoch}") for epoch in epochs],
        "val_acc": [fraction(_at(record, "eval_acc", f"x-valid@{epoch}")) for epoch in epochs],
        "seconds": [_at(record, "train_times", epoch) for epoch in epochs],
    }


def _epochs(record: Mapping[str, Any]) -> int:
    return max((int(epoch) for epoch in record["train_acc"]), default=-1) + 1


def _at(record: Mapping[str, Any], values: str, key: str) -> float:
    """A value of a record, NaN where it has none."""
    value = record.get(values, {}).get(key)
    return math.nan if value is None else float(value)
