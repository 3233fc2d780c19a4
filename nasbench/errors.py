"""Errors that end in one clear line: what is wrong, where, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NasbenchError(Exception):
    """Any error this suite raises on purpose; the command line prints it as one line and exits with 2."""

    exit_code: int = 2


class InputError(NasbenchError, ValueError):
    """A value given by the user is not usable."""


class UnknownName(InputError, LookupError):
    """A name that is in no registry."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str]) -> None:
        self.kind, self.name, self.allowed = kind, name, sorted(allowed)
        super().__init__(
            f"unknown {kind} {name!r}{did_you_mean(name, self.allowed)}; allowed: {', '.join(self.allowed)}"
        )

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, list[str]]]:
        return type(self), (self.kind, self.name, self.allowed)


class MissingData(NasbenchError, FileNotFoundError):
    """A data file is missing; the message states how to get it."""


class MissingExtra(NasbenchError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"this needs the package {package!r}: pip install 'nasbench-suite[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.package, self.extra)


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ", did you mean 'x'?" for the closest allowed name, or nothing.

    Args:
        name: the name as written.
        allowed: the names that would have been right.

    Returns:
        A clause that starts with a comma, or the empty string when nothing is close.
    """
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""
