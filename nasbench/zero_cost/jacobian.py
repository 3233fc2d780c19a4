"""Jacobian covariance: how differently an untrained network reacts to small changes of different images."""

from __future__ import annotations

import torch
from torch import Tensor

from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import minibatch, untrained

STABILIZER = 1e-5  # k of the paper


def jacob_cov(scoring_input: ScoringInput) -> float:
    """-sum of log(v + k) + 1 / (v + k) over the eigenvalues v of the correlations between the images' Jacobians, k = 1e-5.

    The Jacobian of an image is the gradient of the sum of all logits of the minibatch with respect to its pixels. NaN where that of some
    image is constant, so that it correlates with nothing. With fewer pixels than images (digits: 64 of 128) the missing rank puts the same
    large constant under every network's score; the order is not touched.

    Source: the first version of Mellor et al. 2020 (2006.04647v1), section 3, as used by Abdelfattah et al. 2021 (2101.08134).
    Deviation: eigenvalues by a routine for symmetric matrices, in float64.
    """
    images, _ = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        inputs = images.detach().clone().requires_grad_()
        (jacobian,) = torch.autograd.grad(network(inputs).sum(), inputs, allow_unused=True, materialize_grads=True)
        return correlation_score(jacobian.flatten(1).double().cpu())


def correlation_score(jacobian: Tensor) -> float:
    """The score of Jacobians float64 [images, pixels]."""
    correlations = torch.corrcoef(jacobian)
    if not bool(correlations.isfinite().all()):
        return float("nan")
    eigenvalues = torch.linalg.eigvalsh(correlations) + STABILIZER
    return -float((eigenvalues.log() + 1 / eigenvalues).sum())
