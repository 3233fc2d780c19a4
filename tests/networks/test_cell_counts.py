"""Cell networks: closed form = built network on random cells at many scales, and the published networks to the last parameter."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from network_costs import measured, module_costs
from random_structures import random_pair

from nasbench.errors import InputError, UnknownName
from nasbench.networks.cell_counts import count_auxiliary_head, count_cell_network
from nasbench.networks.cells import build_cell_network
from nasbench.networks.operation_counts import OPERATION_COUNTS
from nasbench.networks.operations import OPERATIONS
from nasbench.networks.skeletons import plan_network
from nasbench.spaces.genotypes import AMOEBANET_A, NASNET_A, PNASNET_5
from nasbench.spaces.nasnet import NasNetSpace
from nasbench.structures import Block, Cell, CellPair, Regularization, Scale

SMALL_SCALES = {
    "digits": Scale(1, 8, 8, 1),
    "odd filters": Scale(1, 5, 8, 3),
    "one filter": Scale(1, 1, 8, 1, 2),
    "odd image": Scale(1, 6, 11, 3, 7),
    "one pixel": Scale(1, 4, 1, 1),
    "32 pixels": Scale(2, 8, 32, 3),
    "skips": Scale(1, 8, 16, 3, 10, "cifar", True),
    "imagenet": Scale(1, 12, 35, 3, 5, "imagenet"),
    "imagenet, skips": Scale(1, 9, 24, 1, 5, "imagenet", True),
    "imagenet, tiny": Scale(1, 3, 3, 3, 5, "imagenet"),
    "imagenet, stem": Scale(1, 9, 24, 3, 5, "imagenet", True, stem_filters=7),
    "cifar, stem": Scale(1, 6, 8, 3, stem_filters=5),
}

IMAGENET = {"classes": 1000, "stem": "imagenet"}
LARGE = Scale(6, 168, 331, skip_reduction_input=True, **IMAGENET)
MOBILE = Scale(4, 44, 224, **IMAGENET)
PUBLISHED = {
    "nasnet-a cifar": (NASNET_A, Scale(6, 32), "nasnet", (3_346_538, 544_333_312)),
    "nasnet-a mobile": (NASNET_A, MOBILE, "nasnet", (5_289_978, 563_638_816)),
    "nasnet-a large": (NASNET_A, LARGE, "nasnet", (88_753_150, 23_783_414_658)),
    "nasnet-a proxy": (NASNET_A, Scale(2, 32), "nasnet", (1_294_698, None)),
    "pnasnet-5 cifar": (PNASNET_5, Scale(3, 48), "pnas", (3_189_082, None)),
    "pnasnet-5 proxy": (PNASNET_5, Scale(2, 24), "pnas", (559_090, None)),
    "pnasnet-5 large": (
        PNASNET_5,
        Scale(4, 216, 331, skip_reduction_input=True, **IMAGENET),
        "pnas",
        (86_057_668, 24_937_395_792),
    ),
    "amoebanet-a cifar": (AMOEBANET_A, Scale(6, 32), "nasnet", (2_567_754, 407_671_808)),
    "amoebanet-a 190": (
        AMOEBANET_A,
        Scale(6, 190, 331, skip_reduction_input=True, stem_filters=32, **IMAGENET),
        "nasnet",
        (86_718_797, 23_133_663_507),
    ),
    "amoebanet-a 448": (
        AMOEBANET_A,
        Scale(6, 448, 331, skip_reduction_input=True, stem_filters=32, **IMAGENET),
        "nasnet",
        (468_151_184, 126_520_757_776),
    ),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("skeleton", ["nasnet", "pnas"])
@pytest.mark.parametrize("scale", SMALL_SCALES.values(), ids=SMALL_SCALES.keys())
def test_closed_form_is_the_built_network(scale, skeleton):
    check_random_pairs(scale, skeleton, seed=0, pairs=4)


@pytest.mark.slow
@pytest.mark.parametrize("skeleton", ["nasnet", "pnas"])
@pytest.mark.parametrize("scale", SMALL_SCALES.values(), ids=SMALL_SCALES.keys())
def test_closed_form_is_the_built_network_for_many(scale, skeleton):
    check_random_pairs(scale, skeleton, seed=1, pairs=20)


def check_random_pairs(scale, skeleton, seed, pairs):
    rng = random.Random(f"{seed} {scale} {skeleton}")
    for _ in range(pairs):
        pair = random_pair(rng)
        built = measured(lambda: build_cell_network(pair, scale, skeleton=skeleton), scale)  # noqa: B023
        assert count_cell_network(pair, scale, skeleton) == built, pair


@pytest.mark.sampled(2)
@pytest.mark.parametrize("output", ["unused", "explicit"])
@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5])
def test_a_space_counts_what_it_builds(blocks, output):
    space, rng = NasNetSpace(blocks=blocks, output=output), np.random.default_rng(blocks)
    for scale in (SMALL_SCALES["digits"], SMALL_SCALES["imagenet, skips"]):
        architecture = space.random(rng)
        built = measured(lambda: space.build(architecture, scale), scale)  # noqa: B023
        assert space.count(architecture, scale) == built, space.describe(architecture)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("skeleton", ["nasnet", "pnas"])
@pytest.mark.parametrize("scale", SMALL_SCALES.values(), ids=SMALL_SCALES.keys())
@pytest.mark.parametrize("out", [(0,), (1,), (0, 1)])
def test_cells_without_blocks(out, scale, skeleton):
    pair = CellPair(Cell((), out), Cell((), out))
    built = measured(lambda: build_cell_network(pair, scale, skeleton=skeleton), scale)
    assert count_cell_network(pair, scale, skeleton) == built


@pytest.mark.sampled(40)
@pytest.mark.parametrize("operation", sorted(OPERATION_COUNTS))
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("inputs", "filters", "size"), [(8, 8, 8), (16, 8, 7), (5, 6, 1), (3, 2, 2)])
def test_every_operation(operation, stride, inputs, filters, size):
    counts, shape = module_costs(lambda: OPERATIONS[operation](inputs, filters, stride), (2, inputs, size, size))
    expected = OPERATION_COUNTS[operation](inputs, filters, size, stride)
    assert counts == (expected.params, 2 * expected.mult_adds)  # two images
    after = -(-size // stride)
    assert shape == (2, filters, after, after)


def test_both_tables_have_the_same_operations():
    assert list(OPERATIONS) == list(OPERATION_COUNTS)


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("pair", "scale", "skeleton", "expected"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_published_counts(pair, scale, skeleton, expected):
    counts = count_cell_network(pair, scale, skeleton)
    assert counts.params == expected[0]
    assert expected[1] in (None, counts.mult_adds)
    with torch.device("meta"):
        network = build_cell_network(pair, scale, skeleton=skeleton)
    assert sum(parameter.numel() for parameter in network.parameters()) == counts.params


@pytest.mark.slow
@pytest.mark.parametrize(("pair", "scale", "skeleton", "expected"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_published_mult_adds_by_running_without_data(pair, scale, skeleton, expected):
    built = measured(lambda: build_cell_network(pair, scale, skeleton=skeleton), scale)
    assert built == count_cell_network(pair, scale, skeleton)


def test_pnasnet_mobile_is_near_its_published_row():
    """5.1M and 588M in the paper (recalled): not exact, but 32 instead of 96 stem filters would show."""
    params, mult_adds = count_cell_network(PNASNET_5, Scale(3, 54, 224, **IMAGENET), "pnas")
    assert params == pytest.approx(5.1e6, rel=0.01)
    assert mult_adds == pytest.approx(588e6, rel=0.005)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (LARGE, 4_567_784),
        (MOBILE, 2_411_240),
        (Scale(6, 32), 1_631_498),  # the released head on the 16x16 map before the second reduction: 4x4 after its pool
        (Scale(6, 32, 16), 451_850),  # the figure that is told of CIFAR: it takes an 8x8 map, so images of 16
    ],
)
def test_auxiliary_head_counts(scale, expected):
    head = count_auxiliary_head(NASNET_A, scale)
    assert head.params == expected
    with torch.device("meta"):
        network = build_cell_network(NASNET_A, scale, Regularization(auxiliary=True))
    both = count_cell_network(NASNET_A, scale).params + head.params
    assert sum(parameter.numel() for parameter in network.parameters()) == both


@pytest.mark.parametrize("scale", SMALL_SCALES.values(), ids=SMALL_SCALES.keys())
@pytest.mark.parametrize("skeleton", ["nasnet", "pnas"])
def test_auxiliary_mult_adds(scale, skeleton):
    plan = plan_network(scale, skeleton)
    size, channels = plan.map_size(plan.auxiliary), plan.map_channels(plan.auxiliary, 6, 4)
    network = build_cell_network(NASNET_A, scale, Regularization(auxiliary=True), skeleton=skeleton)
    head, shape = module_costs(lambda: network.auxiliary.to("meta"), (1, channels, size, size))
    assert shape == (1, scale.classes)
    assert head == count_auxiliary_head(NASNET_A, scale, skeleton)


def test_dead_blocks_cost_nothing():
    block, dead = Block(0, "sep_conv_3x3", 1, "identity"), Block(2, "sep_conv_7x7", 0, "max_pool_3x3")
    alive, with_dead = Cell((block,), (2,)), Cell((block, dead), (2,))
    scale = SMALL_SCALES["odd filters"]
    assert count_cell_network(CellPair(with_dead, with_dead), scale) == count_cell_network(
        CellPair(alive, alive), scale
    )


def test_plan_of_skips():
    """After an inserted reduction p is what came before the reduction's input, not that input."""
    places = {skip: plan_network(Scale(2, 8, 32, skip_reduction_input=skip), "nasnet").places for skip in (False, True)}
    kinds = "".join(place.kind[0] for place in places[True])
    assert kinds == "nnrnnrnn"
    assert [place.previous_previous for place in places[False]] == [None, 0, 1, 2, 3, 4, 5, 6]
    assert [place.previous_previous for place in places[True]] == [None, 0, 1, 1, 3, 4, 4, 6]
    assert [place.filters for place in places[True]] == [8, 8, 16, 16, 16, 32, 32, 32]


