"""Scores from the gradient of the loss on one minibatch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from nasbench.networks.base import Network
from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import minibatch, untrained, weights_of


def snip(scoring_input: ScoringInput) -> float:
    """Compute the SNIP score: the sum of |weight x gradient| over all weights.

    Weights are those of convolutions and fully connected layers. Each term estimates how much the loss changes when the
    weight is removed.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, >= 0.

    Source: Lee et al. 2019 (1810.02340), equation 4, without its normalization, summed as in Abdelfattah et al. 2021
    (2101.08134).
    """
    with untrained(scoring_input) as network:
        pairs = zip(weights_of(network), weight_gradients(network, *minibatch(scoring_input)))
        return sum(float((weight.detach().double() * gradient).abs().sum()) for weight, gradient in pairs)


def grad_norm(scoring_input: ScoringInput) -> float:
    """Compute the gradient-norm score: the sum of the Euclidean norms of the layers' gradients.

    Layers are convolutions and fully connected layers; their biases are left out.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, >= 0.

    Source: Abdelfattah et al. 2021 (2101.08134), section 3.1, and the released code, which adds the norms of the
    layers.
    Deviation: the weights of our classifiers start with a standard deviation of 0.01, so the classifier's gradient has
    a larger share. On 60 cells of NAS-Bench-201 (N = 1, CIFAR-10), the rank correlation with the published final
    accuracy was -0.09, and 0.29 with torch's default for the classifier; that of snip was 0.54 and 0.47.
    """
    with untrained(scoring_input) as network:
        return sum(float(gradient.norm()) for gradient in weight_gradients(network, *minibatch(scoring_input)))


def plain(scoring_input: ScoringInput) -> float:
    """Compute the sum of weight x gradient over all weights, with its sign.

    Weights are those of convolutions and fully connected layers.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, of either sign.

    Source: Mozer & Smolensky 1988, as used by Abdelfattah et al. 2021 (2101.08134) in the released code.
    """
    with untrained(scoring_input) as network:
        pairs = zip(weights_of(network), weight_gradients(network, *minibatch(scoring_input)))
        return sum(float((weight.detach().double() * gradient).sum()) for weight, gradient in pairs)


def grasp(scoring_input: ScoringInput) -> float:
    """Compute the GraSP score: minus the sum of weight x (Hessian times gradient) over all weights.

    Weights are those of convolutions and fully connected layers; the Hessian is that of the loss with respect to them.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, of either sign.

    Source: Wang et al. 2020 (2002.07376), equation 8, summed as in Abdelfattah et al. 2021 (2101.08134).
    Deviation: the temperature of the logits is 1, as in that code (GraSP's own has 200).
    """
    images, labels = minibatch(scoring_input)
    with untrained(scoring_input) as network:
        weights = weights_of(network)
        gradients = [gradient.float() for gradient in weight_gradients(network, images, labels)]
        loss = functional.cross_entropy(network(images), labels)
        again = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True, materialize_grads=True)
        product = sum((fixed * moving).sum() for fixed, moving in zip(gradients, again))
        curved = torch.autograd.grad(product, weights, allow_unused=True, materialize_grads=True)  # type: ignore[arg-type]
        return -sum(float((weight.detach().double() * each.double()).sum()) for weight, each in zip(weights, curved))


def weight_gradients(network: Network, images: Tensor, labels: Tensor) -> list[Tensor]:
    """Compute the gradient of the mean cross-entropy with respect to each weight of `weights_of`.

    Args:
        network: the network, in training mode, so that BatchNorm uses the minibatch's statistics.
        images: float32 [batch, channels, height, width].
        labels: int64 [batch].

    Returns:
        One float64 tensor per weight; zero for weights that the network does not use.
    """
    weights = weights_of(network)
    loss = functional.cross_entropy(network(images), labels)
    gradients = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    return [gradient.double() for gradient in gradients]
