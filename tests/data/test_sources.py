"""Images from CSV files, NumPy arrays, saved Hugging Face data sets and torchvision."""

from __future__ import annotations

import inspect
import io
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from odd_images import coloured, make_plain_folder
from PIL import Image

from nasbench.data import load_data
from nasbench.data.folder import load_folder
from nasbench.data.torchvision_sets import _PLACES, NAMES, _splits
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


def test_splits_may_have_names_of_both_kinds(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **named("x_train", "y_train"), **named("test_images", "test_labels"))
    data = load_data(f"npz:{tmp_path / 'a.npz'}")
    assert (len(data.train), len(data.test)) == (8, 8)


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
    with pytest.raises(InputError, match="images in colour are uint8"):
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


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("no image", "[7] cannot be decoded: there is no image in its row"),
        ("no label", "[7] has no label (None)"),
        ("lists", "labels are whole numbers or texts, one per image"),
        ("floats", "column 'label' is float"),
        ("no rows", "has no rows"),
        ("damaged", "or is damaged"),
        ("other split", "left out: 8 in split 'all' (e.g. all[0])"),
        ("no columns", "has the columns image; it should hold"),
    ],
)
def test_saved_data_sets_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path, change: str, why: str) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra 'datasets' is not installed")
    images = [Image.fromarray(coloured(number)) for number in range(8)]
    labels: list[object] = [number % 2 for number in range(8)]
    if change == "no image":
        images[7] = None  # type: ignore[call-overload]
    if change == "no label":
        labels[7] = None
    if change == "lists":
        labels = [[0, 1]] * 8
    if change == "floats":
        labels = [0.5, 1.5] * 4
    rows = {"image": images, "label": labels}
    if change == "no rows":
        rows = {"image": [], "label": []}
    if change == "no columns":
        del rows["label"]
    saved = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    try:
        (datasets.DatasetDict({"all": saved}) if change == "other split" else saved).save_to_disk(tmp_path / "saved")
    except ZeroDivisionError:
        pytest.skip(f"datasets {datasets.__version__} saves no data set without rows")
    if change == "damaged":
        (tmp_path / "saved" / "state.json").write_text("[]")
    with pytest.raises(InputError) as caught:
        load_data(f"hf:{tmp_path / 'saved'}")
    assert why in str(caught.value)


def test_without_the_package_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[datasets\]"):
        load_data(f"hf:{tmp_path}")


def write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, values.ndim]) + b"".join(side.to_bytes(4, "big") for side in values.shape)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


def write_fashion(root: Path, first: int) -> None:
    """Files of FashionMNIST with 20 training and 10 test images, drawn by seeds from `first` on."""
    for part, count in (("train", 20), ("t10k", 10)):
        images = np.stack([coloured(first + seed, 28, 28)[:, :, 0] for seed in range(count)])
        write_idx(root / "FashionMNIST" / "raw" / f"{part}-images-idx3-ubyte", images)
        write_idx(root / "FashionMNIST" / "raw" / f"{part}-labels-idx1-ubyte", np.arange(count) % 10)


def fashion(root: Path, download: bool = False) -> int:
    """The seed of the first training image."""
    load_data.__globals__["_load"].cache_clear()
    first = load_data("torchvision:FashionMNIST", root, download).train.pixels[0, 0]
    return next(seed for seed in range(1000) if (coloured(seed, 28, 28)[:, :, 0] == first).all())


def copies(tmp_path: Path) -> int:
    return len(list((tmp_path / "cache" / "decoded").iterdir()))


def test_torchvisions_files_are_those_of_their_folder_and_of_now(tmp_path: Path) -> None:
    write_fashion(tmp_path / "a", 0)
    write_fashion(tmp_path / "b", 100)
    assert (fashion(tmp_path / "a"), fashion(tmp_path / "b"), fashion(tmp_path / "a")) == (0, 100, 0)
    assert copies(tmp_path) == 2
    (tmp_path / "link").symlink_to("a")
    assert fashion(tmp_path / "link") == 0
    assert copies(tmp_path) == 2
    write_fashion(tmp_path / "a", 200)
    assert fashion(tmp_path / "a") == 200


