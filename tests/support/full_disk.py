"""A disk on which no file grows beyond a size: a limit of the system's own, which no writer gets round."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let every write beyond a size fail in this process (RLIMIT_FSIZE, EFBIG), whoever calls it; children inherit it.

    Args:
        size: bytes that a file can have, >= 0.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
