"""Every output of every command obeys the rule of nasbench.outputs.

A command with a new option fails until `nasbench.cli.outputs.OUTPUTS` has it, or it is named here as no output.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
import pytest
from commands import nasbench
from output_calls import FILES, PATHS, QUICK, RESULTS, SLOW, WORDS, commands, ending, option
from store_rows import write

from nasbench.cli.outputs import OUTPUTS
from nasbench.store.query import Results

RESULTS_FOLDER = Path(__file__).parents[2] / "results"

NO_OUTPUTS = frozenset(
    [
        "accelerator",
        "address",
        "allow",
        "architecture",
        "aspect",
        "at",
        "baseline",
        "budget",
        "cache",
        "carbon",
        "columns",
        "data",
        "decimal",
        "device",
        "devices",
        "encoding",
        "executor",
        "figure",
        "folder",
        "ignore",
        "map_",
        "measure",
        "measurements",
        "missing",
        "objectives",
        "of",
        "on",
        "option",
        "path",
        "percent",
        "price",
        "protocol",
        "ran_on",
        "rates",
        "reference",
        "report_on",
        "report_seeds",
        "resource",
        "run",
        "run_id",
        "scale",
        "score",
        "scores",
        "search_seeds",
        "separator",
        "set_",
        "sizes",
        "sort",
        "space",
        "speeds",
        "strategies",
        "strategy",
        "study",
        "tables",
        "tasks",
        "title",
        "value",
        "wanted",
        "where",
        "where_arch",
    ]
)
"""Options that take a text and name nothing that is written."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "a.h5"
    write(path, 3)
    return path


@pytest.fixture
def folder(tmp_path: Path, small: Path) -> Path:
    shutil.copy(small, tmp_path / "a.h5")
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "in.csv").write_text("hash,val_acc\nab,0.5\n")
    return tmp_path


def call(folder: Path, name: str, argument: str, target: str, file: str = "a.h5", *more: str):
    """Run a command with one output."""
    words = [file if word == "FILE" else word for word in {**WORDS, **RESULTS}[name]]
    return nasbench(*PATHS[name], *words, option(name, argument), target, *more, cwd=folder)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder; where links lead is read, too."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, *words: str) -> str:
    """Check that a call is refused in one line and changes nothing; returns the line."""
    before = contents(folder)
    done = call(folder, *words)
    assert (done.code, done.err.count("\n")) == (2, 1), done
    assert "Traceback" not in done.err
    assert contents(folder) == before
    return done.err


def test_every_option_is_an_output_or_known_as_none():
    for path, command in commands():
        outputs = OUTPUTS.get(command.name or "", {})
        for each in command.params:
            number = isinstance(each.type, (click.types.IntParamType, click.types.FloatParamType, click.Choice))
            if each.param_type_name == "option" and not number and not getattr(each, "is_flag", False):
                assert (each.name in outputs) != (each.name in NO_OUTPUTS), (path, each.name)


def test_every_output_belongs_to_a_command_and_is_tried_here():
    names = {command.name: {each.name for each in command.params} for _, command in commands()}
    for name, outputs in OUTPUTS.items():
        assert set(outputs) <= names[name], name
        kinds = {each.kind for each in outputs.values()}
        assert name in {**WORDS, **RESULTS} or kinds <= {"folder"}, name


@pytest.mark.parametrize(("name", "argument"), FILES)
def test_refused_before_the_command_begins(name, argument, folder):
    end = ending(name, argument)
    shutil.copy(folder / "a.h5", folder / f"results{end}")
    (folder / f"link{end}").symlink_to(folder / "victim")
    assert "results file" in refused(folder, name, argument, f"results{end}")
    assert "results file" in refused(folder, name, argument, f"results{end}", "a.h5", "--force")
    assert "cannot" in refused(
        folder, name, argument, "new.h5" if name != "replay" or argument == "plot" else "new.lock"
    )
    assert ".xyz" in refused(folder, name, argument, "new.xyz")
    assert "is a link" in refused(folder, name, argument, f"link{end}")


@pytest.mark.parametrize(("name", "argument"), FILES)
def test_no_input_is_replaced(name, argument, folder):
    if "FILE" not in WORDS[name]:
        pytest.skip("reads no file")
    end = ending(name, argument)
    (folder / f"input{end}").write_bytes(b"mine")  # the names of inputs are compared before they are read
    for more in ((), ("--force",)):
        assert "is the input" in refused(folder, name, argument, f"input{end}", f"input{end}", *more)


