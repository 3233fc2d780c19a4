"""Synaptic flow: how much can run through a network when no weight is negative."""

from __future__ import annotations

import torch
from torch import nn

from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import untrained, weights_of


def synflow(scoring_input: ScoringInput) -> float:
    """Sum of |weight x dR/dweight| over convolutions and fully connected layers; R sums the outputs for an image of ones.

    All weights and biases are replaced by their absolute values, BatchNorm by nothing at all, and everything is float64. No data but
    their shape. Infinite where that overflows.

    Source: Tanaka et al. 2020 (2006.05467), as summed by Abdelfattah et al. 2021 (2101.08134), whose released code for synflow builds
        the networks without BatchNorm layers too.
    """
    scale = scoring_input.scale
    with untrained(scoring_input) as network:
        network = network.double()
        remove_batch_norm(network)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.abs_()
        weights = weights_of(network)
        ones = torch.ones(
            1, scale.image_channels, scale.image_size, scale.image_size, dtype=torch.float64, device=weights[0].device
        )
        gradients = torch.autograd.grad(network(ones).sum(), weights, allow_unused=True, materialize_grads=True)
        return sum(float((weight.detach() * gradient).abs().sum()) for weight, gradient in zip(weights, gradients))


def remove_batch_norm(module: nn.Module) -> None:
    """Replace every BatchNorm below a module by an identity."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            remove_batch_norm(child)
