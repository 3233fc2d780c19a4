"""`nasbench checklist`: the best-practices checklist for NAS research, answered item by item from results files."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from nasbench.cli.loading import files_argument
from nasbench.cli.options import csv_option, write_csv

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100


@click.command()
@files_argument
@click.option(
    "-f",
    "--format",
    "format_",
    default="text",
    show_default=True,
    type=click.Choice(["text", "md"]),
    help="Plain text, or Markdown for a pull request.",
)
@csv_option
def checklist(files: Sequence[str], format_: str, csv: str | None) -> None:
    """Answer the NAS best-practices checklist from results files: met, not met or not applicable, with evidence.

    An item is met only if rows, configurations or provenance prove it.
    Source: Lindauer and Hutter, JMLR 21 (2020), arXiv 1909.02453.

    \b
    Example:
      nasbench checklist results/claims.h5
      nasbench checklist results/claims.h5 --format md --csv checklist.csv
    """
    from nasbench.analysis.comparison.checklist import checklist as answered
    from nasbench.analysis.comparison.checklist import checklist_markdown, checklist_summary
    from nasbench.store.query import Results

    results = Results(list(files))
    data = answered(results.frame(), results.runs())
    if format_ == "md":
        click.echo(checklist_markdown(data), nl=False)
    else:
        _print(data)
        click.echo(f"\n{checklist_summary(data)}")
    write_csv(data, csv)


def _print(data: pd.DataFrame) -> None:
    for section, items in data.groupby("section", sort=False):
        click.echo(f"{section}")
        for row in items.to_dict("records"):
            click.echo(f"  {row['number']}  {row['answer'].upper():<14}  {row['asks']}")
            click.echo(textwrap.fill(row["evidence"], WIDTH, initial_indent=" " * 23, subsequent_indent=" " * 23))
