"""Reader of a long JSON list that holds one element in memory, not the whole file."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

from nasbench.errors import InputError

_GZIP: Final = b"\x1f\x8b"
_BLOCK: Final = 1 << 20
_NO_SPACE: Final = re.compile(r"[^ \t\r\n]")
_DEEP: Final = "it is nested too deeply"
_LONG: Final = "it has a whole number of too many digits"
_LARGEST: Final = 64 << 20  # characters of one element; a longer one is a list that is broken


def read_json(text: str) -> Any:
    """Read a JSON text that a stranger wrote.

    Args:
        text: the text.

    Returns:
        Its value.

    Raises:
        InputError: when it is no JSON, nested too deeply, or has a whole number of thousands of digits.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{text[:60]!r} is no JSON that can be read: {_why(error)}") from None


def _why(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return _DEEP
    return " ".join(str(error).split()) if isinstance(error, json.JSONDecodeError) else _LONG


def read_list(path: str, what: str) -> Iterator[Any]:
    """Read the elements of a JSON list, plain or compressed by gzip.

    Args:
        path: the file.
        what: what the list has, for errors, e.g. "NATS-Bench records".

    Yields:
        One element after the other.

    Raises:
        InputError: when the file is no JSON, no list, or ends too early; the message names the element.
    """
    with open(path, "rb") as file:
        packed = file.peek(len(_GZIP)).startswith(_GZIP)
        binary: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        text = io.TextIOWrapper(binary, encoding="utf-8-sig")
        try:
            yield from _Elements(path, what, text)
        except (UnicodeError, OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path} is no JSON of {what}: {' '.join(str(error).split())}") from None


class _Elements:
    def __init__(self, path: str, what: str, text: IO[str]) -> None:
        self.path, self.what, self.text = path, what, text
        self.buffer, self.place = "", 0

    def __iter__(self) -> Iterator[Any]:
        first = self._next()
        if first != "[":
            raise InputError(f"{self.path} should hold a list of {self._kind()}, and begins with {first!r}")
        self.place += 1
        number = 0
        while (char := self._next()) != "]":
            if number:
                if char != ",":
                    raise self._broken(number, f"expected ',' or ']', got {char!r}")
                self.place += 1
                self._next()
            yield self._element(number)
            number += 1
        self.place += 1
        if rest := self._next():
            raise InputError(
                f"{self.path} goes on after its list of {self._kind()}, with {rest!r}: it should hold one list"
            )

    def _kind(self) -> str:
        return "records" if "records" in self.what else self.what

    def _next(self) -> str:
        """Move to the next character that is no space; '' at the end."""
        while True:
            found = _NO_SPACE.search(self.buffer, self.place)
            if found:
                self.place = found.start()
                return found[0]
            self.place = len(self.buffer)
            if not self._more():
                return ""

    def _more(self) -> bool:
        rest = self.buffer[self.place :]
        block = self.text.read(max(_BLOCK, len(rest)))
        if block:
            self.buffer, self.place = rest + block, 0
        return bool(block)

    def _element(self, number: int) -> Any:
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self.buffer, self.place)
            except (ValueError, RecursionError) as error:
                known = len(self.buffer) - self.place
                # More text mends only what is cut off.
                if not isinstance(error, json.JSONDecodeError) or known > _LARGEST or not self._more():
                    raise self._broken(number, _why(error)) from None
                continue
            # A number at the end of the block may go on in the next one: 1 of 1.5, 1.5 of 1.5e+3.
            if end > len(self.buffer) - 3 and not isinstance(value, dict | list | str) and self._more():
                continue
            self.place = end
            return value

    def _broken(self, number: int, why: str) -> InputError:
        return InputError(f"{self.path} is no JSON of {self.what}: record {number}: {why}")
