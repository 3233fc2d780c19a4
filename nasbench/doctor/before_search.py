"""One-line warning before a search that will be slow on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from nasbench.kernels.processor import Processor, onednn_isa

WITH_BFLOAT16: Final = frozenset(
    {"avx2_vnni_2", "avx512_core_bf16", "avx512_core_fp16", "avx512_core_amx", "avx512_core_amx_fp16"}
)
"""Instruction sets of oneDNN that multiply bfloat16 numbers; with the others it emulates them."""


def emulates_bfloat16(processor: Processor, limit: str = "") -> str:
    """The instruction set with which oneDNN has to emulate bfloat16 here; "" where there are instructions for it.

    Args:
        processor: of this machine.
        limit: the environment variable ONEDNN_MAX_CPU_ISA, "" for none.
    """
    if "bf16" in processor.flags:  # Arm's name
        return ""
    isa = onednn_isa(processor, limit)
    return "" if isa in WITH_BFLOAT16 else isa


def slow_here(trainings: Iterable[tuple[str, Sequence[str]]], processor: Processor, limit: str = "") -> list[str]:
    """Lines on what makes trainings slow on this machine that their protocol asks for.

    Args:
        trainings: precision of the protocol, and the devices on this machine.
        processor: of this machine.
        limit: the environment variable ONEDNN_MAX_CPU_ISA, "" for none.

    Returns:
        A line, or none.
    """
    isa = emulates_bfloat16(processor, limit)
    if not isa or not any(precision == "bfloat16" and "cpu" in devices for precision, devices in trainings):
        return []
    # Measured: 36 against 241 images/s with AVX2 (AMD EPYC family 25 model 1); half the speed with AVX-512 without bfloat16.
    times = 2 if isa.startswith("avx512") else 7
    return [
        f"slow here: precision=bfloat16 on a processor without instructions for it ({isa}) trains about {times} times slower than float32; "
        "nasbench doctor measures it"
    ]
