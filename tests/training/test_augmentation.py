"""Augmentation against naive oracles in numpy and against torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from nasbench.data import Images
from nasbench.data.fitting import check_sizes
from nasbench.errors import InputError
from nasbench.protocols.protocol import Protocol
from nasbench.training.augmentation import (
    IndexedCrops,
    ResidentImages,
    RowCrops,
    TrainingImages,
    Whitening,
)

CPU = torch.device("cpu")
SIZE, COUNT = 6, 37


@pytest.fixture
def images() -> Images:
    """Every pixel of an image is distinct, and the label says which image it is."""
    rng = np.random.default_rng(0)
    pixels = np.stack([rng.permutation(3 * SIZE * SIZE).reshape(3, SIZE, SIZE) for _ in range(COUNT)]) + 60
    return Images(pixels.astype(np.uint8), np.arange(COUNT, dtype=np.int64))


def batches(images: Images, seed: int = 0, **fields) -> tuple[np.ndarray, np.ndarray]:
    """One epoch: grey levels before whitening [n, c, h, w] and labels [n]."""
    protocol = Protocol(**{"batch_size": 8, "whiten": False, **fields})
    whitening = Whitening.of(images.pixels) if protocol.whiten else Whitening.none(3)
    resident = ResidentImages(images, whitening, protocol.channels_last, CPU)
    epoch = list(TrainingImages(resident, whitening, protocol).epoch(torch.Generator().manual_seed(seed)))
    return (
        torch.cat([pixels for pixels, _ in epoch]).numpy() * (1 if protocol.whiten else 255),
        torch.cat([labels for _, labels in epoch]).numpy(),
    )


@pytest.mark.parametrize("channels_last", [True, False])
def test_without_augmentation_an_epoch_is_the_images_in_another_order(images: Images, channels_last: bool) -> None:
    pixels, labels = batches(images, channels_last=channels_last)
    assert sorted(labels) == list(range(COUNT))
    assert labels.tolist() != list(range(COUNT))
    np.testing.assert_allclose(pixels, images.pixels[labels], atol=1e-3)


def test_an_epoch_is_cut_evenly(images: Images) -> None:
    for size, expected in ((8, [7, 7, 8, 7, 8]), (37, [37]), (100, [37]), (36, [18, 19]), (1, [1] * 37)):
        resident = ResidentImages(images, Whitening.none(3), True, CPU)
        training = TrainingImages(resident, Whitening.none(3), Protocol(batch_size=size))
        sizes = [len(labels) for _, labels in training.epoch(torch.Generator())]
        assert sizes == expected
        assert training.steps == len(expected)


def test_whitening_gives_each_channel_mean_zero_and_deviation_one(images: Images) -> None:
    pixels, _ = batches(images, whiten=True)
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(pixels.std((0, 2, 3)), 1, atol=1e-5)


def test_a_constant_channel_is_only_shifted() -> None:
    whitening = Whitening.of(np.full((3, 1, 4, 4), 9, np.uint8))
    assert (whitening.mean.tolist(), whitening.deviation.tolist()) == ([9.0], [1.0])


def place(pixels: np.ndarray, enlarged: np.ndarray) -> list[tuple[int, int, bool]]:
    """Every (row, column, flipped) at which `pixels` is a crop of `enlarged`."""
    found = []
    for row in range(enlarged.shape[1] - SIZE + 1):
        for column in range(enlarged.shape[2] - SIZE + 1):
            crop = enlarged[:, row : row + SIZE, column : column + SIZE]
            found += [
                (row, column, flip)
                for flip in (False, True)
                if np.allclose(pixels, crop[:, :, ::-1] if flip else crop, atol=1e-3)
            ]
    return found


@pytest.mark.parametrize("enlarge", ["pad", "upsample"])
@pytest.mark.parametrize("flip", [True, False])
def test_every_image_is_a_crop_of_its_own_enlargement(images: Images, enlarge: str, flip: bool) -> None:
    if enlarge == "pad":
        enlarged = np.pad(images.pixels, ((0, 0), (0, 0), (2, 2), (2, 2)))
    else:
        larger = functional.interpolate(
            torch.from_numpy(images.pixels).float(), size=(10, 10), mode="bilinear", align_corners=False
        )
        enlarged = larger.round().numpy()
    seen = set()
    for seed in range(8):
        pixels, labels = batches(images, seed, enlarge=enlarge, crop_from=10, flip=flip)
        for image, label in zip(pixels, labels):
            places = place(image, enlarged[label])
            assert len(places) == 1
            seen.add(places[0])
    assert {flipped for _, _, flipped in seen} == ({True, False} if flip else {False})
    assert {row for row, _, _ in seen} == {column for _, column, _ in seen} == set(range(5))


def test_upsampling_is_torchvisions(images: Images) -> None:
    from torchvision.transforms import functional as transforms

    protocol = Protocol(enlarge="upsample", crop_from=10)
    resident = ResidentImages(images, Whitening.none(3), True, CPU)
    ours = TrainingImages(resident, Whitening.none(3), protocol)._pixels.permute(0, 3, 1, 2)
    theirs = transforms.resize(torch.from_numpy(images.pixels), [10, 10], antialias=False)
    assert (ours.int() - theirs.int()).abs().max() <= 1


def test_padding_is_zero_after_whitening(images: Images) -> None:
    pixels, _ = batches(images, whiten=True, enlarge="pad", crop_from=3 * SIZE)
    levels = Whitening.of(images.pixels)
    rim = np.abs(pixels[:, :, 0, 0]) < 0.5 / levels.deviation + 1e-6
    assert rim.any(1).sum() > COUNT / 2


def test_flips_are_fair(images: Images) -> None:
    flips = 0
    for seed in range(30):
        pixels, labels = batches(images, seed, flip=True)
        flips += sum(
            np.allclose(image, images.pixels[label][:, :, ::-1], atol=1e-3) for image, label in zip(pixels, labels)
        )
    total = 30 * COUNT
    assert abs(flips - total / 2) < 4 * (total / 4) ** 0.5


@pytest.mark.parametrize("side", [1, 2, 3, 6])
def test_cutout_is_one_square_clipped_at_the_border(images: Images, side: int) -> None:
    heights = set()
    for seed in range(10):
        pixels, labels = batches(images, seed, cutout=side)
        for image, label in zip(pixels, labels):
            hole = (image == 0).all(0)
            rows, columns = hole.any(1), hole.any(0)
            assert (hole == np.outer(rows, columns)).all()
            for line in (rows, columns):
                (where,) = np.nonzero(line)
                assert 1 <= len(where) <= side
                assert (np.diff(where) == 1).all()
                assert len(where) == side or where[0] == 0 or where[-1] == SIZE - 1
            np.testing.assert_allclose(image[:, ~hole], images.pixels[label][:, ~hole], atol=1e-3)
            heights.add(int(rows.sum()))
    assert max(heights) == side


def test_a_seed_gives_the_same_epochs_and_no_two_epochs_are_alike(images: Images) -> None:
    fields = {"enlarge": "pad", "crop_from": 9, "flip": True, "cutout": 2}
    first, again, other = (batches(images, seed, **fields) for seed in (0, 0, 1))
    assert (first[0] == again[0]).all()
    assert not (first[1] == other[1]).all()
    resident = ResidentImages(images, Whitening.none(3), True, CPU)
    training = TrainingImages(resident, Whitening.none(3), Protocol(batch_size=50, **fields))
    generator = torch.Generator().manual_seed(0)
    one, two = (next(training.epoch(generator))[0] for _ in range(2))
    assert not torch.equal(one, two)


def test_batches_have_the_memory_format_asked_for(images: Images) -> None:
    for last, layout in ((True, torch.channels_last), (False, torch.contiguous_format)):
        resident = ResidentImages(images, Whitening.none(3), last, CPU)
        training = TrainingImages(resident, Whitening.none(3), Protocol(flip=True))
        for source in (training.epoch(torch.Generator()), resident.batches(8)):
            batch, _ = next(source)
            assert batch.is_contiguous(memory_format=layout)
            assert batch.dtype == torch.float32


def test_scoring_sees_every_image_once_in_order(images: Images) -> None:
    resident = ResidentImages(images, Whitening.none(3), True, CPU)
    parts = list(resident.batches(10))
    assert [len(labels) for _, labels in parts] == [10, 10, 10, 7]
    np.testing.assert_allclose(torch.cat([part for part, _ in parts]).numpy() * 255, images.pixels, atol=1e-3)


@pytest.mark.parametrize("fields", [{"enlarge": "pad", "crop_from": 5}, {"cutout": 7}])
def test_sizes_that_do_not_fit_are_refused(fields: dict) -> None:
    with pytest.raises(InputError, match="side of 6 pixels"):
        check_sizes(Protocol(**fields), SIZE)


@pytest.mark.parametrize("channels", [1, 3])
def test_copied_rows_are_the_gathered_pixels(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (30, 12, 12, channels), generator=generator, dtype=torch.uint8)
    tops, lefts = torch.randint(5, (2, 30), generator=generator)
    flipped = torch.rand(30, generator=generator) < 0.5
    order = torch.randperm(30, generator=generator)
    crops = [kind(tops, lefts, flipped, 8, torch.device("cpu")) for kind in (RowCrops, IndexedCrops)]
    for part in (slice(0, 7), slice(7, 30)):
        copied, gathered = (each.cut(pixels, order, part) for each in crops)
        assert torch.equal(copied, gathered)
        for place, image in zip(range(part.start, part.stop), copied):
            top, left = tops[place], lefts[place]
            cut = pixels[order[place], top : top + 8, left : left + 8]
            assert torch.equal(image, cut.flip(1) if flipped[place] else cut)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_batches_have_the_strides_of_their_memory_format(channels: int, channels_last: bool) -> None:
    pixels = np.arange(2 * channels * 16, dtype=np.uint8).reshape(2, channels, 4, 4)
    whitening = Whitening.of(pixels)
    resident = ResidentImages(Images(pixels, np.zeros(2, np.int64)), whitening, channels_last, torch.device("cpu"))
    ((batch, _),) = resident.batches(2)
    expected = (torch.from_numpy(pixels).float() - torch.from_numpy(whitening.mean).view(1, -1, 1, 1)) * (
        1 / torch.from_numpy(whitening.deviation)
    ).view(1, -1, 1, 1)
    assert torch.equal(batch, expected)
    assert batch.stride() == (
        (16 * channels, 1, 4 * channels, channels) if channels_last else (16 * channels, 16, 4, 1)
    )
