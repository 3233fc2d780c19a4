"""Calls of every command that has an output, for tests/outputs and for the table in docs/commands.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import click

from nasbench.cli.main import nasbench as group
from nasbench.cli.outputs import OUTPUTS, Output

SPACE = ("--space", "nasnet:blocks=1")
CELL = '{"space": "nasbench201", "choices": [3, 3, 1, 0, 2, 1]}'
IMAGES = "fake:images=96,size=8,classes=3"
QUICK_TRAINING = ("--set", "epochs=1", "--set", "filters=4", "--data", IMAGES)

# Words that a command needs besides its outputs; FILE is a results file with three children, or what SLOW names.
WORDS = {
    "bayesian": ("FILE",),
    "checklist": ("FILE",),
    "claims": ("FILE",),
    "cite": ("FILE",),
    "compact": ("FILE",),
    "compare": ("FILE",),
    "correlations": ("FILE",),
    "cost": ("FILE",),
    "croissant": ("digits201-2",),
    "curves": ("FILE",),
    "draw": (CELL,),
    "evaluate": ("FILE", IMAGES),
    "export": ("FILE",),
    "export-model": ("FILE",),
    "get": ("digits201-2",),
    "measure": ("random", "--seeds", "2", "--options-tried", "0"),
    "pareto": ("FILE",),
    "power": ("FILE", "--difference", "0.01"),
    "predict": ("FILE", "in.png"),
    "profiles": ("FILE",),
    "query": ("FILE",),
    "ranks": ("FILE",),
    "regret": ("FILE",),
    "replay": ("--table", "FILE", "--budget", "3 children", "--strategy", "random"),
    "reference": ("random", "--seeds", "2"),
    "report": ("FILE",),
    "reproduce": ("--figure", "6", "FILE"),
    "score": ("--random", "1", "--space", "nasbench201", "--scores", "params"),
    "show": (CELL, "FILE"),
    "speedup": ("FILE",),
    "targets": ("FILE", "--target", "0.9"),
    "train": (CELL, "FILE", *QUICK_TRAINING, "-o", "m.safetensors", "--replace"),
}
# Commands that are run in full: with the file of three children, and with a copy of a file that ships or a model file.
QUICK = ("query", "export", "checklist", "show", "croissant")
MODEL_FILE = "model.safetensors"
SLOW = {
    **dict.fromkeys(("claims", "compare", "curves", "pareto", "ranks", "profiles", "regret", "reproduce"), "claims.h5"),
    **dict.fromkeys(("bayesian", "cite", "cost", "power", "report", "score", "speedup", "targets"), "claims.h5"),
    **dict.fromkeys(("correlations", "replay"), "digits201.h5"),
    **dict.fromkeys(("evaluate", "predict"), MODEL_FILE),
    **dict.fromkeys(("draw", "train", "get", "measure", "reference"), "a.h5"),
    "compact": "digits201-2.h5",
}

APPENDED, REFUSED, MADE = "appended to", "refused", "made"
NO_INPUT = "reads none"
FOLLOWED = "to a results file: followed, appended to; else refused"
ROWS_STAY = "old rows stay; the same command goes on"
OLD_STAYS = "old file stays"


@dataclass(frozen=True)
class Fate:
    """What becomes of what is there, for outputs that are no text and no picture.

    Args:
        existing: of a results file.
        given: of an input.
        missing: of a missing folder.
        link: of a link.
        ending: of an unknown ending.
        full: on a full disk.
    """

    existing: str
    given: str
    missing: str
    link: str
    ending: str
    full: str


_RUNNING = Fate(APPENDED, NO_INPUT, MADE, FOLLOWED, REFUSED, ROWS_STAY)
_NEW = Fate(REFUSED, REFUSED, MADE, REFUSED, REFUSED, "nothing is left")
_MODEL = Fate(REFUSED, REFUSED, MADE, "refused; to an earlier one: replaced with --replace", REFUSED, OLD_STAYS)
OTHERS: dict[str, Fate] = {
    "run": _RUNNING,
    "suite run": _RUNNING,
    "rerun": Fate(APPENDED, REFUSED, MADE, FOLLOWED, REFUSED, ROWS_STAY),
    "latency": Fate(APPENDED, APPENDED, MADE, FOLLOWED, REFUSED, ROWS_STAY),
    "build": _RUNNING,
    "merge": _NEW,
    **dict.fromkeys(("csv", "parquet", "json", "optuna", "nasbench101", "nasbench201", "nats-bench"), _NEW),
    **dict.fromkeys(("accel-nasbench", "nasbench-macro", "suite-zero", "transnas"), _NEW),
    "synetune": replace(_NEW, given="reads a folder"),
    "hw-latency": Fate(APPENDED, REFUSED, MADE, FOLLOWED, REFUSED, ROWS_STAY),
    "measure": replace(_NEW, given=NO_INPUT),
    "leaderboard": Fate(REFUSED, NO_INPUT, MADE, REFUSED, "any name", "nothing is left"),
    "train": _MODEL,
    "export-model": _MODEL,
    "transfer": Fate(REFUSED, REFUSED, MADE, "refused; folders above may be links", "any name", OLD_STAYS),
    "write": Fate(REFUSED, REFUSED, MADE, REFUSED, "any name", "nothing is left"),
}
"""Results files, model files and folders -> what becomes of them; tests/outputs/test_other_outputs.py holds each."""
RESULTS = tuple(name for name, fate in OTHERS.items() if fate.ending == REFUSED and fate is not _MODEL)


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
} | {"suite run": ("suite", "run")}
FILES = [
    (name, argument)
    for name, outputs in OUTPUTS.items()
    for argument, output in outputs.items()
    if output.kind in ("text", "arrays", "picture")
]


def outputs_of(name: str) -> dict[str, Output]:
    """The outputs of a command, which OUTPUTS has by the last word of its name."""
    return OUTPUTS[name.split()[-1]]


def option(name: str, argument: str) -> str:
    """The option of an argument, as it is written."""
    command = next(command for path, command in commands() if path == PATHS[name])
    return next(each.opts[-1] for each in command.params if each.name == argument)


def ending(name: str, argument: str) -> str:
    """An ending that an output may have."""
    output = outputs_of(name)[argument]
    return output.endings[0] if output.endings else ".png"
