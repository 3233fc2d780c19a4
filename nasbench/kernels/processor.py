"""This machine's processor and its instruction sets, as reported by the operating system's kernel."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")

# Instruction sets of oneDNN on x86-64 in rising order, and the flags of /proc/cpuinfo that each adds.
# Source: oneDNN's documentation, "CPU Dispatcher Control".
_ONEDNN: Final = (
    ("sse41", ("sse4_1",)),
    ("avx", ("avx",)),
    ("avx2", ("avx2", "fma")),
    ("avx2_vnni", ("avx_vnni",)),
    ("avx2_vnni_2", ("avx_vnni_int8", "avx_ne_convert")),
    ("avx512_core", ("avx512f", "avx512bw", "avx512vl", "avx512dq")),
    ("avx512_core_vnni", ("avx512_vnni",)),
    ("avx512_core_bf16", ("avx512_bf16",)),
    ("avx512_core_fp16", ("avx512_fp16",)),
    ("avx512_core_amx", ("amx_tile", "amx_int8", "amx_bf16")),
    ("avx512_core_amx_fp16", ("amx_fp16",)),
)
_OPTIONAL: Final = frozenset({"avx2_vnni", "avx2_vnni_2"})  # a processor with AVX-512 need not have them


@dataclass(frozen=True)
class Processor:
    """A processor as it identifies itself.

    Args:
        vendor: e.g. "AuthenticAMD"; the architecture where the system does not tell.
        family: as a decimal number, "" where the system does not tell.
        model: likewise.
        stepping: likewise.
        name: as its maker sells it, e.g. "AMD EPYC"; says little about the bits that it computes.
        flags: instruction sets and other features, by the names of /proc/cpuinfo.
    """

    vendor: str
    family: str
    model: str
    stepping: str
    name: str
    flags: frozenset[str]

    @property
    def is_known(self) -> bool:
        """True if family and model are known; without them, different processors cannot be distinguished."""
        return bool(self.family and self.model)

    def __str__(self) -> str:
        if not self.is_known:
            return f"unknown {self.vendor} processor"
        return f"{self.vendor} family {self.family} model {self.model} stepping {self.stepping}"


@lru_cache(maxsize=1)
def processor_here() -> Processor:
    """Read the first processor of this machine."""
    try:
        return parse_cpuinfo(_CPUINFO.read_text())
    except OSError:
        return Processor(platform.machine(), "", "", "", platform.processor(), frozenset())


def parse_cpuinfo(text: str) -> Processor:
    """Read a processor from the text of /proc/cpuinfo.

    Args:
        text: the file's content; only the first processor's lines are used.
    """
    lines = text.split("\n\n")[0].splitlines()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    arm = {
        "vendor_id": "CPU implementer",
        "cpu family": "CPU architecture",
        "model": "CPU part",
        "stepping": "CPU revision",
    }

    def field(name: str) -> str:
        return (fields.get(name) or fields.get(arm.get(name, ""), "")).replace(";", ",")

    flags = frozenset((fields.get("flags") or fields.get("Features", "")).split())
    vendor = field("vendor_id") or platform.machine()
    return Processor(vendor, field("cpu family"), field("model"), field("stepping"), field("model name"), flags)


def cpu_flags() -> frozenset[str]:
    """Return the features of this machine's processor, by the names of /proc/cpuinfo; none where the system does not tell."""
    return processor_here().flags


def has_bfloat16() -> bool:
    """True if the processor has instructions that multiply bfloat16 numbers."""
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})


def onednn_isa(processor: Processor, limit: str = "") -> str:
    """Return the instruction set that oneDNN chooses on a processor.

    Args:
        processor: the processor.
        limit: the environment variable ONEDNN_MAX_CPU_ISA, e.g. "AVX2"; "" or "DEFAULT" for none.

    Returns:
        In oneDNN's own names, e.g. "avx512_core_bf16"; "none" where it has no vector kernels, e.g. on other architectures.
    """
    found, allowed = "none", [name for name, _ in _ONEDNN]
    wanted = limit.strip().lower()
    if wanted in allowed:
        allowed = allowed[: allowed.index(wanted) + 1]
    for name, flags in _ONEDNN:
        if name not in allowed:
            break
        if processor.flags.issuperset(flags):
            found = name
        elif name not in _OPTIONAL:
            break
    return found


def onednn_isa_here() -> str:
    """Return `onednn_isa` of this machine with this process's environment."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get(
        "DNNL_MAX_CPU_ISA", ""
    )  # the latter is the older name
    return onednn_isa(processor_here(), limit)
