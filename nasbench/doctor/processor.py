"""The processor, its share that this process has, the memory, and what makes trainings slow here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from nasbench.doctor.findings import Finding, Level
from nasbench.doctor.kernel_choices import CHOICES
from nasbench.doctor.limits import Limits
from nasbench.doctor.probe import TorchFacts
from nasbench.kernels.processor import Processor

SHOWN_FLAGS: Final = (
    *("sse4_2", "avx", "avx2", "fma", "avx_vnni", "avx_ne_convert", "avx512f", "avx512_vnni", "avx512_bf16"),
    *("avx512_fp16", "amx_tile", "amx_bf16", "asimd", "bf16", "sve"),
)
BFLOAT16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})
NEEDED_BYTES: Final = 1 << 30
"""Need of a search with one child at a time: about 0.6 GB for the driver and 0.65 GB for the child, sharing torch's pages."""

EASY_BYTES: Final = 2 << 30
SLOW_NUMPY: Final = 0.5  # numpy's speed as a share of torch's, below which it is called slow
CHOOSING: Final = tuple(CHOICES)
"""Settings that hold libraries to other kernels than they would choose."""

_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_SLOWING: Final = {
    "ONEDNN_VERBOSE": "oneDNN prints a line for each operation",
    "DNNL_VERBOSE": "oneDNN prints a line for each operation",
    "MKL_VERBOSE": "MKL prints a line for each matrix product",
    "CUDA_LAUNCH_BLOCKING": "each operation on CUDA is waited for",
    "NASBENCH_CUDA_GRAPHS": "training steps on CUDA are not recorded as graphs",
    "NASBENCH_ALLOCATOR": "freed memory goes back to the system after each step",
    "MALLOC_CHECK_": "the C library checks each block of memory",
}
_OFF: Final = {"0", "", "none", "NONE"}
_finding = partial(Finding, "processor")


def check_identity(processor: Processor, machine: str) -> list[Finding]:
    """Say what the processor is, and whether its bits are promised.

    Args:
        processor: as the system says.
        machine: architecture, as `platform.machine()` says it.
    """
    if not processor.family:
        found = f"{processor.vendor or machine}: the system does not say which processor this is"
        advice = "rows are comparable to the bit on this machine alone; kernels=portable does not need it"
        findings = [_finding("identity", "note", found, advice)]
    else:
        flags = " ".join(flag for flag in SHOWN_FLAGS if flag in processor.flags)
        findings = [_finding("identity", "ok", f"{processor.name or 'unnamed'}: {processor} ({flags})")]
    if machine not in ("x86_64", "AMD64"):
        found = f"{machine}: kernels=portable promises the same bits on x86-64 processors only; searches work"
        findings.append(_finding("architecture", "note", found))
    return findings


def check_cores(limits: Limits) -> list[Finding]:
    """Say how many processors this process may use."""
    usable = f"{limits.usable} of {limits.there} processors"
    if limits.cpu_quota < limits.usable:
        found = f"{usable}, but its control group gives the time of {limits.cpu_quota:g}: trainings beyond that are stopped in between"
        fit = max(int(limits.cpu_quota), 1)
        advice = f"no more than {fit} at a time: --devices {','.join(['cpu'] * min(fit, 4))}{',...' * (fit > 4)}"
        return [_finding("cores", "slow", found, advice)]
    if limits.usable < limits.there:
        found = f"{usable} may be used (taskset, or a batch system)"
        return [_finding("cores", "note", found, f"up to {limits.usable} trainings at a time")]
    return [_finding("cores", "ok", f"{usable} may be used, without a limit on their time")]


def check_load(load: float, limits: Limits) -> list[Finding]:
    """Check whether other processes load the machine: trainings then take longer and are charged more.

    Args:
        load: processes that wanted to run, on average over the last minute.
        limits: of this process.
    """
    if load <= limits.there:
        return [_finding("load", "ok", f"{load:.1f} processes for {limits.there} processors in the last minute")]
    found = f"{load:.1f} processes for {limits.there} processors in the last minute: trainings take longer, and are charged so"
    advice = "wait until the others have ended, or give budgets in children"
    return [_finding("load", "slow", found, advice)]


def check_memory(limits: Limits) -> list[Finding]:
    """Say how much memory there is, and whether a search fits."""
    room = min(limits.available, limits.memory_limit)  # a nan in first place stays
    if math.isnan(limits.available):
        if math.isinf(limits.memory_limit):
            return [_finding("memory", "note", "the system does not say how much there is", "a search needs 1 GB")]
        room = limits.memory_limit
    found = f"{_gigabytes(room)} for this process"
    if not math.isnan(limits.memory):
        found += f" of the machine's {_gigabytes(limits.memory)}"
    if not math.isinf(limits.memory_limit):
        found += f"; its control group may have {_gigabytes(limits.memory_limit)}"
    if room < NEEDED_BYTES:
        advice = f"a search needs {_gigabytes(NEEDED_BYTES)}, or its children are killed: free some, or raise the limit"
        return [_finding("memory", "wrong", found, advice, True)]
    if room < EASY_BYTES:
        return [_finding("memory", "note", found, "one child at a time, on small images")]
    return [_finding("memory", "ok", found)]


