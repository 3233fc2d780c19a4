"""Calls of every command that has an output, for tests/outputs and for the table in docs/commands.md."""

from __future__ import annotations

from collections.abc import Iterator

import click

from nasbench.cli.main import nasbench as group
from nasbench.cli.outputs import OUTPUTS

SPACE = ("--space", "nasnet:blocks=1")

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
    "replay": ("--table", "FILE", "--budget", "3 children", "--strategy", "random"),
    "report": ("FILE",),
    "reproduce": ("--figure", "6", "FILE"),
    "score": ("--random", "1", "--space", "nasbench201", "--scores", "params"),
    "show": ("nasnet-a", "FILE"),
    "speedup": ("FILE",),
    "targets": ("FILE", "--target", "0.9"),
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
    "json": ("in.csv", *SPACE),
    "optuna": ("in.csv", *SPACE),
    "synetune": ("in.csv", *SPACE),
    "nasbench101": ("in.csv",),
    "nasbench201": ("in.csv",),
}
# Commands that are run in full: with the file of three children, and with a copy of a file that ships.
QUICK = ("query", "export", "checklist", "draw")
SLOW = {
    **dict.fromkeys(("claims", "compare", "curves", "pareto", "ranks", "profiles", "regret", "reproduce"), "claims.h5"),
    **dict.fromkeys(("bayesian", "cost", "power", "report", "score", "speedup", "targets"), "claims.h5"),
    **dict.fromkeys(("correlations", "replay"), "digits201.h5"),
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
