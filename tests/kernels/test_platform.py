"""What decides the last bits of a training is in its platform."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nasbench.kernels import platform as module
from nasbench.kernels.platform import (
    is_coarse,
    is_portable,
    platform_here,
    platform_parts,
    portable_promise,
    promises_bits,
)
from nasbench.kernels.processor import has_bfloat16, onednn_isa, onednn_isa_here, parse_cpuinfo, processor_here

ZEN3 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC 7B13; 64-Core
stepping\t: 0
flags\t\t: fpu sse4_1 avx fma avx2

processor\t: 1
vendor_id\t: Other
"""
GRAVITON = """processor\t: 0
Features\t: fp asimd bf16 sve
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd40
CPU revision\t: 1
"""
OLD = "AMD EPYC; torch 2.14.1; torchvision 0.29.1; numpy 2.4.6"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    platform_here.cache_clear()


def test_a_processor_is_vendor_family_model_and_stepping() -> None:
    zen3 = parse_cpuinfo(ZEN3)
    assert str(zen3) == "AuthenticAMD family 25 model 1 stepping 0"
    assert ";" not in zen3.name
    assert str(parse_cpuinfo(GRAVITON)) == "0x41 family 8 model 0xd40 stepping 1"


def test_processors_of_one_brand_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = set()
    for model in ("1", "17"):
        processor = replace(parse_cpuinfo(ZEN3), name="AMD EPYC", model=model)
        monkeypatch.setattr(module, "processor_here", lambda processor=processor: processor)
        platform_here.cache_clear()
        lines.add(platform_here())
    assert len(lines) == 2


def test_a_platform_names_everything_that_decides_the_bits() -> None:
    parts = platform_parts(platform_here("fast", 2))
    assert list(parts)[:7] == ["processor", "isa", "threads", "torch", "torchvision", "numpy", "libc"]
    assert parts["processor"] == str(processor_here())
    assert parts["threads"] == "2"
    assert parts["computation"].isdigit()
    assert platform_parts("") == {}


def test_the_processor_of_a_portable_platform_is_noted_and_decides_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    line = platform_here("portable")
    assert is_portable(line)
    assert list(platform_parts(line)) == ["processor", "golden", "torch", "torchvision", "numpy", "computation", "on"]
    elsewhere = line.replace(" stepping ", " stepping 9")
    assert elsewhere != line
    assert portable_promise(elsewhere, "rmsprop") == portable_promise(line, "rmsprop")


def test_versions_are_noted_and_no_part_of_the_portable_promise() -> None:
    line = platform_here("portable")
    other = re.sub(r"torch \S+;", "torch 2.6.0;", line)
    assert other != line
    assert portable_promise(other, "sgd") == portable_promise(line, "sgd")
    for part in ("golden", "computation", "portable"):
        assert portable_promise(re.sub(rf"{part} \w+", f"{part} 99", line), "sgd") != portable_promise(line, "sgd")


@pytest.mark.parametrize(("optimizer", "same"), [("sgd", True), ("nesterov", True), ("rmsprop", False)])
def test_the_first_edition_has_other_bits_only_where_roots_are_taken(optimizer: str, same: bool) -> None:
    line = platform_here("portable")
    earlier = line.replace("golden 2", "golden 1")
    assert earlier != line
    assert (portable_promise(earlier, optimizer) == portable_promise(line, optimizer)) is same


@pytest.mark.parametrize("setting", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"])
def test_settings_that_choose_kernels_are_part_of_it(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.delenv(setting, raising=False)
    platform_here.cache_clear()
    before = platform_here()
    platform_here.cache_clear()
    monkeypatch.setenv(setting, "AVX2")
    assert platform_parts(platform_here())[setting] == "AVX2"
    assert platform_here() != before


@pytest.mark.skipif("avx2" not in processor_here().flags, reason="the processor has no AVX2")
@pytest.mark.parametrize("setting", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_onednns_limit_has_two_names(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(setting, "SSE41")
    assert onednn_isa_here() == "sse41"


def test_platforms_of_earlier_versions_are_coarse() -> None:
    assert is_coarse(OLD)
    assert not is_coarse(platform_here())
    assert not is_coarse(platform_here("portable"))
    for other in ("", " ", "; ; ;", "a;b; ;; x", "portable x86_64"):
        assert not is_coarse(other)
        assert not promises_bits(other)
    assert promises_bits(platform_here("portable"))


def test_a_processor_that_the_system_does_not_tell_promises_no_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = parse_cpuinfo("")
    assert not unknown.is_known
    monkeypatch.setattr(module, "processor_here", lambda: unknown)
    assert platform_parts(platform_here())["processor"].startswith("unknown ")
    assert not promises_bits(platform_here())
    assert promises_bits(platform_here("portable"))


@pytest.mark.parametrize(
    ("flags", "limit", "isa"),
    [
        ("", "", "none"),
        ("sse4_1", "", "sse41"),
        ("sse4_1 avx fma avx2", "", "avx2"),
        ("sse4_1 avx fma avx2", "AVX512_CORE", "avx2"),
        ("sse4_1 avx fma avx2 avx_vnni", "", "avx2_vnni"),
        ("sse4_1 avx fma avx2 avx512f avx512bw avx512vl avx512dq", "", "avx512_core"),
        ("sse4_1 avx fma avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16", "", "avx512_core_bf16"),
        ("sse4_1 avx fma avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16", "AVX2", "avx2"),
        (
            "sse4_1 avx fma avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni avx512_bf16",
            "DEFAULT",
            "avx512_core_bf16",
        ),
        ("sse4_1 avx fma avx2 avx512f", "", "avx2"),
    ],
)
def test_onednn_chooses_by_flags_and_limit(flags: str, limit: str, isa: str) -> None:
    assert onednn_isa(replace(parse_cpuinfo(ZEN3), flags=frozenset(flags.split())), limit) == isa


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system has no /proc/cpuinfo")
def test_onednn_itself_says_the_same() -> None:
    """Its own report of what it chose on this machine."""
    said = {
        "Intel SSE4.1": {"sse41"},
        "Intel AVX": {"avx"},
        "Intel AVX2": {"avx2"},
        "Intel AVX2 with Intel DL Boost": {"avx2_vnni"},
        "Intel AVX-512 with AVX512BW, AVX512VL, and AVX512DQ extensions": {"avx512_core"},
        "Intel AVX-512 with Intel DL Boost": {"avx512_core_vnni"},
        "Intel AVX-512 with Intel DL Boost and bfloat16 support": {"avx512_core_bf16"},
    }
    code = "import torch; torch.nn.functional.conv2d(torch.ones(2, 8, 8, 8), torch.ones(8, 8, 3, 3))"
    done = subprocess.run(
        ["env", "ONEDNN_VERBOSE=1", sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    reported = re.search(r"cpu,isa:(.*)", done.stdout)
    if reported is None:
        pytest.skip("this build of torch reports no instruction set of oneDNN")
    assert onednn_isa_here() in said.get(reported[1].strip(), {onednn_isa_here()} if "AMX" in reported[1] else set())


def test_bfloat16_instructions_are_seen_in_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    from nasbench.kernels import processor

    for flags, there in (("avx2", False), ("avx512f avx512_bf16", True), ("amx_bf16", True), ("asimd bf16", True)):
        found = replace(parse_cpuinfo(ZEN3), flags=frozenset(flags.split()))
        monkeypatch.setattr(processor, "processor_here", lambda found=found: found)
        assert has_bfloat16() is there
