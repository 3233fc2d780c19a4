"""Checks of the processor, of limits on this process, of the memory, and of settings that make trainings slow."""

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
from nasbench.kernels.processor import BFLOAT16_FLAGS, Processor

SHOWN_FLAGS: Final = (
    *("sse4_2", "avx", "avx2", "fma", "avx_vnni", "avx_ne_convert", "avx512f", "avx512_vnni", "avx512_bf16"),
    *("avx512_fp16", "amx_tile", "amx_bf16", "asimd", "bf16", "sve"),
)
NEEDED_BYTES: Final = 1 << 30
"""Memory for a search with one child at a time: about 0.6 GB for the main process and 0.65 GB for the child's, which
share torch's pages."""

EASY_BYTES: Final = 2 << 30
SLOW_NUMPY: Final = 0.5  # numpy is reported as slow below this share of torch's speed
CHOOSING: Final = tuple(CHOICES)
"""Environment variables that make libraries use other kernels than they would choose."""

_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_SLOWING: Final = {
    "ONEDNN_VERBOSE": "oneDNN prints a line for each operation",
    "DNNL_VERBOSE": "oneDNN prints a line for each operation",
    "MKL_VERBOSE": "MKL prints a line for each matrix product",
    "CUDA_LAUNCH_BLOCKING": "the CPU waits for each operation on CUDA",
    "NASBENCH_CUDA_GRAPHS": "training steps on CUDA are not recorded as graphs",
    "NASBENCH_ALLOCATOR": "freed memory is returned to the system after each step",
    "MALLOC_CHECK_": "the C library checks each block of memory",
}
_OFF: Final = {"0", "", "none", "NONE"}
_finding = partial(Finding, "processor")


def check_identity(processor: Processor, machine: str) -> list[Finding]:
    """Report the processor, and whether rows are comparable to the bit with those of other machines.

    Args:
        processor: this machine's processor.
        machine: architecture, from `platform.machine()`.

    Returns:
        At least one finding.
    """
    if not processor.is_known:
        found = f"{processor.vendor or machine}: the system does not report the processor's model"
        advice = "verify compares rows within the tolerance, not to the bit, except with kernels=portable"
        findings = [_finding("identity", "note", found, advice)]
    else:
        flags = " ".join(flag for flag in SHOWN_FLAGS if flag in processor.flags)
        findings = [_finding("identity", "ok", f"{processor.name or 'unnamed'}: {processor} ({flags})")]
    if machine not in ("x86_64", "AMD64"):
        found = f"{machine}: kernels=portable gives the same bits on x86-64 processors only; searches work"
        findings.append(_finding("architecture", "note", found))
    return findings


def check_cores(limits: Limits) -> list[Finding]:
    """Report how many processors this process may use.

    Args:
        limits: limits of this process.

    Returns:
        One finding.
    """
    usable = f"{limits.usable} of {limits.there} processors"
    if limits.cpu_quota < limits.usable:
        found = (
            f"{usable}, but the control group allows the time of {limits.cpu_quota:g}: more trainings than that are "
            "paused repeatedly"
        )
        fit = max(int(limits.cpu_quota), 1)
        advice = f"train at most {fit} at a time: --devices {','.join(['cpu'] * min(fit, 4))}{',...' * (fit > 4)}"
        return [_finding("cores", "slow", found, advice)]
    if limits.usable < limits.there:
        found = f"{usable} may be used (limited by taskset or a batch system)"
        return [_finding("cores", "note", found, f"train at most {limits.usable} at a time")]
    return [_finding("cores", "ok", f"{usable} may be used, without a limit on their time")]


def check_load(load: float, limits: Limits) -> list[Finding]:
    """Check whether other processes use the processors, which makes trainings slower and their charges higher.

    Args:
        load: average number of processes that wanted to run during the last minute.
        limits: limits of this process.

    Returns:
        One finding.
    """
    if load <= limits.there:
        return [_finding("load", "ok", f"{load:.1f} processes for {limits.there} processors in the last minute")]
    found = (
        f"{load:.1f} processes for {limits.there} processors in the last minute: trainings take longer and cost more "
        "device-seconds"
    )
    advice = "wait until other processes have ended, or use a budget in children"
    return [_finding("load", "slow", found, advice)]


