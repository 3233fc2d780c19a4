"""Small spaces for tests of what only draws and tells architectures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.structures import Counts, Regularization, Scale


class NotBuilt:
    """What a space needs to be made, where no test builds it; counts are made up. Every choice is an architecture of its own."""

    def structure(self, architecture: Architecture) -> Any:
        raise NotImplementedError

    def form(self, architecture: Architecture) -> str:
        return repr(architecture.choices)

    def canonical(self, architecture: Architecture) -> Architecture:
        return architecture

    def describe(self, architecture: Architecture) -> str:
        return repr(architecture.choices)

    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        return Counts(params=1 + sum(architecture.choices), mult_adds=1)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Any:
        raise NotImplementedError


def categorical(name: str, options: int, layer: int, group: str = "operation") -> Decision:
    return Decision(name, options, tuple(map(str, range(options))), group, layer)


@dataclass(frozen=True)
class Row(NotBuilt, Space):
    """Categorical decisions in a row."""

    name: ClassVar[str] = "row"
    options: tuple[int, ...] = (3, 1, 2, 4)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(categorical(f"d{index}", options, index) for index, options in enumerate(self.options))
