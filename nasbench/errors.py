"""Errors with a message of one line (`DataFaults`: one per fault): mistake, place, allowed values, and the way out."""

from __future__ import annotations

import contextlib
import difflib
import errno
import json
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Final

# Control characters, halves of surrogate pairs (bytes that are no text), line separators, changes of direction, characters
# without a shape, and those that XML forbids.
_UNSHOWN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Write characters that would change a terminal, end a line, or cannot be encoded, as Python writes them.

    Args:
        text: a text of unknown origin, e.g. the name of a file.

    Returns:
        The text in one line, e.g. with a backslash and an n instead of a line break.
    """
    return text if text.isprintable() else _UNSHOWN.sub(lambda found: repr(found[0])[1:-1], text)


def printable_data(text: str) -> str:
    """Write a text of a results file as `printable` does, but so that JSON stays JSON.

    Args:
        text: a text of unknown origin, or JSON.

    Returns:
        The text in one line.
    """
    if _UNSHOWN.search(text) is None:
        return text
    if text.lstrip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            return json.dumps(json.loads(text))
    return printable(text)


_BLAMED: Final = "nasbench_blamed_part"


class NasbenchError(Exception):
    """Base class of the suite's errors; the command line prints the message and exits with `exit_code`."""

    exit_code: ClassVar[int] = 2


class InputError(NasbenchError, ValueError):
    """Raised for a value of the user that is not allowed."""


class DataFaults(InputError):
    """Raised for everything that is wrong with the files of a data set, together.

    Args:
        summary: the data set and what follows from the faults; the first line of the message.
        faults: one line each, which starts with a path; the message has the first twenty.
    """

    MOST: ClassVar[int] = 20

    def __init__(self, summary: str, faults: Sequence[str]) -> None:
        self.summary, self.faults = summary, tuple(map(printable, faults))
        count = len(self.faults)
        lines = [f"{summary}: {count} fault{'s' if count != 1 else ''}", *self.faults[: self.MOST]]
        if count > self.MOST:
            lines.append(f"and {count - self.MOST} more")
        super().__init__("\n  ".join(lines))

    def __reduce__(self) -> tuple[type[DataFaults], tuple[str, tuple[str, ...]]]:
        return type(self), (self.summary, self.faults)


class UnknownName(InputError, LookupError):
    """Raised for a name that does not exist.

    Args:
        kind: kind of the named things, e.g. "protocol".
        name: the unknown name.
        allowed: the existing names; the message lists the first hundred, and suggests a similar one.
    """

    MOST: ClassVar[int] = 100
    LONGEST: ClassVar[int] = 200

    def __init__(self, kind: str, name: str, allowed: Iterable[str]) -> None:
        self.kind, self.name, self.allowed = kind, name, sorted(allowed)
        allowed_names = ", ".join(each[: self.LONGEST] for each in self.allowed[: self.MOST])
        more = f" and {len(self.allowed) - self.MOST} more" if len(self.allowed) > self.MOST else ""
        similar = did_you_mean(name[: self.LONGEST], [each for each in self.allowed if len(each) <= self.LONGEST])
        super().__init__(f"unknown {kind} {name[: self.LONGEST]!r}{similar}; allowed: {allowed_names}{more}")

    def __reduce__(self) -> tuple[type[UnknownName], tuple[str, str, list[str]]]:
        return type(self), (self.kind, self.name, self.allowed)


class MissingData(NasbenchError, FileNotFoundError):
    """Raised for missing data; the message says where it should be or how to get it."""


class MissingExtra(NasbenchError, ImportError):
    """Raised when an optional package is needed and not installed.

    Args:
        package: name of the package.
        extra: the suite's extra that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"this needs the package {package!r}: pip install 'nasbench-suite[{extra}]'")

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.package, self.extra)


def require_regular(path: Path, what: str, instead: str) -> None:
    """Refuse a folder, a pipe, a socket or a device in the place of a file: reading from one may never end.

    Args:
        path: the file; one that does not exist yet is allowed.
        what: kind of the file, e.g. "results file".
        instead: what to give instead.

    Raises:
        InputError: when the path is something else than a file, or no possible name.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            return  # there is no such file yet, or opening it says what is wrong
        raise InputError(f"{what} {str(path)[:100]!r}: {error.strerror}; {instead}") from None
    if not stat.S_ISREG(mode):
        kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
        kind = next((kind for matches, kind in kinds if matches(mode)), "a device")
        raise InputError(f"{str(path)!r} is {kind} and no {what}; {instead}")


@contextlib.contextmanager
def blamed_on(part: str) -> Iterator[None]:
    """Mark exceptions that come from code of others, e.g. a strategy, so that the command line can say whose they are.

    Args:
        part: the code and its call, e.g. "strategy 'mine', ask()".

    Returns:
        A context in which exceptions other than the suite's own are marked; they pass on as they are.

    Raises:
        Exception: the same one that was raised inside.
        InputError: when the code ends the program by `sys.exit`: a command that stops there would look complete.
    """
    try:
        yield
    except NasbenchError:
        raise
    except SystemExit as error:
        raise InputError(f"{part} called sys.exit({error.code!r}); raise an exception in its place") from error
    except Exception as error:
        vars(error).setdefault(_BLAMED, part)
        raise


def blamed_part(error: BaseException) -> str | None:
    """Return whose code raised an exception.

    Args:
        error: the exception.

    Returns:
        The text given to `blamed_on`; None for code of the suite.
    """
    part: str | None = vars(error).get(_BLAMED)
    return part


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return a suggestion for an unknown name: ", did you mean 'x'?".

    Args:
        name: the unknown name.
        allowed: the existing names.

    Returns:
        A clause that starts with a comma; "" if no allowed name is similar.
    """
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""
