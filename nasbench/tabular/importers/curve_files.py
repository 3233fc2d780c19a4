"""Curves of an import in temporary files, because those of a large table do not fit in memory."""

from __future__ import annotations

import tempfile
from array import array
from typing import IO, Final

import numpy as np

from nasbench.store.format.columns import Numbers
from nasbench.store.format.rows import Curves
from nasbench.store.format.schema import CURVES

_NAMES: Final = tuple(curve.name for curve in CURVES)


class CurveFiles:
    """The curves of all children end to end: one temporary file per curve, which has no name and ends with the object."""

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
        if length and not self._files:
            self._files = {name: tempfile.TemporaryFile() for name in _NAMES}  # noqa: SIM115
        for name, file in self._files.items():
            file.write(np.asarray(curves[name], dtype="<f8").tobytes())

    def lengths(self) -> Numbers:
        """Number of epochs per child: ints, shape [children]."""
        return np.array(self._lengths, dtype="<i8")

    def arrays(self) -> dict[str, Numbers]:
        """Curve -> the epochs of all children end to end, as arrays over the files."""
        if not self._files:
            return {name: np.zeros(0, dtype="<f8") for name in _NAMES}
        for file in self._files.values():
            file.flush()
        return {name: np.memmap(file, dtype="<f8", mode="r") for name, file in self._files.items()}

    def close(self) -> None:
        """Close and remove the files."""
        for file in self._files.values():
            file.close()
