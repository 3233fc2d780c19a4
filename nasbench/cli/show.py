"""`nasbench show`: one architecture in words, numbers and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.architectures import architectures_of, children_of_hash, find_architecture
from nasbench.cli.options import print_table
from nasbench.cli.runs import describe_run, find_run

if TYPE_CHECKING:
    from nasbench.spaces import Architecture

ROW_COLUMNS = ("run", "strategy", "stage", "index", "protocol", "seed", "status", "val_acc", "test_acc", "gpu_hours")


@click.command()
@click.argument("what", required=False)
@click.argument("files", nargs=-1)
@click.option("--run", "run_id", default=None, metavar="ID", help="Show a run of the files instead: how it was made.")
@click.option(
    "--picture", default=None, type=click.Path(dir_okay=False), help="Where to draw it [HASH.png; with - not at all]."
)
def show(what: str | None, files: Sequence[str], run_id: str | None, picture: str | None) -> None:
    """Show an architecture: its encoding, counts, scores and picture; or, with --run, how a run was made.

    WHAT is a hash or its first digits (found in FILES, or in results/*.h5), a published architecture such as nasnet-a, or JSON as in
    the "encoding" line.

    \b
    Example:
      nasbench show 1f3a9c results/demo.h5 --picture best.png
      nasbench show --run 768bc8 results/demo.h5
    """
    from nasbench.genotypes import GENOTYPES

    if what is None:
        raise click.UsageError("name an architecture, or a run with --run ID and its file")
    if run_id is not None:
        describe_run(find_run(run_id, [what, *files]))
        return

    if what in GENOTYPES:
        click.echo(f"{what}: a published architecture")
        _draw(GENOTYPES[what], what, Path(picture or f"{what}.png"))
        return
    if what.lstrip().startswith("{"):
        architecture = find_architecture(what, files)
        _describe(architecture)
    else:
        frame = children_of_hash(what, files)
        architecture = architectures_of(frame)[0]
        _describe(architecture)
        first = frame.iloc[0]
        click.echo(
            f"counts:    {int(first['params']):,} params, {int(first['mult_adds']):,} mult-adds (protocol {first['protocol']})\n"
        )
        print_table(
            ROW_COLUMNS,
            [tuple(_plain(value) for value in row) for row in frame[list(ROW_COLUMNS)].itertuples(index=False)],
        )
        click.echo()
    if picture != "-":
        _draw(
            architecture.space.structure(architecture),
            str(architecture.hash[:12]),
            Path(picture or f"{architecture.hash[:12]}.png"),
        )


def _describe(architecture: Architecture) -> None:
    click.echo(f"hash:      {architecture.hash}\nspace:     {architecture.space.spec}")
    click.echo(f"encoding:  {architecture.to_json()}")
    click.echo("network:   " + str(architecture).replace("\n", "\n           "))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _draw(structure: Any, title: str, path: Path) -> None:
    from nasbench.analysis.drawing import architecture_figure
    from nasbench.analysis.style import save_figure

    save_figure(architecture_figure(structure, title), path)
    click.echo(f"picture:   {path}")
