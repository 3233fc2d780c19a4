"""What torch is and does is measured in a process of its own, and compared with what rows keep."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from nasbench.doctor import probe
from nasbench.doctor.probe import ProbeError, torch_facts
from nasbench.doctor.torch_build import ONEDNN_WORDS, check_instruction_sets, check_torch
from nasbench.kernels.processor import _ONEDNN, Processor, onednn_isa, processor_here

KNOWN = Processor("AuthenticAMD", "25", "17", "1", "AMD EPYC", frozenset({"avx2"}))
UNKNOWN = Processor("x86_64", "", "", "", "", frozenset())
ARM = "AArch64 SVE (256 bits)"


def levels(found):
    return [(finding.name, finding.level, finding.breaks) for finding in found]


def test_a_usual_build_is_one_line(facts):
    (found,) = check_torch(facts)
    assert found.level == "ok"
    assert found.found == "2.14.1+cu130, built for CUDA 13.0, oneDNN 3.12.0, MKL 2024.2"
    (cpu,) = check_torch(replace(facts, cuda="", mkl=""))
    assert cpu.found == "2.14.1+cu130, built for the CPU only, oneDNN 3.12.0"


def test_a_torch_of_another_numpy_breaks_searches(facts):
    found = check_torch(replace(facts, numpy_error="Numpy is not available"))
    assert levels(found)[1:] == [("torch with numpy", "wrong", True)]
    assert "Numpy is not available" in found[1].found


def test_a_torch_without_onednn_is_slow(facts):
    without = replace(facts, onednn="", isa="")
    assert levels(check_torch(without))[1:] == [("oneDNN", "slow", False)]
    assert check_instruction_sets(without, KNOWN, "x86_64", {}) == []


@pytest.mark.parametrize(
    ("changes", "machine", "level", "words"),
    [
        ({}, "x86_64", "ok", "as rows store it"),
        ({"isa": "Intel AVX2", "predicted_isa": "avx2"}, "AMD64", "ok", "oneDNN avx2"),
        (
            {"isa": "Intel AVX2"},
            "x86_64",
            "wrong",
            "oneDNN uses avx2 (Intel AVX2), but rows would store avx512_core_bf16",
        ),
        ({"isa": "Intel AVX11"}, "x86_64", "note", "'Intel AVX11', which this version of the suite does not know"),
        ({"isa": ""}, "x86_64", "note", "does not report what it uses"),
        ({"isa": ARM, "predicted_isa": "none"}, "aarch64", "note", "on aarch64 give other bits"),
    ],
)
def test_the_instruction_sets_are_compared_with_what_rows_keep(facts, changes, machine, level, words):
    (found,) = check_instruction_sets(replace(facts, **changes), KNOWN, machine, {})
    assert (found.level, found.breaks) == (level, level == "wrong")
    assert words in found.found


def test_the_older_name_of_onednns_setting_is_blamed_where_it_is_set(facts):
    held = replace(facts, isa="Intel AVX2")
    assert check_instruction_sets(held, KNOWN, "x86_64", {})[0].advice == "report it with this text"
    (found,) = check_instruction_sets(held, KNOWN, "x86_64", {"DNNL_MAX_CPU_ISA": "AVX2"})
    assert found.advice == "unset DNNL_MAX_CPU_ISA, or name it ONEDNN_MAX_CPU_ISA"


def test_a_processor_that_the_system_does_not_name_is_a_note(facts):
    """No flags are known, so that "none" is predicted whatever oneDNN uses."""
    (found,) = check_instruction_sets(replace(facts, predicted_isa="none"), UNKNOWN, "x86_64", {})
    assert (found.level, found.breaks) == ("note", False)
    assert "does not report the processor" in found.found
    assert "within the tolerance" in found.advice
    assert "report it" not in found.advice


def test_every_instruction_set_that_rows_can_name_has_its_words():
    assert set(ONEDNN_WORDS.values()) == {name for name, _ in _ONEDNN}


@pytest.mark.slow
def test_this_torch_is_measured():
    import torch

    found = torch_facts()
    assert found.version == torch.__version__
    assert found.cuda == (torch.version.cuda or "")
    assert found.capability == torch.backends.cpu.get_cpu_capability()
    assert found.numpy_error == ""
    assert 0.01 < found.bfloat16_time < 100
    assert 0.1 < found.numpy_gflops < 10_000
    assert 0.1 < found.torch_gflops < 10_000
    if found.isa in ONEDNN_WORDS:
        assert ONEDNN_WORDS[found.isa] == found.predicted_isa


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in processor_here().flags, reason="needs a processor with AVX2")
def test_a_limit_on_instruction_sets_is_what_onednn_uses_and_what_is_predicted():
    """Also the slow bfloat16 without instructions for it, as it is measured."""
    found = torch_facts({**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "PRESCOTT"})
    assert (found.isa, found.predicted_isa) == ("Intel AVX2", "avx2")
    assert found.bfloat16_time > 1.5
    if found.numpy_kernels:  # numpy may be built with another library
        assert found.numpy_kernels in ("Prescott", "Katmai", "Core2")


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in processor_here().flags, reason="needs a processor with AVX2")
@pytest.mark.parametrize("limit", ["SSE41", "AVX", "AVX512_CORE", "AVX512_CORE_VNNI", "DEFAULT"])
def test_every_limit_is_predicted(limit):
    found = torch_facts({**os.environ, "ONEDNN_MAX_CPU_ISA": limit})
    assert found.predicted_isa == onednn_isa(processor_here(), limit)
    assert ONEDNN_WORDS[found.isa] == found.predicted_isa


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("torch", "words"),
    [
        ("raise ImportError('libc10.so: cannot open')", "died: exit status 1: ImportError: libc10.so: cannot open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "died: SIGILL"),
        ("import time; time.sleep(60)", "did not end within 4 s"),
    ],
)
def test_a_torch_that_does_not_work_is_said_in_one_line(tmp_path, monkeypatch, torch, words):
    (tmp_path / "torch.py").write_text(torch + "\n")
    monkeypatch.setattr(probe, "SECONDS", 4.0 if "sleep" in torch else 60.0)
    with pytest.raises(ProbeError, match=r"^a process that imports torch and computes a little ") as error:
        torch_facts({**os.environ, "PYTHONPATH": str(tmp_path)})
    assert words in str(error.value)
