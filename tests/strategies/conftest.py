"""Small spaces that exist for the tests of strategies only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import pytest
from small_spaces import NotBuilt, Row, categorical

from nasbench.spaces.base import Decision, Space


def skip(layer: int, source: int) -> Decision:
    return Decision(f"{layer}/skip{source}", 2, ("no", "yes"), "skip", layer, "skip", source)


@dataclass(frozen=True)
class Stack(NotBuilt, Space):
    """Layers of two categorical decisions, with skip bits from all earlier layers (`chain="free"`) or all but the last."""

    name: ClassVar[str] = "stack"
    layers: int = 3
    operations: int = 3
    chain: str = "free"

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        result: list[Decision] = []
        for layer in range(self.layers):
            result += [
                categorical(f"{layer}/op", self.operations, layer),
                categorical(f"{layer}/size", 2, layer, "size"),
            ]
            result += [skip(layer, source) for source in range(layer if self.chain == "free" else layer - 1)]
        return tuple(result)


@dataclass(frozen=True)
class Given(NotBuilt, Space):
    """Any decisions."""

    name: ClassVar[str] = "given"
    decisions: tuple[Decision, ...] = ()


TOYS: dict[str, Space] = {
    "row": Row(),
    "stack": Stack(),
    "forced": Stack(layers=4, chain="forced"),
    "skips": Given((categorical("a", 1, 0), skip(1, 0), skip(2, 0), skip(2, 1))),
}


@pytest.fixture
def toys() -> dict[str, Space]:
    return TOYS


@pytest.fixture
def row() -> type[Row]:
    return Row


@pytest.fixture
def stack() -> type[Stack]:
    return Stack


@pytest.fixture
def given() -> type[Given]:
    return Given
