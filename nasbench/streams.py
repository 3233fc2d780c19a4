"""Standard streams of a process: control characters are escaped, and text that nobody reads is dropped."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import re
import select
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from nasbench.errors import printable

# Sequences of the first group are kept, others are escaped; line breaks and tabs are neither.
_BUT_COLOURS: Final = re.compile(r"(\x1b\[[0-9;]*m)|[^\n\t\x20-\x7e]")
_BUT_PROGRESS: Final = re.compile(r"(\x1b\[[0-9;]*[mAK]|\r)|[^\n\t\x20-\x7e]")

# Errors of a stream whose reader has ended, or that was opened for reading only. EIO is one of them on a terminal.
_UNREAD: Final = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)


@contextlib.contextmanager
def guarded_streams() -> Iterator[None]:
    """Let the standard streams write control characters as escapes, and drop text that nobody reads.

    This is the one place for terminals and pipes. Names of files and texts of other programs may hold any character.
    Colours, line breaks, tabs and what progress bars need stay. A reader that has ended, e.g. `head` or a terminal that
    was closed, ends no command: files are still to be written, and the exit code may be a verdict. Standard error that
    cannot be written for any reason ends none either.
    """
    out, err = _guards()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            yield
        finally:  # else Python meets what cannot be written while it ends, and changes the exit code
            out.finish()
            err.finish()


def guard_streams() -> None:
    """Do as `guarded_streams`, in a worker process until it ends."""
    if not isinstance(sys.stdout, _Printed):
        sys.stdout, sys.stderr = _guards()


def is_read() -> bool:
    """Check whether standard output may still have a reader.

    Returns:
        False after a reader as `head` has ended, or where the caller has closed the stream.
    """
    return not (isinstance(sys.stdout, _Printed) and sys.stdout.unread)


def wait_while_read(seconds: float) -> bool:
    """Wait, but no longer than standard output has a reader.

    Args:
        seconds: how long, >= 0.

    Returns:
        Whether there may still be a reader.
    """
    if not is_read():
        return False
    try:
        number = sys.stdout.fileno()
    except io.UnsupportedOperation:  # a text in memory in the place of the stream
        time.sleep(seconds)
        return True
    poll = select.poll()
    poll.register(number, 0)  # hang-ups and errors are told in any case
    return not poll.poll(1000 * seconds)


def drop_output() -> None:
    """Send what else goes to standard output nowhere."""
    _drop(sys.stdout)


def _guards() -> tuple[_Printed, _Printed]:
    """The guards of both streams."""
    closed = _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Click takes the binary stream below one of ASCII, and would go round the guard.
            encoding = "utf-8" if codecs.lookup(stream.encoding).name == "ascii" else stream.encoding
            stream.reconfigure(encoding=encoding, errors="backslashreplace")  # for what the encoding lacks
    return (
        _Printed(sys.stdout, _BUT_COLOURS, unread="stdout" in closed),
        _Printed(sys.stderr, _BUT_PROGRESS, unread="stderr" in closed, needed=False),
    )


def _open_closed_streams() -> list[str]:
    """Let standard streams that the caller has closed read and write nothing; return their names.

    The next file that is opened would get the number of a closed stream, and what is printed there.
    """
    closed = []
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the least free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))
            closed.append(name)
    return closed


def _drop(stream: Any) -> None:
    with contextlib.suppress(io.UnsupportedOperation):  # a text in memory in the place of a stream
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


class _Printed:
    """A text stream that escapes what it writes, drops it after its reader has ended, and is otherwise the stream itself.

    Args:
        stream: the stream.
        unwanted: what is escaped, except its first group.
        unread: whether nobody reads it from the start.
        needed: whether text that cannot be written, e.g. on a full disk, is an error.
    """

    def __init__(self, stream: Any, unwanted: re.Pattern[str], unread: bool, needed: bool = True) -> None:
        self._stream, self._unwanted, self._needed = stream, unwanted, needed
        self._terminal = stream.isatty()  # asked now, because one that is gone says no
        self.unread = unread

    def write(self, text: str) -> int:
        if not (text.isascii() and text.replace("\n", "").isprintable()):  # ten times as fast as the expression
            text = self._unwanted.sub(_kept_or_escaped, text)
        try:
            return int(self._stream.write(text))
        except OSError as error:
            self._lose(error)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def finish(self) -> None:
        """Write what is in the buffer, or drop what cannot be written: nobody is left to be told."""
        try:
            self.flush()
        except OSError:
            _drop(self._stream)
            self._stream.flush()

    def _lose(self, error: OSError) -> None:
        """Send nowhere what is in the buffer, and what comes later; raise an error that has another reason."""
        hung_up = self._terminal and error.errno == errno.EIO
        if self._needed and not hung_up and error.errno not in _UNREAD:
            raise error
        self.unread = True
        _drop(self._stream)
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _kept_or_escaped(found: re.Match[str]) -> str:
    return found[0] if found[1] else printable(found[0])
