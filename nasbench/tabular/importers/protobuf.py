"""Parser of the protocol-buffer encoding, for messages whose fields are known.

A message is a sequence of fields: a key (a varint: field number x 8 + wire type) and a value. Wire type 0 is a varint
(7 bits per byte, least significant first, the high bit set on all but the last), 1 is 8 bytes, 2 is a length as a
varint and that number of bytes, 5 is 4 bytes.

Source: protocol buffers documentation, "Encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from nasbench.errors import InputError

Value = int | bytes

_VARINT: Final = 0
_SIXTY_FOUR: Final = 1
_BYTES: Final = 2
_THIRTY_TWO: Final = 5
_WIDTHS: Final = {_SIXTY_FOUR: 8, _THIRTY_TWO: 4}
_LONGEST_VARINT: Final = 10


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Parse the fields of a message, in their order.

    Args:
        message: bytes of the message.

    Yields:
        Field number and value: an int for a varint, otherwise raw bytes.

    Raises:
        InputError: when the bytes are not a valid message.
    """
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == _BYTES:
            length, place = _varint(message, place)
        elif wire in _WIDTHS:
            length = _WIDTHS[wire]
        else:
            raise InputError(f"not a protocol-buffer message: wire type {wire} at byte {place}")
        if place + length > len(message):
            raise InputError(f"not a protocol-buffer message: it ends within field {number}")
        yield number, message[place : place + length]
        place += length


def double(value: Value) -> float:
    """Decode a field of type double.

    Args:
        value: 8 bytes, little-endian.

    Returns:
        The number.

    Raises:
        InputError: when it is not 8 bytes.
    """
    if not isinstance(value, bytes) or len(value) != 8:
        raise InputError(f"a double has 8 bytes, got {value!r}")
    number: float = struct.unpack("<d", value)[0]
    return number


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for index in range(_LONGEST_VARINT):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place
    raise InputError(f"not a protocol-buffer message: a varint does not end at byte {place}")
