"""`nasbench status`: status of the runs in a results file, from another shell while they run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from nasbench.streams import wait_while_read

if TYPE_CHECKING:
    from nasbench.runners.search.status import FileStatus, RunStatus, Writer


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option(
    "--watch",
    default=0.0,
    type=click.FloatRange(0, 86_400),
    help="Print again every N seconds, until Ctrl-C or until the reader of the pipe ends.",
)
@click.option("--format", "form", default="table", show_default=True, type=click.Choice(["table", "json"]))
def status(file: str, watch: float, form: str) -> None:
    """Show the status of runs: children, busy devices, hours and USD spent, budget left, best so far, and the writer.

    It reads the file and its journal from the disk, and does not block the writer.

    \b
    Example:
      nasbench status results/first.h5 --watch 5
    """
    from nasbench.runners.search.status import file_status

    while True:
        found = file_status(file)
        if form == "json":
            click.echo(json.dumps(found.as_dict()))
        else:
            _print(found)
        if not (watch and wait_while_read(watch)):
            return


def _print(found: FileStatus) -> None:
    from nasbench.cli.options import print_table
    from nasbench.costs.units import DEVICE_HOURS

    units = {run.hours_unit for run in found.runs}
    head = (
        "run",
        "strategy",
        "seed",
        "state",
        "children",
        "failed",
        "busy",
        "per min",
        units.pop() if len(units) == 1 else DEVICE_HOURS,
        "USD",
        "budget",
        "ETA",
        "best",
    )
    print_table(head, [_row(run) for run in found.runs])
    click.echo(_who(found.writer))


def _row(run: RunStatus) -> tuple[str, ...]:
    pace = run.recent_a_minute if run.recent_a_minute is not None else run.children_a_minute
    return (
        run.run,
        run.strategy,
        f"{run.seed}",
        run.state,
        _children(run),
        f"{run.failed}",
        f"{run.devices_busy:g}" if run.in_training else "-",
        f"{pace:.1f}" if pace is not None else "-",
        f"{run.gpu_hours:.4g}",
        f"{run.usd:.4g}",
        f"{100 * run.share:.0f}% of {run.budget}" if run.share is not None else run.budget or "-",
        _interval(run.left_seconds) if run.left_seconds is not None else "-",
        f"{run.best:.4f} ({run.best_hash[:8]})" if run.best is not None else "none yet",
    )


def _interval(seconds: float) -> str:
    from tqdm import tqdm  # an eighth of the time of this command, which most files do not need

    return str(tqdm.format_interval(seconds))


def _children(run: RunStatus) -> str:
    """Number of children; where the strategy stops trainings early, also of those that stopped or went on."""
    if not run.stopped_early:
        return f"{run.children}"
    return f"{run.children} ({run.stopped_early} stopped early, {run.continued} continue others)"


def _who(writer: Writer | None) -> str:
    if writer is None:
        return "no process writes this file"
    where = f"process {writer.pid} on {writer.host}, since {writer.since}"
    if writer.alive is None:
        return f"written by {where}; this host cannot find out whether it is alive"
    if not writer.alive:
        return f"its writer is gone ({where}); go on with: nasbench resume"
    return f"written by {where}"
