"""Results files from strangers: sound checksums around a form or content made to harm. One clear line, or sound data."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import nasbench
from fault_time import deadline
from hostile_files import SECRET, make_hostile
from store_rows import child, write

from nasbench.errors import NasbenchError
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

COMMANDS = (
    ("results", "check", "{file}"),
    ("query", "{file}"),
    ("status", "{file}"),
    ("results", "export", "{file}", "-o", "{folder}/out.jsonl"),
    ("analyze", "compare", "{file}"),
    ("analyze", "cost", "{file}"),
    ("report", "{file}", "-o", "{folder}/page.html"),
    ("analyze", "checklist", "{file}"),
    ("results", "repair", "{file}"),
)
SECONDS = 5.0  # of the processor: the machine may be busy


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve children in the HDF5 file and three in the journal of a writer that was killed."""
    path = tmp_path_factory.mktemp("sound") / "x.h5"
    write(path, 12)
    kept = path.with_name("kept")
    kept.mkdir()
    shutil.copy(path, kept)
    writer = ResultsWriter(path)
    for number in range(12, 15):
        writer.append_child(*child(number))
    shutil.copy(path.with_suffix(".journal"), kept)
    writer.close()
    assert check_file(kept / "x.h5").sound
    return kept / "x.h5"


def hostile_copy(sound: Path, folder: Path, seed: int) -> tuple[Path, str]:
    path = folder / "x.h5"
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    shutil.copy(sound, path)
    if sound.with_suffix(".journal").exists():
        shutil.copy(sound.with_suffix(".journal"), path.with_suffix(".journal"))
    return path, make_hostile(path, seed)


def is_one_line(text: str) -> None:
    assert text
    assert "\n" not in text


def read_all(path: Path) -> None:
    """Read everything as Python would; our own errors are answers."""
    try:
        with Results(path) as results:
            frame = results.frame()
            results.runs()
            curves = results.all_curves()
            assert SECRET not in frame.to_csv(errors="replace") + curves.to_csv(errors="replace")
    except NasbenchError as error:
        is_one_line(str(error))


def try_file(path: Path, about: str, commands: int) -> None:
    """Check, read, and give the file to some commands."""
    began = time.process_time()
    try:
        for problem in check_file(path).findings:
            is_one_line(problem.text)
    except NasbenchError as error:
        is_one_line(str(error))
    read_all(path)
    assert time.process_time() - began < SECONDS, about
    for words in COMMANDS[:commands]:
        began = time.process_time()
        done = nasbench(*(word.format(file=path, folder=path.parent) for word in words))
        assert done.code in (0, 1, 2), (about, words, done.err)
        assert "Traceback" not in done.err, (about, words, done.err)
        assert SECRET not in done.out + done.err, (about, words)
        assert time.process_time() - began < SECONDS, (about, words)


def test_hostile_files_are_one_line_or_sound(sound: Path, tmp_path: Path) -> None:
    for seed in range(12):
        path, about = hostile_copy(sound, tmp_path, seed)
        try_file(path, about, len(COMMANDS) if seed % 10 == 0 else 0)


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_ten_thousand_hostile_files(sound: Path, tmp_path: Path) -> None:
    until, tried = deadline("hostile files"), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = int(os.environ.get("HOSTILE_FROM", "1000"))
    for seed in range(first, first + 10_000):
        if time.monotonic() > until:
            break
        path, about = hostile_copy(sound, tmp_path, seed)
        try_file(path, about, len(COMMANDS) if seed % 10 == 0 else 1)
        tried += 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"\n{tried} hostile files: no traceback, none over {SECONDS:g} processor seconds, {grown:.0f} MB of memory")
    assert grown < 500


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("suffix", "kind"), [*itertools.product([".h5", ".journal", ".lock"], ["pipe", "folder", "device"])]
)
def test_what_is_no_file_is_refused(sound: Path, tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / "x.h5"
    shutil.copy(sound, path)
    shutil.copy(sound.with_suffix(".journal"), path.with_suffix(".journal"))
    target = path.with_suffix(suffix)
    target.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to("/dev/zero")
    try_file(path, f"{kind} {suffix}", len(COMMANDS))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("value", [np.zeros(3), np.zeros(0), np.array([b"a", b"b"]), h5py.Empty("f8"), 5])
def test_repair_takes_a_file_whose_format_is_no_text(sound: Path, tmp_path: Path, value: object) -> None:
    path = tmp_path / "x.h5"
    shutil.copy(sound, path)
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = value
    try_file(path, f"format {value!r}", len(COMMANDS))
