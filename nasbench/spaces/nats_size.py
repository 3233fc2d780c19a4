"""The size space of NATS-Bench: five numbers of channels around one fixed cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.options import check_numbers
from nasbench.structures import ChannelStack, Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

CHANNELS: Final = (8, 16, 24, 32, 40, 48, 56, 64)
LAYERS: Final = 5
MOST_CHANNELS: Final = 1024
_LONGEST: Final = 60  # characters of a text that an error repeats


@dataclass(frozen=True)
class NatsSizeSpace(Space):
    """Five layers, each with one of some numbers of channels: 32,768 networks of one topology, with NATS-Bench's numbers.

    Layers 1, 3 and 5 are cells of the topology that has the best validation accuracy on CIFAR-100 in the topology space
    (`nasbench201`); layers 2 and 4 are residual blocks that halve height and width. No two architectures have isomorphic
    graphs, so each is its own canonical one.

    Args:
        channels: numbers of channels that a layer may have, each 1 to 1,024, in rising order; 8, 16, ..., 64 by default. With
            4/8/12/16 there are 1,024 networks, small enough to train each of them on a CPU. Networks with the same channels
            have one hash, whatever else could have been chosen.

    Raises:
        InputError: when a number is out of range, stands twice, or they do not rise.

    Source: Dong et al. 2020 (2009.00437), section 2.1. The order of the official index is that of the released code: the
        last layer changes fastest, from 8:8:8:8:8 (0) to 64:64:64:64:64 (32,767). With equal weights, and image sizes
        divisible by 4, the networks compute the same values as the benchmark's.
    """

    name: ClassVar[str] = "nats-size"
    default_protocol: ClassVar[str] = "nasbench201"

    channels: tuple[int, ...] = CHANNELS

    def __post_init__(self) -> None:
        check_numbers(self.name, "channels", self.channels, 1, MOST_CHANNELS)
        if list(self.channels) != sorted(self.channels):
            raise InputError(
                f"option 'channels' of space {self.name!r} takes numbers in rising order, got {self.channels!r}"
            )

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The channels of the five layers, from the image to the classifier."""
        return _decisions(self.channels)

    def structure(self, architecture: Architecture) -> ChannelStack:
        """Return the channels of the layers; see `Space.structure`."""
        return ChannelStack(tuple([self.channels[choice] for choice in architecture.choices]))

    def form(self, architecture: Architecture) -> str:
        """Write the channels of the layers as text; see `Space.form`."""
        return f"nats-size|{self.describe(architecture)}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture itself, because no two of this space have one hash; see `Space.canonical`."""
        return architecture

    def describe(self, architecture: Architecture) -> str:
        """Write the string of the benchmark, e.g. "64:32:8:48:16"; see `Space.describe`."""
        return ":".join(str(self.channels[choice]) for choice in architecture.choices)

    def parse(self, text: str) -> Architecture:
        """Read an architecture from the benchmark's string.

        Args:
            text: as `describe` writes it.

        Returns:
            The architecture.

        Raises:
            InputError: when the text has another form, or other channels.
        """
        parts = text.strip().split(":")
        choices = {str(channels): choice for choice, channels in enumerate(self.channels)}
        if len(parts) != LAYERS or any(part not in choices for part in parts):
            example = ":".join([str(self.channels[-1])] * LAYERS)
            raise InputError(
                f"an architecture of {self.spec} is five of {', '.join(choices)} with colons between, e.g. {example}, got "
                f"{text[:_LONGEST]!r}"
            )
        return self.decode([choices[part] for part in parts])

    def enumerate(self) -> Iterator[Architecture]:
        """Yield all architectures in the order of their index."""
        return (self.of_index(index) for index in range(self.size))

    def index(self, architecture: Architecture) -> int:
        """Return the index of an architecture: with the default channels, the one in the benchmark's files.

        Args:
            architecture: an architecture of this space.

        Returns:
            0 to the space's size - 1.
        """
        index = 0
        for choice in architecture.choices:
            index = index * len(self.channels) + choice
        return index

    def of_index(self, index: int) -> Architecture:
        """Return the architecture of an index: the inverse of `index`.

        Args:
            index: 0 to the space's size - 1.

        Returns:
            The architecture.

        Raises:
            InputError: for another index.
        """
        if not 0 <= index < self.size:
            raise InputError(f"the index of an architecture of {self.spec} is 0 to {self.size - 1}, got {index}")
        choices = []
        for _ in range(LAYERS):
            index, choice = divmod(index, len(self.channels))
            choices.append(choice)
        return Architecture(self, tuple(reversed(choices)))

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters and multiply-adds in closed form; see `Space.count_at`."""
        from nasbench.networks.channel_stack_counts import count_channel_stack

        return count_channel_stack(self.structure(architecture), scale)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module; see `networks.channel_stacks.build_channel_stack`."""
        from nasbench.networks.channel_stacks import build_channel_stack

        return build_channel_stack(self.structure(architecture), scale, regularization or Regularization())


@lru_cache(maxsize=64)
def _decisions(channels: tuple[int, ...]) -> tuple[Decision, ...]:
    labels = tuple(map(str, channels))
    return tuple(
        Decision(f"layer{layer + 1}/channels", len(channels), labels, "channels", layer) for layer in range(LAYERS)
    )