def check_memory(limits: Limits) -> list[Finding]:
    """Check whether there is enough memory for a search.

    Args:
        limits: limits of this process.

    Returns:
        One finding.
    """
    room = min(limits.available, limits.memory_left)  # nan if `available` is nan
    if math.isnan(limits.available):
        if math.isinf(limits.memory_limit):
            return [_finding("memory", "note", "the system does not report the memory", "a search needs 1 GB")]
        room = limits.memory_left
    found = f"{_gigabytes(room)} for this process"
    if not math.isnan(limits.memory):
        found += f" of the machine's {_gigabytes(limits.memory)}"
    if not math.isinf(limits.memory_limit):
        found += f"; its control group allows {_gigabytes(limits.memory_limit)}"
        if not math.isnan(limits.memory_used):
            found += f", of which {_gigabytes(limits.memory_used)} are in use"
    if room < NEEDED_BYTES:
        advice = f"a search needs {_gigabytes(NEEDED_BYTES)}, or its children are killed: free some, or raise the limit"
        return [_finding("memory", "wrong", found, advice, True)]
    if room < EASY_BYTES:
        return [_finding("memory", "note", found, "enough for one child at a time, on small images")]
    return [_finding("memory", "ok", found)]


def _gigabytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"


def check_bfloat16(processor: Processor, facts: TorchFacts) -> list[Finding]:
    """Compare the measured time of a training step in bfloat16 with one in float32.

    Args:
        processor: this machine's processor.
        facts: measurements on it.

    Returns:
        One finding.
    """
    flags = sorted(processor.flags & BFLOAT16_FLAGS)
    if processor.flags:
        has = f"bfloat16 instructions ({' '.join(flags)})" if flags else "no bfloat16 instructions"
    else:
        has = "unknown whether there are bfloat16 instructions"
    if facts.bfloat16_time <= 1:
        found = f"{has}: a training step takes {facts.bfloat16_time:.2f} times as long as in float32"
        return [_finding("bfloat16", "ok", found)]
    found = f"{has}: a training step takes {facts.bfloat16_time:.1f} times as long as in float32"
    if (flags or not processor.flags) and facts.bfloat16_time < 1.25:
        return [_finding("bfloat16", "note", found, "measure your networks before you use --set precision=bfloat16")]
    return [_finding("bfloat16", "slow", found, "leave out --set precision=bfloat16 on this processor")]


def check_vector_kernels(facts: TorchFacts) -> list[Finding]:
    """Check whether torch and numpy use vector instructions, and whether the allocator keeps freed memory.

    Args:
        facts: properties of torch, and measurements.

    Returns:
        At least one finding.
    """
    findings = []
    if facts.capability in ("DEFAULT", "NO AVX"):
        found = f"torch uses its kernels without AVX2 ({facts.capability}): trainings take several times as long"
        findings.append(
            _finding("torch's kernels", "slow", found, "use a processor with AVX2, or unset ATEN_CPU_CAPABILITY")
        )
    else:
        findings.append(_finding("torch's kernels", "ok", f"for {facts.capability}"))
    if facts.numpy_gflops:
        chosen = f"OpenBLAS for {facts.numpy_kernels}" if facts.numpy_kernels else "its own library"
        speeds = f"{facts.numpy_gflops:.0f} GFLOP/s in float64 on one thread, torch {facts.torch_gflops:.0f}"
        if facts.numpy_gflops < SLOW_NUMPY * facts.torch_gflops:
            advice = (
                "unset OPENBLAS_CORETYPE, or, if it is not set, set it to a similar processor: Haswell, Zen or SkylakeX"
            )
            findings.append(_finding("numpy's kernels", "slow", f"{chosen}: {speeds}", advice))
        else:
            findings.append(_finding("numpy's kernels", "ok", f"{chosen}: {speeds}"))
    if not facts.keeps_memory:
        found = "the C library's allocator returns freed memory after each step: trainings take up to a quarter longer"
        findings.append(
            _finding("allocator", "slow", found, "use Linux with glibc, and leave NASBENCH_ALLOCATOR unset")
        )
    return findings


def check_settings(environment: Mapping[str, str], limits: Limits) -> list[Finding]:
    """Check the environment for variables that change speed or bits.

    Args:
        environment: environment variables.
        limits: limits of this process.

    Returns:
        At least one finding.
    """
    findings = []
    for name in CHOOSING:
        if environment.get(name, "") in ("", "DEFAULT", "default"):
            continue
        choices = CHOICES[name]
        if not choices.has(environment[name]):
            found = f"{name}={environment[name]}: {choices.library} does not know this value and ignores it"
            findings.append(_finding("settings", "note", found, f"unset {name}, or use one of {choices.shown}"))
        else:
            found = (
                f"{name}={environment[name]} makes {choices.library} use other kernels: other bits, and mostly slower"
            )
            findings.append(_finding("settings", "slow", found, f"unset {name}, unless that is intended"))
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
            f"{name}={value} is not a number of threads and is ignored",
            f"set {name}=1, or unset it",
        )
    elif int(value.split(",")[0]) > limits.processors:
        level = "slow"
        found = (
            f"{name}={value}, but this process has the time of {limits.processors:g} processors: threads wait for each "
            "other"
        )
        advice = f"set {name}={max(int(limits.processors), 1)}"
    else:
        return []
    return [_finding("settings", level, found, advice)]
