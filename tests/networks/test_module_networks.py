"""Networks of TransNAS-Bench-101 and NAS-Bench-Macro: those of the benchmarks with equal weights, counts, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from benchmark_module_networks import MacroNetwork, TransnasNetwork
from torch import nn

from nasbench.errors import InputError, UnknownName
from nasbench.networks.inverted_residual import build_inverted_residual_network
from nasbench.networks.inverted_residual_counts import count_inverted_residual_network
from nasbench.networks.transnas import MicroCell, build_basic_network, build_micro_network
from nasbench.networks.transnas_counts import BLOCK, count_basic_network, count_micro_network
from nasbench.spaces import get_space
from nasbench.structures import Chain, ChainLayer, EdgeCell, EdgeOperation, Regularization, Scale

SMALL = Scale(cells=2, filters=8, image_size=32, classes=5)


def weighted(network: nn.Module) -> list[nn.Module]:
    """The modules with weights in the order in which they compute."""
    found: list[nn.Module] = []
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            module.register_forward_hook(lambda module, inputs, output: found.append(module))
    network(torch.randn(2, 3, 32, 32))
    return found


def check_equal(ours: nn.Module, theirs: nn.Module) -> None:
    """Give both the same weights, module by module as they compute, and compare what they compute and the gradients."""
    pairs = list(zip(weighted(theirs), weighted(ours), strict=True))
    for source, target in pairs:
        if isinstance(source, nn.BatchNorm2d):
            nn.init.uniform_(source.weight, 0.5, 1.5)
            nn.init.normal_(source.bias)
        target.load_state_dict(source.state_dict())
    images = torch.randn(4, 3, 32, 32)
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images), rtol=1e-4, atol=1e-4)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("text", ["3_33_333", "1_11_111", "1_21_312", "2_03_131"])
def test_micro_networks_compute_what_the_benchmarks_do_with_the_same_weights(text: str) -> None:
    """Cells in which every operation is on a path; their edges in the string's order are ours in canonical order, or not."""
    torch.manual_seed(0)
    space = get_space("transnas-micro")
    architecture = space.parse(text)
    theirs = TransnasNetwork(f"8-41414-{text}", SMALL.classes)
    ours = space.build(architecture, SMALL)
    mine = [module for module in ours.modules() if isinstance(module, MicroCell)]
    counts = space.count(architecture, SMALL)
    assert counts.params == sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())
    # The order of a cell's operations is ours, so the cells are made again in the string's order of edges.
    literal = [edge_order(text, module) for module in mine]
    places = [place for place, module in enumerate(ours.features) if isinstance(module, MicroCell)]
    for place, module in zip(places, literal, strict=True):
        ours.features[place] = module
    check_equal(ours, theirs)
    assert counts.params == sum(p.numel() for p in ours.parameters())


