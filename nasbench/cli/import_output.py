"""What the commands of `nasbench import` share: their output option, and what they print of an import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from nasbench.cli.wording import children_text, measurements_text, runs_text
from nasbench.errors import printable

if TYPE_CHECKING:
    from nasbench.tabular.importers.importer_base import Imported

new_results_option = click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False), help="The new results file, ending in .h5."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Write nothing; show the first five rows as they would be stored."
)


def report_import(output: str, done: Imported, dry_run: bool = False) -> None:
    """Print what was imported.

    Args:
        output: name of the results file.
        done: what was imported.
        dry_run: whether nothing was written, and the first rows are to be shown.
    """
    if dry_run:
        _show_first(done)
    _report(f"{output} (not written: --dry-run)" if dry_run else output, done)


def _show_first(done: Imported) -> None:
    """Print the first rows as columns, without what is missing in all of them."""
    every = dict.fromkeys(name for row in done.first for name in row)
    names = [name for name in every if any(not _is_missing(row.get(name)) for row in done.first)]
    width = max(map(len, names))
    for name in names:
        click.echo(
            f"{name:<{width}}  "
            + "  ".join(f"{printable(str(row.get(name, ''))):<20.20}" for row in done.first).rstrip()
        )


def _is_missing(value: object) -> bool:
    return value in ("", -1, None) or value != value


def _report(output: str, done: Imported) -> None:
    stages = ", ".join(f"{count} {stage}" for stage, count in done.children.items())
    if done.measurements:
        click.echo(f"{output}: {measurements_text(done.measurements)}")
    else:
        click.echo(f"{output}: {children_text(sum(done.children.values()))} ({stages}) of {runs_text(done.runs)}")
    stored = sum(done.statuses.values())
    statuses = ", ".join(f"{count} {status}" for status, count in done.statuses.items())
    skipped = f", {done.skipped} skipped" if done.skipped else ""
    read = stored + done.skipped
    click.echo(
        f"  {read} {done.unit.removesuffix('s') if read == 1 else done.unit} read, {stored} stored: {statuses}{skipped}"
    )
    for remark in done.remarks:
        click.echo(f"  {remark}")
    if done.missing:
        click.echo(f"  missing: {missing_text(done.missing)}")


def missing_text(missing: Mapping[str, int]) -> str:
    """List the columns that rows lack; those that equally many rows lack stand together.

    Args:
        missing: name of a column -> number of rows without it.

    Returns:
        E.g. "epochs of 3; test_acc, val_loss of 200".
    """
    names: dict[int, list[str]] = {}
    for name, count in sorted(missing.items()):
        names.setdefault(count, []).append(name)
    return "; ".join(f"{', '.join(columns)} of {count}" for count, columns in names.items())
