"""Import of NATS-Bench's records of its two spaces: one training per record, every epoch, as JSON (plain or gzip).

A record has `arch` (the official string), `hp` (epochs, e.g. "12" or "200"), `dataset`, `seed`, `flops_m`, `params_m`,
`train_acc` {epoch: %}, `train_times` {epoch: s} and `eval_acc` {"SPLIT@EPOCH": %}; optional are `train_losses`
{epoch: nats}, `eval_losses` {"SPLIT@EPOCH": nats} and `eval_times` {"SPLIT@EPOCH": s}. The split `x-valid` is the validation set. If there is a split
`x-test`, it is the test set, and `ori-test` is validation and test set together; otherwise `ori-test` is the test set.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.spaces import Architecture, get_space
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.importers.json_stream import read_list
from nasbench.tabular.importers.nasbench201_archive import DEVICE
from nasbench.tabular.nasbench201_networks import network_counts

FORMAT: Final = "nats-bench records"
_TOPOLOGY: Final = "nasbench201"
_SIZE: Final = "nats-size"
_PROTOCOLS: Final = {(_TOPOLOGY, "12"): "nasbench201"}  # of others, the space and the number of epochs
_MILLION: Final = 1e6
_NOTES: Final = (
    "one training a row; eval_seconds are the recorded passes over the validation images, or over the test images where "
    "there is no validation set; the validation curve has a value only for the epochs whose validation was recorded"
)
_NEEDED: Final = ("arch", "hp", "dataset", "seed", "params_m", "flops_m", "train_acc", "train_times", "eval_acc")
_CURVES: Final = ("train_acc", "train_times", "eval_acc", "train_losses", "eval_losses", "eval_times")
_MOST_EPOCHS: Final = 10_000
_MOST: Final = 10**300
_MOST_MILLIONS: Final = 1e12
_MOST_KNOWN: Final = 1_000  # architectures; the records of one follow each other
_EPOCH: Final = re.compile("[0-9]{1,20}")


@describes(
    About(
        what="NATS-Bench, every training of every epoch as JSON records: its topology space and its size space",
        command="nats-bench FILE.json.gz -o OUT.h5",
        licence="MIT",
        size="2.2 MB a cell of the topology space, 34 GB for all 15,625; written from the official files",
        published="https://github.com/D-X-Y/NATS-Bench",
        has=("single seeds", "accuracies and losses of every epoch", "seconds of every epoch", "parameters", "FLOPs"),
        lacks=("latencies, which the files have and which are not read",),
        times=True,
    )
)
def import_records(path: str, output: str, take_over: bool = False) -> Imported:
    """Import the records as a new results file: one run per data set and number of epochs.

    The file is read record by record, and curves go to a temporary file, so that memory does not grow with the curves.

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
    with Collector(source) as collector:
        records = Records(collector)
        for number, record in enumerate(read_list(path, "NATS-Bench records")):
            try:
                records.add(record)
            except InputError as error:
                raise InputError(f"{path}: record {number}: {error}") from None
        return collector.write(output, take_over)


class Records:
    """Adds records to an import.

    Args:
        collector: where their trainings go.
    """

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._known: dict[str, tuple[Architecture, str]] = {}

    def add(self, record: Any) -> None:
        """Check a record, and add its training.

        Args:
            record: see the text at the top of the module.

        Raises:
            InputError: when it is no record, or a value is impossible; the message says why.
        """
        _check(record)
        text = record["arch"]
        if text not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            architecture = read_architecture(text)
            self._known[text] = architecture, architecture.hash
        architecture, digest = self._known[text]
        space, hp = architecture.space.spec, str(record["hp"]).lstrip("0")
        protocol = _PROTOCOLS.get((space, hp), f"{space}-{hp}")
        group = Group(space, protocol, record["dataset"].lower(), _NOTES, _epochs(record))
        curves = _curves(record)
        scores = _scores(record, curves) | _counts(record, architecture, group.data)
        self._collector.child(group, architecture, scores, curves, digest)


def read_architecture(text: str) -> Architecture:
    """Read an architecture of one of the two spaces.

    Args:
        text: the official string: a cell of the topology space, or five numbers of channels of the size space.

    Returns:
        The architecture.

    Raises:
        InputError: when the text is neither.
    """
    size = ":" in text and "|" not in text
    space: Any = get_space(_SIZE if size else _TOPOLOGY)
    architecture: Architecture = space.parse(text)
    return architecture


def _check(record: Any) -> None:
    """Refuse what is no record: absent fields, and values of other kinds."""
    lacking = [name for name in _NEEDED if name not in record] if isinstance(record, dict) else list(_NEEDED)
    if lacking:
        raise InputError(f"it has no {', '.join(lacking)}; it is no NATS-Bench record")
    for name in ("arch", "dataset"):
        if not isinstance(record[name], str):
            raise InputError(f"{name} is a text, got {record[name]!r:.60}")
    if not re.fullmatch("0*[1-9][0-9]{0,8}", str(record["hp"])[:100]):
        raise InputError(f"hp is a number of epochs, e.g. '12', got {record['hp']!r:.60}")
    if isinstance(record["seed"], bool) or not isinstance(record["seed"], int):
        raise InputError(f"seed is a whole number, got {record['seed']!r:.60}")
    for name in ("params_m", "flops_m"):
        if not _fits(record[name]) or not 0 <= record[name] < _MOST_MILLIONS:
            raise InputError(f"{name} is a number of millions, got {record[name]!r:.60}")
    for name in _CURVES:
        values = record.get(name, {})
        if not isinstance(values, dict):
            raise InputError(f"{name} is an object with one value per epoch, got a {type(values).__name__}")
        wrong = next((key for key, value in values.items() if not (value is None or _fits(value))), None)
        if wrong is not None:
            raise InputError(f"{name} of {wrong!r:.40} is a number, got {values[wrong]!r:.60}")
    if not record["train_acc"] or not all(map(_EPOCH.fullmatch, record["train_acc"])):
        raise InputError("train_acc has one value per epoch, named '0', '1', ...")
    if _epochs(record) > _MOST_EPOCHS:
        raise InputError(f"train_acc has an epoch {_epochs(record) - 1}; there are at most {_MOST_EPOCHS}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fits(value: Any) -> bool:
    """Whether a value is a number that a float can have."""
    return _is_number(value) and (isinstance(value, float) or abs(value) < _MOST)


def _scores(record: Mapping[str, Any], curves: Mapping[str, list[float]]) -> dict[str, Any]:
    test = "x-test" if any(name.startswith("x-test@") for name in record["eval_acc"]) else "ori-test"
    last = _epochs(record) - 1
    validated = [value for value in curves["val_acc"] if not math.isnan(value)]
    evaluated = "x-valid" if validated else test
    passes = [_at(record, "eval_times", f"{evaluated}@{epoch}") for epoch in range(last + 1)]
    recorded = [seconds for seconds in passes if not math.isnan(seconds)]
    return {
        "seed": record["seed"],
        "epochs": last + 1,
        "val_acc": curves["val_acc"][-1],
        "val_acc_best": max(validated) if len(validated) == last + 1 else math.nan,
        "val_loss": curves["val_loss"][-1],
        "train_acc": curves["train_acc"][-1],
        "train_loss": curves["train_loss"][-1],
        "test_acc": fraction(_at(record, "eval_acc", f"{test}@{last}")),
        "test_loss": _at(record, "eval_losses", f"{test}@{last}"),
        "train_seconds": math.fsum(curves["seconds"]),
        "eval_seconds": math.fsum(recorded) if recorded else math.nan,
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
