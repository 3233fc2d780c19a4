"""DrNAS: draw the weights of operations from Dirichlet distributions, whose concentrations are learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from nasbench.runners.strategies.differentiable import STEPS_OF_64, DifferentiableConfig, DifferentiableStrategy
from nasbench.supernets.bilevel import ArchitectureSettings, Logits, Relaxation
from nasbench.supernets.mixed import Mixture, Weighted

Regularizer = Literal["l2", "kl", "none"]


ON_NASBENCH201: Final = {
    "cells": 5,
    "filters": 16,
    "epochs": 100,
    "warmup_epochs": 0,
    "learning_rate": 0.025,
    "learning_rate_end": 0.001,
    "architecture_learning_rate": 3e-4,
}
"""Settings of the released search on nasbench201 (201-space/train_search.py)."""
ON_DARTS: Final = {
    "cells": 6,
    "filters": 36,
    "epochs": 50,
    "warmup_epochs": 10,
    "learning_rate": 0.1,
    "learning_rate_end": 0.0,
    "architecture_learning_rate": 6e-4,
}
"""Settings of the released search on darts (DARTS-space/train_search.py), but for its two stages."""


class DrnasConfig(DifferentiableConfig):
    """Options of DrNAS. "Released" are the settings of its two searches, which differ: on nasbench201 | on darts."""

    cells: int = Field(
        0, ge=0, description="N of the super-network; 0: the protocol's (released: 5 | 6, which is 20 cells)"
    )
    filters: int = Field(0, ge=0, description="F of the super-network; 0: the protocol's (released: 16 | 36)")
    epochs: int = Field(50, ge=1, description="passes over the training images (released: 100 | two stages of 25)")
    batch_size: int = Field(0, ge=0, description="images per step; 0: the protocol's (released: 64)")
    learning_rate: float = Field(
        0.025, gt=0, description="learning rate of the weights at the start (released: 0.025 | 0.1)"
    )
    learning_rate_end: float = Field(
        0.001, ge=0, description="learning rate of the weights towards which a cosine falls (released: 0.001 | 0)"
    )
    architecture_learning_rate: float = Field(
        0.0,
        ge=0,
        description="learning rate of Adam; 0: such that rate x steps is that of 40 epochs with 0.0006, at most 0.02 (released: "
        "0.0003 | 0.0006)",
    )
    regularizer: Regularizer = Field(
        "l2",
        description="what holds the concentrations near 1: l2, architecture_weight_decay on their parameters; kl, divergence "
        "from the uniform distribution times regularizer_scale; none (released: l2 or kl)",
    )
    regularizer_scale: float = Field(1e-3, ge=0, description="factor of the divergence (released: 0.001)")
    warmup_epochs: int = Field(
        10,
        ge=0,
        description="first epochs, in which only the weights of the network learn (released: 0 | 10 of each stage's 25)",
    )


class Drnas(DifferentiableStrategy[DrnasConfig]):
    """Draw the weights of all operations anew in each step; their distribution explores, and its mean decides.

    `DifferentiableStrategy` says how it is trained and what is proposed, `OneShotStrategy` what is charged.

    Source: Chen et al. 2021 (2006.10355), section 3, and the released code: concentrations are ELU(parameter) + 1.
    Deviation: the defaults are those of neither search of the paper: weights learn as in its search on nasbench201, the
        architecture as in a single stage of that on darts. Without the two stages of the latter, where 1/6 and then 1/4
        of the channels pass the operations, and four operations of each edge remain in the second stage; preset=paper
        has its other settings, over 50 epochs, with one warm-up. See `DifferentiableStrategy`, too.
    """

    name = "drnas"
    config_type = DrnasConfig
    epoch_cost = 10.0
    paper_warmup = 10
    paper_rate = 6e-4
    paper_steps = 40 * STEPS_OF_64

    @classmethod
    def paper_options_on(cls, space: str) -> dict[str, Any]:
        """Return the settings of the released search on nasbench201, or else of that on darts; see `Strategy.paper_options_on`."""
        return {**super().paper_options(), **(ON_NASBENCH201 if space == "nasbench201" else ON_DARTS)}

    @classmethod
    def paper_options(cls) -> dict[str, Any]:
        """Return the settings of the released search on darts; see `Strategy.paper_options`."""
        return cls.paper_options_on("darts")

    def _settings(self, steps: int) -> ArchitectureSettings:
        found = super()._settings(steps)
        return found if self.config.regularizer == "l2" else replace(found, weight_decay=0.0)

    def _relaxation(self) -> Relaxation:
        scale = self.config.regularizer_scale if self.config.regularizer == "kl" else 0.0
        return DirichletWeights(scale)


class DirichletWeights(Relaxation):
    """Weights are drawn from Dirichlet distributions; gradients pass the draw.

    Args:
        scale: factor of the divergence from the uniform distribution in the loss; 0 for none.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def mixture(self, logits: Logits, progress: float) -> Mixture:
        """Draw the mixture; see `Relaxation.mixture`."""
        return Mixture(
            [Weighted(Dirichlet(concentration(each), validate_args=False).rsample()) for each in logits.choices]
        )

    def weights(self, logits: Tensor) -> Tensor:
        """Return the mean of the distribution; see `Relaxation.weights`."""
        found = concentration(logits)
        return found / found.sum()

    def penalty(self, logits: Logits) -> Tensor | None:
        """Return the divergence from the uniform distribution times its factor; see `Relaxation.penalty`."""
        if not self._scale:
            return None
        parts = []
        for each in logits.choices:
            uniform = Dirichlet(torch.ones_like(each), validate_args=False)
            parts.append(kl_divergence(Dirichlet(concentration(each), validate_args=False), uniform))
        return self._scale * torch.stack(parts).sum()


def concentration(logits: Tensor) -> Tensor:
    """Return the concentrations of a distribution.

    Args:
        logits: its parameters.

    Returns:
        ELU(parameter) + 1, > 0, also where the difference of both to 0 is below the precision of 1.
    """
    return torch.where(logits > 0, logits + 1, logits.clamp(max=0).exp())
