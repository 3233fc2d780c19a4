"""Files in the form of Accel-NASBench: a JSON for each training, in a tar file."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PLATFORMS = ("latency_zcu102", "latency_vck190")
PLATFORMS += tuple(f"throughput_{name}" for name in ("a100", "3090", "tpuv2", "tpuv3", "zcu102", "vck190"))


def training(number: int, top1: float, **changes: Any) -> dict[str, Any]:
    """A training of an architecture that depends on a number; a platform may be None, or another value."""
    architecture: dict[str, Any] = {}
    for block in range(7):
        architecture |= {
            f"block{block}_e": (1, 4, 6)[(number + block) % 3],
            f"block{block}_k": (3, 5)[number % 2],
            f"block{block}_l": 4 if block == 5 and number == 3 else 1 + number % 3,
            f"block{block}_se": block == number,
        }
    measured = {}
    for place, name in enumerate(PLATFORMS):
        metric = name.partition("_")[0]
        value = changes.pop(name, 10.0 + place + number)
        measured[name] = {f"{metric}_mean": value, f"{metric}_std": None}
    metrics = {"val_top1": top1, "val_top5": 80.0, "train_time": 1000.0 + number}
    made = {
        "architecture": architecture,
        "metrics": metrics,
        "model_info": {"macs": 300.25, "params": 2.5},
        "platform_perf": measured,
    }
    return made | changes


def archive(path: Path, trainings: Sequence[Any]) -> Path:
    """Write a tar file as the benchmark's, with one JSON file for each."""
    with tarfile.open(path, "w:gz") as file:
        folder = tarfile.TarInfo("./anb_dataset_jsons")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
        for number, each in enumerate(trainings):
            content = each if isinstance(each, bytes) else json.dumps(each).encode()
            member = tarfile.TarInfo(f"./anb_dataset_jsons/result_{number}.json")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path
