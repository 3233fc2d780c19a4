"""Functions that several commands share: parse key=value pairs, complete names, print tables."""

from __future__ import annotations

import itertools
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from nasbench.cli.output import note, say
from nasbench.cli.outputs import put
from nasbench.errors import InputError, printable
from nasbench.outputs import STANDARD_OUTPUT, ending_of
from nasbench.scores import judged_by
from nasbench.texts import csv_cells

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.registry import Registry
    from nasbench.runners.strategies.base import Strategy, StrategyConfig

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

csv_option = click.option(
    "--csv", default=None, type=click.Path(dir_okay=False), help="Write the printed table to this file, too."
)

margin_option = click.option(
    "--margin",
    default=None,
    type=click.FloatRange(0.0, min_open=True),
    help="Differences of scores within this count as equivalent (two one-sided tests): of accuracies 0.01 is one point, "
    "of other scores it is in their unit  [0.01 of accuracies, none of others].",
)


def margin_given(margin: float | None) -> float | None:
    """Check the option --margin against the score by which the runs are judged.

    Args:
        margin: the option; None without it.

    Returns:
        The margin; None without one.

    Raises:
        InputError: when it is more than all differences of accuracies.
    """
    if margin is not None and judged_by().is_accuracy and margin > 1:
        raise InputError(f"--margin of accuracies is a fraction in (0, 1], e.g. 0.01 for one point; got {margin:g}")
    return margin


BUDGET_AXES = click.Choice(["gpu_hours", "children", "usd", "wall"])

by_option = click.option("--by", default=None, type=BUDGET_AXES, help="Unit of spending  [that of the runs' budget].")

data_option = click.option(
    "--data",
    default=None,
    help="digits, cifar10, cifar100, folder:PATH[,size=PIXELS] or another source (nasbench data); replaces the "
    "protocol's.",
)

set_option = click.option(
    "--set", "set_", multiple=True, metavar="KEY=VALUE", help="Replace a field of the protocol; repeatable."
)

device_option = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:0, ...")


