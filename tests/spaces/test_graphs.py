"""The canonical order against brute force, on random, symmetric and adversarial graphs."""

from __future__ import annotations

import itertools
import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.spaces.graphs import canonical_order


def encoding(labels, inputs, stages=None):
    order = canonical_order(labels, inputs, stages)
    assert sorted(order) == list(range(len(labels)))
    place = {node: position for position, node in enumerate(order)}
    for node, edges in enumerate(inputs):
        assert all(source < 0 or place[source] < place[node] for source, _ in edges), "not topological"
    return [(labels[v], tuple(sorted((place.get(s, s), e) for s, e in inputs[v]))) for v in order]


def relabelled(labels, inputs, rng):
    """The same graph with its nodes in another random topological order."""
    remaining, order = set(range(len(labels))), []
    while remaining:
        ready = [v for v in sorted(remaining) if all(s < 0 or s not in remaining for s, _ in inputs[v])]
        order.append(ready[int(rng.integers(len(ready)))])
        remaining.discard(order[-1])
    place = {node: position for position, node in enumerate(order)}
    shuffled = [[(place.get(s, s), e) for s, e in inputs[v]] for v in order]
    for edges in shuffled:
        rng.shuffle(edges)
    return [labels[v] for v in order], [[(int(s), int(e)) for s, e in edges] for edges in shuffled]


def as_networkx(labels, inputs):
    graph = nx.DiGraph()
    for node, label in enumerate(labels):
        graph.add_node(node, label=("node", label))
        for number, (source, edge) in enumerate(inputs[node]):
            if source < 0:
                graph.add_node(source, label=("fixed", source))
            graph.add_node((node, number), label=("edge", edge))
            graph.add_edge(source, (node, number))
            graph.add_edge((node, number), node)
    return graph


def isomorphic(one, other):
    return nx.is_isomorphic(as_networkx(*one), as_networkx(*other), node_match=lambda a, b: a["label"] == b["label"])


@st.composite
def graphs(draw, max_nodes=7):
    count = draw(st.integers(0, max_nodes))
    labels = [draw(st.integers(0, 1)) for _ in range(count)]
    edge = lambda node: st.tuples(st.integers(-2, node - 1), st.integers(0, 1))  # noqa: E731
    return labels, [draw(st.lists(edge(node), max_size=3)) for node in range(count)]


@settings(max_examples=300, deadline=None)
@given(graphs(), st.integers(0, 2**32))
def test_relabelling_keeps_the_encoding(graph, seed):
    assert encoding(*graph) == encoding(*relabelled(*graph, np.random.default_rng(seed)))


@settings(max_examples=300, deadline=None)
@given(graphs(), st.integers(0, 2**32))
def test_near_misses_agree_with_brute_force(graph, seed):
    rng = np.random.default_rng(seed)
    labels, inputs = relabelled(*graph, rng)
    if labels:
        node = int(rng.integers(len(labels)))
        inputs[node] = [(int(rng.integers(-2, node)), int(rng.integers(2))) for _ in range(max(1, len(inputs[node])))]
    assert (encoding(*graph) == encoding(labels, inputs)) == isomorphic(graph, (labels, inputs))


def test_all_graphs_of_four_nodes_fall_into_their_isomorphism_classes():
    """Every subset of the six edges and of a fixed source's four: as many encodings as brute-force classes."""
    pairs = [(source, node) for node in range(4) for source in range(-1, node)]
    smallest = set()
    encodings = set()
    for chosen in itertools.product((0, 1), repeat=len(pairs)):
        edges = {pair for pair, bit in zip(pairs, chosen) if bit}
        inputs = [[(s, 0) for s, v in sorted(edges) if v == node] for node in range(4)]
        encodings.add(tuple(encoding([0] * 4, inputs)))
        images = (
            tuple(sorted((s if s < 0 else order[s], order[v]) for s, v in edges))
            for order in itertools.permutations(range(4))
        )
        smallest.add(min(images))
    assert len(encodings) == len(smallest)


def circulant(size, shifts):
    """Two levels, each node of the second reading the first at the given shifts: regular, so refinement alone splits nothing."""
    second = [[((node + shift) % size, 0) for shift in shifts] for node in range(size)]
    return [0] * (2 * size), [[(-1, 0)] for _ in range(size)] + second


def disjoint(*graphs):
    labels, inputs = [], []
    for size, shifts in graphs:
        offset = len(labels)
        more_labels, more = circulant(size, shifts)
        inputs += [[(s + offset if s >= 0 else s, e) for s, e in edges] for edges in more]
        labels += more_labels
    order = sorted(range(len(labels)), key=lambda v: inputs[v] != [(-1, 0)])
    place = {node: position for position, node in enumerate(order)}
    return labels, [[(place.get(s, s), e) for s, e in inputs[v]] for v in order]


def test_regular_graphs_that_refinement_cannot_tell_apart():
    """A cycle of 12, two of 6, one of 4 and one of 8 (as bipartite graphs): each node of a level looks alike to refinement."""
    rng = np.random.default_rng(0)
    shapes = [disjoint((6, (0, 1))), disjoint((3, (0, 1)), (3, (0, 1))), disjoint((2, (0, 1)), (4, (0, 1)))]
    found = [encoding(*shape) for shape in shapes]
    assert len({tuple(code) for code in found}) == 3
    for shape, code in zip(shapes, found):
        assert all(encoding(*relabelled(*shape, rng)) == code for _ in range(20))
    uneven = disjoint((3, (0, 1)), (4, (0, 1)))  # the first node tried may lie in the cycle of 6 or in that of 8
    assert all(encoding(*relabelled(*uneven, rng)) == encoding(*uneven) for _ in range(20))
    assert encoding(*circulant(7, (0, 1, 3))) != encoding(*circulant(7, (0, 1, 2)))  # the Fano plane and another


def test_stage_dominates_depth_and_label():
    labels, inputs = ["z", "a", "b"], [[(-1, 0)], [(0, 0)], [(-1, 0)]]
    assert canonical_order(labels, inputs, [0, 0, 1]) == [0, 1, 2]
    assert canonical_order(labels, inputs) == [2, 0, 1]


def chains(count, length):
    return [0] * (count * length), [[(v - count if v >= count else -1, 0)] for v in range(count * length)]


SYMMETRIC = {
    "39 twins": ([0] * 39, [[(-1, 0)]] * 39),
    "13 chains of 3": chains(13, 3),
    "19 chains of 2": chains(19, 2),
    "7 chains of 2": chains(7, 2),
    "binary tree": ([0] * 31, [[(-1, 0)]] + [[((v - 1) // 2, 0)] for v in range(1, 31)]),
    "hypercube": ([0] * 32, [[(v ^ (1 << bit), 0) for bit in range(5) if v >> bit & 1] for v in range(32)]),
    "circulant": circulant(19, (0, 1, 3)),
    "cycles": disjoint(*[(3, (0, 1))] * 6),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_graphs_are_exact_and_fast(name):
    graph = SYMMETRIC[name]
    started = time.process_time()
    code = encoding(*graph)
    assert time.process_time() - started < 0.5
    rng = np.random.default_rng(1)
    assert all(encoding(*relabelled(*graph, rng)) == code for _ in range(3))
