"""`nasbench report`: a report on results files as one HTML page, or as Markdown for a pull request."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench.cli.loading import allow_option
from nasbench.cli.measured import measurements_option
from nasbench.cli.options import measure_option
from nasbench.cli.output import note, say
from nasbench.cli.outputs import put
from nasbench.cli.user_defaults import usual_price
from nasbench.errors import InputError, printable
from nasbench.outputs import REPORT_MARKS, STANDARD_OUTPUT, ending_of

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.store.query import Results

FORMATS = ("html", "md")


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("-o", "--output", default=None, type=click.Path(dir_okay=False), help="The page [FILE-report.html].")
@click.option(
    "-f",
    "--format",
    "format_",
    default=None,
    type=click.Choice(FORMATS),
    help="html, or md for a pull request  [by the output's ending, else html].",
)
@click.option("-w", "--where", default=None, help="Only children for which this condition is true.")
@allow_option
@click.option(
    "--target", default=None, type=float, help="Also print the cost of reaching this validation score (see --score)."
)
@click.option(
    "--on", default="", metavar="A,B,...", help="Estimate the same searches on other devices, e.g. V100,A100,H100."
)
@click.option(
    "--from", "ran_on", default=None, help="With --on: device of the hours if rows name none, e.g. in replays."
)
@measurements_option
@measure_option(
    "Score of the report: accuracy, or what the runs state; val_loss, or a measured quantity such as val_ssim."
)
@click.option("--best", default=6, show_default=True, type=click.IntRange(0), help="Number of architectures to draw.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the bootstraps.")
@click.option("--title", default="", help="Title of the page  [made from the strategies and data].")
def report(
    files: Sequence[str],
    output: str | None,
    format_: str | None,
    where: str | None,
    allow: Sequence[str],
    target: float | None,
    on: str,
    ran_on: str | None,
    measurements: Sequence[str],
    measure: str,
    best: int,
    seed: int,
    title: str,
) -> None:
    """Write a report on results: what was run, what it found, what it cost, and how to reproduce it.

    The page is one file that needs no network. It has tables, interactive plots, drawn architectures, every child, and
    provenance. Markdown is printed unless --output names a file. The report on a complete table has its best
    architectures, the spread of its scores, and how well its seeds agree.

    \b
    Example:
      nasbench report results/demo.h5 -o report.html
      nasbench report results/digits201.h5 -o table.html
      nasbench report results/demo.h5 --format md
    """
    from nasbench.analysis.report.contents import Selection, Wishes
    from nasbench.analysis.report.texts import report_text
    from nasbench.costs.pricing import prices_from
    from nasbench.expressions.runs import runs_left
    from nasbench.provenance import utc_now
    from nasbench.runners.search.budget_of_runs import budget_in
    from nasbench.runners.search.killed_runs import runs_as_spent
    from nasbench.scores import judging
    from nasbench.store.judged import judge, require_both_parts
    from nasbench.store.query import Results

    kind = format_ or "html"
    if output is not None and output != STANDARD_OUTPUT:
        kind = ending_of(output, (".html", ".md")).removeprefix(".")
        if format_ not in (None, kind):
            raise InputError(f"{output!r} ends in .{kind}, and --format is {format_}; leave --format out")
    results = Results(list(files))
    children = _chosen(results, where, files)
    begun = set() if where is None else set(results.frame(["run"])["run"])
    runs, left_out = runs_left(runs_as_spent(results), where, set(children["run"]), begun)
    if left_out:
        note(left_out)
    selection = Selection.of(results, children, measurements, runs)
    frame, score = judge(selection.frame, selection.runs, selection.measurements, measure)
    require_both_parts(score)
    click.get_current_context().with_resource(judging(score))
    selection = replace(selection, frame=frame)
    command = printable(shlex.join(["nasbench", *sys.argv[1:]]))
    devices = tuple(dict.fromkeys(part.strip() for part in on.split(",") if part.strip()))
    if ran_on is not None and not devices:
        raise InputError("--from is of estimates for other devices: name these by --on, e.g. --on A100")
    budget = budget_in(selection.runs, "gpu_hours")
    price = usual_price(None) if devices else ""
    prices = prices_from(price) if price else None
    wishes = Wishes(printable(title), allow, seed, best, target, devices, ran_on, command, budget, prices)
    text, summary = report_text(selection, wishes, "md" if kind == "md" else "html", utc_now())
    if kind == "md" and output is None:
        click.echo(text, nl=False)
        return
    _write(Path(output) if output else _beside(files[0]), text)
    if summary and output != STANDARD_OUTPUT:
        say(f"{summary} More: nasbench table stats {shlex.quote(files[0])}")


def _chosen(results: Results, where: str | None, files: Sequence[str]) -> pd.DataFrame:
    """Select the children to report, at least one."""
    from nasbench.analysis.report.contents import columns_of
    from nasbench.cli.loading import children_where

    frame = children_where(results, where, columns_of(results.runs()))
    if frame.empty:
        what = f"match {where!r}" if where else "are"
        raise InputError(f"no children {what} in {', '.join(files)}; see: nasbench query FILE")
    return frame


def _beside(file: str) -> Path:
    return Path(file).with_name(f"{Path(file).stem}-report.html")


def _write(path: Path, text: str) -> None:
    if put(str(path), text, REPORT_MARKS.get(path.suffix.lower(), ())):
        size = len(text.encode())
        say(f"wrote {path} ({size / 1e6:.1f} MB)" if size >= 100_000 else f"wrote {path} ({size / 1e3:.1f} kB)")
