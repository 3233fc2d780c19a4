"""Bad values for every option and argument of every command: wrong types, extremes, and files that are none."""

from __future__ import annotations

import functools
import os
import signal
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import click
from commands import Done, nasbench
from hostile import hostile_file

from nasbench.cli.main import GROUPS
from nasbench.cli.main import nasbench as group
from nasbench.doctor.versions import _import as _really_imported

VALUES = (
    "",
    " ",
    "nope",
    "-1",
    "0",
    "1.5",
    "nan",
    "-inf",
    "1e400",
    "99999999999999999999",
    "a" * 3000,
    "é\udcff\u202e\x1b[31m",
    "x=y",
    "=",
    ":",
    ",,",
    "[1",
    "{}",
    "../nope/x.h5",
    "nope.h5/x",
    "nope.xyz",
    "fake:images=99999999999",
    "nasnet:blocks=3,blocks=4",
    "val_acc:nope",
    "folder",
    "folder.h5",
    "fifo",
    "fifo.h5",
    "empty",
    "empty.h5",
    "latin.toml",
    "nul.toml",
    "text.npz",
    "text.h5",
    "link.h5",
    "csv:latin.csv",
    "npz:text.npz",
    "folder:empty",
    "good.h5",
)
"""A value each; the names of files are those that `make_files` makes in the folder in which the commands run."""

DATA_VALUES = (
    "folder:fifo",
    "folder:folder,size=0",
    "folder:folder,size=nan",
    "folder:text.npz",
    "folder:link.h5",
    "csv:fifo",
    "csv:good.h5",
    "npz:fifo",
    "npz:good.h5",
    "hf:folder",
    "hf:fifo",
    "torchvision:nope",
    "digits:x=1",
)
"""More values for what names a data set."""

RUN = (
    *("run", "--space", "nasbench201", "--strategy", "random", "--budget", "1 child", "--executor", "inline"),
    *("--data", "fake:images=24,size=8,classes=3", "--set", "epochs=1", "--set", "filters=4", "--set", "batch_size=8"),
    *("--final", "none", "-o", "out.h5"),
)
LEAST: dict[str, tuple[str, ...]] = {
    "run": RUN,
    "resume": ("resume", "good.h5"),
    "status": ("status", "good.h5"),
    "suite run": ("suite", "run", "nope", "-o", "out.h5"),
    "suite show": ("suite", "show", "default"),
    "rerun": ("rerun", "000000000000", "good.h5", "-o", "out.h5"),
    "verify": ("verify", "good.h5", "--sample", "1"),
    "score": ("score", "good.h5", "--scores", "nope"),
    "transfer": ("transfer", "nasnet-a", "--sizes", "2@8"),
    "train": ("train", "good.h5:best", "-o", "out.safetensors"),
    "predict": ("predict", "text.h5", "empty"),
    "evaluate": ("evaluate", "text.h5", "fake:images=9"),
    "export-model": ("export-model", "text.h5", "-o", "out.onnx"),
    "latency": ("latency", "good.h5", "--top", "1", "--repetitions", "1", "--warm-up", "0"),
    "table build": ("table", "build", "--space", "nasnet:blocks=1", "--set", "learning_rate=-1", "-o", "out.h5"),
    "table neighbours": ("table", "neighbours", "ab", "good.h5"),
    "table stats": ("table", "stats", "good.h5"),
    "replay": ("replay", "--table", "good.h5", "--strategy", "random", "--budget", "1 child"),
    "show": ("show", "00", "good.h5"),
    "merge": ("merge", "good.h5", "good.h5", "-o", "out.h5"),
    "diff": ("diff", "good.h5", "good.h5"),
    "export": ("export", "good.h5", "-o", "out.csv"),
    "import csv": ("import", "csv", "latin.csv", "-o", "out.h5", "--space", "nasbench201"),
    "import parquet": ("import", "parquet", "text.h5", "-o", "out.h5", "--space", "nasbench201"),
    "import json": ("import", "json", "latin.csv", "-o", "out.h5", "--space", "nasbench201"),
    "import optuna": ("import", "optuna", "text.h5", "-o", "out.h5"),
    "import synetune": ("import", "synetune", "folder", "-o", "out.h5"),
    "import nasbench101": ("import", "nasbench101", "empty", "-o", "out.h5"),
    "import nasbench201": ("import", "nasbench201", "empty", "-o", "out.h5"),
    "import nasbench-macro": ("import", "nasbench-macro", "empty", "-o", "out.h5"),
    "import suite-zero": ("import", "suite-zero", "empty", "-o", "out.h5"),
    "import accel-nasbench": ("import", "accel-nasbench", "empty", "-o", "out.h5"),
    "import hw-latency": ("import", "hw-latency", "empty", "-o", "out.h5"),
    "import nats-bench": ("import", "nats-bench", "empty", "-o", "out.h5"),
    "import transnas": ("import", "transnas", "empty", "-o", "out.h5"),
    "cost": ("cost", "good.h5"),
    "power": ("power", "good.h5", "--difference", "0.01"),
    "draw": ("draw", "nope"),
    "reproduce": ("reproduce",),
    "doctor": ("doctor", "--quick", "--folder", "empty"),
    "data show": ("data", "show", "digits"),
    "data write": ("data", "write", "digits", "out-folder", "--per-class", "1"),
    "data": ("data",),
    "spaces show": ("spaces", "show", "nas"),
    "strategies show": ("strategies", "show", "ppo"),
    "protocols show": ("protocols", "show", "digits"),
    "completion": ("completion", "bash"),
    "help": ("help", "run"),
}
"""The shortest call of a command that goes beyond its options, for commands other than NAME good.h5."""
DATA = ("data", "source")
"""Options and arguments that name a data set."""
OUTPUTS = ("output", "csv_", "csv", "picture", "plot", "curves", "folder")
"""Options whose file is written: writing into a pipe waits for its reader, as a shell's `>(...)` wants it."""
ENDLESS = ("--watch 1.5",)
"""Values that are right."""
SECONDS = 30
"""Limit of an input's processor time."""
WAITING = 10
"""Factor of the limit in time that passes: the machine may do other work."""


