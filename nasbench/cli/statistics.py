"""`nasbench ranks|profiles|targets|regret|correlations`: statistics over one table or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.loading import (
    allow_option,
    echo_table,
    files_argument,
    load,
    load_judged,
    seed_option,
    where_option,
)
from nasbench.cli.measured import measurements_of, measurements_option
from nasbench.cli.options import by_option, csv_option, measure_option, write_csv
from nasbench.cli.output import note
from nasbench.cli.plotting import plot_options, save_figure
from nasbench.cli.table_formats import print_table_as, table_format_option
from nasbench.runners.search.budget_of_runs import budget_in, budget_unit, one_budget
from nasbench.scores import judged_by

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nasbench.store.query import Results

_optimum = click.option(
    "--table",
    "tables",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Complete table that was searched; its best score is the optimum. Once per table  [the best score of these runs].",
)
_data = click.option("--data", default=None, help="Data set to look for in --table  [that of the runs].")


@click.command()
@files_argument
@where_option
@measure_option()
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
      nasbench ranks cifar10.h5 cifar100.h5 imagenet16.h5 --score test_acc
    """
    from nasbench.analysis.comparison.checks import check_tables
    from nasbench.analysis.statistics.rank_course import course_text, ranks_over_budget
    from nasbench.analysis.statistics.ranks import (
        average_rank_intervals,
        average_ranks,
        draw_critical_difference,
        friedman,
        left_out,
    )
    from nasbench.analysis.statistics.saturation import saturation_note
    from nasbench.errors import InputError

    frame, runs, _, measure = load_judged(files, where, measure)
    notes = check_tables(frame, runs, allow)
    scores, about = _known_scores(frame, runs, measure), _about(frame, runs, measure)
    try:
        by = budget_unit(runs)
        budgets = {name: one_budget(mine, by) for name, mine in runs.groupby(runs["space"] + ", " + runs["data"])}
        course = course_text(ranks_over_budget(frame, runs, by, measure, budgets=budgets))
    except InputError as error:  # the ranks at the end need the last choices alone
        course = f"No ranks over the budget: {error}."
    notes += filter(None, [course, saturation_note(scores)])
    if scores["table"].nunique() == 1:
        data, figure = _ranks_of_one(scores, notes, about)
    else:
        data = average_ranks(scores).merge(average_rank_intervals(scores), on="strategy")
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
    key = f"Ranks: 1 is best. {bars}"
    return data, _figure(lambda ax: draw_critical_difference(data, ax, None, groups), about, key, notes, 3.4)


@click.command()
@files_argument
@where_option
@measure_option()
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
    tables: Sequence[str],
    data: str | None,
    allow: Sequence[str],
    seed: int,
    output: str | None,
    csv: str | None,
) -> None:
    """Performance profiles: the share of runs that end within each regret, for all regrets at once.

    \b
    Example:
      nasbench profiles replays.h5 --table results/digits201.h5 --score test_acc
    """
    from nasbench.analysis.comparison.checks import check_tables
    from nasbench.analysis.statistics.final_scores import below_best
    from nasbench.analysis.statistics.profiles import draw_performance_profile, performance_profile, regret_summary

    frame, runs, _, measure = load_judged(files, where, measure)
    notes = check_tables(frame, runs, allow)
    optimum, said = _best(tables, data, measure, frame, runs)
    scores = _known_scores(frame, runs, measure)
    regrets = below_best(scores, optimum)
    notes.append(f"Regret to {said}.")
    means = regret_summary(regrets, seed)
    echo_table(means[["strategy", "statistic", "value", "low", "high", "interval"]], notes)
    profile = performance_profile(regrets)
    write_csv(means, csv)
    figure = _figure(
        lambda ax: draw_performance_profile(profile, ax), _about(frame, runs, measure), f"Regret to {said}.", notes
    )
    save_figure(figure, output, files, "profiles", profile)


