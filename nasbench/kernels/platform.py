"""One line, stored in rows, of everything but protocol, seed and device that decides the last bits of a training.

Fast kernels: processor, instruction sets that torch and oneDNN use, threads, versions of the libraries, settings in the environment that
choose kernels. Portable kernels: the architecture and the edition of the golden trainings whose bits they must give (processor and versions
are noted, and decide nothing as long as these are met). Both: the generation of this suite's own computations.
"""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from nasbench.kernels.portable import Kernels
from nasbench.kernels.processor import onednn_isa_here, processor_here

COMPUTATION: Final = 2
"""Generation of the suite's own computations, raised when they change the last bits and nothing else.

2: strided 1x1 convolutions read a strided view; dropout and drop-path draw uniform numbers.
"""

GOLDEN_EDITION: Final = 1
"""Raised when a training or a digest of `nasbench.training.golden` changes."""

_LIBRARIES: Final = ("torchvision", "numpy")
_SETTINGS: Final = (
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
)


@lru_cache(maxsize=8)
def platform_here(kernels: Kernels = "fast", threads: int = 1) -> str:
    """Describe this process as the platform of a training.

    Args:
        kernels: of the protocol.
        threads: of the protocol, >= 1.

    Returns:
        Parts separated by "; ", each a name and its value, e.g. "AuthenticAMD family 25 model 17 stepping 1; isa AVX512 +
        avx512_core_bf16; threads 1; torch 2.14.1+cu130; ...", or "portable x86_64; golden 1; torch 2.14.1+cu130; ...". `platform_parts` takes it
        apart.
    """
    import torch

    if kernels == "portable":
        first = [f"portable {platform.machine()}", f"golden {GOLDEN_EDITION}"]
    else:
        sets = f"{torch.backends.cpu.get_cpu_capability()} + {onednn_isa_here()}"
        first = [str(processor_here()), f"isa {sets}", f"threads {threads}"]
    libraries = [f"torch {torch.__version__}", *(f"{name} {_version(name)}" for name in _LIBRARIES)]
    if kernels == "fast" and (libc := " ".join(platform.libc_ver()).strip()):
        libraries.append(f"libc {libc}")
    if kernels == "fast":
        last = [f"{name} {os.environ[name]}" for name in _SETTINGS if os.environ.get(name)]
    else:
        last = [f"on {processor_here()}"]  # decides no bit, but the seconds
    return "; ".join([*first, *libraries, f"computation {COMPUTATION}", *last])


def platform_parts(line: str) -> dict[str, str]:
    """Take a platform apart: the processor (or "portable ...") as "processor", every other part by its name; {} for ""."""
    processor, *others = line.split("; ")
    named = (other.partition(" ") for other in others)
    return {"processor": processor, **{name: value for name, _, value in named}} if line else {}


def is_coarse(line: str) -> bool:
    """True if a platform is written in an earlier version, which named only the processor's brand and versions."""
    parts = platform_parts(line)
    return "torch" in parts and "computation" not in parts


def promises_bits(line: str) -> bool:
    """True if a platform is complete enough that rows of equal platforms have equal bits."""
    parts = platform_parts(line)
    return "computation" in parts and not parts["processor"].startswith("unknown ")


def is_portable(line: str) -> bool:
    """True if a platform is that of portable kernels."""
    return line.startswith("portable ")


def portable_promise(line: str) -> str:
    """Return the parts of a portable platform that decide its bits: architecture, golden trainings and computation.

    Versions of libraries are not among them: a version that meets the golden trainings gives the same bits.
    """
    parts = platform_parts(line)
    return "; ".join(
        [parts.get("processor", ""), *(f"{name} {parts.get(name, '')}" for name in ("golden", "computation"))]
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
