"""EPE-NAS: how alike an untrained network's reactions to images of one class are."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import minibatch, untrained

STABILIZER = 1e-5  # k of the paper
MANY_CLASSES = 100


def epe_nas(scoring_input: ScoringInput) -> float:
    """Compute the EPE-NAS score from the correlations of the images' Jacobians within each class.

    A class has the sum of log(|c| + k) over all its correlations c, with k = 1e-5. Up to 100 classes, the score is the
    sum of the absolute values of these; of more classes, sums are means over images, and the score adds the differences
    of each two classes and divides by the number of classes. The Jacobian of an image is the gradient of the sum of all
    logits of the minibatch with respect to the image's pixels.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, >= 0; NaN if the Jacobian of an image is constant, so that its correlations are undefined.

    Source: Lopes et al. 2021 (2102.08099), equations 3 to 5, and the released code.
    Deviation: correlations in float64.
    """
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        inputs = images.detach().clone().requires_grad_()
        logits = network(inputs)
        (jacobian,) = torch.autograd.grad(logits.sum(), inputs, allow_unused=True, materialize_grads=True)
        rows = np.array(jacobian.flatten(1).double().tolist())  # also of tensors that have no array of their own
        return class_score(rows, np.array(labels.tolist()), logits.shape[1])


def class_score(jacobian: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> float:
    """Compute the score of given Jacobians.

    Args:
        jacobian: [images, pixels x channels].
        labels: [images], the class of each image.
        classes: number of classes of the data.

    Returns:
        The score; NaN if a row is constant.
    """
    if bool((jacobian.std(axis=1) == 0).any()):
        return float("nan")
    sums = []
    for label in np.unique(labels):
        correlations = np.atleast_2d(np.corrcoef(jacobian[labels == label]))
        found = float(np.log(np.abs(correlations) + STABILIZER).sum())
        sums.append(found / len(correlations) if classes > MANY_CLASSES else found)
    values = np.array(sums)
    if classes <= MANY_CLASSES:
        return float(np.abs(values).sum())
    return float(np.abs(values[:, None] - values[None, :]).sum() / len(values))
