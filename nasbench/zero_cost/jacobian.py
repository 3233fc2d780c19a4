"""Jacobian covariance: how differently an untrained network reacts to small changes of different images."""

from __future__ import annotations

import torch
from torch import Tensor

from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import minibatch, untrained

STABILIZER = 1e-5  # k of the paper


def jacob_cov(scoring_input: ScoringInput) -> float:
    """Compute the Jacobian-covariance score: minus the sum of log(v + k) + 1 / (v + k) over eigenvalues v.

    The eigenvalues are those of the correlation matrix of the images' Jacobians, and k = 1e-5. The Jacobian of an image
    is the gradient of the sum of all logits of the minibatch with respect to the image's pixels. If there are fewer
    pixels than images (digits: 64 and 128), the eigenvalues that are 0 add the same large constant to every network's
    score, which does not change the order.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score; NaN if the Jacobian of an image is constant, so that its correlations are undefined.

    Source: the first version of Mellor et al. 2020 (2006.04647v1), section 3, as used by Abdelfattah et al. 2021
    (2101.08134).
    Deviation: eigenvalues by a routine for symmetric matrices, in float64.
    """
    images, _ = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        inputs = images.detach().clone().requires_grad_()
        (jacobian,) = torch.autograd.grad(network(inputs).sum(), inputs, allow_unused=True, materialize_grads=True)
        return correlation_score(jacobian.flatten(1).double().cpu())


def correlation_score(jacobian: Tensor) -> float:
    """Compute the score of given Jacobians.

    Args:
        jacobian: float64 [images, pixels x channels].

    Returns:
        The score; NaN if a row is constant.
    """
    correlations = torch.corrcoef(jacobian)
    if not bool(correlations.isfinite().all()):
        return float("nan")
    eigenvalues = torch.linalg.eigvalsh(correlations) + STABILIZER
    return -float((eigenvalues.log() + 1 / eigenvalues).sum())
