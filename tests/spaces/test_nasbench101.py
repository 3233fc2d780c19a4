"""NAS-Bench-101's space: the published number of cells by enumeration, validity and repair, notation, specifications."""

from __future__ import annotations

import itertools
import re

import networkx as nx
import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.base import Space
from nasbench.spaces.nasbench101 import OPERATIONS, NasBench101Space
from nasbench.structures import Vertex, VertexCell

SPACE = get_space("nasbench101")
CLASSES = {2: 1, 3: 6, 4: 84, 5: 2_441, 6: 62_010, 7: 359_082}  # with so many vertices; 423,624 as published
CONV3, CONV1, POOL = OPERATIONS


def full_graphs(vertices: int) -> np.ndarray:
    """Adjacency matrices [n, vertices, vertices] of upper triangular graphs of at most 9 edges in which every vertex but the first is
    entered and every vertex but the last is left: those that pruning leaves as they are."""
    pairs = np.array(list(itertools.combinations(range(vertices), 2)))
    numbers = np.arange(2 ** len(pairs), dtype=np.int32)
    few = sum(numbers >> place & 1 for place in range(len(pairs))) <= 9
    bits = numbers[few, None] >> np.arange(len(pairs)) & 1
    graphs = np.zeros((len(bits), vertices, vertices), bool)
    graphs[:, pairs[:, 0], pairs[:, 1]] = bits
    return graphs[graphs[:, :, 1:].any(1).all(1) & graphs[:, :-1].any(2).all(1)]


def codes(graphs: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The matrices with interior vertices in another order, as one number each."""
    places = [0, *(place + 1 for place in order), graphs.shape[1] - 1]
    bits = graphs[:, places][:, :, places].reshape(len(graphs), -1)
    return bits @ (1 << np.arange(bits.shape[1], dtype=np.int64))


def shapes(vertices: int) -> tuple[np.ndarray, np.ndarray, list[tuple[int, ...]]]:
    """One graph of each isomorphism class without operations, [classes, orders] whether an order of the interior is an automorphism
    of it, and all orders. By brute force: the smallest code over all orders tells the classes apart."""
    graphs = full_graphs(vertices)
    orders = list(itertools.permutations(range(vertices - 2)))
    smallest = np.min([codes(graphs, order) for order in orders], axis=0)
    graphs = graphs[np.unique(smallest, return_index=True)[1]]
    own = codes(graphs, tuple(range(vertices - 2)))
    return graphs, np.stack([codes(graphs, order) == own for order in orders], axis=1), orders


def cycles(order: tuple[int, ...]) -> int:
    seen: set[int] = set()
    count = 0
    for place in range(len(order)):
        count += place not in seen
        while place not in seen:
            seen.add(place)
            place = order[place]
    return count


def classes_by_burnside(vertices: int) -> int:
    """Labelled classes without listing any: for each shape, the mean over its automorphisms of the labellings they leave as they are."""
    _, automorphic, orders = shapes(vertices)
    fixed = np.array([3 ** cycles(order) for order in orders])
    left, automorphisms = automorphic @ fixed, automorphic.sum(1)
    assert not (left % automorphisms).any()
    return int((left // automorphisms).sum())


def hashes(vertices: int) -> set[str]:
    """The hashes of every shape with every choice of operations."""
    found = set()
    graphs, _, _ = shapes(vertices)
    for matrix in graphs.astype(int).tolist():
        for names in itertools.product(OPERATIONS, repeat=vertices - 2):
            found.add(SPACE.form(SPACE.from_matrix(matrix, ["input", *names, "output"])))
    return found


@pytest.mark.parametrize("vertices", [2, 3, 4, 5, 6])
def test_published_classes_of_up_to_six_vertices_by_burnside(vertices):
    assert classes_by_burnside(vertices) == CLASSES[vertices]


@pytest.mark.parametrize("vertices", [2, 3, 4, 5])
def test_hashes_of_up_to_five_vertices_are_the_classes(vertices):
    assert len(hashes(vertices)) == CLASSES[vertices]


@pytest.mark.slow
def test_published_number_of_cells_by_burnside():
    assert sum(classes_by_burnside(vertices) for vertices in CLASSES) == 423_624


@pytest.mark.slow
def test_published_number_of_cells_by_hashes():
    found = set().union(*(hashes(vertices) for vertices in CLASSES))
    assert len(found) == sum(CLASSES.values()) == 423_624


def test_all_choices_of_four_vertices_fall_into_91_classes():
    """Decoding every sequence gives the classes of 2, 3 and 4 vertices and nothing else."""
    space = get_space("nasbench101:vertices=4")
    sequences = itertools.product(*(range(decision.options) for decision in space.decisions))
    assert len({space.decode(choices).hash for choices in sequences}) == 1 + 6 + 84


def test_decisions_come_vertex_by_vertex():
    names = [decision.name for decision in get_space("nasbench101:vertices=4").decisions]
    assert names == ["vertex1", "edge0->1", "vertex2", "edge0->2", "edge1->2", "edge0->3", "edge1->3", "edge2->3"]
    assert (SPACE.size, len(SPACE.decisions)) == (2**21 * 3**5, 26)


def graph_of(architecture) -> nx.DiGraph:
    """The graph as chosen, by names of decisions."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(architecture.space.vertices))
    for decision, choice in zip(architecture.space.decisions, architecture.choices):
        if decision.name.startswith("edge") and choice:
            graph.add_edge(*map(int, decision.name[4:].split("->")))
    return graph


def pruned(graph: nx.DiGraph, output: int) -> nx.DiGraph:
    kept = (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, output) | {output})
    return nx.DiGraph(graph.subgraph(kept))


