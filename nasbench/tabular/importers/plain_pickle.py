"""Reader of pickles that strangers wrote: containers, numbers and texts, and nothing that is ever called or imported.

A pickle is a program. Python's reader runs it, and so runs whatever its author wished. This one knows the instructions that
make dicts, lists, tuples, sets, numbers and texts, and refuses all others. Of named objects it knows an empty
`collections.OrderedDict` and NumPy's scalars, which it makes itself: no name leads to an import or a call.

Everything that is held in memory is bounded: the number of values of one item, the length of texts, the depth of
containers. The items of one large dict can be read one after the other.
"""

from __future__ import annotations

import bz2
import io
import struct
import tempfile
from array import array
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from nasbench.errors import InputError

_BLOCK: Final = 1 << 18
_LONGEST_OPERAND: Final = 9
MOST_VALUES: Final = 1_000_000
"""Instructions of one item, e.g. of one architecture; those of NATS-Bench have about 60,000."""
MOST_TEXT: Final = 16 << 20  # bytes of all texts of one item
MOST_DIFFERENT_TEXTS: Final = 2_000_000  # of a whole file
_MOST_MARKS: Final = 64
_LONGEST_LONG: Final = 8  # bytes of a whole number
_LONGEST_GLOBAL: Final = 200
_MOST_FOUND: Final = 100_000
_BZIP2: Final = b"BZh"

_PROTO, _FRAME, _STOP, _MARK = 0x80, 0x95, ord("."), ord("(")
_EMPTY_DICT, _EMPTY_LIST, _EMPTY_TUPLE, _EMPTY_SET = ord("}"), ord("]"), ord(")"), 0x8F
_SETITEM, _SETITEMS, _APPEND, _APPENDS, _ADDITEMS = ord("s"), ord("u"), ord("a"), ord("e"), 0x90
_TUPLE, _TUPLE1, _TUPLE2, _TUPLE3 = ord("t"), 0x85, 0x86, 0x87
_NONE, _TRUE, _FALSE = ord("N"), 0x88, 0x89
_BININT, _BININT1, _BININT2, _LONG1, _BINFLOAT = ord("J"), ord("K"), ord("M"), 0x8A, ord("G")
_SHORT_TEXT, _TEXT, _SHORT_BYTES = 0x8C, ord("X"), ord("C")
_MEMOIZE, _PUT, _LONG_PUT, _GET, _LONG_GET = 0x94, ord("q"), ord("r"), ord("h"), ord("j")
_GLOBAL, _STACK_GLOBAL, _REDUCE, _BUILD = ord("c"), 0x93, ord("R"), ord("b")

_FLOAT, _INT, _SIZE, _SHORT = struct.Struct(">d"), struct.Struct("<i"), struct.Struct("<I"), struct.Struct("<H")
_CODES: Final = {
    "f8": "d",
    "f4": "f",
    "i8": "q",
    "i4": "i",
    "i2": "h",
    "i1": "b",
    "u8": "Q",
    "u4": "I",
    "u2": "H",
    "u1": "B",
}
_NUMBERS: Final = {name: struct.Struct(f"<{code}") for name, code in (_CODES | {"b1": "?"}).items()}


class _Known:
    """An object that a pickle may name."""


class _Ordered(_Known):
    """The class OrderedDict: calling it makes a dict."""


class _Scalar(_Known):
    """NumPy's maker of scalars."""


class _Dtypes(_Known):
    """NumPy's maker of types of numbers."""


class _Dtype(_Known):
    """A type of numbers."""

    def __init__(self, name: str) -> None:
        self.name = name


_NAMED: Final[dict[str, object]] = {
    "collections.OrderedDict": _Ordered(),
    "numpy.core.multiarray.scalar": _Scalar(),
    "numpy._core.multiarray.scalar": _Scalar(),
    "numpy.dtype": _Dtypes(),
}


