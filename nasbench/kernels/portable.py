"""Portable kernels, which give the same bits on every x86-64 processor.

By default, torch, MKL and oneDNN choose their code by the processor, and different code gives sums with different last
bits. Portable kernels are code that every x86-64 processor can run: torch's kernels for the baseline instruction set,
MKL's branch COMPATIBLE, no oneDNN and no NNPACK, and one thread. torch and MKL read their settings when they are
loaded, so the environment must be set before a process imports torch: `spawn_environment` is for starting such a
process, and `portable_kernels` for computing in it.

The suite's networks do not use torch's `bernoulli_`, whose random numbers depend on the maker of the processor in some
releases (`nasbench.networks.dropout`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from nasbench.errors import InputError

Kernels = Literal["fast", "portable"]

SETTINGS: Final = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
"""Environment variables that a process needs before it imports torch, to compute with portable kernels."""

_BASELINE: Final = ("DEFAULT", "NO AVX")  # the second is the name in torch 2.6

_lock = threading.RLock()


def is_portable_process() -> bool:
    """Return True if torch and MKL were loaded with the settings of portable kernels. Imports torch."""
    import torch

    asked_for = all(os.environ.get(name) == value for name, value in SETTINGS.items())
    return asked_for and torch.backends.cpu.get_cpu_capability() in _BASELINE


def require_portable_process() -> None:
    """Refuse a process in which torch was loaded with other settings than those of portable kernels.

    Raises:
        InputError: when it was; the message has the settings that the process needs.
    """
    if not is_portable_process():
        settings = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
        raise InputError(
            "kernels='portable': torch reads its settings when it is imported, and this process imported it with other "
            "settings; "
            f"start the process with {settings} in the environment"
        )


@contextmanager
def spawn_environment(kernels: Kernels) -> Iterator[None]:
    """Set the environment variables that a new process needs for its kernels, and restore them after the block.

    Only one thread at a time runs the block, so that a process started by another thread does not inherit the settings.

    Args:
        kernels: kernels of the new process; "fast" leaves the environment unchanged.

    Yields:
        Nothing.
    """
    with _lock:
        if kernels == "fast":
            yield
            return
        before = {name: os.environ.get(name) for name in SETTINGS}
        os.environ.update(SETTINGS)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextmanager
def portable_kernels() -> Iterator[None]:
    """Compute with portable kernels in the block; torch's settings are restored afterwards.

    Yields:
        Nothing.

    Raises:
        InputError: when this process was not started for portable kernels.
    """
    require_portable_process()
    import torch

    # Not by torch's context managers, which also set TF32 and warn about it.
    before = torch._C._get_mkldnn_enabled(), torch._C._get_nnpack_enabled()
    torch._C._set_mkldnn_enabled(False)
    torch._C._set_nnpack_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before[0])
        torch._C._set_nnpack_enabled(before[1])
