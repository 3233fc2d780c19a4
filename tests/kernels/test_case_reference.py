"""The definitions in float64 beside torch's operations in float64, whose kernels are others than those in question."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from nasbench.kernel_tests.case_check import check_case
from nasbench.kernel_tests.case_layers import BUILDERS, build_layer, plain_output
from nasbench.kernel_tests.cases import CONVOLUTIONS, KINDS, OWN_WAY, random_cases
from nasbench.kernel_tests.reference import expected_output


def small_cases():
    """One small case of each kind, of odd sizes and of even."""
    for kind, (height, width) in itertools.product(KINDS, ((7, 7), (12, 5))):
        case = kind.case(3, 4, 5, height, width)
        if not case.possible:
            case = kind.case(3, 4, 5, 12, 12)
        assert case.possible
        yield case


@pytest.mark.sampled(1)
@pytest.mark.parametrize("plain", [False, True])
def test_definitions_equal_torch_in_float64(plain) -> None:
    torch.manual_seed(0)
    seen = set()
    for case in small_cases():
        if plain and case.layer not in OWN_WAY:
            continue
        layer = build_layer(case).double()
        shape = (
            (case.batch, case.inputs) if case.layer == "linear" else (case.batch, case.inputs, case.height, case.width)
        )
        images = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        output = plain_output(case, layer, images) if plain else layer(images)
        weights = list(layer.parameters())
        exact_images = images.detach().requires_grad_()
        exact_weights = [weight.detach().requires_grad_() for weight in weights]
        exact = expected_output(case, exact_images, exact_weights)
        torch.testing.assert_close(output, exact, rtol=1e-10, atol=1e-10)
        gradient = torch.randn(exact.shape, dtype=torch.float64)
        ours = torch.autograd.grad(output, [images, *weights], gradient)
        theirs = torch.autograd.grad(exact, [exact_images, *exact_weights], gradient)
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10, msg=str(case))
        seen.add(case.layer)
    assert seen == (OWN_WAY if plain else BUILDERS.keys())


def test_cases_pass_here_in_every_layout_and_precision() -> None:
    cases = [case for case in itertools.islice(random_cases(5), 400) if case.mult_adds < 1 << 20]
    tried = {(case.layer in CONVOLUTIONS, case.layout, case.gradient, case.precision) for case in cases}
    assert len(tried) >= 18
    for case in cases[:150]:
        outcome = check_case(case)
        assert outcome.finding is None, str(case)
        assert 0 <= outcome.distance < 0.1


def test_a_case_gives_the_same_distance_again() -> None:
    case = next(random_cases(2))
    assert check_case(case) == check_case(case)
    assert check_case(case) != check_case(replace(case, batch=case.batch + 1))
