"""Images of a folder or a tar file, with one folder per class: `train/<class>/<image>` and `test/` or `val/`."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from nasbench.data.cache import cached
from nasbench.data.dataset import Dataset, Images, make_dataset
from nasbench.errors import InputError, MissingData

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SPLITS = ("train", "test", "val")
LAYOUT = "train/<class>/<image> and test/<class>/<image> (or val/)"

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class FolderOptions:
    """What to load from a folder.

    Args:
        path: folder or tar file with the images.
        name: name of the data set; "" for the default.
        size: height and width in pixels to which images are resized; 0 to leave them as they are.
    """

    path: Path
    name: str
    size: int


def load_folder(text: str) -> Dataset:
    """Load the images of a folder or tar file.

    They are decoded once, into the folder of `cache.cached`; later calls memory-map them. Images have three channels,
    or one if all of them are grey. With a size, images are resized to a square of that many pixels (bilinear; the
    aspect ratio is not kept). Test images are those in test/, or in val/ if test/ has none.

    Without NAME, the data set is called "folder-" and the last part of the path. One exception: 60,000 JPEG files of
    32x32 pixels with CIFAR-10's class names are called "cifar10-jpeg", because JPEG compression changes the pixels of
    CIFAR-10.

    Args:
        text: "PATH[=NAME][,size=PIXELS]"; PATH holds train/<class>/<image> and test/<class>/<image>.

    Raises:
        MissingData: when nothing is at the path.
        InputError: when the path is neither a folder nor a tar file, or its layout, an image or the sizes are not
            usable.
    """
    options = parse_folder(text)
    path = options.path
    if not path.exists():
        raise MissingData(f"no folder or tar file {str(path)!r}; it should hold {LAYOUT}")
    if path.is_dir():
        stamps = dict(sorted(_walk(path)))
        stamp = "".join(f"{file} {mark}\n" for file, mark in stamps.items())
        return cached(_key(options, stamp), lambda: _decode(options, stamps, lambda file: (path / file).read_bytes()))
    if not path.name.endswith(ARCHIVES):
        raise InputError(f"{str(path)!r} is neither a folder nor a tar file ({', '.join(ARCHIVES)})")
    return cached(_key(options, _mark(path.stat())), lambda: _decode_archive(options))


def parse_folder(text: str) -> FolderOptions:
    """Read "PATH[=NAME][,size=PIXELS]"; a text that is an existing path is taken as the path.

    Args:
        text: path and options.

    Raises:
        InputError: when there is no path, or the size is less than 1.
    """
    size, name, path = 0, "", text.strip()
    if (match := re.fullmatch(r"(.*),\s*size=(\d+)", path)) and not _exists(path):
        path, size = match[1], int(match[2])
        if size < 1:
            raise InputError(f"data 'folder': size is in pixels, at least 1, got {size}")
    if (match := re.fullmatch(r"(.*)=([\w.+-]+)", path)) and not _exists(path):
        path, name = match[1], match[2]
    if not path:
        raise InputError("data 'folder' needs a path: folder:PATH[=NAME][,size=PIXELS]")
    return FolderOptions(Path(path).expanduser(), name, size)


def _exists(path: str) -> bool:
    return Path(path).expanduser().exists()


def _mark(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"


def _key(options: FolderOptions, stamp: str) -> str:
    text = f"{options.path.resolve()}|{options.name}|{options.size}|{stamp}"
    return "folder-" + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the image files of the layout: "train/cat/1.jpg", and its size and time of change."""
    for split in SPLITS:
        for folder in filter(Path.is_dir, _visible(root / split)):
            with os.scandir(folder) as files:
                for file in files:
                    if _is_image(file.name):
                        yield f"{split}/{folder.name}/{file.name}", _mark(file.stat())


def _visible(folder: Path) -> Iterable[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else ()


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _decode_archive(options: FolderOptions) -> Dataset:
    """Read a tar file in one pass; train/ may be inside other folders."""
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(options.path) as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts[-3:]
                if member.isfile() and len(parts) == 3 and parts[0] in SPLITS and _is_image(parts[2]):
                    stream = archive.extractfile(member)
                    contents["/".join(parts)] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"cannot read the tar file {str(options.path)!r}: {error}") from None
    return _decode(options, sorted(contents), contents.__getitem__)


