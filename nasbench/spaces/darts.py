"""The search space of DARTS: two cells of four nodes, each the sum of two operations on two different earlier states."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from nasbench.errors import InputError, did_you_mean
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.cells import canonical_cell, encode_cell, state_name
from nasbench.spaces.darts_genotypes import NODES, OPERATIONS, STATES, batches, read_genotype
from nasbench.structures import FIRST_BLOCK, Block, Cell, CellPair, Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

CELLS = ("normal", "reduction")

# The last pairs are new at each node, so an index means the same pair at every node.
PAIRS = tuple((first, second) for second in range(1, FIRST_BLOCK + NODES - 1) for first in range(second))


@dataclass(frozen=True)
class DartsSpace(Space):
    """Two cells of four nodes; a node adds the results of two operations on two different states of its cell.

    Decisions of a node, in order: the pair of states that it reads, the operation on the first, the operation on the
    second. The states of a cell are its inputs p and c and its earlier nodes. The output of a cell concatenates all
    four nodes. Each cell has (1 * 3 * 6 * 10) * 7^8 = 1.04e9 sequences of choices, both together 1.08e18.

    Two architectures have the same hash exactly when their cells are isomorphic: operands of a sum have no order, and
    nodes can be numbered in any order that puts a node after those it reads. Nothing is removed, because every node
    reaches the output. Algebra is not rewritten.

    Source: Liu, Simonyan & Yang 2019, "DARTS: Differentiable Architecture Search" (1806.09055), section 2.1; names of
        operations, and networks, are those of the released code.
    Deviation: the paper's eight operations include "none", which its search may weigh but never chooses for a final
        cell; so it is not a choice here. Images of odd size round up where a cell halves them; the released code fails.
        There are no networks with ImageNet's stem.
    """

    name: ClassVar[str] = "darts"
    default_protocol: ClassVar[str] = "darts"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Cell by cell and node by node: the pair of states, the first operation, the second operation."""
        return _DECISIONS

    def structure(self, architecture: Architecture) -> CellPair:
        """Return the canonical cells; see `Space.structure`."""
        return _structure(architecture.choices)

    def spelled(self, architecture: Architecture) -> CellPair:
        """Return the cells as chosen: nodes in the order of the decisions.

        Args:
            architecture: an architecture of this space.

        Returns:
            The normal and the reduction cell.
        """
        return CellPair(*_cells(architecture.choices))

    def form(self, architecture: Architecture) -> str:
        """Write both canonical cells as text; see `Space.form`."""
        pair = _structure(architecture.choices)
        return f"darts|{encode_cell(pair.normal)}|{encode_cell(pair.reduction)}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture with the canonical cells; see `Space.canonical`."""
        return self.from_cells(self.structure(architecture))

    def describe(self, architecture: Architecture) -> str:
        """Write the canonical cells as the released code writes a genotype; see `Space.describe`.

        E.g. "Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, 5], reduce=[...], reduce_concat=[2, 3,
        4, 5])": two pairs (operation, state) per node; states 0 and 1 are p and c.
        """
        pair = self.structure(architecture)
        parts = []
        for name, cell in (("normal", pair.normal), ("reduce", pair.reduction)):
            edges = [edge for b in cell.blocks for edge in ((b.left_op, b.left), (b.right_op, b.right))]
            parts.append(f"{name}={edges}, {name}_concat={list(STATES)}")
        return f"Genotype({', '.join(parts)})"

    def parse(self, text: str) -> Architecture:
        """Read an architecture from a genotype of the released code, from the name of a published one, or from numbers.

        Args:
            text: see `darts_genotypes.read_genotype`: as `describe` writes it; a name, e.g. "DARTS_V2"; or NASLib's
                pairs of numbers.

        Returns:
            The architecture, with its nodes in the order of the text.

        Raises:
            InputError: when the text cannot be read or its cells are not in the space.
        """
        return self.from_cells(read_genotype(text))

    def from_cells(self, pair: CellPair) -> Architecture:
        """Return the architecture that has these cells: the inverse of `structure`, up to isomorphism.

        Args:
            pair: two cells of four blocks that add, in topological order, with all blocks as output.

        Returns:
            The architecture; it need not be canonical.

        Raises:
            InputError: when the cells are not in the space; names the first reason.
        """
        return self.decode([*_cell_choices("normal", pair.normal), *_cell_choices("reduction", pair.reduction)])

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.darts_counts import count_darts_network

        return count_darts_network(CellPair(*_cells(architecture.choices)), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module of the canonical cells; see `networks.darts_cells.build_darts_network`."""
        from nasbench.networks.darts_cells import build_darts_network

        return build_darts_network(self.structure(architecture), scale, regularization or Regularization())


def node_pairs(node: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of states that a node may read.

    Args:
        node: index of the node in its cell, from 0.

    Returns:
        The pairs, in the order of the options of the node's decision.
    """
    states = FIRST_BLOCK + node
    return PAIRS[: states * (states - 1) // 2]


def _make_decisions() -> Iterator[Decision]:
    for cell, node in itertools.product(range(len(CELLS)), range(NODES)):
        block = cell * NODES + node
        labels = tuple(f"{state_name(first)},{state_name(second)}" for first, second in node_pairs(node))
        head = f"{CELLS[cell]}/node{node + 1}"
        yield Decision(f"{head}/inputs", len(labels), labels, "input", block)
        for operand in ("first", "second"):
            yield Decision(f"{head}/{operand}_op", len(OPERATIONS), OPERATIONS, "operation", block)


_DECISIONS = tuple(_make_decisions())


def _cells(choices: tuple[int, ...]) -> Iterator[Cell]:
    """Yield the normal and the reduction cell as chosen."""
    length = 3 * NODES
    for start in (0, length):
        blocks = []
        for pair, first_op, second_op in batches(choices[start : start + length], 3):
            first, second = PAIRS[pair]
            blocks.append(Block(first, OPERATIONS[first_op], second, OPERATIONS[second_op]))
        yield Cell(tuple(blocks), STATES)


@lru_cache(maxsize=4096)
def _structure(choices: tuple[int, ...]) -> CellPair:
    return CellPair(*map(canonical_cell, _cells(choices)))


def _cell_choices(name: str, cell: Cell) -> Iterator[int]:
    """Yield the choices that give a cell."""
    if len(cell.blocks) != NODES or cell.out != STATES:
        raise InputError(
            f"the {name} cell of space 'darts' has {NODES} nodes, which all are its output; got {len(cell.blocks)} with "
            f"the output {list(cell.out)}"
        )
    for node, block in enumerate(cell.blocks):
        where = f"node {node + 1} of the {name} cell in space 'darts'"
        for operation in (block.left_op, block.right_op):
            if operation not in OPERATIONS:
                hint = did_you_mean(operation, OPERATIONS)
                raise InputError(f"{where}: no operation {operation!r}{hint}; allowed: {', '.join(OPERATIONS)}")
        if block.combine != "add":
            raise InputError(f"{where} {block.combine}s its operands; here they are added")
        edges = sorted(((block.left, block.left_op), (block.right, block.right_op)))
        pair = (edges[0][0], edges[1][0])
        if pair not in node_pairs(node):
            raise InputError(
                f"{where} reads states {pair[0]} and {pair[1]}; allowed: two different ones of 0 to {FIRST_BLOCK + node - 1}"
            )
        yield PAIRS.index(pair)
        for _, operation in edges:
            yield OPERATIONS.index(operation)
