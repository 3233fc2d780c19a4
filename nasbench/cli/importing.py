"""`nasbench import`: convert results of other benchmarks to a results file."""

from __future__ import annotations

import click

from nasbench.cli.import_benchmarks import (
    accel_nasbench,
    hw_latency,
    nasbench101,
    nasbench201,
    nasbench_macro,
    nats_bench,
    suite_zero,
    transnas,
)
from nasbench.cli.import_searches import optuna, synetune
from nasbench.cli.import_tables import csv, json, parquet
from nasbench.errors import printable


def _list(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    """Print what every importer reads, and end."""
    if not asked or context.resilient_parsing:
        return
    from nasbench.tabular.importers.about import about
    from nasbench.tabular.importers.registry import IMPORTERS

    described, faults = IMPORTERS.describe_all(lambda name, importer: (name, about(name, importer)))
    for name, found in described:
        click.echo(printable(name))
        for heading, text in found.lines:
            click.echo(f"  {heading:<9}  {printable(text)}")
    for fault in faults:
        click.echo(f"warning: {fault}", err=True)
    context.exit()


@click.group(name="import")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Say of every importer what it reads, its licence and size, where it is published, what it has and lacks.",
)
def import_() -> None:
    """Import results of other benchmarks into a results file, for query, compare, pareto and replay.

    Absent fields become missing values, and their number is reported; nothing is imputed.

    \b
    Example:
      nasbench import nasbench201 nb201_tss.npz -o results/nb201.h5
      nasbench import --list
    """


for _command in (
    *(nasbench201, nats_bench, nasbench101, transnas, nasbench_macro, suite_zero, accel_nasbench, hw_latency),
    *(csv, parquet, json, optuna, synetune),
):
    import_.add_command(_command)