@click.command()
@files_argument
@where_option
@click.option("--target", default=None, type=float, help="Score to reach; an accuracy is in [0, 1].")
@click.option(
    "--share-of-best",
    "share",
    default=None,
    type=float,
    help="Alternative: a share of the optimum, e.g. 0.99; see --table.",
)
@measure_option()
@by_option
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
    tables: Sequence[str],
    data: str | None,
    allow: Sequence[str],
    output: str | None,
    csv: str | None,
) -> None:
    """Budget needed to reach a score.

    Runs that never reach it are censored at the end of their budget (Kaplan-Meier), not dropped. Runs of several tables
    are never put together.

    \b
    Example:
      nasbench targets replays.h5 --share-of-best 0.99 --table results/digits201.h5 --score test_acc
    """
    import pandas as pd

    from nasbench.analysis.comparison.anytime import budget_label
    from nasbench.analysis.comparison.checks import check_tables
    from nasbench.analysis.inference.verdicts import after_holm
    from nasbench.analysis.statistics.targets import budget_to_target, compare_reaches, survival, target_summary
    from nasbench.errors import InputError

    if (target is None) == (share is None):
        raise InputError("give --target SCORE or --share-of-best SHARE, one of them, e.g. --target 0.9")
    if share is not None and not 0 < share <= 1:
        raise InputError(f"--share-of-best is in (0, 1], got {share:g}")
    frame, runs, _, measure = load_judged(files, where, measure)
    notes = check_tables(frame, runs, allow)
    score = judged_by()
    words = f"{target:.4g}" if target is not None else ""
    aims: float | dict[str, float] | None = target
    if share is not None:
        optimum, said = _best(tables, data, measure, frame, runs)
        tops = _found(frame, runs, measure) if optimum is None else optimum
        # A share of a number below 0 would be better than the best itself.
        near = {name: share * top if top > 0 else top / share for name, top in tops.items()}
        aims, words = {name: score.sign * value for name, value in near.items()}, f"{100 * share:g}% of the best"
        for name, top in tops.items():
            on = f" on {name}" if len(tops) > 1 else ""
            notes.append(f"{words}{on}: {score.number(near[name])}, of {score.number(top)}, {said}.")
    assert aims is not None
    by = by or budget_unit(runs)
    budget = _table_budgets(frame, runs, by, measure)
    reaches = budget_to_target(frame, runs, aims, by, measure, budget)
    groups = dict(iter(reaches.groupby("table", sort=True)))
    parts, curves, made = [], {}, []
    for name, mine in groups.items():
        summary = target_summary(mine)
        if "random" in set(mine["strategy"]) and mine["strategy"].nunique() > 1:
            tests = compare_reaches(mine)
            made.append(int(tests["p_holm"].notna().sum()))
            found = tests[["strategy", "p_holm"]].rename(columns={"p_holm": "p against random"})
            summary = summary.merge(found, on="strategy", how="left")
        summary.insert(0, "table", name)
        parts.append(summary)
        curves[name] = survival(mine)
    summary = pd.concat(parts, ignore_index=True)
    columns = ["strategy", "n", "reached", "median", "median_low", "median_high", "mean", "mean_low", "mean_high"]
    columns = [*(["table"] if len(groups) > 1 else []), *columns, *summary.columns.intersection(["p against random"])]
    unit = budget_label(by, reaches["unit"].iloc[0])
    notes.append(_restricted(reaches, unit, _whose_budget(budget, "the budget")))
    if "p against random" in columns:
        each = " per table" if len(groups) > 1 else ""
        notes.append(f"p against random (log-rank) {after_holm(max(made))}{each}.")
    echo_table(summary[columns], notes)
    write_csv(summary, csv)
    aimed = " / ".join(
        f"{value:.4f}" if score.is_accuracy else f"{value:.4g}"
        for value in reaches.drop_duplicates("table").sort_values("table")["target"]
    )
    key = f"Target {aimed}. A + is a run that ended without reaching it."
    figure = _panels(
        {name: _drawn_targets(each, by, words) for name, each in curves.items()},
        _about(frame, runs, measure),
        key,
        notes,
    )
    curves_of_all = pd.concat([each.assign(table=name) for name, each in curves.items()], ignore_index=True)
    save_figure(figure, output, files, "targets", curves_of_all)


