"""Environment variables that choose the kernels of libraries, and their allowed values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Choices:
    """The allowed values of an environment variable.

    Args:
        library: the library that reads the variable.
        values: regular expression of the allowed values.
        shown: readable list of the allowed values, or of the usual ones.
        any_case: True if upper and lower case are the same.
    """

    library: str
    values: str
    shown: str
    any_case: bool = True

    def has(self, value: str) -> bool:
        """Return True if the library accepts a value.

        Args:
            value: value of the environment variable.

        Returns:
            False if the library ignores the value.
        """
        return re.fullmatch(self.values, value, re.IGNORECASE if self.any_case else 0) is not None


# Source: oneDNN 3.x, src/cpu/x64/cpu_isa_traits.cpp, init_max_cpu_isa; it ignores the case.
_ONEDNN: Final = Choices(
    "oneDNN",
    "default|sse41|avx|avx2(_vnni(_2)?)?|avx512_core(_vnni|_bf16|_fp16|_amx|_amx_fp16)?|avx10_[12](_512)?(_amx(_fp16|_2)?)?",
    "SSE41, AVX, AVX2, AVX2_VNNI, AVX2_VNNI_2, AVX512_CORE, AVX512_CORE_VNNI, AVX512_CORE_BF16, AVX512_CORE_FP16, "
    "AVX512_CORE_AMX, AVX512_CORE_AMX_FP16 and DEFAULT",
)
# Source: torch, aten/src/ATen/native/DispatchStub.cpp, compute_cpu_capability; lower case only.
_TORCH: Final = Choices("torch", "default|avx2|avx512|vsx|zvector|sve(128|256)?", "avx512, avx2 and default", False)
# Source: Intel's oneMKL developer guides, "Specifying Code Branches" and "Instruction Set Specific Dispatching".
_MKL_BRANCH: Final = Choices(
    "MKL",
    "(MKL_CBWR_)?(OFF|BRANCH_OFF|AUTO|COMPATIBLE|SSE2|SSE3|SSSE3|SSE4_1|SSE4_2|AVX|(AVX2|AVX512|AVX512_E1)(,STRICT)?"
    "|AVX512_MIC(_E1)?)",
    "AUTO, COMPATIBLE, SSE4_2, AVX, AVX2 and AVX512, the last two also with ,STRICT",
)
_MKL_SETS: Final = Choices(
    "MKL", "SSE4_2|AVX|AVX2(_E1)?|AVX512(_E[1-5]|_MIC(_E1)?)?", "SSE4_2, AVX, AVX2, AVX2_E1, AVX512 and AVX512_E1 to E4"
)
# Not in MKL's documentation; versions before 2020.1 take a number.
_MKL_TYPE: Final = Choices("MKL", r"\d+", "a number such as 5, before version 2020.1")
# Source: OpenBLAS, driver/others/dynamic.c, corename, and dynamic_arm64.c.
_OPENBLAS: Final = Choices(
    "OpenBLAS",
    "katmai|coppermine|northwood|prescott|banias|atom|core2|penryn|dunnington|nehalem|athlon|opteron(_sse3)?|barcelona|nano"
    "|sandybridge|bobcat|bulldozer|piledriver|haswell|steamroller|excavator|zen|skylakex|cooperlake|sapphirerapids"
    r"|armv8(sve)?|armv9sme|cortexa\d+|neoverse[nv]\d|thunderx\w*|tsv110|emag8180|falkor|vortex\w*|a64fx|ft2000",
    "Prescott, Core2, Nehalem, Sandybridge, Haswell, Zen, SkylakeX, Cooperlake, SapphireRapids and others",
)

CHOICES: Final[Mapping[str, Choices]] = MappingProxyType(
    {
        "ONEDNN_MAX_CPU_ISA": _ONEDNN,
        "DNNL_MAX_CPU_ISA": _ONEDNN,
        "ATEN_CPU_CAPABILITY": _TORCH,
        "MKL_CBWR": _MKL_BRANCH,
        "MKL_ENABLE_INSTRUCTIONS": _MKL_SETS,
        "MKL_DEBUG_CPU_TYPE": _MKL_TYPE,
        "OPENBLAS_CORETYPE": _OPENBLAS,
    }
)
