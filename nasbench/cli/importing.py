"""`nasbench import`: convert results of other benchmarks to a results file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from nasbench.cli.options import completing, pairs, space_names, take_over_option
from nasbench.cli.wording import children_text, runs_text

if TYPE_CHECKING:
    from nasbench.tabular.importers.importer_base import Imported

_output = click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False), help="The new results file, ending in .h5."
)


@click.group(name="import")
def import_() -> None:
    """Import results of other benchmarks into a results file, for query, compare, pareto and replay.

    Absent fields become missing values, and their number is reported; nothing is imputed.

    \b
    Example:
      nasbench import nasbench201 nb201_tss.npz -o results/nb201.h5
    """


@import_.command()
@click.argument("path", type=click.Path(dir_okay=False))
@_output
@click.option(
    "--data",
    default="cifar10",
    show_default=True,
    help="Data set of the archive: cifar10, cifar100, imagenet16-120, or cifar10-valid (all after 200 epochs).",
)
@take_over_option
def nasbench201(path: str, output: str, data: str, take_over: bool) -> None:
    """Import NAS-Bench-201: the archive of means (.npz), or NATS-Bench's records of single trainings (.json, .json.gz).

    \b
    Example:
      nasbench import nasbench201 nb201_tss.npz -o results/nb201.h5
      nasbench import nasbench201 nats_records.json.gz -o results/nats.h5
    """
    if path.endswith(".npz"):
        from nasbench.tabular.importers.nasbench201_archive import import_archive

        _report(output, import_archive(path, output, data, take_over))
    else:
        from nasbench.tabular.importers.nats_records import import_records

        _report(output, import_records(path, output, take_over))


@import_.command()
@click.argument("path", type=click.Path(dir_okay=False))
@_output
@take_over_option
def nasbench101(path: str, output: str, take_over: bool) -> None:
    """Import NAS-Bench-101's TFRecord file. Every checksum is verified; TensorFlow is not needed.

    \b
    Example:
      nasbench import nasbench101 nasbench_only108.tfrecord -o results/nb101.h5
    """
    from nasbench.tabular.importers.nasbench101 import import_nasbench101

    _report(output, import_nasbench101(path, output, take_over))


def _tabular(
    path: str, output: str, space: str, map_: Sequence[str], set_: Sequence[str], percent: str, take_over: bool
) -> None:
    from nasbench.tabular.importers.csv_parquet import import_tabular

    names = [name.strip() for name in percent.split(",") if name.strip()]
    columns, constants = pairs(map_, "--map"), pairs(set_, "--set")
    _report(output, import_tabular(path, output, space, columns, constants, names, take_over))


_space = click.option(
    "--space", required=True, shell_complete=completing(space_names), help="Space of the architectures."
)
_map = click.option(
    "--map",
    "map_",
    multiple=True,
    metavar="OURS=THEIRS",
    help="Names of columns in the table; repeatable. architecture= is required.",
)
_set = click.option("--set", "set_", multiple=True, metavar="OURS=VALUE", help="One value for all rows; repeatable.")
_percent = click.option("--percent", default="", help="Comma-separated accuracies that the table gives in percent.")


@import_.command()
@click.argument("path", type=click.Path(dir_okay=False))
@_output
@_space
@_map
@_set
@_percent
@take_over_option
def csv(
    path: str, output: str, space: str, map_: Sequence[str], set_: Sequence[str], percent: str, take_over: bool
) -> None:
    """Import a CSV table with one training per row.

    \b
    Example:
      nasbench import csv cells.csv -o results/cells.h5 --space nasbench201 --map architecture=cell
          --map val_acc=accuracy --percent val_acc --set data=cifar10 --set protocol=theirs
    """
    _tabular(path, output, space, map_, set_, percent, take_over)


@import_.command()
@click.argument("path", type=click.Path(dir_okay=False))
@_output
@_space
@_map
@_set
@_percent
@take_over_option
def parquet(
    path: str, output: str, space: str, map_: Sequence[str], set_: Sequence[str], percent: str, take_over: bool
) -> None:
    """Import a parquet table with one training per row.

    \b
    Example:
      nasbench import parquet cells.parquet -o results/cells.h5 --space nasbench201 --map architecture=cell
          --map val_acc=accuracy --set data=cifar10 --set protocol=theirs
    """
    _tabular(path, output, space, map_, set_, percent, take_over)


def _report(output: str, done: Imported) -> None:
    stages = ", ".join(f"{count} {stage}" for stage, count in done.children.items())
    click.echo(f"{output}: {children_text(sum(done.children.values()))} ({stages}) of {runs_text(done.runs)}")
    stored = sum(done.statuses.values())
    statuses = ", ".join(f"{count} {status}" for status, count in done.statuses.items())
    skipped = f", {done.skipped} skipped" if done.skipped else ""
    click.echo(f"  {stored + done.skipped} {done.unit} read, {stored} stored: {statuses}{skipped}")
    for remark in done.remarks:
        click.echo(f"  {remark}")
    for name, count in sorted(done.missing.items()):
        click.echo(f"  missing: {name} of {count}")
