"""`nasbench ranks|profiles|targets|regret|correlations`: statistics over one table or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.loading import (
    allow_option,
    echo_table,
    files_argument,
    load,
    seed_option,
    where_option,
)
from nasbench.cli.options import csv_option, write_csv
from nasbench.cli.output import note
from nasbench.cli.plotting import plot_options, save_figure
from nasbench.cli.table_formats import print_table_as, table_format_option

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_measure = click.option(
    "-y",
    "--score",
    "measure",
    default="val_acc",
    show_default=True,
    type=click.Choice(["val_acc", "test_acc"]),
    help="Best validation accuracy of a run, or the test accuracy of its choice.",
)
_by = click.option(
    "--by",
    default=None,
    type=click.Choice(["gpu_hours", "children", "usd", "wall"]),
    help="Unit of spending  [that of the runs' budget].",
)
_optimum = click.option(
    "--table",
    default=None,
    type=click.Path(dir_okay=False),
    help="Complete table that was searched; its best score is the optimum  [the best score of these runs].",
)
_data = click.option(
    "--data", default=None, help="For an archive of NAS-Bench-201: cifar10, cifar100 or imagenet16-120."
)


@click.command()
@files_argument
@where_option
@_measure
@allow_option
@plot_options
@csv_option
@table_format_option
def ranks(
    files: Sequence[str],
    where: str | None,
    measure: str,
    allow: Sequence[str],
    output: str | None,
    csv: str | None,
    table_format: str,
) -> None:
    """Average ranks of the strategies over several tables, Friedman's test, and the critical-difference diagram.

    A table is a space with a data set. On a single table, ranks are those expected of randomly drawn runs, and bars
    join strategies that pairwise tests do not distinguish, where these could: see the notes.

    \b
    Example:
      nasbench ranks cifar10.h5 cifar100.h5 imagenet16.h5 --score test_acc --allow searcher
    """
    from nasbench.analysis.statistics.final_scores import final_scores
    from nasbench.analysis.statistics.rank_course import course_text, ranks_over_budget
    from nasbench.analysis.statistics.ranks import average_ranks, draw_critical_difference, friedman, left_out

    frame, runs, _ = load(files, where)
    notes = _checked(frame, runs, allow)
    scores, about = final_scores(frame, runs, measure), _about(frame, runs, measure)
    if course := course_text(ranks_over_budget(frame, runs, _counted(runs), measure)):
        notes.append(course)
    if scores["table"].nunique() == 1:
        data, figure = _ranks_of_one(scores, notes, about)
    else:
        data = average_ranks(scores)
        if missing := left_out(scores):
            notes.append(f"Not ranked, as some strategy has no score there: {', '.join(missing)}.")
        tables, strategies = int(data["tables"].iloc[0]), len(data)
        if tables < 2 or strategies < 3:
            few = f"No test and no diagram: they take 2 tables and 3 strategies; here are {tables} and {strategies}."
            print_table_as(table_format, data, [*notes, few])
            write_csv(data, csv)
            return
        found = friedman(scores)
        notes = [*notes, found.text]
        key = f"Ranks over {tables} tables: 1 is best. Bars join strategies within the critical difference."
        figure = _figure(
            lambda ax: draw_critical_difference(data, ax, found.critical_difference), about, key, notes, 3.6
        )
    print_table_as(table_format, data, notes)
    write_csv(data, csv)
    save_figure(figure, output, files, "ranks", data)


def _ranks_of_one(scores: pd.DataFrame, notes: list[str], about: str) -> tuple[pd.DataFrame, Figure]:
    """Compute expected ranks on one table and their diagram; adds the test results to the notes."""
    from nasbench.analysis.statistics.ranks import (
        bars_text,
        draw_critical_difference,
        expected_ranks,
        kruskal_wallis,
        rank_intervals,
        unseparated,
    )
    from nasbench.analysis.statistics.significance import unpaired_tests

    data = expected_ranks(scores)
    meaning, bars = bars_text(data)
    groups = unseparated(data, unpaired_tests(scores)) if meaning else []
    data = data.merge(rank_intervals(scores).drop(columns="rank"), on="strategy")
    notes += [
        f"One table, {scores['table'].iloc[0]}: the rank expected of one run of each strategy.",
        kruskal_wallis(scores),
        bars,
    ]
    key = "Ranks: 1 is best. Bars join strategies of which no two differ."
    return data, _figure(lambda ax: draw_critical_difference(data, ax, None, groups), about, key, notes, 3.4)


@click.command()
@files_argument
@where_option
@_measure
@_optimum
@_data
@allow_option
@seed_option
@plot_options
@csv_option
def profiles(
    files: Sequence[str],
    where: str | None,
    measure: str,
    table: str | None,
    data: str | None,
    allow: Sequence[str],
    seed: int,
    output: str | None,
    csv: str | None,
) -> None:
    """Performance profiles: the share of runs that end within each regret, for all regrets at once.

    \b
    Example:
      nasbench profiles replays.h5 --table results/digits201.h5 --score test_acc --allow searcher
    """
    from nasbench.analysis.statistics.final_scores import below_best, final_scores, score_intervals
    from nasbench.analysis.statistics.profiles import draw_performance_profile, performance_profile

    frame, runs, _ = load(files, where)
    notes = _checked(frame, runs, allow)
    best, said = _best(table, data, measure, runs)
    scores = final_scores(frame, runs, measure)
    optimum = None if best is None else dict.fromkeys(scores["table"].unique(), best)
    regrets = below_best(scores, optimum)
    notes.append(f"Regret to {said}.")
    means = score_intervals(regrets, seed)
    echo_table(means[["strategy", "statistic", "value", "low", "high", "interval"]], notes)
    profile = performance_profile(regrets, seed)
    write_csv(means, csv)
    figure = _figure(
        lambda ax: draw_performance_profile(profile, ax), _about(frame, runs, measure), f"Regret to {said}.", notes
    )
    save_figure(figure, output, files, "profiles", profile)


@click.command()
@files_argument
@where_option
@click.option("--target", default=None, type=float, help="Accuracy in [0, 1] to reach.")
@click.option(
    "--share-of-best",
    "share",
    default=None,
    type=float,
    help="Alternative: a share of the optimum, e.g. 0.99; see --table.",
)
@_measure
@_by
@_optimum
@_data
@allow_option
@plot_options
@csv_option
def targets(
    files: Sequence[str],
    where: str | None,
    target: float | None,
    share: float | None,
    measure: str,
    by: Any,
    table: str | None,
    data: str | None,
    allow: Sequence[str],
    output: str | None,
    csv: str | None,
) -> None:
    """Budget needed to reach an accuracy.

    Runs that never reach it are censored at their end (Kaplan-Meier), not dropped.

    \b
    Example:
      nasbench targets replays.h5 --share-of-best 0.99 --table results/digits201.h5 --score test_acc --allow searcher
    """
    from nasbench.analysis.comparison.anytime import budget_label
    from nasbench.analysis.statistics.targets import (
        budget_to_target,
        compare_reaches,
        draw_targets,
        survival,
        target_summary,
    )
    from nasbench.errors import InputError

    if (target is None) == (share is None):
        raise InputError("give --target ACCURACY or --share-of-best SHARE, one of them, e.g. --target 0.9")
    if share is not None and not 0 < share <= 1:
        raise InputError(f"--share-of-best is in (0, 1], got {share:g}")
    frame, runs, _ = load(files, where)
    notes = _checked(frame, runs, allow)
    words = f"{target:.4g}" if target is not None else ""
    if share is not None:
        best, said = _best(table, data, measure, runs)
        top = _found(frame, runs, measure) if best is None else best
        target = share * top
        words = f"{100 * share:g}% of the best"
        notes.append(f"{words}: {target:.4f}, of {top:.4f}, {said}.")
    assert target is not None
    by = by or _counted(runs)
    reaches = budget_to_target(frame, runs, target, by, measure)
    summary = target_summary(reaches)
    columns = ["strategy", "n", "reached", "median", "median_low", "median_high", "mean", "mean_low", "mean_high"]
    horizon = float(summary["horizon"].iloc[0])
    notes.append(
        f"By {budget_label(by, reaches['unit'].iloc[0])}; the mean is restricted to {horizon:.4g}: what a run spends until it reaches the target or that much."
    )
    if "random" in set(reaches["strategy"]) and reaches["strategy"].nunique() > 1:
        tests = compare_reaches(reaches)[["strategy", "p_holm"]].rename(columns={"p_holm": "p against random"})
        summary = summary.merge(tests, on="strategy", how="left")
        columns.append("p against random")
    echo_table(summary[columns], notes)
    write_csv(summary, csv)
    curves = survival(reaches)
    key = f"Target {target:.4f}. A + is a run that ended without reaching it."
    figure = _figure(lambda ax: draw_targets(curves, ax, by, words), _about(frame, runs, measure), key, notes)
    save_figure(figure, output, files, "targets", curves)


@click.command()
@files_argument
@where_option
@_measure
@_by
@_optimum
@_data
@allow_option
@seed_option
@plot_options
@csv_option
def regret(
    files: Sequence[str],
    where: str | None,
    measure: str,
    by: Any,
    table: str | None,
    data: str | None,
    allow: Sequence[str],
    seed: int,
    output: str | None,
    csv: str | None,
) -> None:
    """Mean regret of each run: how far below the best it was, on average over its budget.

    \b
    Example:
      nasbench regret replays.h5 --table results/digits201.h5 --allow searcher
    """
    from nasbench.analysis.statistics.regret_area import area_summary, draw_regret_areas, regret_areas

    frame, runs, _ = load(files, where)
    notes = _checked(frame, runs, allow)
    best, said = _best(table, data, measure, runs)
    by = by or _counted(runs)
    areas = regret_areas(frame, runs, by, measure, best)
    summary = area_summary(areas, seed)
    begin, end = (float(areas[name].iloc[0]) for name in ("begin", "end"))
    notes.append(f"Regret to {said}, from {begin:.4g}, when all runs have a score, to {end:.4g} {by}.")
    shown = ["strategy", "runs", "n", "mean", "low", "high", "interval"]
    echo_table(summary[shown], notes)
    write_csv(summary, csv)
    figure = _figure(lambda ax: draw_regret_areas(areas, ax), _about(frame, runs, measure), f"Regret to {said}.", notes)
    save_figure(figure, output, files, "regret", areas)


@click.command()
@files_argument
@where_option
@click.option(
    "--between",
    default="protocols",
    show_default=True,
    type=click.Choice(["protocols", "seeds"]),
    help="Scores of the same architectures under several protocols, or training seeds of one.",
)
@seed_option
@plot_options
@csv_option
def correlations(
    files: Sequence[str], where: str | None, between: str, seed: int, output: str | None, csv: str | None
) -> None:
    """Test whether a cheap score ranks architectures as an expensive one does.

    Prints Kendall's tau and Spearman's rho, over all architectures and over the best tenth.

    \b
    Example:
      nasbench import nasbench201 nb201_tss.npz -o nb201.h5
      nasbench correlations nb201.h5
    """
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.analysis.statistics.rank_correlation import (
        draw_rank_correlation,
        protocol_scores,
        rank_correlations,
        seed_scores,
    )

    frame, _, _ = load(files, where)
    scores = protocol_scores(frame) if between == "protocols" else seed_scores(frame)
    table = rank_correlations(scores, seed)
    echo_table(
        table[["first", "second", "among", "n", "kendall", "kendall_low", "kendall_high", "spearman", "interval"]], ()
    )
    write_csv(table, csv)
    known = table[(table["among"] == "all") & table["kendall"].notna()]
    if known.empty:
        note("no two scores share architectures; nothing to draw.")
        return
    first, second = known.sort_values("n", ascending=False, kind="stable").iloc[0][["first", "second"]]
    figure = _figure(lambda ax: draw_rank_correlation(scores, ax, first, second, table), describe_rows(frame))
    save_figure(figure, output, files, "correlations", table)


def _checked(frame: pd.DataFrame, runs: pd.DataFrame, allow: Sequence[str]) -> list[str]:
    """Run the fairness checks on each table separately, because tables may differ from each other."""
    from nasbench.analysis.comparison.checks import check_comparable, require_columns

    require_columns(runs, ("space", "data"), "the runs")
    notes: dict[str, None] = {}
    for _, group in runs.groupby(["space", "data"], sort=True):
        notes |= dict.fromkeys(check_comparable(frame[frame["run"].isin(set(group["run"]))], group, allow))
    return list(notes)


def _counted(runs: pd.DataFrame) -> Any:
    """Unit of the budget of these runs.

    In another unit, runs would be censored at points that depend on their speed.
    """
    from nasbench.errors import NasbenchError
    from nasbench.runners.search.budget import Budget

    counts = {"children": "children", "usd": "usd", "wall_seconds": "wall", "gpu_seconds": "gpu_hours"}
    try:
        units = {counts[Budget.parse(text).unit] for text in runs["budget"].unique()}
    except NasbenchError:  # imported rows may have no budget
        return "gpu_hours"
    return units.pop() if len(units) == 1 else "gpu_hours"


def _best(path: str | None, data: str | None, measure: str, runs: pd.DataFrame) -> tuple[float | None, str]:
    """Optimum of a complete table for the training seeds of the runs' scores, and its description."""
    from nasbench.analysis.statistics.regret_area import FOUND, KNOWN

    if path is None:
        return None, FOUND
    import numpy as np

    from nasbench.tabular.tables import read_table

    table = read_table(path, data, _training_seeds(runs, "search_seeds" if measure == "val_acc" else "report_seeds"))
    return float(np.nanmax(table.val_acc if measure == "val_acc" else table.test_acc)), KNOWN


