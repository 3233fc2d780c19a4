"""Files in the official form of NATS-Bench: `.pickle.pbz2` of one architecture, of a folder of them, and of a whole benchmark."""

from __future__ import annotations

import bz2
import pickle
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("ori-test", "x-valid", "x-test"),
    "ImageNet16-120": ("ori-test", "x-valid", "x-test"),
}
GENOTYPE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def dump(path: Path, value: Any) -> Path:
    """Write an object as the benchmark's `pickle_save` does: protocol 4, compressed by bzip2."""
    with bz2.BZ2File(path, "wb") as file:
        pickle.dump(value, file, protocol=4)
    return path


def training(
    arch: str, dataset: str, seed: int, epochs: int, level: float, params: float, flops: float
) -> dict[str, Any]:
    """State of one training, as `ResultsCount.state_dict` gives it; latency and counts are NumPy's scalars."""
    names = [f"{name}@{epoch}" for name in SETS[dataset] for epoch in range(epochs)]
    return {
        "name": dataset,
        "net_state_dict": None,
        "train_acc1es": {epoch: level + epoch / 10 for epoch in range(epochs)},
        "train_acc5es": dict.fromkeys(range(epochs), 99.0),
        "train_losses": {epoch: 2.0 - epoch / 100 for epoch in range(epochs)},
        "train_times": OrderedDict((epoch, 5.5) for epoch in range(epochs)),
        "arch_config": {
            "name": "infer.shape.tiny",
            "channels": arch,
            "arch_str": arch,
            "genotype": GENOTYPE,
            "class_num": 10,
        },
        "params": np.float64(params),
        "flop": np.float64(flops),
        "seed": f"{seed:04d}",
        "epochs": epochs,
        "latency": [np.float64(0.0125)],
        "eval_names": list(SETS[dataset]),
        "eval_acc1es": {name: level + place / 1000 for place, name in enumerate(names)},
        "eval_times": dict.fromkeys(names, 0.75),
        "eval_losses": {name: 1.5 + place / 1000 for place, name in enumerate(names)},
    }


def architecture(
    index: int,
    arch: str,
    hps: Sequence[str] = ("01", "12", "90"),
    level: float = 40.0,
    params: float = 0.05,
    flops: float = 8.0,
) -> Any:
    """All results of one architecture: number of epochs as text -> state, as `ArchResults.state_dict` gives it."""
    results = OrderedDict()
    for hp in hps:
        trainings = {(dataset, 777): training(arch, dataset, 777, int(hp), level, params, flops) for dataset in SETS}
        results[hp] = {
            "arch_index": index,
            "arch_str": arch,
            "all_results": trainings,
            "dataset_seed": {dataset: [777] for dataset in SETS},
            "clear_net_done": True,
        }
    return results


def whole(architectures: dict[int, Any], archs: Sequence[str]) -> dict[str, Any]:
    """The object of a benchmark file."""
    return {
        "meta_archs": list(archs),
        "total_archs": len(archs),
        "arch2infos": architectures,
        "evaluated_indexes": set(architectures),
    }


def folder(path: Path, architectures: dict[int, Any], archs: Sequence[str]) -> Path:
    """Write an archive folder: a file for each architecture, and one of their names."""
    path.mkdir()
    for index, results in architectures.items():
        dump(path / f"{index:06d}.pickle.pbz2", results)
    dump(path / "meta.pickle.pbz2", whole({}, archs) | {"arch2infos": None})
    return path
