"""Import of the NAS-Bench-101 data set: a TFRecord of JSON lists, each with its metrics as a protocol buffer.

A record is the JSON list [module hash, epochs, adjacency, operations, metrics]. `adjacency` is the matrix row by row as
a text of 0 and 1; `operations` are comma-separated labels from "input" to "output"; `metrics` is the base64 of a
message ModelMetrics:

    1 evaluation_data      EvaluationData, repeated: before training, halfway, at the end
    2 trainable_parameters int32
    3 total_time           double, seconds
    EvaluationData: 1 current_epoch, 2 training_time (seconds so far, without evaluation), 3 train_accuracy (on 10,000
    fixed training images), 4 validation_accuracy, 5 test_accuracy: doubles, accuracies as fractions;
    6 checkpoint_path: string, not read

Source: google-research/nasbench, nasbench/lib/model_metrics.proto and nasbench/api.py; Ying et al. 2019 (1902.09635).
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import Collector, Group, Imported, ImportSource
from nasbench.tabular.importers.protobuf import Value, double, fields
from nasbench.tabular.importers.tfrecord import read_records

FORMAT: Final = "nasbench101 tfrecord"
_SPACE: Final = "nasbench101"
_EVALUATIONS: Final = 3  # before training, halfway, at the end
_EVALUATION_DATA, _PARAMETERS, _TOTAL_TIME = 1, 2, 3
_NAMES: Final = {1: "epoch", 2: "train_seconds", 3: "train_acc", 4: "val_acc", 5: "test_acc"}
_NOTES: Final = (
    "one training a row, seed: its repeat from 0; train_acc is on 10,000 fixed training images without augmentation; "
    "eval_seconds is the "
    "rest of the total time; the device is a TPU"
)


@describes(
    About(
        what="NAS-Bench-101: 423,624 cells of up to 7 vertices on CIFAR-10, 3 seeds, 4 to 108 epochs",
        command="nasbench101 FILE.tfrecord -o OUT.h5",
        licence="Apache-2.0",
        size="1.95 GB (all epochs, 5,083,488 trainings) or 499 MB (108 epochs, 1,270,872 trainings)",
        published="https://github.com/google-research/nasbench",
        has=("validation, test and training accuracy", "training and evaluation seconds", "parameters"),
        lacks=("losses", "a value for every epoch", "multiply-adds"),
        times=True,
    )
)
def import_nasbench101(path: str, output: str, take_over: bool = False) -> Imported:
    """Import the data set as a new results file: one run per number of epochs, one child per training and stage.

    Args:
        path: the .tfrecord file.
        output: the new results file, ending in .h5.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        MissingData: when the file does not exist or has no records.
        InputError: when a record is damaged or not one of NAS-Bench-101 (the message names it), or the output exists.
            Nothing is written then.
        StoreError: when the output cannot be written.

    Source: Ying et al. 2019 (1902.09635).
    """
    source = ImportSource.of(path, FORMAT)
    known: dict[str, tuple[Architecture, str]] = {}
    repeats: Counter[tuple[str, int]] = Counter()
    with Collector(source) as collector:
        for number, record in enumerate(read_records(path)):
            try:
                module, epochs, adjacency, operations, metrics = _parts(record)
                if module not in known:
                    architecture = _architecture(adjacency, operations)
                    known[module] = architecture, architecture.hash
                # The official file's base64 has line breaks.
                scores = _scores(base64.b64decode("".join(metrics.split()), validate=True), epochs)
            except ValueError as error:  # InputError is one; JSON and base64 raise others
                raise InputError(f"{path}: record {number} is not one of NAS-Bench-101: {error}") from None
            group = Group(_SPACE, f"nasbench101-{epochs}", "cifar10", _NOTES, epochs)
            seed = repeats[module, epochs]
            repeats[module, epochs] += 1
            architecture, digest = known[module]
            try:
                collector.child(group, architecture, {**scores, "seed": seed}, digest=digest)
            except InputError as error:
                raise InputError(f"{path}: record {number}: {error}") from None
        return collector.write(output, take_over)


def _parts(record: bytes) -> tuple[str, int, str, str, str]:
    parts = json.loads(record.decode("utf-8"))
    kinds = (str, int, str, str, str)
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise InputError("expected a JSON list of hash, epochs, adjacency, operations and metrics")
    module, epochs, adjacency, operations, metrics = parts
    return module, epochs, adjacency, operations, metrics


def _architecture(adjacency: str, operations: str) -> Architecture:
    labels = operations.split(",")
    size = len(labels)
    if len(adjacency) != size * size or set(adjacency) - {"0", "1"}:
        raise InputError(f"the adjacency of {size} operations has {size * size} digits 0 or 1, got {adjacency!r}")
    matrix = [[int(digit) for digit in adjacency[row * size : (row + 1) * size]] for row in range(size)]
    space: Any = get_space(_SPACE)
    architecture: Architecture = space.from_matrix(matrix, labels)
    return architecture


def _scores(message: bytes, epochs: int) -> dict[str, Any]:
    evaluations: list[dict[str, float]] = []
    params, total = -1, math.nan
    for number, value in fields(message):
        if number == _EVALUATION_DATA:
            evaluations.append(_evaluation(value))
        elif number == _PARAMETERS and isinstance(value, int):
            params = value
        elif number == _TOTAL_TIME:
            total = double(value)
    if len(evaluations) != _EVALUATIONS:
        raise InputError(f"expected {_EVALUATIONS} evaluations (before, halfway, at the end), got {len(evaluations)}")
    end = evaluations[-1]
    train = end["train_seconds"]
    return {
        "val_acc": end["val_acc"],
        "train_acc": end["train_acc"],
        "test_acc": end["test_acc"],
        "epochs": epochs,
        "params": params,
        "train_seconds": train,
        "eval_seconds": total - train,
        "device_seconds": total,
        "device": "TPU",
    }


def _evaluation(value: Value) -> dict[str, float]:
    if not isinstance(value, bytes):
        raise InputError("an evaluation is a message, got a number")
    found = dict.fromkeys(_NAMES.values(), math.nan)
    for number, content in fields(value):
        if number in _NAMES:
            found[_NAMES[number]] = double(content)
    return found