def _gigabytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"


def check_bfloat16(processor: Processor, facts: TorchFacts) -> list[Finding]:
    """Say what `precision=bfloat16` costs here, as measured: without instructions for it, it is emulated.

    Args:
        processor: the processor and its instruction sets.
        facts: measurements on it.
    """
    flags = sorted(processor.flags & BFLOAT16_FLAGS)
    if processor.flags:
        has = f"instructions for it ({' '.join(flags)})" if flags else "no instructions for it"
    else:
        has = "unknown whether there are instructions for it"
    if facts.bfloat16_time <= 1:
        found = f"{has}: a step of training takes {facts.bfloat16_time:.2f} times as long as in float32"
        return [_finding("bfloat16", "ok", found)]
    found = f"{has}: a step of training takes {facts.bfloat16_time:.1f} times as long as in float32"
    if (flags or not processor.flags) and facts.bfloat16_time < 1.25:
        return [_finding("bfloat16", "note", found, "measure your networks before you use --set precision=bfloat16")]
    return [_finding("bfloat16", "slow", found, "leave out --set precision=bfloat16 on this processor")]


def check_vector_kernels(facts: TorchFacts) -> list[Finding]:
    """Say whether torch and numpy compute with what processors of this time have."""
    findings = []
    if facts.capability in ("DEFAULT", "NO AVX"):
        found = f"torch's own kernels are those for every processor ({facts.capability}): trainings take several times as long as with AVX2"
        findings.append(
            _finding("torch's kernels", "slow", found, "use a processor with AVX2, or unset ATEN_CPU_CAPABILITY")
        )
    else:
        findings.append(_finding("torch's kernels", "ok", f"for {facts.capability}"))
    if facts.numpy_gflops:
        chosen = f"OpenBLAS for {facts.numpy_kernels}" if facts.numpy_kernels else "its own library"
        speeds = f"{facts.numpy_gflops:.0f} GFLOP/s in float64 on one thread, torch {facts.torch_gflops:.0f}"
        if facts.numpy_gflops < SLOW_NUMPY * facts.torch_gflops:
            advice = "if OPENBLAS_CORETYPE is set, unset it; else name a kind that this processor is like: Haswell, Zen or SkylakeX"
            findings.append(_finding("numpy's kernels", "slow", f"{chosen}: {speeds}", advice))
        else:
            findings.append(_finding("numpy's kernels", "ok", f"{chosen}: {speeds}"))
    if not facts.keeps_memory:
        found = (
            "the C library's allocator gives freed memory back after each step: trainings take up to a quarter longer"
        )
        findings.append(
            _finding("allocator", "slow", found, "use Linux with glibc, and leave NASBENCH_ALLOCATOR unset")
        )
    return findings


def check_settings(environment: Mapping[str, str], limits: Limits) -> list[Finding]:
    """Look through the environment for settings that change speed or bits.

    Args:
        environment: its variables.
        limits: of this process.
    """
    findings = []
    for name in CHOOSING:
        if environment.get(name, "") in ("", "DEFAULT", "default"):
            continue
        choices = CHOICES[name]
        if not choices.has(environment[name]):
            found = f"{name}={environment[name]} is no value that {choices.library} knows, and is ignored"
            findings.append(_finding("settings", "note", found, f"remove it; {choices.library} knows {choices.shown}"))
        else:
            found = f"{name}={environment[name]} holds libraries to other kernels than this processor's: other bits, and mostly slower"
            findings.append(_finding("settings", "slow", found, f"unset {name}, unless that is what you want"))
    for name in _THREADS:
        findings += _threads(name, environment.get(name), limits)
    for name, what in _SLOWING.items():
        if name in environment and _slows(name, environment[name]):
            findings.append(_finding("settings", "slow", f"{name}={environment[name]}: {what}", f"unset {name}"))
    if findings:
        return findings
    threads = [f"{name}={environment[name]}" for name in _THREADS if name in environment]
    return [_finding("settings", "ok", f"none that changes speed or bits{''.join(f'; {one}' for one in threads)}")]


def _slows(name: str, value: str) -> bool:
    if name == "NASBENCH_CUDA_GRAPHS":
        return value == "off"
    if name == "NASBENCH_ALLOCATOR":
        return value == "system"
    return value not in _OFF


def _threads(name: str, value: str | None, limits: Limits) -> list[Finding]:
    level: Level
    if value is None:
        return []
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", value) or int(value.split(",")[0]) < 1:
        level, found, advice = (
            "note",
            f"{name}={value} is no number of threads and is ignored",
            f"{name}=1, or unset it",
        )
    elif int(value.split(",")[0]) > limits.processors:
        level = "slow"
        found = f"{name}={value}, and this process has the time of {limits.processors:g} processors: threads wait for each other"
        advice = f"{name}={max(int(limits.processors), 1)}"
    else:
        return []
    return [_finding("settings", level, found, advice)]
