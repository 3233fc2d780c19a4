"""Gaussian processes over architectures, by their decisions or by their graphs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nasbench.runners.strategies.predictors.encodings import Bag, Columns, features
from nasbench.runners.strategies.predictors.operation_graphs import operation_graph
from nasbench.spaces.base import Architecture

FloatArray = NDArray[np.float64]
Kernel = Literal["auto", "wl", "hamming"]

LEAST_NOISE, MOST_NOISE = 1e-6, 1.0  # variance of the noise, of a target with variance 1


@dataclass(frozen=True)
class ArchitectureProcess:
    """A Gaussian process whose scales and noise have the highest marginal likelihood.

    Args:
        kernel: "wl": counts of neighbourhoods in the graphs, and the cosine between them; "hamming": Matern 5/2 of the
            number of decisions that differ; "auto": "wl" where the space has graphs, else "hamming".
        iterations: of "wl": the likelihood chooses among neighbourhoods of 1 to so many steps.

    Source: Rasmussen & Williams 2006, chapters 2 and 5; for "wl" Ru et al. 2020 (2006.07556). Computed by scikit-learn.
    """

    kernel: Kernel = "auto"
    iterations: int = 2

    def posterior(
        self, known: Sequence[Architecture], targets: FloatArray, pool: Sequence[Architecture]
    ) -> tuple[FloatArray, FloatArray]:
        """Predict the targets of candidates.

        Args:
            known: n architectures, at least one.
            targets: [n], what is known of them.
            pool: m candidates, at least one.

        Returns:
            Means and standard deviations [m], in the unit of the targets.
        """
        center, scale = float(targets.mean()), float(targets.std()) or 1.0
        graphs = self._by_graphs(known[0])
        both = [*known, *pool]
        fitted: list[tuple[Any, FloatArray]] = []
        for bags in self._bags(both, graphs):
            inputs = Columns(bags).matrix(bags)
            if graphs:
                inputs = inputs / np.linalg.norm(inputs, axis=1, keepdims=True)
            process = _process(graphs)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scales at their bounds, which are no error here
                process.fit(inputs[: len(known)], (targets - center) / scale)
            fitted.append((process, inputs[len(known) :]))
        process, candidates = max(fitted, key=lambda pair: float(pair[0].log_marginal_likelihood_value_))
        mean, deviation = process.predict(candidates, return_std=True)
        return mean * scale + center, deviation * scale

    def _by_graphs(self, architecture: Architecture) -> bool:
        return operation_graph(architecture) is not None if self.kernel == "auto" else self.kernel == "wl"

    def _bags(self, architectures: list[Architecture], graphs: bool) -> list[list[Bag]]:
        """Return the features of all architectures, for each kernel that is tried."""
        if not graphs:
            return [[features(each, "adjacency") for each in architectures]]
        steps = range(1, self.iterations + 1)
        return [[features(each, "wl", iterations) for each in architectures] for iterations in steps]


def _process(graphs: bool) -> Any:
    """Make a Gaussian process with noise, whose scales are fitted."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

    if graphs:  # of vectors of length 1: their cosine
        similarity = DotProduct(sigma_0=0.0, sigma_0_bounds="fixed")
    else:  # of one-hot decisions: the distance is the root of twice the number of decisions that differ
        similarity = Matern(length_scale=2.0, length_scale_bounds=(0.1, 100.0), nu=2.5)
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * similarity + WhiteKernel(0.1, (LEAST_NOISE, MOST_NOISE))
    return GaussianProcessRegressor(kernel, normalize_y=False, random_state=0)
