"""Zero-cost scores: estimates of a network's quality from one minibatch, without training."""

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
        "grad_norm": "nasbench.zero_cost.gradients:grad_norm",
        "jacob_cov": "nasbench.zero_cost.jacobian:jacob_cov",
        "mult_adds": "nasbench.zero_cost.counts:mult_adds",
        "naswot": "nasbench.zero_cost.activations:naswot",
        "params": "nasbench.zero_cost.counts:params",
        "snip": "nasbench.zero_cost.gradients:snip",
        "synflow": "nasbench.zero_cost.synflow:synflow",
    },
)


class ZeroCost(NamedTuple):
    """A score and what it cost.

    `value`: the larger, the better the network is held to be; only the order means something, and only between scores of one name,
    protocol and seed. NaN where the score is undefined, infinite where it is singular or overflows.
    `seconds`: of building the network and scoring it.
    """

    value: float
    seconds: float


def zero_cost_score(
    architecture: Architecture, score: str, protocol: Protocol, seed: int, device: str = "cpu"
) -> ZeroCost:
    """Score an architecture without training it. The same arguments on the same machine give the same value to the bit.

    Args:
        architecture: the architecture to score.
        score: a registered name: naswot, synflow, jacob_cov, snip, grad_norm, params or mult_adds.
        protocol: the data, how they are whitened, and the network's scale; nothing else in it matters, as nothing is trained.
        seed: of the initial weights and of the minibatch, >= 0.
        device: "cpu", "cuda" or "cuda:1"; params and mult_adds need none.

    Returns:
        The value and the seconds. Reading the data from disk, once a process, is not counted.

    Raises:
        UnknownName: when no score has that name.
        InputError: when the device is not there or the network cannot be built for these data.
        MissingData: when the data's files are not there.

    Source: Mellor et al. 2020 (2006.04647) for naswot; Abdelfattah et al. 2021 (2101.08134) for synflow, jacob_cov, snip and grad_norm.
    Deviation: each scorer says its own. For all: initial weights are those our networks are trained from; the minibatch is not
        augmented; scores are computed in float32 (synflow in float64) whatever the protocol's precision.
    """
    scorer = ZERO_COST.get(score)
    scoring_input = ScoringInput.of(architecture, protocol, seed, device)
    start = time.perf_counter()
    value = scorer(scoring_input)
    return ZeroCost(value, time.perf_counter() - start)
