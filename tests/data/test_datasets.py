"""Data sets as values: names, splits, digests, options."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import nasbench.data.digits
from nasbench.data import Dataset, Images, load_data
from nasbench.data.dataset import digest_of, make_dataset, permutation
from nasbench.errors import InputError, MissingData, UnknownName


@pytest.fixture
def dataset() -> Dataset:
    return load_data("fake:images=40,classes=4,size=6")


def test_digits_are_the_documented_split_of_scikit_learns_images() -> None:
    from sklearn.datasets import load_digits

    digits = load_data("digits")
    assert digits.name == "digits"
    assert digits.train.pixels.shape == (1200, 1, 8, 8)
    assert digits.test.pixels.shape == (597, 1, 8, 8)
    assert digits.train.pixels.dtype == np.uint8
    assert digits.train.labels.dtype == np.int64
    ours = np.concatenate([digits.train.pixels, digits.test.pixels])[:, 0]
    theirs = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    assert sorted(image.tobytes() for image in ours) == sorted(image.tobytes() for image in theirs)
    assert digits.digest == "7f637ebeae96085d69a835c98cb0dfae"


def test_digits_come_without_importing_scikit_learn() -> None:
    code = "import sys; from nasbench.data import load_data; load_data('digits'); print({'sklearn', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_digits_are_the_same_where_scikit_learns_file_is_not_found(monkeypatch) -> None:
    monkeypatch.setattr(nasbench.data.digits, "find_spec", lambda name: None)
    assert nasbench.data.digits.load_digits().digest == load_data("digits").digest


def test_the_same_text_gives_the_same_object(dataset: Dataset) -> None:
    assert load_data(" fake:images=40,classes=4,size=6 ") is dataset


def test_fake_data_have_the_shape_asked_for() -> None:
    data = load_data("fake:images=30,size=5,channels=2,classes=3")
    assert data.train.pixels.shape == (30, 2, 5, 5)
    assert data.test.pixels.shape == (15, 2, 5, 5)
    assert (data.size, data.channels, len(data.classes)) == (5, 2, 3)
    assert np.bincount(data.train.labels).tolist() == [10, 10, 10]


@pytest.mark.parametrize("seed", [0, 1, 2**31])
@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.999])
def test_a_split_is_disjoint_whole_and_deterministic(dataset: Dataset, share: float, seed: int) -> None:
    train, validation = dataset.split(share, seed)
    assert sorted([*train, *validation]) == list(range(40))
    assert len(validation) == min(max(round(share * 40), 1), 39)
    again = dataset.split(share, seed)
    assert (train == again[0]).all()
    assert (validation == again[1]).all()


def test_splits_differ_by_seed_and_are_uniform(dataset: Dataset) -> None:
    counts = np.zeros(40)
    for seed in range(400):
        counts[dataset.split(0.25, seed)[1]] += 1
    assert counts.min() > 60
    assert counts.max() < 140  # 100 +- 8.7; these bounds are 4.6 deviations away


def test_the_order_of_a_seed_never_changes() -> None:
    assert permutation(8, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("array", ["pixels", "labels"])
def test_the_digest_changes_with_any_one_value(dataset: Dataset, part: str, array: str) -> None:
    copies = {
        name: Images(getattr(dataset, name).pixels.copy(), getattr(dataset, name).labels.copy())
        for name in ("train", "test")
    }
    assert digest_of(**copies) == dataset.digest
    getattr(copies[part], array).flat[-1] ^= 1
    assert digest_of(**copies) != dataset.digest


def test_the_digest_sees_shapes_and_the_border_between_training_and_test(dataset: Dataset) -> None:
    train, test = dataset.train, dataset.test
    moved = digest_of(
        Images(np.concatenate([train.pixels, test.pixels[:1]]), np.concatenate([train.labels, test.labels[:1]])),
        Images(test.pixels[1:], test.labels[1:]),
    )
    flat = digest_of(Images(train.pixels.reshape(40, 1, 18, 6), train.labels), test)
    assert len({moved, flat, dataset.digest}) == 3


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("digts", UnknownName, ["'digts'", "did you mean 'digits'", "cifar10", "folder:PATH"]),
        ("", UnknownName, ["allowed"]),
        ("digits:size=9", InputError, ["takes no options"]),
        ("fake:imges=9", InputError, ["'imges'", "did you mean 'images'"]),
        ("fake:images", InputError, ["'images'", "key=value"]),
        ("fake:classes=1", InputError, ["classes", "greater than or equal to 2"]),
        ("folder:", InputError, ["needs a path"]),
        ("folder:/no/such/place", MissingData, ["/no/such/place", "train/<class>/<image>"]),
    ],
)
def test_bad_names_and_options_end_in_one_clear_line(text: str, kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as caught:
        load_data(text)
    line = str(caught.value)
    assert "\n" not in line
    assert all(word in line for word in words)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_without_files_says_how_to_get_them(name: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path))
    with pytest.raises(MissingData) as caught:
        load_data(name, root=tmp_path)
    assert all(word in str(caught.value) for word in (name, "--download", "NASBENCH_DATA", str(tmp_path)))


def test_cifar_is_read_once_and_then_from_the_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    from nasbench.data.cifar import load_cifar

    opened = []

    class Ten:
        base_folder = "cifar-10-batches-py"
        classes = tuple("abcdefghij")

        def __init__(self, root: str, train: bool, download: bool) -> None:
            opened.append((root, train, download))
            rng = np.random.default_rng(int(train))
            self.data = rng.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
            self.targets = [index % 10 for index in range(30)]

    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets, "CIFAR10", Ten)
    first = load_cifar("cifar10", tmp_path, False)
    second = load_cifar("cifar10", tmp_path, False)
    assert opened == [(str(tmp_path), True, False), (str(tmp_path), False, False)]
    assert first.name == second.name == "cifar10"
    assert first.digest == second.digest == digest_of(second.train, second.test)
    source = Ten("", True, False).data
    assert (second.train.pixels[3, 1] == source[3, :, :, 1]).all()


@pytest.mark.parametrize(
    ("train", "test", "classes", "words"),
    [
        ((4, 1, 3, 3), (2, 1, 3, 3), ("a",), "at least 2"),
        ((4, 1, 3, 4), (2, 1, 3, 4), ("a", "b"), "square"),
        ((4, 1, 3, 3), (2, 1, 4, 4), ("a", "b"), "one shape"),
        ((4, 1, 3, 3), (0, 1, 3, 3), ("a", "b"), "0 test images"),
    ],
)
def test_unusable_arrays_are_refused(train, test, classes: tuple[str, ...], words: str) -> None:
    parts = [Images(np.zeros(shape, np.uint8), np.zeros(shape[0], np.int64)) for shape in (train, test)]
    with pytest.raises(InputError, match=words):
        make_dataset("bad", classes, *parts)


def test_one_image_cannot_be_split() -> None:
    images = Images(np.zeros((1, 1, 2, 2), np.uint8), np.zeros(1, np.int64))
    with pytest.raises(InputError, match="at least 2"):
        make_dataset("one", ("a", "b"), images, images).split(0.5, 0)
