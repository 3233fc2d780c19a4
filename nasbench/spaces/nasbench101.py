"""The NAS-Bench-101 cell: up to seven vertices, nine edges, three operations."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nasbench.errors import InputError, did_you_mean
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.graphs import canonical_order
from nasbench.spaces.notation import read_numbers, write_numbers
from nasbench.spaces.options import check_range
from nasbench.structures import Counts, Regularization, Scale, Vertex, VertexCell

if TYPE_CHECKING:
    from nasbench.networks.base import Network

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MAX_EDGES = 9
INPUT = -1  # the cell's input, a fixed source of the graph

Edge = tuple[int, int]  # (source, target) with source < target; vertex 0 is the input, the last one the output

_VERTEX = re.compile(r"(\d+)\s+([\w-]+)\s*\[([\d,\s]*)\]")
_OUT = re.compile(r"out\s*\[([\d,\s]*)\]")


@dataclass(frozen=True)
class NasBench101Space(Space):
    """A graph of up to 7 vertices and 9 edges; each vertex between input and output has one of three operations.

    Decisions: one yes/no per possible edge from an earlier to a later vertex, and one operation per interior vertex.

    A graph is valid, as in the benchmark, if its input reaches its output and it has at most 9 edges after pruning,
    which removes everything that is not on a path from the input to the output. `random` and `mutate` return valid
    graphs only, by rejection. `decode` takes every sequence of choices, because controllers write such sequences; an
    invalid graph is replaced by a valid one:
    1. It is pruned. If the input does not reach the output, the cell is a single edge from the input to the output.
    2. While more than 9 edges are left, the longest edge (with the most vertices between its ends; among equal ones
       that from the earliest vertex) is removed, and the graph is pruned again. This never cuts the output off.

    Two architectures have the same hash exactly when their pruned graphs, with their operations, are isomorphic. The
    benchmark's own iterated hash is not used. Valid graphs have 423,624 hashes: 1, 6, 84, 2,441, 62,010 and 359,082
    with 2 to 7 vertices after pruning (`tests/spaces/test_nasbench101.py` derives these numbers).

    Args:
        vertices: largest number of vertices, with input and output, 3 to 7.

    Raises:
        InputError: when the option is out of range.

    Source: Ying et al. 2019 (1902.09635), section 2. Validity and random cells are those of the released code.
    Deviation: a mutation changes one decision; the paper's changes each with a probability. The mutation of an invalid
    graph starts from the valid graph that replaces it.
    """

    name: ClassVar[str] = "nasbench101"

    vertices: int = 7

    def __post_init__(self) -> None:
        check_range(self.name, "vertices", self.vertices, 3, 7)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Vertex by vertex after the input: its operation (the output has none), then the edges that end in it."""
        return _decisions(self.vertices)

    def structure(self, architecture: Architecture) -> VertexCell:
        """Return the vertices on paths from the input to the output, in canonical order; see `Space.structure`.

        A graph that is not in the benchmark is repaired first.
        """
        return _structure(self.vertices, architecture.choices)

    def form(self, architecture: Architecture) -> str:
        """Write the canonical pruned graph as text; see `Space.form`."""
        return "nasbench101|" + _write(self.structure(architecture))

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture with the canonical graph; see `Space.canonical`. Removed vertices come last."""
        return self.from_cell(self.structure(architecture))

    def describe(self, architecture: Architecture) -> str:
        """Write the canonical graph for people; see `Space.describe`.

        E.g. "1 conv3x3-bn-relu [0]; 2 maxpool3x3 [0,1]; out [0,2]"; 0 is the input of the cell.
        """
        return _write(self.structure(architecture))

    def is_valid(self, architecture: Architecture) -> bool:
        """Check whether the graph as chosen is in the benchmark.

        Args:
            architecture: an architecture of this space.

        Returns:
            True if the input reaches the output, and at most 9 edges remain after pruning.
        """
        return 0 < len(_prune(self.vertices, _spelled(self.vertices, architecture.choices)[1])) <= MAX_EDGES

    def random(self, rng: np.random.Generator) -> Architecture:
        """Draw uniform choices, again until the graph is valid; see `Space.random`."""
        while True:
            architecture = super().random(rng)
            if self.is_valid(architecture):
                return architecture

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one choice of a valid graph, drawn again until the result is valid; see `Space.mutate`."""
        parent = architecture if self.is_valid(architecture) else self.canonical(architecture)
        while True:
            mutated = super().mutate(parent, rng)
            if self.is_valid(mutated):
                return mutated

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Yield the valid architectures that differ in exactly one choice; see `Space.neighbours`."""
        return filter(self.is_valid, super().neighbours(architecture))

    def parse(self, text: str) -> Architecture:
        """Read an architecture in the notation of `describe`.

        Args:
            text: the vertices in topological order, then the output, with ";" between.

        Returns:
            The architecture, with its vertices in the order of the text.

        Raises:
            InputError: when the text cannot be read or its cell is not in the space.
        """
        *parts, last = [part.strip() for part in text.strip().split(";")]
        vertices = []
        for number, part in enumerate(parts, 1):
            match = _VERTEX.fullmatch(part)
            if match is None or int(match[1]) != number:
                raise InputError(f"expected a vertex like '{number} conv3x3-bn-relu [0]', got {part!r}")
            vertices.append(Vertex(match[2], read_numbers(match[3])))
        match = _OUT.fullmatch(last)
        if match is None:
            raise InputError(f"a cell ends in what its output reads, e.g. 'out [0,2]', got {last!r}")
        return self.from_cell(VertexCell(tuple(vertices), read_numbers(match[1])))

    def from_cell(self, cell: VertexCell) -> Architecture:
        """Return the architecture of a cell: the inverse of `structure`, up to isomorphism.

        Args:
            cell: vertices in topological order; it need not be pruned.

        Returns:
            The architecture.

        Raises:
            InputError: when the cell is not in the space; names the first reason.
        """
        where, output = f"space {self.spec!r}", self.vertices - 1
        if len(cell.vertices) > self.vertices - 2:
            raise InputError(f"{where} has up to {self.vertices - 2} interior vertices, got {len(cell.vertices)}")
        operations, edges = [0] * (self.vertices - 2), set()
        for number, vertex in enumerate(cell.vertices, 1):
            if vertex.op not in OPERATIONS:
                hint = did_you_mean(vertex.op, OPERATIONS)
                raise InputError(f"{where}: no operation {vertex.op!r}{hint}; allowed: {', '.join(OPERATIONS)}")
            if not set(vertex.inputs) <= set(range(number)):
                raise InputError(f"{where}: vertex {number} reads {vertex.inputs}; allowed: 0 to {number - 1}")
            operations[number - 1] = OPERATIONS.index(vertex.op)
            edges |= {(source, number) for source in vertex.inputs}
        if not set(cell.out) <= set(range(len(cell.vertices) + 1)):
            raise InputError(f"{where}: the output reads {cell.out}; allowed: 0 to {len(cell.vertices)}")
        edges |= {(source, output) for source in cell.out}
        architecture = self.decode(_choices(self.vertices, operations, edges))
        if not self.is_valid(architecture):
            raise InputError(
                f"{where} takes a cell whose input reaches its output, with at most {MAX_EDGES} edges after pruning, "
                f"got {cell}"
            )
        return architecture

    def from_matrix(self, matrix: Sequence[Sequence[int]], operations: Sequence[str]) -> Architecture:
        """Return the architecture of a cell that is given as the benchmark's adjacency matrix and operations.

        Args:
            matrix: [n, n] of 0 and 1, n from 2 to `vertices`; 1 in row i, column j > i is an edge from vertex i to
                vertex j.
            operations: operations of all n vertices. The first vertex is the input and the last one the output; their
                names are not read.

        Returns:
            The architecture.

        Raises:
            InputError: when there are fewer than two operations, the matrix is not upper triangular or not of their
                size, or the cell is not in the space.
        """
        size = len(operations)
        square = len(matrix) == size and all(len(row) == size for row in matrix)
        if size < 2 or not square or any(matrix[i][j] for i in range(size) for j in range(i + 1)):
            raise InputError(
                f"a cell of {size} operations needs a {size} x {size} upper triangular matrix of 0 and 1, "
                "and there are at least 2, input and output"
            )
        inputs = [tuple(i for i in range(size) if matrix[i][j]) for j in range(size)]
        vertices = tuple(Vertex(operations[j], inputs[j]) for j in range(1, size - 1))
        return self.from_cell(VertexCell(vertices, inputs[-1]))

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.vertex_counts import count_vertex_network

        return count_vertex_network(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module of the canonical pruned graph; see `networks.vertex_cells.build_vertex_network`."""
        from nasbench.networks.vertex_cells import build_vertex_network

        return build_vertex_network(self.structure(architecture), scale, regularization or Regularization())


