"""NAS-Bench-201 networks: closed form against torch's counts and the published table, and the wiring."""

from __future__ import annotations

import os
import timeit
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from network_costs import check_channels_last, check_training_step, measured, random_images
from torch import nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.edge_cell_counts import count_edge_network
from nasbench.networks.edge_cells import EdgeCellModule, ReductionBlock, build_edge_network
from nasbench.spaces import get_space
from nasbench.spaces.nasbench201 import OPERATIONS
from nasbench.structures import Counts, EdgeCell, EdgeOperation, Regularization, Scale

TABLE = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "nb201_tss.npz"
TABLE_SCALE = Scale(cells=5, filters=16)
SPACE = get_space("nasbench201")
CONVOLUTIONS = [OPERATIONS.index("nor_conv_1x1"), OPERATIONS.index("nor_conv_3x3")]
EMPTY, IDENTITY = EdgeCell((), ()), EdgeCell((), (0,))
DIAMOND = EdgeCell(
    (
        EdgeOperation("nor_conv_1x1", (0,)),
        EdgeOperation("avg_pool_3x3", (0, 0, 1)),
        EdgeOperation("nor_conv_3x3", (2,)),
    ),
    (0, 1, 3, 3),
)


def random_cells(number, seed=0):
    rng = np.random.default_rng(seed)
    return [SPACE.structure(SPACE.random(rng)) for _ in range(number)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("size", [1, 2, 4, 7, 8, 32])
@pytest.mark.parametrize(("cells", "filters"), [(1, 1), (1, 16), (2, 5)])
def test_closed_form_equals_the_built_network(cells, filters, size):
    scale = Scale(cells=cells, filters=filters, image_size=size, image_channels=1 + size % 3, classes=2 + size)
    for cell in (EMPTY, IDENTITY, DIAMOND, *random_cells(6, seed=10 * size + cells)):
        assert count_edge_network(cell, scale) == measured(lambda: build_edge_network(cell, scale), scale)  # noqa: B023


def test_closed_form_at_the_published_scale():
    for cell in random_cells(3):
        counts = measured(lambda: build_edge_network(cell, TABLE_SCALE), TABLE_SCALE)  # noqa: B023
        assert count_edge_network(cell, TABLE_SCALE) == counts


def with_dead_convolutions(choices):
    """A cell that costs what the official one does, which builds the convolution of every edge, read or not."""
    convolutions = tuple(EdgeOperation(OPERATIONS[choice], (0,)) for choice in choices if choice in CONVOLUTIONS)
    return EdgeCell(convolutions, tuple(range(1, len(convolutions) + 1)))


@pytest.mark.skipif(not TABLE.exists(), reason=f"needs {TABLE.name}; set NASBENCH_SHARED_DATA to its folder")
def test_published_counts_of_all_cells():
    """Published params = ours + dead edges; published operations = ours + dead edges + 10, the additions of the classifier's bias.

    Pooling, BatchNorm, ReLU and sums count nothing in either.
    """
    table = np.load(TABLE)
    published = zip(table["params_m_c10"], table["flops_m_c10"])
    alive = 0
    for architecture, (params, flops) in zip(SPACE.enumerate(), published):
        expected = Counts(round(params * 1e6), round(flops * 1e6) - TABLE_SCALE.classes)
        counts = SPACE.count(architecture, TABLE_SCALE)
        structure = SPACE.structure(architecture)
        operations = sum(choice in CONVOLUTIONS for choice in architecture.choices)
        if operations == sum(operation.op.startswith("nor_conv") for operation in structure.operations):
            alive += 1
            assert counts == expected
        else:
            assert counts.params < expected.params
            assert counts.mult_adds < expected.mult_adds
        assert count_edge_network(with_dead_convolutions(architecture.choices), TABLE_SCALE) == expected
    assert alive == 11_375


@pytest.mark.parametrize("size", [1, 2, 4, 7, 8])
def test_training_step(size):
    scale = Scale(cells=1, filters=4, image_size=size)
    for cell in (IDENTITY, DIAMOND, *[cell for cell in random_cells(4, seed=size) if cell.out]):
        check_training_step(lambda: build_edge_network(cell, scale), scale)  # noqa: B023


def test_channels_last():
    scale = Scale(cells=1, filters=4, image_size=8)
    for cell in (DIAMOND, *random_cells(2, seed=1)):
        check_channels_last(lambda: build_edge_network(cell, scale), scale)  # noqa: B023


def test_a_cell_without_output_is_zero_and_its_network_still_trains():
    scale = Scale(cells=1, filters=4, image_size=8)
    network = build_edge_network(EMPTY, scale)
    logits = network(random_images(scale))
    assert torch.equal(logits[0], logits[1])
    assert torch.isfinite(logits).all()
    logits.sum().backward()
    assert torch.equal(network.classifier.linear.bias.grad, torch.full((10,), 2.0))


def test_operations_read_sums_in_which_an_index_may_repeat():
    module = EdgeCellModule(DIAMOND, 4).eval()
    images = torch.randn(2, 4, 5, 5)
    one = module.operations["1"](images)
    two = module.operations["2"](images + images + one)
    three = module.operations["3"](two)
    torch.testing.assert_close(module(images), images + one + three + three)


def test_cell_follows_the_official_nodes():
    """The official form: node i is the sum over j < i of the operation of edge (i, j) on node j."""
    text = "|nor_conv_1x1~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|skip_connect~1|avg_pool_3x3~2|"
    cell = SPACE.structure(SPACE.parse(text))
    module = EdgeCellModule(cell, 3).eval()
    steps = {operation.op: module.operations[str(index)] for index, operation in enumerate(cell.operations, 1)}
    node0 = torch.randn(2, 3, 6, 6)
    node1 = steps["nor_conv_1x1"](node0)
    node2 = node0 + steps["nor_conv_3x3"](node1)
    node3 = node1 + F.avg_pool2d(node2, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(module(node0), node3)


def test_convolutions_are_relu_convolution_batch_norm():
    for operation in EdgeCellModule(DIAMOND, 3).operations.values():
        if isinstance(operation, nn.Sequential):
            relu, convolution, norm = operation
            assert isinstance(relu, nn.ReLU)
            assert convolution.bias is None
            assert norm.affine
            assert norm.track_running_stats


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 1), (3, 2), (7, 4), (8, 4)])
def test_reduction_block_halves_upwards(before, after):
    block = ReductionBlock(3)
    assert block(torch.randn(2, 3, before, before)).shape == (2, 6, after, after)


