"""The image pipelines: shapes, ranges, and the same batches whatever decodes them."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from image_folders import CLASSES, make_image_folder
from PIL import Image
from transfers import QUICK

from nasbench.errors import InputError, MissingData
from nasbench.transfer.images import (
    AugmentedImages,
    Draw,
    EpochBatches,
    ScoringBatches,
    decoded,
    load_batches,
    open_folders,
    scoring_pipeline,
    training_pipeline,
)
from nasbench.transfer.protocol import get_transfer_protocol

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return open_folders(make_image_folder(tmp_path_factory.mktemp("images")))


def batches(folders, seed=1, epochs=2, workers=0, process=0, processes=1):
    order = EpochBatches(len(folders.train), 4, 4 // processes, seed, process, processes)
    loader = load_batches(AugmentedImages(folders.train, training_pipeline(QUICK, 17), seed), order, workers, CPU)
    found = []
    for order.epoch in range(epochs):
        found.append(list(loader))
    return found


def test_folders_have_sorted_classes_and_a_digest_of_their_files(folders, tmp_path):
    assert folders.classes == CLASSES
    assert (len(folders.train), len(folders.scored)) == (15, 9)
    again = open_folders(make_image_folder(tmp_path / "a", scored_name="test"))
    assert again.digest == folders.digest
    (tmp_path / "a" / "train" / "ash" / "0.png").unlink()
    assert open_folders(tmp_path / "a").digest != folders.digest


@pytest.mark.parametrize("pixels", [224, 299, 331])
@pytest.mark.parametrize("size", [(500, 375), (40, 60), (9, 700)])
def test_released_pipelines_give_squares_in_minus_one_to_one(pixels, size):
    protocol = get_transfer_protocol("nasnet-imagenet-large")
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for pipeline in (training_pipeline(protocol, pixels), scoring_pipeline(protocol, pixels)):
        image = pipeline(Image.fromarray(noise))
        assert image.shape == (3, pixels, pixels)
        assert image.dtype == torch.float32
        assert -1 <= image.min() < image.max() <= 1


def test_scoring_sees_the_central_seven_eighths():
    pixels = np.zeros((160, 320, 3), np.uint8)
    pixels[10:150, 90:230] = 255  # the central 140 of 160 rows, and as many columns
    image = scoring_pipeline(QUICK, 70)(Image.fromarray(pixels))
    assert image[:, 2:-2, 2:-2].min() == 1
    pixels[:] = 255 - pixels
    assert scoring_pipeline(QUICK, 70)(Image.fromarray(pixels))[:, 2:-2, 2:-2].max() == -1


def test_training_draws_crops_flips_and_colours():
    ramp = np.broadcast_to(np.linspace(60, 180, 64, dtype=np.uint8)[None, :, None], (64, 64, 3))
    torch.manual_seed(0)
    seen = torch.stack([training_pipeline(QUICK, 16)(Image.fromarray(ramp)) for _ in range(60)])
    slopes = (seen[:, :, :, -1] - seen[:, :, :, 0]).mean((1, 2))
    assert 15 < (slopes > 0).sum() < 45
    assert slopes.abs().max() > 2 * slopes.abs().min()


def test_the_same_seed_gives_the_same_batches_with_and_without_workers(folders):
    here, there = batches(folders), batches(folders, workers=2)
    assert [len(epoch) for epoch in here] == [3, 3]
    for mine, other in zip(chain(*here), chain(*there), strict=True):
        assert torch.equal(mine[0], other[0])
        assert torch.equal(mine[1], other[1])
    other_seed = batches(folders, seed=2, epochs=1)
    assert not torch.equal(here[0][0][0], here[1][0][0])
    assert not torch.equal(here[0][0][0], other_seed[0][0][0])


def test_processes_share_each_global_batch(folders):
    alone = batches(folders)
    shares = [batches(folders, process=process, processes=2) for process in range(2)]
    for epoch in range(2):
        for step, (images, labels) in enumerate(alone[epoch]):
            parts = [share[epoch][step] for share in shares]
            assert torch.equal(torch.cat([part[0] for part in parts]), images)
            assert torch.equal(torch.cat([part[1] for part in parts]), labels)


def test_an_epoch_shows_no_image_twice(folders):
    order = EpochBatches(15, 4, 4, 0)
    seen = [draw for batch in order for draw in batch]
    assert len(set(seen)) == len(seen) == 12
    order.epoch = 1
    assert [draw.image for batch in order for draw in batch] != [draw.image for draw in seen]


def test_pieces_are_the_batch_in_order():
    whole, cut = list(EpochBatches(15, 6, 6, 0)), EpochBatches(15, 6, 2, 0)
    assert (cut.steps, cut.pieces, len(cut)) == (2, 3, 6)
    assert [len(piece) for piece in cut] == [2] * 6
    assert [draw for piece in cut for draw in piece] == [draw for batch in whole for draw in batch]


@pytest.mark.parametrize(("images", "processes"), [(9, 1), (9, 2), (200, 3), (1, 2)])
def test_scoring_sees_every_image_once(images, processes):
    parts = [ScoringBatches(images, process, processes) for process in range(processes)]
    drawn = [draw.image for part in parts for batch in part for draw in batch]
    assert sorted(drawn) == list(range(images))
    assert [len(list(part)) for part in parts] == [len(part) for part in parts]


def test_augmentation_leaves_the_global_generator_alone(folders):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    AugmentedImages(folders.train, training_pipeline(QUICK, 8), 0)[Draw(0, 1)]
    assert torch.equal(torch.rand(3), expected)


def test_an_image_that_cannot_be_decoded_is_named(folders, tmp_path):
    root = make_image_folder(tmp_path)
    broken = root / "train" / "birch" / "1.png"
    broken.write_bytes(broken.read_bytes()[:60])
    images = AugmentedImages(open_folders(root).train, training_pipeline(QUICK, 8), 0)
    with pytest.raises(InputError, match=r"birch.1\.png' cannot be decoded: "):
        images[Draw(0, 6)]


def test_images_are_turned_upright(tmp_path):
    root = make_image_folder(tmp_path)
    pixels = np.zeros((40, 20, 3), np.uint8)
    pixels[:20] = 255  # bright above, dark below
    for file in (root / "val").rglob("*.png"):
        rotated = Image.fromarray(np.rot90(pixels))
        exif = rotated.getexif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise
        rotated.save(file, exif=exif)
    image, _ = AugmentedImages(open_folders(root).scored, scoring_pipeline(QUICK, 8), 0)[Draw(0, 0)]
    assert image[:, 0].min() == 1
    assert image[:, -1].max() == -1


@pytest.mark.parametrize(("kind", "mode"), [(np.uint16, "I;16"), (np.int32, "I"), (np.float32, "F")])
def test_images_of_more_than_8_bits_are_refused_with_the_protocol_that_reads_them(tmp_path, kind, mode):
    root = make_image_folder(tmp_path)
    (root / "train" / "ash" / "0.png").unlink()
    Image.fromarray(np.full((20, 20), 3000, kind)).save(root / "train" / "ash" / "0.tif")
    images = AugmentedImages(open_folders(root).train, training_pipeline(QUICK, 8), 0)
    with pytest.raises(InputError, match=rf"0\.tif' has more than 8 bits .*mode {mode}.*: use --protocol images"):
        images[Draw(0, 0)]


@pytest.mark.parametrize("workers", [0, 1])
def test_images_above_pillows_limit_are_one_line(folders, monkeypatch, workers):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # workers are forked
    images = AugmentedImages(folders.scored, scoring_pipeline(QUICK, 8), 0)
    with pytest.raises(InputError, match=r"^'.*\.png' has more pixels than Pillow's limit of 200: make it smaller$"):
        list(decoded(load_batches(images, ScoringBatches(9), workers, CPU)))


def test_unusable_folders_are_refused(tmp_path):
    with pytest.raises(MissingData, match=r"no images in .* should contain train/<class>/<image>"):
        open_folders(tmp_path / "none")
    root = make_image_folder(tmp_path / "a")
    (root / "val" / "cedar").rename(root / "val" / "oak")
    with pytest.raises(InputError, match="different classes; in only one of them: cedar, oak"):
        open_folders(root)
    for file in (root / "train" / "ash").iterdir():
        file.unlink()
    with pytest.raises(InputError, match="ash"):
        open_folders(root)


def test_files_of_every_kind_are_found_and_hidden_ones_are_not(tmp_path):
    root = make_image_folder(tmp_path / "trees")
    before = open_folders(root)
    (root / "train" / "ash" / "._0.png").write_bytes(b"left by another system")
    for folder in (".thumbnails", "ash/.thumbnails", "__MACOSX/ash"):
        (root / "train" / folder).mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(root / "train" / folder / "0.png")
    assert open_folders(root).digest == before.digest
    Image.new("RGB", (20, 20)).save(root / "train" / "ash" / "old.gif")
    Image.new("RGB", (20, 20)).save(root / "train" / "ash" / "web.jfif", format="JPEG")
    assert len(open_folders(root).train) == len(before.train) + 2


def test_a_hidden_folder_may_hold_the_whole_data_set(tmp_path):
    assert len(open_folders(make_image_folder(tmp_path / ".cache" / "trees")).train) == 15
