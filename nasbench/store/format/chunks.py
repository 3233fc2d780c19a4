"""Reading the chunks of an HDF5 dataset past HDF5's own filters: with a cheaper checksum, and a faster decompressor where it is installed.

The digest of a dataset (BLAKE2b) costs about as much as all the rest of reading it. So it is verified by `check`, and of every new file by
the pack that wrote it; a frame verifies the CRC-32 that is stored beside it, on top of the Adler-32 in each compressed chunk. Earlier
files have no CRC-32: there the digest is verified.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from nasbench.store.format.columns import Numbers

# HDF5's numbers of the filters that `packing` uses.
_SHUFFLE, _DEFLATE, _FLETCHER32 = 2, 1, 3
_PIPELINES: Final = ([_SHUFFLE, _DEFLATE, _FLETCHER32], [_DEFLATE, _FLETCHER32])
_FLETCHER32_BYTES: Final = 4
_SMALL_BYTES: Final = 1 << 16


@cache
def decompressor() -> Callable[[Any, int], Any]:
    """Decompression of zlib's format, by data and size of the result: libdeflate's where it is installed (the extra `fast`)."""
    try:
        from deflate import zlib_decompress
    except ImportError:
        return lambda data, size: zlib.decompress(data, bufsize=size)
    return zlib_decompress


class Crc32:
    """CRC-32 of an array's type, shape and bytes, with hashlib's methods.

    Args:
        about: type and shape, in words.
    """

    def __init__(self, about: bytes) -> None:
        self._value = zlib.crc32(about)

    def update(self, data: Any) -> None:
        """Go on with these bytes."""
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        """Eight hexadecimal digits."""
        return f"{self._value:08x}"


def digest_of(values: Numbers, kind: Callable[[bytes], Any]) -> str:
    """A checksum of an array's type, shape and bytes, in hexadecimal.

    Args:
        values: any array but of objects.
        kind: `blake2b_16` or `Crc32`.
    """
    digest = kind(_about(values))
    digest.update(np.ascontiguousarray(values).view(np.uint8).data if values.size else b"")
    return str(digest.hexdigest())


def blake2b_16(about: bytes) -> blake2b:
    """A digest of 16 bytes, begun with `about`."""
    return blake2b(about, digest_size=16)


def _about(values: Numbers) -> bytes:
    return f"{values.dtype.str} {values.shape}".encode()


def read_chunks(dataset: Any, filters: Sequence[int], kind: Callable[[bytes], Any], checksum: str) -> Numbers | None:
    """Read and verify a dataset of several chunks, or of a large one.

    Args:
        dataset: open for reading.
        filters: as `filters_of` gives them.
        kind: of checksum.
        checksum: of all its values.

    Returns:
        Its values, or None when it is damaged: HDF5 then says what is wrong.
    """
    values: Numbers = np.empty(dataset.shape, dataset.dtype)
    digest, decompress = kind(_about(values)), decompressor()
    rows, width = dataset.chunks[0], values.dtype.itemsize
    stored = values.view(np.uint8).reshape(-1, width)
    for start in range(0, len(values), rows):
        left_out, raw = dataset.id.read_direct_chunk((start,))
        try:
            data = decompress(memoryview(raw)[:-_FLETCHER32_BYTES], rows * width)
        except Exception:  # the two decompressors have their own
            return None
        if left_out or len(data) != rows * width:
            return None
        block, here = np.frombuffer(data, dtype=np.uint8), stored[start : start + rows]
        here[:] = (block.reshape(width, rows).T if filters[0] == _SHUFFLE else block.reshape(rows, width))[: len(here)]
        digest.update(here.data)
    return values if digest.hexdigest() == checksum else None


def filters_of(dataset: Any) -> list[int]:
    """The filters of a dataset that `packing` made; none where HDF5 may as well read it."""
    if dataset.ndim != 1 or not dataset.chunks:
        return []
    if len(dataset) <= dataset.chunks[0] and dataset.nbytes < _SMALL_BYTES:
        return []
    creation = dataset.id.get_create_plist()
    filters = [creation.get_filter(place)[0] for place in range(creation.get_nfilters())]
    return filters if filters in _PIPELINES else []
