"""Spaces whose architectures are five numbers of channels around fixed layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.spaces.options import check_numbers

LAYERS: Final = 5
MOST_CHANNELS: Final = 1024
_LONGEST: Final = 60  # characters of a text that an error repeats


@dataclass(frozen=True)
class ChannelSpace(Space):
    """Base of the spaces that decide the channels of five layers and nothing else.

    No two architectures have isomorphic graphs, so each is its own canonical one. Networks with the same channels have one
    hash, whatever else could have been chosen. A subclass defines the layers: `structure`, `count_at` and `build`.

    Args:
        channels: numbers of channels that a layer may have, each 1 to 1,024, in rising order.

    Raises:
        InputError: when a number is out of range, stands twice, or they do not rise.
    """

    channels: tuple[int, ...] = (8, 16)

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

    def chosen(self, architecture: Architecture) -> tuple[int, ...]:
        """Return the channels of the five layers.

        Args:
            architecture: an architecture of this space.

        Returns:
            Numbers of channels, from the image to the classifier.
        """
        return tuple([self.channels[choice] for choice in architecture.choices])

    def form(self, architecture: Architecture) -> str:
        """Write the space's name and the channels of the layers; see `Space.form`."""
        return f"{self.name}|{self.describe(architecture)}"

    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the architecture itself, because no two of this space have one hash; see `Space.canonical`."""
        return architecture

    def describe(self, architecture: Architecture) -> str:
        """Write the channels with colons between, e.g. "64:32:8:48:16"; see `Space.describe`."""
        return ":".join(map(str, self.chosen(architecture)))

    def parse(self, text: str) -> Architecture:
        """Read an architecture from the numbers of channels.

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
        """Return the index of an architecture; the last layer changes fastest.

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


@lru_cache(maxsize=16)
def _decisions(channels: tuple[int, ...]) -> tuple[Decision, ...]:
    labels = tuple(map(str, channels))
    return tuple(
        Decision(f"layer{layer + 1}/channels", len(channels), labels, "channels", layer) for layer in range(LAYERS)
    )