def repaired(graph: nx.DiGraph, output: int) -> nx.DiGraph:
    """The documented rule, step by step."""
    if not nx.has_path(graph, 0, output):
        return nx.DiGraph([(0, output)])
    graph = pruned(graph, output)
    while graph.number_of_edges() > 9:
        longest = max(target - source for source, target in graph.edges)
        graph.remove_edge(*min(edge for edge in graph.edges if edge[1] - edge[0] == longest))
        graph = pruned(graph, output)
        assert nx.has_path(graph, 0, output)
    return graph


@pytest.mark.parametrize("vertices", [3, 5, 6, 7])
def test_every_sequence_of_choices_stands_for_a_valid_graph(vertices):
    space, rng = NasBench101Space(vertices), np.random.default_rng(vertices)
    output, invalid = vertices - 1, 0
    for _ in range(300):
        architecture = Space.random(space, rng)
        graph = graph_of(architecture)
        valid = nx.has_path(graph, 0, output) and pruned(graph, output).number_of_edges() <= 9
        assert space.is_valid(architecture) == valid
        invalid += not valid
        expected = repaired(graph, output)
        cell = space.structure(architecture)
        assert len(cell.vertices) == len(expected) - 2
        assert sum(len(vertex.inputs) for vertex in cell.vertices) + len(cell.out) == expected.number_of_edges() <= 9
        spelled = graph_of(space.canonical(architecture))
        assert nx.is_isomorphic(pruned(spelled, output), expected)
    assert invalid > 30


def test_everything_joined_stands_for_its_nine_shortest_edges():
    """Six of length 1, and of length 2 those from the latest vertices."""
    everything = SPACE.decode([0 if decision.group == "operation" else 1 for decision in SPACE.decisions])
    inputs = [(0,), (1,), (2,), (2, 3), (3, 4)]
    assert SPACE.structure(everything) == VertexCell(tuple(Vertex(CONV3, states) for states in inputs), (4, 5))


def test_random_and_mutate_and_neighbours_give_valid_graphs():
    rng = np.random.default_rng(4)
    for _ in range(100):
        architecture = SPACE.random(rng)
        assert SPACE.is_valid(architecture)
        for child in (SPACE.mutate(architecture, rng), *itertools.islice(SPACE.neighbours(architecture), 5)):
            assert SPACE.is_valid(child)
            assert sum(one != other for one, other in zip(child.choices, architecture.choices)) == 1


def test_an_invalid_parent_mutates_as_the_valid_graph_it_stands_for():
    everything = SPACE.decode([0 if decision.group == "operation" else 1 for decision in SPACE.decisions])
    child = SPACE.mutate(everything, np.random.default_rng(0))
    assert SPACE.is_valid(child)
    parent = SPACE.canonical(everything)
    assert sum(one != other for one, other in zip(child.choices, parent.choices)) == 1


INCEPTION = [
    [0, 1, 1, 1, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0],
]
INCEPTION_OPERATIONS = ["input", CONV1, CONV3, CONV3, CONV3, POOL, "output"]


def test_specifications_of_the_benchmark_are_read():
    architecture = SPACE.from_matrix(INCEPTION, INCEPTION_OPERATIONS)
    text = f"1 {CONV1} [0]; 2 {CONV3} [0]; 3 {CONV3} [0]; 4 {CONV3} [3]; 5 {POOL} [0]; out [1,2,4,5]"
    assert SPACE.parse(text) == architecture
    small = SPACE.from_matrix([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["in", POOL, "out"])
    assert str(small) == f"1 {POOL} [0]; out [0,1]"


@pytest.mark.parametrize(
    ("matrix", "operations", "message"),
    [
        ([[0, 1], [1, 0]], ["input", "output"], "2 x 2 upper triangular"),
        ([[0, 1]], ["input", "output"], "2 x 2 upper triangular"),
        ([], [], "at least 2, input and output"),
        ([[0]], ["input"], "at least 2, input and output"),
        ([[0, 0], [0, 0]], ["input", "output"], "input reaches its output, with at most 9 edges"),
        (np.triu(np.ones((6, 6), int), 1).tolist(), ["input", *[CONV3] * 4, "output"], "at most 9 edges"),
        (
            [[0, 1, 0], [0, 0, 1], [0, 0, 0]],
            ["input", "conv3x3", "output"],
            "no operation 'conv3x3', did you mean 'conv",
        ),
        (
            np.triu(np.ones((8, 8), int), 1).tolist(),
            ["input", *[CONV3] * 6, "output"],
            "up to 5 interior vertices, got 6",
        ),
    ],
)
def test_specifications_of_another_space(matrix, operations, message):
    with pytest.raises(InputError, match=re.escape(message)):
        SPACE.from_matrix(matrix, operations)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends in what its output reads"),
        ("1 maxpool3x3 [0]", "ends in what its output reads"),
        ("2 maxpool3x3 [0]; out [1]", "expected a vertex like '1 conv3x3-bn-relu [0]'"),
        ("1 maxpool3x3 [1]; out [1]", "vertex 1 reads (1,); allowed: 0 to 0"),
        ("1 maxpool3x3 [0]; out [2]", "the output reads (2,); allowed: 0 to 1"),
    ],
)
def test_unreadable_text(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        SPACE.parse(text)


def test_descriptions_read_back_as_the_canonical_architecture():
    rng = np.random.default_rng(6)
    for _ in range(50):
        architecture = SPACE.random(rng)
        assert SPACE.parse(str(architecture)) == SPACE.canonical(architecture)


def test_dead_vertices_and_their_edges_do_not_matter():
    cell = VertexCell((Vertex(POOL, (0,)), Vertex(CONV1, (0, 1)), Vertex(CONV3, ())), (1,))
    assert SPACE.structure(SPACE.from_cell(cell)) == VertexCell((Vertex(POOL, (0,)),), (1,))
