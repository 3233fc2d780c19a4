"""`nasbench status`: status of the runs in a results file, from another shell while they run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
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
            _print(found, file)
        if not (watch and wait_while_read(watch)):
            return


def _print(found: FileStatus, file: str) -> None:
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
    click.echo(_who(found.writer, file, found.runs))


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


def _who(writer: Writer | None, file: str, runs: Sequence[RunStatus]) -> str:
    if writer is None:
        return "no process writes this file"
    where = f"process {writer.pid} on {writer.host}, since {writer.since}"
    if writer.alive is None:
        return f"written by {where}; this host cannot find out whether it is alive"
    if not writer.alive:
        return f"its writer is gone ({where}); go on with: {_resume(file, runs)}"
    return f"written by {where}"


def _resume(file: str, runs: Sequence[RunStatus]) -> str:
    """The command that resumes runs; of a strategy in a file, results know the name but not the folder."""
    from nasbench.runners.strategies.source_files import names_a_file

    own = dict.fromkeys(run.strategy for run in runs if run.state != "complete" and names_a_file(run.strategy))
    words = ["nasbench", "resume", file, *(word for name in own for word in ("--strategy", name))]
    return shlex.join(words) + (" (with the folder of the strategy's file before its name)" if own else "")
