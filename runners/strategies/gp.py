"""Bayesian optimization with a Gaussian process over architectures: by their decisions, or by their graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from nasbench.runners.strategies.predictors.acquisitions import acquire
from nasbench.runners.strategies.predictors.batches import BatchConfig, BatchStrategy, Trained
from nasbench.runners.strategies.predictors.gaussian_process import ArchitectureProcess, Kernel, require_kernel
from nasbench.spaces.base import Architecture

LEAST_ERROR = 1e-3  # smaller errors count as this one in the logarithm


class GpConfig(BatchConfig):
    """Options of a Gaussian process; the defaults are those of Ru et al. 2020 (2006.07556) and its released code, unless marked."""

    initial: int = Field(
        10, ge=1, description="random architectures with different hashes before the first model (2006.07556)"
    )
    batch: int = Field(5, ge=1, description="architectures that one model chooses (2006.07556)")
    kernel: Kernel = Field(
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
    acquisition: Literal["ei", "ucb", "pi", "its", "mean"] = Field(
        "ei", description="ei, ucb, pi, its or mean, as in bananas (2006.07556: ei)"
    )
    parents: int = Field(10, ge=1, description="best children that are mutated for half of the candidates (2006.07556)")


class GaussianProcess(BatchStrategy[GpConfig]):
    """A Gaussian process of all children so far rates candidates: mutations of the best ten, and random ones.

    The kernel "wl" counts neighbourhoods of operations in the graphs (`neighbourhood_features`): two architectures are
    as similar as these vectors are parallel. The kernel "hamming" sees the decisions alone, so it takes every space.
    Noise and scales are those of the highest marginal likelihood.

    Source: Ru et al. 2020 (2006.07556, NAS-BOWL), algorithm 1; Rasmussen & Williams 2006, chapter 2.
    As in the released code, half of the candidates are mutations and half are random. Failed children have reward 0.
    """

    name = "gp"
    config_type = GpConfig

    def require_space(self) -> None:
        """Refuse the kernel of graphs in a space without them; see `BatchStrategy.require_space`."""
        require_kernel(self.space, self.config.kernel)

    def pool(self, best: Sequence[Architecture]) -> list[Architecture]:
        """Make mutations of the best children, and as many random architectures; see `BatchStrategy.pool`."""
        half = self.config.candidates // 2
        found = self.mutations(best[: self.config.parents], half)
        return found + self.draw(self.config.candidates - len(found), found)

    def rank(self, trained: Sequence[Trained], pool: Sequence[Architecture]) -> Sequence[float]:
        """Rate candidates by the acquisition function of the process; see `BatchStrategy.rank`."""
        targets = np.array([self._target(child.reward) for child in trained])
        process = ArchitectureProcess(self.config.kernel, self.config.iterations)
        mean, deviation = process.posterior([child.architecture for child in trained], targets, pool)
        best = float(targets.max())
        values: list[float] = acquire(self.config.acquisition, mean, deviation, best, mean[None], self._rng).tolist()
        return values

    def _target(self, reward: float) -> float:
        return reward if self.config.target == "accuracy" else -float(np.log(max(1.0 - reward, LEAST_ERROR)))
