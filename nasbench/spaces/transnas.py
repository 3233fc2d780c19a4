"""What both spaces of TransNAS-Bench-101 share: the size of their networks and images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from nasbench.spaces.base import Space
from nasbench.structures import Scale

BASE_CHANNELS: Final = 64
CELLS_PER_MODULE: Final = 2
OBJECT_CLASSES: Final = 75
IMAGE_SIZE: Final = 256


@dataclass(frozen=True)
class TransnasSpace(Space):
    """A space of TransNAS-Bench-101, whose networks have modules of two cells after a stem that halves images twice.

    Seven tasks share the networks, with a decoder of its own for each. This suite builds the classifier, which is the
    benchmark's network for `class_object` and `class_scene`.

    Source: Duan et al. 2021, "TransNAS-Bench-101: Improving Transferability and Generalizability of Cross-Task Neural
        Architecture Search" (2105.11871), and its released code.
    """

    default_size: ClassVar[str] = "class_object: images of 256 pixels, 75 classes"

    @property
    def default_scale(self) -> Scale:
        """Size of the benchmark's networks and images for object classification (`class_object`)."""
        return Scale(CELLS_PER_MODULE, BASE_CHANNELS, IMAGE_SIZE, 3, OBJECT_CLASSES)
