"""Options and saving that all commands with plots share: where pictures go, their shape, format and letters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from nasbench.analysis.plotting.saving import DRAWING, FORMATS, PLOT, USUAL_FORMATS, picture_paths, require_picture
from nasbench.cli.output import say
from nasbench.errors import InputError
from nasbench.outputs import STANDARD_OUTPUT, require_output

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

F = TypeVar("F", bound=Callable[..., Any])

_FORMATS_KEY: Final = "nasbench.plot_formats"


def page_options(command: F) -> F:
    """Add --aspect, --font-size and --format to a command that draws.

    The options set the page and the formats for all figures of the command, so the command gets no arguments.

    Args:
        command: the command.

    Returns:
        The command with the options.
    """
    options = (
        click.option(
            "--aspect",
            metavar="W:H",
            expose_value=False,
            callback=_set_aspect,
            help="Shape of the picture, e.g. 16:9 for a slide  [each plot's own].",
        ),
        click.option(
            "--font-size",
            type=float,
            metavar="POINTS",
            expose_value=False,
            callback=_set_font_size,
            help="Size of the letters  [11; drawings: each one's own].",
        ),
        click.option(
            "--format",
            multiple=True,
            type=click.Choice(FORMATS),
            expose_value=False,
            callback=_set_formats,
            help="Format of the picture; repeatable  [by the name's ending; without one png and svg, drawings png].",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def plot_options(command: F) -> F:
    """Add -o/--output and the options of `page_options` to a command that draws a plot.

    Args:
        command: the command; it gets the argument `output`.

    Returns:
        The command with the options.
    """
    output = click.option(
        "-o",
        "--output",
        default=None,
        help="Picture, e.g. fig.pdf, or stem of several; CSV and caption are written beside [beside the first file].",
    )
    return output(page_options(command))


def chosen_formats() -> tuple[str, ...]:
    """The formats that the running command was given, () for the usual ones."""
    context = click.get_current_context(silent=True)
    found: tuple[str, ...] = () if context is None else context.meta.get(_FORMATS_KEY, ())
    return found


def save_figure(figure: Figure, output: str | None, files: Sequence[str], what: str, data: pd.DataFrame) -> None:
    """Write a figure, its data as CSV and its caption as text, by default beside the first file, and print the paths.

    Args:
        figure: the figure.
        output: picture or stem; None for a stem beside the first file.
        files: results files of the command.
        what: end of the default stem: FILE-what.
        data: the rows that the figure shows.
    """
    from nasbench.analysis.plotting.saving import save

    stem = Path(output) if output else Path(files[0]).with_suffix("").with_name(f"{Path(files[0]).stem}-{what}")
    for path in save(figure, stem, data, chosen_formats()):
        say(f"wrote {path}")


def check_pictures(output: str, model: str) -> None:
    """Check the name of a picture before something that takes long.

    Args:
        output: picture or stem.
        model: file that the command reads or writes, too.

    Raises:
        InputError: when it is no name of a picture, that of the other file, or that of a file that is no picture of
            ours, or when the folder cannot be written.
    """
    from nasbench.models.files import make_folder

    for path in picture_paths(output):
        if path.resolve() == Path(model).resolve():
            raise InputError(f"{str(path)!r} is the name of the model file, too; choose another one for the picture")
        require_picture(path, PLOT)
        make_folder(path)


def check_names(output: str, drawing: bool, stem_only: bool) -> None:
    """Refuse the name of a picture before the command begins, if something else is there.

    Args:
        output: picture or stem.
        drawing: whether the picture has no data beside it.
        stem_only: check only for inputs and results files, because the names will be others.

    Raises:
        InputError: for "-", an unknown ending, and as `require_picture` does.
    """
    if output == STANDARD_OUTPUT:
        raise InputError("pictures are files, and '-' is standard output elsewhere; give a name, e.g. fig.pdf")
    for path in picture_paths(output, chosen_formats(), ("png",) if drawing else USUAL_FORMATS):
        if stem_only:
            require_output(path, lambda _: True)
        else:
            require_picture(path, DRAWING if drawing else PLOT)


def name_picture(output: str, part: str) -> str:
    """Name one of several pictures of a command.

    Args:
        output: picture or stem that the user gave for all of them.
        part: name of this picture, e.g. "cells".

    Returns:
        FIG-part.pdf for FIG.pdf, STEM-part for a stem.
    """
    path = Path(output)
    if path.suffix.lower().removeprefix(".") in FORMATS:
        return str(path.with_name(f"{path.stem}-{part}{path.suffix}"))
    return f"{output}-{part}"


def save_drawing(figure: Figure, output: str) -> list[Path]:
    """Write a drawing, which has neither data nor caption.

    Args:
        figure: the figure.
        output: picture, or a stem.

    Returns:
        The paths.
    """
    from nasbench.analysis.plotting import saving

    return [saving.save_figure(figure, path) for path in saving.picture_paths(output, chosen_formats(), ("png",))]


def _set_aspect(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None and not context.resilient_parsing:
        from nasbench.analysis.plotting.page import parse_aspect

        _change_page(context, aspect=parse_aspect(value))


def _set_font_size(context: click.Context, _: click.Parameter, value: float | None) -> None:
    if value is not None and not context.resilient_parsing:
        from nasbench.analysis.plotting.page import parse_font_size

        _change_page(context, font_size=parse_font_size(value))


def _set_formats(context: click.Context, _: click.Parameter, value: Sequence[str]) -> None:
    context.meta[_FORMATS_KEY] = tuple(dict.fromkeys(value))


def _change_page(context: click.Context, **fields: float) -> None:
    """Change the page of all figures until the command ends."""
    from nasbench.analysis.plotting.page import current_page, on_page

    context.with_resource(on_page(dataclasses.replace(current_page(), **fields)))
