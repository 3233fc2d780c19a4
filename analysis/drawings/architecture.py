"""Drawings of architectures: cells as layered graphs from bottom to top, layer stacks as columns with skips beside them.

All lengths are in units of the drawing; the box of an operation is 1.56 units wide. Every wire has the colour of the
state that it carries, and crosses no box.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from nasbench.analysis.drawings.canvas import (
    BOX_HEIGHT,
    HEAD,
    LETTER,
    PLAIN,
    TITLE,
    TURN,
    Canvas,
    PlacedDrawing,
    colour,
    paint,
    sized_figure,
)
from nasbench.analysis.drawings.graph_layout import Box, Layout, Wire, layered
from nasbench.analysis.plotting import style
from nasbench.errors import InputError
from nasbench.structures import (
    FIRST_BLOCK,
    Block,
    Cell,
    CellPair,
    Chain,
    ChannelStack,
    EdgeCell,
    Layer,
    LayerStack,
    MacroStack,
    VertexCell,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Structure = CellPair | LayerStack | EdgeCell | MacroStack | VertexCell | Chain | ChannelStack

OP_WIDTH, OP_HEIGHT = 1.56, BOX_HEIGHT
BLOCK_PAD = 0.12
BLOCK_WIDTH = 2 * OP_WIDTH + 3 * BLOCK_PAD
BLOCK_HEIGHT = 2 * OP_HEIGHT + 0.3 + 2 * BLOCK_PAD
BAND_GAP = 0.35
FILLS = {
    "sep": "#dbe9f6",
    "dil": "#d5ecec",
    "conv": "#e3def2",
    "1": "#e3def2",
    "basic": "#e3def2",
    "mb": "#dbe9f6",
    "max": "#fdebd0",
    "avg": "#fdf6d0",
    "add": "#dff0d8",
    "concat": "#f6dbe6",
}


def draw_architecture(structure: Structure, ax: Axes) -> None:
    """Draw an architecture.

    Args:
        structure: a value of `nasbench.structures`: a pair of cells, a chain, a stack of layers, of macro layers or of
            channels, or a NAS-Bench cell.
        ax: one plot; its axes are hidden and get equal scales. Texts fit the size it has now.

    Raises:
        InputError: for anything else.
    """
    paint(*picture(structure), ax)


def architecture_figure(structure: Structure, title: str = "") -> Figure:
    """Make a figure just large enough for an architecture.

    Args:
        structure: see `draw_architecture`.
        title: a line above it.

    Returns:
        The figure.
    """
    _, width, height = picture(structure)
    with style.theme():
        figure, ax = sized_figure(width, height, title)
        draw_architecture(structure, ax)
    return figure


def operation_label(name: str) -> str:
    """Shorten the name of an operation for a drawing: "sep_conv_3x3" becomes "sep 3×3".

    Args:
        name: name of the operation in its space.

    Returns:
        The label.
    """
    text = name.removeprefix("nor_").removesuffix("-bn-relu")
    text = re.sub(r"^(dil_sep|sep|dil)_conv_|^(max|avg)_?pool_?", lambda match: f"{match[1] or match[2]} ", text)
    text = re.sub(r"^conv(?=\d)", "conv ", text)
    text = (
        text.replace("conv_1x7_7x1", "1x7 7x1").replace("conv_1x3_3x1", "1x3 3x1").replace("skip_connect", "identity")
    )
    return re.sub(r"(\d)x(\d)", r"\1×\2", text.replace("_", " "))


def _fill(label: str) -> str:
    return next((fill for start, fill in FILLS.items() if label.startswith(start)), "white")


def picture(structure: Structure) -> tuple[list[PlacedDrawing], float, float]:
    """Compose the drawing of an architecture, before it is painted on axes or written as SVG.

    Args:
        structure: see `draw_architecture`.

    Returns:
        The parts with their positions, and the drawing's width and height in units.

    Raises:
        InputError: for anything else.
    """
    if isinstance(structure, CellPair):
        return _cell_pair(structure)
    if isinstance(structure, EdgeCell):
        return _operation_graph(_edge_graph(structure))
    if isinstance(structure, VertexCell):
        return _operation_graph(_vertex_graph(structure))
    if isinstance(structure, LayerStack):
        return _column(_layer_column(structure))
    if isinstance(structure, MacroStack):
        return _column(_macro_column(structure))
    if isinstance(structure, Chain):
        return _column(_chain_column(structure))
    if isinstance(structure, ChannelStack):
        return _column(_channel_column(structure))
    allowed = ", ".join(kind.__name__ for kind in get_args(Structure))
    raise InputError(f"cannot draw {type(structure).__name__}; allowed: {allowed}")


# Cells


def _cell_pair(pair: CellPair) -> tuple[list[PlacedDrawing], float, float]:
    """Compose both cells: side by side if they are narrow, else the normal cell above the reduction cell."""
    (normal, w1, h1), (reduction, w2, h2) = (
        _cell(pair.normal, "normal cell"),
        _cell(pair.reduction, "reduction cell (stride 2 on p and c)"),
    )
    if w1 + w2 <= 22:
        return [normal.shifted(0, 0), reduction.shifted(w1, 0)], w1 + w2, max(h1, h2)
    width = max(w1, w2)
    return [normal.shifted((width - w1) / 2, h2), reduction.shifted((width - w2) / 2, 0)], width, h1 + h2


def _cell(cell: Cell, title: str) -> tuple[Canvas, float, float]:
    """Compose one cell; return canvas, width and height."""
    out = FIRST_BLOCK + len(cell.blocks)
    arm = (OP_WIDTH + BLOCK_PAD) / 2
    ends = _fan(len(cell.out), 0.35)
    boxes = [Box(2.2), Box(2.2)]
    boxes += [Box(BLOCK_WIDTH, (-arm, arm), free=True) for _ in cell.blocks]
    boxes.append(Box(max(2.6, 0.35 * len(cell.out) + 0.3), ends, free=True))
    wires = [
        Wire(state, FIRST_BLOCK + i, port)
        for i, b in enumerate(cell.blocks)
        for port, state in enumerate((b.left, b.right))
    ]
    wires += [Wire(state, out, port) for port, state in enumerate(cell.out)]
    plan = layered(boxes, wires, BAND_GAP)
    heights = [OP_HEIGHT, OP_HEIGHT, *[BLOCK_HEIGHT] * len(cell.blocks), OP_HEIGHT]
    canvas, bottoms, width, height = _start(plan, boxes, heights, title)
    shift = width / 2 - _middle(plan, boxes)
    for state, name in enumerate(("h[i-2]  (p)", "h[i-1]  (c)")):
        canvas.labelled(plan.x[state] + shift, bottoms[0] + OP_HEIGHT / 2, 2.2, OP_HEIGHT, name, PLAIN)
    for i, block in enumerate(cell.blocks):
        node = FIRST_BLOCK + i
        _draw_block(canvas, block, i, plan.x[node] + shift, bottoms[plan.layer[node]], plan.ports[node], arm)
    label = "concat: h[i]" if len(cell.out) > 1 else "h[i]"
    canvas.labelled(
        plan.x[out] + shift, bottoms[-1] + OP_HEIGHT / 2, boxes[out].width, OP_HEIGHT, label, FILLS["concat"]
    )
    _draw_wires(canvas, plan, wires, bottoms, heights, shift)
    canvas.text(width / 2, height - 0.3, title, TITLE, weight="bold")
    return canvas, width, height


def _draw_block(
    canvas: Canvas, block: Block, number: int, x: float, bottom: float, places: Sequence[int], arm: float
) -> None:
    """Draw two operations under their combination, in a common frame named b1, b2, ..."""
    from matplotlib.path import Path

    canvas.box(x, bottom + BLOCK_HEIGHT / 2, BLOCK_WIDTH, BLOCK_HEIGHT, "#f7f7f7", "#bdbdbd", z=2.6)
    top = bottom + BLOCK_HEIGHT - BLOCK_PAD - OP_HEIGHT / 2
    for port, name in enumerate((block.left_op, block.right_op)):
        label, at = operation_label(name), x + (-arm, arm)[places[port]]
        canvas.labelled(at, bottom + BLOCK_PAD + OP_HEIGHT / 2, OP_WIDTH, OP_HEIGHT, label, _fill(label))
        inward = x + (-0.3, 0.3)[places[port]]
        start, end = bottom + BLOCK_PAD + OP_HEIGHT, top - OP_HEIGHT / 2
        points = [(at, start), (at, (start + end) / 2), (inward, (start + end) / 2), (inward, end)]
        canvas.patches.append(_line(points, [int(Path.MOVETO), *[int(Path.CURVE4)] * 3]))
    canvas.labelled(x, top, 1.3, OP_HEIGHT, block.combine, FILLS[block.combine])
    canvas.text(
        x - BLOCK_WIDTH / 2 + 0.14, top + 0.1, f"b{number + 1}", 0.9, ha="left", color=colour(FIRST_BLOCK + number)
    )


def _line(points: Sequence[tuple[float, float]], codes: Sequence[int]) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    return PathPatch(Path(points, codes), facecolor="none", edgecolor=style.INK, linewidth=0.9, zorder=2.8)


def _fan(count: int, gap: float) -> tuple[float, ...]:
    return tuple(gap * (i - (count - 1) / 2) for i in range(count))


EDGE_PORT = 0.8  # wide enough for the count of a repeated input beside its arrow


class Graph(NamedTuple):
    """Graph of operations on sums, as drawn.

    `labels` and `inputs` have one entry per operation (0 is the cell's input); `out` lists the operations that lead to
    the output.
    """

    labels: Sequence[str]
    inputs: Sequence[Sequence[int]]
    out: Sequence[int]
    output: str
    title: str


def _edge_graph(cell: EdgeCell) -> Graph:
    """Convert a NAS-Bench-201 cell."""
    labels = [operation_label(operation.op) for operation in cell.operations]
    inputs = [operation.inputs for operation in cell.operations]
    output = "output" if cell.out else "output: zero"
    return Graph(labels, inputs, cell.out, output, "cell: arrows into one box are added")


def _vertex_graph(cell: VertexCell) -> Graph:
    """Convert a NAS-Bench-101 cell; an edge from its input to its output is a projection that is added."""
    labels = [operation_label(vertex.op) for vertex in cell.vertices]
    inputs = [vertex.inputs for vertex in cell.vertices]
    output = "concat" if len(set(cell.out) - {0}) > 1 else "output"
    if 0 in cell.out and len(cell.out) > 1:
        output += " + input"
    return Graph(labels, inputs, cell.out, output, "cell: arrows into one operation are added")


def _operation_graph(graph: Graph) -> tuple[list[PlacedDrawing], float, float]:
    """Compose operations from the cell's input up to its output; an arrow that represents several shows their count."""
    inputs = [tuple(dict.fromkeys(states)) for states in graph.inputs]
    ends = tuple(dict.fromkeys(graph.out))
    out = len(graph.labels) + 1
    boxes = [Box(2.2)]
    boxes += [Box(max(1.9, len(states) * EDGE_PORT), _fan(len(states), EDGE_PORT), free=True) for states in inputs]
    boxes.append(Box(max(2.2, len(ends) * EDGE_PORT), _fan(len(ends), EDGE_PORT), free=True))
    targets = [*((i + 1, states) for i, states in enumerate(inputs)), (out, ends)]
    wires = [Wire(state, node, port) for node, states in targets for port, state in enumerate(states)]
    plan = layered(boxes, wires, BAND_GAP)
    heights = [OP_HEIGHT] * len(boxes)
    canvas, bottoms, width, height = _start(plan, boxes, heights, graph.title)
    shift = width / 2 - _middle(plan, boxes)
    for node, label in enumerate(["input", *graph.labels, graph.output]):
        y = bottoms[plan.layer[node]] + OP_HEIGHT / 2
        fill = _fill(label) if 0 < node < out else PLAIN
        canvas.labelled(plan.x[node] + shift, y, boxes[node].width, OP_HEIGHT, label, fill)
    _draw_wires(canvas, plan, wires, bottoms, heights, shift)
    for wire, route in zip(wires, plan.routes):
        given = graph.out if wire.target == out else graph.inputs[wire.target - 1]
        if given.count(wire.source) > 1:
            y = bottoms[plan.layer[wire.target]] - 0.34
            canvas.text(route[-1] + shift + 0.3, y, f"×{given.count(wire.source)}", 0.8, color=colour(wire.source))
    canvas.text(width / 2, height - 0.3, graph.title, TITLE)
    return [canvas.shifted(0, 0)], width, height


def _middle(plan: Layout, boxes: Sequence[Box]) -> float:
    low, high = _extent(plan, boxes)
    return (low + high) / 2


def _extent(plan: Layout, boxes: Sequence[Box]) -> tuple[float, float]:
    """Leftmost and rightmost x of boxes and wires."""
    lows = [x - box.width / 2 for x, box in zip(plan.x, boxes)] + [x for route in plan.routes for x in route]
    highs = [x + box.width / 2 for x, box in zip(plan.x, boxes)] + [x for route in plan.routes for x in route]
    return min(lows), max(highs)


def _start(
    plan: Layout, boxes: Sequence[Box], heights: Sequence[float], title: str
) -> tuple[Canvas, list[float], float, float]:
    """Make a canvas; return it with the bottom of each layer and the drawing's size.

    Gaps grow with the wires' width.
    """
    low, high = _extent(plan, boxes)
    bottoms, y = [], 0.4
    for level in range(max(plan.layer) + 1):
        bottoms.append(y)
        tallest = max(height for height, layer in zip(heights, plan.layer) if layer == level)
        # Layers are assigned by the longest path, so every route has one x per layer that it passes.
        ways = [abs(b - a) for a, b in _steps(plan, level)]
        y += tallest + 0.7 + min(1.6, 0.16 * max(ways, default=0.0))
    return Canvas(), bottoms, max(high - low + 0.8, 1.15 * TITLE * LETTER * len(title) + 0.4), y + 0.2


def _steps(plan: Layout, level: int) -> list[tuple[float, float]]:
    """Pairs (x at this layer, x at the next) of every wire between them."""
    return [
        (route[level - first], route[level - first + 1])
        for first, route in _routes(plan)
        if first <= level < first + len(route) - 1
    ]


def _routes(plan: Layout) -> list[tuple[int, tuple[float, ...]]]:
    """Each route with its first layer: its last layer minus the number of layers that it passes."""
    return [(end - len(route) + 1, route) for end, route in zip(plan.ends, plan.routes)]


def _draw_wires(
    canvas: Canvas,
    plan: Layout,
    wires: Sequence[Wire],
    bottoms: Sequence[float],
    heights: Sequence[float],
    shift: float,
) -> None:
    """Draw wires as curves between layers and as straight lines through layers, where they touch no box."""
    from matplotlib.path import Path

    tops = [
        bottom + max(height for height, layer in zip(heights, plan.layer) if layer == level)
        for level, bottom in enumerate(bottoms)
    ]
    for wire, route in zip(wires, plan.routes):
        level = plan.layer[wire.source]
        points = [(route[0] + shift, bottoms[level] + heights[wire.source])]
        codes = [Path.MOVETO]
        for step, (start, end) in enumerate(itertools.pairwise(route), start=level):
            low, high = tops[step], bottoms[step + 1]
            middle = (low + high) / 2
            # The last part is straight, because an arrow's head must point along its wire.
            points += [
                (start + shift, low),
                (start + shift, middle),
                (end + shift, middle - HEAD),
                (end + shift, high - HEAD),
            ]
            points.append((end + shift, high))
            codes += [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO]
        canvas.wire(points, [int(code) for code in codes], wire.source)


# Stacks of layers

LANE = 0.36
PORT = 0.32
ROW_GAP = 0.44


class BoxColumn(NamedTuple):
    """Column of layers, as drawn: from a source (0) up through layers (from 1) to the classifier.

    `labels`, `inputs`, `stages`: one entry per layer. `out`: inputs of the classifier. `source`: label of the source.
    `between`: label between layers of different stages.
    """

    labels: Sequence[str]
    inputs: Sequence[Sequence[int]]
    stages: Sequence[int]
    out: Sequence[int]
    source: str
    between: str


def _layer_column(stack: LayerStack) -> BoxColumn:
    """Convert a stack of convolution layers."""
    layers = stack.layers
    labels = [_kernel(stack, layer) for layer in layers]
    inputs, stages = [layer.inputs for layer in layers], [layer.stage for layer in layers]
    return BoxColumn(labels, inputs, stages, stack.out, "image (0)", "max pool 2×2")


def _macro_column(stack: MacroStack) -> BoxColumn:
    """Convert an ENAS macro network: the arrow from below is the operation's input; skips are added to its result."""
    labels = [operation_label(layer.op) for layer in stack.layers]
    inputs = [(*layer.skips, number) for number, layer in enumerate(stack.layers)]
    stages = [layer.stage for layer in stack.layers]
    return BoxColumn(labels, inputs, stages, (len(stack.layers),), "stem (0)", "reduction")


def _chain_column(chain: Chain) -> BoxColumn:
    """Convert a chain of layers or modules; a label says what changes channels and resolution."""
    labels = []
    for layer in chain.layers:
        changes = ["channels ×2"] * layer.doubles + [f"stride {layer.stride}"] * (layer.stride > 1)
        labels.append(", ".join([operation_label(layer.op), *changes]))
    count = len(labels)
    return BoxColumn(labels, [(place,) for place in range(count)], [0] * count, (count,), "stem (0)", "")


def _channel_column(stack: ChannelStack) -> BoxColumn:
    """Convert a network of NATS-Bench's size space: cells, and residual blocks that halve height and width."""
    count = len(stack.channels)
    labels = [f"{'residual' if place % 2 else 'cell'}, {width}" for place, width in enumerate(stack.channels)]
    inputs, stages = [(place,) for place in range(count)], [(place + 1) // 2 for place in range(count)]
    return BoxColumn(labels, inputs, stages, (count,), "stem (0)", "stride 2")


def _column(rows: BoxColumn) -> tuple[list[PlacedDrawing], float, float]:
    """Compose columns from source to classifier; each skip runs in its own lane at one side."""
    last = len(rows.labels) + 1
    inputs = [(), *rows.inputs, rows.out]
    reach = {
        source: sorted(row for row in range(source + 2, last + 1) if source in inputs[row]) for source in range(last)
    }
    side, lane = _lanes({source: stops[-1] for source, stops in reach.items() if stops})
    ports = _ports(reach, side, lane, last)
    bottoms, heights = _rows(rows.stages, ports)
    lanes = [1 + max((lane[source] for source in lane if side[source] == which), default=-1) for which in (-1, 1)]
    margin = max(LANE * max(lanes) + 1.0, 1.9 if any(rows.stages) else 0.6)
    column = 1.0 + LETTER * max(len(text) for text in ("pool, softmax", *rows.labels))
    width, x = 2 * margin + column, margin + column / 2
    canvas = Canvas()
    _draw_layers(canvas, rows, x, column, bottoms, heights)
    for row in range(1, last + 1):
        if row - 1 in inputs[row]:
            canvas.straight((x, bottoms[row - 1] + heights[row - 1]), (x, bottoms[row]), row - 1)
    for source, which in side.items():
        edge = x + which * column / 2
        rail = edge + which * (0.75 + LANE * lane[source])
        start = bottoms[source] + ports[source, which][source]
        stops = [(bottoms[row] + ports[row, which][source]) for row in reach[source]]
        _rail(canvas, edge, rail, start, stops, source)
    return [canvas.shifted(0, 0)], max(width, 6.0), bottoms[last] + heights[last] + 0.4


def _kernel(stack: LayerStack, layer: Layer) -> str:
    """Text of a layer: number of convolutions, their kernel and filters, and the stride if it is not 1."""
    text = f"{layer.height}×{layer.width}, {layer.filters}"
    if stack.convs_per_layer > 1:
        text = f"{stack.convs_per_layer} of {text}"
    if (layer.stride_height, layer.stride_width) != (1, 1):
        text += f", stride {layer.stride_height}×{layer.stride_width}"
    return text


def _lanes(ends: dict[int, int]) -> tuple[dict[int, int], dict[int, int]]:
    """Assign a side (-1 left, 1 right) and a lane (0 innermost) to each source of skips; short skips are inside.

    Args:
        ends: source -> the last row that it reaches.
    """
    side: dict[int, int] = {}
    lane: dict[int, int] = {}
    for source in sorted(ends, key=lambda source: (ends[source] - source, source)):
        options = []
        for which in (-1, 1):
            busy = {lane[o] for o in side if side[o] == which and o <= ends[source] and source <= ends[o]}
            free = next(number for number in range(len(ends)) if number not in busy)
            options.append((free, list(side.values()).count(which), which))
        lane[source], _, side[source] = min(options)
    return side, lane


def _ports(
    reach: dict[int, list[int]], side: dict[int, int], lane: dict[int, int], last: int
) -> dict[tuple[int, int], dict[int, float]]:
    """Height above a row's bottom at which each source's lane enters (for the row itself: leaves) the row's side."""
    ports: dict[tuple[int, int], dict[int, float]] = {}
    for row in range(last + 1):
        for which in (-1, 1):
            arriving = [source for source in side if side[source] == which and row in reach[source]]
            # From below: first the lanes that end here, then those that continue, the outermost highest.
            arriving.sort(key=lambda source: (reach[source][-1] != row, lane[source]))
            leaving = [row] if side.get(row) == which else []
            ports[row, which] = {source: 0.3 + PORT * i for i, source in enumerate([*arriving, *leaving])}
    return ports


def _rows(stages: Sequence[int], ports: dict[tuple[int, int], dict[int, float]]) -> tuple[list[float], list[float]]:
    """Bottom and height of each row: source, layers, classifier; labels between stages get extra room."""
    bottoms, heights, y = [], [], 0.4
    all_stages = [0, *stages, max(stages, default=0)]
    for row, stage in enumerate(all_stages):
        if row and stage > all_stages[row - 1]:
            y += 0.5
        height = max(OP_HEIGHT, *(max(ports[row, which].values(), default=0.0) + 0.3 for which in (-1, 1)))
        bottoms.append(y)
        heights.append(height)
        y += height + ROW_GAP
    return bottoms, heights


def _draw_layers(
    canvas: Canvas, rows: BoxColumn, x: float, column: float, bottoms: Sequence[float], heights: Sequence[float]
) -> None:
    """Draw the boxes of a column that is centred at x, and the labels between its stages."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    last = len(rows.labels) + 1
    canvas.labelled(x, bottoms[0] + heights[0] / 2, column, heights[0], rows.source, PLAIN)
    canvas.labelled(x, bottoms[last] + heights[last] / 2, column, heights[last], "pool, softmax", PLAIN)
    for row, (label, stage) in enumerate(zip(rows.labels, rows.stages), start=1):
        middle = bottoms[row] + heights[row] / 2
        fill = _fill(label)
        canvas.box(x, middle, column, heights[row], FILLS["sep"] if fill == "white" or label[0].isdigit() else fill)
        left = x - column / 2 + 0.15
        canvas.text(left, middle, str(row), 1.0, ha="left", weight="bold", color=colour(row))
        canvas.text(x + 0.2, middle, label)
        if stage > (rows.stages[row - 2] if row > 1 else 0):
            line = [(x - column / 2 - 0.6, bottoms[row] - 0.5), (x + column / 2 + 0.6, bottoms[row] - 0.5)]
            path = Path(line, [Path.MOVETO, Path.LINETO])
            canvas.patches.append(PathPatch(path, edgecolor=style.MUTED, linestyle="--", linewidth=0.8, zorder=1))
            canvas.text(x + 0.2, bottoms[row] - 0.68, rows.between, 0.75, ha="left", color=style.MUTED)


def _rail(canvas: Canvas, edge: float, rail: float, start: float, stops: Sequence[float], source: int) -> None:
    """Draw one source's lane: out of its box, up, and into each box that reads it, with its number at the arrow."""
    from matplotlib.path import Path

    out = TURN if rail > edge else -TURN
    line, curve = int(Path.LINETO), int(Path.CURVE3)
    way = [(edge, start), (rail - out, start), (rail, start), (rail, start + TURN)]
    codes = [int(Path.MOVETO), line, curve, curve]
    end = stops[-1]
    way += [(rail, end - TURN), (rail, end), (rail - out, end), (edge, end)]
    canvas.wire(way, [*codes, line, curve, curve, line], source)
    for stop in stops[:-1]:
        canvas.wire([(rail, stop), (edge, stop)], [int(Path.MOVETO), line], source)
        canvas.dot(rail, stop, source)
    near = edge + (0.45 if rail > edge else -0.45)
    for stop in stops:
        canvas.text(near, stop + 0.15, str(source), 0.62, color=colour(source))
