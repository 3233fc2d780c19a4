"""Images that stay on the device as uint8, and their whitening and augmentation batch by batch.

All random numbers of an epoch are drawn at its start on the CPU, so a seed gives the same augmentation on every device.
A step then needs one gather of pixels and a few element-wise operations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nasbench.data import Images
from nasbench.data.fitting import check_sizes
from nasbench.protocols.protocol import Protocol


@dataclass(frozen=True)
class Whitening:
    """Shift and scale of each channel: pixel -> (pixel - mean) / deviation.

    Args:
        mean: float32 [channels], in grey levels 0 to 255.
        deviation: float32 [channels], in grey levels, > 0.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @staticmethod
    def of(pixels: NDArray[np.uint8]) -> Whitening:
        """Return mean and standard deviation of each channel of some images; a constant channel gets deviation 1.

        They are computed from counts of grey levels, which are integers, so no order of summation changes their bits.

        Args:
            pixels: the training images, uint8 [n, c, h, w].

        Returns:
            The whitening.
        """
        levels = np.arange(256, dtype=np.float64)
        means, deviations = [], []
        for channel in range(pixels.shape[1]):
            counts = np.bincount(pixels[:, channel].ravel(), minlength=256)
            mean = (counts * levels).sum() / counts.sum()
            deviation = np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum())
            means.append(mean)
            deviations.append(deviation if deviation > 0 else 1.0)
        return Whitening(np.array(means, np.float32), np.array(deviations, np.float32))

    @staticmethod
    def none(channels: int) -> Whitening:
        """Return the whitening that only scales grey levels to [0, 1].

        Args:
            channels: number of channels, >= 1.

        Returns:
            Mean 0 and deviation 255.
        """
        return Whitening(np.zeros(channels, np.float32), np.full(channels, 255, np.float32))


