"""Ensembles of regression trees as arrays, and their evaluation for many networks at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.tabular.surrogates.compiled import Nodes, compiled

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

MOST_NODES = 4_000_000
MOST_TREES = 20_000
DEEPEST = 64
_CELLS = 1 << 15
"""Trees times networks that are evaluated together: their arrays fit in a processor's cache."""
_PATIENCE = 3.0
"""Seconds of numpy's work on an ensemble after which it is compiled: about what a compilation takes, so that neither choice can
take more than twice the time of the other."""
_KINDS: dict[str, Any] = {
    "roots": np.int32,
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "value": np.float64,
}
"""Types of the arrays, which machine code reads without asking."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A sum of trees. A node sends a network to `left` if its feature is at most the threshold, else to `left` + 1.

    A leaf is its own `left`, with the threshold infinity.

    Args:
        base: what is added to the sum.
        roots: ints [trees], the first node of each tree.
        feature: ints [nodes], index of the feature that a node compares; 0 in a leaf.
        threshold: [nodes], finite in a node that splits, infinity in a leaf.
        left: ints [nodes]; larger than the node's own number, or that number in a leaf.
        value: [nodes], what a leaf adds, weighted; 0 in other nodes.

    Raises:
        ValueError: when the arrays are no trees; the message says why.
    """

    base: float
    roots: IntArray
    feature: IntArray
    threshold: FloatArray
    left: IntArray
    value: FloatArray
    _worked: list[float] = field(default_factory=lambda: [0.0], init=False, repr=False)  # seconds of numpy so far

    def __getstate__(self) -> dict[str, Any]:
        """What is copied to other processes: machine code stays here."""
        return {name: value for name, value in self.__dict__.items() if name != "compiled"}

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            given = getattr(self, name)
            values = np.ascontiguousarray(given, dtype=kind)
            if kind is np.int32 and not np.array_equal(values, given):
                raise ValueError(f"{name} are not whole numbers of 32 bits")
            object.__setattr__(self, name, values)
        nodes, trees = len(self.feature), len(self.roots)
        if not 1 <= trees <= MOST_TREES or not trees <= nodes <= MOST_NODES:
            raise ValueError(f"{trees} trees of {nodes} nodes; at most {MOST_TREES} of {MOST_NODES}")
        if {len(self.threshold), len(self.left), len(self.value)} != {nodes}:
            raise ValueError("the arrays of nodes differ in length")
        here = np.arange(nodes)
        leaf = self.left == here
        if (self.left < here).any() or (self.left[~leaf] >= nodes - 1).any():
            raise ValueError("a node's branches do not come after it")
        below = self.left[~leaf].astype(np.int64)
        if not np.array_equal(np.sort(np.concatenate([self.roots, below, below + 1])), here):
            raise ValueError("a node is not in exactly one tree")
        if self.feature.min() < 0:
            raise ValueError("a feature is negative")
        if not np.isposinf(self.threshold[leaf]).all() or not np.isfinite(self.threshold[~leaf]).all():
            raise ValueError("a threshold is not finite, or a leaf's is")
        if not np.isfinite(self.value).all() or self.value[~leaf].any() or not np.isfinite(self.base):
            raise ValueError("a value is not finite, or is not in a leaf")
        if not len(self._active):
            raise ValueError(f"a tree is deeper than {DEEPEST}")

    @property
    def features(self) -> int:
        """One more than the highest feature that a node compares."""
        return int(self.feature.max()) + 1

    @cached_property
    def _order(self) -> IntArray:
        """The roots with the deepest trees first."""
        depths = self._depths()
        return self.roots[np.argsort(-depths, kind="stable")]

    @cached_property
    def _active(self) -> list[int]:
        """Number of trees that are deeper than 0, 1, ...; [] for a tree deeper than `DEEPEST`. The last is 0."""
        depths = self._depths()
        if depths.max() > DEEPEST:
            return []
        return [int((depths > level).sum()) for level in range(int(depths.max()) + 1)]

    def _depths(self) -> IntArray:
        """Depth of each tree, in the order of `roots`; `DEEPEST` + 1 where it is deeper."""
        depths = np.zeros(len(self.roots), dtype=np.int32)
        tree, nodes = np.arange(len(self.roots)), self.roots.astype(np.int64)
        for level in range(DEEPEST + 1):
            inner = self.left[nodes] != nodes
            tree, nodes = tree[inner], nodes[inner]
            if not len(nodes):
                break
            depths[tree] = level + 1
            nodes = np.concatenate([self.left[nodes], self.left[nodes] + 1])
            tree = np.concatenate([tree, tree])
        return depths

    @cached_property
    def compiled(self) -> Callable[[FloatArray], FloatArray] | None:
        """Machine code of `predict`, with the same bits; None without the extra `fast`."""
        return compiled(Nodes(self._order, self.feature, self.threshold, self.left, self.value, self.base))

    def predict(self, features: FloatArray) -> FloatArray:
        """Sum the trees for many networks. The bits of a sum do not depend on what else is predicted with it.

        Args:
            features: float64 [networks, features], at least `self.features` of them.

        Returns:
            Float64 [networks].
        """
        if self._worked[0] > _PATIENCE and self.compiled is not None:
            return self.compiled(features)
        started = time.perf_counter()
        found = self.by_numpy(features)
        self._worked[0] += time.perf_counter() - started
        return found

    def by_numpy(self, features: FloatArray) -> FloatArray:
        """Sum the trees by numpy, see `predict`.

        Args:
            features: float64 [networks, features].

        Returns:
            Float64 [networks].
        """
        if len(features) == 1:  # numpy adds a single column in another order
            return self.by_numpy(np.repeat(features, 2, axis=0))[:1]
        found = np.empty(len(features))
        step = max(2, _CELLS // len(self.roots))
        for start in range(0, len(features), step):
            start = max(0, min(start, len(features) - 2))  # never a single one
            found[start : start + step] = self._some(np.ascontiguousarray(features[start : start + step]))
        return found

    def _some(self, features: FloatArray) -> FloatArray:
        count, width = features.shape
        flat = features.ravel()
        rows = np.arange(count, dtype=np.int32) * np.int32(width)
        nodes = np.repeat(self._order[:, None], count, axis=1)
        for trees in self._active[:-1]:
            here = nodes[:trees]
            above = flat.take(self.feature.take(here) + rows) > self.threshold.take(here)
            np.add(self.left.take(here), above, out=here)
        summed: FloatArray = self.base + self.value.take(nodes).sum(axis=0)
        return summed


def joined(ensembles: Sequence[tuple[float, Ensemble]]) -> Ensemble:
    """Make one ensemble of the weighted sum of several.

    Args:
        ensembles: weight and ensemble, at least one.

    Returns:
        The ensemble.
    """
    starts = np.cumsum([0, *(len(each.feature) for _, each in ensembles)])[:-1]

    def together(name: str) -> Any:
        return np.concatenate([getattr(each, name) for _, each in ensembles])

    def moved(name: str) -> Any:
        return np.concatenate([getattr(each, name) + start for start, (_, each) in zip(starts, ensembles)]).astype(
            np.int32
        )

    return Ensemble(
        base=float(sum(weight * each.base for weight, each in ensembles)),
        roots=moved("roots"),
        feature=together("feature"),
        threshold=together("threshold"),
        left=moved("left"),
        value=np.concatenate([weight * each.value for weight, each in ensembles]),
    )


def of_sklearn(trees: Sequence[Any], weight: float, base: float) -> Ensemble:
    """Convert scikit-learn's trees.

    Args:
        trees: the fitted `tree_` of each regressor (public arrays of scikit-learn), at least one.
        weight: factor on the value of each tree.
        base: what is added to the sum.

    Returns:
        The ensemble; its sum equals scikit-learn's prediction but for the order of the additions.
    """
    parts = [_one(tree, weight) for tree in trees]
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])[:-1]
    feature, threshold, left, value = (np.concatenate([part[place] for part in parts]) for place in range(4))
    moved = np.repeat(starts, [len(part[0]) for part in parts])
    return Ensemble(base, starts.astype(np.int32), feature, threshold, (left + moved).astype(np.int32), value)


def _one(tree: Any, weight: float) -> tuple[IntArray, FloatArray, IntArray, FloatArray]:
    """Number the nodes of one tree anew, level by level, so that the right branch follows the left one."""
    lefts, rights = tree.children_left.tolist(), tree.children_right.tolist()
    order, new_left = [0], []
    for place, node in enumerate(order):  # grows while it is read
        inner = lefts[node] >= 0
        new_left.append(len(order) if inner else place)
        if inner:
            order += [lefts[node], rights[node]]
    inner = tree.children_left[order] >= 0
    return (
        np.where(inner, tree.feature[order], 0).astype(np.int32),
        np.where(inner, tree.threshold[order], np.inf),
        np.array(new_left, dtype=np.int32),
        np.where(inner, 0.0, weight * tree.value[order, 0, 0]),
    )
