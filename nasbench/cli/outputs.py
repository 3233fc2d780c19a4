"""Outputs of commands: the option --force, the inputs that no output replaces, and standard output as `-`."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from nasbench.errors import InputError
from nasbench.outputs import RESULTS_ENDINGS, STANDARD_OUTPUT, output_rules, require_output, write_output

OUTPUTS: Final = frozenset({"output", "csv", "csv_", "plot", "curves", "picture"})
"""Names of the arguments that name outputs."""

# Their -o names a table or a page; of other commands only --csv does.
_TEXTS: Final = frozenset({"query", "score", "export", "report", "predict", "replay"})
_FORCE: Final = "force_output"


def with_outputs(command: click.Command) -> click.Command:
    """Add the option --force to a command that writes tables or pages, and check their names before the command begins.

    Args:
        command: the command, which is changed; one that has the option already stays as it is.

    Returns:
        The same command.
    """
    names = {parameter.name for parameter in command.params}
    writes = command.name in _TEXTS or names & {"csv", "csv_"}
    if not writes or _FORCE in names or command.callback is None or isinstance(command, click.Group):
        return command
    command.params.append(
        click.Option(
            ["--force", _FORCE],
            is_flag=True,
            help="Let tables and pages replace files of other kinds; never an input or a results file.",
        )
    )
    body = command.callback

    @functools.wraps(body)
    def guarded(*args: Any, **values: Any) -> Any:
        forced = values.pop(_FORCE, False)
        inputs = [text for name, value in values.items() if name not in OUTPUTS for text in _texts(value)]
        with output_rules(inputs, forced):
            for name, value in values.items():
                if name in OUTPUTS and isinstance(value, str) and value != STANDARD_OUTPUT:
                    _check(command, value)
            return body(*args, **values)

    command.callback = guarded
    return command


def _check(command: click.Command, value: str) -> None:
    if not value:
        raise InputError("the name of the output is empty; name a file, or - for standard output")
    ending = Path(value).suffix.lower()
    if ending in RESULTS_ENDINGS and not (command.name == "replay" and ending == ".h5"):
        require_output(value)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, (tuple, list)) else []


def put(path: str, content: str, marks: Sequence[bytes] = ()) -> bool:
    """Write a text to a file, or to standard output for `-`.

    Args:
        path: the file, or "-".
        content: the text, with the line break at its end.
        marks: see `write_output`.

    Returns:
        Whether a file was written.

    Raises:
        InputError: when a file must not be replaced, or cannot be written.
    """
    if path == STANDARD_OUTPUT:
        click.echo(content, nl=False)
        return False
    write_output(path, content.encode("utf-8", "backslashreplace"), marks)
    return True