class ResidentImages:
    """Labelled square images that are kept on a device as uint8 and whitened batch by batch.

    Args:
        images: pixels uint8 [n, c, h, w] and labels [n].
        whitening: whitening of the training images.
        channels_last: memory format of the batches; True for channels_last, False for contiguous.
        device: device to keep the images on.
    """

    def __init__(self, images: Images, whitening: Whitening, channels_last: bool, device: torch.device) -> None:
        # [n, h, w, c], because a gather then copies whole pixels.
        # Writable, because torch warns of memory-mapped pixels, which grey images would otherwise still be.
        pixels = np.require(images.pixels.transpose(0, 2, 3, 1), requirements=("C", "W"))
        self.pixels = torch.from_numpy(pixels).to(device)
        self.labels = torch.from_numpy(np.array(images.labels, np.int64)).to(device)
        self.size = int(images.pixels.shape[2])
        # Repeated to the length of a row: subtracting whole rows is several times faster than a broadcast over pixels.
        self._mean = torch.from_numpy(whitening.mean).repeat(self.size).to(device)
        self._scale = (1 / torch.from_numpy(whitening.deviation)).repeat(self.size).to(device)
        self._format = torch.channels_last if channels_last else torch.contiguous_format

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def device(self) -> torch.device:
        """Device of the images."""
        return self.labels.device

    def whitened(self, pixels: Tensor) -> Tensor:
        """Whiten pixels.

        Args:
            pixels: uint8 [b, h, w, c], of the images' side.

        Returns:
            float32 [b, c, h, w], in the memory format of the batches.
        """
        rows = pixels.flatten(2).to(torch.float32).sub_(self._mean).mul_(self._scale)
        batch = rows.view(pixels.shape).permute(0, 3, 1, 2)
        return batch if self._format == torch.channels_last else batch.clone(memory_format=self._format)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over all images in order, without augmentation.

        Args:
            size: images per batch, >= 1; the last batch may be smaller.

        Yields:
            Images float32 [b, c, h, w] and labels int64 [b].
        """
        for start in range(0, len(self), size):
            yield self._batch(start, start + size)

    def parts(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over all images in order, without augmentation, in batches whose sizes differ by one at most.

        Args:
            count: number of batches, from 1 to the number of images.

        Yields:
            Images float32 [b, c, h, w] and labels int64 [b].
        """
        for part in range(count):
            yield self._batch(len(self) * part // count, len(self) * (part + 1) // count)

    def _batch(self, start: int, end: int) -> tuple[Tensor, Tensor]:
        return self.whitened(self.pixels[start:end]), self.labels[start:end]


class TrainingImages:
    """Training images with the protocol's augmentation.

    Images are enlarged once, before training. Padding has the mean grey level of each channel, rounded to an integer
    (after whitening, that is 0 up to half a grey level); without whitening it is black. Upsampling is bilinear, rounded
    to integers. In each epoch, images are then cropped, flipped and whitened. Cutout sets a square to 0 after
    whitening; its centre is a uniformly random pixel, and the part of it outside of the image is ignored.

    Args:
        resident: the training images at their original size.
        whitening: whitening of these images.
        protocol: enlargement, crop, flip, cutout and batch size.

    Raises:
        InputError: when the protocol crops from less than the images' side, or cuts out more than it.

    Source: Zoph and Le 2016 (arXiv 1611.01578), section 4.1; DeVries and Taylor 2017 (arXiv 1708.04552) for cutout.
    """

    def __init__(self, resident: ResidentImages, whitening: Whitening, protocol: Protocol) -> None:
        self._resident, self._protocol, self._size = resident, protocol, resident.size
        check_sizes(protocol, resident.size)
        self._pixels = _enlarged(resident.pixels, whitening, protocol)
        self._margin = int(self._pixels.shape[1]) - self._size

    def __len__(self) -> int:
        return len(self._resident)

    @property
    def steps(self) -> int:
        """Number of batches per epoch."""
        return -(-len(self) // self._protocol.batch_size)

    def epoch(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over all images once, in random order and augmented.

        The `steps` batches differ in size by at most one image, because BatchNorm's statistics of a small last batch
        would be useless.

        Args:
            generator: generator on the CPU, from which order, crops, flips and cutouts are drawn, in this order.

        Yields:
            Images float32 [b, c, h, w] and labels int64 [b].
        """
        order = torch.randperm(len(self), generator=generator)
        crops = self._crops(generator)
        holes = self._holes(generator)
        device = self._resident.device
        order = order.to(device)
        labels = self._resident.labels[order]
        bounds = [len(self) * step // self.steps for step in range(self.steps + 1)]
        for start, stop in pairwise(bounds):
            part = slice(start, stop)
            if crops is None:
                pixels = self._pixels.index_select(0, order[part])
            else:
                pixels = crops.cut(self._pixels, order, part)
            images = self._resident.whitened(pixels)
            if holes is not None:
                images.masked_fill_(holes[0][part, None, :, None] & holes[1][part, None, None, :], 0.0)
            yield images, labels[part]

    def _crops(self, generator: torch.Generator) -> Crops | None:
        """Draw a crop position and a flip flag per image; None if images are neither cropped nor flipped."""
        if not self._margin and not self._protocol.flip:
            return None
        tops, lefts = torch.randint(self._margin + 1, (2, len(self)), generator=generator)
        flipped = torch.zeros(len(self), dtype=torch.bool)
        if self._protocol.flip:
            flipped = torch.rand(len(self), generator=generator) < 0.5
        kind = RowCrops if self._resident.device.type == "cpu" else IndexedCrops
        return kind(tops, lefts, flipped, self._size, self._resident.device)

    def _holes(self, generator: torch.Generator) -> tuple[Tensor, Tensor] | None:
        """Draw cutout squares; return masks of their rows and of their columns, bool [n, size]; None without cutout."""
        side = self._protocol.cutout
        if not side:
            return None
        first = torch.randint(self._size, (2, len(self), 1), generator=generator) - side // 2
        places = torch.arange(self._size)
        rows, columns = ((places >= first) & (places < first + side)).to(self._resident.device).unbind()
        return rows, columns


class Crops(ABC):
    """The crops and flips of an epoch's images.

    Args:
        tops: first row of each crop, int64 [n].
        lefts: first column of each crop, int64 [n].
        flipped: whether each crop is flipped horizontally, bool [n].
        size: side of the crops in pixels.
        device: device of the images.
    """

    @abstractmethod
    def __init__(self, tops: Tensor, lefts: Tensor, flipped: Tensor, size: int, device: torch.device) -> None: ...

    @abstractmethod
    def cut(self, pixels: Tensor, order: Tensor, part: slice) -> Tensor:
        """Crop and flip the images of a step.

        Args:
            pixels: all enlarged images, uint8 [n, h, w, c].
            order: index of the image at each position of the epoch, int64 [n].
            part: positions of the step.

        Returns:
            uint8 [b, size, size, c].
        """


class IndexedCrops(Crops):
    """Crops by one gather of pixels, for CUDA, where many small copies would be slow. Args: see `Crops`."""

    def __init__(self, tops: Tensor, lefts: Tensor, flipped: Tensor, size: int, device: torch.device) -> None:
        places = torch.arange(size)
        columns = places + lefts[:, None]
        self._rows = (places + tops[:, None]).to(device)
        self._columns = torch.where(flipped[:, None], columns.flip(1), columns).to(device)

    def cut(self, pixels: Tensor, order: Tensor, part: slice) -> Tensor:
        """Crop and flip the images of a step, see `Crops.cut`."""
        return pixels[order[part, None, None], self._rows[part, :, None], self._columns[part, None, :]]


class RowCrops(Crops):
    """Crops by one copy of rows per image, for the CPU. Args: see `Crops`."""

    def __init__(self, tops: Tensor, lefts: Tensor, flipped: Tensor, size: int, device: torch.device) -> None:
        self._corners = list(zip(tops.tolist(), lefts.tolist()))
        self._flipped, self._size = flipped.numpy(), size

    def cut(self, pixels: Tensor, order: Tensor, part: slice) -> Tensor:
        """Crop and flip the images of a step, see `Crops.cut`."""
        size, channels = self._size, pixels.shape[3]
        rows = pixels.flatten(2).numpy()
        chosen = order[part].tolist()
        result = np.empty((len(chosen), size, size * channels), np.uint8)
        for cut, index, (top, left) in zip(result, chosen, self._corners[part]):
            cut[...] = rows[index, top : top + size, left * channels : (left + size) * channels]
        images = result.reshape(-1, size, size, channels)
        flipped = np.flatnonzero(self._flipped[part])
        # As a [b, c, h, w] view, because torch has a fast flip for images in the channels_last format.
        images[flipped] = torch.from_numpy(images[flipped]).permute(0, 3, 1, 2).flip(3).permute(0, 2, 3, 1).numpy()
        return torch.from_numpy(images)


def _enlarged(pixels: Tensor, whitening: Whitening, protocol: Protocol) -> Tensor:
    """Enlarge pixels uint8 [n, h, w, c] to [n, crop_from, crop_from, c]."""
    images, size, _, channels = pixels.shape
    side = protocol.crop_from
    if side in (0, size):
        return pixels
    if protocol.enlarge == "pad":
        filling = np.rint(whitening.mean).astype(np.uint8)
        result = torch.from_numpy(filling).to(pixels.device).repeat(images, side, side, 1)
        before = (side - size) // 2
        result[:, before : before + size, before : before + size] = pixels
        return result
    result = torch.empty(images, side, side, channels, dtype=torch.uint8, device=pixels.device)
    for start in range(0, images, 4096):  # in parts, because float32 needs four times the memory of uint8
        # Always on the CPU, because another device may round differently, and would give other grey levels. On CUDA,
        # torch would also import its compiler for the deterministic implementation.
        part = pixels[start : start + 4096].cpu().permute(0, 3, 1, 2).float()
        larger = functional.interpolate(part, size=(side, side), mode="bilinear", align_corners=False)
        result[start : start + 4096] = larger.round_().clamp_(0, 255).byte().permute(0, 2, 3, 1)
    return result
