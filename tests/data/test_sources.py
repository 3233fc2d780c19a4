"""Images from CSV files, NumPy arrays, saved Hugging Face data sets and torchvision."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
from odd_images import coloured, make_plain_folder

from nasbench.data import load_data
from nasbench.data.folder import load_folder
from nasbench.data.torchvision_sets import NAMES, _splits
from nasbench.errors import DataFaults, InputError, MissingData, MissingExtra, UnknownName


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))
    load_data.__globals__["_load"].cache_clear()


def listed(root: Path, split: bool = True) -> Path:
    """A CSV file with the images of a folder, in the folder's order."""
    lines = ["path,label,split" if split else "path,label"]
    for path in sorted(root.rglob("*.png")):
        part, label, _ = path.relative_to(root).parts
        lines.append(f"pets/{path.relative_to(root)},{label}" + (f",{part}" if split else ""))
    table = root.parent / "pets.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def test_a_csv_file_gives_the_data_of_its_folder(tmp_path: Path) -> None:
    root = make_plain_folder(tmp_path / "pets")
    data = load_data(f"csv:{listed(root)}")
    assert data.digest == load_folder(str(root)).digest
    assert data.name == "csv-pets"
    assert load_data(f"csv:{root.parent / 'pets.csv'}=mine,size=4").train.pixels.shape == (8, 3, 4, 4)


def test_a_csv_file_without_splits_is_split_by_a_seed(tmp_path: Path) -> None:
    data = load_data(f"csv:{listed(make_plain_folder(tmp_path / 'pets'), split=False)},test=0.5,seed=2")
    assert (len(data.train), len(data.test)) == (6, 6)
    assert data.name == "csv-pets-test0.5-seed2"


def test_faults_of_a_csv_file(tmp_path: Path) -> None:
    table = listed(make_plain_folder(tmp_path / "pets"))
    (tmp_path / "pets" / "train" / "cat" / "0.png").unlink()
    (tmp_path / "pets" / "train" / "dog" / "1.png").write_bytes(b"text")
    with pytest.raises(DataFaults) as caught:
        load_data(f"csv:{table}")
    assert "train/cat/0.png is not there" in str(caught.value)
    assert "train/dog/1.png is no image that Pillow can read" in str(caught.value)
    table.write_text("file,label\na.png,cat\n")
    with pytest.raises(InputError, match="no column 'path'"):
        load_data(f"csv:{table}")
    table.write_text("path,label,split\npets/train/cat/1.png,cat,holdout\n")
    with pytest.raises(InputError, match="line 2: split 'holdout'"):
        load_data(f"csv:{table}")
    with pytest.raises(MissingData, match="no CSV file"):
        load_data("csv:/no/such.csv")


@pytest.mark.parametrize("names", [("x_{}", "y_{}"), ("{}_images", "{}_labels")])
@pytest.mark.parametrize("first", [False, True])
def test_arrays_are_read_under_both_names_and_orders(tmp_path: Path, names: tuple[str, str], first: bool) -> None:
    pixels = {
        part: np.stack([coloured(seed + 10 * (part == "test")) for seed in range(4)]) for part in ("train", "test")
    }
    arrays = {}
    for part, images in pixels.items():
        arrays[names[0].format(part)] = images.transpose(0, 3, 1, 2) if first else images
        arrays[names[1].format(part)] = np.array([[0], [10], [2], [0]]) if part == "train" else np.array([0, 2, 10, 2])
    np.savez(tmp_path / "a.npz", **arrays)
    data = load_data(f"npz:{tmp_path / 'a.npz'}")
    assert data.classes == ("0", "2", "10")
    assert data.train.labels.tolist() == [0, 2, 1, 0]
    assert (data.train.pixels == pixels["train"].transpose(0, 3, 1, 2)).all()
    assert (data.test.pixels == pixels["test"].transpose(0, 3, 1, 2)).all()


