"""`nasbench data show`, the line at the start of a run, and faults on several lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import nasbench
from odd_images import add_corrupt, make_odd_folder, make_plain_folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_DATA", str(tmp_path / "cache"))


def test_a_folder_is_shown_with_what_was_changed_and_left_out(tmp_path: Path) -> None:
    text = f"folder:{make_odd_folder(tmp_path / 'odd')},size=8"
    done = nasbench("data", "show", text)
    assert done.code == 0, done
    for words in (
        "20 training + 2 validation + 4 test images",
        "3 channel(s), 8x8 pixels",
        "RGB 22",
        "12x12 (25), 30x20 (1)",
        "grey levels 0 to 4095",
        "turned upright",
        "2 hidden: train/.thumbnails",
        "which Pillow does not read: train/cat/notes.txt",
    ):
        assert words in done.out
    assert done.out.splitlines()[-1].split() == ["dog", "10", "1", "2"]
    facts = json.loads(nasbench("data", "show", text, "--json").out)
    assert facts["classes"][0] == {"class": "cat", "training": 10, "validation": 1, "test": 2}
    assert facts["digest"] in done.out


def test_data_that_are_no_files_are_shown_too() -> None:
    out = nasbench("data", "show", "digits").out
    assert "7f637ebeae96085d69a835c98cb0dfae" in out
    assert "1200 training + 597 test images" in out
    assert "folder:PATH" in nasbench("data").out


def test_faults_are_lines_and_the_code_is_2(tmp_path: Path) -> None:
    root = make_plain_folder(tmp_path / "pets")
    broken = add_corrupt(root)
    done = nasbench("data", "show", f"folder:{root}")
    assert done.code == 2
    lines = done.err.splitlines()
    assert lines[0].endswith("cannot be used: 6 faults")
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(broken)


@pytest.mark.slow
def test_a_run_starts_with_one_line_about_its_data(tmp_path: Path) -> None:
    text = f"folder:{make_plain_folder(tmp_path / 'pets')}"
    words = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--data", text, "--set", "epochs=1")
    words += ("--budget", "1 children", "--final", "none", "-o", str(tmp_path / "x.h5"))
    advice, first, *_ = nasbench(*words).err.splitlines()
    assert advice.startswith("note: the protocol is that of the embedded digits; --protocol images suits")
    assert first.startswith("data folder-pets: 2 classes, 8 training + 4 test images, 3x12x12, digest ")
    assert "data folder-pets" not in nasbench("resume", str(tmp_path / "x.h5")).err
    (tmp_path / "x.h5").unlink()
    assert "data folder-pets" not in nasbench(*words, "--quiet").err
    (tmp_path / "x.h5").unlink()
    assert nasbench(*words, "--protocol", "digits").err.startswith("data folder-pets")


def test_exhausted_memory_is_one_line(monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError("Unable to allocate 9. TiB")

    monkeypatch.setattr("nasbench.data.load_data", exhausted)
    done = nasbench("data", "show", "digits")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: the memory is exhausted (Unable to allocate 9. TiB)")
    assert done.err.count("\n") == 1
