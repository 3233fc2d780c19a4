"""Every option and argument of every command with bad values: one clear line, a documented exit code, no hang."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import VALUES, bad_inputs, commands, fault_of, limit, make_files
from commands import nasbench
from fake_images import FAKE_WORDS
from searching import search, tiny_plan

import nasbench as suite
from nasbench.runners.strategies.base import Strategy

PARTS = 1500
INPUTS = bad_inputs()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("bad") / "cwd"
    place.mkdir()
    make_files(place)
    return place


@pytest.fixture
def files(folder):
    """The folder with its files as they were made."""
    good = (folder / "good.h5").read_bytes()
    yield folder
    (folder / "good.h5").write_bytes(good)
    for name in ("out.h5", "out.journal", "out.lock"):
        (folder / name).unlink(missing_ok=True)


def test_every_command_and_option_is_tried():
    assert len(INPUTS) > 30 * 400
    assert {" ".join(path) for path, _ in commands()} <= {given.about.rpartition(" ")[0] for given in INPUTS} | {
        given.about.removesuffix(" too many") for given in INPUTS
    }
    assert len(set(VALUES)) == len(VALUES)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_value_is_one_line(part, files):
    """Each part has inputs of all commands: every 1500th, from its own place on."""
    faults = {}
    for given in INPUTS[part::PARTS]:
        if fault := fault_of(given, files):
            faults[given.words] = fault
    assert faults == {}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("check", ""), "'': the name must end in .h5, e.g. 'results/a.h5'"),
        (("query", ""), "the name of a results file is empty"),
        (("suite", "show", "latin.toml"), "is no TOML: byte 11 is no UTF-8"),
        (("suite", "show", "nul.toml"), "is not valid TOML"),
        (("suite", "show", "fifo"), "is no regular file"),
        (("query", "fifo.h5"), "is a named pipe and no results file"),
        (("query", "folder.h5"), "folder.h5 is a folder; name a file in it"),
        (("diff", "good.h5", "fifo.h5"), "is a named pipe and no results file"),
        (("devices", "--price", "fifo"), "is a named pipe and no table"),
        (("data", "show", "npz:text.npz"), "text.npz"),
        (("data", "show", "fake:images=99999999999"), "images"),
        (("spaces", "show", "nasnet:blocks=3,blocks=4"), "option 'blocks' is given twice"),
        (("query", "good.h5", "--sort", "val_acc:nope"), "asc"),
        (("query", "good.h5", "--where", "epochs == inf"), "unknown name 'inf'"),
        (("query", "good.h5", "--where", "params < 1e400"), "a number is between 1e-300 and 1e300"),
        (("query", "good.h5", "--where", "1"), "position 1: expected a condition, got the number 1"),
        (("reproduce", "nope"), "say which figure by --figure: 1, "),
        (("profiles", "good.h5", "--seed", "-1"), "--seed"),
        (("query", "a" * 300 + ".h5"), "File name too long"),
    ],
)
def test_what_to_do_is_said(words, expected, files):
    with limit(30):
        done = nasbench(*words, cwd=files)
    assert (done.code, done.err.count("\n")) == (2, 1), done
    assert done.err.startswith("error: ")
    assert expected in done.err


@pytest.mark.sampled(2)
@pytest.mark.parametrize("given", INPUTS[:: len(INPUTS) // 12], ids=lambda given: given.about)
def test_a_process_ends_as_the_call_does(given, files):
    done = subprocess.run(
        [sys.executable, "-m", "nasbench", *given.words],
        cwd=files,
        capture_output=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode in (0, 1, 2)
    assert b"Traceback" not in done.stderr


class Raising(Strategy):
    """Raises at its third proposal, or when it gets a result."""

    name = "raising"
    at = "ask"

    def ask(self):
        if self.at == "ask" and getattr(self, "asked", 0) == 2:
            raise ZeroDivisionError("no\nsuch luck")
        self.asked = getattr(self, "asked", 0) + 1
        return self.space.random(np.random.default_rng(self.asked))

    def tell(self, outcome):
        if self.at == "tell":
            raise FileNotFoundError(2, "No such file", "my-notes.txt")


@pytest.mark.parametrize("at", ["ask", "tell"])
def test_a_strategy_that_raises_is_one_line_and_its_traceback_is_a_file(at, tmp_path, monkeypatch):
    suite.register_strategy("raising")(Raising)
    monkeypatch.setattr(Raising, "at", at)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    words = ("run", "--space", "nasnet:blocks=1", "--strategy", "raising", "--budget", "4 children", "-o", "a.h5")
    done = nasbench(*words, *FAKE_WORDS, cwd=tmp_path)
    assert done.code == 2
    (line,) = [line for line in done.err.split("\n") if line.startswith("error: ")]
    assert f"strategy 'raising', {at}() raised " in line
    assert ("ZeroDivisionError: no such luck" if at == "ask" else "No such file") in line
    assert "test_bad_values.py, line" in line
    assert "Traceback" not in done.err
    file = Path(re.search(r"the traceback is in (\S+)", line)[1])
    assert "Traceback (most recent call last)" in file.read_text()
    stored = suite.open(tmp_path / "a.h5")
    assert len(stored) == (2 if at == "ask" else 1), "finished children are kept"
    with pytest.raises(ZeroDivisionError if at == "ask" else FileNotFoundError):  # in Python the exception itself
        search(tiny_plan(strategy="raising"), tmp_path / "b.h5")