@lru_cache(maxsize=8)
def _decisions(vertices: int) -> tuple[Decision, ...]:
    decisions: list[Decision] = []
    for target in range(1, vertices):
        if target < vertices - 1:
            decisions.append(Decision(f"vertex{target}", len(OPERATIONS), OPERATIONS, "operation", target - 1))
        decisions += [
            Decision(f"edge{source}->{target}", 2, ("no", "yes"), "edge", target - 1) for source in range(target)
        ]
    return tuple(decisions)


def _spelled(vertices: int, choices: Sequence[int]) -> tuple[list[int], set[Edge]]:
    """Return the operations of the interior vertices, and the edges, as chosen."""
    taken = iter(choices)
    operations, edges = [], set()
    for target in range(1, vertices):
        if target < vertices - 1:
            operations.append(next(taken))
        edges |= {(source, target) for source in range(target) if next(taken)}
    return operations, edges


def _choices(vertices: int, operations: Sequence[int], edges: Collection[Edge]) -> list[int]:
    """Return the choices of operations and edges: the inverse of `_spelled`."""
    choices: list[int] = []
    for target in range(1, vertices):
        if target < vertices - 1:
            choices.append(operations[target - 1])
        choices += [int((source, target) in edges) for source in range(target)]
    return choices


def _prune(vertices: int, edges: Collection[Edge]) -> set[Edge]:
    """Return the edges that are on a path from the input to the output."""
    reached, leading = {0}, {vertices - 1}
    for source, target in sorted(edges):
        if source in reached:
            reached.add(target)
    for source, target in sorted(edges, reverse=True):
        if target in leading:
            leading.add(source)
    return {(source, target) for source, target in edges if source in reached and target in leading}


