"""Input of a zero-cost score. Does not import torch, which scores that only count do not need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nasbench.data import load_data
from nasbench.data.fitting import fitted
from nasbench.errors import InputError
from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture
from nasbench.structures import Scale


@dataclass(frozen=True)
class ScoringInput:
    """An architecture, and everything else on which its score depends.

    Args:
        architecture: the architecture to score.
        protocol: data, training split, whitening, threads, kernels and memory format.
        scale: size of the network and of the protocol's images.
        seed: seed of the initial weights and of the minibatch, >= 0.
        device: device of the network: "cpu", "cuda" or "cuda:INDEX".
    """

    architecture: Architecture
    protocol: Protocol
    scale: Scale
    seed: int
    device: str

    @staticmethod
    def of(architecture: Architecture, protocol: Protocol, seed: int, device: str) -> ScoringInput:
        """Make the input of a score; the scale is that of the protocol and its data.

        Reads the data if this process has not read them yet.

        Args:
            architecture: the architecture to score.
            protocol: the protocol.
            seed: seed of the initial weights and of the minibatch, >= 0.
            device: device of the network: "cpu", "cuda" or "cuda:INDEX".

        Returns:
            The input of the score.

        Raises:
            InputError: when the seed is negative, or the data's name or files are not usable.
            MissingData: when the data's files are missing.
        """
        if seed < 0:
            raise InputError(f"the seed of a zero-cost score is 0 or more, got {seed}")
        data = load_data(protocol.data)
        protocol = fitted(protocol, data)
        return ScoringInput(
            architecture, protocol, protocol.scale(data.size, data.channels, len(data.classes)), seed, device
        )


Scorer = Callable[[ScoringInput], float]
"""A zero-cost score: larger predicts a better network; NaN if undefined.

`nasbench.zero_cost.untrained` makes the network and the minibatch for it.
"""