@click.command()
@files_argument
@where_option
@measure_option()
@by_option
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
    tables: Sequence[str],
    data: str | None,
    allow: Sequence[str],
    seed: int,
    output: str | None,
    csv: str | None,
) -> None:
    """Mean regret of each run: how far below the best it was, on average over its whole budget.

    Before its first score a run has chosen nothing, which counts as accuracy 0; "waiting" is that part of the mean.

    \b
    Example:
      nasbench regret replays.h5 --table results/digits201.h5
    """
    from nasbench.analysis.comparison.anytime import budget_label, hours_unit
    from nasbench.analysis.comparison.checks import check_tables
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.analysis.statistics.regret_area import area_summary, draw_regret_areas, regret_areas

    frame, runs, _, measure = load_judged(files, where, measure, COMPARED)
    notes = check_tables(frame, runs, allow)
    optimum, said = _best(tables, data, measure, frame, runs)
    by = by or budget_unit(runs)
    budget = _table_budgets(frame, runs, by, measure)
    areas = regret_areas(frame, runs, by, measure, optimum, budget)
    summary = area_summary(areas, seed)
    notes.append(
        _whole_budget(areas, budget_label(by, hours_unit(frame)), said, _whose_budget(budget, "the whole budget"))
    )
    several = areas["table"].nunique() > 1
    shown = [*(["table"] if several else []), "strategy", "runs", "mean", "low", "high", "waiting", "interval"]
    unit = "fraction" if judged_by().is_accuracy else judged_by().unit
    echo_table(summary[shown].rename(columns={"mean": f"mean ({unit})" if unit else "mean"}), notes)
    write_csv(summary, csv)
    drawn = {str(name): partial(draw_regret_areas, mine) for name, mine in areas.groupby("table", sort=True)}
    figure = _panels(drawn, _about(frame, runs, measure), f"Regret to {said}.", notes)
    save_figure(figure, output, files, "mean-regret", areas)  # FILE-regret: what people give to replay --plot


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
@click.option(
    "--of",
    default=None,
    metavar="A,B[,...]",
    help="Instead: these columns of children or measured quantities, e.g. mult_adds,latency[batch=1].",
)
@measurements_option
@seed_option
@plot_options
@csv_option
def correlations(
    files: Sequence[str],
    where: str | None,
    between: str,
    of: str | None,
    measurements: Sequence[str],
    seed: int,
    output: str | None,
    csv: str | None,
) -> None:
    """Test whether a cheap score ranks architectures as an expensive one does.

    Prints Kendall's tau and Spearman's rho, over all architectures and over the best tenth.

    \b
    Example:
      nasbench import nasbench201 nb201_tss.npz -o nb201.h5
      nasbench correlations nb201.h5
      nasbench correlations results/digits201.h5 --of mult_adds,latency --measurements latencies.h5
    """
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.analysis.statistics.rank_correlation import (
        draw_rank_correlation,
        protocol_scores,
        rank_correlations,
        seed_scores,
    )
    from nasbench.errors import InputError

    if measurements and of is None:
        raise InputError("--measurements is of measured quantities: name them with --of, e.g. mult_adds,latency")
    frame, _, results = load(files, where)
    labels: dict[str, str] | None = None
    notes: list[str] = []
    if of is not None:
        scores, labels, notes = _values_of(frame, results, of, measurements)
    else:
        scores = protocol_scores(frame) if between == "protocols" else seed_scores(frame)
    table = rank_correlations(scores, seed)
    if of is not None:
        table = table[table["among"] == "all"]  # the best by a cost are the most expensive
    echo_table(
        table[["first", "second", "among", "n", "kendall", "kendall_low", "kendall_high", "spearman", "interval"]],
        notes,
    )
    write_csv(table, csv)
    known = table[(table["among"] == "all") & table["kendall"].notna()]
    if known.empty:
        note("no two scores share architectures; nothing to draw.")
        return
    first, second = known.sort_values("n", ascending=False, kind="stable").iloc[0][["first", "second"]]
    about = "; ".join([describe_rows(frame), *notes])
    figure = _figure(lambda ax: draw_rank_correlation(scores, ax, first, second, table, labels), about)
    save_figure(figure, output, files, "correlations", table if of is None else scores)


