"""Ensembles that predict rewards from arrays of features: networks of torch, or trees of scikit-learn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasbench.runners.strategies.controllers.controller import one_thread
from nasbench.runners.strategies.predictors.acquisitions import center_and_scale

RegressorKind = Literal["mlp", "forest", "boosting"]
Loss = Literal["mae", "mape"]
FloatArray = NDArray[np.float64]

LEAST_ERROR = 0.01  # in "mape", smaller errors count as this one


class Regressor(ABC):
    """Several predictors that learn from the same architectures; their spread says how sure they are."""

    @abstractmethod
    def fit(self, inputs: FloatArray, rewards: FloatArray, rng: np.random.Generator) -> None:
        """Learn anew.

        Args:
            inputs: [n, columns], features.
            rewards: [n], each in [0, 1].
            rng: source of initial weights, of the order of the data and of the seeds of trees.
        """

    @abstractmethod
    def predict(self, inputs: FloatArray) -> FloatArray:
        """Predict rewards.

        Args:
            inputs: [n, columns], features.

        Returns:
            [members, n], the prediction of each member.
        """


@dataclass
class MlpEnsemble(Regressor):
    """Fully connected networks with ReLUs, trained side by side from different weights, in different orders.

    Args:
        members: number of networks, >= 1.
        layers: hidden layers, >= 1.
        width: units of a hidden layer, >= 1.
        epochs: passes over the data, >= 1.
        batch: architectures of a step, >= 1.
        learning_rate: of Adam, > 0.
        loss: "mae", or "mape": errors relative to the distance of the architecture's error (1 - reward) from `bound`.
        bound: a lower bound of the error, in [0, 1).

    Source: White et al. 2019 (1910.11858), section 4, and the released code.
    Deviation: rewards are standardized, so that the outputs start near their mean.
    """

    members: int
    layers: int
    width: int
    epochs: int
    batch: int
    learning_rate: float
    loss: Loss = "mae"
    bound: float = 0.0

    def fit(self, inputs: FloatArray, rewards: FloatArray, rng: np.random.Generator) -> None:
        """Train all members by Adam; see `Regressor.fit`."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        self._mean, self._scale = center_and_scale(rewards)
        data = torch.from_numpy(inputs).float()
        targets = torch.from_numpy((rewards - self._mean) / self._scale).float()
        errors = torch.from_numpy(1.0 - rewards - self.bound).float().clamp(min=LEAST_ERROR)
        weights = 1.0 / errors if self.loss == "mape" else torch.ones_like(errors)
        weights = weights / weights.mean()
        self._layers = self._initial(data.shape[1], generator)
        with one_thread():
            optimizer = torch.optim.Adam([each for layer in self._layers for each in layer], lr=self.learning_rate)
            for _ in range(self.epochs):
                orders = torch.stack([torch.randperm(len(data), generator=generator) for _ in range(self.members)])
                for part in torch.split(orders, self.batch, dim=1):
                    misses = (self._outputs(data[part]) - targets[part]).abs() * weights[part]
                    optimizer.zero_grad()
                    misses.mean(1).sum().backward()  # type: ignore[no-untyped-call]
                    optimizer.step()

    @torch.no_grad()
    def predict(self, inputs: FloatArray) -> FloatArray:
        """Predict by each network; see `Regressor.predict`."""
        with one_thread():
            outputs = self._outputs(torch.from_numpy(inputs).float().expand(self.members, -1, -1))
        found: FloatArray = outputs.double().numpy() * self._scale + self._mean
        return found

    def _initial(self, columns: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
        """Draw weights uniformly, by the number of inputs and outputs of a layer (Glorot); shifts are 0."""
        made = []
        for size, following in pairwise((columns, *[self.width] * self.layers, 1)):
            most = (6 / (size + following)) ** 0.5
            weights = torch.rand(self.members, size, following, generator=generator) * (2 * most) - most
            made.append((weights.requires_grad_(), torch.zeros(self.members, 1, following, requires_grad=True)))
        return made

    def _outputs(self, data: Tensor) -> Tensor:
        """Compute [members, n] from [members, n, columns]."""
        for place, (weights, shift) in enumerate(self._layers):
            data = torch.baddbmm(shift, data, weights)
            if place < len(self._layers) - 1:
                data = data.relu()
        return data[..., 0]


@dataclass
class Forest(Regressor):
    """A random forest of scikit-learn; its trees are the members.

    Args:
        trees: number of trees, >= 1.
    """

    trees: int

    def fit(self, inputs: FloatArray, rewards: FloatArray, rng: np.random.Generator) -> None:
        """Grow the trees, each from a bootstrap sample; see `Regressor.fit`."""
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(self.trees, random_state=int(rng.integers(2**31)))
        self._trees = forest.fit(inputs, rewards).estimators_

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Predict by each tree; see `Regressor.predict`."""
        return np.stack([tree.predict(inputs) for tree in self._trees])


@dataclass
class Boosting(Regressor):
    """Gradient-boosted trees of scikit-learn: several series, each from its own bootstrap sample.

    Args:
        members: number of series, >= 1.
        trees: trees of a series, >= 1.
    """

    members: int
    trees: int

    def fit(self, inputs: FloatArray, rewards: FloatArray, rng: np.random.Generator) -> None:
        """Grow every series from a bootstrap sample; see `Regressor.fit`."""
        from sklearn.ensemble import GradientBoostingRegressor

        self._series: list[Any] = []
        for _ in range(self.members):
            drawn = rng.integers(len(inputs), size=len(inputs))
            series = GradientBoostingRegressor(n_estimators=self.trees, random_state=int(rng.integers(2**31)))
            self._series.append(series.fit(inputs[drawn], rewards[drawn]))

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Predict by each series; see `Regressor.predict`."""
        return np.stack([series.predict(inputs) for series in self._series])
