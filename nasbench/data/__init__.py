"""Image data sets as arrays, by name, with a digest and splits by seed. Only CIFAR's files need torch to be read."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

from nasbench.data.dataset import Dataset, Images
from nasbench.data.options import parse_options
from nasbench.errors import InputError, UnknownName

__all__ = ["DATA_NAMES", "Dataset", "Images", "image_shape", "load_data", "provide_data", "provided_data"]


def _digits(options: str, root: Path | None, download: bool) -> Dataset:
    from nasbench.data.digits import load_digits

    _no_options("digits", options)
    return load_digits()


def _cifar(options: str, root: Path | None, download: bool, *, name: Literal["cifar10", "cifar100"]) -> Dataset:
    from nasbench.data.cifar import load_cifar

    _no_options(name, options)
    return load_cifar(name, root, download)


def _folder(options: str, root: Path | None, download: bool) -> Dataset:
    from nasbench.data.folder import load_folder

    return load_folder(options)


def _fake(options: str, root: Path | None, download: bool) -> Dataset:
    from nasbench.data.fake import FakeOptions, load_fake

    return load_fake(parse_options(FakeOptions, options, "data 'fake'"))


def _csv(options: str, root: Path | None, download: bool) -> Dataset:
    from nasbench.data.csv_table import load_csv

    return load_csv(options)


def _npz(options: str, root: Path | None, download: bool) -> Dataset:
    from nasbench.data.npz_arrays import load_npz

    return load_npz(options)


def _hugging_face(options: str, root: Path | None, download: bool) -> Dataset:
    from nasbench.data.hugging_face import load_hugging_face

    return load_hugging_face(options)


def _torchvision(options: str, root: Path | None, download: bool) -> Dataset:
    from nasbench.data.torchvision_sets import load_torchvision

    return load_torchvision(options, root, download)


_LOADERS: dict[str, Callable[[str, Path | None, bool], Dataset]] = {
    "digits": _digits,
    "cifar10": partial(_cifar, name="cifar10"),
    "cifar100": partial(_cifar, name="cifar100"),
    "folder": _folder,
    "csv": _csv,
    "npz": _npz,
    "hf": _hugging_face,
    "torchvision": _torchvision,
    "fake": _fake,
}

DATA_NAMES = tuple(_LOADERS)

SOURCES = {
    "digits": "1,797 handwritten digits of 8x8 pixels, which scikit-learn contains",
    "cifar10, cifar100": "the files that torchvision reads, in $NASBENCH_DATA; --download fetches them",
    "folder:PATH": "a folder or tar file of images with one folder per class",
    "csv:PATH": "images that a CSV file lists, with the columns path, label and perhaps split",
    "npz:PATH": "arrays of a NumPy file: x_train, y_train, x_test, y_test, or images and labels",
    "hf:PATH": "a data set that Hugging Face's package datasets saved to disk",
    "torchvision:NAME": "a data set of torchvision, e.g. FashionMNIST; --download fetches it",
    "fake[:OPTIONS]": "synthetic images for tests",
}
"""Kinds of data -> what they are."""

OWN_IMAGES = ("folder", "csv", "npz", "hf", "torchvision")
"""Kinds of data whose number of images is known only after they are read."""

_provided: dict[str, Dataset] = {}


_WITHOUT_PATH = ("digits", "cifar10", "cifar100", "fake")
_SHAPES = {"digits": (8, 1, 10), "cifar10": (32, 3, 10), "cifar100": (32, 3, 100)}


def image_shape(text: str) -> tuple[int, int, int]:
    """Return the shape of a data set's images without reading them.

    Args:
        text: "digits", "cifar10" or "cifar100".

    Returns:
        Height and width in pixels, number of channels, number of classes.

    Raises:
        InputError: when the text names other data, whose shape is known only after reading it.
    """
    if text not in _SHAPES:
        raise InputError(
            f"the shape of data {text!r} is known only after it is read: use load_data; known: {', '.join(_SHAPES)}"
        )
    return _SHAPES[text]


def load_data(text: str, root: str | Path | None = None, download: bool = False) -> Dataset:
    """Load a data set by its name and options.

    The four data sets that were loaded last stay in memory; loading one of them again returns the same object.

    Args:
        text: "digits", "cifar10", "cifar100", "folder:PATH[=NAME][,size=PIXELS]" (see `folder.load_folder`),
            "csv:PATH", "npz:PATH", "hf:PATH", "torchvision:NAME" or "fake[:images=256,size=8,classes=4]" (see
            `fake.FakeOptions`).
        root: folder with the files of cifar10 and cifar100; None for the environment variable NASBENCH_DATA, else
            `data_folder` of the configuration file, else ~/.cache/nasbench.
        download: True to download cifar10 or cifar100 if its files are missing.

    Returns:
        The data set. Do not change its arrays.

    Raises:
        UnknownName: when no data set has that name.
        InputError: when an option, an image or the layout of the files is not usable.
        MissingData: when files are missing or cannot be downloaded; says how to get them.
    """
    if root is None and text.strip() in _provided:
        return _provided[text.strip()]
    return _load(text.strip(), None if root is None else Path(root), download)


def provide_data(text: str, dataset: Dataset) -> None:
    """Let `load_data` return a data set that is in memory, in this process. Workers without files use this.

    Args:
        text: name and options, as `load_data` takes them.
        dataset: the data set that `load_data` returns for this text from now on, if no `root` is given.
    """
    _provided[text.strip()] = dataset


def provided_data(text: str) -> Dataset | None:
    """Look up the data set that `provide_data` set for a text in this process.

    Args:
        text: name and options, as `load_data` takes them.

    Returns:
        The data set, or None.
    """
    return _provided.get(text.strip())


@lru_cache(maxsize=4)
def _load(text: str, root: Path | None, download: bool) -> Dataset:
    name, _, options = text.partition(":")
    if name not in _LOADERS:
        raise UnknownName(
            "data set", name, [*_WITHOUT_PATH, "folder:PATH", "csv:PATH", "npz:PATH", "hf:PATH", "torchvision:NAME"]
        )
    return _LOADERS[name](options, root, download)


def _no_options(name: str, options: str) -> None:
    if options:
        raise InputError(f"data {name!r} takes no options, got {options!r}; write just {name!r}")
