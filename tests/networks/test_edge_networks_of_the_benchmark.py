"""Whole NAS-Bench-201 networks against an independent build by the benchmark's definition, with the same weights."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from benchmark_edge_network import EDGES, BenchmarkNetwork, all_operations, reads_only_zeros

from nasbench.networks.edge_cells import EdgeCellModule, ReductionBlock, build_edge_network
from nasbench.spaces import get_space
from nasbench.spaces.nasbench201 import OPERATIONS
from nasbench.structures import Scale

SPACE = get_space("nasbench201")
CHANNELS, CLASSES = 3, 10


def cell(*letters):
    names = {"0": "none", "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}
    return tuple(names[letter] for letter in letters)


def terms_of_edges(operations):
    """What each edge with an operation reads, and the output, as multisets of edges (-1 is the cell's input)."""
    sums = [Counter({-1: 1}), Counter(), Counter(), Counter()]
    reads = {}
    for edge, ((node, source), operation) in enumerate(zip(EDGES, operations)):
        if operation == "skip_connect":
            sums[node] += sums[source]
        elif operation != "none" and sums[source]:
            reads[edge] = sums[source].copy()
            sums[node][edge] += 1
    return reads, sums[3]


def edges_of(structure, operations):
    """The edge of each operation of our canonical cell, found by trying every assignment."""
    reads, out = terms_of_edges(operations)
    for edges in itertools.permutations(reads, len(structure.operations)):
        name = dict(enumerate(edges, 1)) | {0: -1}
        if (
            all(operations[edge] == ours.op for edge, ours in zip(edges, structure.operations))
            and Counter(name[index] for index in structure.out) == out
            and all(
                Counter(name[index] for index in ours.inputs) == reads[edge]
                for edge, ours in zip(edges, structure.operations)
            )
        ):
            return edges
    raise AssertionError(f"{structure} is not the graph of {operations}")


def paired(ours, theirs, edges):
    """(our module, the benchmark's) for everything that has weights."""
    features = list(ours.features)
    pairs = [(features[0], theirs.stem[0]), (features[1], theirs.stem[1])]
    for mine, other in zip(features[2:-2], theirs.blocks, strict=True):
        if isinstance(mine, EdgeCellModule):
            pairs += [(mine.operations[str(index)], other.edges[edge]) for index, edge in enumerate(edges, 1)]
        else:
            assert isinstance(mine, ReductionBlock)
            pairs += [(mine.residual[:3], other.first), (mine.residual[3:], other.second)]
            pairs += [(mine.shortcut, other.shortcut[1])]
    return [*pairs, (features[-2], theirs.norm), (ours.classifier.linear, theirs.linear)]


def equal_networks(operations, size, cells):
    """Our network and the benchmark's in float64 with the same random weights and statistics, and their paired modules."""
    structure = SPACE.structure(SPACE.decode([OPERATIONS.index(operation) for operation in operations]))
    scale = Scale(cells=cells, filters=CHANNELS, image_size=size, classes=CLASSES)
    ours = build_edge_network(structure, scale).double()
    theirs = BenchmarkNetwork(operations, CHANNELS, cells, classes=CLASSES).double()
    pairs = paired(ours, theirs, edges_of(structure, operations))
    generator = torch.Generator().manual_seed(size)
    for mine, other in pairs:
        for value, target in zip(mine.state_dict().values(), other.state_dict().values(), strict=True):
            if value.is_floating_point():
                value.copy_(0.5 + torch.rand(value.shape, generator=generator, dtype=torch.float64))
                value -= 1.0 if value.dim() > 1 else 0.0
                target.copy_(value)
    assert sum(p.numel() for mine, _ in pairs for p in mine.parameters()) == sum(p.numel() for p in ours.parameters())
    return ours, theirs, pairs


def logits_and_gradients(network, images):
    network.zero_grad()
    images = images.clone().requires_grad_()
    logits = network(images)
    (logits * torch.linspace(-1, 1, logits.numel(), dtype=torch.float64).view_as(logits)).sum().backward()
    return logits, torch.zeros_like(images) if images.grad is None else images.grad


def check_equal(operations, size=8, cells=1):
    ours, theirs, pairs = equal_networks(operations, size, cells)
    images = torch.randn(4, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for training in (True, False):  # in evaluation with the statistics that the step in training left
        ours.train(training)
        theirs.train(training)
        for one, other in zip(logits_and_gradients(ours, images), logits_and_gradients(theirs, images)):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9, msg=lambda text: f"{operations}: {text}")
        for mine, other in pairs:
            for one, two in zip(mine.parameters(), other.parameters(), strict=True):
                gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in (one, two)]
                torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def sample(cells, number, seed):
    return [cells[index] for index in np.random.default_rng(seed).choice(len(cells), number, replace=False)]


@pytest.fixture(scope="module")
def with_constants():
    return [operations for operations in all_operations() if reads_only_zeros(operations)]


def test_network_equals_the_benchmarks():
    for operations in sample(all_operations(), 60, seed=0):
        check_equal(operations)
    check_equal(("nor_conv_3x3",) * 6, size=16, cells=2)
    check_equal(cell(*"31p13s"), size=32)


@pytest.mark.parametrize("letters", ["300000", "000000", "003003", "sss000", "030000", "3p1000", "0ss0ss", "303s00"])
def test_network_equals_the_benchmarks_where_edges_are_dead(letters):
    check_equal(cell(*letters))


def test_network_equals_the_benchmarks_where_convolutions_read_zeros(with_constants):
    """Until BatchNorm's shift moves from 0, where torch starts it, such a convolution yields zeros."""
    for operations in sample(with_constants, 30, seed=1):
        check_equal(operations)


def test_in_2140_cells_a_convolution_that_reads_only_zeros_yields_its_shift(with_constants):
    """The deviation: the benchmark learns that constant, here the convolution is removed. In no other cell does a removed shift matter."""
    assert len(with_constants) == 2_140
    others = [operations for operations in all_operations() if not reads_only_zeros(operations)]
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for cells, differ in ((with_constants, True), (others, False)):
        for operations in sample(cells, 20, seed=2):
            ours, theirs, pairs = equal_networks(operations, 8, 1)
            kept = {id(parameter) for _, other in pairs for parameter in other.parameters()}
            with torch.no_grad():
                for parameter in theirs.parameters():
                    if id(parameter) not in kept:
                        parameter.add_(0.5)
            same = torch.allclose(ours(images), theirs(images), rtol=1e-9, atol=1e-9)
            assert same != differ, operations


def test_the_reductions_convolution_pads_one_on_both_sides():
    block = ReductionBlock(1)
    convolution = block.residual[1]
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.weight[:, :, 1, 1] = 1  # the centre tap
    assert convolution(torch.arange(16.0).view(1, 1, 4, 4))[0, 0].tolist() == [[0, 2], [8, 10]]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_reductions_convolution_at_every_size(size, channels):
    """In float32 and channels last, where a convolution of one channel into one column has been wrong before."""
    convolution = ReductionBlock(channels).residual[1].to(memory_format=torch.channels_last)
    images = torch.randn(9, channels, size, size)
    padded = torch.nn.functional.pad(images.double(), (1, 1, 1, 1))
    columns = torch.nn.functional.unfold(padded, 3, stride=2)
    half = (size + 1) // 2
    expected = (convolution.weight.double().flatten(1) @ columns).view(9, 2 * channels, half, half)
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.testing.assert_close(
            convolution(images.contiguous(memory_format=layout)).double(), expected, rtol=1e-5, atol=1e-5
        )
