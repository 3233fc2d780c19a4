"""Portable kernels: the same bits on every x86-64 processor, where torch would choose its kernels by the processor.

torch, MKL and oneDNN pick code by what the processor can do, and the last bits of a sum follow. Portable kernels are the ones that every
x86-64 processor can run: torch's for the baseline instruction set, MKL's compatible branch, no oneDNN and no NNPACK, one thread. torch and MKL
read their settings once, when they are loaded, so the choice is made in a process's environment before torch is imported: `spawn_environment`
is for starting such a process, `portable_kernels` is for computing in it.

Draws by torch's `bernoulli_` depend on the processor's maker in some releases, so the suite's networks draw uniform numbers
(`nasbench.networks.dropout`).
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
"""The environment of a process that is to compute with portable kernels, before it imports torch."""

_BASELINE: Final = ("DEFAULT", "NO AVX")  # the second is torch 2.6's name

_lock = threading.RLock()


def is_portable_process() -> bool:
    """True if torch and MKL were loaded with the settings of portable kernels. Imports torch."""
    import torch

    asked_for = all(os.environ.get(name) == value for name, value in SETTINGS.items())
    return asked_for and torch.backends.cpu.get_cpu_capability() in _BASELINE


def require_portable_process() -> None:
    """Refuse to go on where torch was loaded with the processor's own kernels.

    Raises:
        InputError: says which settings the process needs.
    """
    if not is_portable_process():
        settings = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
        raise InputError(
            "kernels='portable': torch reads its settings when it is imported, and this process imported it with others; "
            f"start it with {settings} in the environment"
        )


@contextmanager
def spawn_environment(kernels: Kernels) -> Iterator[None]:
    """Set the environment variables that a new process needs, and restore them afterwards.

    One thread at a time runs the block: a process that another thread starts must not inherit these settings.

    Args:
        kernels: those of the new process; "fast" leaves the environment unchanged.
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
    """Compute with portable kernels in the block; torch's switches are as before afterwards.

    Raises:
        InputError: when the process was not started for it.
    """
    require_portable_process()
    import torch

    # The switches themselves: torch's context managers for them also set, and warn about, TF32.
    before = torch._C._get_mkldnn_enabled(), torch._C._get_nnpack_enabled()
    torch._C._set_mkldnn_enabled(False)
    torch._C._set_nnpack_enabled(False)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before[0])
        torch._C._set_nnpack_enabled(before[1])
