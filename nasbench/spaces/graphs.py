"""Exact canonical order of small labelled directed acyclic graphs; the identity of architectures is built on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Edge = tuple[int, Any]  # (source, label); a source >= 0 is a node, a negative one is fixed, such as the image


def canonical_order(
    labels: Sequence[Any], inputs: Sequence[Sequence[Edge]], stages: Sequence[int] | None = None
) -> list[int]:
    """Put the nodes of a graph in canonical topological order; renumbered by it, isomorphic graphs are equal.

    Two graphs are isomorphic when a bijection of their nodes preserves labels, stages and the multiset of edges. Fixed
    sources are mapped to themselves.

    Nodes are sorted by stage, then depth (longest path from a source), then label, then by the nodes they read, then by
    colour refinement, which looks at the nodes they read and the nodes that read them. Where nodes are still tied, each
    of them is put first in turn, and the order with the smallest encoding is taken, so the result is exact. Twins
    (nodes with the same inputs and the same readers) and images under an automorphism that was found already are not
    tried again, so symmetric graphs take little time.

    Args:
        labels: one sortable value per node.
        inputs: the edges that end in each node, as (source, edge label), in any order; an edge may occur twice. A
            source that is a node comes before the node that reads it. Edge labels can be sorted among themselves.
        stages: one int per node, which the order follows first, and which never falls along an edge; None if all are
            equal.

    Returns:
        Indices of the nodes, first to last.

    Source: McKay 1981, Practical Graph Isomorphism: individualization and refinement, pruned by automorphisms.
    """
    count = len(labels)
    colours = _forward_colours(labels, inputs, stages or [0] * count)
    if len(set(colours)) < count:
        colours = _Search(inputs).run(colours)
    return sorted(range(count), key=colours.__getitem__)


def _forward_colours(labels: Sequence[Any], inputs: Sequence[Sequence[Edge]], stages: Sequence[int]) -> list[int]:
    """Colour each node by everything that it depends on; in most graphs, all nodes then differ in colour."""
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
    """Return how many keys are smaller than each key; equal keys share a rank."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    ranks = [0] * len(keys)
    for position, index in enumerate(order):
        tied = position and keys[order[position - 1]] == keys[index]
        ranks[index] = ranks[order[position - 1]] if tied else position
    return ranks


class _Search:
    """Distinguishes nodes of equal forward colour. A colour is the number of nodes of smaller colour."""

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
        """Put twins in any order: every permutation of them is an automorphism that leaves all other nodes in place."""
        seen: dict[tuple[Any, ...], int] = {}
        keys = []
        for node, colour in enumerate(colours):
            twins = (colour, tuple(sorted(self.inputs[node])), tuple(sorted(self.consumers[node])))
            keys.append((colour, seen.setdefault(twins, 0)))
            seen[twins] += 1
        return _ranks(keys)

    def _refine(self, colours: list[int]) -> list[int]:
        """Split colours by the colours of sources and readers, until no colour splits; the order of colours is kept."""
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
        """Visit the leaves of the search tree below a colouring, except those that are images of visited leaves.

        Args:
            colours: a refined colouring.
            path: the nodes that were chosen to be put first, one per level of the tree above.

        Returns:
            The depth at which the search continues. It is less than len(path) if an automorphism shows that the branch
            taken at that depth is an image of an earlier one.
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
        """Return all images of `nodes` under the automorphisms found so far that leave each node of `path` in place."""
        maps = [images for images in self.automorphisms if all(images[node] == node for node in path)]
        orbit, fresh = set(nodes), list(nodes)
        while fresh:
            node = fresh.pop()
            for images in maps:
                if images[node] not in orbit:
                    orbit.add(images[node])
                    fresh.append(images[node])
        return orbit
