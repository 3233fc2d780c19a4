"""Program for the long self-test of kernels: `python -m nasbench.kernel_tests.sweep`, or `make test-kernels`."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import click

from nasbench.errors import NasbenchError
from nasbench.kernel_tests.case_process import ISAS, Fault
from nasbench.kernel_tests.cases import Case, grid_cases, known_cases, plainly, random_cases
from nasbench.kernel_tests.self_test import Report, self_test
from nasbench.kernels.processor import processor_here


def sweep_cases(grid: int, random: int, seed: int) -> Iterator[Case]:
    """Iterate over cases: known faults first, then a part of the systematic grid, then random cases.

    Args:
        grid: about how many cases of the grid, evenly spread; all if it has fewer.
        random: number of random cases, >= 0.
        seed: seed of the random cases, and of the part of the grid, >= 0.

    Yields:
        The cases.
    """
    yield from known_cases()
    cases = _grid()
    step = max(1, -(-len(cases) // max(1, grid)))
    if grid:
        yield from cases[seed % step :: step]
    yield from itertools.islice(random_cases(seed), random)


@lru_cache(maxsize=1)
def _grid() -> tuple[Case, ...]:
    return tuple(grid_cases())


@click.command()
@click.option(
    "--isa",
    "isas",
    multiple=True,
    type=click.Choice(list(ISAS)),
    help="Instruction sets to test; may be repeated.  [default: SSE41, AVX2, default]",
)
@click.option(
    "--grid",
    default=4000,
    show_default=True,
    help="Number of cases of the systematic grid, evenly spread; a large number for all.",
)
@click.option("--random", "drawn", default=2000, show_default=True, help="Number of random cases.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random cases.")
@click.option("--jobs", default=2, show_default=True, help="Processes at the same time.")
@click.option("--threads", default=1, show_default=True, help="Threads per process.")
@click.option(
    "--plain",
    is_flag=True,
    help="Test torch's plain operations in place of the suite's layers.",
)
@click.option(
    "--faults",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the faults to this file, JSON lines.",
)
def main(
    isas: tuple[str, ...], grid: int, drawn: int, seed: int, jobs: int, threads: int, plain: bool, target: Path | None
) -> None:
    """Look for kernels that crash, compute wrong values or are not repeatable; exit with 1 if there are any."""
    reports: list[Report] = []
    for isa in isas or ("SSE41", "AVX2", "default"):
        cases = sweep_cases(grid, drawn, seed)
        report = self_test(
            plainly(cases) if plain else cases,
            isa,
            jobs=jobs,
            threads=threads,
            on_fault=lambda fault: click.echo(str(fault)),
        )
        click.echo(report.summary)
        reports.append(report)
    click.echo()
    click.echo("\n".join(table(reports)))
    if target is not None:
        target.write_text("".join(f"{as_json(fault)}\n" for report in reports for fault in report.faults))
    sys.exit(1 if any(report.faults for report in reports) else 0)


def table(reports: list[Report]) -> Iterator[str]:
    """Format reports as a Markdown table, with processor and versions.

    Args:
        reports: at least one report.

    Yields:
        Lines without line ends.
    """
    hello = reports[0].hello
    yield f"{processor_here()}; torch {hello['torch']}; oneDNN {hello['onednn']}"
    yield ""
    yield (
        "| asked for | oneDNN's words | torch's kernels | cases | crashes | wrong values | not repeatable | "
        "largest rounding | overruns seen | seconds |"
    )
    yield "|---|---|---|---:|---:|---:|---:|---:|---|---:|"
    for report in reports:
        kinds = [fault.kind for fault in report.faults]
        counts = (
            kinds.count("crash") + kinds.count("hang"),
            kinds.count("wrong values"),
            kinds.count("not repeatable"),
        )
        cells = [
            report.isa,
            report.hello["isa"] or "not used",
            report.hello["capability"],
            f"{report.tried:,}",
            *map(str, counts),
        ]
        cells += [f"{report.distance:.0e}", "yes" if report.checked else "no", f"{report.seconds:.0f}"]
        yield f"| {' | '.join(cells)} |"


def as_json(fault: Fault) -> str:
    """Return a fault as one line of JSON.

    Args:
        fault: the fault.

    Returns:
        A JSON object with the fields of `Fault`.
    """
    return json.dumps(asdict(fault))


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NasbenchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
