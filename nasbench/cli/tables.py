"""`nasbench tables`: the tables that ship with the suite."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from nasbench.cli.options import completing, print_table
from nasbench.cli.output import say
from nasbench.errors import InputError


def _names() -> Iterable[str]:
    from nasbench.tabular.catalogue import shipped_tables

    return shipped_tables()


@click.group(invoke_without_command=True)
@click.pass_context
def tables(context: click.Context) -> None:
    """List the tables that ship, which need no clone and no network. `--table NAME` takes their names.

    \b
    Example:
      nasbench tables
      nasbench tables show digits201-2
      nasbench replay --table digits201-2 --strategy random --budget "50 children"
    """
    from nasbench.tabular.catalogue import shipped_tables

    if context.invoked_subcommand is None:
        head = ("table", "space", "data", "architectures", "trainings", "trained until", "kB", "verified")
        rows = [
            (
                *(name, each.space, each.data, each.architectures, each.trainings, each.date),
                round(each.path.stat().st_size / 1000),
                each.verified,
            )
            for name, each in shipped_tables().items()
        ]
        print_table(head, rows)


@tables.command("show")
@click.argument("name", shell_complete=completing(_names))
def show_table(name: str) -> None:
    """Show where a table came from: protocol, command, digests, verification, licence."""
    from nasbench.tabular.catalogue import shipped_table

    found = shipped_table(name)
    for field, value in found.model_dump().items():
        if isinstance(value, dict):
            for key, text in value.items():
                click.echo(f"{field + ' ' + key + ':':24s}{text}")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
            click.echo(f"{field + ':':24s}{shown}")
    click.echo(f"{'file:':24s}{found.path}")


@tables.command("verify")
@click.argument("names", nargs=-1, shell_complete=completing(_names))
def verify_tables(names: Sequence[str]) -> None:
    """Compare the files of tables, and the tables that they hold, with their digests.

    \b
    Example:
      nasbench tables verify
    """
    from nasbench.tabular.catalogue import shipped_table, shipped_tables

    faults = []
    for name in names or shipped_tables():
        found = shipped_table(name).check()
        faults += found
        if not found:
            click.echo(f"{name}: the file and its {len(shipped_table(name).fingerprints)} tables are as described")
    if faults:
        raise InputError(f"{faults[0]}{f' (and {len(faults) - 1} more)' if len(faults) > 1 else ''}; install again")


@tables.command("get")
@click.argument("name", shell_complete=completing(_names))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="Copy of the table (.npz).")
def get_table(name: str, output: str) -> None:
    """Copy a table out of the installed package, e.g. for another machine.

    \b
    Example:
      nasbench tables get digits201-2 -o digits201-2.npz
    """
    from nasbench.outputs import write_output
    from nasbench.tabular.array_files import MARKS
    from nasbench.tabular.catalogue import shipped_table

    write_output(Path(output), shipped_table(name).path.read_bytes(), MARKS)
    say(f"wrote {os.fspath(output)}")


@tables.command("croissant")
@click.argument("name", shell_complete=completing(_names))
@click.option("-o", "--output", default="-", type=click.Path(dir_okay=False), help="File (.json)  [printed].")
def croissant_table(name: str, output: str) -> None:
    """Print a table's Croissant metadata: JSON-LD with licence, citation, files and digests.

    \b
    Example:
      nasbench tables croissant digits201-2 -o digits201-2.croissant.json
    """
    from nasbench.cli.outputs import put
    from nasbench.outputs import STANDARD_OUTPUT, ending_of
    from nasbench.tabular.catalogue import shipped_table
    from nasbench.tabular.croissant import croissant_text

    if output != STANDARD_OUTPUT:
        ending_of(output, (".json",))
    if put(output, croissant_text(shipped_table(name)), (b"mlcommons.org/croissant",)):
        say(f"wrote {output}")
