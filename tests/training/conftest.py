"""A space whose every decision is a way for a child to end."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.protocols.protocol import Protocol
from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.structures import Counts, Regularization, Scale
from nasbench.training.evaluation import Child

ENDINGS = (
    *("fine", "dropout", "nan", "late_nan", "no_memory", "host_memory", "cuda_memory", "slow", "error", "exit", "stop"),
    "unrepeatable",
)


class Unrepeatable(torch.autograd.Function):
    """The identity, whose backward pass has an operation without a deterministic implementation, on the CPU too: `Tensor.put_`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return torch.empty_like(gradient).put_(torch.arange(gradient.numel()), gradient)


class TinyNetwork(Network):
    """A convolution and a classifier, with the misbehaviour its ending names."""

    def __init__(self, ending: str, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        self.ending = ending
        self.progress: list[float] = []
        self.features = nn.Sequential(
            nn.Conv2d(scale.image_channels, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.dropout = nn.Dropout(0.3 if ending == "dropout" else regularization.dropout)
        self.classifier = nn.Linear(8 * 4, scale.classes)
        self.auxiliary = nn.Linear(8, scale.classes) if regularization.auxiliary else None

    def set_progress(self, progress: float) -> None:
        self.progress.append(progress)

    def _features(self, images: Tensor) -> Tensor:
        self._misbehave()
        features = self.features(images)
        return Unrepeatable.apply(features) if self.ending == "unrepeatable" else features

    def _classify(self, features: Tensor) -> Tensor:
        side = features.shape[-1] // 2
        logits = self.classifier(self.dropout(nn.functional.avg_pool2d(features, side).flatten(1)))
        late = self.ending == "late_nan" and self.training and self.progress[-1] >= 0.5
        return logits * float("nan") if self.ending == "nan" or late else logits

    def forward(self, images: Tensor) -> Tensor:
        return self._classify(self._features(images))

    def forward_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self._features(images)
        auxiliary = self.auxiliary(features.mean((2, 3))) if self.auxiliary is not None else None
        return self._classify(features), auxiliary

    def _misbehave(self) -> None:
        match self.ending:
            case "no_memory":
                torch.empty(10**15)
            case "exit":
                sys.exit("a network that ends the program")
            case "host_memory":
                raise MemoryError
            case "cuda_memory":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB\nand more lines")
            case "slow":
                time.sleep(0.05)
            case "error":
                raise ValueError("first line\nsecond line")
            case "stop":
                raise KeyboardInterrupt


@dataclass(frozen=True)
class TinySpace(Space):
    name: ClassVar[str] = "tiny"

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return (Decision("ending", len(ENDINGS), ENDINGS, "ending", 0),)

    def structure(self, architecture: Architecture) -> Any:
        return ENDINGS[architecture.choices[0]]

    def form(self, architecture: Architecture) -> str:
        return self.structure(architecture)

    def canonical(self, architecture: Architecture) -> Architecture:
        return architecture

    def describe(self, architecture: Architecture) -> str:
        return self.structure(architecture)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        return Counts(params=72 * scale.image_channels + 16 + 33 * scale.classes, mult_adds=1)

    def build(
        self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None
    ) -> TinyNetwork:
        return TinyNetwork(self.structure(architecture), scale, regularization or Regularization())


FAKE = Protocol(
    name="tiny",
    data="fake:images=48,size=8,classes=3",
    validation=0.25,
    epochs=3,
    batch_size=12,
    learning_rate=0.05,
    enlarge="pad",
    crop_from=10,
    flip=True,
)


@pytest.fixture
def protocol() -> Protocol:
    """Three epochs of three steps, with augmentation."""
    return FAKE


@pytest.fixture
def child(protocol: Protocol):
    """Makes a child of the tiny space: `child(ending, seed=.., test=.., timeout_seconds=.., **protocol fields)`."""

    def make(ending: str = "fine", seed: int = 0, test: bool = False, timeout: float = float("inf"), **fields) -> Child:
        architecture = TinySpace().decode([ENDINGS.index(ending)])
        changed = Protocol(**{**protocol.model_dump(), **fields})
        return Child(architecture, changed, seed, test, timeout)

    return make
