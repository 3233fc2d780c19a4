"""Torchvision's own data sets of classified images: MNIST, FashionMNIST, SVHN, STL10, Flowers102, ..."""

from __future__ import annotations

import hashlib
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nasbench.data.assembling import Found, Item, assemble, in_order
from nasbench.data.cache import cached, data_root
from nasbench.data.dataset import Dataset
from nasbench.data.source_options import ImageSource, parse_source
from nasbench.errors import InputError, MissingData, UnknownName

if TYPE_CHECKING:
    from PIL import Image

# Name -> what torchvision reads of it, in the folder of data sets: folders or files.
_PLACES: Final[dict[str, tuple[str, ...]]] = {
    "MNIST": ("MNIST",),
    "FashionMNIST": ("FashionMNIST",),
    "KMNIST": ("KMNIST",),
    "USPS": ("usps.bz2", "usps.t.bz2"),
    "SVHN": ("train_32x32.mat", "test_32x32.mat"),
    "STL10": ("stl10_binary",),
    "GTSRB": ("gtsrb",),
    "EuroSAT": ("eurosat",),
    "Flowers102": ("flowers-102",),
    "DTD": ("dtd",),
    "Food101": ("food-101",),
    "OxfordIIITPet": ("oxford-iiit-pet",),
}
NAMES: Final = tuple(_PLACES)
LAYOUT = "the files that torchvision reads"


def load_torchvision(text: str, root: Path | None, download: bool) -> Dataset:
    """Load one of torchvision's own data sets, with its training, validation and test images.

    A decoded copy is stored by folder, options, and sizes and times of the files, because torchvision checks the digests
    of most data sets when it downloads them only.

    Args:
        text: "NAME[,size=PIXELS][,...]", e.g. "FashionMNIST"; all options are those of `source_options.ImageOptions`.
        root: folder with the files; None for `cache.data_root()`.
        download: True to download the files if they are missing.

    Returns:
        The data set.

    Raises:
        UnknownName: when torchvision has no such data set of classified images.
        MissingData: when the files are missing, or the download failed.
        InputError: when the files are damaged.
        DataFaults: when images or classes are faulty, e.g. of different sizes; all faults together.
    """
    source = parse_source(text, "torchvision")
    name = str(source.path)
    if name not in NAMES:
        raise UnknownName("data set of torchvision", name, NAMES)
    folder = data_root() if root is None else root.expanduser()
    stamp = _stamp(name, folder)
    opened: _Opened | None = None
    if download and not stamp:  # the files that the copy is stored by come now
        opened = _opened(name, folder, download)
        stamp = _stamp(name, folder)
    chosen = f"{folder.resolve()}|{source.name}|{source.options.model_dump_json()}|{stamp}"
    digest = hashlib.blake2b(chosen.encode(errors="surrogateescape"), digest_size=10).hexdigest()
    return cached(f"torchvision-{name}-{digest}", lambda: _decode(source, opened or _opened(name, folder, download)))


def _stamp(name: str, folder: Path) -> str:
    """Return a text that changes with the files of a data set; "" if there are none."""
    lines = []
    for place in _PLACES[name]:
        files = [folder / place] if (folder / place).is_file() else []
        for inside, folders, names in os.walk(folder / place, followlinks=True):
            folders.sort()
            files += [Path(inside, each) for each in sorted(names)]
        for file in files:
            try:
                status = file.stat()
            except OSError:  # a link to nothing, which torchvision will not find either
                continue
            lines.append(f"{file.relative_to(folder)} {status.st_size} {status.st_mtime_ns}\n")
    return "".join(lines)


class _Opened(NamedTuple):
    """The images of a data set, which are not decoded yet.

    Attributes:
        name: name of the data set.
        rows: the images -> torchvision's data set, and the number in it.
        classes: names of the classes in order; empty if torchvision has none.
    """

    name: str
    rows: dict[Item, tuple[Any, int]]
    classes: list[str]


def _opened(name: str, folder: Path, download: bool) -> _Opened:
    from torchvision import datasets

    kind = getattr(datasets, name)
    rows: dict[Item, tuple[Any, int]] = {}
    classes: list[str] = []
    try:
        for split, given in _splits(kind):
            part = kind(str(folder), **given, download=download)
            names = [str(each) for each in getattr(part, "classes", ())]
            classes = names or classes
            for number in range(len(part)):
                label = _label(part, number)
                rows[Item(split, names[label] if names else str(label), f"{split}[{number}]")] = (part, number)
    except (RuntimeError, OSError) as error:
        advice = "" if download else ": add --download to fetch them, or set their folder by NASBENCH_DATA"
        raise MissingData(f"the files of torchvision's {name} are not in {folder}{advice} ({error})") from None
    except (
        AssertionError,
        ArithmeticError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:  # most check no digest
        words = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"the files of torchvision's {name} in {folder} are damaged ({words}): delete them, and add --download to "
            "fetch them again"
        ) from None
    return _Opened(name, rows, classes)


def _decode(source: ImageSource, opened: _Opened) -> Dataset:
    name, rows, classes = opened

    def open_image(item: Item) -> Image.Image:
        part, number = rows[item]
        image: Image.Image = part[number][0]
        return image

    classes = classes or in_order({item.label for item in rows})
    return assemble(Found(source, "torchvision", tuple(rows), open_image, name.lower(), LAYOUT, classes=classes))


def _splits(kind: type) -> list[tuple[str, dict[str, Any]]]:
    """Arguments with which a class of torchvision gives training, validation and test images."""
    parameters = inspect.signature(kind).parameters
    if "train" in parameters:
        return [("train", {"train": True}), ("test", {"train": False})]
    if "split" not in parameters:
        return [("", {})]
    if kind.__name__ == "OxfordIIITPet":
        return [("train", {"split": "trainval"}), ("test", {"split": "test"})]
    split: list[tuple[str, dict[str, Any]]] = [("train", {"split": "train"}), ("test", {"split": "test"})]
    if kind.__name__ in ("Flowers102", "DTD"):
        split.insert(1, ("val", {"split": "val"}))
    return split


def _label(part: Any, number: int) -> int:
    """Label of an image, without decoding it where the data set keeps its labels in a list."""
    for name in ("targets", "labels", "_labels"):
        values = getattr(part, name, None)
        if values is not None:
            return int(values[number])
    samples = getattr(part, "_samples", None)
    return int(samples[number][1] if samples is not None else part[number][1])
