"""A warning before a search that will be slow on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from nasbench.kernels.processor import Processor, onednn_isa

WITH_BFLOAT16: Final = frozenset(
    {"avx2_vnni_2", "avx512_core_bf16", "avx512_core_fp16", "avx512_core_amx", "avx512_core_amx_fp16"}
)
"""oneDNN's instruction sets with bfloat16 instructions; with the others it emulates them."""


def emulates_bfloat16(processor: Processor, limit: str = "") -> str:
    """Return the instruction set with which oneDNN emulates bfloat16 arithmetic on a processor.

    Args:
        processor: the processor.
        limit: value of the environment variable ONEDNN_MAX_CPU_ISA; "" for no limit.

    Returns:
        oneDNN's name of the instruction set; "" if there are bfloat16 instructions.
    """
    if "bf16" in processor.flags:  # Arm's name of the flag
        return ""
    isa = onednn_isa(processor, limit)
    return "" if isa in WITH_BFLOAT16 else isa


def slow_here(trainings: Iterable[tuple[str, Sequence[str]]], processor: Processor, limit: str = "") -> list[str]:
    """Return warnings about protocol settings that are slow on this machine.

    Args:
        trainings: precision of the protocol and names of the devices, for each kind of training.
        processor: this machine's processor.
        limit: value of the environment variable ONEDNN_MAX_CPU_ISA; "" for no limit.

    Returns:
        One line if trainings in bfloat16 would run on a processor without instructions for it; otherwise none.
    """
    isa = emulates_bfloat16(processor, limit)
    if not isa or not any(precision == "bfloat16" and "cpu" in devices for precision, devices in trainings):
        return []
    # Measured: 36 instead of 241 images/s with AVX2 (AMD EPYC family 25 model 1), half the speed with AVX-512.
    times = 2 if isa.startswith("avx512") else 7
    return [
        f"slow here: precision=bfloat16 trains about {times} times slower than float32, because this processor has no "
        f"bfloat16 instructions ({isa}); nasbench doctor measures it"
    ]