def test_reduction_shortcut_is_a_plain_average_then_a_convolution():
    block = ReductionBlock(3).eval()
    images = torch.randn(2, 3, 4, 4)
    averages = images.reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    expected = block.residual(images) + F.conv2d(averages, block.shortcut.weight)
    torch.testing.assert_close(block(images), expected)


def test_network_is_stem_three_stages_and_head():
    network = build_edge_network(DIAMOND, Scale(cells=2, filters=4))
    kinds = [type(module).__name__ for module in network.features]
    cell = "EdgeCellModule"
    assert kinds == [
        "SameConv2d", "BatchNorm2d", cell, cell, "ReductionBlock", cell, cell, "ReductionBlock", cell, cell,
        "BatchNorm2d", "ReLU",
    ]  # fmt: skip
    assert network.classifier.linear.in_features == 16


def test_operations_that_do_not_reach_the_output_are_neither_built_nor_counted():
    scale = Scale(cells=1, filters=4, image_size=8)
    dead = EdgeCell((EdgeOperation("nor_conv_3x3", (0,)), EdgeOperation("nor_conv_1x1", (0,))), (2,))
    live = EdgeCell((EdgeOperation("nor_conv_1x1", (0,)),), (1,))
    assert count_edge_network(dead, scale) == count_edge_network(live, scale)
    assert measured(lambda: build_edge_network(dead, scale), scale) == count_edge_network(live, scale)


def test_equal_hashes_build_equal_bits():
    scale, rng = Scale(cells=1, filters=4, image_size=8), np.random.default_rng(5)
    for _ in range(5):
        architecture = SPACE.random(rng)
        logits = []
        for same in (architecture, SPACE.canonical(architecture)):
            torch.manual_seed(3)
            logits.append(SPACE.build(same, scale)(random_images(scale)))
        assert torch.equal(*logits)


def test_dropout_works_before_the_classifier_in_training_only():
    scale = Scale(cells=1, filters=16, image_size=4)
    network = build_edge_network(DIAMOND, scale, Regularization(dropout=0.5))
    images = random_images(scale)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (EdgeCell((EdgeOperation("nor_conv_3x3", (1,)),), (1,)), "operation 1 reads"),
        (EdgeCell((EdgeOperation("nor_conv_3x3", ()),), (1,)), "operation 1 reads"),
        (EdgeCell((EdgeOperation("nor_conv_3x3", (0,)),), (2,)), "output lists"),
        (EdgeCell((), (-1,)), "output lists"),
    ],
)
def test_impossible_wiring_is_one_clear_line(cell, message):
    with pytest.raises(InputError, match=message) as caught:
        build_edge_network(cell, Scale())
    assert "\n" not in str(caught.value)


def test_unknown_operations_and_the_imagenet_stem_are_refused_by_builder_and_counter():
    for use in (build_edge_network, count_edge_network):
        with pytest.raises(UnknownName, match="did you mean 'nor_conv_3x3'"):
            use(EdgeCell((EdgeOperation("nor_conv3x3", (0,)),), (1,)), Scale())
        with pytest.raises(InputError, match="imagenet"):
            use(IDENTITY, Scale(stem="imagenet"))
        with pytest.raises(InputError, match="stem_filters=32; leave it at 0, only networks of cells"):
            use(IDENTITY, Scale(stem_filters=32))


def test_counting_takes_microseconds():
    cells = random_cells(50)
    seconds = min(timeit.repeat(lambda: [count_edge_network(cell, TABLE_SCALE) for cell in cells], number=1, repeat=9))
    assert seconds / len(cells) < 50e-6  # about 2 on a quiet machine
