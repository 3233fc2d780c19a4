"""Hashes that commands find in results/*.h5, beside files there that are no results files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from commands import nasbench

import nasbench as suite
from nasbench.cli.model_sources import find_training

SHIPPED = Path(__file__).resolve().parents[2] / "results"


@pytest.fixture
def folder(tmp_path):
    """A folder whose results/ has a results file, a surrogate and a damaged file, as a clone may have."""
    results = tmp_path / "results"
    results.mkdir()
    for name in ("cifar10-jpeg-nas.h5", "nasnet5-digits-surrogate.h5"):
        shutil.copy(SHIPPED / name, results)
    (results / "broken.h5").write_bytes(b"no HDF5")
    return tmp_path


@pytest.fixture
def known(folder):
    frame = suite.open(folder / "results" / "cifar10-jpeg-nas.h5").frame(["hash", "status"])
    return str(frame.loc[frame["status"] == "ok", "hash"].iloc[0])


@pytest.mark.parametrize("words", [("show",), ("draw",)])
def test_a_hash_is_found_beside_files_that_are_no_results_files(words, folder, known):
    done = nasbench(*words, known[:12], cwd=folder)
    assert (done.code, done.err) == (0, "")
    assert known[:12] in done.out


def test_a_child_to_train_or_to_measure_is_found_beside_them(folder, known, monkeypatch):
    monkeypatch.chdir(folder)
    assert find_training(known, (), None, {"epochs": 1}, None).architecture.hash == known


def test_a_hash_that_is_nowhere_names_the_files_left_out_and_why(folder):
    done = nasbench("show", "00000000000", cwd=folder)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "no child in results/cifar10-jpeg-nas.h5 has a hash that starts with '00000000000'" in done.err
    assert "left out: results/broken.h5" in done.err
    assert "results/nasnet5-digits-surrogate.h5 is an HDF5 file, but not a results file of nasbench" in done.err


def test_a_folder_with_a_surrogate_only_has_no_results_file(folder, known):
    for name in ("cifar10-jpeg-nas.h5", "broken.h5"):
        os.remove(folder / "results" / name)
    done = nasbench("show", known[:12], cwd=folder)
    assert done.code == 2
    assert "none in results/" in done.err
    assert "it is a surrogate" in done.err


def test_a_named_file_that_is_no_results_file_is_still_refused(folder, known):
    names = ["results/cifar10-jpeg-nas.h5", "results/nasnet5-digits-surrogate.h5"]
    done = nasbench("show", known[:12], *names, cwd=folder)
    assert done.code == 2
    assert "it is a surrogate" in done.err
