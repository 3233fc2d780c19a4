"""Ensembles of trees as arrays: equal to scikit-learn's, and nothing else is accepted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor

from nasbench.tabular.surrogates.trees import DEEPEST, Ensemble, joined, of_sklearn


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    features = rng.integers(0, 9, size=(300, 7)).astype(float)
    features[:, 0] = (rng.random(300) * 1e6).astype(np.float32)  # many values, as counts have
    return features, np.sin(features[:, 0] / 1e5) + features[:, 1] * features[:, 2] / 30 + rng.normal(0, 0.1, 300)


def fitted(data, seed=0):
    features, values = data
    boosting = GradientBoostingRegressor(n_estimators=25, max_depth=3, subsample=0.7, random_state=seed)
    forest = ExtraTreesRegressor(n_estimators=9, min_samples_leaf=2, random_state=seed)
    return boosting.fit(features, values), forest.fit(features, values)


def ensembles(boosting, forest):
    return (
        of_sklearn(
            [each[0].tree_ for each in boosting.estimators_], boosting.learning_rate, boosting.init_.constant_[0, 0]
        ),
        of_sklearn([each.tree_ for each in forest.estimators_], 1 / 9, 0.0),
    )


@pytest.mark.parametrize("count", [1, 2, 300, 5000])
def test_predictions_are_those_of_scikit_learn(data, count):
    boosting, forest = fitted(data)
    ours = ensembles(boosting, forest)
    rng = np.random.default_rng(count)
    features = data[0][rng.integers(0, 300, size=count)]
    features[:, 0] = (rng.random(count) * 1.2e6).astype(np.float32)
    theirs = [model.predict(features) for model in (boosting, forest)]
    for mine, other in zip(ours, theirs):
        np.testing.assert_allclose(mine.predict(features), other, rtol=0, atol=1e-10)
    both = joined([(0.25, ours[0]), (0.75, ours[1])])
    np.testing.assert_allclose(both.predict(features), 0.25 * theirs[0] + 0.75 * theirs[1], rtol=0, atol=1e-10)


def test_sums_do_not_depend_on_what_is_predicted_together(data):
    ours = joined([(0.5, each) for each in ensembles(*fitted(data))])
    features = np.random.default_rng(0).permutation(np.repeat(data[0], 11, axis=0))
    whole = ours.predict(features)
    for size in (1, 2, 3, 7, 964, 965, 966, 1000):
        parts = [ours.predict(features[start : start + size]) for start in range(0, 1000, size)]
        assert np.array_equal(np.concatenate(parts)[:1000], whole[:1000]), size


def test_values_on_a_threshold_go_left_as_in_scikit_learn(data):
    boosting, forest = fitted(data)
    ours = ensembles(boosting, forest)[1]
    inner = np.isfinite(ours.threshold)
    features = np.repeat(data[0][:1], inner.sum(), axis=0)
    features[np.arange(inner.sum()), ours.feature[inner]] = ours.threshold[inner].astype(np.float32)
    np.testing.assert_allclose(ours.predict(features), forest.predict(features), rtol=0, atol=1e-10)


def stump(**changes):
    arrays = {
        "base": 0.0,
        "roots": np.array([0], dtype=np.int32),
        "feature": np.zeros(3, dtype=np.int32),
        "threshold": np.array([0.5, np.inf, np.inf]),
        "left": np.array([1, 1, 2], dtype=np.int32),
        "value": np.array([0.0, 1.0, 2.0]),
    }
    return Ensemble(**{**arrays, **changes})


def test_a_stump():
    assert stump().predict(np.array([[0.0], [0.5], [0.6]])).tolist() == [1.0, 1.0, 2.0]


def ints(*values):
    return np.array(values, dtype=np.int32)


@pytest.mark.parametrize(
    "changes",
    [
        {"left": ints(0, 1, 2)},  # no branches, so two nodes are in no tree
        {"left": ints(1, 0, 2)},  # a way back
        {"left": ints(2, 1, 2)},  # a branch outside
        {"left": ints(1, 1, 7)},
        {"roots": ints(1)},
        {"roots": ints(-1)},
        {"roots": ints()},
        {"roots": ints(0, 0)},
        {"roots": np.array([1 << 32])},  # 0 in its lowest 32 bits
        {"left": np.array([1.5, 1, 2])},
        {"feature": ints(-1, 0, 0)},
        {"feature": ints(0, 0)},
        {"threshold": np.array([np.nan, np.inf, np.inf])},
        {"threshold": np.array([0.5, 1.0, np.inf])},
        {"value": np.array([0.0, np.nan, 2.0])},
        {"value": np.array([3.0, 1.0, 2.0])},
        {"base": np.inf},
    ],
)
def test_what_is_no_tree_is_refused(changes):
    with pytest.raises(ValueError, match=r"\w"):
        stump(**changes)


def test_arrays_of_other_types_are_the_same_trees():
    small = stump(value=np.array([0, 1, 2], dtype=">f4"), left=np.array([1, 1, 2], dtype=">i8"))
    assert small.value.dtype == np.float64
    assert small.predict(np.array([[0.0], [0.6]])).tolist() == [1.0, 2.0]


def test_a_tree_that_is_too_deep_is_refused():
    depth = DEEPEST + 1
    nodes = 2 * depth + 1
    left = np.arange(nodes, dtype=np.int32)
    left[0], left[2 : nodes - 1 : 2] = 1, np.arange(3, nodes, 2)  # the right branch goes on
    inner = left != np.arange(nodes)
    arrays = {
        "feature": np.zeros(nodes, dtype=np.int32),
        "threshold": np.where(inner, 0.5, np.inf),
        "value": np.zeros(nodes),
    }
    with pytest.raises(ValueError, match="deeper than 64"):
        Ensemble(base=0.0, roots=ints(0), left=left, **arrays)