def test_plan_of_pnas_and_the_imagenet_stem():
    plan = plan_network(Scale(2, 44, 224, stem="imagenet"), "pnas")
    assert "".join(place.kind[0] for place in plan.places) == "rrnnrnrn"
    assert [place.filters for place in plan.places] == [11, 22, 44, 44, 88, 88, 176, 176]
    assert [place.size for place in plan.places] == [111, 56, 28, 28, 28, 14, 14, 7]
    assert (plan.stem_filters, plan.auxiliary) == (32, 6)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Cell((Block(0, "identity", 3, "identity"),), (2,)), "block 1 of the normal cell reads state 3"),
        (Cell((Block(-1, "identity", 1, "identity"),), (2,)), "state -1"),
        (Cell((Block(0, "identity", 1, "identity"),), ()), "no output"),
        (Cell((Block(0, "identity", 1, "identity"),), (3,)), "the output of the normal cell lists state 3"),
        (Cell((Block(0, "sep_conv_3x4", 1, "identity"),), (2,)), "did you mean 'sep_conv_3x3'"),
        (Cell((Block(0, "identity", 1, "identity", "multiply"),), (2,)), "unknown combination"),
    ],
)
def test_impossible_cells_are_refused(cell, message):
    with pytest.raises(InputError, match=message):
        build_cell_network(CellPair(cell, cell), Scale(1, 4, 8))


