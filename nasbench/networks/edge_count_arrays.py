"""Counts of many NAS-Bench-201 cells at once: the closed form of `edge_cell_counts` on arrays. No torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.networks.edge_cell_counts import KERNELS, operation_costs
from nasbench.structures import Scale

IntArray = NDArray[np.int64]


class CountArrays(NamedTuple):
    """Counts of many networks, as in `structures.Counts`.

    `params`, `mult_adds`: int64 [networks].
    """

    params: IntArray
    mult_adds: IntArray


def count_edge_networks(
    choices: IntArray, edges: tuple[tuple[int, int], ...], operations: tuple[str, ...], scale: Scale
) -> CountArrays:
    """Count the networks of many cells. Neither networks nor graphs are built.

    An operation is counted if the cell's input reaches its edge, and its edge reaches the output. "skip_connect"
    connects its nodes and costs nothing; "none" does not connect them.

    Args:
        choices: int [cells, edges], the operation of each edge as an index of `operations`.
        edges: (node, the node that it reads), in topological order; node 0 is the input and the last node the output.
        operations: names of the operations, with "none" among them.
        scale: C (`filters`), N (`cells` per stage), image and classes.

    Returns:
        Arrays [cells], equal to `edge_cell_counts.count_edge_network` of each cell.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    costs = operation_costs(scale)
    used = _live(choices, edges, operations.index("none"))
    params, mult_adds = (np.full(len(choices), costs["frame"][part], dtype=np.int64) for part in (0, 1))
    for choice, name in enumerate(operations):
        if name in KERNELS:
            times = (used & (choices == choice)).sum(axis=1)
            params += times * costs[name].params
            mult_adds += times * costs[name].mult_adds
    return CountArrays(params, mult_adds)


def _live(choices: IntArray, edges: tuple[tuple[int, int], ...], none: int) -> NDArray[np.bool_]:
    """Return [cells, edges], True if the edge is on a path from the input to the output."""
    passes = choices != none
    nodes = max(node for node, _ in edges) + 1
    reached = np.zeros((len(choices), nodes), dtype=bool)  # from the input
    leads = np.zeros_like(reached)  # to the output
    reached[:, 0] = leads[:, -1] = True
    for index, (node, source) in enumerate(edges):
        reached[:, node] |= passes[:, index] & reached[:, source]
    for index, (node, source) in sorted(enumerate(edges), key=lambda edge: -edge[1][0]):
        leads[:, source] |= passes[:, index] & leads[:, node]
    live: NDArray[np.bool_] = np.stack(
        [passes[:, index] & reached[:, source] & leads[:, node] for index, (node, source) in enumerate(edges)], axis=1
    )
    return live
