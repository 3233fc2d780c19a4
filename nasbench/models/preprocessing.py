"""From image files or arrays to the input of a trained network, as its training images were read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasbench.data import Images
from nasbench.data.image_files import DECODING_ERRORS, decode, fault_of, image_from, scaled_to_bytes
from nasbench.errors import DataFaults, InputError
from nasbench.models.description import ModelDescription
from nasbench.training.augmentation import ResidentImages, Whitening

if TYPE_CHECKING:
    from PIL import Image

    Picture: TypeAlias = str | Path | Image.Image | NDArray[np.uint8]

# Weights of red, green and blue in a grey level, ITU-R 601, as Pillow has them.
_GREY = np.array([0.299, 0.587, 0.114])


def whitening_of(description: ModelDescription) -> Whitening:
    """Return the whitening that a model file describes.

    Args:
        description: description of the model.

    Returns:
        The whitening of its training images, to the bit.
    """
    return Whitening(np.array(description.mean, np.float32), np.array(description.deviation, np.float32))


def read_pictures(pictures: Sequence[Picture], description: ModelDescription) -> NDArray[np.uint8]:
    """Read images as the training images of a model were read: upright, resized to a square, with its channels.

    Args:
        pictures: paths, Pillow images, or arrays uint8 [height, width] or [height, width, 1 or 3].
        description: gives side and channels.

    Returns:
        uint8 [images, channels, side, side].

    Raises:
        DataFaults: when images cannot be read; one line per image.
        InputError: when the model takes neither 1 nor 3 channels.
    """
    side = description.image_size
    if description.image_channels not in (1, 3):
        raise InputError(
            f"the model takes images of {description.image_channels} channels, and pictures are read with 1 or 3: score "
            f"it on data by nasbench evaluate, or give it a tensor [images, {description.image_channels}, {side}, {side}]"
        )
    pixels = np.empty((len(pictures), description.image_channels, side, side), np.uint8)
    faults = []
    for index, picture in enumerate(pictures):
        try:
            pixels[index] = with_channels(_pixels(picture, description)[None], description.image_channels)[0]
        except _Unreadable as error:
            name = str(picture) if isinstance(picture, (str, Path)) else f"image {index}"
            faults.append(f"{name} {error}")
    if faults:
        raise DataFaults("images cannot be read", faults)
    return pixels


def with_channels(pixels: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Convert images between grey and colour.

    Args:
        pixels: uint8 [images, 1 or 3, height, width].
        channels: wanted channels.

    Returns:
        uint8 [images, channels, height, width]. Grey levels are those of red, green and blue where these are equal, and
        their luma (ITU-R 601) elsewhere.

    Raises:
        InputError: when there is no conversion between the numbers of channels.
    """
    there = pixels.shape[1]
    if there == channels:
        return pixels
    if (there, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=1)
    if (there, channels) == (3, 1):
        grey = np.einsum("nchw,c->nhw", pixels.astype(np.float64), _GREY)
        single: NDArray[np.uint8] = np.rint(grey).astype(np.uint8)[:, None]
        return single
    raise InputError(f"images of {there} channel(s) cannot be used by a model for {channels}; allowed: 1 and 3")


def preprocess(pictures: Sequence[Picture], description: ModelDescription, device: torch.device) -> Tensor:
    """Make the input of a network.

    Args:
        pictures: see `read_pictures`.
        description: description of the model.
        device: device of the result.

    Returns:
        float32 [images, channels, side, side], whitened, with the bits of a validation image in training.

    Raises:
        DataFaults: when images cannot be read.
    """
    pixels = read_pictures(pictures, description)
    images = Images(pixels, np.zeros(len(pixels), np.int64))
    resident = ResidentImages(images, whitening_of(description), description.protocol.channels_last, device)
    return resident.whitened(resident.pixels)


class _Unreadable(Exception):
    """An image that cannot be used; the message says why."""


def _pixels(picture: Picture, description: ModelDescription) -> NDArray[np.uint8]:
    """Return uint8 [3, side, side] of one image."""
    from PIL import Image

    try:
        if isinstance(picture, (str, Path)):
            opened = image_from(Path(picture).read_bytes())
        elif isinstance(picture, np.ndarray):
            opened = _from_array(picture)
        elif isinstance(picture, Image.Image):
            opened = picture
        else:
            raise _Unreadable(
                f"is a {type(picture).__name__}; allowed: a path, a Pillow image or a NumPy array of uint8"
            )
        decoded = decode(opened, description.image_size)
    except FileNotFoundError:
        raise _Unreadable("is not there") from None
    except IsADirectoryError:
        raise _Unreadable("is a folder") from None
    except (*DECODING_ERRORS, Image.DecompressionBombError) as error:
        raise _Unreadable(fault_of(error)) from None
    pixels = decoded.pixels
    if decoded.levels is not None:
        if description.levels is None:
            raise _Unreadable("has more than 8 bits per pixel, and the model's training images had 8")
        pixels = scaled_to_bytes(pixels.astype(np.float32, copy=False), description.levels)
    return np.asarray(pixels, np.uint8).transpose(2, 0, 1)


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise _Unreadable(
            f"is an array {array.dtype} {list(array.shape)}; allowed: uint8 [height, width] or [height, width, 1 or 3]"
        )
    return Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)
