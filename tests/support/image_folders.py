"""Small folders of images in torchvision's layout, made by tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("ash", "birch", "cedar")


def make_image_folder(root: Path, train: int = 5, scored: int = 3, scored_name: str = "val") -> Path:
    """`train` and `scored` PNG images of each class, no two of one size; a class has a colour of its own under noise."""
    rng = np.random.default_rng(0)
    for split, images in (("train", train), (scored_name, scored)):
        for label, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(images):
                height, width = 20 + 3 * index + label, 31 - 2 * (index % 12)
                pixels = rng.integers(0, 90, (height, width, 3))
                pixels[:, :, label] += 150
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    return root
