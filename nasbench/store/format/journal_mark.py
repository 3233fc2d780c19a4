"""Mark at the end of an HDF5 results file: a journal with further rows belongs to it.

Without the mark, a copy of the HDF5 file alone would look complete. A writer appends the mark once the journal has its
name, and before the first record is written into it: rows can be acknowledged in a journal only if the mark is on the
disk, and a file with a mark and without journal was copied, or its journal was removed. A pack writes a new file, which
has no mark; so the file of a finished search has none.

The mark follows the bytes that belong to HDF5, which ignores it. It is one line, so `tail -n 1` shows it:

    nasbench: a journal has the records after 00000000000000000012, file 0123456789abcdef, check 0123456789abcdef
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import Final


def mark_of(file: str, last_sequence: int) -> bytes:
    """Make the mark.

    Args:
        file: id of the results file.
        last_sequence: number of the last record that is in the HDF5 file.

    Returns:
        A line break and a line of fixed length, ASCII.
    """
    line = f"\nnasbench: a journal has the records after {last_sequence:020}, file {_digest(file)}, check "
    return f"{line}{_digest(line)}\n".encode()


def _digest(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


_BYTES: Final = len(mark_of("", 0))
_DIGITS: Final = len(_digest(""))
_BEGINNING: Final = b"\nnasbench: a journal"
_TAIL_BYTES: Final = 1 << 16
_HEAD_BYTES: Final = 48


def is_marked(handle: int, file: str, last_sequence: int) -> bool:
    """Check whether an open HDF5 file says that a journal belongs to it.

    A mark with another id or number is that of an earlier owner that wrote it late; it says nothing.

    Args:
        handle: file number of the open file.
        file: id of the results file, from its manifest.
        last_sequence: number of the last record that is in it, from its manifest.

    Returns:
        Whether its last bytes are that mark.

    Raises:
        OSError: when they cannot be read.
    """
    size = os.fstat(handle).st_size
    return size > _BYTES and os.pread(handle, _BYTES, size - _BYTES) == mark_of(file, last_sequence)


def says_journal(handle: int, file: str, last_sequence: int) -> bool:
    """Check whether an open HDF5 file says that a journal belongs to it, or said so before its last bytes were changed.

    Args:
        handle, file, last_sequence: see `is_marked`.

    Returns:
        Whether its mark is among the last bytes, also with bytes of another program behind it, or a line that begins as
        a mark and is damaged or cut off.

    Raises:
        OSError: when they cannot be read.
    """
    size = os.fstat(handle).st_size
    begins = max(size - _TAIL_BYTES, _end_of_hdf5(os.pread(handle, _HEAD_BYTES, 0)))
    tail = os.pread(handle, _TAIL_BYTES, begins)
    start = tail.find(_BEGINNING)
    while start >= 0:
        found = tail[start : start + _BYTES]
        if found == mark_of(file, last_sequence) or not _is_whole(found):
            return True
        start = tail.find(_BEGINNING, start + 1)
    return False


def _end_of_hdf5(head: bytes) -> int:
    """Offset behind the bytes that belong to HDF5, from its superblock: before it, a mark would be somebody's text."""
    at = 28 if head[8] >= 2 else 40  # versions 2 and 3, and 0
    return int.from_bytes(head[at : at + 8], "little")


def _is_whole(mark: bytes) -> bool:
    """Whether the check of a mark fits, whatever file it names."""
    line, digest = mark[: -_DIGITS - 1], mark[-_DIGITS - 1 :]
    return digest == f"{_digest(line.decode('latin-1'))}\n".encode()
