"""The search space of DARTS: two cells of four nodes, each the sum of two operations on two different earlier states."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from nasbench.errors import InputError, did_you_mean
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.cells import canonical_cell, encode_cell, state_name
from nasbench.spaces.darts_genotypes import DARTS_GENOTYPES
from nasbench.structures import FIRST_BLOCK, Block, Cell, CellPair, Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NODES = 4
CELLS = ("normal", "reduction")
STATES = tuple(range(FIRST_BLOCK, FIRST_BLOCK + NODES))  # which the output concatenates

# The last pairs are new at each node, so an index means the same pair at every node.
PAIRS = tuple((first, second) for second in range(1, FIRST_BLOCK + NODES - 1) for first in range(second))

_LONGEST = 10_000  # characters of a genotype; patterns would search long in longer texts
_LIST = re.compile(r"\b(normal|reduce)\s*=\s*(\[[^\]]*\])")
_CONCAT = re.compile(r"\b(?:normal|reduce)_concat\s*=\s*(?:range\(\s*2\s*,\s*6\s*\)|\[([^\]]*)\]|\(([^)]*)\))")


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
        """Read an architecture from a genotype of the released code, or from the name of a published one.

        Args:
            text: as `describe` writes it, with lists or range(2, 6) for the outputs; or a name of `DARTS_GENOTYPES`,
                e.g. "DARTS_V2", in capitals or not.

        Returns:
            The architecture, with its nodes in the order of the text.

        Raises:
            InputError: when the text cannot be read or its cells are not in the space.
        """
        known = DARTS_GENOTYPES.get(text.strip().lower())
        return self.from_cells(_read_genotype(known or text))

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


def _pairs(node: int) -> tuple[tuple[int, int], ...]:
    """Return the pairs of states that a node may read; node 0 is the first."""
    states = FIRST_BLOCK + node
    return PAIRS[: states * (states - 1) // 2]


def _make_decisions() -> Iterator[Decision]:
    for cell, node in itertools.product(range(len(CELLS)), range(NODES)):
        block = cell * NODES + node
        labels = tuple(f"{state_name(first)},{state_name(second)}" for first, second in _pairs(node))
        head = f"{CELLS[cell]}/node{node + 1}"
        yield Decision(f"{head}/inputs", len(labels), labels, "input", block)
        for operand in ("first", "second"):
            yield Decision(f"{head}/{operand}_op", len(OPERATIONS), OPERATIONS, "operation", block)


_DECISIONS = tuple(_make_decisions())


def _batches(items: Sequence[Any], size: int) -> Iterator[tuple[Any, ...]]:
    return zip(*(items[start::size] for start in range(size)), strict=True)


def _cells(choices: tuple[int, ...]) -> Iterator[Cell]:
    """Yield the normal and the reduction cell as chosen."""
    length = 3 * NODES
    for start in (0, length):
        blocks = []
        for pair, first_op, second_op in _batches(choices[start : start + length], 3):
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
        if pair not in _pairs(node):
            raise InputError(
                f"{where} reads states {pair[0]} and {pair[1]}; allowed: two different ones of 0 to {FIRST_BLOCK + node - 1}"
            )
        yield PAIRS.index(pair)
        for _, operation in edges:
            yield OPERATIONS.index(operation)


def _read_genotype(text: str) -> CellPair:
    """Read "Genotype(normal=[(op, state), ...], ..., reduce=[...], ...)" without running it."""
    problem = InputError(
        "an architecture of space 'darts' is written Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=[2, 3, 4, "
        f"5], reduce=[...], reduce_concat=[2, 3, 4, 5]) or by name ({', '.join(DARTS_GENOTYPES)}), got {text[:80]!r}"
    )
    if len(text) > _LONGEST:
        raise problem
    lists = dict(_LIST.findall(text))
    if set(lists) != {"normal", "reduce"} or len(_LIST.findall(text)) != 2:
        raise problem
    outputs = list(_CONCAT.finditer(text))
    if len(outputs) != text.count("_concat"):  # e.g. another range
        raise problem
    for found in outputs:
        listed = next((group for group in found.groups() if group is not None), "2, 3, 4, 5")
        if sorted(re.findall(r"\w+", listed)) != [str(state) for state in STATES]:
            raise InputError(f"a cell of space 'darts' puts out all of its nodes, {list(STATES)}, got [{listed}]")
    cells = []
    for name in ("normal", "reduce"):
        try:
            edges = ast.literal_eval(lists[name])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise problem from None
        if len(edges) != 2 * NODES or any(
            not isinstance(edge, (tuple, list))
            or len(edge) < 2
            or not isinstance(edge[0], str)
            or type(edge[1]) is not int
            for edge in edges
        ):
            raise problem
        operands = [(edge[1], edge[0]) for edge in edges]  # a third entry is a weight of the search
        blocks = (Block(*first, *second) for first, second in _batches(operands, 2))
        cells.append(Cell(tuple(blocks), STATES))
    return CellPair(*cells)
