"""Mixed super-networks: a path is the stand-alone network, a mixture is a weighted sum, and which cell is derived."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from shared_weights import copy
from torch import nn
from torch.nn import functional

from nasbench.errors import InputError
from nasbench.networks.darts_cells import build_darts_network
from nasbench.networks.edge_cells import EdgeCellModule, build_edge_network
from nasbench.spaces import get_space
from nasbench.spaces.darts_genotypes import NODES
from nasbench.spaces.edge_graphs import EDGES, reached_operations
from nasbench.spaces.nasbench201 import NONE, OPERATIONS, SKIP
from nasbench.structures import EdgeCell, EdgeOperation, Scale
from nasbench.supernets.build import build_mixed_supernetwork
from nasbench.supernets.cell_mixtures import cell_choices, output_weights
from nasbench.supernets.cells import CellSuperNetwork
from nasbench.supernets.darts_cells import CELL_EDGES, PRIMITIVES
from nasbench.supernets.edge_cells import MixedEdgeCell
from nasbench.supernets.mixed import MixedEdge, Mixture, Weighted, best_first, shuffled, through_part

SMALL = Scale(cells=1, filters=4, image_size=8, image_channels=1, classes=5)
CELLS = "nasnet:blocks=2,combinations=add,operations=identity/sep_conv_3x3/avg_pool_3x3"


def images(channels: int = 1) -> torch.Tensor:
    return torch.randn(6, channels, 8, 8, dtype=torch.float64)


def shaken(network: nn.Module) -> nn.Module:
    """In double, with random scales and shifts of BatchNorms."""
    network = network.double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network


def one_hot(network, architecture) -> Mixture:
    """The mixture whose weights are 0 and 1, with all options computed."""
    return Mixture(
        [
            Weighted(functional.one_hot(torch.tensor(max(each.chosen, 0)), len(labels)).double() * (each.chosen >= 0))
            for each, labels in zip(network.path(architecture), network.choices)
        ]
    )


@pytest.mark.sampled(2)
@pytest.mark.parametrize("choices", [(3, 1, 4, 2, 0, 3), (0, 3, 2, 1, 3, 3), (2, 2, 3, 4, 1, 3), (0, 0, 3, 0, 0, 4)])
def test_a_path_of_nasbench201_is_the_stand_alone_network(choices):
    torch.manual_seed(0)
    space = get_space("nasbench201")
    network = shaken(build_mixed_supernetwork(space, SMALL, affine=True))
    operations, out = reached_operations(choices, NONE, (SKIP,) * len(EDGES))
    cell = EdgeCell(
        tuple(EdgeOperation(OPERATIONS[choice], tuple(term + 1 for term in terms)) for choice, terms in operations),
        tuple(term + 1 for term in out),
    )
    single = build_edge_network(cell, SMALL).double()
    # The operations that the input reaches, in the order of the edges.
    reached = [True, False, False, False]
    places = []
    for index, ((node, source), choice) in enumerate(zip(EDGES, choices)):
        if choice != NONE and reached[source]:
            reached[node] = True
            if choice != SKIP:
                places.append(index)
    with torch.no_grad():
        theirs = [*network.stem, *network.layers, *network.finish]
        for shared, alone in zip(theirs, single.features, strict=True):
            if not isinstance(shared, MixedEdgeCell):
                copy(shared, alone)
                continue
            assert isinstance(alone, EdgeCellModule)
            for number, edge in enumerate(places, 1):
                if str(number) in alone.operations:
                    copy(shared.edges[edge].paths[OPERATIONS[choices[edge]]], alone.operations[str(number)])
        copy(network.classifier, single.classifier)
    batch = images()
    expected = single.train()(batch)
    torch.testing.assert_close(network(batch, space.decode(choices)), expected)
    if not any(each[0] == NONE for each in zip(choices)):  # else a BatchNorm after zeros gives its shift
        torch.testing.assert_close(network.mixed(batch, one_hot(network, space.decode(choices))), expected)


def test_a_path_of_darts_is_the_stand_alone_network():
    torch.manual_seed(0)
    space = get_space("darts")
    network = shaken(build_mixed_supernetwork(space, SMALL, affine=True))
    rng = np.random.default_rng(3)
    drawn = list(space.random(rng).choices)
    for index, decision in enumerate(space.decisions):
        if decision.group == "operation":
            drawn[index] = 2 + int(rng.integers(5))  # pools have a BatchNorm in the super-network only
    architecture = space.decode(drawn)
    pair = space.spelled(architecture)
    single = build_darts_network(pair, SMALL).double()
    with torch.no_grad():
        copy(network.stem, single.stem)
        copy(network.classifier, single.classifier)
        for place, shared, alone in zip(network.places, network.cells, single.cells):
            copy(shared.project_c, alone.project_c)
            copy(shared.project_p, alone.project_p)
            cell = pair.normal if place.kind == "normal" else pair.reduction
            paths = iter(alone.paths)
            for node, block in enumerate(cell.blocks):
                for source, operation in ((block.left, block.left_op), (block.right, block.right_op)):
                    copy(shared.edges[CELL_EDGES.index((node, source))].paths[operation], next(paths))
    batch = images()
    expected = single.train()(batch)
    torch.testing.assert_close(network(batch, architecture), expected)
    torch.testing.assert_close(network.mixed(batch, one_hot(network, architecture)), expected)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("spec", "share"),
    [(CELLS, 1), (CELLS, 2), (f"{CELLS},output=explicit", 1), (f"{CELLS},output=all", 1)],
)
def test_weights_of_0_and_1_give_a_path_of_cells(spec, share):
    torch.manual_seed(0)
    space, rng = get_space(spec), np.random.default_rng(0)
    network = shaken(build_mixed_supernetwork(space, SMALL, affine=True, channel_share=share))
    batch = images()
    several = []
    while len(several) < 2:
        architecture = space.random(rng)
        path = network.mixed(batch, Mixture(network.path(architecture)))
        torch.testing.assert_close(network.mixed(batch, one_hot(network, architecture)), path)
        pair = space.spelled(architecture)
        if min(len(pair.normal.out), len(pair.reduction.out)) > 1:  # else the next cell but one need not project it
            several.append(architecture)
            torch.testing.assert_close(network(batch, architecture), path)


def test_an_edge_is_the_weighted_sum_of_its_operations():
    torch.manual_seed(0)
    edge = MixedEdge({"none": None, "skip": nn.Identity(), "conv": nn.Conv2d(3, 3, 1, bias=False)})
    weights, batch = torch.tensor([0.5, 0.2, 0.3]), torch.randn(2, 3, 4, 4)
    expected = 0.2 * batch + 0.3 * edge.paths["conv"](batch)
    torch.testing.assert_close(edge(batch, Weighted(weights)), expected)
    torch.testing.assert_close(edge(batch, Weighted(weights, 1)), 0.2 * batch)
    assert edge(batch, Weighted(weights, 0)) is None


def test_one_of_k_channels_passes_the_operations_and_all_are_shuffled():
    batch = torch.arange(8.0).view(1, 8, 1, 1).expand(1, 8, 4, 4)
    mixed = through_part(batch, 4, 1, lambda part: part + 100)
    assert mixed[0, :, 0, 0].tolist() == [100, 2, 4, 6, 101, 3, 5, 7]
    assert shuffled(torch.arange(6.0).view(1, 6, 1, 1), 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    ramp = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 2, 4, 4)
    halved = through_part(ramp, 2, 2, lambda part: part[:, :, ::2, ::2])
    assert halved[0, 0].tolist() == [[0, 2], [8, 10]]
    assert halved[0, 1].tolist() == [[5, 7], [13, 15]]  # a max pool
    assert through_part(batch, 2, 1, lambda _: None)[0, :, 0, 0].tolist() == [0, 4, 0, 5, 0, 6, 0, 7]
    with pytest.raises(InputError, match=r"channel_share=3 does not divide the 4 filters .* e.g. 3"):
        build_mixed_supernetwork(get_space("nasbench201"), SMALL, channel_share=3)


def test_weights_of_edges_multiply_them():
    torch.manual_seed(0)
    for spec in ("nasbench201", "darts"):
        network = build_mixed_supernetwork(get_space(spec), SMALL).double()
        choices = [Weighted(torch.rand(len(labels), dtype=torch.float64)) for labels in network.choices]
        edges = [torch.rand(size, dtype=torch.float64) for size in network.edge_sizes]
        scales = torch.cat(edges)
        order = EDGES if spec == "nasbench201" else CELL_EDGES * 2
        assert len(scales) == len(order) == len(choices)
        scaled = [Weighted(each.weights * scale) for each, scale in zip(choices, scales)]
        batch = images()
        torch.testing.assert_close(network.mixed(batch, Mixture(choices, edges)), network.mixed(batch, Mixture(scaled)))


@pytest.mark.parametrize("output", ["unused", "explicit", "all"])
def test_outputs_have_their_probability(output):
    """Against the enumeration of all decisions of a cell."""
    space = get_space(f"nasnet:blocks=2,combinations=add,operations=identity,output={output}")
    rng = np.random.default_rng(0)
    grammar, half = space.grammar, len(space.decisions) // 2
    weights = [rng.dirichlet(np.ones(decision.options)) for decision in space.decisions]
    cell = cell_choices(grammar, [Weighted(torch.tensor(each)) for each in weights])[0]
    expected = np.zeros(4)
    for choices in itertools.product(*(range(decision.options) for decision in space.decisions[:half])):
        chance = np.prod([each[choice] for each, choice in zip(weights, choices)])
        out = space.spelled(space.decode([*choices, *[0] * half])).normal.out
        expected[list(out)] += chance
    found = output_weights(grammar, cell)
    assert sorted(found) == [state for state in range(4) if expected[state] > 0]
    for state, weight in found.items():
        assert float(weight) == pytest.approx(expected[state])


def test_best_first_against_all_combinations():
    rng = np.random.default_rng(0)
    scores = [rng.normal(size=size) for size in (3, 1, 4, 2)]
    found = list(best_first(scores))
    everything = list(itertools.product(range(3), range(1), range(4), range(2)))
    assert sorted(found) == everything
    sums = [sum(each[option] for each, option in zip(scores, options)) for options in found]
    assert sums == sorted(sums, reverse=True)
    assert next(best_first([np.zeros(2), np.zeros(2)])) == (0, 0)


def test_nasbench201_derives_the_heaviest_operation_of_each_edge():
    network = build_mixed_supernetwork(get_space("nasbench201"), SMALL)
    rng = np.random.default_rng(0)
    weights = [rng.dirichlet(np.ones(5)) for _ in EDGES]
    edges = [rng.dirichlet(np.ones(size)) for size in network.edge_sizes]
    ranked = network.ranked(weights, edges)
    assert next(ranked).choices == tuple(int(each.argmax()) for each in weights)
    second = next(ranked).choices  # one edge has its second operation: that with the smallest loss
    changed = [index for index, each in enumerate(weights) if each.argmax() != second[index]]
    losses = [np.log(np.sort(each)[-1] / np.sort(each)[-2]) for each in weights]
    assert changed == [int(np.argmin(losses))]


@pytest.mark.parametrize("normalized", [False, True])
def test_darts_derives_two_edges_of_each_node_as_the_released_code_does(normalized):
    space = get_space("darts")
    network = build_mixed_supernetwork(space, SMALL)
    rng = np.random.default_rng(int(normalized))
    weights = [rng.dirichlet(np.ones(len(PRIMITIVES))) for _ in network.choices]
    edges = [rng.dirichlet(np.ones(size)) for size in network.edge_sizes] if normalized else []
    flat = np.concatenate(edges) if normalized else np.ones(len(weights))
    pair = space.spelled(next(network.ranked(weights, edges)))
    for start, cell in ((0, pair.normal), (len(CELL_EDGES), pair.reduction)):
        for node in range(NODES):
            strengths = {}
            for index, (of, source) in enumerate(CELL_EDGES):
                if of == node:
                    mine = weights[start + index][1:] * flat[start + index]  # PRIMITIVES[0] is "none"
                    strengths[source] = (mine.max(), PRIMITIVES[1 + mine.argmax()])
            best = sorted(sorted(strengths, key=lambda source: -strengths[source][0])[:2])
            block = cell.blocks[node]
            assert [block.left, block.right] == best
            assert [block.left_op, block.right_op] == [strengths[source][1] for source in best]


def test_cells_derive_the_heaviest_option_of_each_decision():
    space = get_space(CELLS)
    network = build_mixed_supernetwork(space, SMALL)
    assert isinstance(network, CellSuperNetwork)
    weights = [np.random.default_rng(0).dirichlet(np.ones(len(labels))) for labels in network.choices]
    assert next(network.ranked(weights, [])).choices == tuple(int(each.argmax()) for each in weights)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("spec", ["nasbench201", "darts", CELLS])
def test_given_architectures_are_sorted_as_all_of_them_are(spec: str, normalized: bool):
    network = build_mixed_supernetwork(get_space(spec), SMALL)
    rng = np.random.default_rng(1)
    weights = [rng.dirichlet(np.ones(len(labels))) for labels in network.choices]
    edges = [rng.dirichlet(np.ones(size)) for size in network.edge_sizes] if normalized else []
    first = list(itertools.islice(network.ranked(weights, edges), 200))
    mixed = [first[place] for place in rng.permutation(len(first))]
    assert network.by_weight(mixed, weights, edges) == first
    assert all(network.architecture_of(network.options_of(each)) == each for each in mixed)


def test_without_scale_and_shift_in_cells():
    for spec in ("nasbench201", "darts", CELLS):
        network = build_mixed_supernetwork(get_space(spec), SMALL, affine=False)
        cells = (
            network.cells
            if hasattr(network, "cells")
            else [each for each in network.layers if isinstance(each, MixedEdgeCell)]
        )
        norms = [each for cell in cells for each in cell.modules() if isinstance(each, nn.BatchNorm2d)]
        assert norms
        assert all(norm.weight is None and norm.bias is None and not norm.affine for norm in norms)
    assert network.stem[1].weight is not None
