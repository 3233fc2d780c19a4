"""Self-test of a device: operations of all spaces forward and backward, optimizers, augmentation, bfloat16, CUDA
graphs.

It takes seconds and is not charged to any child. `nasbench.training.evaluate.evaluate` runs it once per process, before
the first child on a CUDA device; `nasbench doctor` and `make test-gpu` print its findings.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor, nn

from nasbench.data import Images
from nasbench.errors import NasbenchError
from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, convolution_bn
from nasbench.protocols.protocol import Protocol
from nasbench.training.augmentation import ResidentImages, TrainingImages, Whitening
from nasbench.training.determinism import Nondeterminism
from nasbench.training.device_parts import BATCH, CHANNELS, SIDE, DevicePart, parts_of_spaces
from nasbench.training.loop import reproducible, seed_device
from nasbench.training.memory_errors import is_out_of_memory
from nasbench.training.optimizers import make_optimizer
from nasbench.training.steps import GRAPHS, CudaRecorder, EagerStep, GraphedStep, Recorder

SWITCH: Final = "NASBENCH_DEVICE_TEST"
"""Environment variable; "off" skips the self-test before the first child."""

CPU = torch.device("cpu")
LITTLE_MEMORY = 2**30  # bytes; less free memory than this is noted
ROUNDING = 1e-4  # largest relative difference that float32 rounding explains; TF32 gives 1e-3
WRONG = 0.1  # relative difference above which a result is wrong; bfloat16 gives 1e-2

Level = Literal["ok", "note", "failed"]


@dataclass(frozen=True)
class DeviceFinding:
    """Result of one test.

    Args:
        name: the part tested, e.g. "sep_conv_3x3 of cells, stride 2".
        level: "ok"; "note" if searches work, with a limitation; "failed" if children would fail or get wrong scores.
        detail: the limitation or failure in one line; "" if there is nothing to report.
    """

    name: str
    level: Level
    detail: str = ""


class DeviceFault(NasbenchError):
    """Raised for a device on which children would fail or get wrong scores."""


def device_self_test(
    device: torch.device,
    parts: Mapping[str, DevicePart] | None = None,
    recorder: Callable[[torch.device], Recorder] = CudaRecorder,
) -> list[DeviceFinding]:
    """Test everything that children do on a device.

    Args:
        device: from `nasbench.training.evaluate.resolve_device`. CUDA graphs are tested on CUDA only.
        parts: name -> part of a network to test; None for those of `parts_of_spaces`.
        recorder: makes the recorder of graphs for a device.

    Returns:
        One finding per test, in the order of the tests. A test that raises an exception is a finding, too.
    """
    findings = [_tried("memory", partial(_memory, device))] if device.type == "cuda" else []
    for name, part in (parts_of_spaces() if parts is None else parts).items():
        findings.append(_tried(name, partial(_part, part, device)))
    for optimizer in ("sgd", "nesterov", "rmsprop"):
        findings.append(_tried(f"optimizer {optimizer}", partial(_optimizer, optimizer, device)))
    findings.append(_tried("augmentation", partial(_augmentation, device)))
    findings.append(_tried("bfloat16", partial(_bfloat16, device)))
    if device.type == "cuda" or recorder is not CudaRecorder:
        findings.append(_tried("CUDA graphs", partial(_graphs, device, recorder)))
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return findings


@cache
def require_working(device: torch.device) -> None:
    """Run the self-test once per process and device, and refuse a device that fails it.

    The environment variable NASBENCH_DEVICE_TEST=off skips the test.

    Args:
        device: a CUDA device.

    Raises:
        DeviceFault: when a test failed; one line with the first of them.
    """
    if os.environ.get(SWITCH) == "off":
        return
    failed = [finding for finding in device_self_test(device) if finding.level == "failed"]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise DeviceFault(
            f"device {str(device)!r} failed its self-test before the first child, so nothing is charged: "
            f"{failed[0].name}: "
            f"{failed[0].detail}{more}; nasbench doctor shows all failures, {SWITCH}=off skips the self-test"
        )


def _tried(name: str, attempt: Callable[[], tuple[Level, str]]) -> DeviceFinding:
    """Run one test; an exception that it raises is a finding, too."""
    try:
        return DeviceFinding(name, *attempt())
    except Exception as error:
        if is_out_of_memory(error):  # other processes may hold the memory; a child would end as out_of_memory
            return DeviceFinding(name, "note", "not tested: no memory free on the device")
        return DeviceFinding(name, "failed", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")


def _memory(device: torch.device) -> tuple[Level, str]:
    free, total = torch.cuda.mem_get_info(device)
    said = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    return ("ok" if free >= LITTLE_MEMORY else "note"), said


def _part(part: DevicePart, device: torch.device) -> tuple[Level, str]:
    """Compare values and gradients of a part: twice on the device, and once on the CPU."""
    heard = Nondeterminism()
    with reproducible(device, 1, heard=heard):
        first, second = (_passes(part, device) for _ in range(2))
        expected = first if part.random else _passes(part, CPU)
    if not all(bool(value.isfinite().all()) for value in first):
        return "failed", "values that are not finite"
    if judged := _judged(_difference(first, expected), "the CPU's"):
        return judged
    if heard.operations:
        return (
            "note",
            f"no deterministic implementation of {', '.join(heard.operations)}: rows note it, and verify compares them "
            "within a "
            "tolerance",
        )
    if not _equal(first, second):
        return "note", "two passes differ in their last bits, without a warning by torch: rows do not repeat to the bit"
    return "ok", ""


def _passes(part: DevicePart, device: torch.device) -> list[Tensor]:
    """Compute the output and all gradients of a part on a device; return them on the CPU."""
    seed_device(CPU, 0)
    module = part.build().to(device).to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, CHANNELS, SIDE, SIDE).contiguous(memory_format=torch.channels_last).to(device)
    images.requires_grad_()
    seed_device(device, 1)
    given = module.train()(images)
    weighted = given * torch.linspace(-1.0, 1.0, given.numel(), device=device).view_as(given)
    weights = [images, *module.parameters()]
    gradients = torch.autograd.grad(weighted.sum(), weights, allow_unused=True, materialize_grads=True)
    return [tensor.detach().cpu() for tensor in (given, *gradients)]


class _Small(Network):
    """A convolution, BatchNorm, ReLU and a classifier of three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*convolution_bn(3, CHANNELS, 3), nn.ReLU())
        self.classifier = Classifier(CHANNELS, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


def _optimizer(name: str, device: torch.device) -> tuple[Level, str]:
    """Compare three steps with clipped gradients on the device with those on the CPU."""
    protocol = Protocol.model_validate({"optimizer": name, "clip_norm": 1.0})
    with reproducible(device, 1, heard=Nondeterminism()):
        ours, expected = (_trained(protocol, place) for place in (device, CPU))
    return _judged(_difference(ours, expected), "the CPU's") or ("ok", "")


def _trained(
    protocol: Protocol, device: torch.device, recorder: Recorder | None = None, steps: int = 3
) -> list[Tensor]:
    """Train a small network for some steps on a device; return weights and losses on the CPU.

    Raises:
        _NotRecorded: when the recorder could not record the steps.
    """
    seed_device(CPU, 0)
    network = _Small().to(device).to(memory_format=torch.channels_last)
    eager = EagerStep(network.train(), make_optimizer(protocol, network.parameters()), protocol, device)
    step = eager if recorder is None else GraphedStep(eager, recorder)
    images = torch.randn(BATCH, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last).to(device)
    labels = (torch.arange(BATCH) % 3).to(device)
    seed_device(device, 1)
    losses = [step(images, labels, 0.05)[1].clone() for _ in range(steps)]
    if step.note:
        raise _NotRecorded(step.note)
    return [tensor.detach().cpu() for tensor in (*network.state_dict().values(), *losses)]


def _augmentation(device: torch.device) -> tuple[Level, str]:
    """Compare an epoch of crops, flips and cutouts on the device with that on the CPU; all pixels must be equal."""
    if not _equal(list(_augmented(device)), list(_augmented(CPU))):
        return "failed", "images or labels differ from the CPU's"
    return "ok", ""


def _augmented(device: torch.device) -> Iterator[Tensor]:
    fields = {"enlarge": "pad", "crop_from": SIDE + 4, "flip": True, "cutout": 3, "batch_size": 6}
    generator = np.random.default_rng(0)
    images = Images(generator.integers(256, size=(16, 3, SIDE, SIDE), dtype=np.uint8), np.arange(16) % 3)
    whitening = Whitening.none(3)
    resident = ResidentImages(images, whitening, True, device)
    for batch, labels in TrainingImages(resident, whitening, Protocol.model_validate(fields)).epoch(
        torch.Generator().manual_seed(0)
    ):
        yield (batch * 255).round().cpu()  # as grey levels, because the last bit of a product may differ
        yield labels.cpu()


def _bfloat16(device: torch.device) -> tuple[Level, str]:
    """Compare three steps in bfloat16 with three in float32."""
    short = Protocol.model_validate({"precision": "bfloat16"})
    with reproducible(device, 1, heard=Nondeterminism()):
        ours, expected = _trained(short, device), _trained(Protocol(), device)
    if not all(bool(value.isfinite().all()) for value in ours):
        return "failed", "values that are not finite"
    difference = _difference(ours, expected)
    if not difference <= WRONG:
        return "failed", f"values differ from float32's by {difference:.2g} of their size"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0):
        return "note", "works, but this device has no bfloat16 instructions: float32 is faster"
    return "ok", ""


