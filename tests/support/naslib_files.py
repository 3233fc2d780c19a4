"""Small files in the forms in which NASLib publishes results: zips of JSON lists, and JSON objects."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Record = tuple[str, float, float, float]
"""Architecture, val_accuracy, the proxy's score and its seconds."""


def write_zip(path: Path, blocks: Mapping[str, Sequence[Record]], extra: Mapping[str, str] | None = None) -> Path:
    """Write a zip.

    Args:
        path: the new file.
        blocks: PROXY/SPACE/DATA/FIRST -> records.
        extra: further files, name -> content.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, records in blocks.items():
            proxy, space, data, first = name.split("/")
            rows = [row(proxy, index, *record) for index, record in enumerate(records)]
            archive.writestr(f"{proxy}/benchmark--{space}--{data}--{first}.json", json.dumps(rows))
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path


def row(proxy: str, index: int, architecture: str, accuracy: float, score: float, seconds: float) -> dict[str, Any]:
    """A record as the files have it."""
    found = {"score": score, "time": seconds}
    return {"idx": str(index), "arch": architecture, proxy: found, "val_accuracy": accuracy}


MACRO_NETWORKS = {
    "02012100": {"test_acc": [89.47, 88.95, 89.17], "mean_acc": 89.19666666666666, "std": 0.21, "params": 890666, "flops": 47327744},
    "11111221": {"test_acc": [92.0, 92.5, 92.41], "mean_acc": 92.30333333333333, "std": 0.2, "params": 2181386, "flops": 65012224},
}  # fmt: skip


def write_macro(path: Path, networks: Mapping[str, Any]) -> Path:
    """Write a file of NAS-Bench-Macro."""
    path.write_text(json.dumps(networks))
    return path
