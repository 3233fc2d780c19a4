"""Architectures as graphs of labelled operations, for predictors that look at paths or neighbourhoods. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, singledispatch
from typing import Any, NamedTuple

from nasbench.spaces.base import Architecture
from nasbench.structures import FIRST_BLOCK, Cell, CellPair, EdgeCell, LayerStack, MacroStack, VertexCell

INPUT, OUTPUT = "input", "output"


class OperationGraph(NamedTuple):
    """A directed acyclic graph of operations; every node comes after the nodes that it reads.

    Attributes:
        labels: [nodes], what each node computes, e.g. "nor_conv_3x3"; "input" and "output" (in a pair of cells with the
            cell's name) for the ends.
        sources: [nodes], the nodes that each node reads, with repetitions; empty for the inputs.
        cells: whether the graph is a cell, which has few paths; False for a whole network of layers.
    """

    labels: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]
    cells: bool = True


@lru_cache(maxsize=16384)
def operation_graph(architecture: Architecture) -> OperationGraph | None:
    """Return the graph of an architecture: what is trained, in canonical order, so that equal hashes have equal graphs.

    Identities of NAS-Bench-201 are edges of the graph and not nodes, and its zero operations are neither.

    Args:
        architecture: any architecture.

    Returns:
        The graph; None if the space has no networks, or networks of a kind that is not known here.
    """
    if not architecture.space.has_networks:
        return None
    try:
        structure = architecture.space.structure(architecture)
    except NotImplementedError:  # a space for tables or tests that describes no network
        return None
    return _graph(structure)


@singledispatch
def _graph(structure: Any) -> OperationGraph | None:
    return None


class _Builder:
    """Collects nodes in topological order."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.sources: list[tuple[int, ...]] = []

    def add(self, label: str, sources: Sequence[int] = ()) -> int:
        """Add a node and return its number."""
        self.labels.append(label)
        self.sources.append(tuple(sorted(sources)))
        return len(self.labels) - 1

    def graph(self, cells: bool = True) -> OperationGraph:
        """Return the graph of the nodes so far."""
        return OperationGraph(tuple(self.labels), tuple(self.sources), cells)


@_graph.register
def _of_edge_cell(cell: EdgeCell) -> OperationGraph:
    builder = _Builder()
    builder.add(INPUT)
    for operation in cell.operations:
        builder.add(operation.op, operation.inputs)
    builder.add(OUTPUT, cell.out)
    return builder.graph()


@_graph.register
def _of_vertex_cell(cell: VertexCell) -> OperationGraph:
    builder = _Builder()
    builder.add(INPUT)
    for vertex in cell.vertices:
        builder.add(vertex.op, vertex.inputs)
    builder.add(OUTPUT, cell.out)
    return builder.graph()


@_graph.register
def _of_cell_pair(pair: CellPair) -> OperationGraph:
    builder = _Builder()
    for name, cell in (("normal", pair.normal), ("reduction", pair.reduction)):
        _add_cell(builder, f"{name}/", cell)
    return builder.graph()


def _add_cell(builder: _Builder, prefix: str, cell: Cell) -> None:
    """Add a cell: who reads a sum reads its terms, and a concatenation inside the cell is a node of its own."""
    nodes_of = [(builder.add(f"{prefix}{INPUT}_p"),), (builder.add(f"{prefix}{INPUT}_c"),)]
    assert len(nodes_of) == FIRST_BLOCK
    for block in cell.blocks:
        terms = [
            builder.add(prefix + operation, nodes_of[state])
            for state, operation in ((block.left, block.left_op), (block.right, block.right_op))
        ]
        nodes_of.append((builder.add(f"{prefix}concat", terms),) if block.combine == "concat" else tuple(terms))  # type: ignore[arg-type]
    builder.add(prefix + OUTPUT, [node for state in cell.out for node in nodes_of[state]])


@_graph.register
def _of_macro_stack(stack: MacroStack) -> OperationGraph:
    builder = _Builder()
    builder.add(INPUT)
    for number, layer in enumerate(stack.layers):
        builder.add(f"{layer.op}@{layer.stage}", (number, *layer.skips))
    builder.add(OUTPUT, (len(stack.layers),))
    return builder.graph(cells=False)


@_graph.register
def _of_layer_stack(stack: LayerStack) -> OperationGraph:
    builder = _Builder()
    builder.add(INPUT)
    for layer in stack.layers:
        label = f"{layer.height}x{layer.width}/{layer.stride_height}x{layer.stride_width}:{layer.filters}@{layer.stage}"
        builder.add(label, layer.inputs)
    builder.add(OUTPUT, stack.out)
    return builder.graph(cells=False)
