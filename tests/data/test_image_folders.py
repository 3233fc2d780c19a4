"""Folders and tar files of images."""

from __future__ import annotations

import io
import os
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nasbench.data
from nasbench.data import Dataset
from nasbench.data.folder import load_folder
from nasbench.data.source_options import parse_source
from nasbench.errors import InputError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))


def pixels_of(seed: int, side: int = 6, grey: bool = False) -> np.ndarray:
    image = np.random.default_rng(seed).integers(0, 256, (side, side, 1 if grey else 3), dtype=np.uint8)
    return np.repeat(image, 3, axis=2) if grey else image


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, three training images and one test image each, lossless."""
    root = tmp_path / "pets"
    for label, name in enumerate(("cat", "dog")):
        for number in range(3):
            write(root / "train" / name / f"{number}.png", pixels_of(10 * label + number))
        write(root / "test" / name / "9.png", pixels_of(10 * label + 9))
    return root


def pack(folder: Path, target: Path, prefix: str) -> Path:
    with tarfile.open(target, "w:gz") as archive:
        for path in sorted(folder.rglob("*"), reverse=True):
            archive.add(path, f"{prefix}{path.relative_to(folder)}", recursive=False)
    return target


def equal(first: Dataset, second: Dataset) -> bool:
    return first.digest == second.digest and first.classes == second.classes


def test_images_arrive_in_order_with_the_labels_of_their_folders(folder: Path) -> None:
    data = load_folder(str(folder))
    assert (data.name, data.classes) == ("folder-pets", ("cat", "dog"))
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test.labels.tolist() == [0, 1]
    for index, seed in enumerate((0, 1, 2, 10, 11, 12)):
        assert (data.train.pixels[index] == pixels_of(seed).transpose(2, 0, 1)).all()
    assert (data.test.pixels[1] == pixels_of(19).transpose(2, 0, 1)).all()


@pytest.mark.parametrize("prefix", ["", "./", "pets/", "a/b/"])
def test_a_tar_file_holds_the_same_data_as_its_folder(folder: Path, tmp_path: Path, prefix: str) -> None:
    archive = pack(folder, tmp_path / "pets.tar.gz", prefix)
    packed = load_folder(str(archive))
    assert packed.name == "folder-pets"
    assert equal(packed, load_folder(str(folder)))


def test_the_second_time_comes_from_the_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_folder(str(folder))
    monkeypatch.setattr(Image, "open", lambda *_: pytest.fail("decoded again"))
    second = load_folder(str(folder))
    assert equal(first, second)
    assert isinstance(second.train.pixels, np.memmap)
    assert second.name == first.name


def test_a_changed_file_is_seen(folder: Path) -> None:
    first = load_folder(str(folder))
    write(folder / "train" / "cat" / "1.png", pixels_of(99))
    os.utime(folder / "train" / "cat" / "1.png", ns=(1, 1))
    assert load_folder(str(folder)).digest != first.digest


def zeroed(data: bytes) -> bytes:
    """The array's header, and zeros in place of its values."""
    return data[:128] + bytes(len(data) - 128)