def edge_order(text: str, ours: MicroCell) -> MicroCell:
    """The same cell with its operations in the order of the string; a skip from a node stands for the node."""
    names = {"1": "skip_connect", "2": "nor_conv_1x1", "3": "nor_conv_3x3"}
    operations: list[EdgeOperation] = []
    sums: list[tuple[int, ...]] = [(0,)]
    for digits in text.split("_"):
        terms: list[int] = []
        for source, digit in enumerate(digits):
            if digit == "1" and source:
                terms += sums[source]
            elif digit != "0":
                operations.append(EdgeOperation(names[digit], sums[source]))
                terms.append(len(operations))
        sums.append(tuple(terms))
    return MicroCell(EdgeCell(tuple(operations), sums[-1]), ours.outputs // ours.stride, ours.outputs, ours.stride)


@pytest.mark.parametrize("text", ["64-2311-basic", "64-142134-basic", "64-44411-basic"])
def test_macro_networks_compute_what_the_benchmarks_do_with_the_same_weights(text: str) -> None:
    torch.manual_seed(0)
    space = get_space("transnas-macro")
    network = space.build(space.parse(text), SMALL)
    check_equal(network, TransnasNetwork(text.replace("64", "8"), SMALL.classes))
    assert space.count(space.parse(text), SMALL).params == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("text", ["02012100", "22212220", "00000000"])
def test_chains_compute_what_the_benchmarks_do_with_the_same_weights(text: str) -> None:
    torch.manual_seed(0)
    space = get_space("nasbench-macro")
    network = space.build(space.parse(text), SMALL)
    check_equal(network, MacroNetwork(text, 8, SMALL.classes))
    assert space.count(space.parse(text), SMALL).params == sum(p.numel() for p in network.parameters())


def mult_adds_as_built(network: nn.Module, size: int) -> int:
    """Multiply-adds of convolutions and linear layers, from the shapes that they really see."""
    found: list[int] = []

    def add(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        weights = module.weight.numel() if isinstance(module, (nn.Conv2d, nn.Linear)) else 0
        found.append(weights * output[0, 0].numel() if output.dim() == 4 else weights)

    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(add)
    network.eval()(torch.zeros(1, 3, size, size))
    return sum(found)


@pytest.mark.parametrize("name", ["transnas-micro", "transnas-macro", "nasbench-macro"])
@pytest.mark.parametrize("size", [32, 9])
def test_multiply_adds_are_those_of_the_built_network(name: str, size: int) -> None:
    space, rng = get_space(name), np.random.default_rng(size)
    scale = Scale(cells=3, filters=6, image_size=size, classes=4)
    for _ in range(2):
        architecture = space.random(rng)
        assert space.count(architecture, scale).mult_adds == mult_adds_as_built(space.build(architecture, scale), size)


def test_a_cell_without_a_path_gives_zeros_of_the_right_size() -> None:
    space = get_space("transnas-micro")
    for text in ("0_00_000", "3_30_000"):
        network = space.build(space.parse(text), SMALL)
        assert not [module for cell in network.features if isinstance(cell, MicroCell) for module in cell.operations]
        assert network.features(torch.randn(2, 3, 32, 32)).shape == (2, 64, 1, 1)
        assert space.count(space.parse(text), SMALL) == space.count(space.parse("0_00_000"), SMALL)


def test_dropout_is_that_of_the_protocol() -> None:
    space = get_space("nasbench-macro")
    assert space.build(space.parse("0" * 8), SMALL, Regularization(dropout=0.3)).classifier.dropout.probability == 0.3


CONVOLUTION = EdgeOperation("nor_conv_3x3", (0,))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (EdgeCell((EdgeOperation("avg_pool_3x3", (0,)),), (1,)), "avg_pool_3x3"),
        (EdgeCell((CONVOLUTION, EdgeOperation("nor_conv_1x1", (0, 1))), (2,)), "the cell's input alone"),
        (EdgeCell((EdgeOperation("nor_conv_1x1", ()),), (1,)), "operation 1 reads"),
        (EdgeCell((EdgeOperation("nor_conv_1x1", (1,)),), (1,)), "operation 1 reads"),
        (EdgeCell((CONVOLUTION,), (0, 1)), "output lists"),
        (EdgeCell((CONVOLUTION,), (2,)), "output lists"),
    ],
)
def test_impossible_cells_are_refused(cell: EdgeCell, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_micro_network(cell, SMALL)


BUILDERS = [
    (build_basic_network, count_basic_network, BLOCK),
    (build_inverted_residual_network, count_inverted_residual_network, "mb3_k3"),
]


@pytest.mark.parametrize(("build", "count", "op"), BUILDERS)
def test_impossible_chains_and_stems_are_refused_by_builder_and_counter(build, count, op) -> None:
    good = Chain((ChainLayer(op, True, 2),))
    for call in (build, count):
        with pytest.raises(UnknownName, match="mb9_k9"):
            call(Chain((ChainLayer("mb9_k9"),)), SMALL)
        with pytest.raises(InputError, match="stride"):
            call(Chain((ChainLayer(op, stride=3),)), SMALL)
        with pytest.raises(InputError, match="stem"):
            call(good, Scale(stem="imagenet"))
        with pytest.raises(InputError, match="stem_filters"):
            call(good, Scale(stem_filters=3))


def test_counting_refuses_an_unknown_operation_of_a_cell() -> None:
    with pytest.raises(UnknownName, match="sep_conv_3x3"):
        count_micro_network(EdgeCell((EdgeOperation("sep_conv_3x3", (0,)),), (1,)), SMALL)
