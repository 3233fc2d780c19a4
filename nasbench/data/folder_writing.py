"""Writing of a data set as a folder of image files, which `folder:PATH` reads."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import numpy as np

from nasbench.data.dataset import Dataset, Images
from nasbench.errors import InputError
from nasbench.processes import process_runs

LONGEST_NAME = 200  # bytes of a folder's name; file systems allow 255
LEFT_OVER_SECONDS = 60
_PARTS = frozenset({"train", "val", "test"})


def require_new_folder(folder: Path) -> None:
    """Refuse a folder to which no data set can be written.

    Args:
        folder: the folder; one that is missing or empty is allowed.

    Raises:
        InputError: when something else is there, or the text is no name of a folder.
    """
    if not folder.name:
        raise InputError(f"{str(folder)!r} is no name of a new folder; give one, e.g. results/images")
    if folder.is_symlink():
        raise InputError(f"{str(folder)!r} is a link, which is not followed; choose another folder")
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{str(folder)!r} exists and is no folder; choose another name")
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{str(folder)!r} exists and is not empty; choose another folder")
    except OSError as error:
        raise InputError(f"cannot write {str(folder)!r}: {error.strerror or error}") from None


def write_folder(data: Dataset, folder: Path, classes: int = 0, per_class: int = 0) -> int:
    """Write the images of a data set as PNG files: `train/<class>/<number>.png`, `test/` and, if there is one, `val/`.

    The folder appears when it is complete. An existing folder must be empty. What a killed process left beside it,
    `<folder>.<process>.writing`, is removed.

    Args:
        data: the data set.
        folder: the folder; it and the folders above it are made if they are missing.
        classes: number of classes, the first ones, >= 2; 0 for all.
        per_class: most images of a class in each of train/, val/ and test/, the first ones, >= 1; 0 for all.

    Returns:
        The number of files.

    Raises:
        InputError: when the folder is not empty or cannot be written, there are fewer classes, or the name of a class
            is no name of a folder.
    """
    if classes > len(data.classes):
        raise InputError(f"data {data.name!r} has {len(data.classes)} classes, not {classes}")
    names = data.classes[: classes or None]
    if strange := [name for name in names if not _is_folder_name(name)]:
        raise InputError(
            f"data {data.name!r}: class {strange[0]!r} is no name of a folder; there is no way to write it"
        )
    border = data.validation_from or len(data.train)
    parts = {
        "train": Images(data.train.pixels[:border], data.train.labels[:border]),
        "val": Images(data.train.pixels[border:], data.train.labels[border:]),
        "test": data.test,
    }
    require_new_folder(folder)
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}.writing")
    try:
        _remove_left_over(folder)
        fresh.mkdir(parents=True)
        try:
            count = sum(_write_part(fresh / name, part, names, per_class) for name, part in parts.items() if len(part))
            if folder.exists():
                folder.rmdir()  # it is empty
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise InputError(f"cannot write {str(folder)!r}: {error.strerror or error}") from None
    return count


def _remove_left_over(folder: Path) -> None:
    """Remove what killed processes left beside a folder.

    Only after a minute without change: several machines may write into one folder, and the process may run on another.
    """
    if not folder.parent.is_dir():
        return
    name = re.compile(re.escape(folder.name) + r"\.(\d{1,10})\.writing")
    for entry in os.scandir(folder.parent):
        found = name.fullmatch(entry.name)
        if not found or not entry.is_dir(follow_symlinks=False) or _runs(int(found[1])):
            continue
        parts = list(os.scandir(entry.path))
        latest = max(each.stat(follow_symlinks=False).st_mtime for each in [entry, *parts])
        if {each.name for each in parts} <= _PARTS and time.time() - latest > LEFT_OVER_SECONDS:
            shutil.rmtree(entry.path)


def _runs(process: int) -> bool:
    if process == os.getpid():
        return False  # an earlier process had the same number
    return process_runs(process)


def _write_part(folder: Path, images: Images, names: tuple[str, ...], per_class: int) -> int:
    """Write some images, and return their number."""
    from PIL import Image

    count = 0
    for label, name in enumerate(names):
        chosen = np.flatnonzero(images.labels == label)[: per_class or None]
        (folder / name).mkdir(parents=True)
        for number, index in enumerate(chosen):
            pixels = images.pixels[index]
            picture = Image.fromarray(
                pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
            )
            picture.save(folder / name / f"{number:0{len(str(len(chosen) - 1))}}.png")
        count += len(chosen)
    return count


def _is_folder_name(name: str) -> bool:
    """Check that a folder can have the name, and that it is not hidden."""
    hidden = name.startswith(".") or name == "__MACOSX"
    return bool(name) and not hidden and "/" not in name and "\0" not in name and len(name.encode()) <= LONGEST_NAME