def test_what_torchvision_downloads_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "download", lambda self: write_fashion(Path(self.root), 300))
    assert fashion(tmp_path / "a", download=True) == 300
    monkeypatch.undo()
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))
    assert fashion(tmp_path / "a") == 300
    assert copies(tmp_path) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_places_of_torchvisions_files_are_known(name: str) -> None:
    from torchvision import datasets

    source = inspect.getsource(getattr(datasets, name))
    for place in _PLACES[name]:  # of four, torchvision takes the name of the class
        assert name in ("MNIST", "FashionMNIST", "KMNIST", "DTD") or f'{place}"' in source


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


@pytest.mark.parametrize("damage", ["garbage", "empty", "label", "few"])
def test_damaged_files_of_torchvision_are_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    raw = tmp_path / "cache" / "MNIST" / "raw"
    for part in ("train", "t10k"):
        write_idx(raw / f"{part}-images-idx3-ubyte", np.zeros((20, 28, 28)))
        labels = {"label": np.full(20, 77), "few": np.arange(10)}.get(damage, np.arange(20) % 10)
        write_idx(raw / f"{part}-labels-idx1-ubyte", labels)
    if damage in ("garbage", "empty"):
        (raw / "train-images-idx3-ubyte").write_bytes(b"garbage" if damage == "garbage" else b"")
    with pytest.raises(InputError) as caught:
        load_data("torchvision:MNIST")
    assert "are damaged (" in str(caught.value)
    assert "delete them, and add --download" in str(caught.value)
    assert "\n" not in str(caught.value)


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


def rows_of(root: Path) -> str:
    return listed(root, split=False).read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace(",", ";"), "no column 'path'; its first line has 'path;label'"),
        (lambda text: "", "no column 'path'; it should hold"),
        (lambda text: text.replace("label\n", "label,label\n"), "has 2 columns 'label'"),
        (lambda text: text.encode("utf-16"), "is not encoded in UTF-8"),
        (lambda text: text.replace(",dog", ",caf\xe9").encode("latin-1"), "is not encoded in UTF-8"),
        (lambda text: text + "a.png," + "x" * 200_000 + "\n", "is no CSV file that can be read: field larger"),
        (lambda text: text + "a\x1b[2J.png,cat\n", "line 14: a\\x1b[2J.png is not there"),
        (lambda text: text + "~nobody-here/a.png,cat\n", "line 14: ~nobody-here/a.png is not there"),
        (lambda text: text + "pets,cat\n", "line 14: pets is no file"),
        (lambda text: text + ",cat\n", "line 14:  is no file"),
        (lambda text: text + "/dev/zero,cat\n", "line 14: /dev/zero is no file"),
        (lambda text: text + "pets/train/cat/0.png\n", "line 14: pets/train/cat/0.png has no label"),
        (lambda text: text + "\n\npets/train/../train/dog/0.png,dog\n", "is listed in line"),
    ],
)
def test_odd_csv_files_are_refused_in_one_line(tmp_path: Path, change, words: str) -> None:
    made = change(rows_of(make_plain_folder(tmp_path / "pets")))
    (tmp_path / "pets.csv").write_bytes(made if isinstance(made, bytes) else made.encode())
    with pytest.raises(InputError) as caught:
        load_data(f"csv:{tmp_path / 'pets.csv'}")
    assert words in str(caught.value)
    assert isinstance(caught.value, DataFaults) == ("line" in words and "first line" not in words)


def test_lines_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    text = rows_of(make_plain_folder(tmp_path / "pets"))
    (tmp_path / "pets.csv").write_text("\ufeff" + text.replace("\n", "\n\n") + "nowhere.png,cat\n")
    with pytest.raises(DataFaults, match="line 27: nowhere"):
        load_data(f"csv:{tmp_path / 'pets.csv'}")


PIXELS = np.random.default_rng(0).integers(0, 256, (8, 6, 6), dtype=np.uint8)
HALVES = np.arange(8) % 2


