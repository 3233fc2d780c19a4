"""`nasbench table`: build complete tables and ask them."""

from __future__ import annotations

from pathlib import Path

import click

from nasbench.cli.options import completing, pairs, protocol_names, space_names


@click.group()
def table() -> None:
    """Complete tables of a space: build one, its statistics, an architecture's neighbours."""


@table.command()
@click.option(
    "--space", default="nasbench201", show_default=True, shell_complete=completing(space_names), help="Space to cover."
)
@click.option(
    "--protocol",
    default="digits201",
    show_default=True,
    shell_complete=completing(protocol_names),
    help="How children are trained.",
)
@click.option("--set", "set_", multiple=True, metavar="KEY=VALUE", help="Replace a field of the protocol; repeatable.")
@click.option(
    "--seeds",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="Trainings of each architecture: seeds 0, 1, ...",
)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="Results file of the table.")
@click.option("--timeout", default=0.0, help="Seconds after which a child ends [never].")
@click.option("--price", default="", help="USD per device-hour, or a CSV price table [by device].")
@click.option(
    "--devices", default="cpu", show_default=True, help="cpu, cpu,cpu (a child on each of two cores), cuda:0, ..."
)
@click.option("-k", "--children-per-device", default=1, show_default=True, help="Children at once on each device.")
def build(
    space: str,
    protocol: str,
    set_: tuple[str, ...],
    seeds: int,
    output: str,
    timeout: float,
    price: str,
    devices: str,
    children_per_device: int,
) -> None:
    """Train every distinct architecture of a space, each with every seed, into a results file.

    The same command again goes on where it was interrupted; with more seeds it adds them. Each child is scored on the test set too, so
    the file is a table for `nasbench replay`, not a search.

    \b
    Example:
      nasbench table build --space nasbench201 --protocol digits201 --seeds 3 --devices cpu,cpu -o results/digits201.h5
    """
    from nasbench.cli.run import termination_as_interrupt
    from nasbench.protocol import validated
    from nasbench.runners.config import SearchConfig, resolve
    from nasbench.runners.executors import EXECUTORS, ExecutorOptions
    from nasbench.runners.progress import Progress
    from nasbench.runners.table_build import TABLE, TableBuild, distinct_architectures
    from nasbench.spaces import get_space

    architectures = distinct_architectures(get_space(space))
    given = {
        "strategy": TABLE,
        "space": space,
        "protocol": protocol,
        "set": pairs(set_, "--set"),
        "budget": f"{len(architectures)} children",
        "timeout": timeout,
        "price": price,
        "devices": devices,
    }
    plans = [resolve(validated(SearchConfig, {**given, "seed": seed}, "nasbench table build")) for seed in range(seeds)]
    options = validated(
        ExecutorOptions,
        {"devices": plans[0].config.devices, "children_per_device": children_per_device},
        "nasbench table build",
    )
    click.echo(f"{len(architectures)} distinct architectures of {space}, {seeds} seeds each", err=True)
    with termination_as_interrupt(), EXECUTORS.get("local")(options) as executor:
        try:
            TableBuild(Path(output), plans, architectures, executor, Progress(f"table of {space}")).run()
        except KeyboardInterrupt:
            click.echo("interrupted; nothing is lost. Go on with the same command.", err=True)
            raise
    click.echo(
        f"table:   {output}\nnext:    nasbench table stats {output}\n         nasbench replay --table {output} --strategy random"
    )
