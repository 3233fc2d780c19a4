"""The self-test of a device, on the CPU and on pieces that misbehave as a device might."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from commands import nasbench as command
from torch import Tensor, nn

import nasbench
import nasbench.training.device_checks
from nasbench.networks.edge_cells import EDGE_OPERATIONS
from nasbench.networks.macro import MACRO_OPERATIONS
from nasbench.networks.operations import OPERATIONS
from nasbench.training.device_checks import DeviceFault, DeviceFinding, device_self_test, require_working
from nasbench.training.device_parts import DevicePart, parts_of_spaces
from nasbench.training.steps import ForwardBackward

CPU = torch.device("cpu")


class Piece(nn.Module):
    """Applies a function after a weight."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.weight = function, nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        return self.function(images * self.weight)


def finding_of(function: Callable[[Tensor], Tensor], random: bool = False) -> DeviceFinding:
    """What the self-test says of one piece."""
    return device_self_test(CPU, {"piece": DevicePart(partial(Piece, function), random)})[0]


def test_everything_works_on_the_cpu() -> None:
    findings = device_self_test(CPU)
    assert {(finding.level, finding.detail) for finding in findings} == {("ok", "")}
    names = [finding.name for finding in findings]
    assert len(names) == len(set(names))
    for operation in OPERATIONS:
        assert f"{operation} of cells, stride 1" in names
        assert f"{operation} of cells, stride 2" in names
    for name, operations in (("nasbench201", EDGE_OPERATIONS), ("enas-macro", MACRO_OPERATIONS)):
        assert {f"{operation} of {name}" for operation in operations} <= set(names)
    assert {"optimizer sgd", "optimizer nesterov", "optimizer rmsprop", "augmentation", "bfloat16"} <= set(names)


def test_it_leaves_the_random_state_and_the_settings() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    device_self_test(CPU, dict(list(parts_of_spaces().items())[:3]))
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_deterministic_debug_mode() == 0


@pytest.mark.slow
def test_what_raises_has_failed_and_the_rest_is_tried() -> None:
    def broken(values: Tensor) -> Tensor:
        raise RuntimeError("CUDA error: no kernel image is available\nfor execution on the device")

    parts = {"broken": DevicePart(partial(Piece, broken)), "whole": DevicePart(nn.Identity)}
    findings = device_self_test(CPU, parts)
    assert findings[0] == DeviceFinding(
        "broken", "failed", "RuntimeError: CUDA error: no kernel image is available for execution on the device"
    )
    assert findings[1] == DeviceFinding("whole", "ok")


def test_values_that_are_not_finite_have_failed() -> None:
    assert finding_of(lambda values: values / 0.0).level == "failed"


@pytest.mark.slow
def test_memory_that_others_hold_is_no_failure() -> None:
    def full(values: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")

    assert finding_of(full) == DeviceFinding("piece", "note", "not tested: no memory free on the device")


@pytest.mark.slow
def test_an_operation_without_a_deterministic_implementation_is_noted() -> None:
    found = finding_of(lambda values: values + torch.zeros(1).put_(torch.tensor([0]), torch.ones(1)))
    assert found.level == "note"
    assert found.detail.startswith("no deterministic implementation of put_: rows note it")


@pytest.mark.slow
def test_bits_that_do_not_repeat_are_noted() -> None:
    calls = count()
    found = finding_of(lambda values: values * (1.0 + 1e-6 * next(calls)))
    assert found.level == "note"
    assert found.detail.startswith("two passes differ in their last bits")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("error", "level"), [(0.5, "failed"), (1e-3, "note"), (0.0, "ok")])
def test_values_unlike_the_cpus_are_found(error: float, level: str) -> None:
    """The third pass is the one on the CPU."""
    calls = count()
    found = finding_of(lambda values: values * (1.0 + error) if next(calls) < 2 else values * 1.0)
    assert found.level == level
    assert ("differ from the CPU's by" in found.detail) == (level != "ok")


@pytest.mark.slow
def test_what_draws_random_numbers_need_not_have_the_cpus() -> None:
    calls = count()
    assert finding_of(lambda values: values * (2.0 if next(calls) < 2 else 1.0), random=True).level == "ok"


