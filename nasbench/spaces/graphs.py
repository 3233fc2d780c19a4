"""Exact canonical order of small labelled directed acyclic graphs: the ground of every architecture's identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Edge = tuple[int, Any]  # (source, label); a source >= 0 is a node, a negative one a fixed source such as the image


def canonical_order(
    labels: Sequence[Any], inputs: Sequence[Sequence[Edge]], stages: Sequence[int] | None = None
) -> list[int]:
    """The canonical topological order of a graph: relabelling the nodes of isomorphic graphs by it makes them equal.

    Two graphs are isomorphic when a bijection of their nodes keeps labels, stages and the multiset of edges; fixed sources are
    themselves. Nodes come by stage, then by depth (longest path from a source), then by label, then by what they read, then by
    colour refinement (what they read and who reads them). Nodes still tied are distinguished by trying each in turn and taking the
    smallest encoding, so the result is exact; twins (nodes that read and are read alike) and automorphisms found on the way are
    not tried twice, so symmetry costs little.

    Args:
        labels: one sortable value per node.
        inputs: per node its edges (source, edge label), a multiset in any order. Node sources come before the node; edge labels
            sort among themselves.
        stages: one int per node that dominates the order and never falls along an edge; all equal when None.

    Returns:
        Node indices, first to last.

    Source: individualisation and refinement with pruning by automorphisms, McKay, Practical Graph Isomorphism (1981).
    """
    count = len(labels)
    colours = _forward_colours(labels, inputs, stages or [0] * count)
    if len(set(colours)) < count:
        colours = _Search(inputs).run(colours)
    return sorted(range(count), key=colours.__getitem__)


def _forward_colours(labels: Sequence[Any], inputs: Sequence[Sequence[Edge]], stages: Sequence[int]) -> list[int]:
    """Colours by all that feeds a node; in most graphs that alone tells every node apart."""
    depths: list[int] = []
    levels: dict[tuple[int, int], list[int]] = {}
    for node, edges in enumerate(inputs):
        depth = 1 + max([depths[source] for source, _ in edges if source >= 0], default=-1)
        depths.append(depth)
        levels.setdefault((stages[node], depth), []).append(node)
    colours = [0] * len(labels)
    start = 0
    for _, members in sorted(levels.items()):
        keys = [(labels[node], _coloured(inputs[node], colours)) for node in members] if len(members) > 1 else [0]
        for node, rank in zip(members, _ranks(keys)):
            colours[node] = start + rank
        start += len(members)
    return colours


def _coloured(edges: Sequence[Edge], colours: Sequence[int]) -> list[Edge]:
    return sorted([(colours[node] if node >= 0 else node, label) for node, label in edges])


def _ranks(keys: Sequence[Any]) -> list[int]:
    """For each key, how many keys are smaller: equal keys share a rank."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    ranks = [0] * len(keys)
    for position, index in enumerate(order):
        tied = position and keys[order[position - 1]] == keys[index]
        ranks[index] = ranks[order[position - 1]] if tied else position
    return ranks


class _Search:
    """Tells apart the nodes that forward colours tie. A colour is the number of nodes of smaller colour."""

    def __init__(self, inputs: Sequence[Sequence[Edge]]) -> None:
        self.inputs = inputs
        self.consumers: list[list[Edge]] = [[] for _ in inputs]
        for node, edges in enumerate(inputs):
            for source, label in edges:
                if source >= 0:
                    self.consumers[source].append((node, label))
        self.leaves: dict[tuple[tuple[Edge, ...], ...], tuple[list[int], tuple[int, ...]]] = {}
        self.automorphisms: list[list[int]] = []

    def run(self, colours: list[int]) -> list[int]:
        self._explore(self._refine(self._split_twins(colours)), ())
        return self.leaves[min(self.leaves)][0]

    def _split_twins(self, colours: list[int]) -> list[int]:
        """Order twins arbitrarily: every permutation of them is an automorphism that leaves all other nodes in place."""
        seen: dict[tuple[Any, ...], int] = {}
        keys = []
        for node, colour in enumerate(colours):
            twins = (colour, tuple(sorted(self.inputs[node])), tuple(sorted(self.consumers[node])))
            keys.append((colour, seen.setdefault(twins, 0)))
            seen[twins] += 1
        return _ranks(keys)

    def _refine(self, colours: list[int]) -> list[int]:
        """Split colours by the colours of sources and consumers until nothing splits any more; keeps the order of colours."""
        while True:
            sizes = [0] * len(colours)
            for colour in colours:
                sizes[colour] += 1
            refined = _ranks(
                [
                    (colour, _coloured(self.inputs[node], colours), _coloured(self.consumers[node], colours))
                    if sizes[colour] > 1
                    else (colour,)
                    for node, colour in enumerate(colours)
                ]
            )
            if refined == colours:
                return colours
            colours = refined

    def _explore(self, colours: list[int], path: tuple[int, ...]) -> int:
        """Visit all leaves below a colouring that are not images of visited ones.

        Args:
            colours: a refined colouring.
            path: the nodes distinguished by choice so far.

        Returns:
            The depth at which the search goes on: less than len(path) when an automorphism shows that the branch taken at that
            depth is an image of an earlier one.
        """
        tied = self._first_tie(colours)
        if not tied:
            return self._leaf(colours, path)
        tried: set[int] = set()
        for node in tied:
            if node in self._orbit(tried, path):
                continue
            apart = [colour + (colour == colours[node] and other != node) for other, colour in enumerate(colours)]
            depth = self._explore(self._refine(apart), (*path, node))
            if depth < len(path):
                return depth
            tried.add(node)
        return len(path)

    def _first_tie(self, colours: list[int]) -> list[int]:
        members: dict[int, list[int]] = {}
        for node, colour in enumerate(colours):
            members.setdefault(colour, []).append(node)
        return next((nodes for _, nodes in sorted(members.items()) if len(nodes) > 1), [])

    def _leaf(self, colours: list[int], path: tuple[int, ...]) -> int:
        order = sorted(range(len(colours)), key=colours.__getitem__)
        encoding = tuple(tuple(_coloured(self.inputs[node], colours)) for node in order)
        if encoding not in self.leaves:
            self.leaves[encoding] = (colours, path)
            return len(path)
        seen, seen_path = self.leaves[encoding]
        image = {position: node for node, position in enumerate(colours)}
        self.automorphisms.append([image[position] for position in seen])
        return next(depth for depth, (one, other) in enumerate(zip(path, seen_path)) if one != other)

    def _orbit(self, nodes: set[int], path: tuple[int, ...]) -> set[int]:
        """All images of `nodes` under the known automorphisms that leave each node of `path` in place."""
        maps = [images for images in self.automorphisms if all(images[node] == node for node in path)]
        orbit, fresh = set(nodes), list(nodes)
        while fresh:
            node = fresh.pop()
            for images in maps:
                if images[node] not in orbit:
                    orbit.add(images[node])
                    fresh.append(images[node])
        return orbit
