"""Networks of DARTS's cells: published counts, the released network with the same weights, training, auxiliary head."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from released_darts_network import ReleasedNetwork
from torch import nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.darts_cells import DARTS_OPERATIONS, build_darts_network
from nasbench.networks.darts_counts import DARTS_COUNTS
from nasbench.spaces import get_space
from nasbench.spaces.darts import OPERATIONS
from nasbench.structures import Block, Cell, CellPair, Regularization, Scale

SPACE = get_space("darts")
PAPER = Scale(cells=6, filters=36)  # 20 cells


@pytest.mark.parametrize(
    ("name", "params", "mult_adds"),
    [
        ("darts_v2", 3_349_342, 528.4e6),
        ("darts_v1", 3_169_414, 501.0e6),
        ("gdas_v1", 3.37e6, 519e6),
        ("pdarts", 3.43e6, 532e6),
        ("pc_darts_cifar", 3.63e6, 557e6),
    ],
)
def test_published_cells_have_the_counts_of_the_released_networks(name, params, mult_adds):
    counts = SPACE.count_at(SPACE.parse(name), PAPER)
    assert counts.params == params if isinstance(params, int) else counts.params == pytest.approx(params, abs=5e3)
    assert counts.mult_adds == pytest.approx(mult_adds, abs=5e5)
    assert SPACE.count(SPACE.parse(name)) == counts  # the protocol of the space has the paper's scale


def layers_as_called(network, images):
    """The modules with weights in the order in which they compute."""
    found = []
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            module.register_forward_hook(lambda module, inputs, output: found.append(module))
    network(images)
    return found


@pytest.mark.parametrize("cell", [*range(4), "darts_v2", "pdarts"])
def test_networks_compute_what_the_released_network_does_with_the_same_weights(cell):
    architecture = SPACE.random(np.random.default_rng(cell)) if isinstance(cell, int) else SPACE.parse(cell)
    pair = SPACE.structure(architecture)
    edges = [
        [edge for b in part.blocks for edge in ((b.left_op, b.left), (b.right_op, b.right))]
        for part in (pair.normal, pair.reduction)
    ]
    torch.manual_seed(0)
    images = torch.randn(4, 3, 16, 16)
    ours = build_darts_network(pair, Scale(cells=2, filters=8, image_size=16))
    theirs = ReleasedNetwork(*edges, channels=8, layers=8)
    pairs = list(zip(layers_as_called(theirs, images), layers_as_called(ours, images), strict=True))
    for source, target in pairs:
        if isinstance(source, nn.BatchNorm2d):
            nn.init.uniform_(source.weight, 0.5, 1.5)
            nn.init.normal_(source.bias)
        target.load_state_dict(source.state_dict())
    assert {id(target) for _, target in pairs} >= {id(m) for m in ours.modules() if isinstance(m, nn.Conv2d)}
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images), rtol=1e-4, atol=1e-4)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("size", [8, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_operations_have_the_counted_parameters_and_sizes(operation, size, stride):
    module = DARTS_OPERATIONS[operation](6, stride)
    counts = DARTS_COUNTS[operation](6, size, stride)
    assert sum(p.numel() for p in module.parameters()) == counts.params
    assert module(torch.randn(2, 6, size, size)).shape == (2, 6, -(-size // stride), -(-size // stride))


def test_paths_are_dropped_in_training_but_never_an_identity():
    skips = SPACE.from_cells(
        CellPair(*[Cell(tuple(Block(0, "skip_connect", 1, "skip_connect") for _ in range(4)), (2, 3, 4, 5))] * 2)
    )
    torch.manual_seed(0)
    images = torch.randn(8, 3, 8, 8)
    cells = SPACE.build(skips, Scale(cells=1, filters=4, image_size=8), Regularization(drop_path_keep=0.5)).cells
    cells[0].drop_path.set_progress(1.0)
    stem = torch.randn(8, 12, 8, 8)
    torch.testing.assert_close(cells[0](stem, stem), cells[0](stem, stem))
    other = SPACE.build(SPACE.parse("darts_v2"), Scale(cells=1, filters=4, image_size=8), Regularization(0.5))
    assert torch.equal(other(images), other(images))  # no progress: nothing is dropped
    other.set_progress(1.0)
    assert not torch.equal(other(images), other(images))


def test_the_auxiliary_head_reads_the_output_of_the_second_reduction():
    network = SPACE.build(SPACE.parse("darts_v2"), Scale(cells=1, filters=4), Regularization(auxiliary=True))
    assert network.auxiliary_map == 4  # stem, normal, reduction, normal, reduction, normal
    logits, auxiliary = network.train().forward_with_auxiliary(torch.randn(2, 3, 32, 32))
    assert logits.shape == auxiliary.shape == (2, 10)
    assert network.eval().forward_with_auxiliary(torch.randn(2, 3, 32, 32))[1] is None


def test_impossible_cells_and_scales_are_refused():
    normal = SPACE.structure(SPACE.parse("darts_v2")).normal
    bad = Cell((Block(0, "sep_conv_3x3", 2, "sep_conv_3x3"),), (2,))
    for pair, error, text in [
        (CellPair(bad, normal), InputError, "normal cell reads state 2; allowed: 0 to 1"),
        (CellPair(normal, Cell(normal.blocks, (5,))), InputError, "reduction cell of a DARTS network puts out all"),
        (CellPair(Cell((Block(0, "conv_9x9", 1, "skip_connect"),), (2,)), normal), UnknownName, "conv_9x9"),
        (
            CellPair(Cell((Block(0, "skip_connect", 1, "skip_connect", "concat"),), (2,)), normal),
            InputError,
            "nodes add",
        ),
    ]:
        with pytest.raises(error, match=text):
            build_darts_network(pair, PAPER)
    with pytest.raises(InputError, match="DARTS networks have no stem 'imagenet'"):
        build_darts_network(CellPair(normal, normal), Scale(stem="imagenet", image_size=224))
