"""`nasbench power|bayesian|speedup`: seeds for a difference, probabilities over tables, budgets against random search's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from nasbench.cli.loading import allow_option, files_argument, load_judged, seed_option, where_option
from nasbench.cli.options import (
    as_in_frames,
    baseline_option,
    by_option,
    csv_option,
    margin_given,
    margin_option,
    measure_option,
    write_csv,
)
from nasbench.cli.table_formats import print_table_as, table_format_option


@click.command()
@files_argument
@click.option(
    "--difference", required=True, type=float, help="Difference of mean scores to find; 0.005 is half a point."
)
@click.option(
    "--power",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0.06, 0.9999),
    help="Probability with which it is to be found.",
)
@where_option
@measure_option()
@baseline_option
@allow_option
@table_format_option
@csv_option
def power(
    files: Sequence[str],
    difference: float,
    power: float,
    where: str | None,
    measure: str,
    baseline: str | None,
    allow: Sequence[str],
    table_format: str,
    csv: str | None,
) -> None:
    """Seeds that it takes to find a difference between two strategies, from the spreads of these runs.

    \b
    Example:
      nasbench power results/claims.h5 --difference 0.005
    """
    from nasbench.analysis.comparison.checks import check_tables
    from nasbench.analysis.statistics.final_scores import final_scores, require_scores
    from nasbench.analysis.statistics.sample_sizes import power_notes, sample_sizes

    frame, runs, _, measure = load_judged(files, where, measure)
    notes = check_tables(frame, runs, allow)
    scores = final_scores(frame, runs, measure)
    require_scores(scores)
    table = sample_sizes(scores, difference, baseline, power)
    print_table_as(table_format, table, [*notes, *power_notes(table, difference, power)])
    write_csv(table, csv)


@click.command()
@files_argument
@where_option
@measure_option()
@baseline_option
@margin_option
@seed_option
@allow_option
@table_format_option
@csv_option
def bayesian(
    files: Sequence[str],
    where: str | None,
    measure: str,
    baseline: str | None,
    margin: float | None,
    seed: int,
    allow: Sequence[str],
    table_format: str,
    csv: str | None,
) -> None:
    """Compare strategies over tables: probabilities of better, practically equivalent and worse.

    A table is a space with a data set; it takes five of them. --margin is half the region of practical equivalence.

    \b
    Example:
      nasbench bayesian a.h5 b.h5 c.h5 d.h5 e.h5 --baseline random --margin 0.005
    """
    from nasbench.analysis.comparison.checks import check_tables
    from nasbench.analysis.statistics.bayesian import bayesian_notes, bayesian_tests
    from nasbench.analysis.statistics.final_scores import final_scores, require_scores

    frame, runs, _, measure = load_judged(files, where, measure)
    notes = check_tables(frame, runs, allow)
    scores = final_scores(frame, runs, measure)
    require_scores(scores)
    table = bayesian_tests(scores, baseline, margin_given(margin), seed)
    said = [*notes, *bayesian_notes(scores), *(f"{line}." for line in table["verdict"])]
    print_table_as(table_format, table.drop(columns="verdict"), said)
    write_csv(table, csv)


@click.command()
@files_argument
@where_option
@measure_option()
@by_option
@click.option(
    "--baseline",
    default="random",
    show_default=True,
    callback=as_in_frames,
    help="The strategy whose final score is to be reached.",
)
@allow_option
@table_format_option
@csv_option
def speedup(
    files: Sequence[str],
    where: str | None,
    measure: str,
    by: Any,
    baseline: str,
    allow: Sequence[str],
    table_format: str,
    csv: str | None,
) -> None:
    """How many times less budget a strategy takes to reach random search's median final score.

    \b
    Example:
      nasbench speedup results/claims.h5 --by children
    """
    from nasbench.analysis.comparison.anytime import budget_label, hours_unit
    from nasbench.analysis.comparison.checks import check_comparable
    from nasbench.analysis.statistics.final_scores import final_scores
    from nasbench.analysis.statistics.saturation import saturation_note
    from nasbench.analysis.statistics.speedup import speedups
    from nasbench.runners.search.budget_of_runs import budget_in, budget_unit

    frame, runs, _, measure = load_judged(files, where, measure)
    notes = list(check_comparable(frame, runs, allow))
    by = by or budget_unit(runs)
    table = speedups(frame, runs, by, measure, baseline, budget=budget_in(runs, by))
    notes.append(
        f"Budgets are by {budget_label(by, hours_unit(frame))}: the one by which half of the runs have reached the "
        f"target (Kaplan-Meier), which is the median final score of {baseline}."
    )
    if unreached := [row.strategy for row in table.itertuples() if row.reached * 2 < row.n]:
        notes.append(
            f"Fewer than half of the runs of {', '.join(unreached)} reach the target within the budget: the speed-up "
            "is not known, only its bound."
        )
    if full := saturation_note(final_scores(frame, runs, measure)):
        notes.append(full)
    print_table_as(table_format, table, notes)
    write_csv(table, csv)
