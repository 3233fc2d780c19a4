"""Machine code for sums of trees: the bits of numpy's, for every shape of trees, and used only where it pays."""

from __future__ import annotations

import pickle
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.tabular.surrogates import compiled as machine_code
from nasbench.tabular.surrogates import trees
from nasbench.tabular.surrogates.compiled import BLOCK, FEWEST, MOST_LEAVES, NARROW, Nodes, as_tests
from nasbench.tabular.surrogates.trees import Ensemble

pytest.importorskip("numba")


def grown(rng: np.random.Generator, leaves: list[int], features: int, cuts: int) -> Ensemble:
    """Trees with given numbers of leaves; thresholds are of `cuts` different whole numbers and halves."""
    roots, feature, threshold, left, value = [], [], [], [], []
    for count in leaves:
        start = len(left)
        roots.append(start)
        sizes = [count]
        for size in sizes:  # grows while it is read
            here = start + len(sizes)
            leaf = size == 1
            feature.append(0 if leaf else int(rng.integers(features)))
            threshold.append(np.inf if leaf else float(rng.integers(cuts)) / 2)
            left.append(len(left) if leaf else here)
            value.append(float(rng.normal()) if leaf else 0.0)
            if not leaf:
                part = int(rng.integers(1, size))
                sizes += [part, size - part]
    ints = [np.array(each, dtype=np.int32) for each in (roots, feature, left)]
    return Ensemble(float(rng.normal()), ints[0], ints[1], np.array(threshold), ints[2], np.array(value))


