"""Read the chunks of an HDF5 dataset without HDF5's filters, with a cheaper checksum and a faster decompressor.

Computing the digest of a dataset (BLAKE2b) takes about as long as the rest of reading it. Therefore the digest is
verified only by `check` and by the pack that writes a new file. Reading a frame verifies the CRC-32 that is stored
beside the digest, and the Adler-32 in each compressed chunk. Earlier files have no CRC-32: for them the digest is
verified.
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
    """Return a function that decompresses zlib data: libdeflate's if installed (the extra `fast`), else Python's.

    Returns:
        Function of the data and the size of the result in bytes.
    """
    try:
        from deflate import zlib_decompress
    except ImportError:
        return lambda data, size: zlib.decompress(data, bufsize=size)
    return zlib_decompress


class Crc32:
    """CRC-32 of an array's type, shape and bytes, with the methods of hashlib's objects.

    Args:
        about: text of type and shape.
    """

    def __init__(self, about: bytes) -> None:
        self._value = zlib.crc32(about)

    def update(self, data: Any) -> None:
        """Add bytes to the checksum.

        Args:
            data: bytes, or an object with a buffer.
        """
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        """Return the checksum.

        Returns:
            Eight hexadecimal digits.
        """
        return f"{self._value:08x}"


def digest_of(values: Numbers, kind: Callable[[bytes], Any]) -> str:
    """Checksum of an array's type, shape and bytes, in hexadecimal.

    Args:
        values: any array except one of objects.
        kind: `blake2b_16` or `Crc32`.

    Returns:
        Hexadecimal digits.
    """
    digest = kind(_about(values))
    digest.update(np.ascontiguousarray(values).view(np.uint8).data if values.size else b"")
    return str(digest.hexdigest())


def blake2b_16(about: bytes) -> blake2b:
    """Start a BLAKE2b digest of 16 bytes.

    Args:
        about: first bytes of the digested text.

    Returns:
        The digest, to be updated.
    """
    return blake2b(about, digest_size=16)


def _about(values: Numbers) -> bytes:
    return f"{values.dtype.str} {values.shape}".encode()


def read_chunks(dataset: Any, filters: Sequence[int], kind: Callable[[bytes], Any], checksum: str) -> Numbers | None:
    """Read and verify a dataset that has several chunks or one large chunk.

    Args:
        dataset: open for reading.
        filters: result of `filters_of`.
        kind: kind of the checksum.
        checksum: expected checksum of all values.

    Returns:
        Its values, or None if it is damaged; reading it with HDF5 then reports the fault.
    """
    values: Numbers = np.empty(dataset.shape, dataset.dtype)
    digest, decompress = kind(_about(values)), decompressor()
    rows, width = dataset.chunks[0], values.dtype.itemsize
    stored = values.view(np.uint8).reshape(-1, width)
    for start in range(0, len(values), rows):
        left_out, raw = dataset.id.read_direct_chunk((start,))
        try:
            data = decompress(memoryview(raw)[:-_FLETCHER32_BYTES], rows * width)
        except Exception:  # each of the two decompressors has its own exception types
            return None
        if left_out or len(data) != rows * width:
            return None
        block, here = np.frombuffer(data, dtype=np.uint8), stored[start : start + rows]
        here[:] = (block.reshape(width, rows).T if filters[0] == _SHUFFLE else block.reshape(rows, width))[: len(here)]
        digest.update(here.data)
    return values if digest.hexdigest() == checksum else None


def filters_of(dataset: Any) -> list[int]:
    """Return the filters of a dataset whose chunks can be read without HDF5.

    Args:
        dataset: an h5py dataset.

    Returns:
        HDF5's filter numbers in their order; empty for small datasets and for filters that `packing` does not write.
    """
    if dataset.ndim != 1 or not dataset.chunks:
        return []
    if len(dataset) <= dataset.chunks[0] and dataset.nbytes < _SMALL_BYTES:
        return []
    creation = dataset.id.get_create_plist()
    filters = [creation.get_filter(place)[0] for place in range(creation.get_nfilters())]
    return filters if filters in _PIPELINES else []
