"""CUDA devices: each way in which torch cannot use them, and what their self-test found, without a device."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch

from nasbench.doctor import cuda_probe
from nasbench.doctor.cuda_probe import CudaFacts, Device, Tried, cuda_facts, look_at
from nasbench.doctor.devices import GRAPHS, SHOWN, Hardware, cards_here, check_cuda
from nasbench.doctor.probe import ProbeError
from nasbench.training.device_checks import DeviceFinding as DeviceFinding
from nasbench.training.device_checks import device_self_test

NOTHING = CudaFacts((), "", ())
NONE = Hardware(cards=0, driver="", visible=None)
DRIVER = Hardware(cards=2, driver="580.65.06", visible=None)
TRIED = (
    Tried("memory", "ok", "79.0 of 79.2 GiB free"),
    Tried("sep_conv_3x3 of cells, stride 2", "ok", ""),
    Tried(GRAPHS, "ok", ""),
)
H100 = Device("cuda:0", "NVIDIA H100 80GB HBM3", "9.0", 80 << 30, "", TRIED)


def levels(found):
    return [(finding.name, finding.level, finding.breaks) for finding in found]


@pytest.mark.parametrize(
    ("facts", "built_for", "hardware", "level", "words"),
    [
        (NOTHING, "", NONE, "ok", "no NVIDIA GPU, and torch is built for the CPU only"),
        (NOTHING, "13.0", NONE, "note", "no NVIDIA GPU: searches run on the CPU"),
        (replace(NOTHING, error="Found no NVIDIA driver"), "13.0", NONE, "note", "no NVIDIA GPU"),
        (NOTHING, "", DRIVER, "slow", "2 NVIDIA GPUs, but torch is built for the CPU only"),
        (NOTHING, "", replace(NONE, cards=1), "slow", "1 NVIDIA GPU, but torch is built for the CPU only"),
        (
            replace(NOTHING, error="Found no NVIDIA driver"),
            "13.0",
            replace(DRIVER, driver=""),
            "slow",
            "no driver is loaded",
        ),
        (
            replace(NOTHING, error="driver too old"),
            "13.0",
            DRIVER,
            "wrong",
            "torch for CUDA 13.0 cannot use it: driver too old",
        ),
        (NOTHING, "13.0", DRIVER, "wrong", "it finds no device"),
        (NOTHING, "13.0", replace(DRIVER, visible=""), "note", "CUDA_VISIBLE_DEVICES='' hides all GPUs"),
        (
            replace(NOTHING, error="No CUDA GPUs are available"),
            "13.0",
            replace(DRIVER, visible="-1"),
            "note",
            "CUDA_VISIBLE_DEVICES='-1' hides all GPUs",
        ),
        (replace(NOTHING, error="No CUDA GPUs are available"), "13.0", DRIVER, "wrong", "No CUDA GPUs are available"),
        (replace(NOTHING, error="driver too old"), "13.0", replace(DRIVER, visible="0"), "wrong", "driver too old"),
    ],
)
def test_a_machine_without_devices_that_torch_can_use(facts, built_for, hardware, level, words):
    (found,) = check_cuda(facts, built_for, hardware)
    assert (found.name, found.level, found.breaks) == ("CUDA", level, level == "wrong")
    assert words in found.found
    assert bool(found.advice) == (level in ("slow", "wrong") or "hides" in words)


def of(device):
    return check_cuda(CudaFacts((device,), "", ("sm_80", "sm_90")), "13.0", DRIVER)


def test_a_device_where_all_is_well():
    found = of(H100)
    assert levels(found) == [
        ("cuda:0", "ok", False),
        ("cuda:0 bfloat16", "ok", False),
        ("cuda:0 self-test", "ok", False),
        ("cuda:0 bits", "ok", False),
        ("cuda:0 graphs", "ok", False),
    ]
    assert found[0].found == "NVIDIA H100 80GB HBM3, 80.0 GiB, compute capability 9.0, driver 580.65.06"
    assert "3 tests" in found[2].found


def test_two_devices_have_lines_of_their_own():
    names = [
        name for name, *_ in levels(check_cuda(CudaFacts((H100, replace(H100, name="cuda:1")), "", ()), "13.0", DRIVER))
    ]
    assert names[:5] == [name.replace("cuda:1", "cuda:0") for name in names[5:]]
    assert len(set(names)) == 10


def test_a_device_that_computes_nothing_breaks_searches():
    (found,) = of(replace(H100, capability="6.1", error="CUDA error: no kernel image is available", tried=None))
    assert (found.level, found.breaks) == ("wrong", True)
    assert "no kernel image is available (torch has kernels for sm_80 sm_90)" in found.found


def test_quick_and_small_and_old_devices():
    assert levels(of(replace(H100, tried=None))) == [("cuda:0", "ok", False), ("cuda:0 bfloat16", "ok", False)]
    found = of(replace(H100, memory=2 << 30, capability="7.5", tried=None))
    assert levels(found) == [("cuda:0", "note", False), ("cuda:0 bfloat16", "slow", False)]


def test_what_failed_in_the_self_test_breaks_searches():
    failed = tuple(Tried(f"part {place}", "failed", "values that are not finite") for place in range(SHOWN + 2))
    found = [finding for finding in of(replace(H100, tried=(*TRIED, *failed))) if finding.name.endswith("self-test")]
    assert levels(found) == [("cuda:0 self-test", "wrong", True)] * (1 + SHOWN)
    assert found[0].found.startswith(f"{SHOWN + 2} of {SHOWN + 5} tests failed")
    assert found[1].found == "part 0: values that are not finite"


def test_what_is_not_deterministic_is_noted_and_named():
    noted = tuple(Tried(f"part {place}", "note", "no deterministic implementation of x") for place in range(SHOWN + 2))
    found = of(replace(H100, tried=(*TRIED, *noted)))
    assert not any(finding.breaks for finding in found)
    assert "cuda:0 bits" not in {finding.name for finding in found}
    told = [finding.found for finding in found if finding.level == "note"]
    assert told == [
        *(f"part {place}: no deterministic implementation of x" for place in range(SHOWN)),
        "2 more notes: make test-gpu shows all",
    ]


@pytest.mark.parametrize(("level", "shown"), [("ok", "ok"), ("note", "slow"), ("failed", None)])
def test_graphs_that_are_not_recorded_are_slow(level, shown):
    found = of(replace(H100, tried=(*TRIED[:2], Tried(GRAPHS, level, "trained without a CUDA graph: x"))))
    assert [finding.level for finding in found if finding.name == "cuda:0 graphs"] == ([] if shown is None else [shown])
    assert any(finding.breaks for finding in found) == (level == "failed")
    assert not [finding for finding in found if finding.level == "note"]  # said once


def test_the_self_test_is_the_suites_own(monkeypatch):
    """On the CPU, where it has no graphs to record; what it finds comes through as it is."""
    import nasbench.training.device_checks

    few = [DeviceFinding("one", "ok"), DeviceFinding("two", "failed", "why")]
    monkeypatch.setattr(
        nasbench.training.device_checks, "device_self_test", lambda place: few if place == torch.device("cpu") else []
    )
    found = look_at("cpu", quick=False)
    assert found.tried == (Tried("one", "ok", ""), Tried("two", "failed", "why"))
    assert (found.error, found.model) == ("", "cpu")
    assert look_at("cpu", quick=True).tried is None


def test_the_name_of_graphs_is_that_of_the_self_test():
    class NoRecorder:
        def __init__(self, device):
            raise RuntimeError("no graphs here")

    names = [finding.name for finding in device_self_test(torch.device("cpu"), {}, NoRecorder)]
    assert GRAPHS in names


def test_a_device_that_cannot_compute_is_said(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("CUDA error: no kernel image\nis available")

    monkeypatch.setattr(torch, "ones", fail)
    found = look_at("cpu", quick=False)
    assert (found.error, found.tried) == ("CUDA error: no kernel image is available", None)


@pytest.mark.slow
def test_this_machine_is_looked_at_in_a_process_of_its_own():
    found = cuda_facts(quick=True)
    assert len(found.devices) == torch.cuda.device_count()
    if torch.version.cuda and not torch.cuda.is_available():
        assert found.error
    assert all(device.tried is None for device in found.devices)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died: SIGSEGV"),
        ("import time; time.sleep(60)", "did not end within 3 s"),
    ],
)
def test_a_process_that_dies_or_hangs_is_said_in_one_line(tmp_path, monkeypatch, line, words):
    (tmp_path / "torch.py").write_text(line + "\n")
    monkeypatch.setattr(cuda_probe, "SECONDS", 3.0 if "sleep" in line else 60.0)
    with pytest.raises(ProbeError) as error:
        cuda_facts(environment={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert words in str(error.value)


def test_cards_are_counted_on_the_bus(tmp_path):
    for place, (vendor, kind) in enumerate(
        [("0x10de", "0x030200"), ("0x10de", "0x030000"), ("0x10de", "0x040300"), ("0x8086", "0x030000")]
    ):
        folder = tmp_path / f"0000:0{place}:00.0"
        folder.mkdir()
        (folder / "vendor").write_text(vendor + "\n")
        (folder / "class").write_text(kind + "\n")
    (tmp_path / "0000:09:00.0").mkdir()
    assert cards_here(tmp_path) == 2
    assert cards_here(tmp_path / "none") == 0


@pytest.mark.gpu
def test_the_whole_self_test_on_this_machines_devices():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    found = check_cuda(cuda_facts(), torch.version.cuda or "", DRIVER)
    assert not any(finding.breaks for finding in found), found
