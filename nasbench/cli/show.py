"""`nasbench show`: description, numbers and, on request, a drawing of one architecture."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.architectures import architectures_of, children_of_hash, find_architecture
from nasbench.cli.options import completing, print_table
from nasbench.cli.plotting import page_options, save_drawing
from nasbench.cli.runs import describe_run, find_run
from nasbench.errors import InputError, did_you_mean, printable

if TYPE_CHECKING:
    from nasbench.spaces import Architecture
    from nasbench.tabular.named_networks import PublishedSize

ROW_COLUMNS = ("run", "strategy", "stage", "index", "protocol", "seed", "status", "val_acc", "test_acc", "gpu_hours")
NO_PICTURE = "-"


def _names() -> Sequence[str]:
    from nasbench.tabular.named_networks import NAMES

    return NAMES


@click.command()
@click.argument("what", required=False, shell_complete=completing(_names))
@click.argument("files", nargs=-1)
@click.option("--run", "run_id", default=None, metavar="ID", help="Show how a run of the files was made instead.")
@click.option(
    "--picture",
    default=NO_PICTURE,
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Draw it, too, into a .png, .svg or .pdf file; with - not at all, which is the default.",
)
@page_options
def show(what: str | None, files: Sequence[str], run_id: str | None, picture: str) -> None:
    """Show an architecture: its encoding, counts, scores and picture. With --run, show how a run was made.

    WHAT is a hash or its first digits (found in FILES, or in results/*.h5), JSON as in the "encoding" line, or a named
    network: nasnet-a, amoebanet-a, pnasnet-5, enas-micro, nas-v1, resnet-20 (32, 44, 56, 110), alexnet. Of those it
    prints what their papers print beside the counts here, and with FILES their children there. Any other network of
    `nasbench query published` is shown as printed.

    \b
    Example:
      nasbench show 1f3a9c results/demo.h5 --picture best.png
      nasbench show amoebanet-a
      nasbench show --run 768bc8 results/demo.h5
    """
    from nasbench.tabular.named_networks import NAMES

    if what is None:
        raise click.UsageError("name an architecture, or a run with --run ID and its file")
    if run_id is not None:
        describe_run(find_run(run_id, [what, *files]))
    elif what in NAMES:
        _show_named(what, files, picture)
    elif what.lstrip().startswith("{"):
        architecture = find_architecture(what, files)
        _describe(architecture)
        _draw_architecture(architecture, picture)
    elif re.fullmatch("[0-9a-f]+", what):
        _show_children(what, files, picture)
    else:
        _show_published(printable(what), files, picture)


def _show_children(digits: str, files: Sequence[str], picture: str) -> None:
    frame = children_of_hash(digits, files)
    architecture = architectures_of(frame)[0]
    _describe(architecture)
    _print_children(frame)
    _draw_architecture(architecture, picture)


def _show_named(name: str, files: Sequence[str], picture: str) -> None:
    """Show a genotype or a network designed by hand, with the numbers that papers print."""
    from nasbench.spaces.cells import write_pair
    from nasbench.spaces.genotypes import GENOTYPES
    from nasbench.structures import CellPair
    from nasbench.tabular.named_networks import HAND_DESIGNED, named_architecture, published_sizes
    from nasbench.tabular.published import published

    if name in HAND_DESIGNED:
        if files:
            raise InputError(
                f"{name} is in no search space, so that no results file has children of it: leave the files out"
            )
        if picture != NO_PICTURE:
            raise InputError(
                f"{name} is not drawn: pictures are of architectures in a search space; leave --picture out"
            )
        click.echo(
            f"{name}: designed by hand\nencoding:  none, it is in no search space; built by {HAND_DESIGNED[name]}"
        )
        _print_published(published_sizes(name, published()))
        return
    architecture, genotype = named_architecture(name), GENOTYPES[name]
    click.echo(f"{name}: a published architecture")
    # In the paper's order of blocks, as in the picture.
    _describe(architecture, write_pair(genotype) if isinstance(genotype, CellPair) else None)
    _print_published(published_sizes(name, published()))
    if isinstance(genotype, CellPair):
        click.echo(f"other sizes: nasbench transfer {name} --sizes N@F")
    if files:
        click.echo()
        _print_children(children_of_hash(architecture.hash, files))
    if picture != NO_PICTURE:
        _draw(genotype, name, picture)


def _show_published(model: str, files: Sequence[str], picture: str) -> None:
    """Show a network of which only published numbers are known."""
    from nasbench.tabular.named_networks import NAMES, published_rows
    from nasbench.tabular.published import published_networks

    networks = published_networks()
    rows = published_rows(model, networks)
    if not rows:
        hint = did_you_mean(model, [*NAMES, *networks["model"]])
        raise InputError(
            f"no network {model!r}{hint}; allowed: a hash, JSON, {', '.join(NAMES)}, or a model of: nasbench query published"
        )
    if files or picture != NO_PICTURE:
        raise InputError(f"{model} is not built here: it has no children in results files and no picture")
    click.echo(f"{rows[0].model}: as published\nencoding:  none, it is not built here")
    _print_published(rows)


def _describe(architecture: Architecture, text: str | None = None) -> None:
    click.echo(f"hash:      {architecture.hash}\nspace:     {architecture.space.spec}")
    click.echo(f"encoding:  {architecture.to_json()}")
    click.echo("network:   " + (text or str(architecture)).replace(" | ", "\n").replace("\n", "\n           "))


def _print_children(frame: Any) -> None:
    """Print counts and scores of one architecture's children."""
    first = frame.iloc[0]
    click.echo(
        f"counts:    {_count(first['params'])} params, {_count(first['mult_adds'])} mult-adds (protocol {first['protocol']})\n"
    )
    print_table(
        ROW_COLUMNS,
        [tuple(_plain(value) for value in row) for row in frame[list(ROW_COLUMNS)].itertuples(index=False)],
    )


def _print_published(sizes: Sequence[PublishedSize]) -> None:
    """Print own counts beside those in papers, then the notes of the rows."""
    click.echo()
    head = ("published as", "data", "pixels", "params", "mult-adds", "printed params", "printed mult-adds")
    rows = []
    for size in sizes:
        counts = ("", "") if size.counts is None else tuple(f"{number:,}" for number in size.counts)
        printed = (_rounded(size.printed_params), _rounded(size.printed_mult_adds))
        scores = tuple(
            "" if math.isnan(score) else f"{score:.4g}" for score in (size.top1_acc, size.top1_sd, size.top5_acc)
        )
        rows.append((size.model, size.data, size.pixels, *counts, *printed, *scores, size.paper, size.tag))
    print_table((*head, "top-1", "+-", "top-5", "paper", "tag"), rows)
    click.echo(
        "\nparams and mult-adds are counted here, where the size can be built; top-1 and top-5 are accuracies in [0, 1]"
    )
    for size in sizes:
        if size.note:
            click.echo(f"{size.model}: {size.note}")


def _rounded(value: float) -> str:
    """Format a number as papers print it: "5.3M", "23.8B"."""
    if math.isnan(value):
        return ""
    return f"{value / 1e9:.4g}B" if value >= 1e9 else f"{value / 1e6:.4g}M"


def _count(value: float) -> str:
    return "unknown" if value != value else f"{int(value):,}"


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _draw_architecture(architecture: Architecture, picture: str) -> None:
    if picture != NO_PICTURE:
        _draw(architecture.space.structure(architecture), architecture.hash[:12], picture)


def _draw(structure: Any, title: str, path: str) -> None:
    from nasbench.analysis.drawings.architecture import architecture_figure

    paths = save_drawing(architecture_figure(structure, title), path)
    click.echo(f"\npicture:   {', '.join(map(str, paths))}")