def _repair(vertices: int, edges: Collection[Edge]) -> set[Edge]:
    """Return the edges of the valid graph that replaces a graph; see `NasBench101Space`."""
    kept = _prune(vertices, edges) or {(0, vertices - 1)}
    while len(kept) > MAX_EDGES:
        kept.remove(max(kept, key=lambda edge: (edge[1] - edge[0], -edge[0])))
        kept = _prune(vertices, kept)
    return kept


@lru_cache(maxsize=8192)
def _structure(vertices: int, choices: tuple[int, ...]) -> VertexCell:
    operations, edges = _spelled(vertices, choices)
    edges, output = _repair(vertices, edges), vertices - 1
    kept = sorted({source for source, _ in edges} - {0})
    node_of = {0: INPUT, **{vertex: node for node, vertex in enumerate(kept)}}
    labels = [((vertex, output) in edges, OPERATIONS[operations[vertex - 1]]) for vertex in kept]
    inputs = [[(node_of[source], 0) for source, target in sorted(edges) if target == vertex] for vertex in kept]
    order = canonical_order(labels, inputs)
    place = {INPUT: 0, **{node: position for position, node in enumerate(order, 1)}}
    return VertexCell(
        tuple(Vertex(labels[node][1], tuple(sorted([place[source] for source, _ in inputs[node]]))) for node in order),
        tuple(sorted([place[node_of[source]] for source, target in edges if target == output])),
    )


def _write(cell: VertexCell) -> str:
    vertices = [
        f"{number} {vertex.op} [{write_numbers(vertex.inputs)}]" for number, vertex in enumerate(cell.vertices, 1)
    ]
    return "; ".join([*vertices, f"out [{write_numbers(cell.out)}]"])
