"""Scores of the initial weights alone."""

from __future__ import annotations

from nasbench.zero_cost.scoring_input import ScoringInput
from nasbench.zero_cost.untrained import untrained, weights_of


def l2_norm(scoring_input: ScoringInput) -> float:
    """Compute the sum of the Euclidean norms of the layers' initial weights.

    Layers are convolutions and fully connected layers; their biases are left out. It sees neither images nor
    connections, so it is a baseline: mostly, it counts layers and their widths.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        The score, >= 0.

    Source: Abdelfattah et al. 2021 (2101.08134), in the released code.
    """
    with untrained(scoring_input) as network:
        return sum(float(weight.detach().double().norm()) for weight in weights_of(network))
