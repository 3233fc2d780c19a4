"""Synthetic images for tests: each class has a coarse pattern with noise, which a small network learns quickly."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from nasbench.data.dataset import Dataset, Images, make_dataset


class FakeOptions(BaseModel):
    """Options of the synthetic data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int = Field(
        default=256, ge=4, le=10_000_000, description="number of training images; there are half as many test images"
    )
    size: int = Field(default=8, ge=4, le=1024, description="height and width in pixels")
    channels: int = Field(default=3, ge=1, le=1024, description="number of channels")
    classes: int = Field(default=4, ge=2, le=100_000, description="number of classes; they are equally frequent")
    noise: float = Field(
        default=0.5, ge=0, le=10, description="standard deviation of the noise, relative to that of the patterns"
    )
    seed: int = Field(default=0, ge=0, description="seed of patterns and noise")


def load_fake(options: FakeOptions) -> Dataset:
    """Make the synthetic data set; equal options give equal images.

    Args:
        options: sizes, noise and seed.

    Returns:
        The data set; it has half as many test images as training images.
    """
    rng = np.random.default_rng([2016, options.seed])
    shape = (options.channels, options.size, options.size)
    coarse = rng.standard_normal((options.classes, options.channels, 4, 4))
    nearest = np.arange(options.size) * 4 // options.size
    patterns = coarse[:, :, nearest][:, :, :, nearest]

    def draw(count: int) -> Images:
        labels = np.arange(count, dtype=np.int64) % options.classes
        values = patterns[labels] + options.noise * rng.standard_normal((count, *shape))
        return Images(np.clip(np.rint(128 + 40 * values), 0, 255).astype(np.uint8), labels)

    names = tuple(f"class{index}" for index in range(options.classes))
    return make_dataset("fake", names, draw(options.images), draw(options.images // 2))
