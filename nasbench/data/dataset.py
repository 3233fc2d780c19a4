"""A data set: training and test images with labels, a name and a digest of the bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nasbench.data.reading import Reading
from nasbench.errors import InputError

DIGEST_VERSION = 1


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their labels.

    Args:
        pixels: uint8 [images, channels, height, width].
        labels: int64 [images], each in [0, classes).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory, or memory-mapped. Its arrays must not be changed.

    Args:
        name: name of the data set in results files.
        classes: names of the classes; a label is an index into them.
        train: training images, of which `split` takes the validation images.
        test: test images, which are read only after a search has made all its choices.
        digest: `digest_of(train, test, validation_from)`, 32 hexadecimal digits.
        validation_from: index of the first image of `train` that came with the data as a validation image, as all after
            it; 0 if the data have none, and `split` chooses them.
        reading: how the files were read.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    test: Images
    digest: str
    validation_from: int = 0
    reading: Reading = field(default_factory=Reading)

    @property
    def channels(self) -> int:
        """Number of channels of an image."""
        return int(self.train.pixels.shape[1])

    @property
    def size(self) -> int:
        """Height and width of an image in pixels."""
        return int(self.train.pixels.shape[2])

    def split(self, validation: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Divide the training images at random into training and validation images.

        Where the data have validation images of their own, these are taken, and the seed only gives the order.

        Args:
            validation: share of the validation images, in (0, 1), rounded to whole images. There is at least one image
                on each side.
            seed: seed of the division, >= 0.

        Returns:
            Indices of the training images and of the validation images, int64. Each index of `train` is in one of the
            two. Both are in random order, so their first k are a uniform sample too.

        Raises:
            InputError: when there are fewer than 2 training images.

        Source: Zoph and Le 2016 (1611.01578), section 4.1: a random split of the training set; not stratified.
        """
        images = len(self.train)
        if images < 2:
            raise InputError(f"data {self.name!r} has {images} training image(s); a split needs at least 2")
        if self.validation_from:
            own = images - self.validation_from
            return permutation(self.validation_from, seed), self.validation_from + permutation(own, seed)
        order = permutation(images, seed)
        held_out = min(max(round(validation * images), 1), images - 1)
        return order[held_out:], order[:held_out]


def permutation(length: int, seed: int) -> NDArray[np.int64]:
    """Draw a random order of 0 to length - 1; it is the same in every release of NumPy.

    NumPy guarantees that the raw bits of its bit generators never change, but not the methods of `Generator`. So raw
    bits are sorted.

    Args:
        length: number of indices, >= 0.
        seed: seed of the order, >= 0.

    Returns:
        int64 [length]; every order is equally likely.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(length), kind="stable").astype(np.int64)


def digest_of(train: Images, test: Images, validation_from: int = 0) -> str:
    """Compute the digest of a data set: of shapes, pixels and labels of all images.

    Args:
        train: training images.
        test: test images.
        validation_from: see `Dataset`; 0 does not enter.

    Returns:
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(str(DIGEST_VERSION).encode(), digest_size=16)
    for part in (train, test):
        for array in (part.pixels, part.labels.astype("<i8")):
            digest.update(f"{array.dtype.name}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    if validation_from:
        digest.update(f"validation from {validation_from}".encode())
    return digest.hexdigest()


def make_dataset(
    name: str,
    classes: tuple[str, ...],
    train: Images,
    test: Images,
    validation_from: int = 0,
    reading: Reading | None = None,
) -> Dataset:
    """Check images and make a data set of them.

    Args:
        name: name of the data set in results files.
        classes: names of the classes, two or more.
        train: training images.
        test: test images.
        validation_from: see `Dataset`.
        reading: how the files were read; None if there is nothing to report.

    Returns:
        The data set, with its digest.

    Raises:
        InputError: when there are fewer than two classes, no training or no test images, or images that are not square
            or not all of one shape.
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
    digest = digest_of(train, test, validation_from)
    return Dataset(name, classes, train, test, digest, validation_from, reading or Reading())


def _shape(images: Images) -> str:
    return "x".join(map(str, images.pixels.shape[1:]))
