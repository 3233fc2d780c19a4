"""`nasbench doctor`: describe this machine, and check whether searches work on it."""

from __future__ import annotations

import click

from nasbench.cli.output import coloured, say


@click.command()
@click.option(
    "--folder",
    default=None,
    type=click.Path(),
    help="Folder for results  [results, or the current folder if there is none].",
)
@click.option(
    "--quick", is_flag=True, help="Leave out the self-tests of kernels and devices, and the golden trainings."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document: the machine and all findings.")
def doctor(folder: str | None, quick: bool, as_json: bool) -> int:
    """Describe this machine, and check whether searches work on it and what is slow.

    Takes about 25 seconds of processor time, 10 with --quick, and more with GPUs. Each line is ok, slow, note or WRONG,
    with advice. Exits with 1 if a search would fail.

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
    machine = Machine(chosen, lambda line: say(line, err=True), quick)
    findings = diagnose(machine)
    seconds = time.monotonic() - start
    if as_json:
        click.echo(json.dumps(document(machine, findings, seconds), indent=2, allow_nan=False))
    else:
        for line in lines_of(findings, seconds):
            click.echo(_tinted(line))
    return int(breaks_a_search(findings))


def _tinted(line: str) -> str:
    """Colour the level at the start of a line."""
    level = line[:8].strip()
    style = level.lower()
    return line.replace(level, coloured(level, style), 1) if style in ("ok", "slow", "note", "wrong") else line
