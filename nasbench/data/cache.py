"""Decoded data sets on the disk: arrays that are memory-mapped instead of decoded again, and their digests."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.data.dataset import Dataset, Images
from nasbench.data.reading import Reading
from nasbench.user_config import user_setting

CACHE_VERSION = 1
_FIELDS = ("pixels", "labels")
_ARRAYS = tuple(f"{part}_{field}" for part in ("train", "test") for field in _FIELDS)


def data_root() -> Path:
    """Return the folder of data sets and their decoded copies.

    Returns:
        The environment variable NASBENCH_DATA, else `data_folder` of the configuration file, else ~/.cache/nasbench.
    """
    return Path(user_setting("data_folder").value).expanduser()


def cached(key: str, decode: Callable[[], Dataset]) -> Dataset:
    """Read a decoded data set from the disk; the first call decodes and stores it.

    If the folder cannot be written, there is a warning, and each process decodes the data set again.

    Args:
        key: file name for the decoded data; has to be different for different files and options.
        decode: makes the data set.

    Returns:
        The data set; its arrays are memory-mapped unless they were decoded in this call.
    """
    folder = data_root() / "decoded" / f"{key}-v{CACHE_VERSION}"
    stored = _read(folder)
    if stored is not None:
        return stored
    dataset = decode()
    try:
        _write(folder, dataset)
    except OSError as error:
        warnings.warn(
            f"cannot write the decoded data to {folder} ({error.strerror or error}); every process decodes it again. "
            "Set NASBENCH_DATA to a folder that can be written",
            stacklevel=2,
        )
    return dataset


def _read(folder: Path) -> Dataset | None:
    """Return the stored data set, or None if there is none or it is damaged (then it is written again)."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS]
    except (OSError, EOFError, ValueError):  # EOFError: an empty array file
        return None
    train, test = Images(arrays[0], arrays[1]), Images(arrays[2], arrays[3])
    reading = Reading.from_json(meta.get("reading", {}))
    return Dataset(
        meta["name"], tuple(meta["classes"]), train, test, meta["digest"], meta.get("validation_from", 0), reading
    )


def _write(folder: Path, dataset: Dataset) -> None:
    """Write to a temporary folder beside the target and rename it: other processes must not read a partial data set."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    parts: list[NDArray[Any]] = [getattr(part, field) for part in (dataset.train, dataset.test) for field in _FIELDS]
    meta = {
        "name": dataset.name,
        "classes": dataset.classes,
        "digest": dataset.digest,
        "validation_from": dataset.validation_from,
        "reading": dataset.reading.to_json(),
    }
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, array in zip(_ARRAYS, parts, strict=True):
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        (temporary / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        if folder.exists():  # damaged, or just written by another process with equal bytes
            shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
