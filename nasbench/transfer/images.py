"""Images in folders, decoded while training: torchvision's ImageFolder layout, random crops, flips and colours, decode workers.

Every image of an epoch draws its own augmentation from (seed, epoch, image), so that a batch is the same whatever the number of
workers and of processes, and whatever ran before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode, v2

from nasbench.data.dataset import permutation
from nasbench.errors import InputError, MissingData
from nasbench.transfer.protocol import TransferProtocol

LAYOUT = "train/<class>/<image> and val/<class>/<image> (or test/)"
ASPECT = (3 / 4, 4 / 3)  # of random crops
EVALUATION_BATCH = 64  # images of a scoring pass a process


class Folders(NamedTuple):
    """Training and scored images, and the classes' names: a label is an index into them."""

    train: ImageFolder
    scored: ImageFolder
    classes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Digest of names, labels and sizes of all files, 32 hexadecimal digits; the bytes of a data set of 150 GB are not read."""
        digest = hashlib.blake2b(digest_size=16)
        for folder in (self.train, self.scored):
            for path, label in folder.samples:
                name = os.path.relpath(path, folder.root)
                digest.update(f"{name}\0{label}\0{os.path.getsize(path)}\n".encode())
        return digest.hexdigest()


def open_folders(root: str | Path) -> Folders:
    """Find the images of a folder.

    Args:
        root: holds train/ and val/ (or test/, where there is no val/), each with one folder per class.

    Raises:
        MissingData: when a folder is not there.
        InputError: when a folder has no images, or the scored images have other classes than the training images.
    """
    base = Path(root).expanduser()
    scored = next((base / name for name in ("val", "test") if (base / name).is_dir()), None)
    if not (base / "train").is_dir() or scored is None:
        raise MissingData(f"no images in {str(base)!r}; it should hold {LAYOUT}")
    try:
        folders = ImageFolder(str(base / "train")), ImageFolder(str(scored))
    except FileNotFoundError as error:
        raise InputError(f"{str(base)!r}: {error}; it should hold {LAYOUT}") from None
    if folders[0].classes != folders[1].classes:
        odd = sorted(set(folders[0].classes) ^ set(folders[1].classes))
        raise InputError(
            f"{str(base)!r}: train/ and {scored.name}/ have different classes, only one has: {', '.join(odd[:5])}"
        )
    if len(folders[0].classes) < 2:
        raise InputError(f"{str(base)!r} has 1 class; it needs at least 2")
    return Folders(*folders, tuple(folders[0].classes))


def training_pipeline(protocol: TransferProtocol, pixels: int) -> v2.Compose:
    """From a PIL image to a distorted float32 [3, pixels, pixels] in [-1, 1]: random resized crop, flip, colours.

    Source: inception_preprocessing.py of tensorflow/models, research/slim, which the released ImageNet networks are trained with.
    """
    jitter = v2.ColorJitter(protocol.brightness, protocol.contrast, protocol.saturation, protocol.hue)
    crop = v2.RandomResizedCrop(pixels, (protocol.crop_area, 1.0), ASPECT, InterpolationMode.BILINEAR)
    return v2.Compose([crop, v2.RandomHorizontalFlip(), jitter, *_to_tensor()])


def scoring_pipeline(protocol: TransferProtocol, pixels: int) -> v2.Compose:
    """From a PIL image to float32 [3, pixels, pixels] in [-1, 1]: the centre of the image, `central_share` of its shorter side."""
    shorter = max(pixels, round(pixels / protocol.central_share))
    return v2.Compose([v2.Resize(shorter, InterpolationMode.BILINEAR), v2.CenterCrop(pixels), *_to_tensor()])


def _to_tensor() -> list[torch.nn.Module]:
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)]


class Draw(NamedTuple):
    """One image of one epoch; the epoch travels with the index, as persistent workers keep the data set they began with."""

    epoch: int
    image: int


class AugmentedImages(Dataset[tuple[Tensor, int]]):
    """Images and labels by `Draw`, each distorted from its own seed.

    Args:
        folder: folder of the images.
        pipeline: `training_pipeline` or `scoring_pipeline`.
        seed: of the training, >= 0.
    """

    def __init__(self, folder: ImageFolder, pipeline: v2.Compose, seed: int) -> None:
        self._folder, self._pipeline, self._seed = folder, pipeline, seed

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int]:
        """The image as float32 [3, pixels, pixels], and its label.

        Raises:
            InputError: when the file cannot be decoded.
        """
        path, label = self._folder.samples[draw.image]
        try:
            image = self._folder.loader(path)
        except (OSError, SyntaxError) as error:  # Pillow raises the latter for some broken PNG files
            raise InputError(f"cannot decode {path!r}: {error}") from None
        before = torch.get_rng_state()
        try:
            torch.default_generator.manual_seed(derived_seed(self._seed, draw.epoch, draw.image))
            return self._pipeline(image), label
        finally:
            torch.set_rng_state(before)


def derived_seed(*numbers: int) -> int:
    """One seed of several numbers >= 0, independent for different ones."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class EpochBatches(Sampler[list[Draw]]):
    """The pieces of this process's part of each global batch, one epoch after the other.

    An epoch is a random order of all images cut into whole global batches; process r of w takes the r-th of w equal parts of each,
    and cuts it into equal pieces.

    Args:
        images: number of images.
        batch_size: of a global batch; a multiple of `processes` times `piece`.
        piece: images that pass the network at once.
        seed: of the order, >= 0.
        process: index of this process.
        processes: number of processes that share a global batch.
    """

    def __init__(
        self, images: int, batch_size: int, piece: int, seed: int, process: int = 0, processes: int = 1
    ) -> None:
        self._images, self._batch_size, self._piece, self._seed = images, batch_size, piece, seed
        self._part = batch_size // processes
        self._process = process
        self.steps = images // batch_size
        self.pieces = self._part // piece
        self.epoch = 0

    def __len__(self) -> int:
        return self.steps * self.pieces

    def __iter__(self) -> Iterator[list[Draw]]:
        order = permutation(self._images, derived_seed(self._seed, self.epoch)).tolist()
        for step in range(self.steps):
            begin = step * self._batch_size + self._process * self._part
            for start in range(begin, begin + self._part, self._piece):
                yield [Draw(self.epoch, index) for index in order[start : start + self._piece]]


