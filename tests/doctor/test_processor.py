"""Processor, cores, memory and settings: each level of each check."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nasbench.doctor.kernel_choices import CHOICES
from nasbench.doctor.limits import Limits
from nasbench.doctor.processor import (
    CHOOSING,
    check_bfloat16,
    check_cores,
    check_identity,
    check_load,
    check_memory,
    check_settings,
    check_vector_kernels,
)
from nasbench.kernels.processor import _ONEDNN, Processor

EPYC = Processor("AuthenticAMD", "25", "17", "1", "AMD EPYC", frozenset({"avx2", "avx512f", "avx512_bf16", "fpu"}))
UNKNOWN = Processor("x86_64", "", "", "", "", frozenset())
OLDER = replace(EPYC, flags=frozenset({"avx2"}))
ROOMY = Limits(there=8, usable=8, memory=64 << 30, available=60 << 30)


KNOWN = [
    *((name, value) for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA") for value in ("AVX2", "avx512_core_bf16")),
    *(("ATEN_CPU_CAPABILITY", value) for value in ("avx2", "avx512")),
    *(("MKL_CBWR", value) for value in ("COMPATIBLE", "AVX2,STRICT")),
    *(("MKL_ENABLE_INSTRUCTIONS", "AVX2"), ("MKL_DEBUG_CPU_TYPE", "5")),
    *(("OPENBLAS_CORETYPE", value) for value in ("Haswell", "SKYLAKEX", "NEOVERSEN1")),
]


def levels(found):
    return [(finding.name, finding.level, finding.breaks) for finding in found]


def test_a_processor_says_who_it_is():
    (found,) = check_identity(EPYC, "x86_64")
    assert (found.level, found.found) == (
        "ok",
        "AMD EPYC: AuthenticAMD family 25 model 17 stepping 1 (avx2 avx512f avx512_bf16)",
    )


def test_a_processor_that_is_not_known_is_noted_and_so_is_another_architecture():
    unknown = Processor("arm64", "", "", "", "", frozenset())
    assert levels(check_identity(unknown, "arm64")) == [("identity", "note", False), ("architecture", "note", False)]
    assert levels(check_identity(EPYC, "AMD64")) == [("identity", "ok", False)]


def test_a_processor_without_a_model_number_is_noted_because_rows_store_it_as_unknown():
    (found,) = check_identity(replace(EPYC, model=""), "x86_64")
    assert found.level == "note"
    assert "within the tolerance" in found.advice


@pytest.mark.parametrize(
    ("limits", "level", "words", "advice"),
    [
        (ROOMY, "ok", "8 of 8 processors", ""),
        (replace(ROOMY, usable=2), "note", "2 of 8 processors", "train at most 2 at a time"),
        (replace(ROOMY, usable=2, cpu_quota=4), "note", "2 of 8 processors", "train at most 2 at a time"),
        (replace(ROOMY, cpu_quota=2.5), "slow", "the time of 2.5", "train at most 2 at a time: --devices cpu,cpu"),
        (replace(ROOMY, cpu_quota=0.5), "slow", "the time of 0.5", "train at most 1 at a time: --devices cpu"),
        (
            replace(ROOMY, cpu_quota=6),
            "slow",
            "the time of 6",
            "train at most 6 at a time: --devices cpu,cpu,cpu,cpu,...",
        ),
        (replace(ROOMY, cpu_quota=8), "ok", "8 of 8 processors", ""),
    ],
)
def test_cores(limits, level, words, advice):
    (found,) = check_cores(limits)
    assert (found.level, found.advice, found.breaks) == (level, advice, False)
    assert words in found.found


@pytest.mark.parametrize(("load", "level"), [(0.0, "ok"), (8.0, "ok"), (8.1, "slow"), (40.0, "slow")])
def test_others_that_keep_the_machine_busy_make_it_slow(load, level):
    (found,) = check_load(load, ROOMY)
    assert (found.level, bool(found.advice), found.breaks) == (level, level == "slow", False)
    assert found.found.startswith(f"{load:.1f} processes for 8 processors")


@pytest.mark.parametrize(
    ("changes", "level", "breaks", "words"),
    [
        ({}, "ok", False, "60.0 GiB for this process of the machine's 64.0 GiB"),
        ({"available": 1.5 * 2**30}, "note", False, "1.5 GiB for this process"),
        ({"available": 0.5 * 2**30}, "wrong", True, "0.5 GiB for this process"),
        ({"memory_limit": 1.5 * 2**30}, "note", False, "its control group allows 1.5 GiB"),
        ({"memory_limit": 0.9 * 2**30}, "wrong", True, "0.9 GiB for this process of the machine's 64.0 GiB"),
        # Of the group's 4 GiB all but 50 MiB are in use, by this process and others; then 2.5 GiB of them.
        (
            {"memory_limit": 4.0 * 2**30, "memory_used": 4.0 * 2**30 - 50 * 2**20},
            "wrong",
            True,
            "0.0 GiB for this process",
        ),
        (
            {"memory_limit": 4.0 * 2**30, "memory_used": 2.5 * 2**30},
            "note",
            False,
            "4.0 GiB, of which 2.5 GiB are in use",
        ),
        ({"memory_limit": 4.0 * 2**30, "memory_used": 5.0 * 2**30}, "wrong", True, "0.0 GiB for this process"),
        ({"memory_limit": 4.0 * 2**30, "memory_used": 1.0 * 2**30}, "ok", False, "3.0 GiB for this process"),
        ({"memory": math.nan, "available": math.nan}, "note", False, "does not report"),
        (
            {"memory": math.nan, "available": math.nan, "memory_limit": 2.0**29},
            "wrong",
            True,
            "0.5 GiB for this process",
        ),
    ],
)
def test_memory(changes, level, breaks, words):
    (found,) = check_memory(replace(ROOMY, **changes))
    assert (found.level, found.breaks) == (level, breaks)
    assert words in found.found


@pytest.mark.parametrize(
    ("processor", "time", "level", "words"),
    [
        (EPYC, 0.5, "ok", "bfloat16 instructions (avx512_bf16): a training step takes 0.50 times"),
        (EPYC, 1.1, "note", "takes 1.1 times"),
        (EPYC, 7.8, "slow", "takes 7.8 times"),
        (OLDER, 7.0, "slow", "no bfloat16 instructions: a training step takes 7.0 times"),
        (OLDER, 1.1, "slow", "takes 1.1 times"),
        (OLDER, 0.9, "ok", "takes 0.90 times"),
        (UNKNOWN, 0.34, "ok", "unknown whether there are bfloat16 instructions: a training step takes 0.34 times"),
        (UNKNOWN, 1.1, "note", "unknown whether"),
        (UNKNOWN, 7.0, "slow", "unknown whether"),
    ],
)
def test_bfloat16_is_judged_by_its_time(facts, processor, time, level, words):
    (found,) = check_bfloat16(processor, replace(facts, bfloat16_time=time))
    assert found.level == level
    assert words in found.found
    assert ("--set precision=bfloat16" in found.advice) == (level != "ok")


def test_vector_kernels(facts):
    assert levels(check_vector_kernels(facts)) == [("torch's kernels", "ok", False), ("numpy's kernels", "ok", False)]
    slow = replace(facts, capability="DEFAULT", numpy_gflops=9.9, numpy_kernels="Katmai", keeps_memory=False)
    found = check_vector_kernels(slow)
    assert levels(found) == [
        ("torch's kernels", "slow", False),
        ("numpy's kernels", "slow", False),
        ("allocator", "slow", False),
    ]
    assert found[1].found == "OpenBLAS for Katmai: 10 GFLOP/s in float64 on one thread, torch 20"
    assert "OPENBLAS_CORETYPE" in found[1].advice
    unknown = check_vector_kernels(replace(facts, numpy_gflops=0.0, torch_gflops=0.0))
    assert levels(unknown) == [("torch's kernels", "ok", False)]  # torch and numpy do not fit, which is said elsewhere


def test_no_settings_are_fine():
    (found,) = check_settings(
        {"PATH": "/bin", "ONEDNN_VERBOSE": "0", "NASBENCH_CUDA_GRAPHS": "on", "MKL_CBWR": ""}, ROOMY
    )
    assert (found.level, found.found) == ("ok", "none that changes speed or bits")
    (threads,) = check_settings({"OMP_NUM_THREADS": "4,2"}, ROOMY)
    assert (threads.level, threads.found) == ("ok", "none that changes speed or bits; OMP_NUM_THREADS=4,2")


@pytest.mark.parametrize(
    ("name", "value", "level", "advice"),
    [
        *((name, value, "slow", f"unset {name}, unless that is intended") for name, value in KNOWN),
        ("OMP_NUM_THREADS", "9", "slow", "set OMP_NUM_THREADS=8"),
        ("MKL_NUM_THREADS", "64", "slow", "set MKL_NUM_THREADS=8"),
        ("OPENBLAS_NUM_THREADS", "many", "note", "set OPENBLAS_NUM_THREADS=1, or unset it"),
        ("OMP_NUM_THREADS", "0", "note", "set OMP_NUM_THREADS=1, or unset it"),
        ("OMP_NUM_THREADS", "", "note", "set OMP_NUM_THREADS=1, or unset it"),
        ("ONEDNN_VERBOSE", "1", "slow", "unset ONEDNN_VERBOSE"),
        ("DNNL_VERBOSE", "2", "slow", "unset DNNL_VERBOSE"),
        ("MKL_VERBOSE", "1", "slow", "unset MKL_VERBOSE"),
        ("CUDA_LAUNCH_BLOCKING", "1", "slow", "unset CUDA_LAUNCH_BLOCKING"),
        ("NASBENCH_CUDA_GRAPHS", "off", "slow", "unset NASBENCH_CUDA_GRAPHS"),
        ("NASBENCH_ALLOCATOR", "system", "slow", "unset NASBENCH_ALLOCATOR"),
        ("MALLOC_CHECK_", "3", "slow", "unset MALLOC_CHECK_"),
    ],
)
def test_each_setting_that_matters_is_found(name, value, level, advice):
    (found,) = check_settings({name: value}, ROOMY)
    assert (found.level, found.advice, found.breaks) == (level, advice, False)
    assert found.found.startswith(f"{name}={value}")


def test_every_setting_that_chooses_kernels_is_tried():
    assert {name for name, _ in KNOWN} == set(CHOOSING)


@pytest.mark.parametrize(
    ("name", "value", "library", "allowed"),
    [
        *((name, "nonsense", CHOICES[name].library, CHOICES[name].shown) for name in CHOOSING),
        ("ONEDNN_MAX_CPU_ISA", "AVX512", "oneDNN", "AVX512_CORE_BF16"),
        ("ATEN_CPU_CAPABILITY", "AVX2", "torch", "avx512, avx2 and default"),
        ("OPENBLAS_CORETYPE", "Zen4", "OpenBLAS", "Zen"),
    ],
)
def test_a_value_that_the_library_does_not_know_is_ignored(name, value, library, allowed):
    (found,) = check_settings({name: value}, ROOMY)
    assert (found.level, found.breaks) == ("note", False)
    assert found.found == f"{name}={value}: {library} does not know this value and ignores it"
    assert found.advice.startswith(f"unset {name}, or use one of ")
    assert allowed in found.advice


@pytest.mark.parametrize("value", [name for name, _ in _ONEDNN])
def test_every_instruction_set_of_onednn_is_a_known_limit(value):
    assert CHOICES["ONEDNN_MAX_CPU_ISA"].has(value)
    assert CHOICES["ONEDNN_MAX_CPU_ISA"].has(value.upper())


def test_threads_are_compared_with_what_the_control_group_gives():
    (found,) = check_settings({"OMP_NUM_THREADS": "2"}, replace(ROOMY, cpu_quota=1.5))
    assert (found.level, found.advice) == ("slow", "set OMP_NUM_THREADS=1")
