"""Graphs of cells with an operation on every edge, as in NAS-Bench-201 and TransNAS-Bench-101."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nasbench.spaces.graphs import canonical_order
from nasbench.structures import EdgeCell, EdgeOperation

EDGES: Final = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
"""Pairs (node, the node it reads) of a cell of four nodes, in the order in which both benchmarks write them."""
NODES: Final = 4
INPUT: Final = -1
"""The cell's input, a fixed source of the graph."""

Terms = tuple[int, ...]
"""A sum: the multiset of its terms, which are `INPUT` or indices of operations."""


def reached_operations(
    choices: Sequence[int], none: int, identities: Sequence[int]
) -> tuple[list[tuple[int, Terms]], Terms]:
    """Find the operations that the cell's input reaches.

    Args:
        choices: one per edge of `EDGES`.
        none: the choice that is no edge.
        identities: per edge of `EDGES`, the choice that stands for the node which the edge reads; -1 for none.

    Returns:
        The operations, each a choice with the sum that it reads, and the sum that is the output.
    """
    operations: list[tuple[int, Terms]] = []
    sums: list[Terms] = [(INPUT,), *[()] * (NODES - 1)]
    for (node, source), choice, identity in zip(EDGES, choices, identities):
        if choice == identity:
            sums[node] += sums[source]
        elif choice != none and sums[source]:
            sums[node] += (len(operations),)
            operations.append((choice, sums[source]))
    return operations, sums[-1]


def live_terms(operations: Sequence[tuple[int, Terms]], out: Terms) -> set[int]:
    """Find what the output of a cell depends on.

    Args:
        operations: choices and the sums that they read, as `reached_operations` returns them.
        out: the sum that is the output.

    Returns:
        Indices of operations, and `INPUT` if one of them or the output reads it.
    """
    live = set(out)
    for index in range(len(operations) - 1, -1, -1):
        if index in live:
            live.update(operations[index][1])
    return live


def canonical_edge_cell(operations: Sequence[tuple[int, Terms]], out: Terms, names: Sequence[str]) -> EdgeCell:
    """Put the operations on paths from the input to the output in canonical order.

    Args:
        operations: choices and the sums that they read, as `reached_operations` returns them.
        out: the sum that is the output.
        names: name of each choice.

    Returns:
        The cell; equal for two cells exactly when their graphs of operations are isomorphic.
    """
    kept = sorted(live_terms(operations, out) - {INPUT})
    node_of = {INPUT: INPUT, **{index: node for node, index in enumerate(kept)}}
    labels = [(out.count(index), names[operations[index][0]]) for index in kept]
    inputs = [[(node_of[source], 0) for source in operations[index][1]] for index in kept]
    order = canonical_order(labels, inputs)
    place = {INPUT: 0, **{node: position for position, node in enumerate(order, 1)}}
    return EdgeCell(
        tuple(
            EdgeOperation(labels[node][1], tuple(sorted([place[source] for source, _ in inputs[node]])))
            for node in order
        ),
        tuple(sorted([place[node_of[source]] for source in out])),
    )


def write_edge_cell(cell: EdgeCell) -> str:
    """Write a canonical cell as text, for hashes.

    Args:
        cell: as `canonical_edge_cell` returns it.

    Returns:
        The operations with what they read, and the output, e.g. "nor_conv_3x3<0>1".
    """
    operations = (f"{operation.op}<{','.join(map(str, operation.inputs))}" for operation in cell.operations)
    return f"{';'.join(operations)}>{','.join(map(str, cell.out))}"
