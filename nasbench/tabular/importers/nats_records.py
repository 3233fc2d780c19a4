"""Import of NATS-Bench's records of its topology space: one training per record, every epoch, as JSON (plain or gzip).

A record has `arch` (the official string), `hp` (epochs, "12" or "200"), `dataset`, `seed`, `flops_m`, `params_m`,
`train_acc` {epoch: %}, `train_times` {epoch: s} and `eval_acc` {"SPLIT@EPOCH": %}; optional are `train_losses`
{epoch: nats} and `eval_losses` {"SPLIT@EPOCH": nats}. The split `x-valid` is the validation set. If there is a split
`x-test`, it is the test set, and `ori-test` is validation and test set together; otherwise `ori-test` is the test set.
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
    "one training a row; seconds are those of the training epochs, evaluation was not recorded; the validation curve "
    "has a value only "
    "for the epochs whose validation was recorded"
)
_NEEDED: Final = ("arch", "hp", "dataset", "seed", "params_m", "flops_m", "train_acc", "train_times", "eval_acc")


def import_records(path: str, output: str, take_over: bool = False) -> Imported:
    """Import the records as a new results file: one run per data set and number of epochs.

    Args:
        path: a JSON list of records, .json or .json.gz.
        output: the new results file, ending in .h5.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        MissingData: when the file does not exist or has no records.
        InputError: when it is not such a list (the message names the first wrong record), or the output exists.
        StoreError: when the output cannot be written.
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
    """Return a value of a record, NaN if it is missing."""
    value = record.get(values, {}).get(key)
    return math.nan if value is None else float(value)
