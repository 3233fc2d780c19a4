"""Handwritten digits of 8x8 pixels, which scikit-learn ships."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench.data.dataset import Dataset, Images, make_dataset, permutation

TEST_IMAGES = 597
SPLIT_SEED = 2016


def load_digits() -> Dataset:
    """Load 1,797 grey images of 8x8 pixels in ten classes: 1,200 training images and 597 test images.

    Source: scikit-learn's `load_digits`, the test part of the UCI set "Optical Recognition of Handwritten Digits".
    Deviation: the set is not divided there; here a fixed random choice (seed 2016) are test images. Grey levels 0 to 16
    become 0 to 255, rounded.
    """
    table = _embedded()
    pixels = np.rint(table[:, :64].reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = table[:, 64].astype(np.int64)
    order = permutation(len(labels), SPLIT_SEED)
    test, train = np.sort(order[:TEST_IMAGES]), np.sort(order[TEST_IMAGES:])
    classes = tuple(str(digit) for digit in range(10))
    return make_dataset("digits", classes, Images(pixels[train], labels[train]), Images(pixels[test], labels[test]))


def _embedded() -> NDArray[np.float64]:
    """Return [1797, 65]: the grey levels of each image, row by row, and its label.

    They are read from scikit-learn's file; importing scikit-learn would take over a second in every process that
    trains.
    """
    package = find_spec("sklearn")
    path = Path(package.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if package is not None else None
    if path is not None and path.is_file():
        return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits as embedded

    bunch = embedded()
    return np.column_stack([bunch.data, bunch.target])
