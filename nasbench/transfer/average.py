"""Moving average of a network's weights; the average is scored."""

from __future__ import annotations

import copy

import torch

from nasbench.networks.base import Network


class AveragedNetwork:
    """A copy of a network whose weights and running statistics trail behind: a = d a + (1 - d) w after each step.

    Args:
        network: the network to average; the average starts at its weights.
        decay: d, in [0, 1); 0 makes the copy equal the network after each step.

    In step t (from 0) d is at most (1 + t) / (10 + t), so that the first weights are soon forgotten.

    Source: `ExponentialMovingAverage` of TensorFlow with `num_updates`, as train_image_classifier.py of tensorflow/models,
    research/slim, uses it over all model variables, running statistics included.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.network.requires_grad_(False)
        self._decay = decay
        ours, theirs = self.network.state_dict(), network.state_dict()
        self._pairs = [(ours[name], theirs[name]) for name in ours if ours[name].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the network after its step number `step`, from 0."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([ours for ours, _ in self._pairs], [theirs for _, theirs in self._pairs], 1 - decay)
