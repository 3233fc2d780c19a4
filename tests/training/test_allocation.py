"""Training processes keep the memory that they free."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

# Frees and allocates 48 MB eight times and prints how many pages the system had to hand out after the first time.
PROGRAM = """
import resource
import numpy as np
from nasbench.training.allocator import keep_freed_memory
print(keep_freed_memory())
for turn in range(9):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    array = np.empty(48 << 20, np.uint8)
    array[:: 1024] = 1
    del array
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def outcome(**environment: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    told, faults = done.stdout.split()
    return told, int(faults)


@pytest.mark.skipif(
    os.name != "posix" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc"
)
def test_freed_memory_is_kept_unless_the_environment_says_no() -> None:
    kept, system = outcome(), outcome(NASBENCH_ALLOCATOR="system")
    assert (kept[0], system[0]) == ("True", "False")
    # Some systems hand out 2 MB at a time, so the two are compared only with each other.
    assert kept[1] * 5 < system[1]


def test_other_c_libraries_are_left_alone(monkeypatch) -> None:
    import nasbench.training.allocator

    nasbench.training.allocator.keep_freed_memory.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    try:
        assert nasbench.training.allocator.keep_freed_memory() is False
    finally:
        nasbench.training.allocator.keep_freed_memory.cache_clear()
