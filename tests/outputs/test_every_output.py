"""Every output of every command obeys the rule of nasbench.outputs.

A command with a new option fails until `nasbench.cli.outputs.OUTPUTS` has it, or it is named here as no output.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from commands import nasbench
from store_rows import write

from nasbench.cli.main import nasbench as group
from nasbench.cli.outputs import OUTPUTS

ROOT = Path(__file__).parents[2]
CLAIMS, TABLE = str(ROOT / "results/claims.h5"), str(ROOT / "results/digits201.h5")
SPACE = ("--space", "nasnet:blocks=1")

NO_OUTPUTS = frozenset(
    [
        "accelerator",
        "address",
        "allow",
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
        "tables",
        "title",
        "wanted",
        "where",
        "where_arch",
    ]
)
"""Options that take a text and name nothing that is written."""

# Words that a command needs besides its outputs; FILE is a results file with three children.
WORDS = {
    "bayesian": ("FILE",),
    "checklist": ("FILE",),
    "claims": ("FILE",),
    "compare": ("FILE",),
    "correlations": ("FILE",),
    "cost": ("FILE",),
    "curves": ("FILE",),
    "draw": ("nasnet-a",),
    "evaluate": ("FILE", "digits"),
    "export": ("FILE",),
    "export-model": ("FILE",),
    "pareto": ("FILE",),
    "power": ("FILE", "--difference", "0.01"),
    "predict": ("FILE", "FILE"),
    "profiles": ("FILE",),
    "query": ("FILE",),
    "ranks": ("FILE",),
    "regret": ("FILE",),
    "replay": ("--table", "FILE", "--budget", "3 children"),
    "report": ("FILE",),
    "reproduce": ("--figure", "6", "FILE"),
    "score": ("nasnet-a",),
    "show": ("nasnet-a", "FILE"),
    "speedup": ("FILE",),
    "targets": ("FILE",),
    "train": ("nasnet-a", "FILE", "-o", "m.safetensors"),
}
RESULTS = {
    "run": (*SPACE, "--strategy", "random", "--budget", "1 children"),
    "rerun": ("run0", "FILE"),
    "latency": ("nasnet-a",),
    "build": SPACE,
    "merge": ("FILE",),
    "csv": ("in.csv", *SPACE),
    "parquet": ("in.csv", *SPACE),
    "nasbench101": ("in.csv",),
    "nasbench201": ("in.csv",),
}
# Commands that can be run with the small file, and with larger ones.
QUICK = ("query", "export", "checklist", "draw")
SLOW = {
    **dict.fromkeys(("claims", "compare", "curves", "pareto", "ranks", "profiles", "regret", "reproduce"), CLAIMS),
    **dict.fromkeys(("bayesian", "power", "speedup", "report"), CLAIMS),
}


def commands(
    command: click.Command = group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands of the command line with the words that call them."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from commands(found, (*path, name))


PATHS = {
    command.name: path
    for path, command in reversed(list(commands()))
    if set(OUTPUTS.get(command.name or "", "-")) <= {each.name for each in command.params}  # several are called show
}
FILES = [
    (name, argument)
    for name, outputs in OUTPUTS.items()
    for argument, output in outputs.items()
    if output.kind in ("text", "picture")
]


def option(name: str, argument: str) -> str:
    """The option of an argument, as it is written."""
    command = next(command for path, command in commands() if path == PATHS[name])
    return next(each.opts[-1] for each in command.params if each.name == argument)


def ending(name: str, argument: str) -> str:
    """An ending that an output may have."""
    output = OUTPUTS[name][argument]
    return output.endings[0] if output.endings else ".png"


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


@pytest.mark.parametrize(("name", "argument"), [each for each in FILES if each[0] in QUICK])
def test_foreign_files_missing_folders_and_full_disks(name, argument, folder, monkeypatch):
    _tried(folder, name, argument, "a.h5", monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "argument"), [each for each in FILES if each[0] in SLOW])
def test_foreign_files_missing_folders_and_full_disks_of_all(name, argument, folder, monkeypatch):
    _tried(folder, name, argument, SLOW[name], monkeypatch)


@pytest.mark.parametrize("name", RESULTS)
def test_results_files_have_their_ending(name, folder):
    assert ".h5" in refused(folder, name, "output", "new.xyz")


@pytest.mark.parametrize("name", ["merge", "csv", "parquet", "nasbench101", "nasbench201"])
def test_new_results_files_replace_nothing(name, folder):
    (folder / "foreign.h5").write_bytes(b"mine")
    refused(folder, name, "output", "foreign.h5")
    refused(folder, name, "output", "a.h5")
