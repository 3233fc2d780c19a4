"""Small valid NAS-Bench-101 files, written by the definition of the formats and independently of the reader."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

POLYNOMIAL = 0x11EDC6F41  # CRC32C (Castagnoli), 33 bits, not reflected


def crc32c(data: bytes) -> int:
    """CRC32C by long division, bit by bit: each byte's lowest bit first, start and end inverted."""
    bits = [byte >> place & 1 for byte in data for place in range(8)] + [0] * 32
    for place in range(32):
        bits[place] ^= 1
    remainder = 0
    for bit in bits:
        remainder = remainder << 1 | bit
        if remainder >> 32:
            remainder ^= POLYNOMIAL
    return int(f"{remainder ^ 0xFFFFFFFF:032b}"[::-1], 2)


def framed(data: bytes) -> bytes:
    """One TFRecord."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    rotated = crc >> 15 | crc << 17 & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) % 2**32)


def varint(number: int) -> bytes:
    """A protocol-buffer varint."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + varint(rest)


def evaluation(epoch: float, seconds: float, train: float, validation: float, test: float) -> bytes:
    """An EvaluationData message, with the checkpoint path that readers pass over."""
    numbers = b"".join(
        varint(field << 3 | 1) + struct.pack("<d", value)
        for field, value in enumerate((epoch, seconds, train, validation, test), start=1)
    )
    return numbers + varint(6 << 3 | 2) + varint(4) + b"ckpt"


def metrics(evaluations: Sequence[bytes], parameters: int, total: float) -> bytes:
    """A ModelMetrics message."""
    nested = b"".join(varint(1 << 3 | 2) + varint(len(item)) + item for item in evaluations)
    return nested + varint(2 << 3) + varint(parameters) + varint(3 << 3 | 1) + struct.pack("<d", total)


def record(
    module: str, epochs: int, matrix: Sequence[Sequence[int]], operations: Sequence[str], message: bytes
) -> bytes:
    """A record's JSON."""
    adjacency = "".join(str(value) for row in matrix for value in row)
    return json.dumps(
        [module, epochs, adjacency, ",".join(operations), base64.b64encode(message).decode("ascii")]
    ).encode()


def write(path: Path, records: Iterable[bytes]) -> Path:
    """A TFRecord file."""
    path.write_bytes(b"".join(framed(item) for item in records))
    return path
