"""What commands print besides their results: notes, warnings, progress and log lines, in colour where that is wanted.

| | results, errors, warnings of files | notes, hints, names of written files, progress | log |
|---|---|---|---|
| `--quiet` | yes | no | no |
| | yes | yes | no |
| `--verbose` | yes | yes | INFO |
| `-vv` | yes | yes | DEBUG |
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
import time
from enum import IntEnum
from typing import Any, Final

import click

from nasbench import __version__
from nasbench.errors import printable

_GIVEN: Final = "nasbench.verbosity.given"  # by an option
_USUAL: Final = "nasbench.verbosity.usual"  # without options
_STYLES: Final[dict[str, dict[str, Any]]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "note": {"fg": "cyan"},
    "ok": {"fg": "green"},
    "slow": {"fg": "yellow"},
    "wrong": {"fg": "red", "bold": True},
    "log": {"dim": True},
}


class Verbosity(IntEnum):
    """How much a command prints."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2
    DEBUG = 3


_LEVELS: Final = {Verbosity.VERBOSE: logging.INFO, Verbosity.DEBUG: logging.DEBUG}


class _NoNan(click.ParamType):
    """A number that is one: "nan" is within every range, and no comparison with it holds."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if found != found:
            self.fail(f"{value!r} is not a number.", param, ctx)
        return found


class _Float(_NoNan, click.types.FloatParamType):
    pass


class _FloatRange(_NoNan, click.FloatRange):
    pass


_WITHOUT_NAN: Final[dict[type, type]] = {click.types.FloatParamType: _Float, click.FloatRange: _FloatRange}


def with_verbosity(command: click.Command) -> click.Command:
    """Add the options --quiet and --verbose to a command, and to the commands of a group; refuse NaN as a number.

    Args:
        command: the command, which is changed; one that has the options already stays as it is.

    Returns:
        The same command.
    """
    for parameter in command.params:
        if type(parameter.type) in _WITHOUT_NAN:
            parameter.type = copy.copy(parameter.type)
            parameter.type.__class__ = _WITHOUT_NAN[type(parameter.type)]
    if not any(parameter.name == "quiet" for parameter in command.params):
        command.params += [
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=_quiet,
                help="Print only results and errors: no progress, no notes.",
            ),
            click.Option(
                ["-v", "--verbose"],
                count=True,
                expose_value=False,
                callback=_verbose,
                help="Print what is done, too: devices, kernels, cache hits, timings. -vv prints more.",
            ),
        ]
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        with_verbosity(inner)
    return command


def verbosity() -> Verbosity:
    """How much the running command prints: by its options, else by the environment and the configuration file."""
    context = click.get_current_context(silent=True)
    memory: dict[str, Any] = {} if context is None else context.meta
    if _GIVEN in memory:
        return Verbosity(memory[_GIVEN])
    if _USUAL not in memory:
        from nasbench.user_config import user_setting

        memory[_USUAL] = Verbosity[user_setting("verbosity").value.upper()]
    return Verbosity(memory[_USUAL])


def is_quiet() -> bool:
    """Whether only results and errors are printed."""
    return verbosity() == Verbosity.QUIET


def say(text: str = "", err: bool = False) -> None:
    """Print a line that is no result, e.g. a hint; nothing with --quiet.

    Args:
        text: the line.
        err: print to standard error.
    """
    if not is_quiet():
        click.echo(text, err=err)


def note(text: str, err: bool = False) -> None:
    """Print a note; nothing with --quiet.

    Args:
        text: the note, without "note: ".
        err: print to standard error.
    """
    say(f"{coloured('note:', 'note')} {printable(text)}", err)


def coloured(text: str, style: str) -> str:
    """Colour a text by its kind. `click.echo` removes the colour where none is wanted.

    Args:
        text: the text.
        style: "error", "warning", "note", "ok", "slow", "wrong" or "log".

    Returns:
        The text with ANSI codes.
    """
    return click.style(text, **_STYLES[style])


def wants_colour() -> bool | None:
    """Whether to print in colour.

    Returns:
        False if NO_COLOR is set (to anything but ""), True if FORCE_COLOR is, None for colour on terminals only.
    """
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def complain(message: str, lines: bool = False) -> None:
    """Print an error to standard error.

    Args:
        message: the message.
        lines: True to keep the line breaks of a message of several lines; otherwise they become spaces.
    """
    shown = "\n".join(map(printable, message.split("\n"))) if lines else printable(" ".join(message.split()))
    click.echo(f"{coloured('error:', 'error')} {shown}", err=True, color=wants_colour())


def _quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _give(context, Verbosity.QUIET)


def _verbose(context: click.Context, _: click.Parameter, value: int) -> None:
    if value:
        before = context.meta.get(_GIVEN, Verbosity.NORMAL)
        _give(context, Verbosity(min(before + value, Verbosity.DEBUG)))
    if not isinstance(context.command, click.Group) and not context.command_path.endswith(" config path"):
        _start_log(context)  # reads the configuration file, whose path must be shown also if it is wrong


def _give(context: click.Context, chosen: Verbosity) -> None:
    """Keep an option's value for this command and the commands inside it."""
    before = context.meta.get(_GIVEN, chosen)
    if (before == Verbosity.QUIET) != (chosen == Verbosity.QUIET):
        raise click.UsageError("--quiet and --verbose exclude each other", context)
    context.meta[_GIVEN] = chosen


def _start_log(context: click.Context) -> None:
    """Print warnings of nasbench's loggers until the command ends, and with --verbose the records below."""
    logger, handler, before = logging.getLogger("nasbench"), _LogLines(), logging.getLogger("nasbench").level
    level = _LEVELS.get(verbosity(), logging.WARNING)
    for earlier in [each for each in logger.handlers if isinstance(each, _LogLines)]:
        logger.removeHandler(earlier)  # of a context that was made in this process and never closed
    logger.addHandler(handler)
    logger.setLevel(level)
    began = time.perf_counter()
    logger.info("nasbench %s: %s", __version__, context.command_path)

    def stop() -> None:
        logger.info("%s took %.1f s", context.command_path, time.perf_counter() - began)
        logger.removeHandler(handler)
        logger.setLevel(before)

    context.call_on_close(stop)


class _LogLines(logging.Handler):
    """Prints log records as lines on standard error, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        if record.levelno >= logging.WARNING:
            shown = f"{coloured('warning:', 'warning')} {printable(record.getMessage())}"
        else:
            stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
            shown = coloured(
                f"{stamp} {record.name.removeprefix('nasbench.')}: {printable(record.getMessage())}", "log"
            )
        with contextlib.ExitStack() as bars_away:
            if "tqdm" in sys.modules:
                bars_away.enter_context(sys.modules["tqdm"].tqdm.external_write_mode(file=sys.stderr))
            click.echo(shown, err=True, color=wants_colour())
