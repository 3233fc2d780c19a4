"""Machine code for sums of trees, made by numba where the extra `fast` is installed: the same bits as numpy's, sooner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

MOST_LEAVES = 64  # of a tree whose leaves are the bits of a word
NARROW = 16  # leaves up to which a word of 16 bits is enough
BLOCK = 256  # networks that are evaluated together
FEWEST = 16  # networks from which on a block, most of which may be empty, is sooner than a walk
_LINEAR = 16  # thresholds of a feature up to which all are compared, which is sooner than a search
_MULTIPLIER = np.uint64(0x03F79D71B4CB0A89)  # a de Bruijn sequence: the top 6 bits of its 64 shifts all differ
_SHIFT = np.uint64(58)
_LOG = logging.getLogger(__name__)


class Nodes(NamedTuple):
    """The nodes of an ensemble, see `nasbench.tabular.surrogates.trees.Ensemble`.

    Attributes:
        roots: ints [trees], in the order in which the trees are added.
        feature: ints [nodes].
        threshold: [nodes].
        left: ints [nodes].
        value: [nodes].
        base: what is added to the sum.
    """

    roots: IntArray
    feature: IntArray
    threshold: FloatArray
    left: IntArray
    value: FloatArray
    base: float


class Tests(NamedTuple):
    """An ensemble as tests that strike out leaves. A test compares the rank of a feature's value among its thresholds.

    Attributes:
        starts: int64 [features + 1], place of each feature's first threshold.
        thresholds: [thresholds], different and ascending within a feature.
        tests: int64 [trees + 1], place of each tree's first test.
        feature: int64 [tests].
        rank: uint16 [tests]; a test holds where more thresholds than this are below the value.
        wide: uint64 [tests], the leaves that are left where a test holds: all but those of its left branch.
        narrow: uint16 [tests], likewise, the lowest 16 bits.
        few: whether a tree has at most `NARROW` leaves, bool [trees].
        values: [trees, `MOST_LEAVES`], of the leaves, each at the place that `_places` gives its bit.
        base: what is added to the sum.
    """

    starts: NDArray[np.int64]
    thresholds: FloatArray
    tests: NDArray[np.int64]
    feature: NDArray[np.int64]
    rank: NDArray[np.uint16]
    wide: NDArray[np.uint64]
    narrow: NDArray[np.uint16]
    few: NDArray[np.bool_]
    values: FloatArray
    base: float


def compiled(nodes: Nodes) -> Callable[[FloatArray], FloatArray] | None:
    """Compile the sum of trees, which takes seconds where this process has not done it.

    Args:
        nodes: the trees.

    Returns:
        Function of float64 [networks, features] that returns float64 [networks]; None without a numba that works.

    Source: Lucchese et al. 2015, "QuickScorer" (SIGIR): each test that holds strikes out the leaves of its left branch, and
        the first leaf that is left is the tree's.
    """
    kernels = _kernels()
    if kernels is None:
        return None
    walk, strike_out = kernels
    tests = as_tests(nodes)
    needed = int(nodes.feature.max()) + 1

    def predict(features: FloatArray) -> FloatArray:
        found = np.empty(len(features))
        if not len(features):
            return found
        values = np.ascontiguousarray(features, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] < needed:  # machine code does not check where it reads
            raise IndexError(f"the trees need [networks, {needed} features], got an array of {values.shape}")
        if tests is None or len(features) < FEWEST:
            walk(values, *nodes, found)
        else:
            strike_out(values, *tests, found)
        return found

    try:
        for networks in (1, FEWEST):
            predict(np.zeros((networks, needed)))
    except Exception as error:  # whatever a compiler raises, numpy gives the same bits
        _LOG.warning("numba cannot compile (%s: %s); numpy goes on, with the same results", type(error).__name__, error)
        return None
    return predict


def as_tests(nodes: Nodes) -> Tests | None:
    """Convert trees to tests.

    Args:
        nodes: the trees.

    Returns:
        The tests; None if a tree has more than `MOST_LEAVES` leaves, or a feature more thresholds than 16 bits can number.
    """
    left, feature, threshold = nodes.left, nodes.feature, nodes.threshold
    splits = left != np.arange(len(left))
    last = int(feature[splits].max(initial=0))
    different = [np.unique(threshold[splits & (feature == each)]) for each in range(last + 1)]
    if max(map(len, different)) > np.iinfo(np.uint16).max:
        return None
    listed = left.tolist()
    walked = []
    for root in nodes.roots.tolist():
        tree = _walked(root, listed)
        if tree is None:
            return None
        walked.append(tree)
    values = np.zeros((len(walked), MOST_LEAVES))
    for row, (_, leaves) in zip(values, walked):
        row[_places(len(leaves))] = nodes.value[leaves]
    inner = np.array([node for tests, _ in walked for node, _ in tests], dtype=np.int64)
    kept = ~np.array([struck for tests, _ in walked for _, struck in tests], dtype=np.uint64)
    return Tests(
        starts=np.cumsum([0, *map(len, different)]),
        thresholds=np.concatenate(different),
        tests=np.cumsum([0, *(len(tests) for tests, _ in walked)]),
        feature=feature[inner].astype(np.int64),
        rank=np.array([np.searchsorted(different[feature[node]], threshold[node]) for node in inner], dtype=np.uint16),
        wide=kept,
        narrow=kept.astype(np.uint16),
        few=np.array([len(leaves) <= NARROW for _, leaves in walked]),
        values=values,
        base=nodes.base,
    )


def _walked(root: int, left: Sequence[int]) -> tuple[list[tuple[int, int]], list[int]] | None:
    """The inner nodes of a tree, each with the bits of the leaves of its left branch; and the leaves, from left to right.

    None, before a large tree is walked to its end, for more than `MOST_LEAVES` leaves.
    """
    tests: list[tuple[int, int]] = []
    leaves: list[int] = []
    waiting = [(root, False)]
    before: dict[int, int] = {}  # node -> leaves that were there before its left branch
    while waiting:
        node, came_back = waiting.pop()
        if len(leaves) > MOST_LEAVES:
            return None
        if left[node] == node:
            leaves.append(node)
        elif came_back:
            tests.append((node, (1 << len(leaves)) - (1 << before[node])))
            waiting.append((left[node] + 1, False))
        else:
            before[node] = len(leaves)
            waiting += [(node, True), (left[node], False)]
    return (tests, leaves) if len(leaves) <= MOST_LEAVES else None


def _places(leaves: int) -> NDArray[np.int64]:
    """Places of the values of a tree's first leaves, by the bit of each."""
    bits = np.uint64(1) << np.arange(leaves, dtype=np.uint64)
    return ((bits * _MULTIPLIER) >> _SHIFT).astype(np.int64)


@cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]] | None:
    """The functions that numba compiles when they are first called; None where numba is not there, is off, or is broken."""
    try:
        from numba import config, njit
    except ModuleNotFoundError:  # the extra is not installed
        return None
    except Exception as error:  # it refuses this numpy, or its libraries are not found
        _LOG.warning("numba cannot be used (%s: %s); numpy goes on, with the same results", type(error).__name__, error)
        return None
    if getattr(config, "DISABLE_JIT", 0):
        return None
    compile_it = njit(error_model="numpy", nogil=True)
    one, every_bit, bits = np.uint64(1), np.uint64(0xFFFF_FFFF_FFFF_FFFF), np.uint16(0xFFFF)

    @compile_it
    def walk(
        features: Any, roots: Any, feature: Any, threshold: Any, left: Any, value: Any, base: float, found: Any
    ) -> None:
        found[:] = 0.0
        for root in roots:
            for place in range(len(features)):
                node = root
                while left[node] != node:
                    node = left[node] + np.int32(features[place, feature[node]] > threshold[node])
                found[place] += value[node]
        for place in range(len(features)):
            found[place] = base + found[place]

    @compile_it
    def rank_values(column: Any, thresholds: Any, ranks: Any) -> None:
        for place in range(BLOCK):
            ranks[place] = 0
        if len(thresholds) <= _LINEAR:
            for threshold in thresholds:
                for place in range(BLOCK):
                    ranks[place] += np.uint16(column[place] > threshold)
            return
        for place in range(BLOCK):
            low, size = 0, len(thresholds)
            while size > 0:
                half = size >> 1
                if column[place] > thresholds[low + half]:
                    low, size = low + half + 1, size - half - 1
                else:
                    size = half
            ranks[place] = low

    @compile_it
    def strike(ranks: Any, rank: Any, kept: Any, all_bits: Any, alive: Any) -> None:
        for place in range(BLOCK):
            alive[place] &= kept if ranks[place] > rank else all_bits

    @compile_it
    def add(alive: Any, values: Any, sums: Any) -> None:
        for place in range(BLOCK):
            word = np.uint64(alive[place])
            sums[place] += values[((word & (~word + one)) * _MULTIPLIER) >> _SHIFT]

    @compile_it
    def strike_out(
        features: Any,
        starts: Any,
        thresholds: Any,
        tests: Any,
        feature: Any,
        rank: Any,
        wide: Any,
        narrow: Any,
        few: Any,
        values: Any,
        base: float,
        found: Any,
    ) -> None:
        used = len(starts) - 1
        columns, ranks = np.zeros((used, BLOCK)), np.empty((used, BLOCK), np.uint16)
        few_alive, alive, sums = np.empty(BLOCK, np.uint16), np.empty(BLOCK, np.uint64), np.empty(BLOCK)
        for start in range(0, len(features), BLOCK):
            count = min(BLOCK, len(features) - start)
            for place in range(count):
                for each in range(used):
                    columns[each, place] = features[start + place, each]
            for each in range(used):
                rank_values(columns[each], thresholds[starts[each] : starts[each + 1]], ranks[each])
            sums[:] = 0.0
            for tree in range(len(few)):
                if few[tree]:
                    few_alive[:] = bits
                    for test in range(tests[tree], tests[tree + 1]):
                        strike(ranks[feature[test]], rank[test], narrow[test], bits, few_alive)
                    add(few_alive, values[tree], sums)
                else:
                    alive[:] = every_bit
                    for test in range(tests[tree], tests[tree + 1]):
                        strike(ranks[feature[test]], rank[test], wide[test], every_bit, alive)
                    add(alive, values[tree], sums)
            for place in range(count):
                found[start + place] = base + sums[place]

    return walk, strike_out
