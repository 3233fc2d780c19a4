"""Pictures of architectures: nothing lies on anything else, and every connection is there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from nasbench.analysis.drawings.architecture import architecture_figure, draw_architecture, operation_label
from nasbench.analysis.drawings.graph_layout import Box, Wire, layered
from nasbench.analysis.plotting.spacing import separate
from nasbench.errors import InputError
from nasbench.spaces.genotypes import AMOEBANET_A, NAS_V1, NASNET_A, PNASNET_5
from nasbench.structures import (
    Block,
    Cell,
    CellPair,
    ChannelStack,
    EdgeCell,
    EdgeOperation,
    Layer,
    LayerStack,
    MacroLayer,
    MacroStack,
    Vertex,
    VertexCell,
)

CONCAT = CellPair(
    Cell((Block(0, "conv_1x7_7x1", 1, "dil_conv_3x3", "concat"), Block(2, "max_pool_7x7", 0, "none", "concat")), (3,)),
    Cell((Block(1, "identity", 1, "an_operation_with_a_long_name"),), (2,)),
)
EDGES = EdgeCell(
    (
        EdgeOperation("nor_conv_3x3", (0,)),
        EdgeOperation("avg_pool_3x3", (0, 0)),
        EdgeOperation("nor_conv_1x1", (0, 1, 2)),
        EdgeOperation("nor_conv_3x3", (0, 2, 3)),
    ),
    (0, 3, 4, 4),
)
POOLED = LayerStack(
    tuple(Layer(3, 5, 76, (i - 1,), 2 if i == 2 else 1, 1, (i > 2) + (i > 4)) for i in range(1, 7)), (6, 4, 0), 3
)
PARALLEL = LayerStack((Layer(3, 3, 24, (0,)), Layer(5, 5, 24, (0,)), Layer(7, 7, 24, (0,))), (1, 2, 3))
MACRO = MacroStack(
    tuple(
        MacroLayer(op, skips, i // 4)
        for i, (op, skips) in enumerate(
            zip(
                ("conv_3x3", "sep_conv_5x5", "max_pool_3x3") * 4,
                ((), (0,), (), (0, 1), (2,), (), (1, 3, 4), (), (0, 1, 2, 3, 4, 5, 6), (), (8,), (9, 10)),
            )
        )
    )
)
VERTICES = VertexCell(
    (
        Vertex("conv1x1-bn-relu", (0,)),
        Vertex("conv3x3-bn-relu", (0,)),
        Vertex("maxpool3x3", (0, 1)),
        Vertex("conv3x3-bn-relu", (2,)),
    ),
    (0, 1, 3, 4),
)
SAMPLES = {
    "nasnet-a": NASNET_A,
    "amoebanet-a": AMOEBANET_A,
    "pnasnet-5": PNASNET_5,
    "concat": CONCAT,
    "figure 7": NAS_V1,
    "all skips": LayerStack(tuple(Layer(7, 7, 36, tuple(range(i))) for i in range(1, 16)), (15,)),
    "pooled": POOLED,
    "parallel": PARALLEL,
    "edges": EDGES,
    "identity": EdgeCell((), (0, 0)),
    "zero": EdgeCell((), ()),
    "macro": MACRO,
    "vertices": VERTICES,
    "channels": ChannelStack((64, 8, 48, 16, 24)),
    "one wire": VertexCell((), (0,)),
}


def random_pair(rng) -> CellPair:
    names = ["sep_conv_3x3", "max_pool_3x3", "identity", "conv_1x7_7x1"]

    def cell() -> Cell:
        blocks = tuple(
            Block(*(v for side in range(2) for v in (int(rng.integers(2 + i)), names[rng.integers(4)])))
            for i in range(5)
        )
        read = {state for block in blocks for state in (block.left, block.right)}
        return Cell(blocks, tuple(state for state in range(2, 7) if state not in read))

    return CellPair(cell(), cell())


def check_texts(figure) -> None:
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    texts = [*figure.axes[0].texts, *figure.texts]
    boxes = [text.get_window_extent() for text in texts]
    for i, (box, text) in enumerate(zip(boxes, texts)):
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
        for other, name in zip(boxes[:i], texts):
            assert not box.overlaps(other), (text, name)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SAMPLES)
def test_no_text_lies_on_another_or_outside(name):
    figure = architecture_figure(SAMPLES[name], name)
    check_texts(figure)
    assert all(text.get_fontsize() >= 4 for text in figure.axes[0].texts)


def boxes_and_wires(ax):
    """Outlines of boxes (without the frames around blocks), and the points of wires, in data units."""
    from matplotlib.patches import FancyBboxPatch, PathPatch

    boxes, wires = [], []
    for patch in ax.patches:
        move = patch.get_transform() - ax.transData
        if isinstance(patch, FancyBboxPatch) and patch.get_zorder() == 3:
            extents = patch.get_path().get_extents(move)
            boxes.append(extents.padded(-0.02))
        elif isinstance(patch, PathPatch) and 1.5 <= patch.get_zorder() < 2.5 and patch.get_edgecolor() != (1, 1, 1, 1):
            path = move.transform_path(patch.get_path())
            corners = path.to_polygons(closed_only=False)[0]
            wires.append(np.concatenate([np.linspace(a, b, 9) for a, b in pairwise(corners)]))
    return boxes, wires


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", SAMPLES)
def test_no_wire_crosses_a_box_and_no_box_lies_on_another(name):
    figure = architecture_figure(SAMPLES[name])
    boxes, wires = boxes_and_wires(figure.axes[0])
    assert len(boxes) >= 2
    assert len(wires) == _arrows(figure)
    for box in boxes:
        assert not any(box.overlaps(other) for other in boxes if other is not box)
        for wire in wires:
            inside = (wire > [box.x0, box.y0]) & (wire < [box.x1, box.y1])
            assert not inside.all(axis=1).any()


def test_random_cells_can_be_read_too():
    rng = np.random.default_rng(0)
    for _ in range(3):
        figure = architecture_figure(random_pair(rng), "random")
        check_texts(figure)
        boxes, wires = boxes_and_wires(figure.axes[0])
        assert not any(((w > b.min) & (w < b.max)).all(axis=1).any() for w in wires for b in boxes)


def _arrows(figure):
    from matplotlib.patches import Polygon

    return sum(isinstance(patch, Polygon) for patch in figure.axes[0].patches)


def test_every_connection_has_its_arrow():
    cells = (NASNET_A.normal, NASNET_A.reduction)
    assert _arrows(architecture_figure(NASNET_A)) == sum(2 * len(cell.blocks) + len(cell.out) for cell in cells)
    assert _arrows(architecture_figure(NAS_V1)) == sum(len(layer.inputs) for layer in NAS_V1.layers) + 1
    assert _arrows(architecture_figure(EDGES)) == 1 + 1 + 3 + 3 + 3
    assert _arrows(architecture_figure(SAMPLES["zero"])) == 0
    assert _arrows(architecture_figure(MACRO)) == 12 + sum(len(layer.skips) for layer in MACRO.layers) + 1
    assert _arrows(architecture_figure(VERTICES)) == 1 + 1 + 2 + 1 + 4


def test_reductions_and_operations_of_macro_layers_show():
    texts = [text.get_text() for text in architecture_figure(MACRO).axes[0].texts]
    assert texts.count("reduction") == 2
    assert texts.count("sep 5×5") == 4


def test_a_repeated_input_shows_its_count():
    texts = [text.get_text() for text in architecture_figure(EDGES).axes[0].texts]
    assert texts.count("×2") == 2
    assert "conv 3×3" in texts


def test_layers_show_kernel_filters_stride_and_pooling():
    texts = [text.get_text() for text in architecture_figure(POOLED).axes[0].texts]
    assert "3 of 3×5, 76, stride 2×1" in texts
    assert texts.count("max pool 2×2") == 2


def test_the_skips_of_figure_7_are_numbered_at_their_arrows():
    texts = [text.get_text() for text in architecture_figure(NAS_V1).axes[0].texts]
    skips = [source for i, layer in enumerate(NAS_V1.layers, start=1) for source in layer.inputs if source != i - 1]
    layers = [str(i) for i in range(1, 16)]
    numbers = sorted(text for text in texts if text.isdigit())
    assert numbers == sorted([*map(str, skips), *layers])


def test_it_draws_into_a_users_own_axes():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 8))
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    draw_architecture(NASNET_A, left)
    draw_architecture(EDGES, right)
    figure.draw_without_rendering()
    assert left.get_xlim()[0] == 0
    with pytest.raises(
        InputError, match="cannot draw str; allowed: CellPair, LayerStack, EdgeCell, MacroStack, VertexCell"
    ):
        draw_architecture("nasnet-a", left)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("sep_conv_3x3", "sep 3×3"),
        ("dil_conv_3x3", "dil 3×3"),
        ("conv_1x7_7x1", "1×7 7×1"),
        ("avg_pool_3x3", "avg 3×3"),
        ("nor_conv_1x1", "conv 1×1"),
        ("skip_connect", "identity"),
        ("dil_sep_conv_3x3", "dil sep 3×3"),
        ("conv1x1-bn-relu", "conv 1×1"),
        ("maxpool3x3", "max 3×3"),
        ("something_new", "something new"),
    ],
)
def test_operations_as_people_write_them(name, label):
    assert operation_label(name) == label


def test_separate_moves_least():
    np.testing.assert_allclose(separate([0, 0, 10], [2, 3]), [-1, 1, 10])
    np.testing.assert_allclose(separate([5, 0], [1]), [2, 3])
    assert separate([], []).size == 0


def test_a_planar_graph_is_drawn_without_crossings():
    boxes = [
        Box(1),
        Box(1),
        Box(2, (-0.5, 0.5), free=True),
        Box(2, (-0.5, 0.5), free=True),
        Box(2, (-0.5, 0.5), free=True),
    ]
    wires = [Wire(1, 2, 0), Wire(1, 2, 1), Wire(0, 3, 0), Wire(0, 3, 1), Wire(3, 4, 0), Wire(2, 4, 1)]
    plan = layered(boxes, wires, 0.3)
    assert plan.crossings == 0
    assert plan.layer == (0, 0, 1, 1, 2)
    assert all(route[0] == plan.x[wire.source] for wire, route in zip(wires, plan.routes))
