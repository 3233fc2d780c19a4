"""The embedded data set: scikit-learn's 8x8 digits."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench.data.dataset import Dataset, Images, make_dataset, permutation

TEST_IMAGES = 597
SPLIT_SEED = 2016


def load_digits() -> Dataset:
    """1,797 grey images of 8x8 pixels, ten classes: 1,200 for training, 597 for testing.

    Source: scikit-learn's `load_digits`, the test part of the UCI set "Optical Recognition of Handwritten Digits".
    Deviation: it has no split of its own; ours is a fixed random one (seed 2016). Grey levels 0 to 16 become 0 to 255, rounded.
    """
    table = _embedded()
    pixels = np.rint(table[:, :64].reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    labels = table[:, 64].astype(np.int64)
    order = permutation(len(labels), SPLIT_SEED)
    test, train = np.sort(order[:TEST_IMAGES]), np.sort(order[TEST_IMAGES:])
    classes = tuple(str(digit) for digit in range(10))
    return make_dataset("digits", classes, Images(pixels[train], labels[train]), Images(pixels[test], labels[test]))


def _embedded() -> NDArray[np.float64]:
    """[1797, 65]: grey levels of an image's rows, then its label.

    Read from scikit-learn's file without importing scikit-learn, which takes over a second in every process that trains.
    """
    package = find_spec("sklearn")
    path = Path(package.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if package is not None else None
    if path is not None and path.is_file():
        return np.loadtxt(path, delimiter=",")
    from sklearn.datasets import load_digits as embedded

    bunch = embedded()
    return np.column_stack([bunch.data, bunch.target])
