"""Operations without a deterministic implementation: record those that ran, and note them in a child's row.

torch warns of each such operation where it is asked to warn only. The warnings are collected here and not shown.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

NOTE: Final = "not deterministic here: "
"""Start of the note in a row's column `error`; `nasbench verify` looks for it."""

_LONGEST = 200  # characters of a note

# What torch says (aten/src/ATen/Context.cpp), and the operation's name in it.
_SAID: Final = (
    (re.compile(r"^(.+?) does not have a deterministic implementation"), r"\1"),
    (re.compile(r"this operation is not deterministic because it uses CuBLAS"), "CuBLAS by CUBLAS_WORKSPACE_CONFIG"),
)
_FILTER: Final = r"(?s).*(does not have a deterministic implementation|not deterministic because it uses CuBLAS)"


class Nondeterminism:
    """The operations that ran without a deterministic implementation, in the order of their first use."""

    def __init__(self) -> None:
        self._operations: dict[str, None] = {}

    @property
    def operations(self) -> tuple[str, ...]:
        """Their names as torch gives them."""
        return tuple(self._operations)

    @property
    def note(self) -> str:
        """One line for a row, or "" if there are none."""
        if not self._operations:
            return ""
        said = NOTE + ", ".join(self._operations)
        return said if len(said) <= _LONGEST else said[: _LONGEST - 4].rstrip(", ") + " ..."

    def add(self, operation: str) -> None:
        """Remember one."""
        self._operations[operation] = None


def operations_in(error: str) -> str:
    """Return the operations that a note within the text of a row's column `error` names, or "" where it has no note."""
    _, noted, rest = error.partition(NOTE)
    return rest.split(";")[0].strip() if noted else ""


class _Collector:
    """Stands in for `warnings.showwarning` while anyone listens; each listener hears the warnings of its own thread."""

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
    """Return the operation that a torch warning names as not deterministic; "" for any other warning."""
    for pattern, name in _SAID:
        if found := pattern.search(message):
            return found.expand(name)
    return ""


@contextmanager
def collected(heard: Nondeterminism) -> Iterator[None]:
    """Collect what runs in the block on this thread, backward passes included, instead of showing torch's warnings.

    Args:
        heard: is added to.
    """
    _COLLECTOR.start(heard)
    try:
        yield
    finally:
        _COLLECTOR.stop(heard)
