"""CIFAR-10 and CIFAR-100, read by torchvision."""

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
    """Load CIFAR-10 or CIFAR-100: 50,000 training and 10,000 test images of 32x32 pixels and three channels.

    A decoded copy is stored by name, and used whatever the folder is, because torchvision checks the files' digests.

    Args:
        name: "cifar10" or "cifar100".
        root: folder with torchvision's `cifar-10-batches-py` or `cifar-100-python`; None for `cache.data_root()`.
        download: True to download the files if they are missing.

    Returns:
        The data set.

    Raises:
        MissingData: when the files are missing, or the download failed.

    Source: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images.
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
            f"{kind.base_folder!r} there, or set their folder by the environment variable NASBENCH_DATA or by "
            "data_folder in the configuration file (nasbench config)"
        ) from None
    return make_dataset(name, tuple(train.classes), _images(train), _images(test))


def _images(source: CIFAR10) -> Images:
    pixels = np.ascontiguousarray(np.asarray(source.data, np.uint8).transpose(0, 3, 1, 2))
    return Images(pixels, np.asarray(source.targets, np.int64))
