"""PC-DARTS: DARTS of which a part of the channels passes the operations, with normalized edges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import Field

from nasbench.runners.strategies.differentiable import DifferentiableConfig, DifferentiableStrategy
from nasbench.supernets.bilevel import Logits, Relaxation
from nasbench.supernets.mixed import Mixture, Weighted

STEPS_OF_256: Final = 98
"""Steps of an epoch of 25,000 images in batches of 256."""


class PcDartsConfig(DifferentiableConfig):
    """Options of PC-DARTS."""

    learning_rate: float = Field(0.1, gt=0, description="learning rate of the weights at the start (paper: 0.1)")
    learning_rate_end: float = Field(
        0.0, ge=0, description="learning rate of the weights towards which a cosine falls (paper: 0)"
    )
    batch_size: int = Field(0, ge=0, description="images per step; 0: the protocol's (paper: 256)")
    architecture_learning_rate: float = Field(
        0.0,
        ge=0,
        description="learning rate of Adam; 0: such that rate x steps is that of the paper's search, at most 0.02 (paper: 0.0006)",
    )
    warmup_epochs: int = Field(
        15, ge=0, description="first epochs, in which only the weights of the network learn (paper: 15)"
    )
    channel_share: int = Field(4, ge=1, description="K: one of K channels passes the operations (paper: 4)")
    normalizes_edges: bool = Field(True, description="whether the edges into a node have weights, too (paper: yes)")


class PcDarts(DifferentiableStrategy[PcDartsConfig]):
    """Send one of K channels through the mixed operations, and weigh the edges into each node.

    In spaces of cells, the weights of the states that an operand reads are the weights of edges; operations that change
    the number of channels get all of them. `DifferentiableStrategy` says how it is trained and what is proposed,
    `OneShotStrategy` what is charged.

    Source: Xu et al. 2020 (1907.05737), section 3, and the released code.
    Deviation: batches have the protocol's size by default, not K times that of DARTS. See `DifferentiableStrategy`, too.
    """

    name = "pcdarts"
    config_type = PcDartsConfig
    epoch_cost = 10.0
    paper_warmup = 15
    paper_rate = 6e-4
    paper_steps = 35 * STEPS_OF_256
    paper_settings: ClassVar[Mapping[str, Any]] = {"batch_size": 256}

    @property
    def channel_share(self) -> int:
        """Of how many channels one passes the operations."""
        return self.config.channel_share

    def _relaxation(self) -> Relaxation:
        return NormalizedEdges(self.config.normalizes_edges)


class NormalizedEdges(Relaxation):
    """Weights of operations, and of the edges into a node, are the softmax of their parameters.

    Args:
        normalizes_edges: whether edges have weights.
    """

    def __init__(self, normalizes_edges: bool) -> None:
        self.normalizes_edges = normalizes_edges

    def mixture(self, logits: Logits, progress: float) -> Mixture:
        """Make the mixture; see `Relaxation.mixture`. Nothing is drawn."""
        choices = [Weighted(each.softmax(0)) for each in logits.choices]
        return Mixture(choices, [each.softmax(0) for each in logits.edges] or None)
