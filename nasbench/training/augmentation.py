"""Images on the device as uint8 and, batch by batch, what training sees of them: whitened, cropped, flipped, cut out.

Everything random is drawn an epoch at a time on the CPU, so that a seed gives the same augmentation on every device and a step costs
one gather and a few element-wise operations. On the CPU the gather is a copy of each image's rows, which stay contiguous.
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
from nasbench.errors import InputError
from nasbench.protocols.protocol import Protocol


@dataclass(frozen=True)
class Whitening:
    """Shift and scale of each channel, in grey levels 0 to 255: float32 [channels]."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @staticmethod
    def of(pixels: NDArray[np.uint8]) -> Whitening:
        """Mean and standard deviation of pixels uint8 [n, c, h, w]; a constant channel gets deviation 1.

        Counts of grey levels are whole numbers, so that the result does not depend on the order of a sum.
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
        """Only bring grey levels to [0, 1]."""
        return Whitening(np.zeros(channels, np.float32), np.full(channels, 255, np.float32))


class ResidentImages:
    """Labelled images on a device.

    Args:
        images: uint8 [n, c, h, w] and labels.
        whitening: of the training images.
        channels_last: memory format of the batches.
        device: device of the images.
    """

    def __init__(self, images: Images, whitening: Whitening, channels_last: bool, device: torch.device) -> None:
        # Channels innermost: a gather of pixels then copies whole pixels.
        self.pixels = torch.from_numpy(np.ascontiguousarray(images.pixels.transpose(0, 2, 3, 1))).to(device)
        self.labels = torch.from_numpy(np.array(images.labels, np.int64)).to(device)
        self.size = int(images.pixels.shape[2])
        # One row of pixels long: operations on whole rows are several times faster than on the channels of one pixel.
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
        """Pixels uint8 [b, h, w, c] as float32 [b, c, h, w]."""
        rows = pixels.flatten(2).to(torch.float32).sub_(self._mean).mul_(self._scale)
        batch = rows.view(pixels.shape).permute(0, 3, 1, 2)
        return batch if self._format == torch.channels_last else batch.clone(memory_format=self._format)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All images in order, unaugmented: float32 [b, c, h, w] and labels int64 [b], b at most `size`."""
        for start in range(0, len(self), size):
            yield self.whitened(self.pixels[start : start + size]), self.labels[start : start + size]


