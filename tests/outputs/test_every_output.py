"""Every output of every command obeys the rule of nasbench.outputs.

A command with a new option fails until `nasbench.cli.outputs.OUTPUTS` has it, or it is named here as no output.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import pytest
from commands import Done, nasbench
from full_disk import files_of_at_most
from output_calls import (
    CELL,
    FILES,
    MODEL_FILE,
    OTHERS,
    PATHS,
    QUICK,
    QUICK_TRAINING,
    SLOW,
    WORDS,
    commands,
    ending,
    option,
)
from PIL import Image
from store_rows import write

from nasbench.cli.outputs import OUTPUTS

RESULTS_FOLDER = Path(__file__).parents[2] / "results"

NO_OUTPUTS = frozenset(
    [
        "accelerator",
        "address",
        "against",
        "allow",
        "architecture",
        "aspect",
        "at",
        "baseline",
        "budget",
        "cache",
        "carbon",
        "chosen",
        "columns",
        "data",
        "decimal",
        "device",
        "devices",
        "encoding",
        "executor",
        "figure",
        "filter_",
        "folder",
        "folders",
        "ignore",
        "map_",
        "measure",
        "measurements",
        "missing",
        "name",
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
        "score_protocol",
        "scores",
        "search_seeds",
        "separator",
        "shared",
        "set_",
        "sizes",
        "sort",
        "space",
        "speeds",
        "strategies",
        "strategy",
        "study",
        "suite",
        "suites",
        "tables",
        "tasks",
        "title",
        "tuned_on",
        "value",
        "wanted",
        "warm_start",
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
    Image.new("L", (8, 8)).save(tmp_path / "in.png")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / MODEL_FILE
    assert nasbench("train", CELL, *QUICK_TRAINING, "-o", str(path)).code == 0
    return path


def call(
    folder: Path, name: str, argument: str, target: str, file: str = "a.h5", *more: str, unread: bool = False
) -> Done:
    """Run a command with one output."""
    words = [file if word == "FILE" else word for word in WORDS[name]]
    return nasbench(*PATHS[name], *words, option(name, argument), target, *more, cwd=folder, unread=unread)


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
        assert name in QUICK or name in SLOW or not kinds & {"text", "arrays", "picture"}, name
        assert name in OTHERS or kinds <= {"text", "arrays", "picture"}, name
    with_outputs = [
        path for path, command in commands() if set(OUTPUTS.get(command.name or "", "-")) <= _names(command)
    ]
    assert {path[1:] if path[0] in ("results", "analyze") else path for path in with_outputs} == set(PATHS.values())


def _names(command: click.Command) -> set[str | None]:
    return {each.name for each in command.params}


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


def _tried(folder: Path, name: str, argument: str, file: str) -> None:
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
    if OUTPUTS[name][argument].kind == "text" and name not in ("export", "predict", "query", "replay"):
        alone = call(folder, name, argument, "-", file)
        shown, written = (text.splitlines() for text in (alone.out, target.read_text(encoding="utf-8")))
        assert (alone.code, shown[0], len(shown)) == (0, written[0], len(written)), "nothing else on standard output"
    if OUTPUTS[name][argument].kind == "arrays":
        assert "standard output" in refused(folder, name, argument, "-", file)
    before = contents(folder)
    target.unlink()
    unread = call(folder, name, argument, str(target), file, unread=True)
    assert unread.code == 0, unread
    assert contents(folder).keys() == before.keys(), "a reader that ends, e.g. head, takes no output away"
    before = contents(folder)
    for size in (0, 50):  # bytes that fit on the disk
        with files_of_at_most(size):
            done = call(folder, name, argument, str(target), file)
        assert (done.code, done.err.count("error:"), "Traceback" in done.err) == (2, 1, False), done
        assert "File too large" in done.err
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
def test_foreign_files_missing_folders_and_full_disks(name, argument, folder):
    _tried(folder, name, argument, "a.h5")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "argument"), [each for each in FILES if each[0] in SLOW])
def test_foreign_files_missing_folders_and_full_disks_of_all(name, argument, folder, model):
    if SLOW[name] != "a.h5":  # pictures without -o are drawn beside the file
        shutil.copy(model if SLOW[name] == MODEL_FILE else RESULTS_FOLDER / SLOW[name], folder)
    _tried(folder, name, argument, SLOW[name])


def test_the_table_of_the_documents_is_the_one_of_these_commands():
    from output_table import BEGIN, END, output_table

    page = (RESULTS_FOLDER.parent / "docs/commands.md").read_text(encoding="utf-8")
    assert page.split(BEGIN)[1].split(END)[0].strip() == output_table().strip(), "run tests/support/output_table.py"
