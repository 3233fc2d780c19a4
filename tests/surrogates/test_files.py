"""Files of surrogates: what is written is read, and what a stranger wrote is checked."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from commands import nasbench
from full_disk import files_of_at_most

from nasbench.errors import InputError
from nasbench.tabular.surrogates import files, fitting
from nasbench.tabular.surrogates.files import (
    digest_of,
    is_surrogate,
    read_surrogate,
    surrogate_bytes,
    write_surrogate,
)

TRAINED = Path(__file__).parents[2] / "results" / "claims.h5"


@pytest.fixture
def copy(file, tmp_path):
    return shutil.copy(file, tmp_path / "copy.h5")


def test_what_is_written_is_read(surrogate, file):
    found = read_surrogate(file)
    assert is_surrogate(file)
    assert found.about == surrogate.about
    assert found.fingerprint == surrogate.fingerprint
    architectures = [surrogate.space.random(np.random.default_rng(seed)) for seed in range(20)]
    for ours, theirs in zip(found.predict(architectures), surrogate.predict(architectures)):
        assert np.array_equal(ours, theirs)
    assert surrogate_bytes(found) == file.read_bytes()


def test_a_quality_that_is_not_defined_is_read_as_nan(surrogate, tmp_path):
    """Equal seconds of all trainings have no tau and no R2: such a surrogate could be written, and not be read."""
    nothing = surrogate.about.quality["seconds"].model_copy(update={"kendall_tau": math.nan, "r2": math.nan})
    quality = {**surrogate.about.quality, "seconds": nothing}
    flat = replace(surrogate, about=surrogate.about.model_copy(update={"quality": quality}))
    write_surrogate(flat, tmp_path / "flat.h5")
    found = read_surrogate(tmp_path / "flat.h5").about.quality["seconds"]
    assert math.isnan(found.kendall_tau)
    assert math.isnan(found.r2)
    assert found.nll == nothing.nll


def killed_while(work: Callable[[], None], seconds: float | None = None) -> None:
    """Do work in a process of its own that is killed: by itself, or after a time."""
    process = os.fork()
    if not process:
        with suppress(BaseException):
            work()
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that it forks with threads
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_kill_at_the_end_of_the_writing_leaves_nothing_under_the_name(surrogate, tmp_path, step):
    path = tmp_path / "s.h5"

    def work() -> None:
        setattr(os, step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        write_surrogate(surrogate, path)

    killed_while(work)
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".writing"
    os.utime(left, (0, 0))  # a younger one may be of a process of another machine
    write_surrogate(surrogate, path)
    assert list(tmp_path.iterdir()) == [path]
    assert read_surrogate(path).fingerprint == surrogate.fingerprint


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_kills_at_any_moment_leave_nothing_half_written(surrogate, tmp_path):
    began = time.perf_counter()
    write_surrogate(surrogate, tmp_path / "whole.h5")
    usual = time.perf_counter() - began
    for number in range(20):
        path = tmp_path / f"{number}.h5"
        killed_while(partial(write_surrogate, surrogate, path), 1.2 * usual * number / 20)
        assert not path.exists() or read_surrogate(path).fingerprint == surrogate.fingerprint


def test_a_full_disk_is_one_line_and_leaves_what_was_there(tmp_path, monkeypatch):
    for model in (fitting.BOOSTING, fitting.FOREST):
        monkeypatch.setitem(model, "n_estimators", 2)
    old = tmp_path / "old.h5"
    old.write_bytes(b"mine")
    for name, size, told in (
        ("s.h5", 0, "cannot write"),
        ("s.h5", 5000, "cannot write"),
        ("old.h5", 5000, "is there already"),
    ):
        with files_of_at_most(size):
            done = nasbench("surrogate", "fit", str(TRAINED), "-o", str(tmp_path / name), "--folds", "2")
        assert (done.code, done.err.count("error: "), "Traceback" in done.err) == (2, 1, False), done
        assert told in done.err
        assert [path.name for path in tmp_path.iterdir()] == ["old.h5"]
        assert old.read_bytes() == b"mine"


def test_no_file_is_replaced(surrogate, file):
    with pytest.raises(InputError, match="is there already"):
        write_surrogate(surrogate, file)


def sealed(path):
    """Make the digest fit again, as somebody who means harm would."""
    with h5py.File(path, "r+") as file:
        arrays = {name: file[name][()] for name in files.ARRAYS}
        file.attrs["digest"] = digest_of(file["about"][()].tobytes().decode(), arrays)


def told(path, change):
    """Change the description."""
    with h5py.File(path, "r+") as file:
        about = json.loads(file["about"][()].tobytes())
        change(about)
        del file["about"]
        file["about"] = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)
    sealed(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about: about.update(space="nasnet:blocks=3"), "features"),
        (lambda about: about.update(space="no_such_space"), "no_such_space"),
        (lambda about: about.update(more=1), "more"),
        (lambda about: about.update(children="598"), "children"),
        (lambda about: about["scale"].update(depth=3), "depth"),
        (lambda about: about["scale"].update(filters=[1] * 9), "filters"),
        (lambda about: about["features"].pop(), "features"),
        (lambda about: about["quality"]["both"].update(within_50=7), "within_50"),
        (lambda about: about.pop("noise"), "noise"),
    ],
)
def test_descriptions_of_strangers(copy, change, said):
    told(copy, change)
    with pytest.raises(InputError, match=said) as error:
        read_surrogate(copy)
    assert "\n" not in str(error.value)


def put(path, name, values, **more):
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, data=values, **more)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("score/feature", lambda old: old + 1000),
        ("score/left", lambda old: np.zeros_like(old)),
        ("score/value", lambda old: np.full_like(old, np.nan)),
        ("score/base", lambda old: np.append(old, old)),
        ("noise/spreads", lambda old: -old),
        ("residual/places", lambda old: old[::-1].copy()),
    ],
)
def test_numbers_of_strangers(copy, name, values):
    with h5py.File(copy) as file:
        new = values(file[name][()])
    put(copy, name, new)
    sealed(copy)
    with pytest.raises(InputError, match="no surrogate, or is damaged"):
        read_surrogate(copy)


def test_a_changed_number_is_noticed(copy):
    with h5py.File(copy, "r+") as file:
        file["noise/spreads"][0] *= 2
    with pytest.raises(InputError, match="digest"):
        read_surrogate(copy)


def test_other_types_links_and_claims(copy, tmp_path):
    with h5py.File(copy) as file:
        value = file["score/value"][()]
    put(copy, "score/value", value.astype(np.float32))
    with pytest.raises(InputError, match="<f4"):
        read_surrogate(copy)
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["value"] = value
    with h5py.File(copy, "r+") as file:
        del file["score/value"]
        file["score/value"] = h5py.ExternalLink("secret.h5", "/value")
    with pytest.raises(InputError, match="link"):
        read_surrogate(copy)
    with h5py.File(copy, "r+") as file:  # a claim of 80 GB, of which nothing is stored
        del file["score/value"]
        file.create_dataset("score/value", shape=(10**10,), dtype="<f8", chunks=(1000,))
    with pytest.raises(InputError, match="claims"):
        read_surrogate(copy)
    with h5py.File(copy, "r+") as file:
        del file["score/value"]
        file.create_dataset(
            "score/value", shape=value.shape, dtype="<f8", external=[(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)]
        )
    with pytest.raises(InputError, match="plain"):
        read_surrogate(copy)
    with h5py.File(copy, "r+") as file:
        file["stranger"] = [1]
    with pytest.raises(InputError, match="stranger"):
        read_surrogate(copy)


def test_newer_schemas_and_other_files(copy, tmp_path):
    with h5py.File(copy, "r+") as file:
        file.attrs["schema_version"] = 2
    with pytest.raises(InputError, match="update nasbench"):
        read_surrogate(copy)
    (tmp_path / "text.h5").write_text("a,b\n")
    os.mkfifo(tmp_path / "pipe.h5")
    content = copy.read_bytes()
    (tmp_path / "half.h5").write_bytes(content[: len(content) // 2])
    for name in ("text.h5", "pipe.h5", "half.h5", "none.h5"):
        done = nasbench("surrogate", "show", str(tmp_path / name))
        assert (done.code, done.err.count("\n"), "Traceback" in done.err) == (2, 1, False), done
        assert not is_surrogate(tmp_path / name)
    with mock.patch.object(files, "LARGEST", 1000), pytest.raises(InputError, match="at most 1,000"):
        read_surrogate(copy)
