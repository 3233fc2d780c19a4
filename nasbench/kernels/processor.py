"""This machine's processor and its instruction sets, as the operating system reports them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")

# oneDNN's instruction sets on x86-64 in rising order, and the flags of /proc/cpuinfo that each needs in addition.
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
_OPTIONAL: Final = frozenset({"avx2_vnni", "avx2_vnni_2"})  # not every processor with AVX-512 has them

BFLOAT16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})
"""Flags of /proc/cpuinfo for instructions on bfloat16 numbers; the last is Arm's."""


@dataclass(frozen=True)
class Processor:
    """A processor as it identifies itself.

    Args:
        vendor: the maker, e.g. "AuthenticAMD"; the architecture if the system does not report it.
        family: a decimal number; "" if the system does not report it.
        model: a decimal number; "" if the system does not report it.
        stepping: a decimal number; "" if the system does not report it.
        name: product name, e.g. "AMD EPYC"; processors with equal names may compute different bits.
        flags: instruction sets and other features, by their names in /proc/cpuinfo.
    """

    vendor: str
    family: str
    model: str
    stepping: str
    name: str
    flags: frozenset[str]

    @property
    def is_known(self) -> bool:
        """True if family and model are known, which distinguish processors."""
        return bool(self.family and self.model)

    def __str__(self) -> str:
        if not self.is_known:
            return f"unknown {self.vendor} processor"
        return f"{self.vendor} family {self.family} model {self.model} stepping {self.stepping}"


@lru_cache(maxsize=1)
def processor_here() -> Processor:
    """Return the first processor of this machine; it is read once per process."""
    try:
        return parse_cpuinfo(_CPUINFO.read_text())
    except OSError:
        return Processor(platform.machine(), "", "", "", platform.processor(), frozenset())


def parse_cpuinfo(text: str) -> Processor:
    """Read a processor from the text of /proc/cpuinfo.

    Args:
        text: content of the file; only the lines of the first processor are used.

    Returns:
        The processor.
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
    """Return the flags of this machine's processor; empty if the system does not report them."""
    return processor_here().flags


def has_bfloat16() -> bool:
    """Return True if this machine's processor has instructions on bfloat16 numbers."""
    return bool(cpu_flags() & BFLOAT16_FLAGS)


def onednn_isa(processor: Processor, limit: str = "") -> str:
    """Return the instruction set that oneDNN chooses on a processor.

    Args:
        processor: the processor.
        limit: value of the environment variable ONEDNN_MAX_CPU_ISA, e.g. "AVX2"; "" or "DEFAULT" for no limit.

    Returns:
        oneDNN's name of the instruction set, e.g. "avx512_core_bf16"; "none" if it has no vector kernels, e.g. on other
        architectures than x86-64.
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
    """Return `onednn_isa` of this machine's processor and this process's environment."""
    older_name = os.environ.get("DNNL_MAX_CPU_ISA", "")
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or older_name
    return onednn_isa(processor_here(), limit)
