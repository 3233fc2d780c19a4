"""`nasbench data write`: a data set as a folder of PNG files, which is read back as it was."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import numpy as np
import pytest
from commands import nasbench
from odd_images import make_odd_folder

from nasbench.data import Dataset, load_data
from nasbench.data.folder import load_folder
from nasbench.data.folder_writing import write_folder
from nasbench.errors import InputError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))


def of_class(data: Dataset, label: int) -> np.ndarray:
    return data.train.pixels[data.train.labels == label]


def test_digits_are_written_and_read_back(tmp_path: Path) -> None:
    digits = load_data("digits")
    done = nasbench("data", "write", "digits", str(tmp_path / "new" / "a"))
    assert done.code == 0, done
    assert done.out.startswith("wrote 1797 images into ")
    found = load_folder(str(tmp_path / "new" / "a"))
    assert found.classes == digits.classes
    assert np.bincount(found.train.labels).tolist() == np.bincount(digits.train.labels).tolist()
    assert np.bincount(found.test.labels).tolist() == np.bincount(digits.test.labels).tolist()
    assert all((of_class(found, label) == of_class(digits, label)).all() for label in range(10))


def test_a_part_has_the_first_images_of_the_first_classes(tmp_path: Path) -> None:
    done = nasbench("data", "write", "digits", str(tmp_path / "a"), "--classes", "3", "--per-class", "11")
    assert done.code == 0, done
    found = load_folder(str(tmp_path / "a"))
    assert found.classes == ("0", "1", "2")
    assert np.bincount(found.train.labels).tolist() == np.bincount(found.test.labels).tolist() == [11, 11, 11]
    assert (of_class(found, 2) == of_class(load_data("digits"), 2)[:11]).all()


def test_own_validation_images_and_colours_stay(tmp_path: Path) -> None:
    data = load_folder(f"{make_odd_folder(tmp_path / 'odd')},size=8")
    write_folder(data, tmp_path / "a")
    found = load_folder(str(tmp_path / "a"))
    assert found.validation_from == data.validation_from > 0
    assert (of_class(found, 1) == of_class(data, 1)).all()
    assert write_folder(found, tmp_path / "b") == len(data.train) + len(data.test)
    assert load_folder(str(tmp_path / "b")).digest == found.digest


def test_a_folder_with_files_and_impossible_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("private")
    done = nasbench("data", "write", "digits", str(tmp_path / "mine"))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "is not empty" in done.err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["diary.txt"]
    assert "has 10 classes, not 11" in nasbench("data", "write", "digits", str(tmp_path / "a"), "--classes", "11").err
    for name in ("a/b", ".hidden", "x" * 201, ""):
        named = dataclasses.replace(load_data("digits"), classes=(name, *"123456789"))
        with pytest.raises(InputError, match="no name of a folder"):
            write_folder(named, tmp_path / "a")
    (tmp_path / "file").write_text("")
    assert "cannot write" in nasbench("data", "write", "digits", str(tmp_path / "file" / "a")).err
    (tmp_path / "empty").mkdir()
    write_folder(load_data("digits"), tmp_path / "empty", 2, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "mine"]


@pytest.mark.parametrize("kind", ["folder", "csv"])
def test_classes_that_are_numbers_are_in_their_order(tmp_path: Path, kind: str) -> None:
    digits = load_data("digits")
    write_folder(
        dataclasses.replace(digits, classes=tuple(str(number + 3) for number in range(10))), tmp_path / "a", 10, 2
    )
    lines = ["path,label,split"]
    for path in sorted((tmp_path / "a").rglob("*.png")):
        split, label, _ = path.relative_to(tmp_path / "a").parts
        lines.append(f"a/{path.relative_to(tmp_path / 'a')},{label},{split}")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    text = f"{kind}:{tmp_path / 'a'}{'.csv' if kind == 'csv' else ''}"
    data = load_data(text)
    assert data.classes == tuple(str(number) for number in range(3, 13))
    assert (of_class(data, 7) == of_class(digits, 7)[:2]).all()
    assert "10, in the order of their numbers" in nasbench("data", "show", text).out


def left_over(folder: Path, process: int, file: str = "train/0/0.png", age: float = 3600.0) -> Path:
    """A folder as a process leaves it that is killed while it writes."""
    left = folder.with_name(f"{folder.name}.{process}.writing")
    (left / file).parent.mkdir(parents=True)
    (left / file).write_bytes(b"half")
    for each in (*left.iterdir(), left):
        os.utime(each, (time.time() - age,) * 2)
    return left


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    folder, digits, dead = tmp_path / "a", load_data("digits"), 2**22 + 1  # above the largest process number
    gone = [left_over(folder, dead), left_over(folder, os.getpid())]
    kept = [
        left_over(folder, os.getppid()),
        left_over(folder, dead + 1, age=5.0),  # perhaps of a process on another machine
        left_over(folder, dead + 2, file="notes/mine.txt"),
        left_over(tmp_path / "ab", dead),
    ]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"a.{dead + 3}.writing").symlink_to("elsewhere")
    assert write_folder(digits, folder, classes=2, per_class=3) > 0
    assert [each.exists() for each in gone] == [False, False]
    assert [each.exists() for each in kept] == [True] * 4
    assert (tmp_path / f"a.{dead + 3}.writing").is_symlink()
