"""Spaces of hand-made networks, so that every score can be computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.structures import Counts, Regularization, Scale

CHANNELS, SIZE, CLASSES = 2, 4, 3
HIDDEN = 60


class Chain(Network):
    """Layers one after the other, from images to logits."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images)
        return logits


class Mixed(Network):
    """ReLUs as a module in place, as a function and as a method in place; and a layer that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(CHANNELS, 5, 3), nn.BatchNorm2d(5)
        self.in_place = nn.ReLU(inplace=True)
        self.linear, self.last = nn.Linear(5 * 4, HIDDEN), nn.Linear(HIDDEN, CLASSES)
        self.unused = nn.Linear(HIDDEN, 2)
        self.rectified: list[Tensor] = []

    def _note(self, inputs: Tensor) -> Tensor:
        self.rectified.append(inputs.detach().clone())
        return inputs

    def forward(self, images: Tensor) -> Tensor:
        maps = self.in_place(self._note(self.norm(self.convolution(images)))).flatten(1)
        hidden = torch.nn.functional.relu(self._note(self.linear(maps)))
        logits: Tensor = self.last(self._note(hidden - 0.5).relu_())
        return logits


def linear_pair() -> Network:
    return Chain(nn.Flatten(), nn.Linear(CHANNELS * SIZE * SIZE, 5, bias=False), nn.Linear(5, CLASSES, bias=False))


def convolution_with_norm() -> Network:
    return Chain(
        nn.Conv2d(CHANNELS, 4, SIZE, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(4, CLASSES, bias=False),
    )


class Blind(Network):
    """Logits that do not depend on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(torch.zeros(len(images), 2, device=images.device, dtype=images.dtype))
        return logits


MAKERS: tuple[Callable[[], Network], ...] = (linear_pair, convolution_with_norm, Mixed, Blind)


@dataclass(frozen=True)
class HandMade(Space):
    """One decision: which of the networks above. What was built last is kept in `built`."""

    name: ClassVar[str] = "hand_made"
    built: ClassVar[list[Network]] = []

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return (Decision("which", len(MAKERS), tuple(maker.__name__ for maker in MAKERS), "which", 0),)

    def structure(self, architecture: Architecture) -> Any:
        return architecture.choices

    def form(self, architecture: Architecture) -> str:
        return f"hand_made|{architecture.choices}"

    def canonical(self, architecture: Architecture) -> Architecture:
        return architecture

    def describe(self, architecture: Architecture) -> str:
        return MAKERS[architecture.choices[0]].__name__

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        return Counts(10 * architecture.choices[0], 7)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        self.built[:] = [MAKERS[architecture.choices[0]]()]
        return self.built[0]


@pytest.fixture
def hand_made() -> Callable[[str], Architecture]:
    """The architecture of a maker's name."""
    return lambda name: HandMade().decode([[maker.__name__ for maker in MAKERS].index(name)])


@pytest.fixture
def built() -> Callable[[], Network]:
    """The network that was built last, as the score left it."""
    return lambda: HandMade.built[0]


@pytest.fixture
def small() -> Protocol:
    """Forty images to draw from, so that the minibatch holds them all."""
    return Protocol(data=f"fake:images=50,size={SIZE},classes={CLASSES},channels={CHANNELS}", validation=0.2)
