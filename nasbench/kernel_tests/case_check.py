"""One case of the self-test: forward and backward, beside the definition in float64 and beside itself once more."""

from __future__ import annotations

import math
import zlib
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn

from nasbench.kernel_tests.case_layers import build_layer, plain_output
from nasbench.kernel_tests.cases import Case, Precision
from nasbench.kernel_tests.reference import expected_output

TOLERANCES: Final[dict[Precision, float]] = {"float32": 5e-4, "bfloat16": 1e-1}
"""Largest allowed difference, as a share of the largest expected value of the same tensor. Rounding gives 2^-24 and
2^-9 a number and grows with the root of the sum's length, up to 2^19 terms here, and kernels for older instruction sets
add up bfloat16 in bfloat16; a wrong tap, pixel or stale number gives about 1."""


class CaseFinding(NamedTuple):
    """What is wrong, where (output or gradient), and the largest difference as a share of the largest expected value."""

    kind: Literal["wrong values", "not repeatable"]
    where: str
    distance: float


class CaseOutcome(NamedTuple):
    """What a case showed: a finding or None, and the largest distance of its tensors from the definition."""

    finding: CaseFinding | None
    distance: float


def check_case(case: Case) -> CaseOutcome:
    """Run a case twice and compare; inputs depend on the case alone.

    Returns:
        The first finding: values that are wrong, otherwise values whose bits differ between the two runs.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(zlib.crc32(case.to_json().encode()))
        layer, images = _prepared(case)
        return _compare(case, layer, images)


def _compare(case: Case, layer: nn.Module, images: Tensor) -> CaseOutcome:
    exact_images = images.detach().double().contiguous().requires_grad_()
    exact_weights = [weight.detach().double().contiguous().requires_grad_() for weight in layer.parameters()]
    exact = expected_output(case, exact_images, exact_weights)
    gradient = _rounded(torch.randn(exact.shape), case.precision)
    if case.gradient == "expanded" and gradient.dim() == 4:
        gradient = gradient[:, :, :1, :1].expand(exact.shape)
    expected = [exact, *torch.autograd.grad(exact, [exact_images, *exact_weights], gradient.double())]
    names = ["output", "gradient of the input", *(f"gradient of {name}" for name, _ in layer.named_parameters())]
    first = _run(case, layer, images, gradient)
    worst, finding = 0.0, None
    for name, ours, theirs in zip(names, first, expected, strict=True):
        distance = _distance(ours, theirs)
        worst = max(worst, distance)
        if finding is None and not distance <= TOLERANCES[case.precision]:
            finding = CaseFinding("wrong values", name, distance)
    second = _run(case, layer, images, gradient)
    for name, ours, again in zip(names, first, second, strict=True):
        if finding is None and not torch.equal(ours, again):
            finding = CaseFinding("not repeatable", name, _distance(ours, again.double()))
    return CaseOutcome(finding, worst)


def _prepared(case: Case) -> tuple[nn.Module, Tensor]:
    """The layer and its input, numbers of the case's precision, laid out as the case says."""
    layer = build_layer(case)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(_rounded(weight, case.precision))
    if case.layer == "linear":
        return layer, _rounded(torch.randn(case.batch, case.inputs), case.precision)
    extra = 3 if case.layout == "sliced" else 0
    images = _rounded(torch.randn(case.batch, case.inputs + extra, case.height, case.width), case.precision)
    if case.precision == "bfloat16":
        images = images.bfloat16()
    if case.layout != "contiguous":
        layer = layer.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    return layer, images[:, : case.inputs]


def _rounded(values: Tensor, precision: Precision) -> Tensor:
    """The nearest numbers of a precision, in float32."""
    return values.detach().bfloat16().float() if precision == "bfloat16" else values.detach()


def _run(case: Case, layer: nn.Module, images: Tensor, gradient: Tensor) -> list[Tensor]:
    """Output, gradient of the input, gradients of the weights."""
    source = images.detach().requires_grad_()
    arithmetic: AbstractContextManager[object] = (
        torch.autocast("cpu", dtype=torch.bfloat16) if case.precision == "bfloat16" else nullcontext()
    )
    with arithmetic:
        output = plain_output(case, layer, source) if case.plain else layer(source)
    assert output.shape == gradient.shape, f"{case}: the output is {tuple(output.shape)}, not {tuple(gradient.shape)}"
    gradient = gradient.to(output.dtype)
    if case.gradient == "same":
        gradient = torch.empty_like(output).copy_(gradient)
    return [output.detach(), *torch.autograd.grad(output, [source, *layer.parameters()], gradient)]


def _distance(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference as a share of the largest expected value; infinite where ours is not finite."""
    largest = theirs.abs().max().item()
    difference = (ours.double() - theirs).abs().max().item()
    if not math.isfinite(difference):
        return math.inf
    return difference / max(largest, torch.finfo(torch.float32).tiny)