class Recorder:
    """Records as CUDA does: replays work into the tensors of the first replay."""

    def __init__(self, device: torch.device) -> None:
        self.scale = 1.0

    def warming(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def __call__(self, work: Callable[[], ForwardBackward]) -> Callable[[], ForwardBackward]:
        def replay() -> ForwardBackward:
            passed = work()
            return passed._replace(gradients=[None if each is None else each * self.scale for each in passed.gradients])

        return replay


class Wrong(Recorder):
    """Replays give other gradients."""

    def __init__(self, device: torch.device) -> None:
        self.scale = 40.0


class Imprecise(Recorder):
    """Replays give gradients of other last bits."""

    def __init__(self, device: torch.device) -> None:
        self.scale = 1.000001


class Refuses(Recorder):
    """Nothing can be recorded."""

    def __call__(self, work: Callable[[], ForwardBackward]) -> Callable[[], ForwardBackward]:
        raise RuntimeError("operation not permitted when stream is capturing")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("recorder", "level", "said"),
    [
        (Recorder, "ok", ""),
        (Wrong, "failed", "differ from those of eager steps"),
        (Imprecise, "note", "other last bits than eager steps"),
        (Refuses, "note", "trained without a CUDA graph: operation not permitted"),
    ],
)
def test_recorded_graphs(recorder: type[Recorder], level: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASBENCH_CUDA_GRAPHS", raising=False)
    found = device_self_test(CPU, {}, recorder)[-1]
    assert (found.name, found.level) == ("CUDA graphs", level)
    assert said in found.detail


@pytest.mark.slow
def test_graphs_that_are_switched_off_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_CUDA_GRAPHS", "off")
    assert device_self_test(CPU, {}, Wrong)[-1] == DeviceFinding(
        "CUDA graphs", "note", "switched off by NASBENCH_CUDA_GRAPHS=off"
    )


# -- before the first child --------------------------------------------------------------------------------------------

FOUND = [
    DeviceFinding("memory", "ok", "70.0 of 79.1 GiB free"),
    DeviceFinding("conv_3x3 of cells, stride 1", "failed", "RuntimeError: CUDA error: no kernel image is available"),
    DeviceFinding("bfloat16", "note", "works, but this device has no bfloat16 instructions"),
    DeviceFinding("augmentation", "failed", "images or labels differ from the CPU's"),
]


@pytest.fixture
def tests_done(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[torch.device]]:
    """Devices on which the self-test, which fails, was done."""
    done: list[torch.device] = []

    def found(device: torch.device) -> list[DeviceFinding]:
        done.append(device)
        return FOUND

    monkeypatch.setattr(nasbench.training.device_checks, "device_self_test", found)
    monkeypatch.delenv("NASBENCH_DEVICE_TEST", raising=False)
    require_working.cache_clear()
    yield done
    require_working.cache_clear()


def test_a_device_that_fails_is_refused_in_one_line(tests_done: list[torch.device]) -> None:
    with pytest.raises(DeviceFault) as caught:
        require_working(torch.device("cuda:0"))
    assert str(caught.value) == (
        "device 'cuda:0' failed its self-test before the first child, so nothing is charged: conv_3x3 of cells, stride 1: RuntimeError: "
        "CUDA error: no kernel image is available (and 1 more); nasbench doctor shows all failures, "
        "NASBENCH_DEVICE_TEST=off skips the self-test"
    )


def test_notes_alone_refuse_nothing_and_a_process_tests_a_device_once(
    tests_done: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        nasbench.training.device_checks, "device_self_test", lambda device: tests_done.append(device) or FOUND[::2]
    )
    for index in (0, 0, 1, 0):
        require_working(torch.device("cuda", index))
    assert [device.index for device in tests_done] == [0, 1]


def test_the_self_test_can_be_switched_off(tests_done: list[torch.device], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_DEVICE_TEST", "off")
    require_working(torch.device("cuda:0"))
    assert tests_done == []


def test_a_search_on_such_a_device_ends_with_2_before_anything_is_charged(
    tests_done: list[torch.device], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="0"))
    words = ("run", "--space", "nasbench201", "--strategy", "random", "--budget", "3 children", "--executor", "inline")
    data = ("--data", "fake:images=60,size=8,classes=3", "--set", "epochs=1", "--devices", "cuda:0", "--price", "1")
    done = command(*words, *data, "-o", f"{tmp_path}/a.h5")
    assert done.code == 2
    about_the_data, error = done.err.splitlines()
    assert about_the_data.startswith("data fake:")
    assert "device 'cuda:0' failed its self-test before the first child" in error
    assert tests_done == [torch.device("cuda:0")]
    results = nasbench.open(f"{tmp_path}/a.h5")
    assert len(results.frame()) == 0
    assert results.runs()["usd"].sum() == 0


def test_a_device_on_which_cuda_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The driver lists it, so it counts as there."""

    def refuse(device: torch.device) -> str:
        raise RuntimeError(
            "The NVIDIA driver on your system is too old (found version 11040).\nPlease update your GPU driver"
        )

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", refuse)
    words = ("run", "--space", "nasbench201", "--strategy", "random", "--budget", "3 children", "--devices", "cuda:0")
    done = command(*words, "--data", "fake:images=60,size=8,classes=3", "-o", f"{tmp_path}/a.h5")
    assert done.code == 2
    assert done.err.startswith("error: device 'cuda:0' cannot be used: The NVIDIA driver on your system is too old")
    assert done.err.count("\n") == 1