class PlainPickle:
    """A pickle in a file, plain or compressed by bzip2.

    Args:
        path: the file.
        what: what it should be, for errors, e.g. "NATS-Bench's results".
        opened: opens the pickle where it is a part of the file; None for the file itself.
    """

    def __init__(self, path: str, what: str, opened: Callable[[], IO[bytes]] | None = None) -> None:
        self.path, self.what = path, what
        self._opened = opened or (lambda: open(path, "rb"))  # noqa: SIM115

    def value(self) -> Any:
        """Read the whole object, which is held in memory.

        Returns:
            It: dicts, lists, tuples, sets, numbers, texts and None.

        Raises:
            InputError: when it has anything else, is damaged, or is too large.
        """
        (value,) = [value for _, value in self.items(None)]
        return value

    def items(self, name: str | None) -> Iterator[tuple[Any, Any]]:
        """Read the items of one large dict, each of which is forgotten before the next one is read.

        Args:
            name: key in the outermost dict whose value is the large dict; None to read the whole object.

        Yields:
            Its pairs of key and value; last, None and the whole object, without those pairs.

        Raises:
            InputError: when the pickle has anything but plain values, is damaged, or is too large.
        """
        try:
            with self._opened() as raw:
                packed = isinstance(raw, io.BufferedReader) and raw.peek(len(_BZIP2)).startswith(_BZIP2)
                file: IO[bytes] = bz2.BZ2File(raw) if packed else raw
                with _Machine(file) as machine:
                    yield from machine.run(name)
        except _Refused as error:
            raise InputError(
                f"{self.path}: the pickle {error}; {self.what} have numbers, texts and containers only"
            ) from None
        except (OSError, EOFError, IndexError, struct.error, UnicodeError, ValueError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            why = "it ends too early" if isinstance(error, IndexError | struct.error) else " ".join(str(error).split())
            raise InputError(f"{self.path} is no pickle of {self.what}: {why}") from None


class _Refused(Exception):
    """Raised for an instruction that plain values do not need; the message continues "the pickle"."""


class _Memo:
    """The objects that a pickle may refer to again: all of the current item, and the texts of earlier ones.

    Texts of earlier items are numbers of different texts in a temporary file, so that memory does not grow with the file.
    Named objects are kept.
    """

    def __init__(self) -> None:
        self.current: list[Any] = []
        self.begin = 0
        self._old: IO[bytes] | None = None
        self._found: dict[int, Any] = {}
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def get(self, place: int) -> Any:
        if place >= self.begin + len(self.current):
            raise _Refused("refers to an object that it has not made")
        if place >= self.begin:
            return self.current[place - self.begin]
        found = self._found.get(place)
        if found is None:
            assert self._old is not None
            self._old.seek(4 * place)
            number = _INT.unpack(self._old.read(4))[0]
            if number < 0:
                raise _Refused("refers to a container of an earlier architecture")
            found = self._texts[number]
            if len(self._found) < _MOST_FOUND:
                self._found[place] = found
        return found

    def put(self, place: int, value: Any) -> None:
        if place != self.begin + len(self.current):
            raise _Refused("numbers its objects in an unusual order")
        self.current.append(value)

    def forget(self) -> None:
        """Keep the texts of the current item, and nothing else."""
        if self._old is None:
            self._old = tempfile.TemporaryFile()  # noqa: SIM115
        numbers = array("i")
        for place, value in enumerate(self.current, self.begin):
            if type(value) is not str:
                if isinstance(value, _Known):
                    self._found[place] = value
                numbers.append(-1)
                continue
            number = self._numbers.get(value)
            if number is None:
                if len(self._texts) >= MOST_DIFFERENT_TEXTS:
                    raise _Refused(f"has more than {MOST_DIFFERENT_TEXTS:,} different texts")
                number = self._numbers[value] = len(self._texts)
                self._texts.append(value)
            numbers.append(number)
        self._old.seek(4 * self.begin)
        self._old.write(numbers.tobytes())
        self.begin += len(self.current)
        self.current.clear()

    def close(self) -> None:
        if self._old is not None:
            self._old.close()


class _Machine:
    """Carries out the instructions of one pickle."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._memo = _Memo()

    def __enter__(self) -> _Machine:
        return self

    def __exit__(self, *unused: object) -> None:
        self._memo.close()

    def run(self, name: str | None) -> Iterator[tuple[Any, Any]]:
        memo = self._memo
        stack: list[Any] = []
        below: list[list[Any]] = []
        large = -1  # number of marks at which pairs of the large dict are on the stack
        data, place, end = b"", 0, 0
        left, text_left = MOST_VALUES, MOST_TEXT
        while True:
            if end - place < _LONGEST_OPERAND:
                data = data[place:] + self._file.read(_BLOCK)
                place, end = 0, len(data)
            code = data[place]
            place += 1
            left -= 1
            if left < 0:
                raise _Refused(f"has more than {MOST_VALUES:,} values in one item")
            if code == _BINFLOAT:
                stack.append(_FLOAT.unpack_from(data, place)[0])
                place += 8
            elif code == _BININT1:
                stack.append(data[place])
                place += 1
            elif code in (_SHORT_TEXT, _TEXT, _SHORT_BYTES):
                if code == _TEXT:
                    size = _SIZE.unpack_from(data, place)[0]
                    place += 4
                else:
                    size = data[place]
                    place += 1
                text_left -= size
                if text_left < 0:
                    raise _Refused(f"has more than {MOST_TEXT >> 20} MiB of texts in one item")
                if end - place < size:
                    data = data[place:] + self._file.read(max(_BLOCK, size))
                    place, end = 0, len(data)
                    if end < size:
                        raise EOFError("it ends too early")
                part = data[place : place + size]
                stack.append(part if code == _SHORT_BYTES else part.decode("utf-8"))
                place += size
            elif code == _MEMOIZE:
                memo.current.append(stack[-1])
            elif code == _GET:
                stack.append(memo.get(data[place]))
                place += 1
            elif code == _LONG_GET:
                stack.append(memo.get(_SIZE.unpack_from(data, place)[0]))
                place += 4
            elif code == _BININT2:
                stack.append(_SHORT.unpack_from(data, place)[0])
                place += 2
            elif code == _MARK:
                if len(below) >= _MOST_MARKS:
                    raise _Refused(f"nests more than {_MOST_MARKS} containers")
                if name is not None and len(below) == 1 and len(stack) >= 2 and stack[-2] == name:
                    large = 2
                below.append(stack)
                stack = []
            elif code in (_SETITEMS, _SETITEM):
                if code == _SETITEMS:
                    pairs, stack = stack, below.pop()
                    if len(below) + 1 == large:
                        large = -1
                else:
                    pairs = stack[-2:]
                    del stack[-2:]
                _set_items(stack[-1], pairs)
                if len(below) == large and len(stack) == 2:
                    yield stack[0], stack[1]
                    stack.clear()
                    memo.forget()
                    left, text_left = MOST_VALUES, MOST_TEXT
            elif code == _EMPTY_DICT:
                stack.append({})
            elif code == _EMPTY_LIST:
                stack.append([])
            elif code == _EMPTY_TUPLE:
                stack.append(())
            elif code == _EMPTY_SET:
                stack.append(set())
            elif code == _APPENDS:
                values, stack = stack, below.pop()
                _plain(stack[-1], list).extend(values)
            elif code == _APPEND:
                value = stack.pop()
                _plain(stack[-1], list).append(value)
            elif code == _ADDITEMS:
                values, stack = stack, below.pop()
                _plain(stack[-1], set).update([_key(value) for value in values])
            elif code == _TUPLE:
                values, stack = stack, below.pop()
                stack.append(tuple(values))
            elif code in (_TUPLE1, _TUPLE2, _TUPLE3):
                size = code - _TUPLE1 + 1
                if len(stack) < size:
                    raise IndexError
                parts = tuple(stack[-size:])
                stack[-size:] = [parts]
            elif code in (_NONE, _TRUE, _FALSE):
                stack.append(None if code == _NONE else code == _TRUE)
            elif code == _BININT:
                stack.append(_INT.unpack_from(data, place)[0])
                place += 4
            elif code == _LONG1:
                size = data[place]
                if size > _LONGEST_LONG or end - place <= size:
                    raise _Refused("has a whole number of too many digits")
                stack.append(int.from_bytes(data[place + 1 : place + 1 + size], "little", signed=True))
                place += 1 + size
            elif code == _PUT:
                memo.put(data[place], stack[-1])
                place += 1
            elif code == _LONG_PUT:
                memo.put(_SIZE.unpack_from(data, place)[0], stack[-1])
                place += 4
            elif code == _STACK_GLOBAL:
                names = stack[-2:]
                stack[-2:] = [_named(".".join(_plain(each, str) for each in names))]
            elif code == _GLOBAL:
                stop = data.find(b"\n", data.find(b"\n", place) + 1)
                while stop < 0 and end - place < _LONGEST_GLOBAL and (more := self._file.read(_BLOCK)):
                    data, place = data[place:] + more, 0
                    end = len(data)
                    stop = data.find(b"\n", data.find(b"\n") + 1)
                if not 0 <= stop - place < _LONGEST_GLOBAL:
                    raise _Refused("names an object at too great length")
                stack.append(_named(data[place:stop].decode("utf-8").replace("\n", ".")))
                place = stop + 1
            elif code == _REDUCE:
                arguments = stack.pop()
                stack[-1] = _made(stack[-1], arguments)
            elif code == _BUILD:
                state = stack.pop()
                _check_state(stack[-1], state)
            elif code == _PROTO:
                place += 1
            elif code == _FRAME:
                place += 8
            elif code == _STOP:
                break
            else:
                raise _Refused(f"has the instruction {code:#04x}, which plain values do not need")
        if below or len(stack) != 1:
            raise _Refused("leaves unfinished containers")
        (whole,) = stack
        if name is not None and type(whole) is dict and type(whole.get(name)) is dict:
            yield from whole[name].items()
            whole[name] = {}
        yield None, whole


def _plain(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise _Refused(f"treats a {_kind(value)} as a {kind.__name__}")
    return value


def _kind(value: Any) -> str:
    return type(value).__name__.lstrip("_").lower()


def _key(value: Any) -> Any:
    """A key or a member of a set: a number or a text, or a tuple of them, so that hashing it never recurses."""
    kind = type(value)
    if kind is int or kind is str or kind is float:
        return value
    if kind is tuple and all(type(part) in (int, str, float) for part in value):
        return value
    raise _Refused(f"has a {_kind(value)} as a key, which is no text, no number and no tuple of them")


def _set_items(target: Any, pairs: list[Any]) -> None:
    items = _plain(target, dict)
    if len(pairs) % 2:
        raise _Refused("has a key without a value")
    for place in range(0, len(pairs), 2):
        key = pairs[place]
        kind = type(key)
        items[key if kind is int or kind is str else _key(key)] = pairs[place + 1]


def _named(name: str) -> object:
    if name not in _NAMED:
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:80])
        raise _Refused(f"names {shown}, which is never imported or called")
    return _NAMED[name]


def _made(maker: Any, arguments: Any) -> Any:
    """What calling a known object gives, made here."""
    if isinstance(maker, _Ordered) and arguments == ():
        return {}
    if isinstance(maker, _Dtypes) and type(arguments) is tuple and len(arguments) == 3:
        name = arguments[0]
        if type(name) is str and name in _NUMBERS:
            return _Dtype(name)
    if isinstance(maker, _Scalar) and type(arguments) is tuple and len(arguments) == 2:
        kind, content = arguments
        if type(kind) is _Dtype and type(content) is bytes and len(content) == _NUMBERS[kind.name].size:
            return _NUMBERS[kind.name].unpack(content)[0]
    raise _Refused(f"calls a {_kind(maker)}, or with unusual arguments; nothing is called")


def _check_state(target: Any, state: Any) -> None:
    """The state of a type of numbers: its byte order, which is little-endian or does not matter."""
    if not (type(target) is _Dtype and type(state) is tuple and len(state) >= 2 and state[1] in ("<", "|")):
        raise _Refused(f"sets the state of a {_kind(target)}")
