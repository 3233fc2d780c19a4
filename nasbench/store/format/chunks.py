"""Read the chunks of an HDF5 dataset without HDF5's filters, with a cheaper checksum and a faster decompressor.

Computing the digest of a dataset (BLAKE2b) takes about as long as the rest of reading it. Therefore the digest is
verified only by `check` and by the pack that writes a new file. Reading a frame verifies the CRC-32 that is stored
beside the digest, and the Adler-32 in each compressed chunk. Earlier files have no CRC-32: for them the digest is
verified.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from typing import Any, Final

import h5py
import numpy as np

from nasbench.store.format.columns import Numbers

# HDF5's numbers of the filters that `packing` uses.
_SHUFFLE, _DEFLATE, _FLETCHER32 = 2, 1, 3
PIPELINES: Final = ([_SHUFFLE, _DEFLATE, _FLETCHER32], [_DEFLATE, _FLETCHER32])
_FLETCHER32_BYTES: Final = 4


class StoredDataset:
    """One-dimensional dataset of an open file. It asks HDF5 once: each question takes microseconds, and a file has about 100 datasets.

    Args:
        identifier: h5py's low-level identifier of the dataset.

    Attributes:
        identifier: as given.
        dtype: type of its values.
        length: number of its values.
        filters: HDF5's filter numbers in their order; empty for a pipeline that `packing` does not write.
        rows: values per chunk; 0 if it has no such filters.
    """

    __slots__ = ("dtype", "filters", "identifier", "length", "rows")

    def __init__(self, identifier: Any) -> None:
        self.identifier = identifier
        self.dtype: np.dtype[Any] = identifier.dtype
        self.length: int = int(identifier.shape[0])
        creation = identifier.get_create_plist()
        found = [creation.get_filter(place)[0] for place in range(creation.get_nfilters())]
        self.filters: list[int] = found if found in PIPELINES else []
        self.rows: int = int(creation.get_chunk()[0]) if self.filters else 0

    def __len__(self) -> int:
        return self.length

    def whole(self) -> Numbers:
        """Read all values: by this module if their filters are `packing`'s, else by HDF5.

        Returns:
            Its values, verified by the checksums of their chunks.

        Raises:
            ValueError: when a chunk is damaged.
        """
        return read_whole(self) if self.filters else self._by_hdf5()

    def _by_hdf5(self) -> Numbers:
        values: Numbers = np.empty(self.length, self.dtype)
        self.identifier.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        return values


@cache
def decompressor() -> Callable[[Any, int], Any]:
    """Return a function that decompresses zlib data: libdeflate's if installed (the extra `fast`), else Python's.

    Returns:
        Function of the data and the size of the result in bytes.
    """
    try:
        from deflate import zlib_decompress
    except ImportError:
        return _decompress
    return zlib_decompress


def _decompress(data: Any, size: int) -> bytes:
    """Decompress, and stop at `size` bytes and one more: a chunk may be made to grow a thousandfold."""
    stream = zlib.decompressobj()
    values = stream.decompress(data, size + 1)
    if not stream.eof and len(values) <= size:
        raise ValueError("the compressed data ends too early")
    return values


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


def read_chunks(dataset: StoredDataset, kind: Callable[[bytes], Any], checksum: str) -> Numbers | None:
    """Read and verify a dataset that has several chunks or one large chunk.

    Args:
        dataset: open for reading, with filters.
        kind: kind of the checksum.
        checksum: expected checksum of all values.

    Returns:
        Its values, or None if it is damaged; reading it with HDF5 then reports the fault.
    """
    values: Numbers = np.empty(dataset.length, dataset.dtype)
    digest = kind(_about(values))
    rows = dataset.rows
    for start in range(0, len(values), rows):
        try:
            values[start : start + rows] = read_chunk(dataset, start, verify=False)
        except ValueError:
            return None
        digest.update(np.ascontiguousarray(values[start : start + rows]).view(np.uint8).data)
    return values if digest.hexdigest() == checksum else None


def read_whole(dataset: StoredDataset) -> Numbers:
    """Read a dataset without HDF5's filters.

    Args:
        dataset: open for reading, with filters.

    Returns:
        Its values, verified by the checksums of their chunks.

    Raises:
        ValueError: when a chunk is damaged.
    """
    values: Numbers = np.empty(dataset.length, dataset.dtype)
    rows = dataset.rows
    for start in range(0, len(values), rows):
        values[start : start + rows] = read_chunk(dataset, start)
    return values


def read_chunk(dataset: StoredDataset, start: int, verify: bool = True) -> Numbers:
    """Read one chunk of a dataset without HDF5's filters.

    HDF5's own filter decompresses a chunk whatever it grows to.

    Args:
        dataset: open for reading, with filters.
        start: position of the chunk's first value.
        verify: whether HDF5's checksum of the chunk is verified; zlib's always is.

    Returns:
        Its values; the last chunk is cut to the dataset's length.

    Raises:
        ValueError: when it is damaged, or cannot be decompressed to its size.
    """
    rows, width = dataset.rows, dataset.dtype.itemsize
    left_out, raw = dataset.identifier.read_direct_chunk((start,))
    if verify and raw[-_FLETCHER32_BYTES:] != fletcher32(raw[:-_FLETCHER32_BYTES]).to_bytes(
        _FLETCHER32_BYTES, "little"
    ):
        raise ValueError(f"the checksum of the chunk at {start} does not fit")
    try:
        data = decompressor()(memoryview(raw)[:-_FLETCHER32_BYTES], rows * width)
    except Exception as error:  # each of the two decompressors has its own exception types
        raise ValueError(f"the chunk at {start} cannot be decompressed") from error
    if left_out or len(data) != rows * width:
        raise ValueError(f"the chunk at {start} has another size than the others")
    block = np.frombuffer(data, dtype=np.uint8)
    if dataset.filters[0] == _SHUFFLE:
        block = np.ascontiguousarray(block.reshape(width, rows).T)
    values: Numbers = block.reshape(-1).view(dataset.dtype)[: dataset.length - start]
    return values


def fletcher32(data: bytes) -> int:
    """Compute the checksum that HDF5's filter Fletcher-32 appends to a chunk.

    Args:
        data: any bytes.

    Returns:
        The checksum, below 2**32.
    """
    words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype=">u2").astype(np.uint64)
    low = int(words.sum())
    high = int((words * np.arange(len(words), 0, -1, dtype=np.uint64)).sum())
    return _folded(high) << 16 | _folded(low)


def _folded(total: int) -> int:
    """Reduce a sum modulo 65,535 as adding the carries does: a positive sum never becomes 0."""
    return (total - 1) % 0xFFFF + 1 if total else 0
