"""NAS-Bench-101 networks: closed form = built network = the benchmark's own count, and the rules of a cell one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_costs import check_channels_last, check_training_step, measured

from nasbench.errors import InputError, UnknownName
from nasbench.networks.vertex_cells import VertexCellModule, build_vertex_network
from nasbench.networks.vertex_counts import count_vertex_network, divide_channels
from nasbench.spaces import get_space
from nasbench.spaces.nasbench101 import OPERATIONS
from nasbench.structures import Regularization, Scale, Vertex, VertexCell

SPACE = get_space("nasbench101")
CONV3, CONV1, POOL = OPERATIONS
SCALES = [Scale(1, 8, 8, 1), Scale(2, 7, 13, 3, 7), Scale(1, 4, 1, 1, 2), Scale(3, 9, 32)]
DIGITS = SCALES[0]


def random_cells(count, seed=0):
    rng = np.random.default_rng(seed)
    return [SPACE.structure(SPACE.random(rng)) for _ in range(count)]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("scale", SCALES)
def test_closed_form_is_the_built_network(scale):
    for cell in random_cells(15):
        assert count_vertex_network(cell, scale) == measured(lambda: build_vertex_network(cell, scale), scale), cell  # noqa: B023


def test_the_benchmarks_own_count():
    """The example of the benchmark's README, whose record has 2,694,282 trainable parameters."""
    cell = VertexCell(
        (Vertex(CONV1, (0,)), Vertex(CONV3, (0,)), Vertex(CONV3, (0,)), Vertex(CONV3, (3,)), Vertex(POOL, (0,))),
        (1, 2, 4, 5),
    )
    assert count_vertex_network(cell, Scale(3, 128)).params == 2_694_282


def test_channels_are_divided_with_remainders_and_inherited_backwards():
    cell = VertexCell((Vertex(CONV3, (0,)), Vertex(CONV3, (1,)), Vertex(POOL, (1,)), Vertex(CONV1, (0,))), (2, 3, 4))
    assert divide_channels(cell, 8) == [3, 3, 3, 2]
    assert divide_channels(VertexCell((), (0,)), 8) == []


def test_a_cell_is_sums_then_a_concatenation():
    """Vertex 1 (3 channels) is cut to 2 where vertex 2 reads it; pools pass on what they read."""
    cell = VertexCell((Vertex(POOL, (0,)), Vertex(POOL, (0, 1))), (0, 1, 2))
    module = VertexCellModule(cell, 4, 5).eval()
    images = torch.rand(2, 4, 1, 1)
    first, second, out = (module.projections[name](images) for name in ("1", "2", "out"))
    assert module.channels == [3, 2]
    expected = torch.cat((first, second + first[:, :2]), 1) + out
    torch.testing.assert_close(module(images), expected)


def test_input_joined_to_output_is_a_projection():
    module = VertexCellModule(VertexCell((), (0,)), 4, 8).eval()
    images = torch.rand(2, 4, 3, 3)
    assert torch.equal(module(images), module.projections["out"](images))


def test_random_networks_train():
    for cell in random_cells(6, seed=1):
        check_training_step(lambda: build_vertex_network(cell, DIGITS, Regularization(dropout=0.1)), DIGITS)  # noqa: B023


def test_channels_last():
    check_channels_last(lambda: build_vertex_network(random_cells(1, seed=2)[0], DIGITS), DIGITS)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (VertexCell((Vertex(CONV3, ()),), (1,)), "vertex 1 reads ()"),
        (VertexCell((Vertex(CONV3, (1,)),), (1,)), r"vertex 1 reads \(1,\)"),
        (VertexCell((Vertex(CONV3, (0,)),), ()), r"output reads \(\)"),
        (VertexCell((Vertex(CONV3, (0,)),), (2,)), r"output reads \(2,\)"),
        (VertexCell((Vertex(CONV3, (0,)),), (0,)), "vertex 1 does not lead"),
    ],
)
def test_impossible_cells_are_refused(cell, message):
    with pytest.raises(InputError, match=message):
        build_vertex_network(cell, DIGITS)


def test_unknown_operations_few_filters_and_stems_are_refused():
    wide = VertexCell(tuple(Vertex(POOL, (0,)) for _ in range(3)), (1, 2, 3))
    for call in (build_vertex_network, count_vertex_network):
        with pytest.raises(UnknownName, match="did you mean"):
            call(VertexCell((Vertex("conv3x3-bn", (0,)),), (1,)), DIGITS)
        with pytest.raises(InputError, match="use at least 3 filters"):
            call(wide, Scale(1, 2, 8))
        with pytest.raises(InputError, match="no stem 'imagenet'"):
            call(VertexCell((), (0,)), Scale(stem="imagenet"))
