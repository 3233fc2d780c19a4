"""ParEGO: Bayesian optimization of several objectives by random weighted sums of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nasbench.runners.strategies.base import Outcome
from nasbench.runners.strategies.objectives import ERROR, ObjectivesConfig, costs_of
from nasbench.runners.strategies.predictors.acquisitions import acquire
from nasbench.runners.strategies.predictors.batches import BatchConfig, BatchStrategy, Trained
from nasbench.runners.strategies.predictors.gaussian_process import ArchitectureProcess, Kernel, require_kernel
from nasbench.spaces.base import Architecture, Space

FloatArray = NDArray[np.float64]


class ParegoConfig(ObjectivesConfig, BatchConfig):
    """Options of ParEGO; the defaults are those of Knowles 2006, unless marked."""

    initial: int = Field(
        20,
        ge=1,
        description="random architectures before the first model (ours; Knowles 2006: 11 times the decisions, less 1)",
    )
    batch: int = Field(
        1, ge=1, description="architectures chosen at a time, each by weights of its own (Knowles 2006: 1)"
    )
    candidates: int = Field(100, ge=1, description="architectures with new hashes among which a model chooses (ours)")
    divisions: int = Field(
        10,
        ge=1,
        description="steps of a weight from 0 to 1; weights are drawn from those that add up to 1 (Knowles 2006: 10)",
    )
    rho: float = Field(0.05, ge=0, description="weight of the sum beside the maximum (Knowles 2006)")
    kernel: Kernel = Field("auto", description="of the Gaussian process, as in gp (ours)")
    iterations: int = Field(2, ge=1, le=5, description="of the kernel wl, as in gp (ours)")
    parents: int = Field(
        10, ge=1, description="best children by the drawn weights, mutated for half of the candidates (ours)"
    )


class Parego(BatchStrategy[ParegoConfig]):
    """For each child, weights are drawn; a Gaussian process models the weighted objectives, and expected improvement chooses.

    The objectives are scaled to [0, 1] over all children so far, costs by their logarithm; a quantity with values below 0,
    such as one whose higher values are better, as it is. With weights w they become
    max(w f) + 0.05 sum(w f), the augmented Chebyshev function, which has every point of the front as a minimum for some
    weights.

    Source: Knowles 2006, "ParEGO: a hybrid algorithm with on-line landscape approximation for expensive multiobjective
    optimization problems" (IEEE Transactions on Evolutionary Computation 10).
    Deviation: the process is over architectures (see gp), and candidates are mutations and random architectures, where the
    paper evolves vectors. Costs are taken by their logarithm. Failed children have error 1.
    """

    name = "parego"
    config_type = ParegoConfig

    def __init__(self, space: Space, seed: int, config: ParegoConfig | None = None) -> None:
        super().__init__(space, seed, config)
        self._names = self.config.names
        self._weights = simplex(len(self._names), self.config.divisions)

    def require_space(self) -> None:
        """Refuse the kernel of graphs in a space without them; see `BatchStrategy.require_space`."""
        require_kernel(self.space, self.config.kernel)

    def trained(self, outcome: Outcome) -> Trained:
        """Take the objectives of a child; see `BatchStrategy.trained`."""
        return Trained(outcome.architecture, self.reward(outcome), costs_of(outcome, self._names))

    def choose(
        self, trained: Sequence[Trained], count: int, besides: Sequence[Architecture] = ()
    ) -> list[Architecture]:
        """Choose architectures one after another, each by weights of its own; see `BatchStrategy.choose`."""
        chosen: list[Architecture] = []
        for _ in range(count):
            weights = self._weights[int(self._rng.integers(len(self._weights)))]
            values = chebyshev(self._scaled(trained), weights, self.config.rho)
            weighted = [child._replace(reward=-value) for child, value in zip(trained, values.tolist())]
            found = super().choose(weighted, 1, [*besides, *chosen])
            if not found:
                break
            chosen += found
        return chosen

    def pool(self, best: Sequence[Architecture]) -> list[Architecture]:
        """Make mutations of the best children, and as many random architectures; see `BatchStrategy.pool`."""
        half = self.config.candidates // 2
        found = self.mutations(best[: self.config.parents], half)
        return found + self.draw(self.config.candidates - len(found), found)

    def rank(self, trained: Sequence[Trained], pool: Sequence[Architecture]) -> Sequence[float]:
        """Rate candidates by the expected improvement on the best weighted value; see `BatchStrategy.rank`."""
        targets = np.array([child.reward for child in trained])
        process = ArchitectureProcess(self.config.kernel, self.config.iterations)
        mean, deviation = process.posterior([child.architecture for child in trained], targets, pool)
        values: list[float] = acquire("ei", mean, deviation, float(targets.max()), mean[None], self._rng).tolist()
        return values

    def _scaled(self, trained: Sequence[Trained]) -> FloatArray:
        """Scale the objectives of all children to [0, 1], costs by their logarithm; values below 0 have none."""
        columns = []
        for name, column in zip(self._names, np.array([child.costs for child in trained]).T):
            linear = name == ERROR or column.min() < 0
            values = column if linear else np.log(np.maximum(column, _smallest(column)))
            spread = values.max() - values.min()
            columns.append((values - values.min()) / spread if spread > 0 else np.zeros(len(values)))
        return np.column_stack(columns)


def _smallest(column: FloatArray) -> float:
    """The smallest positive value of a column, in place of those without a logarithm."""
    positive = column[column > 0]
    return float(positive.min()) if len(positive) else 1.0


def simplex(objectives: int, divisions: int) -> FloatArray:
    """List all weights in steps of 1/divisions that add up to 1.

    Args:
        objectives: number of weights, >= 1.
        divisions: steps, >= 1.

    Returns:
        [combinations, objectives]; the combinations are those of choosing `objectives` - 1 of `divisions` + `objectives` - 1.

    Source: Knowles 2006, equation 1.
    """
    rows = [
        [*parts, divisions - sum(parts)]
        for parts in itertools.product(range(divisions + 1), repeat=objectives - 1)
        if sum(parts) <= divisions
    ]
    assert len(rows) == math.comb(divisions + objectives - 1, objectives - 1)
    return np.array(rows) / divisions


def chebyshev(values: FloatArray, weights: FloatArray, rho: float) -> FloatArray:
    """Compute the augmented Chebyshev function; smaller is better.

    Args:
        values: [n, objectives], scaled to [0, 1].
        weights: [objectives], >= 0, with sum 1.
        rho: weight of the sum, >= 0.

    Returns:
        [n].

    Source: Knowles 2006, equation 2.
    """
    weighted = values * weights
    result: FloatArray = weighted.max(axis=1) + rho * weighted.sum(axis=1)
    return result
