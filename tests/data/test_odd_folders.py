"""Folders as people have them: every oddity is read, refused or reported."""

from __future__ import annotations

import io
import os
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from odd_images import (
    add_animation,
    add_corrupt,
    add_endings,
    add_nested,
    add_other_files,
    add_rotated,
    coloured,
    make_deep_folder,
    make_odd_folder,
    make_plain_folder,
    save,
)
from PIL import Image

from nasbench.data import Dataset
from nasbench.data.folder import load_folder
from nasbench.errors import DataFaults, InputError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return make_plain_folder(tmp_path / "pets")


def skipped(data: Dataset) -> dict[str, int]:
    return {entry.why: entry.files for entry in data.reading.skipped}


def contains(data: Dataset, pixels: np.ndarray) -> bool:
    return any((image == pixels.transpose(2, 0, 1)).all() for image in data.train.pixels)


def test_a_folder_without_oddities_keeps_its_digest(pets: Path) -> None:
    """Digests of the version that read PNG, JPEG, BMP, TIFF, WebP and PPM files only."""
    assert load_folder(str(pets)).digest == "35a77cdcd261349f943803e83f2d95ed"
    assert load_folder(f"{pets},size=5").digest == "bbc221c04e7478034af0dfae111816d7"


def test_files_of_every_kind_are_read(pets: Path) -> None:
    added = add_endings(pets)
    data = load_folder(str(pets))
    assert len(data.train) == 8 + len(added)
    assert contains(data, coloured(23)), "a TGA file has no loss"


def test_other_files_are_reported_with_their_reason(pets: Path) -> None:
    expected = load_folder(str(pets)).digest
    add_other_files(pets)
    data = load_folder(str(pets))
    assert data.digest == expected
    assert skipped(data) == {
        "hidden": 2,
        "beside train/": 1,
        "in no class folder": 1,
        "with ending '.txt', which Pillow does not read": 1,
        "without ending": 1,
    }
    (pets / "train" / "cat" / "notes.txt").unlink()
    assert sum(skipped(load_folder(str(pets))).values()) == 5, "the report is that of now, the pixels are cached"


def test_hidden_folders_in_a_tar_file_are_no_classes(pets: Path, tmp_path: Path) -> None:
    expected = load_folder(str(pets)).digest
    add_other_files(pets)
    with tarfile.open(tmp_path / "pets.tar", "w") as archive:
        archive.add(pets, "pets")
    data = load_folder(str(tmp_path / "pets.tar"))
    assert data.classes == ("cat", "dog")
    assert data.digest == expected
    assert skipped(data)["hidden"] >= 2


def test_images_in_nested_folders_belong_to_the_class(pets: Path) -> None:
    add_nested(pets)
    data = load_folder(str(pets))
    assert np.bincount(data.train.labels).tolist() == [5, 4]
    assert contains(data, coloured(40))


def test_links_to_folders_are_followed_and_circles_reported(pets: Path, tmp_path: Path) -> None:
    save(tmp_path / "more" / "0.png", coloured(41))
    (pets / "train" / "cat" / "more").symlink_to(tmp_path / "more")
    assert contains(load_folder(str(pets)), coloured(41))
    (pets / "train" / "cat" / "round").symlink_to(pets / "train")
    with pytest.raises(DataFaults, match="train/cat/round is a link to a folder that it is in"):
        load_folder(str(pets))


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_val_beside_test_is_the_validation_set_of_every_protocol(pets: Path, name: str) -> None:
    without = load_folder(str(pets)).digest
    for label, folder in enumerate(("cat", "dog")):
        save(pets / name / folder / "v.png", coloured(80 + label))
    data = load_folder(str(pets))
    for seed in (0, 5):
        train, validation = data.split(0.5, seed)
        assert sorted(train) == list(range(8))
        assert sorted(validation) == [8, 9]
    assert (data.train.pixels[8] == coloured(80).transpose(2, 0, 1)).all()
    assert data.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0, 1]
    assert "validation images of every protocol" in data.reading.split
    assert load_folder(f"{pets},val=ignore").digest == without
    joined = load_folder(f"{pets},val=train")
    assert (len(joined.train), joined.validation_from) == (10, 0)
    assert len({data.digest, without, joined.digest}) == 3
    again = load_folder(str(pets))
    assert (again.digest, again.validation_from) == (data.digest, 8), "from the cache"