def nodes(of: Ensemble) -> Nodes:
    return Nodes(of._order, of.feature, of.threshold, of.left, of.value, of.base)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    leaves=st.lists(st.sampled_from([1, 2, 3, NARROW, NARROW + 1, 33, MOST_LEAVES]), min_size=1, max_size=12),
    cuts=st.sampled_from([1, 5, 40, 1000]),
    networks=st.sampled_from([1, 2, FEWEST - 1, FEWEST, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]),
)
def test_bits_are_those_of_numpy(seed, leaves, cuts, networks):
    rng = np.random.default_rng(seed)
    ensemble = grown(rng, leaves, features=6, cuts=cuts)
    assert as_tests(nodes(ensemble)) is not None
    features = rng.integers(-1, cuts // 2 + 2, size=(networks, 6)).astype(float)  # many are equal to a threshold
    features[rng.random(features.shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, -0.0])
    assert ensemble.compiled(features).tobytes() == ensemble.by_numpy(features).tobytes()


@pytest.mark.parametrize("networks", [1, 300])
def test_trees_of_more_leaves_are_walked_to_the_same_bits(networks):
    rng = np.random.default_rng(3)
    ensemble = grown(rng, [MOST_LEAVES + 1, 5, 400], features=4, cuts=30)
    assert as_tests(nodes(ensemble)) is None
    features = rng.integers(0, 16, size=(networks, 4)).astype(float)
    assert ensemble.compiled(features).tobytes() == ensemble.by_numpy(features).tobytes()


@pytest.mark.parametrize("count", [65_535, 65_536])
def test_more_thresholds_than_16_bits_can_number_are_walked(count):
    rng = np.random.default_rng(3)
    ensemble = grown(rng, [MOST_LEAVES] * 1041, features=1, cuts=9)
    inner = np.flatnonzero(np.isfinite(ensemble.threshold))
    ensemble.threshold[inner] = np.minimum(np.arange(len(inner)), count - 1)
    assert (as_tests(nodes(ensemble)) is None) == (count > 65_535)
    features = np.array([[-1.0], [0], [1], *[[float(each)] for each in range(65_500, 65_540)]])
    assert ensemble.compiled(features).tobytes() == ensemble.by_numpy(features).tobytes()


def test_a_large_tree_is_not_walked_to_its_end():
    class Counted(list[int]):
        reads = 0

        def __getitem__(self, place):
            Counted.reads += 1
            return super().__getitem__(place)

    inner = (1 << 16) - 1
    left = Counted([2 * node + 1 for node in range(inner)] + list(range(inner, 2 * inner + 1)))  # complete, by levels
    assert machine_code._walked(0, left) is None
    assert Counted.reads < 1000  # the leaves are bits of one number, which would grow with the tree


@pytest.mark.parametrize("networks", [3, 40])
def test_too_few_features_are_refused_and_not_read(networks):
    ensemble = grown(np.random.default_rng(5), [9, 40], features=6, cuts=9)
    for predict in (ensemble.compiled, ensemble.by_numpy):
        with pytest.raises(IndexError):
            predict(np.ones((networks, 2)))
    assert len(ensemble.compiled(np.ones((0, 6)))) == 0


def test_a_leaf_is_that_of_its_path():
    # x0 <= 1 ? (x1 <= 0 ? 10 : 20) : 30, by hand
    ints = [np.array(each, dtype=np.int32) for each in ([0], [0, 1, 0, 0, 0], [1, 3, 2, 3, 4])]
    inf = np.inf
    ensemble = Ensemble(
        0.5, ints[0], ints[1], np.array([1.0, 0, inf, inf, inf]), ints[2], np.array([0.0, 0, 30, 10, 20])
    )
    features = np.array([[0.0, 0], [1, 0], [1, 1], [2, 0], [2, 1]])
    expected = [10.5, 10.5, 20.5, 30.5, 30.5]
    assert ensemble.compiled(features).tolist() == expected
    assert ensemble.compiled(np.repeat(features, 5, axis=0)).tolist() == np.repeat(expected, 5).tolist()


@pytest.fixture
def ensemble():
    return grown(np.random.default_rng(1), [5, 9], features=3, cuts=9)


def test_nothing_is_compiled_for_little_work(ensemble, monkeypatch):
    def forbidden(_):
        raise AssertionError("compiled")

    monkeypatch.setattr(trees, "compiled", forbidden)
    for _ in range(5):
        ensemble.predict(np.ones((7, 3)))


def test_much_work_is_compiled(ensemble, monkeypatch):
    monkeypatch.setattr(trees, "_PATIENCE", 0.0)
    called = []
    monkeypatch.setattr(trees, "compiled", lambda nodes: called.append(nodes) or (lambda features: features[:, 0]))
    features = np.arange(12.0).reshape(4, 3)
    assert np.array_equal(ensemble.predict(features), ensemble.by_numpy(features))  # not yet
    assert ensemble.predict(features).tolist() == [0, 3, 6, 9]
    assert ensemble.predict(features).tolist() == [0, 3, 6, 9]
    assert len(called) == 1


def test_the_work_of_all_calls_counts(ensemble, monkeypatch):
    now = iter(np.arange(0.0, 100.0, 0.5))
    monkeypatch.setattr(trees.time, "perf_counter", lambda: next(now))  # each call takes half a second
    called = []
    monkeypatch.setattr(trees, "compiled", lambda nodes: called.append(nodes) or (lambda features: features[:, 0]))
    for _ in range(40):
        ensemble.predict(np.ones((1, 3)))
    assert called
    assert 1 <= trees._PATIENCE <= 10  # seconds: about a compilation


class _Broken(ModuleType):
    """A numba of which nothing can be imported."""

    def __getattr__(self, name: str) -> object:
        raise OSError("libllvmlite.so is not found")


def numba_with(**there: object) -> ModuleType:
    module = ModuleType("numba")
    module.__dict__.update(there)
    return module


def refuse(*_: object, **__: object) -> object:
    def failing(*_: object) -> None:
        raise RuntimeError("no code for this processor")

    return lambda _: failing


@pytest.mark.parametrize(
    ("numba", "said"),
    [
        (None, ""),
        (_Broken("numba"), "numba cannot be used (OSError"),
        (numba_with(config=SimpleNamespace(DISABLE_JIT=1), njit=refuse), ""),
        (numba_with(config=SimpleNamespace(DISABLE_JIT=0), njit=refuse), "numba cannot compile (RuntimeError"),
    ],
)
def test_numpy_works_on_without_a_numba_that_works(ensemble, numba, said, monkeypatch, caplog):
    monkeypatch.setattr(trees, "_PATIENCE", 0.0)
    monkeypatch.setitem(sys.modules, "numba", numba)
    machine_code._kernels.cache_clear()
    try:
        features = np.ones((4, 3))
        for _ in range(3):
            assert np.array_equal(ensemble.predict(features), ensemble.by_numpy(features))
        assert ensemble.compiled is None
        assert caplog.text.count("numba cannot") == bool(said)
        assert said in caplog.text
    finally:
        machine_code._kernels.cache_clear()


def test_a_compiled_ensemble_is_copied_to_other_processes(ensemble):
    features = np.arange(30.0).reshape(10, 3)
    expected = ensemble.compiled(features)
    assert np.array_equal(pickle.loads(pickle.dumps(ensemble)).predict(features), expected)
