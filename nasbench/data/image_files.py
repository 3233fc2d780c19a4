"""Decoding of single images with Pillow: which files it reads, rotation, and grey levels of more than 8 bits."""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

# Formats that Pillow names without decoding them itself: it needs a program or a handler for them, or only reads a
# header.
_NOT_DECODED = ("BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF")
_DEEP_MODES = ("I", "F")  # and I;16 in its byte orders
_ORIENTATION = 0x0112  # tag of EXIF

DECODING_ERRORS = (
    OSError,
    SyntaxError,  # for broken PNG files
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    NotImplementedError,
    struct.error,
    zlib.error,
)
"""Exceptions of Pillow for broken files, besides `DecompressionBombError`."""


class Decoded(NamedTuple):
    """A decoded image.

    Attributes:
        pixels: uint8 [height, width, 3]; or float32 [height, width], the grey levels of an image of more than 8 bits.
        levels: lowest and highest grey level of such an image before it was resized.
        mode: Pillow's mode of the file.
        size: width and height of the image, upright, before it was resized.
        rotated: whether EXIF's orientation was applied.
        frames: number of frames of the file; the first is decoded.
    """

    pixels: NDArray[np.uint8] | NDArray[np.float32]
    levels: tuple[float, float] | None
    mode: str
    size: tuple[int, int]
    rotated: bool
    frames: int


@lru_cache(maxsize=1)
def readable_endings() -> frozenset[str]:
    """Return the endings of the image files that this Pillow decodes, in lower case: ".gif", ".jpg", ..."""
    from PIL import Image

    known = Image.registered_extensions()
    return frozenset(ending for ending, kind in known.items() if kind in Image.OPEN and kind not in _NOT_DECODED)


def is_hidden(name: str) -> bool:
    """Say whether a file or folder is hidden, so that it is passed over where images are looked for.

    Args:
        name: its name, without the folders above it.

    Returns:
        Whether the name starts with a dot, as of what macOS writes beside files, or is that of its folder in archives.
    """
    return name.startswith(".") or name == "__MACOSX"


def is_deep(mode: str) -> bool:
    """Say whether an image has more than 8 bits per pixel, so that its grey levels are scaled.

    Args:
        mode: Pillow's mode of the file, e.g. "L" or "I;16".

    Returns:
        Whether it is a mode of more bits.
    """
    return mode in _DEEP_MODES or mode.startswith("I;16")


def image_from(content: bytes) -> Image.Image:
    """Open an image file from its bytes.

    Args:
        content: the bytes of the file.

    Returns:
        The image, whose pixels are not decoded yet.

    Raises:
        OSError, DecompressionBombError: see `fault_of`.
    """
    from PIL import Image

    return Image.open(io.BytesIO(content))


def upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """Turn an image as its EXIF orientation says.

    Args:
        image: the image.

    Returns:
        The image, turned or as it is, and whether it was turned.

    Raises:
        OSError, SyntaxError, ValueError, ...: one of `DECODING_ERRORS` for a broken image.
    """
    from PIL import ImageOps

    if image.getexif().get(_ORIENTATION, 1) not in range(2, 9):
        return image, False
    return ImageOps.exif_transpose(image), True


def decode(image: Image.Image, size: int) -> Decoded:
    """Decode an image, turn it upright by its EXIF orientation, and resize it to a square.

    Args:
        image: the image.
        size: side of the square in pixels; 0 to leave the size as it is.

    Returns:
        The pixels, and what is known of the file.

    Raises:
        OSError, SyntaxError, ValueError, ...: one of `DECODING_ERRORS` for a broken image.
    """
    from PIL import Image

    mode, frames = image.mode, int(getattr(image, "n_frames", 1))
    image, rotated = upright(image)
    whole = image.size
    if 0 in whole:
        raise ValueError("has no pixels")
    target = (size, size) if size else whole
    if is_deep(mode):
        values = np.asarray(image).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("has pixels that are no finite numbers")
        levels = (float(values.min()), float(values.max()))
        if target != whole:
            values = np.asarray(Image.fromarray(values).resize(target, Image.Resampling.BILINEAR))
        return Decoded(values, levels, mode, whole, rotated, frames)
    image = image.convert("RGB")
    if target != whole:
        image = image.resize(target, Image.Resampling.BILINEAR)
    return Decoded(np.asarray(image, np.uint8), None, mode, whole, rotated, frames)


def scaled_to_bytes(pixels: NDArray[np.float32], levels: tuple[float, float]) -> NDArray[np.uint8]:
    """Scale grey levels of more than 8 bits to 0 to 255.

    Args:
        pixels: [height, width].
        levels: grey levels that become 0 and 255; those outside are clipped.

    Returns:
        uint8 [height, width, 3], with three equal channels.
    """
    low, high = levels
    width = high - low if high > low else 1.0
    scaled = np.rint(np.clip((pixels.astype(np.float64) - low) * (255 / width), 0, 255))
    return np.repeat(scaled.astype(np.uint8)[:, :, None], 3, axis=2)


def fault_of(error: BaseException) -> str:
    """Describe in a few words why an image cannot be decoded.

    Args:
        error: exception of Pillow.

    Returns:
        The reason, without names of Python's objects.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "is no image that Pillow can read"
    if isinstance(error, Image.DecompressionBombError):
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return f"has more pixels than Pillow's limit of {limit:,}: make it smaller"
    text = " ".join(str(error).split()) or type(error).__name__
    return f"cannot be decoded: {text}"