def test_the_stems_filters_are_the_scales_or_else_the_skeletons_own():
    def stem(**scale):
        return plan_network(Scale(2, image_size=64, **scale), "nasnet").stem_filters

    assert [stem(filters=F, stem="imagenet") for F in (127, 128, 168)] == [32, 96, 96]
    assert [stem(filters=F, stem="imagenet", stem_filters=32) for F in (44, 190)] == [32, 32]
    assert (stem(filters=20), stem(filters=20, stem_filters=7)) == (60, 7)
    with pytest.raises(InputError, match="stem_filters takes 1 or more"):
        stem(filters=20, stem_filters=-1)


def test_impossible_scales_are_refused():
    with pytest.raises(InputError, match="3 pixels"):
        count_cell_network(NASNET_A, Scale(1, 4, 2, stem="imagenet"))
    with pytest.raises(InputError, match="at least 1"):
        count_cell_network(NASNET_A, Scale(0, 4, 8))
    with pytest.raises(UnknownName, match="nasnet, pnas"):
        count_cell_network(NASNET_A, Scale(1, 4, 8), "pnasnet")


def test_counting_names_an_unknown_operation():
    cell = Cell((Block(0, "sep_conv", 1, "identity"),), (2,))
    with pytest.raises(UnknownName, match="unknown operation 'sep_conv'"):
        count_cell_network(CellPair(cell, cell), Scale(1, 4, 8))


def test_counting_imports_no_torch():
    modules = "cell_counts, edge_cell_counts, layer_counts, resnet_counts, skeletons, wiring"
    code = (
        f"import sys, nasbench.spaces.genotypes; from nasbench.networks import {modules}; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
