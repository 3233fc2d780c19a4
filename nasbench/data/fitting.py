"""Fields of a protocol that follow from the size of the data: batch, epochs, validation share, crop."""

from __future__ import annotations

import math
from typing import Any, Final

from nasbench.data.dataset import Dataset
from nasbench.errors import InputError
from nasbench.protocols.protocol import Protocol

MOST_VALIDATION: Final = 0.3
VALIDATION_IMAGES: Final = 10_000  # with them, the standard error of an accuracy is at most 0.5%
SEEN_IMAGES: Final = 10_000  # in a whole training, as far as the limits of the epochs allow it
EPOCHS: Final = (4, 30)
STEPS: Final = 600  # of a whole training, as far as the batch's limits allow it
BATCHES: Final = (16, 256)
BORDER: Final = 8  # a side of the image is padded by this part of it


def fitted(protocol: Protocol, data: Dataset) -> Protocol:
    """Choose the fields that a protocol leaves to its data (`Protocol.fit`).

    | field | value, n training images, m of them left by the validation share |
    |---|---|
    | validation | 10,000 / n, at most 0.3; as it is where the data have validation images |
    | epochs | 10,000 / m, from 4 to 30 |
    | batch_size | the power of two that comes nearest to 600 steps, from 16 to 256 |
    | crop_from | the side of the images and an eighth of it, at least a pixel, on either side |

    Args:
        protocol: the protocol.
        data: its data.

    Returns:
        The protocol with these values and an empty `fit`; the protocol itself if its `fit` is empty.

    Raises:
        InputError: when the values contradict other fields.
    """
    if not protocol.fit:
        return protocol
    values = protocol.model_dump()
    images = data.validation_from or len(data.train)
    share = protocol.validation
    if "validation" in protocol.fit and not data.validation_from:
        share = min(MOST_VALIDATION, round(VALIDATION_IMAGES / images, 4))
    left = images if data.validation_from else max(images - round(share * images), 1)
    left = min(left, protocol.train_images or left)
    epochs = _clipped(round(SEEN_IMAGES / left), EPOCHS) if "epochs" in protocol.fit else protocol.epochs
    padding = max(1, round(data.size / BORDER))
    chosen: dict[str, Any] = {
        "validation": share,
        "epochs": epochs,
        "batch_size": _clipped(2 ** round(math.log2(max(epochs * left / STEPS, 1))), BATCHES),
        "crop_from": data.size + 2 * padding,
    }
    try:
        return Protocol(**(values | {name: chosen[name] for name in protocol.fit} | {"fit": ()}))
    except ValueError as error:
        raise InputError(f"protocol {protocol.name!r} does not fit the data {data.name!r}: {error}") from None


def fitting_in_a_line(protocol: Protocol, data: Dataset) -> str:
    """Say which values a protocol takes for its data.

    Args:
        protocol: the protocol, before `fitted`.
        data: its data.

    Returns:
        One line; "" if nothing follows from the data.
    """
    # Validation images that came with the data are no share.
    names = [name for name in protocol.fit if name != "validation" or not data.validation_from]
    if not names:
        return ""
    values = fitted(protocol, data)
    chosen = ", ".join(f"{name}={getattr(values, name):g}" for name in names)
    images = data.validation_from or len(data.train)
    shape = f"{data.size}x{data.size}"
    return f"protocol {protocol.name} for {images} training images of {shape}: {chosen} (--set replaces any)"


def require_fit(protocol: Protocol, data: Dataset) -> None:
    """Refuse a protocol with which no network could be trained on its data.

    Args:
        protocol: the protocol, after `fitted`.
        data: its data.

    Raises:
        InputError: when the protocol crops from less than the side, cuts out more than it, or takes more training
            images than there are.
    """
    check_sizes(protocol, data.size)
    if not protocol.train_images:  # all that are left
        return
    available = len(data.split(protocol.validation, protocol.split_seed)[0])
    if protocol.train_images > available:
        raise InputError(
            f"protocol {protocol.name!r}: train_images={protocol.train_images}, but {available} of the "
            f"{len(data.train)} images "
            f"of {data.name!r} are left for training with validation={protocol.validation:g}; use --set "
            "train_images=0 for all of them"
        )


def check_sizes(protocol: Protocol, size: int) -> None:
    """Refuse a protocol whose augmentation does not fit the size of the images.

    Args:
        protocol: the training protocol.
        size: side of the images in pixels, >= 1.

    Raises:
        InputError: when the protocol crops from less than the side, or cuts out more than it.
    """
    if protocol.crop_from and protocol.crop_from < size:
        raise InputError(
            f"protocol {protocol.name!r}: crop_from={protocol.crop_from} is less than the images' side of {size} "
            "pixels; "
            f"use --set crop_from={size + size // 8} (any from {size}), or smaller images: folder:PATH,size=32"
        )
    if protocol.cutout > size:
        raise InputError(
            f"protocol {protocol.name!r}: cutout={protocol.cutout} exceeds the images' side of {size} pixels; "
            f"use --set cutout={size} or less"
        )


def _clipped(value: int, limits: tuple[int, int]) -> int:
    return min(max(value, limits[0]), limits[1])
