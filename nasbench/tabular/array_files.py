"""Files of arrays with a description: numpy's .npz without the time of day, so that equal contents give equal bytes."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError, printable, require_regular

ENDING: Final = ".npz"
MARKS: Final = (b"about.npy",)  # in every such file
DAMAGE: Final = (KeyError, ValueError, IndexError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file may raise."""
_ABOUT: Final = "about"
_MOST_BYTES: Final = 1_000_000_000  # of one array, unpacked

Arrays = Mapping[str, NDArray[Any]]


def is_array_file(path: Path) -> bool:
    """Whether a file is one of arrays with a description.

    Args:
        path: a file.

    Returns:
        True if it is an archive that has the description.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{_ABOUT}.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def packed(about: Mapping[str, Any], arrays: Arrays) -> bytes:
    """Pack a description and arrays.

    Args:
        about: JSON values.
        arrays: name -> array of numbers.

    Returns:
        The content of the file; equal values give equal bytes with one version of zlib.
    """
    whole = io.BytesIO()
    described = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in {_ABOUT: described, **arrays}.items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue(), compresslevel=9)
    return whole.getvalue()


class ArrayFile:
    """A file of arrays, which are read when they are asked for. Nothing in it is code.

    Args:
        path: the file.
        what: what it should be, for errors, e.g. "compact table".
        kind: value of `kind` in the description.
        newest: the newest value of `format` that this version reads.

    Raises:
        InputError: when the file is of another kind, newer, or damaged.
    """

    def __init__(self, path: Path, what: str, kind: str, newest: int) -> None:
        self.path, self.what = path, what
        require_regular(path, what, "give such a file")
        try:
            with zipfile.ZipFile(path) as archive:
                sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if max(sizes.values(), default=0) > _MOST_BYTES:
                raise ValueError(f"an array has {max(sizes.values()):,} bytes, at most {_MOST_BYTES:,} are read")
            self._arrays = np.load(path, allow_pickle=False)
            about = json.loads(self._arrays[_ABOUT].tobytes())
            found, version = about.get("kind"), about.get("format")
        except FileNotFoundError:
            raise InputError(f"there is no {what} {str(path)!r}") from None
        except (*DAMAGE, AttributeError) as error:
            raise self.damaged(error) from None
        if found != kind or not isinstance(version, int):
            raise InputError(f"{path} is no {what}: it is {printable(str(found))[:60]!r}")
        if version > newest:
            raise InputError(f"{path} is a {what} of format {version}; this version reads {newest}: update nasbench")
        self.about: dict[str, Any] = about

    def array(self, name: str, kind: type) -> NDArray[Any]:
        """Read an array of one dimension.

        Args:
            name: its name.
            kind: type of its numbers.

        Returns:
            The array, converted to the type.

        Raises:
            Exception: of `DAMAGE`, when it is missing or cannot be read.
        """
        array = self._arrays[name]
        if array.ndim != 1:
            raise ValueError(f"array {name!r} has the shape {array.shape}")
        return np.asarray(array).astype(kind)

    def has(self, name: str) -> bool:
        """Whether there is an array of this name.

        Args:
            name: the name.

        Returns:
            True if there is.
        """
        return name in self._arrays.files

    def damaged(self, error: object) -> InputError:
        """Make the error of a damaged file.

        Args:
            error: what was raised while it was read.

        Returns:
            The error, in one line.
        """
        said = printable(" ".join(str(error).split()))[:200]
        return InputError(f"{self.path} is no {self.what}, or is damaged: {said}")
