"""`nasbench verify`: train rows of a results file again and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nasbench.cli.output import coloured, say

if TYPE_CHECKING:
    from nasbench.training.verify import RowCheck

SHOWN_DIFFERENCES = 4
LONGEST = 200


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--sample", default=20, show_default=True, help="Number of rows, drawn at random.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the draw.")
@click.option("--device", default=None, help="cpu, cuda, ... [the kind that trained the row].")
@click.option(
    "--tolerance",
    default=None,
    type=float,
    help="Allowed difference of accuracies on other platforms [0.15, or 4 standard deviations between seeds].",
)
@click.option("--any-platform", is_flag=True, help="Also draw rows of other platforms if there are rows of this one.")
def verify(file: str, sample: int, seed: int, device: str | None, tolerance: float | None, any_platform: bool) -> int:
    """Train a random sample of rows again from their stored protocol and seed, and compare.

    Rows that were made on this platform with these versions must agree to the bit; if the file has any, only they are
    drawn. For other rows, accuracies must agree within the tolerance. Exits with 1 if a row does not agree.

    \b
    Example:
      nasbench verify results/demo.h5 --sample 20 --seed 1
    """
    from nasbench.kernels.platform import is_portable
    from nasbench.store.query import Results
    from nasbench.training.verify import check_rows, default_tolerance, draw_sample

    with Results(file) as results:
        limit = default_tolerance(results) if tolerance is None else tolerance
        drawn = draw_sample(results, sample, seed, any_platform)
        checks = []
        if any(is_portable(row["platform"]) for row in drawn.rows):
            say("The golden trainings come first, about 20 seconds: are portable bits right on this machine?", err=True)
        for number, check in enumerate(check_rows(results, drawn.rows, device, limit), start=1):
            click.echo(f"{number:>{len(str(len(drawn.rows)))}}/{len(drawn.rows)}  {_line(check)}")
            checks.append(check)
        click.echo()
        for why, count in drawn.passed_over.items():
            click.echo(f"not drawn from: {count} rows ({why})")
        for reason in dict.fromkeys(reason for check in checks for reason in check.elsewhere):
            click.echo(f"made elsewhere: {reason}")
        for operations in dict.fromkeys(operations for check in checks for operations in check.unrepeatable):
            click.echo(
                f"not to the bit: {operations}, without a deterministic implementation where the row was trained"
            )
        click.echo(_summary(checks, drawn.eligible, limit))
        return 0 if all(check.agrees for check in checks) else 1


def _line(check: RowCheck) -> str:
    row = check.row
    name = f"run {row['run']} {row['stage']} {row['index']}  {row['hash'][:12]} seed {row['seed']}"
    if check.agrees:
        detail = "" if check.rule == "bits" else f" (accuracies within {check.largest:.4f})"
        return f"{name}  agrees{detail}"
    shown = "; ".join(str(item)[:LONGEST] for item in check.differences[:SHOWN_DIFFERENCES])
    more = len(check.differences) - SHOWN_DIFFERENCES
    return f"{name}  {coloured('DIFFERS', 'wrong')}: {shown}" + (f" (and {more} more)" if more > 0 else "")


def _summary(checks: list[RowCheck], eligible: int, limit: float) -> str:
    parts = []
    for rule, said in (("bits", "bit for bit"), ("tolerance", f"within {limit:.4g} in accuracy")):
        of_rule = [check for check in checks if check.rule == rule]
        if of_rule:
            parts.append(f"{sum(check.agrees for check in of_rule)} of {len(of_rule)} rows agree {said}")
    return f"{'; '.join(parts)} (drawn from {eligible})"