@dataclass(frozen=True)
class BadInput:
    """A call of a command with one bad value.

    Args:
        words: the words after `nasbench`.
        about: the command and the option or argument that has the value.
    """

    words: tuple[str, ...]
    about: str


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path, groups that can be called by themselves included."""
    yield from _walk(group, ())


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        if path or name not in GROUPS:
            inner = command.get_command(context, name)
            assert inner is not None, (path, name)
            yield from _walk(inner, (*path, name))


def bad_inputs() -> list[BadInput]:
    """Every command with each value of `VALUES` for each of its options and arguments."""
    found = []
    for path, command in commands():
        name = " ".join(path)
        least = LEAST.get(
            name, (*path, "good.h5") if any(isinstance(p, click.Argument) for p in command.params) else path
        )
        for parameter in command.params:
            if getattr(parameter, "is_flag", False) or getattr(parameter, "count", False):
                continue
            for value in VALUES + (DATA_VALUES if parameter.name in DATA else ()):
                if f"{parameter.opts[0]} {value}" in ENDLESS or (
                    parameter.name in OUTPUTS and value.startswith("fifo")
                ):
                    continue
                found.append(
                    BadInput(_with(least, len(path), command, parameter, value), f"{name} {parameter.opts[0]}")
                )
        found.append(BadInput((*path, "--nope"), f"{name} --nope"))
        found.append(BadInput((*least, "nope", "nope", "nope"), f"{name} too many"))
    return found


def _with(
    least: tuple[str, ...], start: int, command: click.Command, parameter: click.Parameter, value: str
) -> tuple[str, ...]:
    """The shortest call with a value for one option or argument."""
    if isinstance(parameter, click.Option):
        words = list(least)
        for place in range(start, len(words) - 1):
            if words[place] in parameter.opts and not parameter.multiple:
                words[place + 1] = value
                return tuple(words)
        return (*words, parameter.opts[-1], value)
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    options = {opt: each for each in command.params if isinstance(each, click.Option) for opt in each.opts}
    places, place = [], start
    while place < len(least):
        option = options.get(least[place])
        if option is None:
            places.append(place)
        elif not option.is_flag:
            place += 1
        place += 1
    which = arguments.index(parameter)
    words = list(least)
    # A value that begins with a hyphen is an argument only after "--", so that all arguments go there.
    given = [words[place] for place in places]
    given[which : which + 1] = [value]
    rest = [word for place, word in enumerate(words) if place >= start and place not in places]
    return (*words[:start], *rest, "--", *given)


def make_files(folder: Path) -> None:
    """Make the files that `VALUES` names."""
    (folder / "folder" / "inner").mkdir(parents=True)
    (folder / "folder.h5").mkdir()
    os.mkfifo(folder / "fifo")
    os.mkfifo(folder / "fifo.h5")
    (folder / "empty.h5").touch()
    (folder / "empty").mkdir()
    (folder / "latin.toml").write_bytes(b'name = "caf\xe9"\n')
    (folder / "latin.csv").write_bytes(b"name,caf\xe9\n1,2\n")
    (folder / "nul.toml").write_bytes(b'name = "a\0b"\n')
    (folder / "text.npz").write_text("no zip at all\n")
    (folder / "text.h5").write_text("no HDF5 at all\n")
    (folder / "link.h5").symlink_to("nowhere.h5")
    hostile_file(folder / "good.h5", ("evolution", "ppo"), seeds=2, children=4)


class TookTooLong(BaseException):
    """Raised in the middle of a command; no handler of errors takes it for one."""


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """Interrupt what takes more seconds of the processor, and after ten times as long also a system call that waits."""

    def ring(number: int, *_: Any) -> None:
        raise TookTooLong(f"took more than {seconds} s of the processor" if number == signal.SIGPROF else "waits")

    numbers = (signal.SIGPROF, signal.SIGALRM)
    before = [signal.signal(number, ring) for number in numbers]
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(WAITING * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


@contextmanager
def measured_once() -> Iterator[None]:
    """Let `doctor` import all libraries and measure torch at its first call only: no bad value changes those."""
    from nasbench.doctor import checks, versions

    with mock.patch.object(checks, "torch_facts", _torch_facts), mock.patch.object(versions, "_import", _imported):
        yield


@functools.cache
def _torch_facts() -> Any:
    from nasbench.doctor.probe import torch_facts

    return torch_facts()


def _imported(modules: Sequence[str], environment: Mapping[str, str] | None) -> tuple[int, str]:
    return _imported_once(tuple(modules), None if environment is None else tuple(sorted(environment.items())))


@functools.cache
def _imported_once(modules: tuple[str, ...], environment: tuple[tuple[str, str], ...] | None) -> tuple[int, str]:
    return _really_imported(modules, environment and dict(environment))


def fault_of(given: BadInput, folder: Path, seconds: int = SECONDS) -> str:
    """Call a command, and say what is wrong with its end: "" if it ends as documented.

    Args:
        given: the call.
        folder: the folder in which it runs.
        seconds: limit of its time.

    Returns:
        One line; a traceback, a hang, another exit code than 0, 1 or 2, or an error that is not one line.
    """
    try:
        with limit(seconds), measured_once() if given.words[0] == "doctor" else nullcontext():
            done = nasbench(*given.words, cwd=folder)
    except BaseException as error:  # whatever leaves the command line is the fault that is looked for
        if isinstance(error, KeyboardInterrupt):
            raise
        places = [f"{Path(each.filename).name}:{each.lineno}" for each in traceback.extract_tb(error.__traceback__)]
        return f"{type(error).__name__}: {str(error)[:200]!r} at {' < '.join(places[:-6:-1])}"
    return _fault(done)


def _fault(done: Done) -> str:
    if done.code not in (0, 1, 2):
        return f"exit code {done.code}"
    if "Traceback (most recent call last)" in done.err + done.out:
        return f"a traceback is printed: {done.err[-300:]!r}"
    lines = [line for line in done.err.split("\n") if line.startswith("error: ")]
    if done.code == 2 and (len(lines) != 1 or not done.err.endswith(lines[0] + "\n")):
        return f"not one error line at the end, but {done.err[-300:]!r}"
    if done.code == 2 and not lines[0].removeprefix("error: ").strip():
        return "an error without words"
    if "Warning: " in done.err:
        return f"a warning of a library: {done.err[:300]!r}"
    return ""
