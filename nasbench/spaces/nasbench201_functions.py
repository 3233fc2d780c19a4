"""Functions of NAS-Bench-201 cells: their graphs after linear rewriting, by which equal functions are recognized."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from nasbench.spaces.graphs import canonical_order

FUNCTION_VERSION = 1
_INPUT = -1

Sum = Counter[tuple[int, int]]
"""(source, number of average pools applied to it) -> how often it is added.

A source is -1 (the cell's input) or the index of a convolution.
"""


class Convolution(NamedTuple):
    """One convolution of a cell.

    `edge`: index of its edge in the cell, 0 to 5. `operation`: name of its operation. `reads`: the sum that it reads.
    """

    edge: int
    operation: str
    reads: Sum


class CellFunction(NamedTuple):
    """Function of a cell: its convolutions, each reading a sum of pooled sources, and the sum that is the output.

    `convolutions`: in canonical order. `out`: the output. Sources of sums are -1 (the cell's input) and indices of
    `convolutions`.
    """

    convolutions: tuple[Convolution, ...]
    out: Sum

    @property
    def form(self) -> str:
        """The function as text. The edges of the convolutions are not part of it."""
        convolutions = (f"{conv.operation}<{_text(conv.reads)}" for conv in self.convolutions)
        return f"nasbench201|{';'.join(convolutions)}>{_text(self.out)}"

    @property
    def digest(self) -> str:
        """Digest of the form, 32 hexadecimal digits."""
        text = f"function {FUNCTION_VERSION}|{self.form}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def cell_function(edges: Sequence[tuple[int, int]], operations: Sequence[str]) -> CellFunction:
    """Return the canonical function of a cell.

    Between convolutions a cell is linear: nodes add, "skip_connect" is the identity, and an average pool of a sum is
    the sum of the pools. So each node is a sum of terms P^k(x), where P is the pool, k >= 0, and x is the input or the
    result of a convolution. Two cells are one function if their convolutions can be matched such that operations, the
    sums that they read, and the output sums are equal. A convolution begins with a ReLU and ends with its own
    BatchNorm, so nothing is rewritten across it. Different powers of the pool count as different; they differ on images
    of more than one pixel.

    Args:
        edges: (node, the node that it reads), in topological order; node 0 is the input and the last node the output.
        operations: name of each edge's operation, one of NAS-Bench-201's five.

    Returns:
        The function. Convolutions that do not reach the output are removed.
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
    """Remove convolutions that do not reach the output, and put the others in canonical order."""
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
