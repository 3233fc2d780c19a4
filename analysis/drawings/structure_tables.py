"""Architectures as tables: the data behind their drawings."""

from __future__ import annotations

import pandas as pd

from nasbench.errors import InputError
from nasbench.structures import (
    FIRST_BLOCK,
    PREVIOUS,
    PREVIOUS_PREVIOUS,
    Cell,
    CellPair,
    Chain,
    ChannelStack,
    EdgeCell,
    LayerStack,
    MacroStack,
    VertexCell,
)


def structure_table(
    structure: CellPair | LayerStack | EdgeCell | MacroStack | VertexCell | Chain | ChannelStack,
) -> pd.DataFrame:
    """List the parts of an architecture's drawing: a row per block, layer or operation, and a last row for the output.

    Args:
        structure: a value of `nasbench.structures`.

    Returns:
        For cells: cell, block, left, left_op, right, right_op, combine (states are p, c, b1, b2, ...; the output lists
        its states under `left`). For layers and operations: layer or operation (from 1), its description, and inputs
        (numbers with spaces between; 0 is the image, the stem or the cell's input). Macro layers list their skips; each
        also reads the layer before it. Layers of a chain have what they change, those of a stack of channels have their
        channels; both read the layer before them only.

    Raises:
        InputError: for anything else.
    """
    if isinstance(structure, CellPair):
        rows = [row for name in ("normal", "reduction") for row in _cell_rows(name, getattr(structure, name))]
        return pd.DataFrame(rows, columns=["cell", "block", "left", "left_op", "right", "right_op", "combine"])
    if isinstance(structure, LayerStack):
        layers: list[tuple[str, int, int, int, int, int, int, int, str]] = [
            (
                str(number),
                structure.convs_per_layer,
                layer.height,
                layer.width,
                layer.filters,
                layer.stride_height,
                layer.stride_width,
                layer.stage,
                _numbers(layer.inputs),
            )
            for number, layer in enumerate(structure.layers, start=1)
        ]
        layers.append(("output", 0, 0, 0, 0, 0, 0, 0, _numbers(structure.out)))
        names = ["layer", "convs", "height", "width", "filters", "stride_height", "stride_width", "stage", "inputs"]
        return pd.DataFrame(layers, columns=names)
    if isinstance(structure, EdgeCell):
        edges = [(str(number), edge.op, _numbers(edge.inputs)) for number, edge in enumerate(structure.operations, 1)]
        return pd.DataFrame([*edges, ("output", "sum", _numbers(structure.out))], columns=["operation", "op", "inputs"])
    if isinstance(structure, VertexCell):
        vertices = [
            (str(number), vertex.op, _numbers(vertex.inputs)) for number, vertex in enumerate(structure.vertices, 1)
        ]
        return pd.DataFrame(
            [*vertices, ("output", "concat", _numbers(structure.out))], columns=["vertex", "op", "inputs"]
        )
    if isinstance(structure, MacroStack):
        macro = [
            (str(number), layer.op, layer.stage, _numbers(layer.skips))
            for number, layer in enumerate(structure.layers, 1)
        ]
        return pd.DataFrame(macro, columns=["layer", "op", "stage", "skips"])
    if isinstance(structure, Chain):
        chain = [
            (str(number), layer.op, layer.doubles, layer.stride) for number, layer in enumerate(structure.layers, 1)
        ]
        return pd.DataFrame(chain, columns=["layer", "op", "doubles_channels", "stride"])
    if isinstance(structure, ChannelStack):
        widths = [
            (str(number), "residual block" if number % 2 == 0 else "cell", channels)
            for number, channels in enumerate(structure.channels, 1)
        ]
        return pd.DataFrame(widths, columns=["layer", "op", "channels"])
    raise InputError(
        f"no table of {type(structure).__name__}; allowed: CellPair, LayerStack, EdgeCell, MacroStack, VertexCell, "
        "Chain, ChannelStack"
    )


def _cell_rows(name: str, cell: Cell) -> list[tuple[str, str, str, str, str, str, str]]:
    rows = [
        (name, f"b{i}", _state(block.left), block.left_op, _state(block.right), block.right_op, block.combine)
        for i, block in enumerate(cell.blocks, start=1)
    ]
    return [*rows, (name, "output", " ".join(map(_state, cell.out)), "", "", "", "concat")]


def _state(index: int) -> str:
    return {PREVIOUS_PREVIOUS: "p", PREVIOUS: "c"}.get(index, f"b{index - FIRST_BLOCK + 1}")


def _numbers(values: tuple[int, ...]) -> str:
    return " ".join(map(str, values))
