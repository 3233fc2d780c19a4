"""Encodings of architectures as counted features, and as arrays for predictors. No torch."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError
from nasbench.runners.strategies.predictors.operation_graphs import OUTPUT, OperationGraph, operation_graph
from nasbench.spaces.base import Architecture, Space

Encoding = Literal["auto", "path", "adjacency", "wl"]
Bag = Mapping[str, float]
FloatArray = NDArray[np.float64]

LONGEST_PATH = 6  # operations of a path; all paths of cells with five blocks are shorter


def features(architecture: Architecture, encoding: Encoding, iterations: int = 2) -> Bag:
    """Return the features of an architecture.

    Args:
        architecture: any architecture.
        encoding: "path" for the paths of its graph (`path_features`), "adjacency" for its decisions
            (`decision_features`), "wl" for neighbourhoods of its graph (`neighbourhood_features`), "auto" for the paths
            of cells and for the decisions elsewhere.
        iterations: of "wl", >= 0.

    Returns:
        Feature -> count; features that are not there count 0.

    Raises:
        InputError: when the space has no graphs of the kind that the encoding needs.
    """
    if encoding == "adjacency":
        return decision_features(architecture)
    graph = operation_graph(architecture)
    if encoding == "auto":
        return decision_features(architecture) if graph is None or not graph.cells else path_features(graph)
    if graph is None or (encoding == "path" and not graph.cells):
        needs = "cells" if encoding == "path" else "networks"
        raise InputError(
            f"the encoding {encoding!r} needs a space of {needs}, got {architecture.space.spec!r}; take 'adjacency' or 'auto'"
        )
    return path_features(graph) if encoding == "path" else _neighbourhoods(graph, iterations)


def require_encoding(space: Space, encoding: Encoding) -> None:
    """Refuse an encoding that a space does not have, before anything is trained.

    Args:
        space: the searched space.
        encoding: see `features`.

    Raises:
        InputError: see `features`.
    """
    features(space.decode([0] * len(space.decisions)), encoding)


def decision_features(architecture: Architecture) -> Bag:
    """Return one feature per decision: its choice. In spaces of edges, this is the adjacency matrix with operations.

    Args:
        architecture: any architecture.

    Returns:
        "decision=choice" -> 1.

    Source: White et al. 2019 (1910.11858), the adjacency encoding, in its one-hot form.
    """
    return {f"{place}={choice}": 1.0 for place, choice in enumerate(architecture.choices)}


def path_features(graph: OperationGraph) -> Bag:
    """Return one feature per path from an input to an output: the operations on it, in order.

    Args:
        graph: a graph of cells.

    Returns:
        "input>operation>...>output" -> 1. Paths of more than `LONGEST_PATH` operations are left out.

    Source: White et al. 2019 (1910.11858), section 4, the path encoding.
    Deviation: in cells of NAS-Bench-201 the released code has identity and zero as operations on paths; here the paths
    are those of what is trained, so that architectures of equal hash have equal encodings. The vector has a place for
    each path that was seen, where the paper has one for each that is possible.
    """
    paths: list[set[str]] = []
    ends: set[str] = set()
    for label, sources in zip(graph.labels, graph.sources):
        if not sources and not label.endswith(OUTPUT):
            paths.append({label})
            continue
        found = {f"{path}>{label}" for source in sources for path in paths[source]}
        if label.endswith(OUTPUT):
            ends |= {path for path in found if path.count(">") <= LONGEST_PATH + 1}
        paths.append({path for path in found if path.count(">") <= LONGEST_PATH})
    return dict.fromkeys(sorted(ends), 1.0)


def neighbourhood_features(graph: OperationGraph, iterations: int) -> Bag:
    """Count the neighbourhoods of up to `iterations` steps: the feature vector of Weisfeiler and Lehman.

    In every iteration, the label of a node becomes its label together with the sorted labels of the nodes that read it.

    Args:
        graph: a graph.
        iterations: number of steps, >= 0; 0 counts the operations.

    Returns:
        "iteration:label" -> number of nodes.

    Source: Shervashidze et al. 2011 (JMLR 12), the subtree kernel; Ru et al. 2020 (2006.07556), whose released code
    looks at the nodes that read a node.
    """
    readers: list[list[int]] = [[] for _ in graph.labels]
    for node, sources in enumerate(graph.sources):
        for source in sources:
            readers[source].append(node)
    labels = list(graph.labels)
    counts: Counter[str] = Counter(f"0:{label}" for label in labels)
    for iteration in range(1, iterations + 1):
        labels = [
            _digest(f"{labels[node]}|{','.join(sorted(labels[reader] for reader in readers[node]))}")
            for node in range(len(labels))
        ]
        counts.update(f"{iteration}:{label}" for label in labels)
    return {name: float(count) for name, count in counts.items()}


@lru_cache(maxsize=16384)
def _neighbourhoods(graph: OperationGraph, iterations: int) -> Bag:
    """Return `neighbourhood_features`, which a model asks for again at each of its fits."""
    return neighbourhood_features(graph, iterations)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Columns:
    """The columns of an array of features.

    Args:
        bags: the features of the architectures from which a predictor learns; features that none of them has get no
            column, because nothing can be learned about them.
    """

    def __init__(self, bags: Iterable[Bag]) -> None:
        self._place = {name: place for place, name in enumerate(sorted({name for bag in bags for name in bag}))}

    def __len__(self) -> int:
        return len(self._place)

    def matrix(self, bags: Sequence[Bag]) -> FloatArray:
        """Write features as an array.

        Args:
            bags: the features of n architectures.

        Returns:
            [n, columns], the counts.
        """
        rows = np.zeros((len(bags), len(self._place)))
        for row, bag in zip(rows, bags):
            for name, count in bag.items():
                if name in self._place:
                    row[self._place[name]] = count
        return rows