@pytest.mark.parametrize("train_folder", [True, False])
def test_a_folder_of_training_images_alone_is_split_by_a_seed(tmp_path: Path, train_folder: bool) -> None:
    root = tmp_path / "one"
    for label, name in enumerate(("cat", "dog")):
        for number in range(10 if label else 5):
            save(root / ("train" if train_folder else "") / name / f"{number}.png", coloured(100 * label + number))
    data = load_folder(str(root))
    assert np.bincount(data.test.labels).tolist() == [1, 2]
    assert np.bincount(data.train.labels).tolist() == [4, 8]
    assert data.name == "folder-one-test0.2-seed0"
    assert data.reading.split == "0.2 of each class as test images, chosen by seed 0"
    other = load_folder(f"{root},test=0.4,seed=3")
    assert np.bincount(other.test.labels).tolist() == [2, 4]
    assert other.name == "folder-one-test0.4-seed3"
    seeds = {load_folder(f"{root},seed={seed}").digest for seed in range(4)}
    assert len(seeds) == 4
    assert load_folder(f"{root},seed=0").digest == data.digest


def test_a_split_cannot_be_asked_for_where_there_is_one(pets: Path) -> None:
    with pytest.raises(InputError, match="has test images already"):
        load_folder(f"{pets},test=0.3")


@pytest.mark.parametrize(
    ("splits", "there"), [(("val",), "only val"), (("test",), "only test"), ((), "neither val nor test")]
)
@pytest.mark.parametrize("value", ["validation", "train", "ignore"])
def test_what_val_is_for_cannot_be_said_where_val_or_test_is_missing(
    tmp_path: Path, splits: tuple[str, ...], there: str, value: str
) -> None:
    for split in ("train", *splits):
        for seed, name in enumerate(("cat", "dog")):
            for number in range(2):
                save(tmp_path / "pets" / split / name / f"{number}.png", coloured(10 * seed + number))
    with pytest.raises(InputError, match=f"has {there} images: leave it out"):
        load_folder(f"{tmp_path / 'pets'},val={value}")


def test_empty_classes_and_classes_without_test_images_are_refused_together(pets: Path) -> None:
    before = load_folder(str(pets)).digest
    (pets / "train" / "emu").mkdir()
    with pytest.raises(DataFaults, match="class 'emu' has no images; add some, or write ,missing=allow"):
        load_folder(str(pets))
    assert load_folder(f"{pets},missing=allow").digest == before
    save(pets / "train" / "fox" / "0.png", coloured(90))
    with pytest.raises(DataFaults) as caught:
        load_folder(str(pets))
    assert len(caught.value.faults) == 2
    assert "class 'fox' has no test images" in str(caught.value)
    assert load_folder(f"{pets},missing=allow").classes == ("cat", "dog", "fox")


def test_every_corrupt_file_is_named_up_to_twenty_lines(pets: Path) -> None:
    expected = load_folder(str(pets)).digest
    broken = add_corrupt(pets)
    with pytest.raises(DataFaults) as caught:
        load_folder(str(pets))
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("6 faults")
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(broken)
    assert "BytesIO" not in str(caught.value)
    data = load_folder(f"{pets},corrupt=skip")
    assert data.digest == expected
    assert skipped(data)["not decodable"] == 6
    assert skipped(load_folder(f"{pets},corrupt=skip"))["not decodable"] == 6, "from the cache"
    add_corrupt_more(pets, 30)
    with pytest.raises(DataFaults) as caught:
        load_folder(str(pets))
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1].strip() == "and 16 more"


