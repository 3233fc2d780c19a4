"""Which files a data set is read from, so that no output replaces one of them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from nasbench.data.image_files import readable_endings
from nasbench.data.source_options import expanded, parse_source
from nasbench.errors import InputError

_KINDS: Final = ("folder", "csv", "npz", "hf")


def is_in_source(text: str, file: Path) -> bool:
    """Check whether a data set is read from a file.

    Args:
        text: a data set as `load_data` takes it, e.g. "folder:pets,size=32"; other texts are allowed.
        file: an existing file.

    Returns:
        Whether it is the file of the data set; an image in its folder; an image that its table lists; or, of a data set
        that the package datasets saved, any file in its folder.
    """
    kind, colon, rest = text.strip().partition(":")
    if not colon or kind not in _KINDS:
        return False
    try:
        path = parse_source(rest, kind).path
        if path.is_file():  # a pipe is not opened: loading the data refuses it
            return path.samefile(file) or (kind == "csv" and _lists(path, file))
        if not path.is_dir() or (kind == "folder" and file.suffix.lower() not in readable_endings()):
            return False
        return file.resolve().is_relative_to(path.resolve())
    except (InputError, OSError, ValueError):  # loading the data says what is wrong with the text
        return False


def _lists(table: Path, file: Path) -> bool:
    """Whether a CSV table of images has a row for a file."""
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as rows:
        try:
            names = [row.get("path") or "" for row in csv.DictReader(rows)]
        except csv.Error:
            return False  # reading the data says so
    alike = (table.parent / expanded(name) for name in names if Path(name).name == file.name)
    return any(each.exists() and each.samefile(file) for each in alike)
