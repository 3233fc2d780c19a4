"""A data set as a value: training and test images, their labels, a name and a digest of the bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError

DIGEST_VERSION = 1


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images.

    Args:
        pixels: uint8 [n, channels, height, width].
        labels: int64 [n], each in [0, classes).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory (or memory-mapped), read-only.

    Args:
        name: the data set's name in results files.
        classes: the classes' names; a label is an index into it.
        train: training images; validation images are held out of these by `split`.
        test: test images, to be scored only after every choice is made.
        digest: `digest_of(train, test)`: 32 hexadecimal digits.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    test: Images
    digest: str

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return int(self.train.pixels.shape[1])

    @property
    def size(self) -> int:
        """Height and width of an image in pixels."""
        return int(self.train.pixels.shape[2])

    def split(self, validation: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hold part of the training images out, drawn uniformly without replacement.

        Args:
            validation: share held out, in (0, 1); rounded to whole images, at least one on each side.
            seed: of the draw, >= 0.

        Returns:
            Indices of training and of validation images, disjoint, together all of `train`, each in random order, so that any
            first k of them are a uniform sample too.

        Source: Zoph and Le 2016 (1611.01578), section 4.1: a random split of the training set; not stratified.
        """
        images = len(self.train)
        if images < 2:
            raise InputError(f"data {self.name!r} has {images} training image(s); a split needs at least 2")
        order = permutation(images, seed)
        held_out = min(max(round(validation * images), 1), images - 1)
        return order[held_out:], order[:held_out]


def permutation(length: int, seed: int) -> NDArray[np.int64]:
    """A uniform random order of 0 to length - 1, int64 [length], the same in every NumPy release.

    NumPy promises stable raw bits of its bit generators, not stable methods of `Generator`, hence the sort of raw bits.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(length), kind="stable").astype(np.int64)


def digest_of(train: Images, test: Images) -> str:
    """Digest of shapes, pixels and labels, training and test: 32 hexadecimal digits."""
    digest = hashlib.blake2b(str(DIGEST_VERSION).encode(), digest_size=16)
    for part in (train, test):
        for array in (part.pixels, part.labels.astype("<i8")):
            digest.update(f"{array.dtype.name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def make_dataset(name: str, classes: tuple[str, ...], train: Images, test: Images) -> Dataset:
    """A checked data set with its digest.

    Raises:
        InputError: when there are fewer than two classes, no images, or images that are not square and of one shape.
    """
    shape = train.pixels.shape[1:]
    if len(classes) < 2:
        raise InputError(f"data {name!r} has {len(classes)} class(es) ({', '.join(classes)}); it needs at least 2")
    if not len(train) or not len(test):
        raise InputError(f"data {name!r} has {len(train)} training and {len(test)} test images; it needs some of each")
    if test.pixels.shape[1:] != shape or shape[1] != shape[2]:
        raise InputError(
            f"data {name!r} has training images of {_shape(train)} and test images of {_shape(test)} "
            "(channels x height x width); all must be square and of one shape"
        )
    return Dataset(name, classes, train, test, digest_of(train, test))


def _shape(images: Images) -> str:
    return "x".join(map(str, images.pixels.shape[1:]))
