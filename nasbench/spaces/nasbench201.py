"""The NAS-Bench-201 cell: four nodes, six edges, five operations."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nasbench.errors import InputError, did_you_mean
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.edge_graphs import (
    EDGES,
    INPUT,
    Terms,
    canonical_edge_cell,
    live_terms,
    reached_operations,
    write_edge_cell,
)
from nasbench.spaces.nasbench201_functions import cell_function
from nasbench.structures import Counts, EdgeCell, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network
    from nasbench.networks.edge_count_arrays import CountArrays

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP = OPERATIONS.index("none"), OPERATIONS.index("skip_connect")
OFFICIAL_SEED = 88
_IDENTITIES = (SKIP,) * len(EDGES)

_EDGE = re.compile(r"(\w+)~(\d)")


@dataclass(frozen=True)
class NasBench201Space(Space):
    """A cell of four nodes and six edges, each edge with one of five operations; a node is the sum of its edges.

    Two cells have the same hash exactly when their graphs of operations are isomorphic. In these graphs "none" is no
    edge, and "skip_connect" stands for the node that it reads. A sum is the multiset of its operations (and of the
    cell's input). Operations that the input does not reach, or that do not reach the output, are removed. Two equal
    operations that read the same sum stay two, since each has its own weights. Algebra is not rewritten: a pool of a
    sum is not the sum of pools, and two equal pools are not one pool added twice, although they have no weights.
    `function_class` does rewrite these, because average pools are linear: the 5,425 hashes of the 15,625 cells are
    5,044 functions.

    The published number of different cells is 6,466: it counts expression strings, in which equal operations on equal
    inputs have one text. Our 5,425 differ for two reasons (`tests/spaces/test_nasbench201.py` derives every number):
    - The strings keep "#" for a zero term, operations on 0 + 0, and the order of terms where a sum is skipped into
      another one. So they distinguish x + 0 from x, x + pool(0 + 0) from x, and (x + z) + y from x + (y + z). Without
      these distinctions 4,930 are left.
    - The strings do not distinguish one operation that is added twice from two operations with weights of their own. We
      do, and the 4,930 become 5,425.

    Source: Dong & Yang 2020 (2001.00326), section 2.1. With equal weights, and image sizes divisible by 4, the networks
        compute the same values as the benchmark's, with one deviation
        (`tests/networks/test_edge_networks_of_the_benchmark.py`).
    Deviation: in 2,140 of the 15,625 cells the output depends on a convolution that reads a node which only zeros
        reach. In the benchmark it gives the shift of its BatchNorm, a learned constant; here it is removed.
    Network version 2: the 3x3 convolution of stride 2 between stages pads 1 on every side. Version 1 padded as
    TensorFlow's SAME does.
    """

    name: ClassVar[str] = "nasbench201"
    default_protocol: ClassVar[str] = "nasbench201"
    network_version: ClassVar[int] = 2

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The operations of the edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2, in the order of the benchmark's string."""
        return _DECISIONS

    def structure(self, architecture: Architecture) -> EdgeCell:
        """Return the operations on paths from the input to the output, in canonical order; see `Space.structure`."""
        return _structure(architecture.choices)

    def form(self, architecture: Architecture) -> str:
        """Write the canonical graph of operations as text; see `Space.form`."""
        return _form(architecture.choices)

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the cell with the smallest official index among those of the same hash.

        The first call in a process computes the forms of all 15,625 cells.

        Args:
            architecture: an architecture of this space.

        Returns:
            That cell. Its index is the one of the benchmark, from 0 to 15,624.
        """
        return Architecture(self, _smallest()[self.form(architecture)])

    def describe(self, architecture: Architecture) -> str:
        """Write the string of the benchmark; see `Space.describe`.

        E.g. "|none~0|+|none~0|skip_connect~1|+|nor_conv_3x3~0|none~1|none~2|": a group per node, an operation~source
        per edge.
        """
        nodes: dict[int, str] = {}
        for (node, source), choice in zip(EDGES, architecture.choices):
            nodes[node] = nodes.get(node, "|") + f"{OPERATIONS[choice]}~{source}|"
        return "+".join(nodes.values())

    def parse(self, text: str) -> Architecture:
        """Read an architecture from the benchmark's string.

        Args:
            text: as `describe` writes it.

        Returns:
            The architecture.

        Raises:
            InputError: when the text has an operation that does not exist, or another form.
        """
        edges = _EDGE.findall(text)
        for operation, _ in edges:
            if operation not in OPERATIONS:
                hint = did_you_mean(operation, OPERATIONS)
                raise InputError(f"no operation {operation!r}{hint}; allowed: {', '.join(OPERATIONS)}")
        if len(edges) == len(EDGES):
            architecture = self.decode([OPERATIONS.index(operation) for operation, _ in edges])
            if self.describe(architecture) == text.strip():
                return architecture
        raise InputError(f"a cell is written |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, got {text[:100]!r}")

    def enumerate(self) -> Iterator[Architecture]:
        """Yield all 15,625 architectures in the order of the official index."""
        return (Architecture(self, choices) for choices in _official_order())

    def index(self, architecture: Architecture) -> int:
        """Return the index of a cell in the benchmark's files.

        Args:
            architecture: an architecture of this space.

        Returns:
            0 to 15,624.
        """
        return _official_index()[architecture.choices]

    def of_index(self, index: int) -> Architecture:
        """Return the cell of an index in the benchmark's files: the inverse of `index`.

        Args:
            index: 0 to 15,624.

        Returns:
            The architecture.

        Raises:
            InputError: for another index.
        """
        if not 0 <= index < len(_official_order()):
            raise InputError(f"the index of a cell is 0 to {len(_official_order()) - 1}, got {index}")
        return Architecture(self, _official_order()[index])

    def function_class(self, architecture: Architecture) -> str:
        """Return a digest of the cell's function, equal for two cells exactly when linear rewriting makes them equal.

        Identities, sums and average pools are linear, so a cell consists of convolutions that read sums of pooled
        sources; see `nasbench201_functions.cell_function`. The 15,625 cells have 5,425 hashes and 5,044 functions.
        """
        return _function_class(architecture.choices)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.edge_cell_counts import count_edge_operations

        operations, out = _operations(architecture.choices)
        live = live_terms(operations, out)
        return count_edge_operations([OPERATIONS[operations[index][0]] for index in live if index != INPUT], scale)

    def count_all(self, scale: Scale) -> CountArrays:
        """Count all 15,625 cells at once.

        Args:
            scale: size of the network and of its images.

        Returns:
            Arrays int64 [15625] in the order of the official index, equal to `count` of each cell.

        Raises:
            InputError: when the scale has an ImageNet stem or sets `stem_filters`.
        """
        from nasbench.networks.edge_count_arrays import count_edge_networks

        return count_edge_networks(np.array(_official_order()), EDGES, OPERATIONS, scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module of the canonical graph of operations; see `networks.edge_cells.build_edge_network`."""
        from nasbench.networks.edge_cells import ReductionPadding, build_edge_network

        padding: ReductionPadding = "same" if self.built_version == 1 else "even"
        return build_edge_network(
            self.structure(architecture), scale, regularization or Regularization(), reduction_padding=padding
        )


_DECISIONS = tuple(
    Decision(f"edge{node}<-{source}", len(OPERATIONS), OPERATIONS, "operation", index)
    for index, (node, source) in enumerate(EDGES)
)


@lru_cache(maxsize=1)
def _official_order() -> tuple[tuple[int, ...], ...]:
    """Return the choices of each official index.

    Source: the benchmark's release lists all cells, the last edge changing fastest, and shuffles the list by Python's
    generator with seed 88.
    """
    cells = list(itertools.product(range(len(OPERATIONS)), repeat=len(EDGES)))
    random.Random(OFFICIAL_SEED).shuffle(cells)
    return tuple(cells)


@lru_cache(maxsize=1)
def _official_index() -> dict[tuple[int, ...], int]:
    return {choices: index for index, choices in enumerate(_official_order())}


@lru_cache(maxsize=1)
def _smallest() -> dict[str, tuple[int, ...]]:
    """Return form -> choices of the smallest official index with that form."""
    smallest: dict[str, tuple[int, ...]] = {}
    for choices in _official_order():
        smallest.setdefault(_form(choices), choices)
    return smallest


def _operations(choices: tuple[int, ...]) -> tuple[list[tuple[int, Terms]], Terms]:
    """Return the operations that the input reaches, each with the sum that it reads, and the sum that is the output."""
    return reached_operations(choices, NONE, _IDENTITIES)


@lru_cache(maxsize=16384)
def _function_class(choices: tuple[int, ...]) -> str:
    return cell_function(EDGES, [OPERATIONS[choice] for choice in choices]).digest


@lru_cache(maxsize=4096)
def _structure(choices: tuple[int, ...]) -> EdgeCell:
    return canonical_edge_cell(*_operations(choices), OPERATIONS)


@lru_cache(maxsize=16384)
def _form(choices: tuple[int, ...]) -> str:
    return f"nasbench201|{write_edge_cell(_structure(choices))}"
