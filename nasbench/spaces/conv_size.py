"""Five 3x3 convolutions with a choice of channels each: a size space whose networks train in seconds on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from nasbench.spaces.base import Architecture
from nasbench.spaces.channel_choices import ChannelSpace
from nasbench.structures import Counts, Layer, LayerStack, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

CHANNELS: Final = (4, 8, 12, 16)
STRIDES: Final = (2, 1, 2, 1, 1)


@dataclass(frozen=True)
class ConvSizeSpace(ChannelSpace):
    """Five convolutions of 3x3, each with one of some numbers of channels: 1,024 networks with 4, 8, 12 and 16.

    A layer is convolution, BatchNorm, ReLU. Layers 1 and 3 have stride 2. The classifier averages the last layer's map.
    Accuracy and multiply-adds trade against each other, and a network trains in seconds on one core of a CPU.

    Args:
        channels: numbers of channels that a layer may have, each 1 to 1,024, in rising order; 4, 8, 12 and 16 by default.
            Networks with the same channels have one hash, whatever else could have been chosen.

    Raises:
        InputError: when a number is out of range, stands twice, or they do not rise.

    Source: ours. The choice of channels in five layers is that of NATS-Bench (Dong et al. 2020, 2009.00437, section 2.1).
    Deviation: NATS-Bench has cells of five convolutions where this space has one, and 8 to 64 channels; `nats-size` is
        its space.
    """

    name: ClassVar[str] = "conv-size"
    default_protocol: ClassVar[str] = "cifar10-quick"

    channels: tuple[int, ...] = CHANNELS

    def structure(self, architecture: Architecture) -> LayerStack:
        """Return the layers, each reading the one before; see `Space.structure`."""
        layers = [
            Layer(3, 3, channels, (place,), stride, stride)
            for place, (channels, stride) in enumerate(zip(self.chosen(architecture), STRIDES, strict=True))
        ]
        return LayerStack(tuple(layers), (len(layers),))

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.layer_counts import count_layer_stack

        return count_layer_stack(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module; see `networks.layers.build_layer_stack`."""
        from nasbench.networks.layers import build_layer_stack

        return build_layer_stack(self.structure(architecture), scale, regularization or Regularization())