def named(images: str, labels: str) -> dict[str, np.ndarray]:
    return {images: PIXELS, labels: HALVES}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": PIXELS, "labels": np.array([{}] * 8, object)}, "they hold Python objects"),
        ({"images": PIXELS.astype(object), "labels": HALVES}, "they hold Python objects"),
        ({"images": PIXELS.astype(complex), "labels": HALVES}, "images is complex128; grey images are uint8"),
        ({"images": PIXELS > 9, "labels": HALVES}, "images is bool; grey images are uint8"),
        ({"images": PIXELS, "labels": np.eye(2)[HALVES]}, "labels has shape (8, 2)"),
        ({"images": PIXELS, "labels": HALVES.reshape(2, 4)}, "labels has shape (2, 4)"),
        ({"images": PIXELS, "labels": np.int64(1)}, "labels has shape ()"),
        ({"images": PIXELS, "labels": np.where(HALVES, np.nan, 1.0)}, "no whole numbers"),
        ({"images": PIXELS, "labels": HALVES + 0.5}, "no whole numbers"),
        ({"images": PIXELS, "labels": np.array(["", "a"])[HALVES]}, "has an empty text, labels[0]"),
        ({"images": PIXELS, "labels": np.array([b"\xff", b"a"])[HALVES]}, "texts that are not UTF-8"),
        ({"x_train": PIXELS, "y_train": HALVES, "x_test": PIXELS}, "has x_test, but no y_test"),
        ({"x_train": PIXELS, "y_train": HALVES, "y_val": HALVES}, "has y_val, but no x_val"),
        (named("x", "y") | named("x_train", "y_train") | named("x_test", "y_test"), "has both x_test and x, so"),
        (named("images", "labels") | named("train_images", "train_labels"), "has both train_images and images, so"),
        (named("x_train", "y_train") | named("train_images", "train_labels"), "has both x_train and train_images, so"),
        (named("images", "labels") | named("x", "y"), "has both images and x, so"),
    ],
)
def test_odd_arrays_are_refused_in_one_line(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError) as caught:
        load_data(f"npz:{tmp_path / 'a.npz'}")
    assert words in str(caught.value)


def test_images_without_pixels_are_faults(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((8, 0, 6), np.uint8), labels=HALVES)
    with pytest.raises(DataFaults, match=r"images\[0\] cannot be decoded: has no pixels"):
        load_data(f"npz:{tmp_path / 'a.npz'},size=4")


def packed(content: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, value in content.items():
            file.writestr(name, value)
    return stream.getvalue()


def header(shape: str) -> bytes:
    """The beginning of an .npy file that claims a shape."""
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape}), }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def damaged() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, images=PIXELS, labels=HALVES)
    content = bytearray(stream.getvalue())
    content[100:160] = bytes(60)
    return bytes(content)


def marked(offset: int, value: int) -> bytes:
    """A zip file whose entry has another value in both of its headers."""
    content = bytearray(packed({"images.npy": b"x" * 50}))
    content[offset] = content[content.find(b"PK\x01\x02") + offset + 2] = value
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed({"images.npy": b"text", "labels.npy": b"text"}), "images is no array"),
        (packed({"images": b"text", "labels": b"text"}), "images is no array"),
        (packed({"images.npy": header("99999999999, 9, 9")}), "larger than the memory"),
        (packed({"images.npy": header("[" * 30)}), "cannot read the arrays"),
        (marked(6, 1), "is encrypted"),
        (marked(8, 99), "compression method is not supported"),
        (damaged(), "cannot read the arrays"),
        (pickle.dumps({}), "they hold Python objects"),
        (header("1,") + b"x", "is one array, no .npz file"),
        (b"", "cannot read the arrays"),
    ],
)
def test_files_that_are_no_npz_are_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_data(f"npz:{tmp_path / 'a.npz'}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "9"], ("9", "10")),
        (["00", "0"], ("0", "00")),
        (["1" * 5000, "2"], ("2", "1" * 5000)),
        ([b"b", b"a"], ("a", "b")),
        ([1.0, 0.0], ("0", "1")),
    ],
)
def test_classes_of_arrays_have_one_order(tmp_path: Path, labels: list, classes: tuple[str, ...]) -> None:
    np.savez(tmp_path / "a.npz", images=PIXELS, labels=np.array(labels)[HALVES])
    assert load_data(f"npz:{tmp_path / 'a.npz'}").classes == classes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=16385", "size: input should be less than or equal to 16384"),
        ("levels=9..3", "the lower one first"),
        ("levels=1.2.3..4", "two numbers"),
        ("levels=.....", "two numbers"),
        ("size=4,size=5", "size= is given twice"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, options: str, words: str) -> None:
    np.savez(tmp_path / "a.npz", images=PIXELS, labels=HALVES)
    with pytest.raises(InputError) as caught:
        load_data(f"npz:{tmp_path / 'a.npz'},{options}")
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", ["folder", "csv", "npz", "hf"])
def test_homes_of_unknown_users_are_missing(kind: str) -> None:
    with pytest.raises(MissingData, match="~nobody-here/x"):
        load_data(f"{kind}:~nobody-here/x")
