"""Zen: how strongly a network with random weights reacts to a small change of random images."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier
from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import MINIBATCH, untrained

MIXTURE = 0.01  # share of other images in the changed ones


def zen(scoring_input: ScoringInput) -> float:
    """Compute the Zen score: the log of the change of the last feature maps, plus that of the scales BatchNorms remove.

    Weights are drawn from a standard normal distribution. The images are noise, and the changed images add a hundredth
    of other noise. The change is the sum of the absolute differences of the feature maps before global pooling, averaged
    over images. For each BatchNorm, the logarithm of the root of its mean running variance after both passes is added.

    Args:
        scoring_input: the architecture, and everything else on which its score depends; of the data, the shape alone.

    Returns:
        The score; minus infinity if nothing changes.

    Source: Lin et al. 2021 (2102.01063), algorithm 1, and the released code, which takes running variances.
    Deviation: one repetition with as many images as a minibatch of the other scores (the released code averages 32 of
    64 images). Of networks without the suite's classifier, the logits are compared, as NASLib does.
    """
    scale = scoring_input.scale
    shape = (MINIBATCH, scale.image_channels, scale.image_size, scale.image_size)
    with untrained(scoring_input) as network, torch.no_grad():
        device = next(network.parameters()).device
        draw_weights(network)
        images, others = torch.randn(shape, device=device), torch.randn(shape, device=device)
        before, after = (last_maps(network, each) for each in (images, images + MIXTURE * others))
        change = float((before.double() - after.double()).abs().flatten(1).sum(1).mean())
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        variances = [norm.running_var.double().mean() for norm in norms if norm.running_var is not None]
        scales = math.fsum(math.log(float(variance)) / 2 for variance in variances)
        return math.log(change) + scales if change > 0 else -math.inf


def draw_weights(network: nn.Module) -> None:
    """Draw weights of convolutions and fully connected layers anew, and reset biases and BatchNorms.

    Args:
        network: the network, which is changed; torch's global generator gives the draws.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def last_maps(network: Network, images: Tensor) -> Tensor:
    """Compute the feature maps that the classifier averages; the logits of a network without that classifier.

    Args:
        network: the network.
        images: float32 [batch, channels, height, width].

    Returns:
        Floats [batch, ...].
    """
    seen: list[Tensor] = []

    def keep(_: nn.Module, given: tuple[Any, ...]) -> None:
        seen.append(given[0].clone())

    last = [module for module in network.modules() if isinstance(module, Classifier)]
    handles = [module.register_forward_pre_hook(keep) for module in last[-1:]]
    try:
        logits: Tensor = network(images)
    finally:
        for handle in handles:
            handle.remove()
    return seen[-1] if seen else logits