def as_in_frames(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Write the name of a strategy as frames have it, which escape what is no printable text.

    Args:
        _context: not used.
        _option: not used.
        value: the name, None for none.

    Returns:
        The name.
    """
    return None if value is None else printable(value)


baseline_option = click.option(
    "--baseline", default=None, callback=as_in_frames, help="Compare each strategy with this one only  [all pairs]."
)


def measure_option(
    help: str = "val_acc: best validation score of a run; test_acc: test score of its choice; val_loss, test_loss, or a "
    "measured quantity such as val_ssim. The score is accuracy, or what the runs state.",
) -> Callable[[F], F]:
    """Make the option -y/--score, which chooses the score by which runs are judged, and the part of the data.

    Args:
        help: help text.

    Returns:
        The decorator; the command gets `measure`.
    """
    return click.option(
        "-y",
        "--score",
        "measure",
        default="val_acc",
        show_default=True,
        metavar="NAME",
        help=help,
    )


take_over_option = click.option(
    "--take-over",
    is_flag=True,
    help="Replace a dead owner on another host; its heartbeat is watched first.",
)


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Parse the values of a repeated option, each of which reads key=value; an "=" in brackets belongs to the key.

    Args:
        texts: the values.
        option: name of the option, for error messages, e.g. "--set".

    Returns:
        Key -> value, both without surrounding spaces.

    Raises:
        InputError: for a text without "=" or a key given twice.
    """
    values: dict[str, str] = {}
    for text in texts:
        inside = re.match(r"[^=\[]*\[[^\]]*\]", text)
        bracketed = inside.group() if inside else ""
        key, equals, value = text[len(bracketed) :].partition("=")
        key = bracketed + key
        if not equals or not key.strip():
            raise InputError(f"{option} {text!r} should read key=value, e.g. {option} epochs=5")
        if key.strip() in values:
            raise InputError(f"{option} {key.strip()!r} is given twice")
        values[key.strip()] = value.strip()
    return values


def note_on_settings(
    kind: type[Strategy[Any]],
    config: StrategyConfig,
    used: Mapping[str, Any],
    given: Mapping[str, Any],
    children: float | None,
) -> None:
    """Print the settings that a preset stands for, and what the strategy says about the budget.

    Args:
        kind: the strategy's class.
        config: its options.
        used: the options that are not left at their default.
        given: the options as the user gave them.
        children: children that the budget pays for; None if that is not known.
    """
    from nasbench.runners.strategies.advice import advice_on

    if "preset" in given:
        shown = ", ".join(f"{name}={value}" for name, value in used.items()) or "the defaults"
        note(f"{kind.name} with preset={given['preset']}: {shown}", err=True)
    if advice := advice_on(kind, config, children):
        note(advice, err=True)


def completing(
    names: Callable[[], Iterable[str]],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Make a function for click's `shell_complete`, which completes names.

    Args:
        names: function that lists the names; called only when the shell asks for completions.

    Returns:
        The function.
    """

    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]

    return complete


def space_names() -> Iterable[str]:
    """List the registered spaces."""
    from nasbench.spaces import SPACES

    return SPACES


def strategy_names() -> Iterable[str]:
    """List the registered strategies."""
    from nasbench.runners.strategies import STRATEGIES

    return STRATEGIES


def protocol_names() -> Iterable[str]:
    """List the registered protocols."""
    from nasbench.protocols.protocol import PROTOCOLS

    return PROTOCOLS


def all_protocol_names() -> Iterable[str]:
    """List the registered protocols, including those for images in folders."""
    from nasbench.transfer.protocol import TRANSFER_PROTOCOLS

    return [*protocol_names(), *TRANSFER_PROTOCOLS]


NARROWEST = 16  # minimal width, in characters, to which text columns are wrapped


def print_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under a heading in aligned columns, numbers right-aligned.

    On a terminal long texts are wrapped so that lines fit its width. Elsewhere each row is one line, for other
    programs.

    Args:
        head: headings of the columns.
        rows: one value per column; numbers and texts.
    """
    rows = list(rows)
    right = [all(isinstance(value, (int, float)) for value in column) for column in zip(*rows)] or [False] * len(head)
    cells = [[str(name) for name in head], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(text) for text in column) for column in zip(*cells)]
    if sys.stdout.isatty():
        widths = _fitting(widths, right, shutil.get_terminal_size().columns)
    lines = []  # printed at once: a call for each of thousands takes long
    for row in cells:
        for line in itertools.zip_longest(*map(_wrapped, row, widths), fillvalue=""):
            padded = [
                text.rjust(width) if number else text.ljust(width) for text, width, number in zip(line, widths, right)
            ]
            lines.append("  ".join(padded).rstrip())
    click.echo("\n".join(lines))


def print_registry(
    registry: Registry[T],
    head: Sequence[str],
    described: Callable[[str, T], tuple[Any, ...]],
    more: Iterable[tuple[Any, ...]] = (),
) -> None:
    """Print a row per object of a registry, and a warning per object of a broken plug-in.

    Args:
        registry: the objects.
        head: headings of the columns.
        described: function of a name and its object: its row.
        more: further rows.
    """
    rows, faults = registry.describe_all(described)
    print_table(head, [*rows, *more])
    for fault in faults:
        click.echo(f"warning: {fault}", err=True)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""] if len(text) > width else [text]


def _fitting(widths: Sequence[int], numbers: Sequence[bool], line: int) -> list[int]:
    """Narrow the widest columns of text until a line fits, or until all have their smallest width."""
    fitted = list(widths)
    texts = [place for place, number in enumerate(numbers) if not number and fitted[place] > NARROWEST]
    while texts and sum(fitted) + 2 * (len(fitted) - 1) > line:
        widest = max(texts, key=lambda place: fitted[place])
        if fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
    return fitted


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return printable(str(value))


def write_csv(table: pd.DataFrame, path: str | None) -> None:
    """Write a table as CSV and print the path; do nothing without a path.

    Args:
        table: the table.
        path: the file, ending in .csv; its folder is created if it is missing. "-" for standard output, None to write
            nothing.

    Raises:
        InputError: for another ending, when the file must not be replaced or cannot be written.
    """
    if path is None:
        return
    if path != STANDARD_OUTPUT:
        ending_of(path, (".csv",))
    if put(path, csv_cells(table).to_csv(index=False)):
        say(f"wrote {path}", err=True)


def say_what_is_slow(trainings: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Warn in one line on standard error if this machine's processor makes trainings slow.

    Args:
        trainings: precision of the protocol, and the devices on this machine.
    """
    import os

    from nasbench.doctor.before_search import slow_here
    from nasbench.kernels.processor import processor_here

    for line in slow_here(trainings, processor_here(), os.environ.get("ONEDNN_MAX_CPU_ISA", "")):
        say(line, err=True)
