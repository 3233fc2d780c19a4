"""Import of NAS-Bench-Macro: a JSON object of 6,561 networks with three trainings each.

{"02012100": {"test_acc": [%, %, %], "mean_acc": %, "std": %, "params": int, "flops": int}, ...}
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.importers.json_stream import read_json

FORMAT: Final = "nasbench-macro"
_SPACE: Final = "nasbench-macro"
_EPOCHS: Final = 50
_LARGEST: Final = 64 << 20  # bytes; the published file has 1.2 MB
_MOST_TRAININGS: Final = 100
_CLOSE: Final = 1e-6  # percentage points between a stated mean and that of the trainings
_NOTES: Final = (
    "val_acc and test_acc are one number, the best accuracy on CIFAR-10's test images among 50 epochs of training on all "
    "training images: the benchmark has no validation images, and its searches see what they report. Networks that differ "
    "in the places of identities were trained once and have one hash: rows of one hash and seed are copies"
)


@describes(
    About(
        what="NAS-Bench-Macro: 6,561 chains of MobileNetV2 blocks on CIFAR-10, 3 seeds, 50 epochs",
        command="nasbench-macro nas-bench-macro_cifar10.json -o OUT.h5",
        licence="Apache-2.0",
        size="1.2 MB, 19,683 rows (3,969 networks trained three times, the others are copies)",
        published="https://github.com/xiusu/NAS-Bench-Macro",
        has=("single seeds", "accuracy on the test images", "parameters", "FLOPs"),
        lacks=("validation images: searches see the test accuracy", "losses", "epochs but the best one"),
        times=False,
    )
)
def import_nasbench_macro(path: str, output: str, take_over: bool = False) -> Imported:
    """Import the file as a new results file with one child per network, seed and stage.

    Args:
        path: the JSON file.
        output: the new results file, ending in .h5.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        MissingData: when the file does not exist or has no networks.
        InputError: when it is no such file (the message names the network), or the output exists.
        StoreError: when the output cannot be written.

    Source: Su et al. 2021 (2103.11922) and the benchmark's train.py: seeds 0, 1 and 2 in the order of the list.
    """
    source = ImportSource.of(path, FORMAT)
    space: Any = get_space(_SPACE)
    group = Group(
        _SPACE, "nasbench-macro", "cifar10", _NOTES, _EPOCHS, "all training images, chosen on the test images"
    )
    other_means = 0
    with Collector(source) as collector:
        for text, row in _networks(path).items():
            try:
                architecture = space.parse(text)
                accuracies = _check(row)
                counts = space.count(architecture)
                other_means += _other_mean(row, accuracies)
                shared = {
                    "epochs": _EPOCHS,
                    "params": counts.params,
                    "mult_adds": counts.mult_adds,
                    "published_params": row["params"],
                    "published_mult_adds": row["flops"],
                }
                digest = architecture.hash
                for seed, percent in enumerate(accuracies):
                    accuracy = fraction(percent)
                    scores = {**shared, "val_acc": accuracy, "test_acc": accuracy, "seed": seed}
                    collector.child(group, architecture, scores, digest=digest)
            except InputError as error:
                raise InputError(f"{path}: {text[:40]!r}: {error}") from None
        done = collector.write(output, take_over)
    remark = f"mean_acc is not the mean of test_acc for {other_means:,} networks; the trainings are stored"
    return replace(done, remarks=[*done.remarks, *([remark] if other_means else [])])


def _networks(path: str) -> dict[str, Any]:
    size = Path(path).stat().st_size
    if size > _LARGEST:
        raise InputError(f"{path} has {size:,} bytes; the file of NAS-Bench-Macro has 1.2 million")
    try:
        found = read_json(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{path} is no JSON in UTF-8") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f'{path} is no file of NAS-Bench-Macro: {{"02012100": {{"test_acc": [..], ..}}, ..}}')
    return found


def _check(row: Any) -> list[float]:
    """Return the accuracies of a network, %, after a check of its form."""
    if not isinstance(row, dict):
        raise InputError(f"it is no object, got {row!r:.60}")
    accuracies = row.get("test_acc")
    if not isinstance(accuracies, list) or not 0 < len(accuracies) <= _MOST_TRAININGS:
        raise InputError(f"test_acc is a list with an accuracy per training, got {accuracies!r:.60}")
    for value in accuracies:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise InputError(f"test_acc has accuracies in percent, 0 to 100, got {value!r:.60}")
    for name in ("params", "flops"):
        if type(row.get(name)) is not int or not 0 <= row[name] < 1 << 62:
            raise InputError(f"{name} is a whole number, got {row.get(name)!r:.60}")
    return [float(value) for value in accuracies]


def _other_mean(row: dict[str, Any], accuracies: list[float]) -> bool:
    stated = row.get("mean_acc")
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return False
    return abs(float(stated) - math.fsum(accuracies) / len(accuracies)) > _CLOSE
