"""Names and places of model files: what killed processes leave, names that are too long, two trainings at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import nasbench
from PIL import Image

from nasbench.errors import InputError
from nasbench.models.files import held, make_folder, remove_left_over, write_beside
from nasbench.models.keeping import KeepModel
from nasbench.models.training import train_into
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space

CELL = get_space("nasbench201").decode([3, 3, 1, 0, 2, 1])
SHORT = get_protocol("digits", {"data": "fake:images=96,size=8,classes=3", "epochs": 2, "filters": 4})


def dead_process() -> int:
    """Number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def left(folder: Path, name: str, process: int, seconds: float = 1000) -> Path:
    """A file that a process left while it wrote, some time ago."""
    path = folder / f"{name}.{process}.writing"
    path.write_bytes(b"half")
    changed = path.stat().st_mtime - seconds
    os.utime(path, (changed, changed))
    return path


def test_what_dead_processes_left_is_removed_by_the_next_writer(tmp_path):
    dead, name = dead_process(), "m[1].safetensors"
    gone = left(tmp_path, name, dead)
    kept = [left(tmp_path, name, os.getppid()), left(tmp_path, "other.safetensors", dead)]
    kept.append(gone.with_name(f"{name}.mine.writing"))
    kept[-1].write_bytes(b"mine")
    write_beside(tmp_path / name, b"new")
    assert not gone.exists()
    assert all(path.exists() for path in kept)
    assert (tmp_path / name).read_bytes() == b"new"


def test_a_young_file_may_be_of_another_machine(tmp_path):
    young = left(tmp_path, "m", dead_process(), 5)
    remove_left_over(tmp_path / "m")
    assert young.exists()


def test_a_training_removes_what_its_own_states_left(tmp_path):
    left(tmp_path, "m.training", dead_process())
    train_into(tmp_path / "m", CELL, SHORT)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("length", [232, 246, 255, 300])
def test_a_name_that_is_too_long_is_refused_before_the_training(tmp_path, monkeypatch, length):
    monkeypatch.setattr("nasbench.models.training.evaluate", lambda *_, **__: pytest.fail("the training has begun"))
    with pytest.raises(InputError, match="File name too long; choose a shorter one"):
        train_into(tmp_path / ("m" * length), CELL, SHORT)
    assert list(tmp_path.iterdir()) == []


def test_a_long_name_that_is_possible_is_written(tmp_path):
    name = "m" * (255 - len(".training.1234567890.writing"))
    train_into(tmp_path / name, CELL, SHORT)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_two_trainings_into_one_file_are_refused(tmp_path, monkeypatch):
    usual = KeepModel.epoch
    refused = []

    def meanwhile(self, history, epochs, state):
        usual(self, history, epochs, state)
        with pytest.raises(InputError, match="another process trains into") as caught:
            train_into(tmp_path / "m", CELL, SHORT, seed=1, replace=True)
        refused.append(caught)

    monkeypatch.setattr(KeepModel, "epoch", meanwhile)
    train_into(tmp_path / "m", CELL, SHORT)
    assert len(refused) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.slow
def test_the_lock_of_a_killed_process_holds_nothing(tmp_path):
    code = (
        "import os, signal\nfrom pathlib import Path\nfrom nasbench.models.files import held\n"
        f"with held(Path({str(tmp_path / 'm')!r})):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (tmp_path / "m.lock").exists()
    with held(tmp_path / "m"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_before_the_training(tmp_path, monkeypatch):
    def refused(path, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refused)
    with pytest.raises(InputError, match=r"cannot write .*m\.training': Permission denied"):
        make_folder(tmp_path / "m.training")


@pytest.mark.parametrize("content", [b"", b"text", b"\x10\0\0\0\0\0\0\0half"])
def test_a_damaged_state_is_a_line_with_advice(tmp_path, content):
    keeper = KeepModel(tmp_path / "m")
    keeper.state_path.write_bytes(content)
    with pytest.raises(InputError, match="delete it to start anew, or choose another name") as caught:
        keeper.read_state()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_run_does_not_replace_the_network_of_another_one(tmp_path):
    words = ("run", "--space", "nasbench201", "--strategy", "random", "--final", "none", "--keep-best")
    words += ("--set", "epochs=1", "--set", "filters=4", "--set", "data=fake:images=96,size=8,classes=3")
    words += ("-o", str(tmp_path / "a.h5"), "--budget", "2 children")
    assert nasbench(*words).code == 0
    (kept,) = tmp_path.glob("*.safetensors")
    before = kept.read_bytes()
    assert nasbench(*words).code == 0, "a complete run is left as it is"
    (tmp_path / "a.h5").unlink()
    done = nasbench(*words)
    assert (done.code, done.err.count("error")) == (2, 1)
    assert "is of another results file. Move or delete it" in done.err
    assert kept.read_bytes() == before
    kept.unlink()
    assert nasbench(*words).code == 0


def test_standard_output_takes_predictions_and_no_models(tmp_path):
    for words in (("train", "nasnet-a"), ("export-model", "m")):
        if words[0] == "export-model":
            train_into(tmp_path / "m", CELL, SHORT)
        done = nasbench(*words, "-o", "-", cwd=tmp_path)
        assert (done.code, done.err.count("\n")) == (2, 1), done
    picture = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(picture)
    expected = nasbench("predict", str(tmp_path / "m"), str(picture), "--form", "csv")
    assert nasbench("predict", "m", str(picture), "--form", "csv", "-o", "-", cwd=tmp_path) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "m"]


def test_a_picture_that_cannot_be_written_is_said_before_the_training(tmp_path):
    words = ("train", CELL.to_json(), "--set", "epochs=1", "-o", "m.safetensors", "--curves", "c" * 250 + ".png")
    done = nasbench(*words, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "File name too long" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_line_that_says_how_to_go_on(tmp_path, monkeypatch):
    usual = KeepModel._write_state

    def full(self, tensors, history):
        if history.epochs == 2:
            raise InputError("cannot write 'm.training': No space left on device")
        usual(self, tensors, history)

    monkeypatch.setattr(KeepModel, "_write_state", full)
    longer = SHORT.model_copy(update={"epochs": 3})
    with pytest.raises(InputError, match=r"No space left on device; the same command continues after the last"):
        train_into(tmp_path / "m", CELL, longer)
    monkeypatch.undo()
    assert train_into(tmp_path / "m", CELL, longer).epochs == 3


def test_the_state_of_another_protocol_is_refused_with_the_field(tmp_path, monkeypatch):
    monkeypatch.setattr(KeepModel, "trained", lambda *_: pytest.fail("ended"))
    with pytest.raises(BaseException, match="ended"):
        train_into(tmp_path / "m", CELL, SHORT)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"another training \(protocol's epochs 2 instead of 7\): delete it to start"):
        train_into(tmp_path / "m", CELL, SHORT.model_copy(update={"epochs": 7}))
