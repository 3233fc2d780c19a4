"""Images in arrays of a NumPy file: x_train, y_train, ..., or images and labels."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from itertools import pairwise
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from nasbench.data.assembling import Found, Item, assemble, in_order
from nasbench.data.cache import cached
from nasbench.data.dataset import Dataset
from nasbench.data.source_options import ImageSource, parse_source
from nasbench.errors import InputError, MissingData

if TYPE_CHECKING:
    from PIL import Image

_NAMES: Final = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels")),
    "val": (("x_val", "y_val"), ("val_images", "val_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
    "": (("images", "labels"), ("x", "y")),
}
LAYOUT = "x_train, y_train, x_test, y_test (or train_images, train_labels, ..., or images and labels alone)"


def load_npz(text: str) -> Dataset:
    """Load the images of an .npz file, as Keras and MedMNIST name their arrays.

    Images are [n, height, width] or [n, height, width, channels] with 1, 3 or 4 channels, or [n, channels, height,
    width]; uint8, or of one channel with more bits, which are scaled by their range. Labels are integers or texts.
    Without test images, a part of each class becomes test images, chosen by a seed.

    Args:
        text: "PATH[=NAME][,size=PIXELS][,...]"; all options are those of `source_options.ImageOptions`.

    Returns:
        The data set.

    Raises:
        MissingData: when there is no such file.
        InputError: when the file or its arrays cannot be read, their shapes do not fit together, or there are arrays
            of two layouts.
        DataFaults: when images or classes are faulty; all faults together.
    """
    source = parse_source(text, "npz")
    if not source.path.is_file():
        raise MissingData(f"no file {str(source.path)!r}; it should hold the arrays {LAYOUT}")
    status = source.path.stat()
    return cached(source.key("npz2", f"{status.st_size} {status.st_mtime_ns}"), lambda: _decode(source))


def _decode(source: ImageSource) -> Dataset:
    from PIL import Image

    arrays = _arrays(source)
    pixels: dict[Item, NDArray[Any]] = {}
    for split, images, labels in _pairs(source, arrays):
        upright = _channels_last(source, images, arrays[images])
        answers = _labels(source, labels, arrays[labels])
        if len(upright) != len(answers):
            raise InputError(
                f"{str(source.path)!r}: {images} has {len(upright)} images and {labels} {len(answers)} labels"
            )
        for number, (image, label) in enumerate(zip(upright, answers)):
            pixels[Item(split, label, f"{images}[{number}]")] = image

    def open_image(item: Item) -> Image.Image:
        return Image.fromarray(pixels[item])

    name = f"npz-{source.path.stem}"
    classes = in_order({item.label for item in pixels})
    return assemble(Found(source, "npz", tuple(pixels), open_image, name, LAYOUT, classes=classes))


def _pairs(source: ImageSource, arrays: Mapping[str, NDArray[Any]]) -> list[tuple[str, str, str]]:
    """Return split, name of the images and name of the labels of each pair that the file has.

    Arrays of two layouts are refused: one of them may hold the test images of the other.
    """
    pairs = []
    for split, names in _NAMES.items():
        for images, labels in names:
            if (images in arrays) != (labels in arrays):
                there, other = (images, labels) if images in arrays else (labels, images)
                raise InputError(f"{str(source.path)!r} has {there}, but no {other}; it should hold {LAYOUT}")
            if images in arrays:
                pairs.append((split, images, labels))
    for (split, images, _), (other_split, other, _) in pairwise(pairs):
        if split == other_split or not other_split:
            raise InputError(
                f"{str(source.path)!r} has both {images} and {other}, so that images may be there twice: keep one of them"
                f"; it should hold {LAYOUT}"
            )
    return pairs


def _arrays(source: ImageSource) -> dict[str, NDArray[Any]]:
    """Read the arrays that `_NAMES` has, and no others."""
    wanted = {name for pairs in _NAMES.values() for pair in pairs for name in pair}
    what = f"cannot read the arrays of {str(source.path)!r}"
    try:
        stored = np.load(source.path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise InputError(f"{str(source.path)!r} is one array, no .npz file; it should hold {LAYOUT}")
        with stored:
            arrays = {name: stored[name] for name in stored.files if name in wanted}
    except MemoryError:
        raise InputError(f"{what}: they are larger than the memory") from None
    except InputError:
        raise
    # What NumPy and zipfile raise for broken, encrypted and differently compressed files.
    except (
        OSError,
        ValueError,
        EOFError,
        RuntimeError,
        SyntaxError,
        TokenError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        words = str(error)
        if "allow_pickle" in words:
            words = "they hold Python objects, which are not read; save images as uint8, labels as integers or texts"
        raise InputError(f"{what}: {words}") from None
    if strange := sorted(name for name, array in arrays.items() if not isinstance(array, np.ndarray)):
        raise InputError(f"{what}: {strange[0]} is no array")
    return arrays


def _labels(source: ImageSource, name: str, labels: NDArray[Any]) -> list[str]:
    """Return labels [n] or [n, 1] as texts."""
    what = f"{str(source.path)!r}: {name}"
    if labels.ndim == 0 or labels.size != len(labels):
        raise InputError(f"{what} has shape {labels.shape}; it should have one label per image, [n]")
    flat = labels.reshape(-1)
    if flat.dtype.kind == "f" and bool(np.isfinite(flat).all() and (flat == np.rint(flat)).all()):
        flat = flat.astype(np.int64)
    if flat.dtype.kind not in "iubUS":
        raise InputError(f"{what} is {flat.dtype} with values that are no whole numbers; labels are integers or texts")
    try:
        texts = [each.decode() if isinstance(each, bytes) else str(each) for each in flat.tolist()]
    except UnicodeDecodeError:
        raise InputError(f"{what} has texts that are not UTF-8") from None
    if "" in texts:
        raise InputError(f"{what} has an empty text, {name}[{texts.index('')}]; every image needs a label")
    return texts


def _channels_last(source: ImageSource, name: str, images: NDArray[Any]) -> NDArray[Any]:
    """Return images as [n, h, w] or [n, h, w, 3 or 4], of a type that Pillow takes."""
    if images.ndim == 4 and images.shape[3] not in (1, 3, 4) and images.shape[1] in (1, 3, 4):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    grey = images.ndim == 3
    if not grey and not (images.ndim == 4 and images.shape[3] in (3, 4)):
        raise InputError(
            f"{str(source.path)!r}: {name} has shape {images.shape}; it should be [n, h, w] or [n, h, w, 3]"
        )
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if grey and images.dtype.kind in "iuf":
        with np.errstate(over="ignore"):  # infinities are faults of their images
            return np.ascontiguousarray(images.astype(np.float32))
    allowed = "grey images are uint8, or integers or floats of more bits" if grey else "images in colour are uint8"
    raise InputError(f"{str(source.path)!r}: {name} is {images.dtype}; {allowed}")
