"""Curves of an import in temporary files, because those of a large table do not fit in memory."""

from __future__ import annotations

import contextlib
import io
import tempfile
from array import array
from collections.abc import Iterator, Mapping
from typing import IO, Final

import numpy as np

from nasbench.errors import InputError
from nasbench.store.format.columns import Numbers
from nasbench.store.format.rows import Curves
from nasbench.store.format.schema import CURVES

_NAMES: Final = tuple(curve.name for curve in CURVES)


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """Explain a failing disk for temporary files in one line.

    Yields:
        Nothing.

    Raises:
        InputError: when a file there cannot be made or written.
    """
    try:
        yield
    except OSError as error:
        place = f" {tempfile.tempdir!r}" if tempfile.tempdir else ""
        raise InputError(
            f"the folder for temporary files{place} cannot be written: {error.strerror or error}; free some space, or "
            "name another one in the environment variable TMPDIR"
        ) from None


class CurveFiles:
    """The curves of all children end to end: one temporary file per curve, removed with the object."""

    def __init__(self) -> None:
        self._files: dict[str, IO[bytes]] = {}
        self._lengths = array("q")

    def append(self, curves: Curves) -> None:
        """Add the curves of the next child.

        Args:
            curves: every curve of the schema -> one value per epoch; all may be empty.
        """
        length = len(curves[_NAMES[0]])
        self._lengths.append(length)
        with temporary_files():
            if length and not self._files:
                self._files = {name: tempfile.TemporaryFile() for name in _NAMES}  # noqa: SIM115
            for name, file in self._files.items():
                file.write(np.asarray(curves[name], dtype="<f8").tobytes())

    def lengths(self) -> Numbers:
        """Number of epochs per child: ints, shape [children]."""
        return np.array(self._lengths, dtype="<i8")

    def arrays(self) -> Mapping[str, Numbers]:
        """Curve -> the epochs of all children end to end, as an array over the file that exists while it is used."""
        with temporary_files():
            for file in self._files.values():
                file.flush()
            self._files = self._files or {name: tempfile.TemporaryFile() for name in _NAMES}  # noqa: SIM115
        return MappedArrays(self._files)

    def close(self) -> None:
        """Close and remove the files; what a full disk had no room for is dropped with them."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()


class MappedArrays(Mapping[str, Numbers]):
    """Arrays in files, mapped into memory at each access: one that is no longer used takes no memory.

    Args:
        files: name -> file of the array's bytes, an empty one for no values.
        types: name -> type of the values; those that are not named are floats.
    """

    def __init__(self, files: Mapping[str, IO[bytes]], types: Mapping[str, str] | None = None) -> None:
        self._files, self._types = files, types or {}

    def __getitem__(self, name: str) -> Numbers:
        file, kind = self._files[name], self._types.get(name, "<f8")
        return np.memmap(file, dtype=kind, mode="r") if file.seek(0, io.SEEK_END) else np.zeros(0, dtype=kind)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
