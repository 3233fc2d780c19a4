"""NAS-Bench-201 cells that compute the same function: their graphs after linear rewriting."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nasbench.spaces.graphs import canonical_order

FUNCTION_VERSION = 1
_INPUT = -1

Sum = Counter[
    tuple[int, int]
]  # (source, average pools between): how often; the source is _INPUT or the index of a convolution


class Convolution(NamedTuple):
    """One convolution: the edge of the cell it stands on (0 to 5), its operation, and the sum that it reads."""

    edge: int
    operation: str
    reads: Sum


class CellFunction(NamedTuple):
    """Function of a cell: convolutions in canonical order, each reading a sum of pooled sources, and the output sum.

    Sources are -1 (the cell's input) and places in `convolutions`.
    """

    convolutions: tuple[Convolution, ...]
    out: Sum

    @property
    def form(self) -> str:
        """The function as text, without the edges of the convolutions."""
        convolutions = (f"{conv.operation}<{_text(conv.reads)}" for conv in self.convolutions)
        return f"nasbench201|{';'.join(convolutions)}>{_text(self.out)}"

    @property
    def digest(self) -> str:
        """32 hexadecimal digits of the form."""
        text = f"function {FUNCTION_VERSION}|{self.form}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def cell_function(edges: Sequence[tuple[int, int]], operations: Sequence[str]) -> CellFunction:
    """The canonical function of a cell.

    Between convolutions a cell is linear: nodes add, "skip_connect" is the identity and an average pool of a sum is the sum of the
    pools. So each node is a sum of terms P^k(x), with P the pool, k >= 0 and x the input or the result of a convolution, and two cells
    are one function when their convolutions can be matched so that operations, the sums they read and the output sums are equal.
    A convolution begins with a ReLU and ends with a BatchNorm of its own, so that nothing is rewritten through it. Powers of the pool
    are distinguished; they differ on images of more than one pixel.

    Args:
        edges: (node, the node it reads), in topological order; node 0 is the input and the last node the output.
        operations: the name of each edge's operation.
    """
    nodes = max(node for node, _ in edges) + 1
    sums: list[Sum] = [Counter({(_INPUT, 0): 1}), *(Counter() for _ in range(nodes - 1))]
    found: list[Convolution] = []
    for edge, ((node, source), operation) in enumerate(zip(edges, operations)):
        read = sums[source]
        if operation == "none" or not read:
            continue
        if operation == "skip_connect":
            sums[node] = sums[node] + read
        elif operation == "avg_pool_3x3":
            sums[node] = sums[node] + Counter({(origin, pools + 1): times for (origin, pools), times in read.items()})
        else:
            sums[node] = sums[node] + Counter({(len(found), 0): 1})
            found.append(Convolution(edge, operation, read))
    return _canonical(found, sums[-1])


def _canonical(found: Sequence[Convolution], out: Sum) -> CellFunction:
    """The function without convolutions that do not reach the output, the others in canonical order."""
    live = {source for source, _ in out}
    for index in range(len(found) - 1, -1, -1):
        if index in live:
            live.update(source for source, _ in found[index].reads)
    kept = sorted(live - {_INPUT})
    node_of = {_INPUT: _INPUT, **{index: node for node, index in enumerate(kept)}}
    put_out = [sorted(pools for source, pools in out.elements() if source == index) for index in kept]
    labels = [(pools, found[index].operation) for pools, index in zip(put_out, kept)]
    inputs = [[(node_of[source], pools) for source, pools in found[index].reads.elements()] for index in kept]
    order = canonical_order(labels, inputs)
    place = {_INPUT: _INPUT, **{kept[node]: position for position, node in enumerate(order)}}
    return CellFunction(
        tuple(found[kept[node]]._replace(reads=_placed(found[kept[node]].reads, place)) for node in order),
        _placed(out, place),
    )


def _placed(terms: Sum, place: dict[int, int]) -> Sum:
    return Counter({(place[source], pools): times for (source, pools), times in terms.items()})


def _text(terms: Sum) -> str:
    return ",".join(f"{times}*{source}p{pools}" for (source, pools), times in sorted(terms.items()))
