"""Zero-cost scores: estimates of how good a network will be, from one minibatch at most and without training."""

from __future__ import annotations

import time
from typing import NamedTuple

from nasbench.protocols.protocol import Protocol
from nasbench.registry import Registry
from nasbench.spaces.base import Architecture
from nasbench.zero_cost.scoring_input import Scorer, ScoringInput

__all__ = ["ZERO_COST", "Scorer", "ScoringInput", "ZeroCost", "zero_cost_score"]

ZERO_COST: Registry[Scorer] = Registry(
    "zero-cost score",
    "nasbench.zero_cost",
    {
        "epe_nas": "nasbench.zero_cost.epe_nas:epe_nas",
        "fisher": "nasbench.zero_cost.fisher:fisher",
        "grad_norm": "nasbench.zero_cost.gradients:grad_norm",
        "grasp": "nasbench.zero_cost.gradients:grasp",
        "jacob_cov": "nasbench.zero_cost.jacobian:jacob_cov",
        "l2_norm": "nasbench.zero_cost.weights:l2_norm",
        "mult_adds": "nasbench.zero_cost.counts:mult_adds",
        "naswot": "nasbench.zero_cost.activations:naswot",
        "params": "nasbench.zero_cost.counts:params",
        "plain": "nasbench.zero_cost.gradients:plain",
        "snip": "nasbench.zero_cost.gradients:snip",
        "synflow": "nasbench.zero_cost.synflow:synflow",
        "zen": "nasbench.zero_cost.zen:zen",
    },
)


class ZeroCost(NamedTuple):
    """A zero-cost score and the time that it took.

    `value`: the score; larger predicts a better network. Only the order of scores of one name, protocol and seed has a
    meaning. NaN if the score is undefined, infinite if a determinant is 0 or a sum overflows.
    `seconds`: wall time of building the network and scoring it.
    """

    value: float
    seconds: float


def zero_cost_score(
    architecture: Architecture, score: str, protocol: Protocol, seed: int, device: str = "cpu"
) -> ZeroCost:
    """Score an architecture without training it. Equal arguments on one machine give bit for bit equal values.

    Args:
        architecture: the architecture to score.
        score: a registered name, e.g. naswot, synflow, jacob_cov, snip, zen, params (`nasbench score --help`).
        protocol: decides data, training split, whitening, size of the network, threads, kernels and memory format;
            settings of the training itself are not used.
        seed: seed of the initial weights and of the minibatch, >= 0.
        device: "cpu", "cuda" or "cuda:INDEX"; params and mult_adds do not use it.

    Returns:
        The value and the seconds. Reading the data from disk, once per process, is not in the seconds.

    Raises:
        UnknownName: when no score has that name.
        InputError: when the seed is negative, the device is not there, or the network cannot be built for these data.
        MissingData: when the data's files are missing.

    Source: Mellor et al. 2020 (2006.04647) for naswot; Abdelfattah et al. 2021 (2101.08134) for synflow, jacob_cov,
    snip, grad_norm, grasp, fisher, plain and l2_norm; Lin et al. 2021 (2102.01063) for zen; Lopes et al. 2021
    (2102.08099) for epe_nas.
    Deviation: each score's function names its own. All of them: initial weights are those from which training starts;
    the minibatch is not augmented; networks are computed in float32 (for synflow in float64), whatever the protocol's
    precision.
    """
    scorer = ZERO_COST.get(score)
    scoring_input = ScoringInput.of(architecture, protocol, seed, device)
    start = time.perf_counter()
    value = scorer(scoring_input)
    return ZeroCost(value, time.perf_counter() - start)
