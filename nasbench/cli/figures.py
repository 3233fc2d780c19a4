"""`nasbench draw` and `nasbench reproduce`: draw architectures and the figures of the lecture notes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from nasbench.cli.architectures import find_structure
from nasbench.cli.options import completing, print_registry
from nasbench.cli.output import note, say
from nasbench.cli.plotting import page_options, save_drawing, save_figure
from nasbench.errors import InputError, MissingData

if TYPE_CHECKING:
    from nasbench.analysis.drawings.lecture_figures import LectureFigure, Searches
    from nasbench.structures import Scale

DEMO = "results/demo/demo.h5"


def _figure_numbers() -> Iterable[str]:
    from nasbench.analysis.drawings.lecture_figures import FIGURES

    return FIGURES


@click.command()
@click.option(
    "--figure",
    default=None,
    shell_complete=completing(_figure_numbers),
    help="Number of the figure in the lecture notes.",
)
@click.argument("files", nargs=-1)
@click.option("--run", default="", help="Figure 1: the run to draw, by its id or first digits [the first that learns].")
@click.option("-o", "--output", default=None, help="Picture, e.g. fig.pdf, or stem of several [figure-N].")
@page_options
def reproduce(figure: str | None, files: Sequence[str], run: str, output: str | None) -> None:
    """Draw a figure of the lecture notes, with the data behind it as CSV. Without --figure, list the figures.

    FILES are results files for the figures that show own runs; without them, results/demo/demo.h5 from `make demo` is
    used.

    \b
    Example:
      nasbench reproduce --figure 3
      nasbench reproduce --figure 1 results/first.h5 -o loop
    """
    from nasbench.analysis.drawings.lecture_figures import FIGURES

    if figure is None:
        if files or run or output is not None:
            raise InputError(f"say which figure by --figure: {', '.join(map(str, FIGURES))}")
        print_registry(FIGURES, ("figure", "what", "needs"), lambda number, each: (number, each.title, each.needs))
        return
    chosen = FIGURES.get(figure)
    searches = None if chosen.needs == "nothing" else _searches(chosen, figure, files, run)
    drawn = chosen.draw(searches)
    for each in drawn.notes:
        note(each)
    save_figure(drawn.figure, output or f"figure-{figure}", (), "", drawn.data)


def _searches(chosen: LectureFigure, number: str, files: Sequence[str], run: str) -> Searches | None:
    """Read the results to draw; None, with a printed line, if a figure can be drawn without them."""
    from nasbench.analysis.drawings.lecture_figures import Searches
    from nasbench.store.query import Results

    if not files and not os.path.exists(DEMO):
        where = f'no {DEMO} ("make demo" makes it); or give a file: nasbench reproduce --figure {number} FILE'
        if chosen.needs == "runs":
            raise MissingData(where)
        note(f"without our own runs, {where}")
        return None
    results = Results(list(files) or [DEMO])
    return Searches(results.frame(), results.runs(), run, results.measurements())


@click.command()
@click.argument("what")
@click.argument("files", nargs=-1)
@click.option("-o", "--output", default=None, type=click.Path(dir_okay=False), help="PNG, SVG or PDF [WHAT.png].")
@page_options
@click.option("--skeleton", type=click.Choice(["cifar", "imagenet"]), help="Draw the network that repeats the cells.")
@click.option("--cells", type=click.IntRange(1), help="With --skeleton: N, normal cells per stage [6].")
@click.option(
    "--filters", type=click.IntRange(1), help="With --skeleton: F of the first stage [cifar 32, imagenet 168]."
)
@click.option(
    "--pixels", type=click.IntRange(1), help="With --skeleton: image size [cifar 32; imagenet 331, below F = 128 224]."
)
def draw(
    what: str,
    files: Sequence[str],
    output: str | None,
    skeleton: str | None,
    cells: int | None,
    filters: int | None,
    pixels: int | None,
) -> None:
    """Draw an architecture, or the network made of its cells.

    WHAT is a hash or its first digits (found in FILES, or in results/*.h5), a published architecture such as nasnet-a,
    or JSON as `nasbench show` prints it.

    \b
    Example:
      nasbench draw nas-v1 -o layers.svg
      nasbench draw nasnet-a --skeleton imagenet --cells 4 --filters 44
    """
    from nasbench.analysis.drawings.architecture import architecture_figure
    from nasbench.analysis.drawings.skeletons import skeleton_data, skeleton_figure, skeleton_title
    from nasbench.structures import CellPair

    found = find_structure(what, files)
    name, structure = found.name, found.structure
    if skeleton is None:
        if (cells, filters, pixels) != (None, None, None):
            raise InputError(
                "--cells, --filters and --pixels size a network: add --skeleton cifar or --skeleton imagenet"
            )
        figure = architecture_figure(structure, name)
    elif isinstance(structure, CellPair):
        scale = _scale(skeleton, cells, filters, pixels)
        if skeleton == "imagenet":
            scale = dataclasses.replace(scale, stem_filters=found.family.imagenet_stem)
        title = skeleton_title(name, structure, scale, found.skeleton, found.family)
        figure = skeleton_figure([(title, skeleton_data(structure, scale, found.skeleton))])
    else:
        raise InputError(
            f"{name} has no cells to repeat (it is a {type(structure).__name__}); draw it without --skeleton"
        )
    for path in save_drawing(figure, output or name):
        say(f"wrote {path}")


def _scale(skeleton: str, cells: int | None, filters: int | None, pixels: int | None) -> Scale:
    """Scale of NASNet's networks with the given values replaced; below F = 128 that of the mobile network."""
    from nasbench.analysis.drawings.lecture_figures import CIFAR_SCALE, LARGE_SCALE, MOBILE_SCALE
    from nasbench.networks.skeletons import LARGE_FROM

    if skeleton == "cifar":
        like = CIFAR_SCALE
    else:
        like = MOBILE_SCALE if filters is not None and filters < LARGE_FROM else LARGE_SCALE
    return dataclasses.replace(
        like, cells=cells or 6, filters=filters or like.filters, image_size=pixels or like.image_size
    )
