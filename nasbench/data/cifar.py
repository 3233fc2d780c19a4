"""CIFAR-10 and CIFAR-100 as torchvision reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from nasbench.data.cache import cached, data_root
from nasbench.data.dataset import Dataset, Images, make_dataset
from nasbench.errors import MissingData

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10


def load_cifar(name: Literal["cifar10", "cifar100"], root: Path | None, download: bool) -> Dataset:
    """50,000 training and 10,000 test images of 32x32 pixels.

    Args:
        name: "cifar10" or "cifar100".
        root: folder that holds torchvision's `cifar-10-batches-py` or `cifar-100-python`; None for the default.
        download: fetch the files when they are not there.

    Raises:
        MissingData: when the files are not there, or a download failed.

    Source: Krizhevsky 2009; torchvision checks the files' digests, so that a decoded copy is the same whatever the folder.
    """
    folder = data_root() if root is None else root.expanduser()
    return cached(name, lambda: _decode(name, folder, download))


def _decode(name: Literal["cifar10", "cifar100"], folder: Path, download: bool) -> Dataset:
    from torchvision import datasets

    kind: type[CIFAR10] = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    try:
        train, test = (kind(str(folder), train=part, download=download) for part in (True, False))
    except (RuntimeError, OSError) as error:
        if download:
            raise MissingData(f"could not download {name} to {folder}: {error}") from None
        raise MissingData(
            f"the files of {name} are not in {folder}: add --download to fetch them, or put torchvision's "
            f"{kind.base_folder!r} there, or name another folder by the environment variable NASBENCH_DATA or "
            "data_folder in the configuration file (nasbench config)"
        ) from None
    return make_dataset(name, tuple(train.classes), _images(train), _images(test))


def _images(source: CIFAR10) -> Images:
    pixels = np.ascontiguousarray(np.asarray(source.data, np.uint8).transpose(0, 3, 1, 2))
    return Images(pixels, np.asarray(source.targets, np.int64))
