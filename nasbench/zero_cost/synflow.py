"""Synaptic flow: gradients of a network whose weights are all made positive, without data."""

from __future__ import annotations

import torch
from torch import nn

from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import untrained, weights_of


def synflow(scoring_input: ScoringInput) -> float:
    """Compute the synflow score: the sum of |weight x dR/dweight| over convolutions and fully connected layers.

    R is the sum of the logits for one image of ones. Weights and biases are replaced by their absolute values, and
    BatchNorms are removed. Everything is computed in float64. Of the data, only the shape is used.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, >= 0; infinite if it overflows.

    Source: Tanaka et al. 2020 (2006.05467), summed as in Abdelfattah et al. 2021 (2101.08134), whose released code also
    builds the networks without BatchNorms for this score.
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
    """Replace every BatchNorm in a module by an identity.

    Args:
        module: the module; it is changed.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            remove_batch_norm(child)