@pytest.mark.parametrize(
    ("split", "options", "words"),
    [
        ("train", "", "no training images, because none of 8 can be decoded (e.g. train/cat/0.png is no image"),
        ("val", "", "no validation images, because none of 2 can be decoded (e.g. val/cat/v.png is no image"),
        ("test", "", "no test images, because none of 4 can be decoded (e.g. test/cat/0.png is no image"),
        ("test", ",missing=allow", "no test images, because none of 4 can be decoded"),
    ],
)
def test_a_part_of_corrupt_files_alone_is_refused(pets: Path, split: str, options: str, words: str) -> None:
    for label, folder in enumerate(("cat", "dog")):
        save(pets / "val" / folder / "v.png", coloured(80 + label))
    for file in (pets / split).rglob("*.png"):
        file.write_bytes(b"text")
    with pytest.raises(InputError) as caught:
        load_folder(f"{pets},corrupt=skip{options}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def add_corrupt_more(root: Path, count: int) -> None:
    for number in range(count):
        (root / "train" / "cat" / f"more{number:02}.png").write_bytes(b"text")


def test_a_link_to_nothing_is_a_fault_also_after_the_data_were_cached(pets: Path) -> None:
    load_folder(str(pets))
    (pets / "train" / "cat" / "gone.png").symlink_to("/no/such/file.png")
    with pytest.raises(DataFaults, match=r"train/cat/gone.png is a link to /no/such/file.png, which is not there"):
        load_folder(str(pets))


def test_grey_levels_of_sixteen_bits_are_scaled_by_their_range(tmp_path: Path) -> None:
    deep = make_deep_folder(tmp_path / "deep")
    data = load_folder(str(deep))
    assert data.train.pixels.shape == (4, 1, 12, 12)
    assert data.train.pixels[0, 0, 0, 0] == 0
    assert data.train.pixels[0, 0, -1, -1] == 255
    assert len(np.unique(data.train.pixels[0])) > 100
    assert data.reading.notes == (
        "8 image(s) of more than 8 bits: grey levels 1000 to 5000 (the range of the training images) became 0 to 255",
    )
    assert set(data.reading.modes) <= {"I;16", "I"}
    assert data.reading.levels == (1000, 5000)
    again = load_folder(str(deep))  # from the cache
    assert again.reading == data.reading
    wide = load_folder(f"{deep},levels=0..65535")
    assert wide.train.pixels.max() == round(5000 / 65535 * 255)
    assert wide.reading.levels == (0, 65535)
    assert load_folder(f"{deep},size=6").train.pixels.shape == (4, 1, 6, 6)


def test_the_range_is_that_of_the_training_images(tmp_path: Path) -> None:
    deep = make_deep_folder(tmp_path / "deep")
    save(deep / "test" / "cat" / "bright.png", np.full((12, 12), 60000, np.uint16))
    data = load_folder(str(deep))
    assert "1000 to 5000" in data.reading.notes[0]
    assert data.test.pixels.max() == 255


def test_images_are_turned_upright(pets: Path) -> None:
    upright = add_rotated(pets)
    data = load_folder(str(pets))
    assert contains(data, upright)
    assert "1 image(s) turned upright by their EXIF orientation" in data.reading.notes


def test_frames_and_transparency_are_reported(pets: Path) -> None:
    add_animation(pets)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notes = load_folder(str(pets)).reading.notes
    assert "1 file(s) with several frames: the first was taken" in notes
    assert "1 image(s) with transparency, which was dropped" in notes


def test_images_above_pillows_limit_are_faults_with_their_paths(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert len(load_folder(str(pets)).train) == 8, "between the limit and twice the limit, without a warning"
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 144)
    save(pets / "train" / "dog" / "poster.png", coloured(9, 40, 40))
    with pytest.raises(DataFaults, match=r"train/dog/poster.png has more pixels than Pillow's limit of 288"):
        load_folder(str(pets))


def test_sizes_that_differ_name_the_option_that_reads_them(pets: Path) -> None:
    save(pets / "train" / "dog" / "wide.png", coloured(70, 20, 30))
    with pytest.raises(DataFaults, match=r"train/dog/wide.png has 30x20 pixels.*12x12.*folder:.*pets,size=32"):
        load_folder(str(pets))
    for path in pets.rglob("*.png"):
        save(path, coloured(1, 20, 30))
    with pytest.raises(DataFaults, match=r"30x20 pixels \(width x height\) are not square: .*,size=32"):
        load_folder(str(pets))
    assert load_folder(f"{pets},size=16").size == 16


def test_a_misspelled_option_is_said(pets: Path) -> None:
    with pytest.raises(InputError, match="no option 'sise', did you mean 'size'"):
        load_folder(f"{pets},sise=32")
    with pytest.raises(InputError, match="val: input should be"):
        load_folder(f"{pets},val=no")


def test_grey_images_raise_no_warning_when_they_are_scored(tmp_path: Path) -> None:
    import torch

    from nasbench.training.augmentation import ResidentImages, Whitening

    for part in ("train", "test"):
        for seed, name in enumerate(("a", "b")):
            grey = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
            save(tmp_path / "grey" / part / name / "0.png", grey)
    load_folder(str(tmp_path / "grey"))
    data = load_folder(str(tmp_path / "grey"))
    assert not data.test.pixels.flags.writeable
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ResidentImages(data.test, Whitening.none(1), True, torch.device("cpu"))


def test_everything_at_once(tmp_path: Path) -> None:
    data = load_folder(f"{make_odd_folder(tmp_path / 'odd')},size=8")
    assert (data.classes, data.size, data.channels) == (("cat", "dog"), 8, 3)
    assert len(data.test) == 4
    assert len(data.train) - data.validation_from == 2
    assert sum(data.reading.modes.values()) == len(data.train) + len(data.test)
    assert len(data.reading.notes) == 5


def test_pipes_devices_and_links_to_themselves_are_faults(pets: Path) -> None:
    os.mkfifo(pets / "train" / "cat" / "pipe.png")
    (pets / "train" / "cat" / "zero.png").symlink_to("/dev/zero")
    (pets / "train" / "dog" / "loop.png").symlink_to("loop.png")
    with pytest.raises(DataFaults) as caught:
        load_folder(str(pets))
    assert caught.value.faults == (
        "train/cat/pipe.png is no file",
        "train/cat/zero.png is no file",
        "train/dog/loop.png is a link to loop.png, which is not there",
    )


def test_folders_that_cannot_be_read_are_faults(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, scan=os.scandir):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("nasbench.data.folder.os.scandir", refused)
    with pytest.raises(DataFaults, match="train/dog cannot be read: Permission denied"):
        load_folder(str(pets))


def test_names_that_are_no_text(pets: Path) -> None:
    """Files may have any name; classes are written to JSON, so theirs are texts."""
    expected = load_folder(str(pets)).digest
    (pets / "train" / "cat" / "0.png").rename(pets / "train" / "cat" / os.fsdecode(b"0\xff.png"))
    assert load_folder(str(pets)).digest == expected
    (pets / "train" / "cat").rename(pets / "train" / os.fsdecode(b"caf\xe9"))
    with pytest.raises(DataFaults, match="is not UTF-8: rename it"):
        load_folder(str(pets))
    with pytest.raises(DataFaults, match="is not UTF-8: rename it"):
        load_folder(str(pets / "train"))


def test_faults_are_one_line_each_whatever_the_names(pets: Path) -> None:
    (pets / "train" / "cat" / "a\nb\x1b[2J.png").write_bytes(b"text")
    with pytest.raises(DataFaults) as caught:
        load_folder(str(pets))
    assert str(caught.value).splitlines()[1:] == ["  train/cat/a\\nb\\x1b[2J.png is no image that Pillow can read"]


def packed(path: Path, members: list[tuple[str, bytes | str, bytes]]) -> str:
    """A tar file of members: name, content or target, and type."""
    with tarfile.open(path, "w") as archive:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if isinstance(content, str):
                member.linkname = content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return str(path)


def files_of(root: Path, prefix: str = "") -> list[tuple[str, bytes | str, bytes]]:
    return [
        (prefix + str(path.relative_to(root)), path.read_bytes(), tarfile.REGTYPE)
        for path in sorted(root.rglob("*.png"))
    ]


def test_absolute_names_in_a_tar_file_are_those_of_a_folder_in_it(pets: Path, tmp_path: Path) -> None:
    expected = load_folder(str(pets))
    found = load_folder(packed(tmp_path / "a.tar", files_of(pets, "/data/")))
    assert (found.digest, found.classes) == (expected.digest, expected.classes)


def test_members_outside_of_a_tar_file_are_left_out(pets: Path, tmp_path: Path) -> None:
    members = files_of(pets)
    members += [("../../train/cat/9.png", members[0][1], tarfile.REGTYPE)]
    found = load_folder(packed(tmp_path / "a.tar", members))
    assert found.digest == load_folder(str(pets)).digest
    assert skipped(found) == {"outside of the tar file": 1}


def test_links_and_pipes_in_a_tar_file(pets: Path, tmp_path: Path) -> None:
    links = [
        ("train/cat/out.png", "../../../../etc/passwd", tarfile.SYMTYPE),
        ("train/cat/x.png", "y.png", tarfile.SYMTYPE),
        ("train/cat/y.png", "x.png", tarfile.SYMTYPE),
        ("train/cat/hard.png", "train/cat/hard.png", tarfile.LNKTYPE),
        ("train/dog/pipe.png", "", tarfile.FIFOTYPE),
    ]
    with pytest.raises(DataFaults) as caught:
        load_folder(packed(tmp_path / "a.tar", files_of(pets) + links))
    assert caught.value.faults == (
        "train/cat/hard.png is a link to train/cat/hard.png, which is not in the tar file",
        "train/cat/out.png is a link to ../../../../etc/passwd, which is not in the tar file",
        "train/cat/x.png is a link to y.png, which is not in the tar file",
        "train/cat/y.png is a link to x.png, which is not in the tar file",
        "train/dog/pipe.png is no file",
    )


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_damaged_compressed_tar_files_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as archive:
        for number in range(40):
            image = save(tmp_path / f"{number}.bmp", coloured(number, 64, 64))
            archive.add(image, f"{'cat' if number % 2 else 'dog'}/{number}.bmp")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_folder(str(path))
    assert "cannot read the tar file" in str(caught.value)
