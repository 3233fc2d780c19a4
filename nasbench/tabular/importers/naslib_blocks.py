"""Reader of NASLib's results: a zip with JSON lists, one per proxy, space, data set and block of architectures.

A file is named PROXY/benchmark--SPACE--DATA--FIRST.json. A record has `idx`, `arch` (numbers in brackets, as text),
`val_accuracy`, and PROXY: {"score", "time"}, the seconds.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.tabular.importers.json_stream import read_json

UNDEFINED: Final = -1e8
"""What NASLib writes for a proxy that is not defined, e.g. of a network whose output does not depend on the image."""

_NAME: Final = re.compile(r"(?:[\w.-]+/)*(?P<proxy>\w+)/benchmark--(?P<space>\w+)--(?P<data>\w+)--(?P<first>\d+)\.json")
_LARGEST: Final = 64 << 20  # bytes of one file, unpacked; the published ones have 150 kB
_MOST: Final = 1 << 30  # bytes of all files, unpacked
_LONGEST: Final = 2_000  # characters of an architecture
_NOT_ZIP: Final = "is no zip of NASLib's JSON files"


@dataclass(frozen=True)
class Scored:
    """An architecture with its score and one proxy.

    Args:
        architecture: as the file writes it.
        accuracy: what the file calls val_accuracy.
        proxy: name of the proxy.
        score: value of the proxy; `UNDEFINED` as the file has it.
        seconds: seconds that it took.
    """

    architecture: str
    accuracy: float
    proxy: str
    score: float
    seconds: float


@dataclass(frozen=True)
class Block:
    """One file of the zip.

    Args:
        name: its name in the zip.
        proxy: folder that it is in, the name of a proxy.
        space: NASLib's name of the space.
        data: name of the data set or task.
        first: number of its first architecture.
    """

    name: str
    proxy: str
    space: str
    data: str
    first: int


def read_blocks(path: str) -> list[tuple[Block, list[Scored]]]:
    """Read all files of a zip.

    Args:
        path: the zip.

    Returns:
        The files in order of space, data set, proxy and number, with their records.

    Raises:
        InputError: when it is no such zip, a file is too large or damaged, or a record has another form; the message names
            the file in the zip and the record.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = _blocks(path, archive)
            if sum(info.file_size for _, info in found) > _MOST:
                raise InputError(f"{path}: its files have more than {_MOST >> 30} GiB unpacked")
            return [(block, list(_records(path, block, _unpack(path, archive, info)))) for block, info in found]
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path} {_NOT_ZIP}: {' '.join(str(error).split()) or type(error).__name__}") from None


def _blocks(path: str, archive: zipfile.ZipFile) -> list[tuple[Block, zipfile.ZipInfo]]:
    found = []
    for info in archive.infolist():
        name = _NAME.fullmatch(info.filename)
        if name is not None and len(info.filename) < _LONGEST:
            found.append((Block(info.filename, name["proxy"], name["space"], name["data"], int(name["first"])), info))
    if not found:
        raise InputError(f"{path} {_NOT_ZIP}: no file is named PROXY/benchmark--SPACE--DATA--FIRST.json")
    return sorted(found, key=lambda each: (each[0].space, each[0].data, each[0].proxy, each[0].first))


def _unpack(path: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    if info.file_size > _LARGEST:
        raise InputError(f"{path}: {info.filename} has {info.file_size:,} bytes; a file has at most {_LARGEST:,}")
    with archive.open(info) as file:
        content = file.read(_LARGEST + 1)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: {info.filename} is no JSON in UTF-8") from None


def _records(path: str, block: Block, text: str) -> Iterator[Scored]:
    try:
        rows = read_json(text)
        if not isinstance(rows, list):
            raise InputError("it is no JSON list")
    except InputError as error:
        raise InputError(f"{path}: {block.name}: {error}") from None
    for number, row in enumerate(rows):
        try:
            yield _scored(block, row)
        except InputError as error:
            raise InputError(f"{path}: {block.name}: record {number}: {error}") from None


def _scored(block: Block, row: Any) -> Scored:
    if not isinstance(row, dict):
        raise InputError(f"it is no object, got {row!r:.60}")
    architecture, proxy = row.get("arch"), row.get(block.proxy)
    if not isinstance(architecture, str) or len(architecture) > _LONGEST:
        raise InputError(f"arch is a text, got {architecture!r:.60}")
    if not isinstance(proxy, dict):
        raise InputError(f"{block.proxy} is an object with score and time, got {proxy!r:.60}")
    return Scored(
        architecture,
        number_of(row, "val_accuracy"),
        block.proxy,
        number_of(proxy, "score"),
        number_of(proxy, "time"),
    )


def number_of(row: dict[str, Any], name: str) -> float:
    """Read a number of a record.

    Args:
        row: the record.
        name: key of the number.

    Returns:
        The number; NaN where it is null or absent.

    Raises:
        InputError: when it is something else than a number, or too large for a float.
    """
    value = row.get(name)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise InputError(f"{name} is a number, got {value!r:.60}")
    return float(value)
