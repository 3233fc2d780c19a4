"""`nasbench data`: what data sets hold, how their files were read, and folders written from them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from nasbench.cli.options import print_table
from nasbench.cli.output import say


@click.group(invoke_without_command=True)
@click.pass_context
def data(context: click.Context) -> None:
    """List the kinds of data; `data show SOURCE` describes a data set, `data write SOURCE FOLDER` writes its images.

    \b
    Example:
      nasbench data show folder:pets,size=32
    """
    from nasbench.data import SOURCES

    if context.invoked_subcommand is None:
        print_table(("source", "what"), list(SOURCES.items()))


@data.command("show")
@click.argument("source")
@click.option("--download", is_flag=True, help="Download the files of a public data set if they are missing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every class and every count.")
def show_data(source: str, download: bool, as_json: bool) -> None:
    """Show a data set: classes with counts, sizes, modes, channels, files left out and why, split, digest.

    SOURCE is what --data takes: digits, cifar10, folder:PATH, ...; options follow the path, as in
    folder:PATH,size=32. What is wrong with the files is listed instead, with exit code 2.

    \b
    Example:
      nasbench data show digits
      nasbench data show folder:pets,size=32
    """
    from nasbench.data import load_data
    from nasbench.data.describing import class_counts, facts_of, images_in_words, order_in_words

    found = load_data(source, download=download)
    if as_json:
        click.echo(json.dumps(facts_of(found), indent=2))
        return
    reading = found.reading
    modes = ", ".join(f"{mode} {count}" for mode, count in reading.modes.items())
    sizes = ", ".join(f"{size} ({count})" for size, count in reading.sizes.items())
    rows = [
        ("name", found.name),
        ("digest", found.digest),
        ("images", images_in_words(found)),
        ("shape", f"{found.channels} channel(s), {found.size}x{found.size} pixels"),
        ("split", reading.split),
        ("classes", f"{len(found.classes)}, in the order of {order_in_words(found)}"),
        ("modes of the files", modes),
        ("sizes of the files (width x height)", sizes),
        *(("changed", note) for note in reading.notes),
        *(("left out", f"{entry.files} {entry.why}: {', '.join(entry.examples)}") for entry in reading.skipped),
    ]
    print_table(("fact", "value"), [row for row in rows if row[1]])
    click.echo()
    print_table(("class", "training", "validation", "test"), class_counts(found))


@data.command("write")
@click.argument("source")
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--classes", default=None, type=click.IntRange(2), help="Number of classes, the first ones  [all].")
@click.option("--per-class", default=None, type=click.IntRange(1), help="Images per class in each split  [all].")
@click.option("--download", is_flag=True, help="Download the files of a public data set if they are missing.")
def write_data(source: str, folder: str, classes: int | None, per_class: int | None, download: bool) -> None:
    """Write the images of a data set as PNG files: train/CLASS/0.png, ..., test/ and, if there is one, val/.

    SOURCE is what --data takes. A part of `digits`, which needs no download, is a folder to try things on.

    \b
    Example:
      nasbench data write digits pictures --classes 3 --per-class 60
    """
    from nasbench.data import load_data
    from nasbench.data.folder_writing import require_new_folder, write_folder

    require_new_folder(Path(folder))  # before a data set is decoded
    count = write_folder(load_data(source, download=download), Path(folder), classes or 0, per_class or 0)
    say(f"wrote {count} images into {folder}\nnext:  nasbench data show {shlex.quote(f'folder:{folder}')}")