def _decode(options: FolderOptions, files: Iterable[str], read: Callable[[str], bytes]) -> Dataset:
    """Make the data set of image files in order; `read` returns a file's bytes."""
    by_split: dict[str, list[str]] = {split: [] for split in SPLITS}
    for file in files:
        by_split[file.partition("/")[0]].append(file)
    train, test = by_split["train"], by_split["test"] or by_split["val"]
    if not train or not test:
        raise InputError(
            f"{str(options.path)!r} has {len(train)} training and {len(test)} test images; it should hold {LAYOUT}"
        )
    classes = tuple(sorted({_label(file) for file in train}))
    if strangers := sorted({_label(file) for file in test} - set(classes)):
        raise InputError(f"{str(options.path)!r} has test images of classes without training images: {strangers}")
    decoder = _Decoder(options, read)
    pixels = [decoder.decode(part) for part in (train, test)]
    if all(_is_grey(part) for part in pixels):
        pixels = [np.ascontiguousarray(part[:, :1]) for part in pixels]
    index = {label: number for number, label in enumerate(classes)}
    labels = [np.array([index[_label(file)] for file in part], np.int64) for part in (train, test)]
    name = options.name or (
        "cifar10-jpeg" if _is_cifar10_jpeg(classes, train, test, decoder) else _default_name(options)
    )
    return make_dataset(name, classes, Images(pixels[0], labels[0]), Images(pixels[1], labels[1]))


def _label(file: str) -> str:
    return file.split("/")[1]


def _is_grey(pixels: NDArray[np.uint8]) -> bool:
    return bool((pixels[:, 0] == pixels[:, 1]).all() and (pixels[:, 0] == pixels[:, 2]).all())


def _is_cifar10_jpeg(classes: tuple[str, ...], train: list[str], test: list[str], decoder: _Decoder) -> bool:
    return (
        classes == CIFAR10_CLASSES
        and (len(train), len(test)) == (50_000, 10_000)
        and decoder.shape == (32, 32, 3)
        and decoder.resampled == 0
        and all(file.lower().endswith((".jpg", ".jpeg")) for file in (*train, *test))
    )


def _default_name(options: FolderOptions) -> str:
    name = Path(os.path.abspath(options.path)).name
    for suffix in sorted(ARCHIVES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return f"folder-{name}"


class _Decoder:
    """Decodes image files to RGB; images of all calls must have one shape."""

    def __init__(self, options: FolderOptions, read: Callable[[str], bytes]) -> None:
        self._options, self._read = options, read
        self.shape: tuple[int, ...] = ()
        self.resampled = 0

    def decode(self, files: list[str]) -> NDArray[np.uint8]:
        """Return the pixels, uint8 [len(files), 3, height, width]."""
        self.shape = self.shape or self._decode_one(files[0]).shape
        pixels = np.empty((len(files), *self.shape), np.uint8)
        for number, file in enumerate(files):
            image = self._decode_one(file)
            if image.shape != self.shape:
                raise InputError(
                    f"{str(self._options.path)!r}: {file} has {_sides(image.shape)} pixels, the first image "
                    f"{_sides(self.shape)}; all must be equal: resize them with folder:{self._options.path},size=32"
                )
            pixels[number] = image
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))

    def _decode_one(self, file: str) -> NDArray[np.uint8]:
        """Return the pixels, uint8 [height, width, 3]."""
        from PIL import Image

        try:
            with Image.open(io.BytesIO(self._read(file))) as source:
                image: Image.Image = source.convert("RGB")
        except OSError as error:
            raise InputError(f"{str(self._options.path)!r}: cannot decode {file}: {error}") from None
        size = self._options.size
        if size and image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BILINEAR)
            self.resampled += 1
        return np.asarray(image, np.uint8)


def _sides(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"
