"""The platform of a training: everything except protocol, seed and device that decides the last bits of its scores.

It is stored in each row as one line of text.

- Fast kernels: processor, instruction sets that torch and oneDNN use, threads, versions of the libraries, and
    environment
  variables that choose kernels.
- Portable kernels: the architecture, and the edition of the golden trainings. Processor and versions are stored, too,
    but
  they change no bits as long as the golden trainings give theirs.
- Both: the generation of the suite's own computations.
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
"""Generation of the suite's own computations. It is raised by a change of the suite that changes only last bits.

2: strided 1x1 convolutions read a strided view; dropout and drop-path draw uniform numbers.
"""

GOLDEN_EDITION: Final = 2
"""Edition of the golden trainings. It is raised when a training or a digest of `nasbench.training.golden` changes, and not when one is added.

2: RMSProp's square roots are rounded correctly. In edition 1 their last bits differed between makers of processors.
Other optimizers take no roots, so their trainings have equal bits in both editions.
"""

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
    """Return the platform of a training in this process.

    Args:
        kernels: kernels of the protocol.
        threads: CPU threads of the protocol, >= 1.

    Returns:
        Parts separated by "; ", each a name and a value, e.g. "AuthenticAMD family 25 model 17 stepping 1; isa AVX512 +
        avx512_core_bf16; threads 1; torch 2.14.1+cu130; ...", or "portable x86_64; golden 1; torch 2.14.1+cu130; ...".
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
        last = [f"on {processor_here()}"]  # changes the seconds, but no bits
    return "; ".join([*first, *libraries, f"computation {COMPUTATION}", *last])


def platform_parts(line: str) -> dict[str, str]:
    """Split a platform into its parts.

    Args:
        line: result of `platform_here`, or "" for an unknown platform.

    Returns:
        Name -> value; the first part, a processor or "portable ...", has the name "processor". Empty for "".
    """
    processor, *others = line.split("; ")
    named = (other.partition(" ") for other in others)
    return {"processor": processor, **{name: value for name, _, value in named}} if line else {}


def is_coarse(line: str) -> bool:
    """Return True if a platform has only the processor's brand and versions of libraries, as in old results files.

    Args:
        line: the platform of a row.

    Returns:
        True for such a platform.
    """
    parts = platform_parts(line)
    return "torch" in parts and "computation" not in parts


def promises_bits(line: str) -> bool:
    """Return True if a platform is so complete that rows with equal platforms have equal bits.

    Args:
        line: the platform of a row.

    Returns:
        False if the processor is unknown, or the platform is from an old results file.
    """
    parts = platform_parts(line)
    return "computation" in parts and not parts["processor"].startswith("unknown ")


def is_portable(line: str) -> bool:
    """Return True if a platform is that of portable kernels.

    Args:
        line: the platform of a row.

    Returns:
        True for portable kernels.
    """
    return line.startswith("portable ")


def portable_promise(line: str, optimizer: str) -> str:
    """Return the part of a platform of portable kernels that decides the bits.

    Args:
        line: a platform for which `is_portable` is true.
        optimizer: optimizer of the training's protocol.

    Returns:
        Architecture, edition of the golden trainings, and generation of the suite's computations. Versions of libraries
        are left out, because each version that gives the bits of the golden trainings gives the same bits. Edition 1 is
        called 2 where the optimizer takes no roots.
    """
    parts = platform_parts(line)
    if parts.get("golden") == "1" and optimizer != "rmsprop":
        parts["golden"] = "2"
    return "; ".join(
        [parts.get("processor", ""), *(f"{name} {parts.get(name, '')}" for name in ("golden", "computation"))]
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
