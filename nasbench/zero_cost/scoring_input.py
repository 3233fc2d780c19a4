"""Input of a zero-cost score. Imports no torch, because scores that only count parameters do not need it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nasbench.data import load_data
from nasbench.errors import InputError
from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture
from nasbench.structures import Scale


@dataclass(frozen=True)
class ScoringInput:
    """An architecture with all that its score depends on.

    Args:
        architecture: the architecture to score.
        protocol: the data and how they are whitened.
        scale: size of the network, for the protocol's data.
        seed: of the initial weights and of the minibatch, >= 0.
        device: device of the network, as text.
    """

    architecture: Architecture
    protocol: Protocol
    scale: Scale
    seed: int
    device: str

    @staticmethod
    def of(architecture: Architecture, protocol: Protocol, seed: int, device: str) -> ScoringInput:
        """Look up the scale; reads the data when the process has not done so yet.

        Raises:
            InputError: when the seed is negative.
            MissingData: when the data's files are not there.
        """
        if seed < 0:
            raise InputError(f"the seed of a zero-cost score is 0 or more, got {seed}")
        data = load_data(protocol.data)
        return ScoringInput(
            architecture, protocol, protocol.scale(data.size, data.channels, len(data.classes)), seed, device
        )


Scorer = Callable[[ScoringInput], float]
"""A zero-cost score: the larger, the better; NaN where undefined. `nasbench.zero_cost.untrained` has network and minibatch."""
