"""Collection of the operations that ran without a deterministic implementation, for a note in a child's row.

In its mode "warn", torch warns of each such operation. The warnings are collected here instead of being shown.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

NOTE: Final = "not deterministic here: "
"""Start of the note in a row's column `error`; `nasbench verify` searches for it."""

_LONGEST = 200  # characters of a note

# Torch's warnings (aten/src/ATen/Context.cpp), and the name of the operation in each.
_SAID: Final = (
    (re.compile(r"^(.+?) does not have a deterministic implementation"), r"\1"),
    (re.compile(r"this operation is not deterministic because it uses CuBLAS"), "CuBLAS by CUBLAS_WORKSPACE_CONFIG"),
)
_FILTER: Final = r"(?s).*(does not have a deterministic implementation|not deterministic because it uses CuBLAS)"


class Nondeterminism:
    """Names of operations that ran without a deterministic implementation, in the order of their first use."""

    def __init__(self) -> None:
        self._operations: dict[str, None] = {}

    @property
    def operations(self) -> tuple[str, ...]:
        """The names, as torch's warnings give them."""
        return tuple(self._operations)

    @property
    def note(self) -> str:
        """The note for a row, one line of at most 200 characters; "" without such operations."""
        if not self._operations:
            return ""
        said = NOTE + ", ".join(self._operations)
        return said if len(said) <= _LONGEST else said[: _LONGEST - 4].rstrip(", ") + " ..."

    def add(self, operation: str) -> None:
        """Add an operation; a second time changes nothing.

        Args:
            operation: its name.
        """
        self._operations[operation] = None


def operations_in(error: str) -> str:
    """Return the operations named by the note in a row's column `error`.

    Args:
        error: text of the column.

    Returns:
        The names, separated by ", "; "" if there is no note.
    """
    _, noted, rest = error.partition(NOTE)
    return rest.split(";")[0].strip() if noted else ""


class _Collector:
    """Replaces `warnings.showwarning` while there are listeners; each listener gets the warnings of its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[tuple[int, Nondeterminism]] = []
        self._before: warnings.catch_warnings[None] | None = None
        self._show: Any = None

    def start(self, heard: Nondeterminism) -> None:
        with self._lock:
            if not self._listeners:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.filterwarnings("always", message=_FILTER)
                self._show, warnings.showwarning = warnings.showwarning, self._heard
            self._listeners.append((threading.get_ident(), heard))

    def stop(self, heard: Nondeterminism) -> None:
        with self._lock:
            self._listeners = [entry for entry in self._listeners if entry[1] is not heard]
            if not self._listeners and self._before is not None:
                self._before.__exit__(None, None, None)
                self._before = None

    def _heard(self, message: Warning | str, *where: Any, **more: Any) -> None:
        operation = operation_in(str(message))
        ours = [heard for thread, heard in self._listeners if thread == threading.get_ident()]
        if operation and ours:
            ours[-1].add(operation)
        else:
            self._show(message, *where, **more)


_COLLECTOR = _Collector()


def operation_in(message: str) -> str:
    """Return the operation that a warning of torch calls not deterministic.

    Args:
        message: text of the warning.

    Returns:
        Name of the operation; "" for any other warning.
    """
    for pattern, name in _SAID:
        if found := pattern.search(message):
            return found.expand(name)
    return ""


@contextmanager
def collected(heard: Nondeterminism) -> Iterator[None]:
    """Collect the operations without a deterministic implementation that this thread runs in the block.

    Backward passes are included. Torch's warnings about these operations are not shown.

    Args:
        heard: the collection to which they are added.

    Yields:
        Nothing.
    """
    _COLLECTOR.start(heard)
    try:
        yield
    finally:
        _COLLECTOR.stop(heard)
