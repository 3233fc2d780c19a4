"""GDAS: in each step, train one drawn path, with gradients through a Gumbel softmax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from nasbench.runners.strategies.differentiable import STEPS_OF_64, DifferentiableConfig, DifferentiableStrategy
from nasbench.supernets.bilevel import Logits, Relaxation
from nasbench.supernets.mixed import Mixture, Weighted


class GdasConfig(DifferentiableConfig):
    """Options of GDAS. A step trains one path, so its default is more epochs than those of other strategies."""

    epochs: int = Field(100, ge=1, description="passes over the training images (paper: 250)")

    temperature: float = Field(10.0, gt=0, description="temperature in the first epoch (paper: 10)")
    temperature_end: float = Field(
        0.1, gt=0, description="temperature in the last epoch; it changes linearly (paper: 0.1)"
    )


class Gdas(DifferentiableStrategy[GdasConfig]):
    """Draw one option of each choice in each step, and let gradients pass as if it had been a softmax.

    A step computes a single path, so it costs as much as a step of a network of the space.
    `DifferentiableStrategy` says how it is trained and what is proposed, `OneShotStrategy` what is charged.

    Source: Dong & Yang 2019 (1910.04465), section 3.2, and the released code: the weights make their step before the
        parameters.
    Deviation: the released code adds the weights of the operations that were not drawn to the feature map, where they
        are 0 but have gradients; here, as in the paper's equation 5, only the drawn operation gives gradients. See
        `DifferentiableStrategy`, too.
    """

    name = "gdas"
    config_type = GdasConfig
    weights_first = True
    epoch_cost = 2.0
    most_epochs = 250
    paper_steps = 250 * STEPS_OF_64
    paper_settings: ClassVar[Mapping[str, Any]] = {"epochs": 250}

    def _relaxation(self) -> Relaxation:
        return GumbelSoftmax(self.config.temperature, self.config.temperature_end)


class GumbelSoftmax(Relaxation):
    """Weights are 1 for a drawn option and 0 for all others, with the gradients of a softmax of the perturbed parameters.

    The option k is drawn with its softmax probability, by the maximum of log p_k + g_k, where g_k = -log(-log u_k) and
    u_k is uniform.

    Args:
        first: temperature at progress 0.
        last: temperature at progress 1.
    """

    def __init__(self, first: float, last: float) -> None:
        self._first, self._last = first, last

    def temperature(self, progress: float) -> float:
        """Return the temperature.

        Args:
            progress: share of the epochs that are done, in [0, 1].

        Returns:
            The temperature, which changes linearly.
        """
        return self._first + (self._last - self._first) * progress

    def mixture(self, logits: Logits, progress: float) -> Mixture:
        """Draw the mixture; see `Relaxation.mixture`."""
        return Mixture([drawn(each, self.temperature(progress)) for each in logits.choices])


def drawn(logits: Tensor, temperature: float) -> Weighted:
    """Draw one option, from torch's global generator.

    Args:
        logits: parameters of a choice.
        temperature: temperature of the softmax that gives the gradients, > 0.

    Returns:
        The option with the weight 1; gradients are those of softmax((log p + g) / temperature).
    """
    uniform = torch.rand(logits.shape).clamp_(min=torch.finfo(torch.float32).tiny)
    noise = -(-uniform.log()).clamp_(min=torch.finfo(torch.float32).tiny).log()
    soft = ((logits.log_softmax(0) + noise) / temperature).softmax(0)
    chosen = int(soft.argmax())
    hard = torch.zeros_like(soft)
    hard[chosen] = 1.0
    return Weighted(hard + soft - soft.detach(), chosen)
