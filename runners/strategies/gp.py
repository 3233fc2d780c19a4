"""Bayesian optimization with a Gaussian process over architectures: by their decisions, or by their graphs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasbench.errors import InputError
from nasbench.runners.strategies.predictors.acquisitions import Acquisition, acquire
from nasbench.runners.strategies.predictors.batches import BatchConfig, BatchStrategy, Trained
from nasbench.runners.strategies.predictors.encodings import Bag, Columns, features
from nasbench.runners.strategies.predictors.operation_graphs import operation_graph
from nasbench.spaces.base import Architecture, Space

FloatArray = NDArray[np.float64]

LEAST_ERROR = 1e-3  # smaller errors count as this one in the logarithm
LEAST_NOISE, MOST_NOISE = 1e-6, 1.0  # variance of the noise, of a reward with variance 1


class GpConfig(BatchConfig):
    """Options of a Gaussian process; the defaults are those of Ru et al. 2020 (2006.07556) and its released code, unless marked."""

    initial: int = Field(
        10, ge=1, description="random architectures with different hashes before the first model (2006.07556)"
    )
    batch: int = Field(5, ge=1, description="architectures that one model chooses (2006.07556)")
    kernel: Literal["auto", "wl", "hamming"] = Field(
        "auto",
        description="wl: Weisfeiler-Lehman kernel of the graphs (2006.07556); hamming: Matern 5/2 of the number of decisions that "
        "differ (ours); auto: wl where the space has graphs, else hamming",
    )
    iterations: int = Field(
        2,
        ge=1,
        le=5,
        description="largest neighbourhoods of the wl kernel, in steps; the likelihood chooses among 1 and up (2006.07556)",
    )
    target: Literal["log_error", "accuracy"] = Field(
        "log_error",
        description="what the process models: the negative logarithm of the error (released code), or the accuracy",
    )
    acquisition: Acquisition = Field("ei", description="ei, ucb, pi, its or mean; ts is its (2006.07556: ei)")
    parents: int = Field(10, ge=1, description="best children that are mutated for half of the candidates (2006.07556)")


class GaussianProcess(BatchStrategy[GpConfig]):
    """A Gaussian process of all children so far rates candidates: mutations of the best ten, and random ones.

    The kernel "wl" counts neighbourhoods of operations in the graphs (`neighbourhood_features`): two architectures are
    as similar as these vectors are parallel. The kernel "hamming" sees the decisions alone, so it takes every space.
    Noise and scales are those of the highest marginal likelihood.

    Source: Ru et al. 2020 (2006.07556, NAS-BOWL), algorithm 1; Rasmussen & Williams 2006, chapter 2.
    Deviation: scikit-learn fits the process. In the released code half of the candidates are mutations, half are random;
    so they are here. Failed children have reward 0.
    """

    name = "gp"
    config_type = GpConfig

    def __init__(self, space: Space, seed: int, config: GpConfig | None = None) -> None:
        super().__init__(space, seed, config)
        if self.config.kernel == "wl" and not space.has_networks:
            raise InputError(f"the kernel 'wl' needs a space of networks, got {space.spec!r}; take 'hamming' or 'auto'")

    def pool(self, best: Sequence[Architecture]) -> list[Architecture]:
        """Make mutations of the best children, and as many random architectures; see `BatchStrategy.pool`."""
        half = self.config.candidates // 2
        parents = best[: self.config.parents]
        draws = (self.space.mutate(parents[int(self._rng.integers(len(parents)))], self._rng) for _ in range(20 * half))
        found = self.new_ones(draws, half)
        return found + self.draw(self.config.candidates - len(found), found)

    def rank(self, trained: Sequence[Trained], pool: Sequence[Architecture]) -> Sequence[float]:
        """Rate candidates by the acquisition function of the process; see `BatchStrategy.rank`."""
        targets = np.array([self._target(child.reward) for child in trained])
        center, scale = float(targets.mean()), float(targets.std()) or 1.0
        known = [child.architecture for child in trained]
        mean, deviation = self._posterior(known, (targets - center) / scale, list(pool))
        best = (float(targets.max()) - center) / scale
        kind: Acquisition = "its" if self.config.acquisition == "ts" else self.config.acquisition
        values: list[float] = acquire(kind, mean, deviation, best, mean[None], self._rng).tolist()
        return values

    def _target(self, reward: float) -> float:
        return reward if self.config.target == "accuracy" else -float(np.log(max(1.0 - reward, LEAST_ERROR)))

    def _posterior(
        self, known: list[Architecture], targets: FloatArray, pool: list[Architecture]
    ) -> tuple[FloatArray, FloatArray]:
        """Return means and deviations of the candidates, by the kernel with the highest marginal likelihood."""
        both = known + pool
        fitted: list[tuple[Any, FloatArray]] = []
        for bags in self._bags(both):
            inputs = Columns(bags).matrix(bags)
            if self._graphs(both):
                inputs = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
            process = self._process(self._graphs(both))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scales at their bounds, which are no error here
                process.fit(inputs[: len(known)], targets)
            fitted.append((process, inputs[len(known) :]))
        process, candidates = max(fitted, key=lambda pair: pair[0].log_marginal_likelihood_value_)
        mean, deviation = process.predict(candidates, return_std=True)
        return mean, deviation

    def _bags(self, architectures: list[Architecture]) -> list[list[Bag]]:
        """Return the features of all architectures, for each kernel that is tried."""
        if not self._graphs(architectures):
            return [[features(each, "adjacency") for each in architectures]]
        return [
            [features(each, "wl", iterations) for each in architectures]
            for iterations in range(1, self.config.iterations + 1)
        ]

    def _graphs(self, architectures: list[Architecture]) -> bool:
        if self.config.kernel == "auto":
            return operation_graph(architectures[0]) is not None
        return self.config.kernel == "wl"

    def _process(self, graphs: bool) -> Any:
        """Make a Gaussian process with noise, whose scales are fitted."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

        if graphs:  # of vectors of length 1: their cosine
            similarity = DotProduct(sigma_0=0.0, sigma_0_bounds="fixed")
        else:  # of one-hot decisions: the distance is the root of twice the number of decisions that differ
            similarity = Matern(length_scale=2.0, length_scale_bounds=(0.1, 100.0), nu=2.5)
        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * similarity + WhiteKernel(0.1, (LEAST_NOISE, MOST_NOISE))
        return GaussianProcessRegressor(kernel, normalize_y=False, random_state=0)