def _tried(folder: Path, name: str, argument: str, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    end = ending(name, argument)
    foreign = folder / f"foreign{end}"
    foreign.write_bytes(b"my own notes\n")
    assert "--force" in refused(folder, name, argument, foreign.name, file)
    target = folder / "new" / "folder" / f"a{end}"
    done = call(folder, name, argument, str(target), file)
    assert done.code == 0, done
    assert target.stat().st_size
    again = call(folder, name, argument, str(target), file)
    assert again.code == 0, again
    before = contents(folder)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        done = call(folder, name, argument, str(target), file)
    assert (done.code, done.err.count("\n")) == (2, 1), done
    assert "No space left" in done.err
    assert contents(folder) == before
    done = call(folder, name, argument, foreign.name, file, "--force")
    assert done.code == 0, done
    assert foreign.read_bytes() != b"my own notes\n"
    (folder / f"link{end}").symlink_to(folder / "victim")
    done = call(folder, name, argument, f"link{end}", file, "--force")
    assert done.code == 0, done
    assert not (folder / f"link{end}").is_symlink()
    assert (folder / "victim").read_bytes() == b"mine"


@pytest.mark.parametrize(("name", "argument"), [each for each in FILES if each[0] in QUICK])
def test_foreign_files_missing_folders_and_full_disks(name, argument, folder, monkeypatch):
    _tried(folder, name, argument, "a.h5", monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "argument"), [each for each in FILES if each[0] in SLOW])
def test_foreign_files_missing_folders_and_full_disks_of_all(name, argument, folder, monkeypatch):
    shutil.copy(RESULTS_FOLDER / SLOW[name], folder)  # pictures without -o are drawn beside the file
    _tried(folder, name, argument, SLOW[name], monkeypatch)


@pytest.mark.parametrize("name", RESULTS)
def test_results_files_have_their_ending(name, folder):
    assert ".h5" in refused(folder, name, "output", "new.xyz")


@pytest.mark.parametrize("name", ["merge", "csv", "parquet", "nasbench101", "nasbench201"])
def test_new_results_files_replace_nothing(name, folder):
    (folder / "foreign.h5").write_bytes(b"mine")
    refused(folder, name, "output", "foreign.h5")
    refused(folder, name, "output", "a.h5")


@pytest.mark.parametrize("name", [name for name in RESULTS if name != "rerun"])  # the small file has nothing to rerun
def test_a_results_file_replaces_nothing_through_a_link(name, folder):
    (folder / "link.h5").symlink_to(folder / "victim")
    before = contents(folder)
    done = call(folder, name, "output", "link.h5")
    assert done.code == 2, done
    assert "is there already" in done.err or "is not an HDF5 file" in done.err
    assert contents(folder) == before


def test_results_files_are_made_in_missing_folders(folder):
    assert call(folder, "merge", "output", "new/folder/merged.h5").code == 0
    assert (folder / "new/folder/merged.h5").stat().st_size
    tiny = ("--set", "data=fake:images=96,size=8,classes=3", "--set", "epochs=1", "--final", "none")
    for seed in ("0", "1"):  # the second is appended
        done = call(folder, "run", "output", "other/run.h5", "a.h5", "--seed", seed, "--executor", "inline", *tiny)
        assert done.code == 0, done
    with Results(folder / "other/run.h5") as results:
        assert results.runs()["seed"].tolist() == [0, 1]


@pytest.mark.parametrize(("name", "end"), [("train", ".safetensors"), ("export-model", ".onnx")])
def test_trained_networks_replace_no_results_file_and_no_input(name, end, folder):
    shutil.copy(folder / "a.h5", folder / f"results{end}")
    assert "results file" in refused(folder, name, "output", f"results{end}")
    (folder / f"input{end}").write_bytes(b"mine")
    assert "is the input" in refused(folder, name, "output", f"input{end}", f"input{end}")
    if OUTPUTS[name]["output"].endings:
        assert ".xyz" in refused(folder, name, "output", "new.xyz")


def test_the_table_of_the_documents_is_the_one_of_these_commands():
    from output_table import BEGIN, END, output_table

    page = (RESULTS_FOLDER.parent / "docs/commands.md").read_text(encoding="utf-8")
    assert page.split(BEGIN)[1].split(END)[0].strip() == output_table().strip(), "run tests/support/output_table.py"
