"""DARTS: weigh all operations by a softmax, and learn these weights by gradient steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from nasbench.runners.strategies.differentiable import DifferentiableConfig, DifferentiableStrategy
from nasbench.supernets.bilevel import Logits, Order, Relaxation
from nasbench.supernets.mixed import Mixture, Weighted


class DartsConfig(DifferentiableConfig):
    """Options of DARTS."""

    order: int = Field(
        1,
        ge=1,
        le=2,
        description="1: gradient at the present weights; 2: after one step of the weights, three to four times as slow (paper: both)",
    )


class Darts(DifferentiableStrategy[DartsConfig]):
    """Mix all operations by the softmax of learned parameters.

    `DifferentiableStrategy` says how it is trained and what is proposed, `OneShotStrategy` what is charged.

    Source: Liu, Simonyan & Yang 2019 (1806.09055), sections 2.2 and 2.3, and the released code.
    Deviation: see `DifferentiableStrategy`.
    """

    name = "darts"
    config_type = DartsConfig
    epoch_cost = 10.0

    @classmethod
    def epoch_cost_with(cls, given: Mapping[str, Any]) -> float:
        """Return three times as much for the second order; see `OneShotStrategy.epoch_cost_with`."""
        return cls.epoch_cost * (3 if str(given.get("order", 1)) == "2" else 1)

    @property
    def order(self) -> Order:  # type: ignore[override]
        """Order of the gradient."""
        return 2 if self.config.order == 2 else 1

    def _relaxation(self) -> Relaxation:
        return Softmax()


class Softmax(Relaxation):
    """Weights are the softmax of the parameters of a choice."""

    def mixture(self, logits: Logits, progress: float) -> Mixture:
        """Make the mixture; see `Relaxation.mixture`. Nothing is drawn."""
        return Mixture([Weighted(each.softmax(0)) for each in logits.choices])
