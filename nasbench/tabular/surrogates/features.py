"""What a surrogate knows of an architecture: its canonical decisions, how often each label occurs, and its counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.base import Architecture, Space
from nasbench.structures import Scale

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COUNTS = ("params", "mult_adds")


@dataclass(frozen=True)
class Features:
    """The features of the architectures of a space at one scale.

    Architectures of equal hash have equal features, because the decisions are those of the canonical architecture.

    Args:
        space: the space.
        scale: size of the networks whose parameters and multiply-adds are counted.
    """

    space: Space
    scale: Scale

    @cached_property
    def groups(self) -> list[tuple[str, tuple[str, ...], list[int]]]:
        """Decisions that choose among the same labels in the same part: its name, the labels, the decisions' indices.

        The part is what a decision's name has before the first slash, e.g. the cell. Only groups of two or more.
        """
        found: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for index, decision in enumerate(self.space.decisions):
            part = decision.name.partition("/")[0] if "/" in decision.name else ""
            found.setdefault((part, tuple(map(str, decision.labels))), []).append(index)
        return [(part, labels, places) for (part, labels), places in found.items() if len(places) > 1]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in their order."""
        return (
            *COUNTS,
            *(decision.name for decision in self.space.decisions),
            *(f"{part}:number of {label}" for part, labels, _ in self.groups for label in labels),
        )

    def of(self, architectures: Sequence[Architecture]) -> tuple[FloatArray, IntArray]:
        """Compute the features of architectures.

        Args:
            architectures: architectures of the space.

        Returns:
            Features, float64 [architectures, features], of whole numbers that float32 holds exactly, because scikit-learn's
            trees compare float32; and the exact counts, ints [architectures, 2]: parameters and multiply-adds.
        """
        canonical = [self.space.canonical(each) for each in architectures]
        counted = [self.space.count(each, self.scale) for each in canonical]
        counts = np.array([(each.params, each.mult_adds) for each in counted], dtype=np.int64).reshape(-1, len(COUNTS))
        choices = np.array([each.choices for each in canonical], dtype=np.int64)
        choices = choices.reshape(len(canonical), len(self.space.decisions))
        columns = [counts, choices]
        for _, labels, places in self.groups:
            # one count per label: of the group's decisions, how many chose it
            columns.append((choices[:, places, None] == np.arange(len(labels))).sum(axis=1))
        return np.concatenate(columns, axis=1).astype(np.float32).astype(np.float64), counts
