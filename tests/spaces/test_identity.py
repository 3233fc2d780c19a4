"""Hashes against brute-force isomorphism: graphs made here from the raw choices by code that shares nothing with the spaces'."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.spaces import get_space
from nasbench.spaces.nasbench201 import NasBench201Space


def named(space, choices):
    """Decision name -> label of the choice."""
    return {d.name: d.labels[c] for d, c in zip(space.decisions, choices)}


def same(one, other):
    return nx.is_isomorphic(one, other, node_match=lambda a, b: a["is"] == b["is"], edge_match=lambda a, b: a == b)


def cell_graph(space, chosen, cell):
    """Nodes: p, c, blocks, one per operation, and the output; without what the output does not depend on."""
    combinations = getattr(space, "combinations", ("add",))
    graph = nx.DiGraph()
    for state in ("p", "c", "out"):
        graph.add_node(state, **{"is": state})
    read = set()
    for number in range(1, space.blocks + 1):
        block = f"b{number}"
        combine = chosen.get(f"{cell}/block{number}/combine", combinations[0])
        graph.add_node(block, **{"is": combine})
        for side in ("left", "right"):
            source, operation = chosen[f"{cell}/block{number}/{side}"], chosen[f"{cell}/block{number}/{side}_op"]
            graph.add_node((block, side), **{"is": operation})
            graph.add_edge(source, (block, side))
            graph.add_edge((block, side), block)
            read.add(source)
    blocks = [f"b{number}" for number in range(1, space.blocks + 1)]
    out = [state for state in ("p", "c", *blocks) if chosen.get(f"{cell}/output/{state}") == "yes"]
    rules = {
        "pnas": blocks,
        "enas-micro": [state for state in ("p", "c", *blocks) if state not in read],
    }
    for state in out or rules.get(space.name, [block for block in blocks if block not in read]):
        graph.add_edge(state, "out")
    return graph.subgraph(nx.ancestors(graph, "out") | {"p", "c", "out"})


def cells_of(space):
    return ("cell",) if space.name == "pnas" else ("normal", "reduction")


def nasnet_same(one, other):
    pairs = [(a.space, named(a.space, a.choices)) for a in (one, other)]
    cells = cells_of(one.space)
    return all(same(*[cell_graph(space, chosen, cell) for space, chosen in pairs]) for cell in cells)


def nas_graph(space, choices):
    chosen = named(space, choices)
    graph = nx.DiGraph()
    graph.add_node(0, **{"is": "image"})
    first_of_stage = {"v3": {13: (4, 8), 6: (2, 4), 4: (1, 2)}}.get(space.variant, {}).get(space.layers, ())
    for layer in range(1, space.layers + 1):
        parts = tuple(chosen.get(f"layer{layer}/{part}") for part in
                      ("filter_height", "filter_width", "stride_height", "stride_width", "filters"))  # fmt: skip
        graph.add_node(layer, **{"is": (parts, sum(layer > position for position in first_of_stage))})
        sources = [s for s in range(1, layer) if chosen.get(f"layer{layer}/skip{s}") == "yes"]
        if space.chain == "forced" and layer > 1:
            sources.append(layer - 1)
        for source in sources or [0]:
            graph.add_edge(source, layer)
    return graph


def nas_same(one, other):
    return same(*[nas_graph(a.space, a.choices) for a in (one, other)])


def macro_graph(space, choices):
    """Stem, layers and operations; a layer joins its operation with its skips."""
    chosen = named(space, choices)
    graph = nx.DiGraph()
    graph.add_node(0, **{"is": "stem"})
    first_of_stage = {12: (4, 8), 5: (1, 2)}[space.layers]
    for layer in range(1, space.layers + 1):
        graph.add_node(layer, **{"is": sum(layer > position for position in first_of_stage)})
        graph.add_node(("op", layer), **{"is": chosen[f"layer{layer}/operation"]})
        graph.add_edges_from([(layer - 1, ("op", layer)), (("op", layer), layer)])
        for state in range(layer - 1):
            if chosen[f"layer{layer}/skip{state}"] == "yes":
                graph.add_edge(state, layer)
    return graph


def macro_same(one, other):
    return same(*[macro_graph(a.space, a.choices) for a in (one, other)])


def respelled_macro(architecture, rng):
    """There is no other spelling."""
    return architecture.space.decode(architecture.choices)


def vertex_graph(space, choices):
    """Input, output, operations; without what is on no path. For valid graphs only."""
    chosen, output = named(space, choices), space.vertices - 1
    graph = nx.DiGraph()
    graph.add_node(0, **{"is": "input"})
    graph.add_node(output, **{"is": "output"})
    for vertex in range(1, output):
        graph.add_node(vertex, **{"is": chosen[f"vertex{vertex}"]})
    graph.add_edges_from((s, t) for t in range(1, space.vertices) for s in range(t) if chosen[f"edge{s}->{t}"] == "yes")
    return graph.subgraph((nx.descendants(graph, 0) & nx.ancestors(graph, output)) | {0, output})


def vertex_same(one, other):
    return same(*[vertex_graph(a.space, a.choices) for a in (one, other)])


def permuted_vertices(architecture, rng):
    """The same graph with its interior vertices in another topological order."""
    space = architecture.space
    chosen, output = named(space, architecture.choices), space.vertices - 1
    reads = {t: {s for s in range(t) if chosen[f"edge{s}->{t}"] == "yes"} for t in range(1, space.vertices)}
    order, waiting = [0], list(range(1, output))
    while waiting:
        ready = [vertex for vertex in waiting if not reads[vertex] & set(waiting)]
        order.append(ready[int(rng.integers(len(ready)))])
        waiting.remove(order[-1])
    place = {old: new for new, old in enumerate([*order, output])}
    result = {f"vertex{place[vertex]}": chosen[f"vertex{vertex}"] for vertex in range(1, output)}
    pairs = {(place[s], place[t]) for t in reads for s in reads[t]}
    for t in range(1, space.vertices):
        result |= {f"edge{s}->{t}": "yes" if (s, t) in pairs else "no" for s in range(t)}
    return space.decode([d.labels.index(result[d.name]) for d in space.decisions])


def edge_graph(choices):
    """Operations joined with the number of ways in which skips lead from one to the next (powers of the skip matrix)."""
    edges = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]
    labels = ("none", "skip", "conv1", "conv3", "pool")
    skips = np.zeros((4, 4), int)
    for (node, source), choice in zip(edges, choices):
        skips[source, node] = labels[choice] == "skip"
    ways = sum(np.linalg.matrix_power(skips, power) for power in range(4))
    ports = {"in": (None, 0), "out": (3, None)}
    graph = nx.DiGraph()
    for name in ports:
        graph.add_node(name, **{"is": name})
    for (node, source), choice in zip(edges, choices):
        if labels[choice] not in ("none", "skip"):
            ports[node, source] = (source, node)
            graph.add_node((node, source), **{"is": labels[choice]})
    for one, (_, leaves) in ports.items():
        for other, (enters, _) in ports.items():
            if leaves is not None and enters is not None and ways[leaves, enters]:
                graph.add_edge(one, other, ways=int(ways[leaves, enters]))
    return graph.subgraph((nx.descendants(graph, "in") & nx.ancestors(graph, "out")) | {"in", "out"})


def edge_same(one, other):
    return same(edge_graph(one.choices), edge_graph(other.choices))


def permuted_cells(architecture, rng):
    """The same cells with blocks in another topological order and operands swapped at random, spelled decision by decision."""
    space = architecture.space
    chosen, result = named(space, architecture.choices), {}
    for cell in cells_of(space):
        waiting, new_name = list(range(1, space.blocks + 1)), {"p": "p", "c": "c"}
        while waiting:
            ready = [
                b for b in waiting if all(chosen[f"{cell}/block{b}/{side}"] in new_name for side in ("left", "right"))
            ]
            old = ready[int(rng.integers(len(ready)))]
            waiting.remove(old)
            new = space.blocks - len(waiting)
            sides = ("left", "right") if rng.integers(2) else ("right", "left")
            for side, old_side in zip(("left", "right"), sides):
                result[f"{cell}/block{new}/{side}"] = new_name[chosen[f"{cell}/block{old}/{old_side}"]]
                result[f"{cell}/block{new}/{side}_op"] = chosen[f"{cell}/block{old}/{old_side}_op"]
            result[f"{cell}/block{new}/combine"] = chosen.get(f"{cell}/block{old}/combine")
            new_name[f"b{old}"] = f"b{new}"
        for old, new in new_name.items():
            result[f"{cell}/output/{new}"] = chosen.get(f"{cell}/output/{old}")
    return space.decode([d.labels.index(result[d.name]) for d in space.decisions])


def permuted_layers(architecture, rng):
    """The same stack with layers in another order that keeps stages and lets every layer come after what it reads."""
    space = architecture.space
    chosen, graph = named(space, architecture.choices), nas_graph(space, architecture.choices)
    waiting, order = list(range(1, space.layers + 1)), []
    while waiting:
        stage = min(graph.nodes[layer]["is"][1] for layer in waiting)
        ready = [
            v for v in waiting if graph.nodes[v]["is"][1] == stage and not set(graph.predecessors(v)) & set(waiting)
        ]
        order.append(ready[int(rng.integers(len(ready)))])
        waiting.remove(order[-1])
    new_of = {old: new for new, old in enumerate(order, 1)}
    result = {}
    for old, new in new_of.items():
        for part in ("filter_height", "filter_width", "stride_height", "stride_width", "filters"):
            result[f"layer{new}/{part}"] = chosen.get(f"layer{old}/{part}")
        for source in range(1, space.layers + 1):
            result[f"layer{new}/skip{new_of[source]}"] = "yes" if graph.has_edge(source, old) else "no"
    return space.decode([d.labels.index(result[d.name]) for d in space.decisions])


def respelled_edges(architecture, rng):
    """Another cell of the class when there is one: nodes 1 and 2 exchanged where no edge joins them."""
    none_between, choices = architecture.choices[2] == 0, list(architecture.choices)
    if none_between:
        choices = [choices[1], choices[0], 0, choices[3], choices[5], choices[4]]
    return architecture.space.decode(choices)


SPACES = {
    "nasnet:blocks=3,operations=identity/sep_conv_3x3": (nasnet_same, permuted_cells),
    "nasnet:blocks=4,operations=identity/sep_conv_3x3,combinations=add": (nasnet_same, permuted_cells),
    "nasnet:blocks=3,operations=identity/avg_pool_3x3,output=explicit": (nasnet_same, permuted_cells),
    "nasnet:blocks=4,operations=identity,combinations=add,output=explicit": (nasnet_same, permuted_cells),
    "nasnet": (nasnet_same, permuted_cells),
    "pnas:blocks=3,operations=identity/sep_conv_3x3": (nasnet_same, permuted_cells),
    "enas-micro:blocks=3": (nasnet_same, permuted_cells),
    "amoebanet:output=explicit": (nasnet_same, permuted_cells),
    "nas:layers=5,kernels=3,filters=8/16": (nas_same, permuted_layers),
    "nas:layers=4,variant=v2,kernels=3,filters=8,strides=1/2": (nas_same, permuted_layers),
    "nas:layers=6,variant=v3,kernels=3,filters=8": (nas_same, permuted_layers),
    "nas:layers=4,chain=forced,kernels=1/3,filters=8": (nas_same, permuted_layers),
    "nas": (nas_same, permuted_layers),
    "enas-macro:layers=5": (macro_same, respelled_macro),
    "enas-macro": (macro_same, respelled_macro),
    "nasbench101": (vertex_same, permuted_vertices),
    "nasbench101:vertices=5": (vertex_same, permuted_vertices),
    "nasbench201": (edge_same, respelled_edges),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("spec", SPACES)
def test_equal_hash_exactly_when_isomorphic(spec):
    """Random pairs, permuted spellings (equal) and one or two changes after a permutation (near misses; sometimes equal)."""
    space, (is_same, respell) = get_space(spec), SPACES[spec]
    rng = np.random.default_rng(7)
    outcomes = {True: 0, False: 0}
    previous = space.random(rng)
    for _ in range(150):
        architecture = space.random(rng)
        respelled = respell(architecture, rng)
        near = space.mutate(respelled, rng)
        further = space.mutate(near, rng)
        assert architecture.hash == respelled.hash
        for other in (previous, respelled, near, further, space.canonical(near)):
            expected = is_same(architecture, other)
            assert (architecture.hash == other.hash) == expected, f"{architecture.choices} and {other.choices}"
            outcomes[expected] += 1
        previous = architecture
    assert min(outcomes.values()) >= 140, outcomes


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("spec", "is_same"),
    [
        ("nasnet:blocks=2,operations=identity/sep_conv_3x3,combinations=add", nasnet_same),
        ("nas:layers=3,kernels=3,filters=8/16", nas_same),
    ],
)
def test_small_space_falls_into_its_classes(spec, is_same):
    """Every architecture of a class is isomorphic to its first, and the firsts of different classes are not isomorphic."""
    space = get_space(spec)
    rng = np.random.default_rng(3)
    classes: dict[str, object] = {}
    for _ in range(400):
        architecture = space.random(rng)
        assert is_same(classes.setdefault(architecture.hash, architecture), architecture)
    firsts = list(classes.values())[:45]
    assert not any(is_same(one, other) for index, one in enumerate(firsts) for other in firsts[:index])


@pytest.mark.slow
def test_every_nasbench201_cell_against_brute_force():
    """All 15,625: one networkx graph per hash class, each cell compared with its class, classes compared in buckets."""
    classes: dict[str, nx.DiGraph] = {}
    for architecture in NasBench201Space().enumerate():
        graph = edge_graph(architecture.choices)
        assert same(classes.setdefault(architecture.hash, graph), graph), str(architecture)
    buckets: dict[object, list[nx.DiGraph]] = {}
    for graph in classes.values():
        degree = {v: tuple(sorted(e["ways"] for _, _, e in graph.in_edges(v, data=True))) for v in graph}
        key = tuple(sorted((str(graph.nodes[v]["is"]), degree[v], graph.out_degree(v)) for v in graph))
        buckets.setdefault(key, []).append(graph)
    for graphs in buckets.values():
        assert not any(same(one, other) for index, one in enumerate(graphs) for other in graphs[:index])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
def test_hash_does_not_depend_on_the_spelling(spec, seed):
    space, (_, respell) = get_space(spec), SPACES[spec]
    rng = np.random.default_rng(seed)
    architecture = space.random(rng)
    respelled = respell(architecture, rng)
    assert respelled.hash == architecture.hash
    assert space.canonical(respelled) == space.canonical(architecture)
    assert space.structure(respelled) == space.structure(architecture)
