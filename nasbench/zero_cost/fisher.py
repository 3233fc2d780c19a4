"""Fisher: how much the loss would change if whole channels were removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasbench.networks.base import Network
from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import minibatch, untrained


def fisher(scoring_input: ScoringInput) -> float:
    """Compute the Fisher score: the saliency of every channel, counted once for each weight of the channel.

    The saliency of a channel is half the mean over images of the square of the sum over positions of activation x
    gradient. Channels are those of the outputs of convolutions and of fully connected layers.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, >= 0.

    Source: Turner et al. 2020 (1906.04113), equation 3; Abdelfattah et al. 2021 (2101.08134), whose released code gives
    each weight the saliency of its channel and adds up over weights.
    Deviation: the gradient is that of the mean loss over the minibatch, as in that code.
    """
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        saliencies = channel_saliencies(network, images, labels)
        return sum(float(found.sum()) * layer.weight[0].numel() for layer, found in saliencies.items())


def channel_saliencies(network: Network, images: Tensor, labels: Tensor) -> dict[nn.Conv2d | nn.Linear, Tensor]:
    """Compute the saliency of each channel of each layer.

    Args:
        network: the network, in training mode.
        images: float32 [batch, channels, height, width].
        labels: int64 [batch].

    Returns:
        Layer -> float64 [outputs]; layers that do not affect the loss are left out. Of a layer that runs several times,
        saliencies add up.
    """
    outputs: list[tuple[nn.Conv2d | nn.Linear, Tensor]] = []

    def watch(layer: nn.Conv2d | nn.Linear) -> Callable[..., Tensor]:
        def seen(_: nn.Module, given: Any, output: Tensor) -> Tensor:
            outputs.append((layer, output))
            return output.clone()  # what follows may change it in place

        return seen

    layers = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    handles = [layer.register_forward_hook(watch(layer)) for layer in layers]
    try:
        loss = functional.cross_entropy(network(images), labels)
    finally:
        for handle in handles:
            handle.remove()
    gradients = torch.autograd.grad(loss, [output for _, output in outputs], allow_unused=True)
    found: dict[nn.Conv2d | nn.Linear, Tensor] = {}
    for (layer, output), gradient in zip(outputs, gradients):
        if gradient is not None:
            product = (output.detach().double() * gradient.double()).flatten(2 if output.ndim > 2 else 1)
            sums = product.sum(2) if output.ndim > 2 else product
            found[layer] = found.get(layer, torch.zeros((), device=sums.device)) + sums.pow(2).mean(0) / 2
    return found
