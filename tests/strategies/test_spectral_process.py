"""The Gaussian process of the kernel "wl" against scikit-learn's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, WhiteKernel

from nasbench.runners.strategies.predictors.encodings import Columns, features
from nasbench.runners.strategies.predictors.gaussian_process import ArchitectureProcess
from nasbench.runners.strategies.predictors.spectral_process import (
    NOISES,
    SIGNALS,
    START,
    SpectralProcess,
    negative_log_likelihood,
)
from nasbench.spaces import get_space


def inputs_and_targets(seed: int, count: int, columns: int, noise: float):
    """Vectors of length 1, and targets that are linear in them but for noise, with mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    inputs = rng.poisson(1.0, (count, columns)) + 0.01
    inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
    targets = inputs @ rng.normal(size=columns) + noise * rng.normal(size=count)
    return inputs, (targets - targets.mean()) / targets.std()


def peer(signal: float, noise: float, fitted: bool) -> GaussianProcessRegressor:
    """scikit-learn's process with the same kernel, with fixed variances or with fitted ones."""
    similarity = DotProduct(sigma_0=0.0, sigma_0_bounds="fixed")
    kernel = ConstantKernel(signal, SIGNALS) * similarity + WhiteKernel(noise, NOISES)
    return GaussianProcessRegressor(kernel, optimizer="fmin_l_bfgs_b" if fitted else None, random_state=0)


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 30), st.sampled_from([0.001, 0.1, 3.0]))
def test_a_fit_and_its_predictions_are_those_of_scikit_learn(seed, count, columns, noise):
    inputs, targets = inputs_and_targets(seed, count + 7, columns, noise)
    known, new = inputs[:count], inputs[count:]
    process = SpectralProcess.fit(known @ known.T, targets[:count])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = peer(*START, fitted=True).fit(known, targets[:count])
    # Two searches of one surface stop within the search's tolerance of each other, or ours is higher.
    assert process.log_likelihood >= theirs.log_marginal_likelihood_value_ - 1e-3
    at_ours = peer(process.signal, process.noise, fitted=False).fit(known, targets[:count])
    assert process.log_likelihood == pytest.approx(at_ours.log_marginal_likelihood_value_, rel=1e-6, abs=1e-4)
    mean, deviation = process.predict(new @ known.T)
    expected_mean, expected_deviation = at_ours.predict(new, return_std=True)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(deviation, expected_deviation, rtol=1e-4, atol=1e-5)


@given(st.integers(0, 10**6), st.floats(-4, 6), st.floats(-13, 0))
def test_the_likelihood_is_the_density_of_the_targets_and_the_gradient_its_slope(seed, signal, noise):
    inputs, targets = inputs_and_targets(seed, 9, 4, 0.1)
    values, vectors = np.linalg.eigh(inputs @ inputs.T)
    at = np.array([signal, noise])
    value, gradient = negative_log_likelihood(at, values.clip(0), vectors.T @ targets)
    covariance = np.exp(signal) * inputs @ inputs.T + np.exp(noise) * np.eye(9)
    assert -value == pytest.approx(multivariate_normal(np.zeros(9), covariance).logpdf(targets), rel=1e-6, abs=1e-4)
    step = 1e-6
    for axis in range(2):
        move = step * np.eye(2)[axis]
        higher = negative_log_likelihood(at + move, values.clip(0), vectors.T @ targets)[0]
        lower = negative_log_likelihood(at - move, values.clip(0), vectors.T @ targets)[0]
        assert gradient[axis] == pytest.approx((higher - lower) / (2 * step), rel=1e-4, abs=1e-4 * abs(value))


def test_the_neighbourhoods_with_the_highest_likelihood_predict():
    space, rng = get_space("nasbench201"), np.random.default_rng(5)
    drawn = [space.random(rng) for _ in range(40)]
    targets = np.array([each.choices.count(3) + 0.1 * each.choices.count(2) for each in drawn[:30]], float)
    scaled = (targets - targets.mean()) / targets.std()
    predictions = {}
    for iterations in (1, 2, 3):
        bags = [features(each, "wl", iterations) for each in drawn]
        inputs = Columns(bags).matrix(bags)
        inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
        process = SpectralProcess.fit(inputs[:30] @ inputs[:30].T, scaled)
        mean, deviation = process.predict(inputs[30:] @ inputs[:30].T)
        unit = targets.std()
        predictions[process.log_likelihood] = (mean * unit + targets.mean(), deviation * unit)
    assert len(predictions) == 3
    found = ArchitectureProcess("wl", 3).posterior(drawn[:30], targets, drawn[30:])
    np.testing.assert_allclose(found, predictions[max(predictions)], rtol=1e-12)


def test_the_kernel_of_decisions_is_matern_five_halves(monkeypatch):
    """The likelihood of the fitted process is that of (1 + r + r^2 / 3) exp(-r), r = sqrt(5) distance / length."""
    fitted = []
    fit = GaussianProcessRegressor.fit

    def recorded(self, inputs, targets):
        fitted.append((fit(self, inputs, targets), inputs, targets))
        return self

    monkeypatch.setattr(GaussianProcessRegressor, "fit", recorded)
    space, rng = get_space("choices:4/3/4/5"), np.random.default_rng(1)
    drawn = [space.random(rng) for _ in range(30)]
    targets = np.array([each.choices[0] + 0.5 * (each.choices[2] == each.choices[3]) for each in drawn[:20]], float)
    ArchitectureProcess("hamming").posterior(drawn[:20], targets, drawn[20:])
    ((process, _inputs, scaled),) = fitted
    signal, length, noise = np.exp(process.kernel_.theta)
    apart = np.array([[sum(a != b for a, b in zip(x.choices, y.choices)) for y in drawn[:20]] for x in drawn[:20]])
    r = np.sqrt(5 * 2 * apart) / length  # one-hot: the distance is the root of twice the number of other choices
    covariance = signal * (1 + r + r**2 / 3) * np.exp(-r) + (noise + 1e-10) * np.eye(20)
    expected = multivariate_normal(np.zeros(20), covariance).logpdf(scaled)
    assert process.log_marginal_likelihood_value_ == pytest.approx(expected, rel=1e-6)
