"""Checks of torch's build, and of the instruction sets that it uses, which rows store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from nasbench.doctor.findings import Finding
from nasbench.doctor.probe import TorchFacts
from nasbench.kernels.processor import Processor

# oneDNN's description of an instruction set -> its name.
# Source: oneDNN 3.x, src/cpu/x64/cpu_isa_traits.cpp, get_isa_info.
ONEDNN_WORDS: Final[Mapping[str, str]] = {
    "Intel SSE4.1": "sse41",
    "Intel AVX": "avx",
    "Intel AVX2": "avx2",
    "Intel AVX2 with Intel DL Boost": "avx2_vnni",
    "Intel AVX2 with Intel DL Boost, float16 and bfloat16 support": "avx2_vnni_2",
    "Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions": "avx512_core",
    "Intel AVX-512 with Intel DL Boost": "avx512_core_vnni",
    "Intel AVX-512 with Intel DL Boost and bfloat16 support": "avx512_core_bf16",
    "Intel AVX-512 with float16, Intel DL Boost and bfloat16 support": "avx512_core_fp16",
    "Intel AVX10.1": "avx512_core_fp16",
    "Intel AVX-512 with float16, Intel DL Boost and bfloat16 support and Intel AMX with bfloat16 and 8-bit integer "
    "support": "avx512_core_amx",
    "Intel AVX10.1 and Intel AMX with bfloat16 and 8-bit integer support": "avx512_core_amx",
    "Intel AVX-512 with float16, Intel DL Boost and bfloat16 support and Intel AMX with bfloat16, float16 and 8-bit "
    "integer support": "avx512_core_amx_fp16",
    "Intel AVX10.1 and Intel AMX with bfloat16, float16 and 8-bit integer support": "avx512_core_amx_fp16",
}

_finding = partial(Finding, "versions")


def check_torch(facts: TorchFacts) -> list[Finding]:
    """Report torch's build, and check that it works together with numpy.

    Args:
        facts: properties of torch.

    Returns:
        At least one finding.
    """
    build = f"built for CUDA {facts.cuda}" if facts.cuda else "built for the CPU only"
    libraries = [f"{name} {version}" for name, version in (("oneDNN", facts.onednn), ("MKL", facts.mkl)) if version]
    found = f"{facts.version}, {build}{''.join(f', {library}' for library in libraries)}"
    findings = [_finding("torch", "ok", found)]
    if facts.numpy_error:
        why = f"torch's tensors and numpy's arrays cannot share memory: {facts.numpy_error}"
        advice = "this torch was built for another numpy: pip install --upgrade torch torchvision numpy"
        findings.append(_finding("torch with numpy", "wrong", why, advice, True))
    if not facts.onednn:
        advice = "install torch from PyPI or pytorch.org, which contains it"
        findings.append(
            _finding("oneDNN", "slow", "missing in this build of torch: convolutions on the CPU are slow", advice)
        )
    return findings


def check_instruction_sets(
    facts: TorchFacts, processor: Processor, machine: str, environment: Mapping[str, str]
) -> list[Finding]:
    """Compare the instruction set that oneDNN reports with the one that rows store as their platform.

    Args:
        facts: properties of torch.
        processor: this machine's processor.
        machine: architecture, from `platform.machine()`.
        environment: this process's environment variables.

    Returns:
        One finding; none if torch has no oneDNN.
    """
    rows = f"torch {facts.capability}, oneDNN {facts.predicted_isa}"
    if not facts.onednn:
        return []
    if not facts.isa:
        found = f"{rows}; oneDNN does not report what it uses"
        return [
            _finding(
                "instruction sets", "note", found, "only the processor's identity shows whether bits are comparable"
            )
        ]
    name = ONEDNN_WORDS.get(facts.isa)
    if not processor.flags and not processor.is_known:
        found = f"the system does not report the processor; oneDNN reports {facts.isa}"
        advice = "rows store an unknown processor, so verify compares within the tolerance, not to the bit"
        return [_finding("instruction sets", "note", found, advice)]
    if machine not in ("x86_64", "AMD64"):
        found = (
            f"torch {facts.capability}, oneDNN: {facts.isa}; their kernels on {machine} give other bits than those on "
            "x86-64"
        )
        return [_finding("instruction sets", "note", found)]
    if name is None:
        found = (
            f"oneDNN reports {facts.isa!r}, which this version of the suite does not know; rows store "
            f"{facts.predicted_isa}"
        )
        return [_finding("instruction sets", "note", found, "rows are comparable to the bit on this processor only")]
    if name != facts.predicted_isa:
        found = (
            f"oneDNN uses {name} ({facts.isa}), but rows would store {facts.predicted_isa}: verify would expect equal "
            "bits wrongly"
        )
        held = bool(environment.get("DNNL_MAX_CPU_ISA"))
        advice = "unset DNNL_MAX_CPU_ISA, or name it ONEDNN_MAX_CPU_ISA" if held else "report it with this text"
        return [_finding("instruction sets", "wrong", found, advice, True)]
    return [_finding("instruction sets", "ok", f"{rows} ({facts.isa}), as rows store it")]