def _values_of(
    frame: pd.DataFrame, results: Results, of: str, others: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Return the values of each architecture, the labels of their axes, and how measured ones were measured."""
    from nasbench.analysis.statistics.rank_correlation import architecture_values
    from nasbench.store.format.schema import CHILD_COLUMNS
    from nasbench.store.measured import choose, join, measured_names, split_names

    names = split_names(of)
    measured = measurements_of(results, others)
    chosen = [choose(measured, name) for name in measured_names(names)]
    units = {column.name: f"{column.name} ({column.unit})" if column.unit else column.name for column in CHILD_COLUMNS}
    labels = {**units, **{each.name: each.label for each in chosen}}
    notes = [f"{each.quantity}: {each.conditions}{each.left_out}" for each in chosen]
    return architecture_values(join(frame, chosen), names), labels, notes


def _known_scores(frame: pd.DataFrame, runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Final scores, none of them unknown."""
    from nasbench.analysis.statistics.final_scores import final_scores, require_scores

    scores = final_scores(frame, runs, measure)
    require_scores(scores)
    return scores


def _best(
    tables: Sequence[str], data: str | None, measure: str, frame: pd.DataFrame, runs: pd.DataFrame
) -> tuple[dict[str, float] | None, str]:
    """Optimum of each table that the runs searched, if tables are given, and what the optimum is."""
    from nasbench.analysis.statistics.optima import optima
    from nasbench.analysis.statistics.regret_area import FOUND, KNOWN

    return (optima(tables, frame, runs, measure, data), KNOWN) if tables else (None, FOUND)


def _found(frame: pd.DataFrame, runs: pd.DataFrame, measure: str) -> dict[str, float]:
    """Best score of any run, by table."""
    from nasbench.analysis.statistics.final_scores import final_scores
    from nasbench.errors import InputError

    scores = final_scores(frame, runs, measure)
    known = scores[scores["scored"]].groupby("table")["score"].max()
    lacking = sorted(set(scores["table"]) - set(known.index))
    if lacking:
        raise InputError(
            f"no run on {', '.join(lacking)} has a {judged_by().name(measure)}, so that there is no best; give --target, or "
            f"--score {judged_by().val}"
        )
    return {str(name): float(best) for name, best in known.items()}


def _table_budgets(frame: pd.DataFrame, runs: pd.DataFrame, by: Any, measure: str) -> dict[str, float | None]:
    """Table -> budget of its runs in a unit: those of one table say nothing of another's."""
    from nasbench.analysis.comparison.reaching import table_of_runs

    groups = runs.groupby(table_of_runs(frame, runs, measure).to_numpy(), sort=True)
    return {str(name): budget_in(mine, by) for name, mine in groups}


def _whose_budget(budgets: Mapping[str, float | None], known: str) -> str:
    """Say what an analysis follows runs to: their budget, or what they spent."""
    otherwise = "what the run that spent least had spent"
    if all(value is not None for value in budgets.values()):
        return known
    if any(value is not None for value in budgets.values()):
        return f"{known}, or {otherwise} where the budget is in another unit"
    return f"{otherwise}: the budget is in another unit"


def _restricted(reaches: pd.DataFrame, unit: str, what: str) -> str:
    """What the restricted mean is of, in a sentence."""
    ends = reaches.drop_duplicates("table").sort_values("table")["horizon"]
    until = " / ".join(f"{end:.4g}" for end in ends)
    return (
        f"By {unit}. Median: of all runs, by Kaplan-Meier; NaN where fewer than half reached the target. Mean: "
        f"restricted to {until} ({what}), that is what a run spends until it reaches the target or that much."
    )


def _whole_budget(areas: pd.DataFrame, unit: str, said: str, whole: str) -> str:
    """What the areas cover, in a sentence."""
    ends = " / ".join(f"{end:.4g}" for end in areas.drop_duplicates("table").sort_values("table")["budget"])
    return (
        f"Mean of the regret to {said}, over {unit} from 0 to {ends} ({whole}); {judged_by().no_choice_words} before a run's first "
        "score."
    )


def _drawn_targets(curves: pd.DataFrame, by: str, words: str) -> Callable[[Axes], None]:
    from nasbench.analysis.statistics.targets import draw_targets

    return lambda ax: draw_targets(curves, ax, by, words)


def _panels(
    draws: Mapping[str, Callable[[Axes], None]], about: str, key: str, notes: Sequence[str], height: float = 4.4
) -> Figure:
    """Make a figure of one plot per table, one below the other, with its caption."""
    from nasbench.analysis.plotting import style
    from nasbench.analysis.plotting.captions import caption

    if len(draws) == 1:
        return _figure(next(iter(draws.values())), about, key, notes, height)
    with style.theme():
        figure = style.new_figure(7.0, height * len(draws))
        axes = figure.subplots(len(draws))
        caption(figure, about, key, notes)
        for ax, (name, draw) in zip(axes, draws.items()):
            draw(ax)
            ax.set_title(f"{name}. {ax.get_title(loc='left')}".rstrip(". "), loc="left")
    return figure


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