def _found(frame: pd.DataFrame, runs: pd.DataFrame, measure: str) -> float:
    from nasbench.analysis.statistics.final_scores import final_scores
    from nasbench.errors import InputError

    scores = final_scores(frame, runs, measure)["score"].dropna()
    if scores.empty:
        raise InputError(f"no run here has a {measure}, so that there is no best; give --target, or --score val_acc")
    return float(scores.max())


def _figure(
    draw: Callable[[Axes], None], about: str, key: str = "", notes: Sequence[str] = (), height: float = 4.4
) -> Figure:
    """Make a figure of one plot with its caption."""
    from nasbench.analysis.plotting import style
    from nasbench.analysis.plotting.captions import caption

    with style.theme():
        figure = style.new_figure(7.0, height)
        ax = figure.subplots()
        caption(figure, about, key, notes)
        draw(ax)
    return figure


def _about(frame: pd.DataFrame, runs: pd.DataFrame, measure: str) -> str:
    """What the data of a plot are, for its caption."""
    from nasbench.analysis.plotting.captions import describe_rows

    return describe_rows(frame, (measure,), len(runs))


def _training_seeds(runs: pd.DataFrame, which: str) -> tuple[int, ...] | None:
    """Training seeds that replays searched with (search_seeds) or reported with (report_seeds); None for all."""
    import json

    from nasbench.errors import InputError

    found = {tuple(json.loads(config or "{}").get(which) or ()) for config in runs["config"]}
    if len(found) > 1:
        texts = [",".join(map(str, seeds)) or "all" for seeds in sorted(found)]
        raise InputError(f"these runs differ in {which} ({' against '.join(texts)}); choose those of one with --where")
    return next(iter(found), ()) or None
