"""Gaussian processes over architectures, by their decisions or by their graphs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError
from nasbench.runners.strategies.predictors.acquisitions import center_and_scale
from nasbench.runners.strategies.predictors.encodings import Columns, features
from nasbench.runners.strategies.predictors.operation_graphs import operation_graph
from nasbench.runners.strategies.predictors.spectral_process import NOISES, SIGNALS, START, SpectralProcess
from nasbench.spaces.base import Architecture, Space

FloatArray = NDArray[np.float64]
Kernel = Literal["auto", "wl", "hamming"]


def require_kernel(space: Space, kernel: Kernel) -> None:
    """Refuse a kernel that a space does not have, before anything is trained.

    Args:
        space: the searched space.
        kernel: see `ArchitectureProcess`.

    Raises:
        InputError: when the kernel is that of graphs, and the space has none.
    """
    if kernel == "wl" and operation_graph(space.decode([0] * len(space.decisions))) is None:
        raise InputError(f"the kernel 'wl' needs a space of networks, got {space.spec!r}; take 'hamming' or 'auto'")


@dataclass(frozen=True)
class ArchitectureProcess:
    """A Gaussian process whose scales and noise have the highest marginal likelihood.

    Args:
        kernel: "wl": counts of neighbourhoods in the graphs, and the cosine between them; "hamming": Matern 5/2 of the
            number of decisions that differ; "auto": "wl" where the space has graphs, else "hamming".
        iterations: of "wl": the likelihood chooses among neighbourhoods of 1 to so many steps.

    Source: Rasmussen & Williams 2006, chapters 2 and 5; for "wl" Ru et al. 2020 (2006.07556). "hamming" is computed
    by scikit-learn; "wl", whose only parameters are a scale and the noise, by one decomposition (`SpectralProcess`).
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
        center, scale = center_and_scale(targets)
        scaled = (targets - center) / scale
        predict = self._by_graphs if self._has_graphs(known[0]) else _by_decisions
        mean, deviation = predict(known, scaled, pool)
        return mean * scale + center, deviation * scale

    def _has_graphs(self, architecture: Architecture) -> bool:
        return operation_graph(architecture) is not None if self.kernel == "auto" else self.kernel == "wl"

    def _by_graphs(
        self, known: Sequence[Architecture], targets: FloatArray, pool: Sequence[Architecture]
    ) -> tuple[FloatArray, FloatArray]:
        """Predict by the neighbourhoods whose likelihood is highest."""
        count = len(known)
        fitted: list[tuple[SpectralProcess, FloatArray]] = []
        for iterations in range(1, self.iterations + 1):
            bags = [features(each, "wl", iterations) for each in [*known, *pool]]
            inputs = Columns(bags).matrix(bags)
            inputs /= np.linalg.norm(inputs, axis=1, keepdims=True)
            similarity = inputs @ inputs[:count].T
            fitted.append((SpectralProcess.fit(similarity[:count], targets), similarity[count:]))
        process, similarity = max(fitted, key=lambda pair: pair[0].log_likelihood)
        return process.predict(similarity)


def _by_decisions(
    known: Sequence[Architecture], targets: FloatArray, pool: Sequence[Architecture]
) -> tuple[FloatArray, FloatArray]:
    """Predict by the number of decisions that differ."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    bags = [features(each, "adjacency") for each in [*known, *pool]]
    inputs = Columns(bags).matrix(bags)
    # Of one-hot decisions: the distance is the root of twice the number of decisions that differ.
    kernel = ConstantKernel(START[0], SIGNALS) * Matern(length_scale=2.0, length_scale_bounds=(0.1, 100.0), nu=2.5)
    process = GaussianProcessRegressor(kernel + WhiteKernel(START[1], NOISES), normalize_y=False, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scales at their bounds, which are no error here
        process.fit(inputs[: len(known)], targets)
    mean, deviation = process.predict(inputs[len(known) :], return_std=True)
    return mean, deviation
