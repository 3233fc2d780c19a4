"""Settings of the C library's allocator that keep the memory freed by one training step for the next."""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache

ALLOCATOR = "NASBENCH_ALLOCATOR"  # environment variable; "system" leaves the allocator unchanged

# Parameters of glibc's mallopt(3), from its malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_STEP = 64 << 20  # bytes by which the heap grows


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Make this process keep memory that it frees, so that the next training step can use it at once.

    Each step of a training frees its feature maps and allocates the same sizes again. By default, glibc returns blocks
    of 32 MB and more, and the end of the heap, to the system, which must then clear every page again in the next step.
    With this setting the process keeps its peak of memory until it ends. Results do not change. The setting is made
    once per process; later calls return the first result.

    Returns:
        True if the setting was made; False if the C library is not glibc, if it refuses, or if the environment variable
        NASBENCH_ALLOCATOR is "system".
    """
    if os.environ.get(ALLOCATOR, "") == "system":
        return False
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if not hasattr(library, "gnu_get_libc_version") or not hasattr(library, "mallopt"):
        return False
    assert library is not None
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, _STEP))
    return all(library.mallopt(parameter, value) == 1 for parameter, value in settings)
