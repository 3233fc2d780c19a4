"""Images in folders, decoded and augmented while training, in the layout of torchvision's ImageFolder.

The augmentation of an image depends on the seed, the epoch and the image's index only. So a batch is the same for any
number of decoding workers and training processes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode, v2

from nasbench.data.dataset import permutation
from nasbench.data.image_files import (
    DECODING_ERRORS,
    fault_of,
    image_from,
    is_deep,
    is_hidden,
    readable_endings,
    upright,
)
from nasbench.errors import InputError, MissingData
from nasbench.transfer.protocol import TransferProtocol

LAYOUT = "train/<class>/<image> and val/<class>/<image> (or test/)"
ASPECT = (3 / 4, 4 / 3)  # of random crops
EVALUATION_BATCH = 64  # images per batch of a scoring pass, per process


class Folders(NamedTuple):
    """The images of a data set in folders.

    Attributes:
        train: training images.
        scored: images that are scored after each epoch.
        classes: names of the classes; a label is an index into them.
    """

    train: ImageFolder
    scored: ImageFolder
    classes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Digest of the names, labels and sizes of all files, 32 hexadecimal digits. The files are not read."""
        digest = hashlib.blake2b(digest_size=16)
        for folder in (self.train, self.scored):
            for path, label in folder.samples:
                name = os.path.relpath(path, folder.root)
                digest.update(f"{name}\0{label}\0{os.path.getsize(path)}\n".encode())
        return digest.hexdigest()


def open_folders(root: str | Path) -> Folders:
    """Find the images of a data set in folders.

    Args:
        root: folder with train/ and val/ (or test/, if there is no val/), each of them with one folder per class.

    Returns:
        The images, which are not read yet.

    Raises:
        MissingData: when one of the folders is missing.
        InputError: when a folder has no images, there are fewer than 2 classes, or the scored images have other classes
            than the training images.
    """
    base = Path(root).expanduser()
    scored = next((base / name for name in ("val", "test") if (base / name).is_dir()), None)
    if not (base / "train").is_dir() or scored is None:
        raise MissingData(f"no images in {str(base)!r}; it should contain {LAYOUT}")
    try:
        folders = (
            _VisibleFolder(str(base / "train"), loader=read_image, is_valid_file=partial(_is_image, base / "train")),
            _VisibleFolder(str(scored), loader=read_image, is_valid_file=partial(_is_image, scored)),
        )
    except FileNotFoundError as error:
        raise InputError(f"{str(base)!r}: {error}; it should contain {LAYOUT}") from None
    if folders[0].classes != folders[1].classes:
        odd = sorted(set(folders[0].classes) ^ set(folders[1].classes))
        raise InputError(
            f"{str(base)!r}: train/ and {scored.name}/ have different classes; in only one of them: "
            f"{', '.join(odd[:5])}"
        )
    if len(folders[0].classes) < 2:
        raise InputError(f"{str(base)!r} has 1 class; it needs at least 2")
    return Folders(*folders, tuple(folders[0].classes))


class _VisibleFolder(ImageFolder):  # type: ignore[misc]  # torchvision has no types
    """An ImageFolder in which hidden folders are no classes."""

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """Return the names of the folders that are not hidden, in order, and the index of each."""
        names = [name for name in super().find_classes(directory)[0] if not is_hidden(name)]
        if not names:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return names, {name: index for index, name in enumerate(names)}


def _is_image(root: Path, path: str) -> bool:
    """Check that Pillow reads files of this ending, and that neither the file nor a folder below `root` is hidden.

    Torchvision's own list lacks .gif and .jfif.
    """
    inside = Path(path).relative_to(root)
    return inside.suffix.lower() in readable_endings() and not any(map(is_hidden, inside.parts))


def read_image(path: str) -> Image.Image:
    """Decode an image file in colour, upright by its EXIF orientation.

    Args:
        path: the file.

    Returns:
        The image in mode RGB.

    Raises:
        InputError: when the file cannot be decoded, or has more than 8 bits per pixel: their range is that of all
            images, which are not read before the training.
    """
    try:
        image = image_from(Path(path).read_bytes())
        deep = is_deep(image.mode)
        colours = image if deep else upright(image)[0].convert("RGB")
    except (*DECODING_ERRORS, Image.DecompressionBombError) as error:
        raise InputError(f"{path!r} {fault_of(error)}") from None
    if deep:
        raise InputError(
            f"{path!r} has more than 8 bits per pixel (mode {image.mode}), which are not scaled while images are "
            "streamed: use --protocol images, which reads all of them first"
        )
    return colours