class _NotRecorded(Exception):
    """Raised when steps could not be recorded."""


def _graphs(device: torch.device, recorder: Callable[[torch.device], Recorder]) -> tuple[Level, str]:
    """Compare steps of a recorded graph with eager steps; they should have the same bits."""
    if os.environ.get(GRAPHS) == "off":
        return "note", f"switched off by {GRAPHS}=off"
    with reproducible(device, 1, heard=Nondeterminism()):
        eager = _trained(Protocol(), device, steps=8)
        try:
            graphed = _trained(Protocol(), device, recorder(device), steps=8)
        except _NotRecorded as error:
            return "note", f"{error}; children train without graphs, and slower"
    if not _equal(eager, graphed):
        judged = _judged(_difference(graphed, eager), "those of eager steps")
        return judged or (
            "note",
            f"steps of a recorded graph have other last bits than eager steps; {GRAPHS}=off avoids it",
        )
    return "ok", ""


def _equal(ones: list[Tensor], others: list[Tensor]) -> bool:
    return len(ones) == len(others) and all(torch.equal(one, other) for one, other in zip(ones, others))


def _difference(ones: list[Tensor], others: list[Tensor]) -> float:
    """Return the largest relative difference of two tensors: norm of the difference over the norm of the second.

    Norms are compared because rounding may move a value across the edge of a ReLU, or change which input of a pool is
    the maximum, and this changes single gradients a lot.
    """
    worst = 0.0
    for one, other in zip(ones, others, strict=True):
        least = 1e-3 * other.numel() ** 0.5  # gradients that cancel out are rounding noise
        size = max(float(other.double().norm()), least)
        worst = max(worst, float((one.double() - other.double()).norm()) / size)
    return worst


def _judged(difference: float, beside: str) -> tuple[Level, str] | None:
    """Return level and detail for a difference; None if rounding explains it."""
    if not difference <= WRONG:  # also true for NaN
        return "failed", f"values differ from {beside} by {difference:.2g} of their size"
    if difference > ROUNDING:
        return (
            "note",
            f"values are less exact than float32: they differ from {beside} by {difference:.2g} of their size",
        )
    return None
