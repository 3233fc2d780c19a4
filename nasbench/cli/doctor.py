"""`nasbench doctor`: what this machine is, and whether the suite will work on it."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--folder",
    default=None,
    type=click.Path(),
    help="Where results are to be kept  [results, or where this is run, if there is no such folder].",
)
@click.option(
    "--quick", is_flag=True, help="Leave out the self-tests of kernels and devices, and the golden trainings."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: the machine and all findings.")
def doctor(folder: str | None, quick: bool, as_json: bool) -> int:
    """What this machine is, whether searches work on it, and what is slow.

    Takes about 25 seconds of processor time, 10 with --quick; GPUs are tried on top. Each line is ok, slow, note or WRONG, with what to
    do. Exits with 1 where a search would fail.

    \b
    Example:
      nasbench doctor --quick
    """
    import json
    import time
    from pathlib import Path

    from nasbench.doctor.checks import Machine, diagnose
    from nasbench.doctor.report import breaks_a_search, document, lines_of

    start = time.monotonic()
    chosen = Path(folder or ("results" if Path("results").is_dir() else "."))
    machine = Machine(chosen, lambda line: click.echo(line, err=True), quick)
    findings = diagnose(machine)
    seconds = time.monotonic() - start
    if as_json:
        click.echo(json.dumps(document(machine, findings, seconds), indent=2, allow_nan=False))
    else:
        for line in lines_of(findings, seconds):
            click.echo(line)
    return int(breaks_a_search(findings))
