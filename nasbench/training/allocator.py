"""Set the C library's allocator to keep memory that a training step frees for the next step."""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache

ALLOCATOR = "NASBENCH_ALLOCATOR"  # environment: "system" leaves the allocator alone

# Parameters of glibc's mallopt(3), from its malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_STEP = 64 << 20  # bytes by which the heap grows


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let this process keep freed memory, instead of giving it back and having it zeroed page by page in the next step.

    Every step of a training frees its feature maps and allocates the same again. Those of 32 MB and more, and the heap's end, would go
    back to the system each time. The process keeps its peak until it ends; results do not change. Works with glibc only; once per process.

    Returns:
        Whether the allocator took it: False on other C libraries, and where the environment variable NASBENCH_ALLOCATOR is "system".
    """
    if os.environ.get(ALLOCATOR, "") == "system":
        return False
    library = ctypes.CDLL(None) if os.name == "posix" else None
    if not hasattr(library, "gnu_get_libc_version") or not hasattr(library, "mallopt"):
        return False
    assert library is not None
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_TOP_PAD, _STEP))
    return all(library.mallopt(parameter, value) == 1 for parameter, value in settings)
