"""Moving average of a network's weights, which is scored in place of the network."""

from __future__ import annotations

import copy

import torch

from nasbench.networks.base import Network


class AveragedNetwork:
    """A copy of a network with exponentially averaged weights: a <- d a + (1 - d) w after each step.

    BatchNorm's running statistics are averaged, too. In step t (from 0), d is at most (1 + t) / (10 + t), so the first
    weights are soon forgotten.

    Args:
        network: the network to average; the average starts with its weights.
        decay: d, in [0, 1); 0 makes the copy equal to the network after each step.

    Source: `ExponentialMovingAverage` of TensorFlow with `num_updates`, as in train_image_classifier.py of
    tensorflow/models, research/slim.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.network.requires_grad_(False)
        self._decay = decay
        ours, theirs = self.network.state_dict(), network.state_dict()
        self._pairs = [(ours[name], theirs[name]) for name in ours if ours[name].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Update the average after a step of the network.

        Args:
            step: number of the step in the whole training, from 0.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([ours for ours, _ in self._pairs], [theirs for _, theirs in self._pairs], 1 - decay)