def test_levels_are_kept_for_data_that_have_only_8_bits(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((8, 6, 6), np.uint8), labels=np.arange(8) % 2)
    assert load_data(f"npz:{tmp_path / 'a.npz'}").reading.levels is None
    assert load_data(f"npz:{tmp_path / 'a.npz'},levels=-1.5..4095").reading.levels == (-1.5, 4095)


def test_arrays_of_more_bits_are_scaled_and_others_refused(tmp_path: Path) -> None:
    levels = np.linspace(0, 4095, 10 * 36).reshape(10, 6, 6).astype(np.uint16)
    np.savez(tmp_path / "deep.npz", images=levels, labels=np.arange(10) % 2)
    data = load_data(f"npz:{tmp_path / 'deep.npz'}")
    assert data.channels == 1
    assert "of more than 8 bits" in data.reading.notes[0]
    assert data.reading.levels is not None
    assert 0 <= data.reading.levels[0] < data.reading.levels[1] <= 4095
    np.savez(tmp_path / "bad.npz", images=np.zeros((4, 6, 6, 3)), labels=np.arange(4) % 2)
    with pytest.raises(InputError, match="should be uint8"):
        load_data(f"npz:{tmp_path / 'bad.npz'}")
    np.savez(tmp_path / "short.npz", images=levels, labels=np.arange(9))
    with pytest.raises(InputError, match="10 images and labels 9 labels"):
        load_data(f"npz:{tmp_path / 'short.npz'}")
    (tmp_path / "text.npz").write_bytes(b"text")
    with pytest.raises(InputError, match="cannot read the arrays"):
        load_data(f"npz:{tmp_path / 'text.npz'}")


def test_a_saved_data_set_of_hugging_face_gives_the_data_of_its_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra 'datasets' is not installed")
    root = make_plain_folder(tmp_path / "pets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    parts = {}
    for part in ("train", "test"):
        files = sorted((root / part).rglob("*.png"))
        rows = {"image": [str(file) for file in files], "label": [file.parent.name for file in files]}
        parts[part] = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    data = load_data(f"hf:{tmp_path / 'saved'}")
    assert data.digest == load_folder(str(root)).digest
    assert data.classes == ("cat", "dog")
    with pytest.raises(InputError, match="no saved data set"):
        load_data(f"hf:{root}")


def test_without_the_package_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[datasets\]"):
        load_data(f"hf:{tmp_path}")


def write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, values.ndim]) + b"".join(side.to_bytes(4, "big") for side in values.shape)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


def test_a_data_set_of_torchvision(tmp_path: Path) -> None:
    raw = tmp_path / "cache" / "FashionMNIST" / "raw"
    for part, count in (("train", 20), ("t10k", 10)):
        images = np.stack([coloured(seed, 28, 28)[:, :, 0] for seed in range(count)])
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(count) % 10)
    data = load_data("torchvision:FashionMNIST")
    assert data.train.pixels.shape == (20, 1, 28, 28)
    assert data.classes[0] == "T-shirt/top"
    assert data.train.labels.tolist() == [*range(10)] * 2
    assert (data.test.pixels[3, 0] == coloured(3, 28, 28)[:, :, 0]).all()
    with pytest.raises(MissingData, match="add --download"):
        load_data("torchvision:KMNIST")
    with pytest.raises(UnknownName, match="did you mean 'FashionMNIST'"):
        load_data("torchvision:FashionMnist")


@pytest.mark.parametrize("name", NAMES)
def test_torchvision_takes_the_arguments_of_each_split(name: str) -> None:
    from torchvision import datasets

    for _, given in _splits(getattr(datasets, name)):
        inspect.signature(getattr(datasets, name)).bind("root", **given, download=False)


def test_rows_with_and_without_splits_do_not_mix(tmp_path: Path) -> None:
    table = listed(make_plain_folder(tmp_path / "pets"))
    table.write_text(table.read_text() + "pets/train/cat/0.png,cat,\n")
    with pytest.raises(InputError, match="some rows have a split and some have none"):
        load_data(f"csv:{table}")
