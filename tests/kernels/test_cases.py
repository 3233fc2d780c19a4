"""The cases of the self-test are the layers that networks are made of."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from nasbench.kernel_tests.case_layers import build_layer
from nasbench.kernel_tests.cases import (
    KINDS,
    MAX_ELEMENTS,
    MAX_MULT_ADDS,
    USUAL_MULT_ADDS,
    Case,
    grid_cases,
    known_cases,
    plainly,
    quick_cases,
    random_cases,
)
from nasbench.networks.alexnet import build_alexnet
from nasbench.networks.cells import build_cell_network
from nasbench.networks.resnet import build_resnet
from nasbench.spaces import SPACES, get_space
from nasbench.spaces.genotypes import NASNET_A
from nasbench.structures import Regularization, Scale
from nasbench.supernets.build import build_supernetwork

aten = torch.ops.aten


class Calls(TorchDispatchMode):
    """What torch is asked for within the block: operation, filter, stride, dilation, kind of groups; not shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is aten.convolution.default:
            images, weight, bias, stride, _, dilation, _, _, groups = args
            kind = "one" if groups == 1 else "depthwise" if groups == images.shape[1] else groups
            self.found.add(("conv", *weight.shape[2:], *stride, *dilation, kind, bias is not None))
        elif func in (aten.max_pool2d_with_indices.default, aten.avg_pool2d.default):
            stride = args[2] if len(args) > 2 and args[2] else args[1]
            self.found.add((str(func), *pair(args[1]), *pair(stride)))
        elif func in (aten.addmm.default, aten.native_batch_norm.default, aten._native_batch_norm_legit.no_stats):
            self.found.add(("linear" if func is aten.addmm.default else "batch_norm",))
        return func(*args, **(kwargs or {}))


def pair(value) -> tuple[int, int]:
    return tuple(value) * 2 if len(value) == 1 else tuple(value)


def calls_of(network, *inputs) -> set[tuple]:
    with Calls() as calls, torch.no_grad():
        network(*inputs)
    return calls.found


@pytest.fixture(scope="module")
def calls_of_cases() -> set[tuple]:
    """What torch is asked for by the cases, in shapes of the self-test."""
    found: set[tuple] = set()
    for kind, side in itertools.product(KINDS, (1, 4, 5, 16)):
        case = kind.case(2, 6, 6, side, side)
        if case.possible:
            with torch.device("meta"):
                layer = build_layer(case)
                shape = (2, 6) if case.layer == "linear" else (2, 6, side, side)
                found |= calls_of(layer, torch.empty(shape))
    return found


SPECS = ["nas:variant=v2", "nas:variant=v3", *sorted(SPACES)]
SCALES = [
    Scale(cells=1, filters=12, image_size=8, image_channels=1),
    Scale(cells=1, filters=16, image_size=32),
    Scale(cells=1, filters=16, image_size=64, stem="imagenet", skip_reduction_input=True),
    Scale(cells=1, filters=6, image_size=5),
]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("spec", SPECS)
def test_networks_of_a_space_are_made_of_the_kinds(spec, calls_of_cases) -> None:
    space = get_space(spec)
    seen = 0
    for seed, scale in itertools.product(range(3), SCALES):
        if scale.stem == "imagenet" and spec.split(":")[0] not in ("nasnet", "amoebanet", "pnas", "enas-micro"):
            continue
        architecture = space.random(np.random.default_rng(seed))
        with torch.device("meta"):
            network = space.build(architecture, scale, Regularization(auxiliary=True))
            images = torch.empty(2, scale.image_channels, scale.image_size, scale.image_size)
            auxiliary = getattr(network, "auxiliary", None)
            found = calls_of(network.forward_with_auxiliary if auxiliary is not None else network, images)
        assert found - calls_of_cases == set(), (architecture, scale)
        seen += len(found)
    assert seen > 15


@pytest.mark.slow
def test_other_networks_are_made_of_the_kinds(calls_of_cases) -> None:
    small = Scale(cells=1, filters=8, image_size=16)
    spaces = [get_space(spec) for spec in ("enas-macro:layers=4", "enas-micro:blocks=2")]
    with torch.device("meta"):
        networks = [
            (build_resnet(8, small), torch.empty(2, 3, 16, 16)),
            (build_alexnet(Scale(image_size=64)), torch.empty(2, 3, 64, 64)),
            (build_cell_network(NASNET_A, small), torch.empty(2, 3, 16, 16)),
            *(
                (build_supernetwork(space, small), torch.empty(2, 3, 16, 16), space.random(np.random.default_rng(seed)))
                for space in spaces
                for seed in range(5)
            ),
        ]
        for network, *inputs in networks:
            found = calls_of(network, *inputs)
            assert len(found) > 2
            assert found - calls_of_cases == set(), type(network).__name__


@pytest.mark.slow
def test_the_grid_is_of_distinct_cases_that_fit() -> None:
    cases = list(itertools.islice(grid_cases(), 0, None, 7))
    assert len(cases) > 10_000
    assert len(set(cases)) == len(cases)
    assert all(case.possible and case.mult_adds <= USUAL_MULT_ADDS for case in cases)
    assert {case.layer for case in cases} == {kind.layer for kind in KINDS}
    assert {case.layout for case in cases} == {"channels_last", "contiguous", "sliced"}
    sizes = Counter((case.batch, case.layout) for case in cases if case.layer == "same_conv")
    assert len(sizes) == 21
    assert min(sizes.values()) > 50


def test_random_cases_come_again_with_their_seed() -> None:
    one, again, other = (list(itertools.islice(random_cases(seed), 200)) for seed in (3, 3, 4))
    assert one == again != other
    assert all(case.mult_adds <= MAX_MULT_ADDS for case in one)
    assert all(case.batch * case.inputs * case.height * case.width <= MAX_ELEMENTS for case in one)
    assert max(case.height for case in one) > 40
    assert max(case.batch for case in one) > 64
    assert any(case.height != case.width for case in one)


def test_no_case_divides_by_a_gradient_of_zero() -> None:
    norms = [case for case in itertools.islice(random_cases(0), 3000) if case.layer in ("batch_norm", "biased_conv")]
    assert len(norms) > 10
    assert not any(case.gradient == "expanded" for case in norms)


def test_cases_survive_json() -> None:
    for case in itertools.islice(quick_cases(), 100):
        assert Case.from_json(case.to_json()) == case


def test_plain_cases_are_those_that_the_suite_computes_in_its_own_way() -> None:
    cases = list(plainly(itertools.islice(quick_cases(), 200)))
    assert all(case.plain for case in cases)
    assert {case.layer for case in cases} >= {"same_conv", "reduction"}
    assert not {case.layer for case in cases} & {"linear", "batch_norm", "biased_conv"}


def test_known_faults_are_strided_or_dilated() -> None:
    assert all(case.stride != (1, 1) or case.dilation > 1 or "reduction" in case.layer for case in known_cases())
