"""The size space of NATS-Bench: five numbers of channels around one fixed cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from nasbench.spaces.base import Architecture
from nasbench.spaces.channel_choices import ChannelSpace
from nasbench.structures import ChannelStack, Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

CHANNELS: Final = (8, 16, 24, 32, 40, 48, 56, 64)


@dataclass(frozen=True)
class NatsSizeSpace(ChannelSpace):
    """Five layers, each with one of some numbers of channels: 32,768 networks of one topology, with NATS-Bench's numbers.

    Layers 1, 3 and 5 are cells of the topology that has the best validation accuracy on CIFAR-100 in the topology space
    (`nasbench201`); layers 2 and 4 are residual blocks that halve height and width. No two architectures have isomorphic
    graphs, so each is its own canonical one.

    Args:
        channels: numbers of channels that a layer may have, each 1 to 1,024, in rising order; 8, 16, ..., 64 by default.
            Networks with the same channels have one hash, whatever else could have been chosen.

    Raises:
        InputError: when a number is out of range, stands twice, or they do not rise.

    Source: Dong et al. 2020 (2009.00437), section 2.1. The order of the official index is that of the released code: the
        last layer changes fastest, from 8:8:8:8:8 (0) to 64:64:64:64:64 (32,767). With equal weights, and image sizes
        divisible by 4, the networks compute the same values as the benchmark's.
    """

    name: ClassVar[str] = "nats-size"
    default_protocol: ClassVar[str] = "nasbench201"

    channels: tuple[int, ...] = CHANNELS

    def structure(self, architecture: Architecture) -> ChannelStack:
        """Return the channels of the layers; see `Space.structure`."""
        return ChannelStack(self.chosen(architecture))

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.channel_stack_counts import count_channel_stack

        return count_channel_stack(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module; see `networks.channel_stacks.build_channel_stack`."""
        from nasbench.networks.channel_stacks import build_channel_stack

        return build_channel_stack(self.structure(architecture), scale, regularization or Regularization())
