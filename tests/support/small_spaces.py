"""Small spaces for tests of what only draws and tells architectures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from nasbench.spaces.base import Architecture, Decision, Space
from nasbench.structures import Counts, Regularization, Scale


@dataclass(frozen=True)
class Row(Space):
    """Categorical decisions in a row; every choice is an architecture of its own, counts are made up, and nothing can be built."""

    name: ClassVar[str] = "row"
    options: tuple[int, ...] = (3, 1, 2, 4)

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(
            Decision(f"d{index}", options, tuple(map(str, range(options))), "operation", index)
            for index, options in enumerate(self.options)
        )

    def structure(self, architecture: Architecture) -> Any:
        raise NotImplementedError

    def form(self, architecture: Architecture) -> str:
        return repr(architecture.choices)

    def canonical(self, architecture: Architecture) -> Architecture:
        return architecture

    def describe(self, architecture: Architecture) -> str:
        return repr(architecture.choices)

    def count(self, architecture: Architecture, scale: Scale) -> Counts:
        return Counts(params=1 + sum(architecture.choices), mult_adds=1)

    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Any:
        raise NotImplementedError