class ScoringBatches(Sampler[list[Draw]]):
    """Batches of every `processes`-th image, in order; no image twice, none left out."""

    def __init__(self, images: int, process: int = 0, processes: int = 1) -> None:
        self._mine = range(process, images, processes)

    def __len__(self) -> int:
        return -(-len(self._mine) // EVALUATION_BATCH)

    def __iter__(self) -> Iterator[list[Draw]]:
        for start in range(0, len(self._mine), EVALUATION_BATCH):
            yield [Draw(0, index) for index in self._mine[start : start + EVALUATION_BATCH]]


Batches = DataLoader[tuple[Tensor, int]]


def load_batches(images: AugmentedImages, batches: Sampler[list[Draw]], workers: int, device: torch.device) -> Batches:
    """A loader of the batches; workers live as long as it does.

    Args:
        images: the images to load.
        batches: the draws of each batch, in order.
        workers: processes that decode; 0 decodes in this one.
        device: device for the batches; pinned memory speeds the copy to CUDA.
    """
    return DataLoader(
        images,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # else each epoch draws a number from the generator of dropout and drop-path
    )


def decoded(batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of one pass: images float32 [b, 3, pixels, pixels] and labels int64 [b].

    Raises:
        InputError: when a file cannot be decoded; in one line, also from a worker, whose error arrives with its traceback as text.
    """
    try:
        yield from batches
    except InputError as error:
        raise InputError(str(error).strip().rpartition("InputError: ")[2]) from None