class TrainingImages:
    """Training images with the protocol's augmentation.

    Padding has the channels' mean, rounded to a whole grey level (so it is zero after whitening up to half a level), or black where
    there is no whitening; upsampling is bilinear, rounded likewise. Both are done once, before training.
    Cut-out squares are zero after whitening, centred on a uniformly drawn pixel and clipped at the border.

    Args:
        resident: the training images at their own size.
        whitening: of these images.
        protocol: says how they are enlarged, cropped, flipped and cut out.

    Raises:
        InputError: when the protocol crops from less than the images' size or cuts out more than it.

    Source: Zoph and Le 2016 (1611.01578), section 4.1; DeVries and Taylor 2017 (1708.04552) for cutout.
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
        """Batches of an epoch."""
        return -(-len(self) // self._protocol.batch_size)

    def epoch(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass in random order, in `steps` batches whose sizes differ by one at most.

        An equal cut leaves no runt batch, whose BatchNorm statistics would be worthless.

        Args:
            generator: on the CPU; order, crops, flips and cutouts are drawn from it in this order.

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
        """Crop position and flip flag per image; None if images are used whole."""
        if not self._margin and not self._protocol.flip:
            return None
        tops, lefts = torch.randint(self._margin + 1, (2, len(self)), generator=generator)
        flipped = torch.zeros(len(self), dtype=torch.bool)
        if self._protocol.flip:
            flipped = torch.rand(len(self), generator=generator) < 0.5
        kind = RowCrops if self._resident.device.type == "cpu" else IndexedCrops
        return kind(tops, lefts, flipped, self._size, self._resident.device)

    def _holes(self, generator: torch.Generator) -> tuple[Tensor, Tensor] | None:
        """Masks of the rows and columns that cross the cutout square, bool [n, size]; None without cutout."""
        side = self._protocol.cutout
        if not side:
            return None
        first = torch.randint(self._size, (2, len(self), 1), generator=generator) - side // 2
        places = torch.arange(self._size)
        rows, columns = ((places >= first) & (places < first + side)).to(self._resident.device).unbind()
        return rows, columns


class Crops(ABC):
    """Crop position and flip flag per image of an epoch.

    Args:
        tops: first row of each cut, int64 [n].
        lefts: first column, int64 [n].
        flipped: bool [n].
        size: side of the cuts in pixels.
        device: device of the images.
    """

    @abstractmethod
    def __init__(self, tops: Tensor, lefts: Tensor, flipped: Tensor, size: int, device: torch.device) -> None: ...

    @abstractmethod
    def cut(self, pixels: Tensor, order: Tensor, part: slice) -> Tensor:
        """The images of a step, uint8 [b, size, size, c].

        Args:
            pixels: all images, uint8 [n, h, w, c].
            order: index of the image at each place of the epoch, int64 [n].
            part: the step's places.
        """


class IndexedCrops(Crops):
    """One gather of pixels, for devices on which many small copies would be slow."""

    def __init__(self, tops: Tensor, lefts: Tensor, flipped: Tensor, size: int, device: torch.device) -> None:
        places = torch.arange(size)
        columns = places + lefts[:, None]
        self._rows = (places + tops[:, None]).to(device)
        self._columns = torch.where(flipped[:, None], columns.flip(1), columns).to(device)

    def cut(self, pixels: Tensor, order: Tensor, part: slice) -> Tensor:
        """The images of a step."""
        return pixels[order[part, None, None], self._rows[part, :, None], self._columns[part, None, :]]


class RowCrops(Crops):
    """One copy of rows an image, for the CPU."""

    def __init__(self, tops: Tensor, lefts: Tensor, flipped: Tensor, size: int, device: torch.device) -> None:
        self._corners = list(zip(tops.tolist(), lefts.tolist()))
        self._flipped, self._size = flipped.numpy(), size

    def cut(self, pixels: Tensor, order: Tensor, part: slice) -> Tensor:
        """The images of a step."""
        size, channels = self._size, pixels.shape[3]
        rows = pixels.flatten(2).numpy()
        chosen = order[part].tolist()
        result = np.empty((len(chosen), size, size * channels), np.uint8)
        for cut, index, (top, left) in zip(result, chosen, self._corners[part]):
            cut[...] = rows[index, top : top + size, left * channels : (left + size) * channels]
        images = result.reshape(-1, size, size, channels)
        flipped = np.flatnonzero(self._flipped[part])
        # Seen as [b, c, h, w], torch has a fast way to flip images whose channels are innermost.
        images[flipped] = torch.from_numpy(images[flipped]).permute(0, 3, 1, 2).flip(3).permute(0, 2, 3, 1).numpy()
        return torch.from_numpy(images)


def check_sizes(protocol: Protocol, size: int) -> None:
    """Refuse a protocol whose augmentation does not fit images of `size` pixels.

    Raises:
        InputError: when it crops from less than the size or cuts out more than it.
    """
    if protocol.crop_from and protocol.crop_from < size:
        raise InputError(
            f"protocol {protocol.name!r}: crop_from={protocol.crop_from} is less than the images' side of {size} pixels"
        )
    if protocol.cutout > size:
        raise InputError(
            f"protocol {protocol.name!r}: cutout={protocol.cutout} exceeds the images' side of {size} pixels"
        )


def _enlarged(pixels: Tensor, whitening: Whitening, protocol: Protocol) -> Tensor:
    """Pixels uint8 [n, h, w, c] brought to [n, crop_from, crop_from, c]."""
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
    for start in range(0, images, 4096):  # in parts: the float copy of a whole data set would not fit a small machine
        # On the CPU: the same grey levels for every device, whose arithmetic could round a tie the other way. On CUDA torch would
        # also import its compiler for a deterministic implementation.
        part = pixels[start : start + 4096].cpu().permute(0, 3, 1, 2).float()
        larger = functional.interpolate(part, size=(side, side), mode="bilinear", align_corners=False)
        result[start : start + 4096] = larger.round_().clamp_(0, 255).byte().permute(0, 2, 3, 1)
    return result