def training_pipeline(protocol: TransferProtocol, pixels: int) -> v2.Compose:
    """Return the transformation of training images: random resized crop, flip, and random brightness and colours.

    Args:
        protocol: ranges of the crop and of brightness, saturation, contrast and hue.
        pixels: side of the result, >= 1.

    Returns:
        A transformation of a PIL image into float32 [3, pixels, pixels] in [-1, 1].

    Source: inception_preprocessing.py of tensorflow/models, research/slim.
    """
    jitter = v2.ColorJitter(protocol.brightness, protocol.contrast, protocol.saturation, protocol.hue)
    crop = v2.RandomResizedCrop(pixels, (protocol.crop_area, 1.0), ASPECT, InterpolationMode.BILINEAR)
    return v2.Compose([crop, v2.RandomHorizontalFlip(), jitter, *_to_tensor()])


def scoring_pipeline(protocol: TransferProtocol, pixels: int) -> v2.Compose:
    """Return the transformation of scored images: a central square crop.

    Args:
        protocol: `central_share`, the fraction of the shorter side that the crop keeps.
        pixels: side of the result, >= 1.

    Returns:
        A transformation of a PIL image into float32 [3, pixels, pixels] in [-1, 1].
    """
    shorter = max(pixels, round(pixels / protocol.central_share))
    return v2.Compose([v2.Resize(shorter, InterpolationMode.BILINEAR), v2.CenterCrop(pixels), *_to_tensor()])


def _to_tensor() -> list[torch.nn.Module]:
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)]


class Draw(NamedTuple):
    """An image in an epoch; persistent decoding workers learn the epoch only from here.

    Attributes:
        epoch: number of the epoch, from 0.
        image: index of the image.
    """

    epoch: int
    image: int


class AugmentedImages(Dataset[tuple[Tensor, int]]):
    """Transformed images and labels, indexed by `Draw`; each image has its own random seed.

    Args:
        folder: the images.
        pipeline: result of `training_pipeline` or `scoring_pipeline`.
        seed: seed of the augmentation, >= 0.
    """

    def __init__(self, folder: ImageFolder, pipeline: v2.Compose, seed: int) -> None:
        self._folder, self._pipeline, self._seed = folder, pipeline, seed

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int]:
        """Decode and transform an image.

        Args:
            draw: epoch and index of the image.

        Returns:
            float32 [3, pixels, pixels], and the label.

        Raises:
            InputError: see `read_image`.
        """
        path, label = self._folder.samples[draw.image]
        image = self._folder.loader(path)
        before = torch.get_rng_state()
        try:
            torch.default_generator.manual_seed(derived_seed(self._seed, draw.epoch, draw.image))
            return self._pipeline(image), label
        finally:
            torch.set_rng_state(before)


def derived_seed(*numbers: int) -> int:
    """Derive a seed from several numbers; different numbers give independent seeds.

    Args:
        numbers: integers >= 0.

    Returns:
        A seed in [0, 2^64).
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class EpochBatches(Sampler[list[Draw]]):
    """The micro-batches of one process; an iteration is one epoch, whose number is the attribute `epoch`.

    An epoch is a random order of all images, cut into whole batches. Each batch is cut into equal parts, one per
    process, and each part into equal micro-batches.

    Args:
        images: number of images.
        batch_size: images per batch, of all processes; a multiple of `processes` x `piece`.
        piece: images per micro-batch.
        seed: seed of the order, >= 0.
        process: index of this process, 0 to `processes` - 1.
        processes: number of processes, >= 1.
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
    """The batches that one process scores: every `processes`-th image, in order.

    Args:
        images: number of images; together, the processes score each of them once.
        process: index of this process, 0 to `processes` - 1.
        processes: number of processes, >= 1.
    """

    def __init__(self, images: int, process: int = 0, processes: int = 1) -> None:
        self._mine = range(process, images, processes)

    def __len__(self) -> int:
        return -(-len(self._mine) // EVALUATION_BATCH)

    def __iter__(self) -> Iterator[list[Draw]]:
        for start in range(0, len(self._mine), EVALUATION_BATCH):
            yield [Draw(0, index) for index in self._mine[start : start + EVALUATION_BATCH]]


Batches = DataLoader[tuple[Tensor, int]]


def load_batches(images: AugmentedImages, batches: Sampler[list[Draw]], workers: int, device: torch.device) -> Batches:
    """Return a loader of batches, whose workers live as long as the loader.

    Args:
        images: the images to load.
        batches: epoch and index of the images of each batch.
        workers: number of decoding processes; 0 decodes in this process.
        device: device that will use the batches; for CUDA they are put into pinned memory, which speeds up the copy.

    Returns:
        The loader.
    """
    return DataLoader(
        images,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # otherwise each epoch would draw a number from the generator of dropout
    )


def decoded(batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    """Iterate over the batches of a loader, with errors of its workers in one line.

    Args:
        batches: result of `load_batches`.

    Yields:
        Images float32 [b, 3, pixels, pixels] and labels int64 [b].

    Raises:
        InputError: when a file cannot be decoded. A worker's error contains its traceback as text, which is removed.
    """
    try:
        yield from batches
    except InputError as error:
        raise InputError(str(error).strip().rpartition("InputError: ")[2]) from None
