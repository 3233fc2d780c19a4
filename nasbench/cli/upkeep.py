"""`nasbench check`, `repair` and `migrate`: maintenance of results files."""

from __future__ import annotations

from collections.abc import Sequence

import click

from nasbench.cli.options import take_over_option
from nasbench.cli.output import coloured
from nasbench.cli.wording import rows_text


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
def check(files: Sequence[str]) -> int:
    """Verify checksums, schema, counts and values of results files. The files are not changed.

    Values are compared with what can be: ranges, ends of curves, hashes of choices (10,000 of them in larger files),
    sums of ledgers. Exits with 1 if a file is damaged or a value cannot be.

    \b
    Example:
      nasbench check results/demo.h5
    """
    from nasbench.spaces.stored_choices import hash_of_choices
    from nasbench.store.maintenance.checking import check_file

    code = 0
    for file in files:
        health = check_file(file, hash_of_choices)
        good = health.sound and health.plausible
        wrong = "IMPOSSIBLE VALUES" if health.sound else "DAMAGED"
        state = coloured("sound", "ok") if good else coloured(wrong, "wrong")
        click.echo(
            f"{file}: {state}, {rows_text(health.children, health.runs, health.measurements)} "
            f"({health.datasets} datasets and {health.records} journal records verified)"
        )
        for finding in health.findings:
            click.echo(f"  {finding.severity}: {finding.text}")
        if not health.sound:
            click.echo(f"  recover what is sound: nasbench repair {file}")
        elif not good:
            click.echo("  every checksum fits: another program wrote these values; nasbench verify trains rows again")
        code = code if good else 1
    return code


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@take_over_option
def repair(file: str, take_over: bool) -> None:
    """Recover all sound rows of a damaged results file, and report what was lost.

    The damaged files are copied first, to names ending in .damaged-1.

    \b
    Example:
      nasbench repair results/demo.h5
    """
    from nasbench.store.maintenance.repairing import repair_file

    done = repair_file(file, take_over)
    if done is None:
        click.echo(f"{file}: sound, nothing to repair")
        return
    click.echo(f"{file}: recovered {rows_text(done.children, done.runs, done.measurements)}")
    click.echo(f"  as it was: {', '.join(map(str, done.copies))}")
    for line in done.lost or ["nothing"]:
        click.echo(f"  lost: {line}")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False))
@take_over_option
def migrate(files: Sequence[str], take_over: bool) -> None:
    """Migrate results files of earlier versions to this version's schema.

    Copies of the original file and its journal are kept under names ending in .schema-N.

    \b
    Example:
      nasbench migrate results/demo.h5
    """
    from nasbench.store.maintenance.migrating import migrate_file

    for file in files:
        done = migrate_file(file, take_over=take_over)
        if not done.copies:
            click.echo(f"{file}: schema {done.now}, which is this version's; nothing to do")
        else:
            click.echo(
                f"{file}: schema {done.found} brought up to {done.now}; as it was: {', '.join(map(str, done.copies))}"
            )
