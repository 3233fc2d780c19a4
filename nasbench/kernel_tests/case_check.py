"""Test of one case: forward and backward passes are compared with the definition in float64, and with a second run."""

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
"""Largest allowed difference, as a share of the largest expected value of the same tensor.

Rounding gives 2^-24 or 2^-9 per number, times the root of the number of terms of a sum, which is at most 2^19 here; and
kernels for older instruction sets add up bfloat16 numbers in bfloat16. A wrong pixel, weight or stale value gives about
1."""


class CaseFinding(NamedTuple):
    """A fault that a case found.

    Attributes:
        kind: "wrong values", or "not repeatable" if two runs differ.
        where: the wrong tensor: the output or a gradient.
        distance: largest difference, as a share of the largest expected value.
    """

    kind: Literal["wrong values", "not repeatable"]
    where: str
    distance: float


class CaseOutcome(NamedTuple):
    """Result of a case.

    Attributes:
        finding: the fault; None without one.
        distance: largest difference of all its tensors from the definition, as a share of the largest expected value.
    """

    finding: CaseFinding | None
    distance: float


def check_case(case: Case) -> CaseOutcome:
    """Run a case twice, and compare with its definition; the inputs depend on the case only.

    Args:
        case: the case.

    Returns:
        The result. Wrong values have precedence over values that are not repeatable.
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
    """Return the layer and its input, with numbers of the case's precision and in its memory format."""
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
    """Round numbers to a precision; the result is float32."""
    return values.detach().bfloat16().float() if precision == "bfloat16" else values.detach()


def _run(case: Case, layer: nn.Module, images: Tensor, gradient: Tensor) -> list[Tensor]:
    """Return output, gradient of the input, and gradients of the weights."""
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
    """Return the largest difference as a share of the largest expected value; inf if a value is not finite."""
    largest = theirs.abs().max().item()
    difference = (ours.double() - theirs).abs().max().item()
    if not math.isfinite(difference):
        return math.inf
    return difference / max(largest, torch.finfo(torch.float32).tiny)
