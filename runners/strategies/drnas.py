"""DrNAS: draw the weights of operations from Dirichlet distributions, whose concentrations are learned."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from nasbench.runners.strategies.differentiable import STEPS_OF_64, DifferentiableConfig, DifferentiableStrategy
from nasbench.supernets.bilevel import ArchitectureSettings, Logits, Relaxation
from nasbench.supernets.mixed import Mixture, Weighted

Regularizer = Literal["l2", "kl", "none"]


class DrnasConfig(DifferentiableConfig):
    """Options of DrNAS."""

    architecture_learning_rate: float = Field(
        0.0,
        ge=0,
        description="learning rate of Adam; 0: such that rate x steps is that of the paper's search, at most 0.02 (released: "
        "0.0006)",
    )
    regularizer: Regularizer = Field(
        "l2",
        description="what holds the concentrations near 1: l2, architecture_weight_decay on their parameters; kl, divergence "
        "from the uniform distribution times regularizer_scale; none (released: l2 or kl)",
    )
    regularizer_scale: float = Field(1e-3, ge=0, description="factor of the divergence (released: 0.001)")
    warmup_epochs: int = Field(
        10, ge=0, description="first epochs, in which only the weights of the network learn (released: 10)"
    )


class Drnas(DifferentiableStrategy[DrnasConfig]):
    """Draw the weights of all operations anew in each step; their distribution explores, and its mean decides.

    `DifferentiableStrategy` says how it is trained and what is proposed, `OneShotStrategy` what is charged.

    Source: Chen et al. 2021 (2006.10355), section 3, and the released code: concentrations are ELU(parameter) + 1.
    Deviation: without the second stage of the paper, which widens partial channels and removes operations. See
        `DifferentiableStrategy`, too.
    """

    name = "drnas"
    config_type = DrnasConfig
    epoch_cost = 10.0
    paper_warmup = 10
    paper_rate = 6e-4
    paper_steps = 40 * STEPS_OF_64

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
