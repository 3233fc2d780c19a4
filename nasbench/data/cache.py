"""Decoded data sets on the disk: arrays that are memory-mapped instead of decoded again, with their checksums.

A training does not notice that its images are others than the data set's: another accuracy, and nothing else. Therefore
each process compares the checksums of all arrays when it opens them, and decodes the data set again where they do not
fit.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.data.dataset import Dataset, Images
from nasbench.data.reading import Reading
from nasbench.errors import NasbenchError
from nasbench.user_config import user_setting

CACHE_VERSION = 2
_BLOCK_BYTES = 1 << 24
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

    If the stored copy is damaged, there is a warning, and the data set is decoded and stored again. If the folder cannot
    be written, there is a warning, and each process decodes the data set again.

    Args:
        key: file name for the decoded data; has to be different for different files and options.
        decode: makes the data set.

    Returns:
        The data set; its arrays are memory-mapped unless they were decoded in this call.
    """
    folder = data_root() / "decoded" / f"{key}-v{CACHE_VERSION}"
    if folder.exists():
        try:
            return _read(folder)
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            NasbenchError,
        ) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            warnings.warn(f"the decoded data in {folder} is damaged ({why}); it is decoded again", stacklevel=2)
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


def _read(folder: Path) -> Dataset:
    """Read a stored data set. Whatever is wrong with it is an exception, of the kind that the damage causes."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS}
    for name, array in arrays.items():
        if checksum(array) != meta["checksums"][name]:
            raise ValueError(f"the checksum of {name}.npy does not fit")
    train, test = (Images(arrays[f"{part}_pixels"], arrays[f"{part}_labels"]) for part in ("train", "test"))
    return Dataset(
        str(meta["name"]),
        tuple(map(str, meta["classes"])),
        train,
        test,
        str(meta["digest"]),
        int(meta["validation_from"]),
        Reading.from_json(meta["reading"]),
    )


def checksum(array: NDArray[Any]) -> str:
    """Compute the CRC-32 of an array's type, shape and bytes, at about 4 GB per second.

    Args:
        array: the array, memory-mapped or not.

    Returns:
        Eight hexadecimal digits.
    """
    value = zlib.crc32(f"{array.dtype.str} {array.shape}".encode())
    rows = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):  # a memory-mapped array need not fit into memory
        value = zlib.crc32(np.ascontiguousarray(array[start : start + rows]).view(np.uint8).data, value)
    return f"{value:08x}"


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
        "checksums": {name: checksum(array) for name, array in zip(_ARRAYS, parts, strict=True)},
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