def one_bit_flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("train_pixels.npy", lambda data: data[:0]),
        ("train_pixels.npy", lambda data: data[:20]),
        ("train_pixels.npy", zeroed),
        ("train_pixels.npy", one_bit_flipped),
        ("train_labels.npy", one_bit_flipped),
        ("test_pixels.npy", one_bit_flipped),
        ("test_labels.npy", one_bit_flipped),
        ("meta.json", lambda data: data[:0]),
        ("meta.json", lambda data: data[:20]),
        ("meta.json", lambda data: b"[]"),
        ("meta.json", lambda data: b"{}"),
        ("meta.json", lambda data: data.replace(b"checksums", b"checkfums")),
        ("meta.json", lambda data: b"\xff\xfe"),
        ("meta.json", lambda data: b"[" * 100_000),
    ],
)
def test_a_damaged_cache_is_said_and_made_again(
    folder: Path, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    first = load_folder(str(folder))
    (stored,) = (tmp_path / "cache" / "decoded").glob(f"*/{name}")
    stored.write_bytes(damage(stored.read_bytes()))
    with pytest.warns(UserWarning, match=r"decoded data in .* is damaged \(.*\); it is decoded again"):
        assert equal(load_folder(str(folder)), first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal(load_folder(str(folder)), first)


def test_a_cache_that_cannot_be_written_is_a_warning(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="NASBENCH_DATA"):
        data = load_folder(str(folder))
    assert len(data.train) == 6


def test_a_folder_that_cannot_be_written_is_fine(folder: Path) -> None:
    for path in (folder, folder / "train", folder / "test"):
        path.chmod(0o555)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_folder(str(folder)).train) == 6
    assert sorted(path.name for path in folder.iterdir()) == ["test", "train"]


def test_validation_folders_stand_in_for_missing_test_folders(folder: Path) -> None:
    expected = load_folder(str(folder))
    (folder / "test").rename(folder / "val")
    assert equal(load_folder(str(folder)), expected)


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for seed, name in enumerate(("a", "b")):
            write(tmp_path / "grey" / part / name / "0.png", pixels_of(seed, grey=True))
    data = load_folder(str(tmp_path / "grey"))
    assert data.train.pixels.shape == (2, 1, 6, 6)
    assert (data.train.pixels[1, 0] == pixels_of(1, grey=True)[:, :, 0]).all()


def test_unequal_sizes_need_a_size(folder: Path) -> None:
    write(folder / "train" / "dog" / "2.png", pixels_of(3, side=9))
    with pytest.raises(InputError, match=r"(?s)train/dog/2.png has 9x9.*first image 6x6.*size="):
        load_folder(str(folder))
    data = load_folder(f"{folder},size=4")
    assert data.train.pixels.shape == (6, 3, 4, 4)


def test_other_files_and_hidden_folders_are_passed_over(folder: Path) -> None:
    expected = load_folder(str(folder))
    (folder / "train" / "cat" / "notes.txt").write_text("not an image")
    (folder / "train" / "cat" / "._0.png").write_bytes(b"left by another system")
    (folder / "train" / ".thumbnails").mkdir()
    write(folder / "train" / ".thumbnails" / "0.png", pixels_of(5))
    assert equal(load_folder(str(folder)), expected)


def test_layout_errors_say_what_is_expected(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="train/<class>/<image>"):
        load_folder(str(tmp_path / "empty"))
    (folder / "train" / "dog" / "0.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"train/dog/0.png"):
        load_folder(str(folder))
    write(folder / "train" / "dog" / "0.png", pixels_of(10))
    write(folder / "test" / "horse" / "0.png", pixels_of(10))
    with pytest.raises(InputError, match="horse"):
        load_folder(str(folder))


def test_other_files_are_no_archives(tmp_path: Path) -> None:
    for name, words in (("data.zip", "neither a folder nor a tar file"), ("data.tar.gz", "cannot read the tar file")):
        (tmp_path / name).write_bytes(b"something else")
        with pytest.raises(InputError, match=words):
            load_folder(str(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "path", "name", "size"),
    [
        ("/data/pets", "/data/pets", "", 0),
        ("/data/pets=mine", "/data/pets", "mine", 0),
        ("/data/pets,size=32", "/data/pets", "", 32),
        ("/data/pets=mine-2.0,size=32", "/data/pets", "mine-2.0", 32),
        ("/data/a=b/pets", "/data/a=b/pets", "", 0),
    ],
)
def test_paths_names_and_sizes_are_told_apart(text: str, path: str, name: str, size: int) -> None:
    source = parse_source(text, "folder")
    assert (str(source.path), source.name, source.options.size) == (path, name, size)


def test_a_path_that_exists_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "odd=name,size=3").mkdir()
    assert parse_source(f"{tmp_path}/odd=name,size=3", "folder").path == tmp_path / "odd=name,size=3"
    with pytest.raises(InputError, match="size: input should be greater than or equal to 1"):
        parse_source(f"{tmp_path}/other,size=0", "folder")


def test_a_name_of_ones_own(folder: Path) -> None:
    named = load_folder(f"{folder}=animals")
    assert named.name == "animals"
    assert equal(named, load_folder(str(folder)))


def cifar_like(target: Path, suffix: str, images: int) -> Path:
    """A tar file with CIFAR-10's class names; each class one image, many times over."""
    from nasbench.data.folder import CIFAR10_CLASSES

    with tarfile.open(target, "w") as archive:
        for seed, label in enumerate(CIFAR10_CLASSES):
            stream = io.BytesIO()
            Image.fromarray(pixels_of(seed, side=32)).save(stream, {"jpg": "JPEG", "png": "PNG"}[suffix])
            for part, count in (("train", images), ("test", images // 5)):
                for number in range(count):
                    member = tarfile.TarInfo(f"{part}/{label}/{number:04}.{suffix}")
                    member.size = len(stream.getvalue())
                    archive.addfile(member, io.BytesIO(stream.getvalue()))
    return target


def test_fewer_images_of_the_same_classes_are_not_cifar10(tmp_path: Path) -> None:
    assert load_folder(str(cifar_like(tmp_path / "few.tar", "jpg", 10))).name == "folder-few"


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "name"), [("jpg", "cifar10-jpeg"), ("png", "folder-many")])
def test_sixty_thousand_jpeg_files_of_those_classes_are(tmp_path: Path, suffix: str, name: str) -> None:
    assert load_folder(str(cifar_like(tmp_path / "many.tar", suffix, 5000))).name == name


SHARED = Path(os.environ.get("NASBENCH_TEST_DATA", "../shared/data"))


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHARED / "cifar10-jpg.tar.gz").exists(),
    reason=f"no cifar10-jpg.tar.gz in {SHARED}; the environment variable NASBENCH_TEST_DATA can name another folder",
)
def test_the_jpeg_copy_of_cifar10_is_named_so_whatever_its_path(tmp_path: Path) -> None:
    link = tmp_path / "anything.tar.gz"
    link.symlink_to((SHARED / "cifar10-jpg.tar.gz").resolve())
    data = nasbench.data.load_data(f"folder:{link}")
    assert data.name == "cifar10-jpeg"
    assert data.train.pixels.shape == (50_000, 3, 32, 32)
    assert data.test.pixels.shape == (10_000, 3, 32, 32)
    assert np.bincount(data.train.labels).tolist() == [5000] * 10
