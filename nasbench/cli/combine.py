"""`nasbench merge`, `diff` and `export`: merge, compare and convert results files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from nasbench.cli.options import take_over_option
from nasbench.cli.wording import children_text, count_of, measurements_text, runs_text

if TYPE_CHECKING:
    from nasbench.store.format.columns import Numbers
    from nasbench.store.maintenance.exporting import What
    from nasbench.store.maintenance.table_builder import Tables

SHOWN = 5
MEASUREMENTS = "measurements"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="The new results file.")
@click.option(
    "--conflicts",
    default="refuse",
    show_default=True,
    type=click.Choice(["refuse", "keep"]),
    help="If children of the same run, stage and index differ: refuse, or keep both runs.",
)
@take_over_option
def merge(files: Sequence[str], output: str, conflicts: Literal["refuse", "keep"], take_over: bool) -> None:
    """Write the rows of several results files into a new one; identical children are written once.

    \b
    Example:
      nasbench merge results/machine-a.h5 results/machine-b.h5 -o results/both.h5
    """
    from nasbench.store.maintenance.merging import merge_files

    done = merge_files(files, output, conflicts, take_over)
    twice = count_of(done.identical, "identical child", "identical children")
    measured = f", {measurements_text(done.measurements)}" if done.measurements else ""
    click.echo(f"{output}: {children_text(done.children)} of {runs_text(done.runs)}{measured}; {twice} left out")
    for (file, run), name in done.renamed.items():
        click.echo(f"  run {run} of {file} is kept as {name}")


@click.command()
@click.argument("first", type=click.Path(dir_okay=False))
@click.argument("second", type=click.Path(dir_okay=False))
@click.option(
    "--ignore",
    default="",
    help="Comma-separated columns to leave out, e.g. train_seconds,wall_seconds; 'measurements' for all of them.",
)
def diff(first: str, second: str, ignore: str) -> int:
    """Compare two results files child by child and measurement by measurement, to the bit.

    Exits with 1 if they differ.

    \b
    Example:
      nasbench diff results/demo.h5 results/again.h5 --ignore started_at,finished_at
    """
    import numpy as np

    from nasbench.store.maintenance.row_matching import match_children

    ignored = {name.strip() for name in ignore.split(",") if name.strip()}
    left, right = _tables(first), _tables(second)
    curves = [f"curve {name}" for name in left.curves]
    _check_names(ignored, [*left.children, *curves, *left.measurements, MEASUREMENTS])
    pairs = match_children(left, right)
    differing = {name: where for name, where in pairs.differing.items() if name not in ignored}
    unequal = np.logical_or.reduce([np.zeros(len(pairs.left), dtype=bool), *differing.values()])
    click.echo(f"{int((~unequal).sum())} children are the same in both")
    for file, tables, only in ((first, left, pairs.only_left), (second, right, pairs.only_right)):
        if len(only):
            click.echo(f"{len(only)} only in {file}: {_names(tables, only)}")
    if unequal.any():
        click.echo(f"{int(unequal.sum())} differ: {_names(left, pairs.left[unequal])}")
    for name, where in differing.items():
        at = int(np.flatnonzero(where)[0])
        example = ""
        if name in left.children:
            a, b = (_plain(t.children[name][int(p[at])]) for t, p in ((left, pairs.left), (right, pairs.right)))
            example = f", first {a!r} and {b!r}"
        click.echo(f"  {name}: {int(where.sum())} differ{example}")
    alike = MEASUREMENTS in ignored or _compare_measurements(first, second, left, right, ignored)
    return 1 if unequal.any() or len(pairs.only_left) or len(pairs.only_right) or not alike else 0


def _compare_measurements(first: str, second: str, left: Tables, right: Tables, ignored: set[str]) -> bool:
    """Print how many measurements only one file has, and return whether there are none."""
    from collections import Counter

    from nasbench.store.maintenance.table_builder import measurement_keys

    of_left, of_right = (Counter(measurement_keys(tables, ignored)) for tables in (left, right))
    if not of_left and not of_right:
        return True
    click.echo(f"{measurements_text((of_left & of_right).total())} the same in both")
    only = ((first, of_left - of_right), (second, of_right - of_left))
    for file, rows in only:
        if rows:
            click.echo(f"{measurements_text(rows.total())} only in {file}")
    return not any(rows for _, rows in only)


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False),
    help="File to write, ending in .parquet, .csv or .jsonl.",
)
@click.option(
    "--what",
    default="children",
    show_default=True,
    type=click.Choice(["children", "curves", "runs", "measurements"]),
    help="Table to export; curves have one row per child and epoch.",
)
def export(files: Sequence[str], output: str, what: What) -> None:
    """Write children, curves, runs or measurements as parquet, CSV or JSON lines; floats keep every bit.

    Files that have the same run are refused; `nasbench merge` makes one of them.

    \b
    Example:
      nasbench export results/demo.h5 -o children.csv
      nasbench export results/demo.h5 --what curves -o curves.jsonl
    """
    from nasbench.store.maintenance.exporting import export_table
    from nasbench.store.query import Results

    with Results(list(files)) as results:
        if len(results.files) > 1:  # a single file needs no pandas here
            from nasbench.analysis.comparison.checks import require_distinct

            require_distinct(results.runs())
        rows = export_table(results, what, output)
    click.echo(f"{output}: {rows} rows of {what}")


def _tables(file: str) -> Tables:
    from nasbench.store.files import ResultsPaths
    from nasbench.store.maintenance.table_builder import tables_of_snapshot
    from nasbench.store.reader import open_snapshot

    snapshot = open_snapshot(ResultsPaths.of(file))
    try:
        return tables_of_snapshot(snapshot)
    finally:
        snapshot.close()


def _check_names(given: set[str], allowed: Sequence[str]) -> None:
    from nasbench.errors import UnknownName

    for name in sorted(given):
        if name not in allowed:
            raise UnknownName("column", name, allowed)


def _names(tables: Tables, positions: Numbers) -> str:
    columns = [tables.children[name] for name in ("run", "stage", "index")]
    shown = [" ".join(str(column[int(at)]) for column in columns) for at in positions[:SHOWN]]
    return ", ".join(shown) + (", ..." if len(positions) > SHOWN else "")


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value
