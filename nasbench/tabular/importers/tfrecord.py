"""Reader of TFRecord files without TensorFlow: records of bytes, each with two checksums.

A record consists of its length (8 bytes, little-endian, unsigned), the masked CRC32C of these 8 bytes (4 bytes,
little-endian), the data, and the masked CRC32C of the data. CRC32C uses Castagnoli's polynomial 0x1EDC6F41 with
reflected bits. Masking rotates the CRC right by 15 bits and adds 0xA282EAD8, modulo 2^32.

Source: TensorFlow guide, "TFRecord and tf.train.Example", section "TFRecords format details"; RFC 3720, appendix B.4
(CRC32C).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from nasbench.errors import InputError

_REFLECTED: Final = 0x82F63B78
_MASK: Final = 0xA282EAD8
_WORD: Final = 0xFFFFFFFF
_LARGEST: Final = 1 << 30  # bytes; a longer length is damaged and its checksum fits by chance


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_REFLECTED if value & 1 else 0)
        table.append(value)
    return table


_TABLE: Final = _table()


def crc32c(data: bytes) -> int:
    """Compute the CRC32C of bytes.

    Args:
        data: any number of bytes.

    Returns:
        An int in [0, 2^32).
    """
    crc, table = _WORD, _TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ _WORD


def masked_crc32c(data: bytes) -> int:
    """Compute the masked CRC32C that TFRecord files store.

    Args:
        data: any number of bytes.

    Returns:
        An int in [0, 2^32).
    """
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK) & _WORD


def read_records(path: str | Path) -> Iterator[bytes]:
    """Read the records of a TFRecord file and verify their checksums.

    Args:
        path: the file.

    Yields:
        The data of one record.

    Raises:
        InputError: when a checksum does not fit or the file ends within a record; the message names record and byte.
        OSError: when the file cannot be read.
    """
    with open(path, "rb") as file:
        number = 0
        while (start := file.read(8)) != b"":
            yield _record(file, start, f"{path}: record {number}, at byte {file.tell() - len(start)},")
            number += 1


def _record(file: BinaryIO, start: bytes, where: str) -> bytes:
    check = file.read(4)
    if len(start) < 8 or len(check) < 4:
        raise InputError(f"{where} is cut off; fetch the file again")
    if masked_crc32c(start) != struct.unpack("<I", check)[0]:
        raise InputError(f"{where} has a damaged length, or this is no TFRecord file")
    length: int = struct.unpack("<Q", start)[0]
    data = file.read(min(length, _LARGEST))
    check = file.read(4)
    if len(data) < length or len(check) < 4:
        raise InputError(f"{where} is cut off; fetch the file again")
    if masked_crc32c(data) != struct.unpack("<I", check)[0]:
        raise InputError(f"{where} is damaged (its checksum does not fit); fetch the file again")
    return data
