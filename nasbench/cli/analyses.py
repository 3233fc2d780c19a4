"""`nasbench compare|curves|cost|pareto|claims`: print a table, and save pictures, CSV and caption beside the results."""

from __future__ import annotations

from collections.abc import Sequence
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
from nasbench.cli.options import (
    BUDGET_AXES,
    as_in_frames,
    csv_option,
    margin_given,
    margin_option,
    measure_option,
    write_csv,
)
from nasbench.cli.plotting import plot_options, save_figure
from nasbench.cli.table_formats import print_table_as, table_format_option
from nasbench.cli.user_defaults import usual_price
from nasbench.scores import ACCURACY, TEST_ACC, VAL_ACC, judged_by

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.costs.pricing import PriceTable


@click.command()
@files_argument
@click.option(
    "--by",
    default="gpu_hours",
    show_default=True,
    type=BUDGET_AXES,
    help="The budget axis.",
)
@where_option
@allow_option
@seed_option
@click.option(
    "--bands",
    "kind",
    default="pointwise",
    show_default=True,
    type=click.Choice(["pointwise", "simultaneous"]),
    help="Bands for each budget by itself, or for the whole line, which takes 10 seeds.",
)
@click.option("--test", "test", is_flag=True, help="Print pairwise tests of the final scores instead of the summary.")
@click.option(
    "--baseline",
    default=None,
    callback=as_in_frames,
    help="With --test: compare each strategy with this one only  [all pairs].",
)
@click.option("--pairs", is_flag=True, help="With --test: runs of equal seeds are pairs.")
@measure_option(
    "Score of the runs: accuracy, or what they state; val_loss, or a measured quantity such as val_ssim. With --test, "
    "test_acc is the test score of a run's choice."
)
@margin_option
@table_format_option
@plot_options
def compare(
    files: Sequence[str],
    by: Any,
    where: str | None,
    allow: Sequence[str],
    seed: int,
    kind: str,
    test: bool,
    baseline: str | None,
    pairs: bool,
    measure: str,
    margin: float | None,
    table_format: str,
    output: str | None,
) -> None:
    """Compare strategies: best validation accuracy so far by budget spent, and the incumbents' test accuracy.

    \b
    Example:
      nasbench compare results/demo.h5 --by children
      nasbench compare results/claims.h5 --test --baseline random --table-format latex
    """
    from nasbench.analysis.comparison.bands import without_simultaneous
    from nasbench.analysis.comparison.checks import check_comparable
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.analysis.comparison.compare import (
        anytime,
        bands,
        counted_notes,
        known_axis,
        plot_compare,
        readable,
        summarize,
        with_simultaneous,
    )
    from nasbench.analysis.comparison.sharing import computed_once
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.analysis.statistics.selection import has_fresh_scores, readable_noise, selection_noise
    from nasbench.errors import InputError
    from nasbench.store.judged import require_both_parts

    if not test and (pairs or baseline is not None):
        raise InputError("--baseline and --pairs are of pairwise tests: give them with --test")
    if test and output is not None:
        raise InputError("--test draws no picture: leave -o out, and pipe the table into a file (--table-format)")
    frame, runs, _, measure = load_judged(files, where, measure, COMPARED)
    notes = check_comparable(frame, runs, allow)
    if test:
        _pairwise(frame, runs, notes, measure, baseline, pairs, margin_given(margin), table_format)
        return
    require_both_parts(judged_by())
    notes = (*notes, *counted_notes(frame))
    with computed_once():  # both need the courses of the runs
        summary = summarize(frame, runs)
        by, unknown = known_axis(frame, runs, by)
        states = anytime(frame, runs, by, scores_only=True)
    data = bands(states, seed=seed)
    del states
    notes = (*notes, unknown) if unknown else notes
    if kind == "simultaneous":
        notes = (*notes, *without_simultaneous(data))
        data = with_simultaneous(data)
    print_table_as(table_format, readable(summary), notes)
    if has_fresh_scores(frame):
        click.echo(
            "\nThe searches' choices, by the score that chose them and by trainings with other seeds (validation):",
            err=table_format != "text",
        )
        print_table_as(table_format, readable_noise(selection_noise(frame, runs)), ())
    save_figure(
        plot_compare(data, notes, describe_rows(frame, ("val_acc", "test_acc"), len(runs))),
        output,
        files,
        "compare",
        data,
    )


def _pairwise(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    notes: Sequence[str],
    measure: str,
    baseline: str | None,
    pairs: bool,
    margin: float | None,
    table_format: str,
) -> None:
    """Print pairwise tests of the runs' final scores, and their sentences."""
    from nasbench.analysis.inference.verdicts import RANK_TESTS, after_holm
    from nasbench.analysis.statistics.comparison_table import comparison_of_pairs, comparison_table, pairs_note
    from nasbench.analysis.statistics.final_scores import final_scores, require_scores
    from nasbench.analysis.statistics.saturation import saturation_note

    scores = final_scores(frame, runs, measure)
    require_scores(scores)
    notes = [*notes, *filter(None, [pairs_note(runs) if pairs else "", saturation_note(scores)])]
    table = comparison_of_pairs(scores, baseline, margin) if pairs else comparison_table(scores, baseline, margin)
    what = "Wilcoxon's, of runs of equal seeds" if pairs else f"the {RANK_TESTS}"
    said = [
        f"Of {judged_by().name(measure)}; p is {what}, p_holm {after_holm(int(table['comparisons'].max()))}; intervals (95%, of the "
        "mean) and detectable differences (80% power) are of one comparison alone."
    ]
    if measure == "val_acc" and final_scores(frame, runs, "test_acc")["scored"].all():
        said.append(
            "It is the score by which each run chose, and chosen scores are lucky ones; every run has a test score of its choice, "
            "too: --score test_acc."
        )
    shown = table.drop(columns=["verdict", "comparisons"])
    print_table_as(table_format, shown, [*notes, *said, *(f"{line}." for line in table["verdict"])])


@click.command()
@files_argument
@where_option
@click.option("--best", default=5, show_default=True, help="Number of curves in front.")
@measure_option("Score of the curves: accuracy, or what the runs state; val_loss, or a quantity with curves.")
@plot_options
def curves(files: Sequence[str], where: str | None, best: int, measure: str, output: str | None) -> None:
    """Draw the learning curves of the children, the best ones in front.

    \b
    Example:
      nasbench curves results/demo.h5 --where "strategy == 'ppo'"
    """
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.analysis.comparison.curves import CURVE_COLUMNS, learning_curves, plot_curves, require_curves
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.store.judged import LOSS, courses_of

    frame, _, results, _ = load_judged(files, where, measure, COMPARED)
    score = judged_by()
    courses = courses_of(
        results.all_curves([*CURVE_COLUMNS, *(["val_loss"] if score == LOSS else [])], as_categories=True),
        results.measurements(),
        score,
    )
    data = learning_curves(courses, frame, best, as_categories=True)
    require_curves(data, len(frame))
    front = data[data["front"]].groupby("rank").tail(1).sort_values("rank")
    echo_table(front[["rank", "strategy", "hash", "epoch", "val_acc"]].rename(columns={"val_acc": score.val}), ())
    save_figure(plot_curves(data, (), describe_rows(frame, ("val_acc",)), frame), output, files, "curves", data)


@click.command()
@click.argument("files", nargs=-1)
@click.option(
    "--published", is_flag=True, help="Price the published searches instead, in both readings of their numbers."
)
@where_option
@click.option(
    "--target", default=None, type=float, help="Also print the cost of reaching this validation score (see --score)."
)
@measure_option("Score of --target: accuracy, or what the runs state; val_loss, or a quantity such as val_ssim.")
@click.option("--at", default=None, help="Price all hours at this device, e.g. V100; see: nasbench devices.")
@click.option(
    "--price",
    "--prices",
    "price",
    default=None,
    help="USD per device-hour, or your own CSV price table, with sources.",
)
@click.option(
    "--on", default=None, metavar="A,B,...", help="Estimate the same searches on other devices, e.g. V100,A100,H100."
)
@click.option(
    "--from", "ran_on", default=None, help="With --on: device of the hours if rows name none, e.g. in replays."
)
@click.option("--speeds", default=None, help="With --on: your own CSV of peak speeds  [the shipped one].")
@click.option(
    "--rates",
    default=None,
    help="With --on: a benchmark record; rates measured on both devices are preferred to peaks.",
)
@click.option(
    "--carbon-intensity",
    "carbon",
    default=None,
    metavar="REGION|NUMBER",
    help="Also print CO2e of the measured energy: a region such as FR (mean of 2021), or grams per kWh.",
)
@allow_option
@plot_options
@csv_option
@table_format_option
def cost(
    files: Sequence[str],
    published: bool,
    where: str | None,
    target: float | None,
    measure: str,
    at: str | None,
    price: str | None,
    on: str | None,
    ran_on: str | None,
    speeds: str | None,
    rates: str | None,
    carbon: str | None,
    allow: Sequence[str],
    output: str | None,
    csv: str | None,
    table_format: str,
) -> None:
    """Cost in device-hours and USD by ledger category, per child, and to reach an accuracy.

    With --on, also estimated on other devices; with --published, of the published searches. Energy is what hardware
    counters measured (RAPL of processors, NVML of GPUs); without a reading there is neither energy nor CO2e.

    \b
    Example:
      nasbench cost results/demo.h5 --target 0.9 --at V100
      nasbench cost results/claims.h5 --on V100,A100,H100
      nasbench cost --published --at V100 -o results/published-cost
    """
    from nasbench.analysis.comparison.checks import check_tables
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.costs.carbon import intensity_of
    from nasbench.costs.pricing import prices_from
    from nasbench.errors import InputError

    if not published and (at is not None or on is not None):  # elsewhere, prices are those that were charged
        price = usual_price(price)
    prices = prices_from(price) if price else None
    if on is None and (ran_on or speeds or rates):
        raise InputError(
            "--from, --speeds and --rates are of estimates for other devices: name these by --on, e.g. --on A100"
        )
    if carbon is not None and (published or on is not None):
        raise InputError("--carbon-intensity is of measured energy: not with --published or --on")
    intensity = None if carbon is None else intensity_of(carbon)
    if published:
        if on is not None:
            raise InputError("--on is for results files; published searches are priced at another device by --at")
        if allow:
            raise InputError("--allow is for results files: published searches are not checked")
        if files:
            raise InputError(f"--published prices the published searches and not {files[0]}: leave one of them out")
        if where is not None or target is not None:
            option = "--where" if where is not None else "--target"
            raise InputError(f"{option} is for results files: leave it or --published out")
        _cost_of_published(at, prices, output, csv, table_format)
        return
    if not files:
        raise InputError("nasbench cost needs results files, or --published for the published searches")
    frame, runs, _, _ = load_judged(files, where, measure, COMPARED)
    notes = check_tables(frame, runs, allow)
    if on is not None:
        if at is not None or target is not None:
            raise InputError(
                "--on estimates other devices' hours; --at and --target are of the hours as run: give one of them"
            )
        data, figure = _cost_elsewhere(frame, runs, on, prices, ran_on, speeds, rates, notes, table_format)
        write_csv(data, csv)
        save_figure(figure, output, files, "elsewhere", data)
        return
    import pandas as pd

    from nasbench.analysis.comparison.reaching import table_of_runs
    from nasbench.analysis.costs.cost import cost_by_strategy, part_cores_note, plot_cost, uncounted_note
    from nasbench.analysis.costs.cost_on_other_devices import emissions, emissions_note, energy_by_strategy, energy_note
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.runners.search.budget_of_runs import budget_in
    from nasbench.store.format.schema import LEDGER_CATEGORIES

    energies, costs = [], []
    for name, mine in runs.groupby(table_of_runs(frame, runs).to_numpy(), sort=True):
        children = frame[frame["run"].isin(set(mine["run"]))]
        each = cost_by_strategy(children, mine, prices, target, at, budget_in(mine, "gpu_hours"))
        energies.append(energy_by_strategy(mine))
        columns = ["strategy", "measured", "kwh"]
        if intensity is not None:
            energies[-1] = emissions(energies[-1], intensity)
            columns.append("co2e_grams")
        measured = energies[-1][columns].rename(columns={"measured": "runs_with_energy"})
        costs.append(each.merge(measured, on="strategy").assign(table=name))
    data, energy = pd.concat(costs, ignore_index=True), pd.concat(energies, ignore_index=True)
    parts = [f"{name}_hours" for name in LEDGER_CATEGORIES if data[f"{name}_hours"].gt(0).any()]
    shown = [
        "strategy",
        *(["table"] if len(costs) > 1 else []),
        "runs",
        *parts,
        "gpu_hours",
        "usd",
        "search_usd",
        "children",
        "hours_per_child",
        "usd_per_child",
    ]
    shown += ["to_target"] if target is not None else []
    shown += ["kwh", "co2e_grams"] if intensity is not None else []
    emitted = "" if intensity is None else emissions_note(energy, intensity)
    lines = (energy_note(energy), emitted, uncounted_note(runs), part_cores_note(frame, runs))
    said = " ".join(f"{line.rstrip('.')}." for line in lines if line)
    cost_scores = ("val_acc",) if target is not None else ()
    print_table_as(
        table_format,
        data[shown].rename(columns={"gpu_hours": data["unit"].iloc[0]}),
        [
            "Hours and USD: mean over runs; usd is of all hours, search_usd of those that count against the budget. Per child: median over children. To the target: median over runs (Kaplan-Meier).",
            f"Priced at: {'; '.join(sorted(set(data['priced_at'])))}.",
            *notes,
            said,
        ],
    )
    write_csv(data, csv)
    save_figure(
        plot_cost(data, [*notes, said], describe_rows(frame, cost_scores, len(runs))), output, files, "cost", data
    )


def _cost_elsewhere(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    on: str,
    prices: PriceTable | None,
    ran_on: str | None,
    speeds: str | None,
    rates: str | None,
    notes: Sequence[str],
    table_format: str,
) -> tuple[pd.DataFrame, Figure]:
    """Print the estimated cost of the searches on other devices."""
    import pandas as pd

    from nasbench.analysis.comparison.reaching import table_of_runs
    from nasbench.analysis.costs.cost_on_other_devices import (
        cost_on_other_devices,
        estimate_notes,
        plot_cost_on_other_devices,
    )
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.costs.speeds import rates_from, speeds_from
    from nasbench.costs.units import device_time
    from nasbench.errors import InputError

    devices = list(dict.fromkeys(part.strip() for part in on.split(",") if part.strip()))
    if not devices:
        raise InputError("--on takes devices, e.g. --on V100,A100; see: nasbench devices")
    peaks = speeds_from(speeds)
    measured = () if rates is None else rates_from(rates, peaks)
    each = []
    for name, mine in runs.groupby(table_of_runs(frame, runs).to_numpy(), sort=True):
        children = frame[frame["run"].isin(set(mine["run"]))]
        costs = cost_on_other_devices(children, mine, devices, prices, peaks, measured, ran_on)
        each.append(costs.assign(table=name))
    data = pd.concat(each, ignore_index=True)
    named = ["strategy", *(["table"] if len(each) > 1 else [])]
    shown = data[[*named, "runs", "device", "kind", "times", "gpu_hours", "usd"]]
    said = [*notes, *estimate_notes(data)]
    print_table_as(table_format, shown.rename(columns={"gpu_hours": device_time(data["device"])}), said)
    return data, plot_cost_on_other_devices(data, notes, describe_rows(frame, (), len(runs)))


def _cost_of_published(
    at: str | None, prices: PriceTable | None, output: str | None, csv: str | None, table_format: str
) -> None:
    from nasbench.analysis.costs.published_cost import cost_notes, plot_published_cost, published_cost

    data = published_cost(at, prices)
    columns = ["search", "reading", "arithmetic", "gpu_hours", "own_price", "own_usd"]
    notes = cost_notes(data)
    shown = data[columns + (["at_usd"] if at is not None else [])]
    print_table_as(table_format, shown.rename(columns={"gpu_hours": "GPU-hours"}), notes)
    write_csv(data, csv)
    if output is not None:
        save_figure(plot_published_cost(data), output, (), "", data)


@click.command()
@files_argument
@where_option
@click.option(
    "-y",
    "--score",
    default="val_acc",
    show_default=True,
    metavar="NAME",
    help="val_acc, test_acc (what the runs state, accuracy usually), val_acc_best, val_loss, or a measured quantity.",
)
@click.option(
    "--objectives",
    multiple=True,
    metavar="A,B[,C]",
    help="Two or three to minimize: error, params, mult_adds, gpu_hours, device_seconds, usd, "
    "validation_seconds_per_epoch, or a measured quantity such as latency[batch=1]; given again: fronts side by side  [error "
    "by params and by mult_adds].",
)
@click.option(
    "--reference",
    default=None,
    metavar="A,B[,C]",
    help="Reference point of the hypervolume: the worst value of each objective, in its own direction and unit  [error 1; cost: "
    "next power of ten; more is better: the least].",
)
@click.option(
    "--over",
    default=None,
    type=BUDGET_AXES,
    help="Hypervolume over this unit of spending, with bands and tests, instead of fronts; with --objectives.",
)
@measurements_option
@seed_option
@plot_options
@csv_option
def pareto(
    files: Sequence[str],
    where: str | None,
    score: str,
    objectives: Sequence[str],
    reference: str | None,
    over: Any,
    measurements: Sequence[str],
    seed: int,
    output: str | None,
    csv: str | None,
) -> None:
    """Exact Pareto fronts of two or three objectives, with hypervolumes and attainment surfaces over runs.

    Without --objectives: accuracy against parameters and multiply-adds, side by side. A measured quantity names its
    conditions where it was measured in several ways: latency[device=..., method=..., batch=...]. With --objectives two or
    three times, the fronts are side by side, with Kendall's tau between their costs.

    \b
    Example:
      nasbench pareto results/demo.h5 --score test_acc
      nasbench pareto results/claims.h5 --objectives error,params,mult_adds
      nasbench pareto results/claims.h5 --objectives error,params --over children
      nasbench pareto results/digits201.h5 --objectives error,latency --measurements latencies.h5
      nasbench pareto results/nb201.h5 --objectives error,params --objectives error,latency[device=pixel3]
    """
    from nasbench.analysis.comparison.checks import budgets_note, require_columns, unfinished_note
    from nasbench.analysis.comparison.columns import SIZED
    from nasbench.analysis.pareto.objectives import needed_columns, parse_objectives, reference_text, with_measured
    from nasbench.analysis.pareto.pareto import without_score
    from nasbench.analysis.pareto.volume_course import COURSE_COLUMNS
    from nasbench.errors import InputError
    from nasbench.store.format.schema import CHILD_COLUMNS
    from nasbench.store.judged import score_of_runs
    from nasbench.store.query import Results

    for option, given in (("--reference", reference), ("--measurements", measurements), ("--over", over)):
        if given and not objectives:
            raise InputError(f"{option} is of the objectives: give them with --objectives, e.g. error,params")
    chosen: list[tuple[str, ...]] = []
    if objectives:
        with Results(list(files)) as opened:
            measured = measurements_of(opened, measurements)
        chosen = [parse_objectives(each, set(measured["quantity"])) for each in objectives]
    with Results(list(files)) as opened:
        stated = score_of_runs(opened.runs()["config"]) or ACCURACY
    plain = {column.name for column in CHILD_COLUMNS if column.type == "float"} - {"val_loss", "test_loss"}
    if score in plain and (stated.is_accuracy or score not in (VAL_ACC, TEST_ACC)):
        course = () if over is None else COURSE_COLUMNS
        needed = list(dict.fromkeys(column for names in chosen for column in needed_columns(names, score)))
        frame, runs, _ = load(files, where, [*needed, *course, "data"] if chosen else [*dict.fromkeys((*SIZED, score))])
    else:
        frame, runs, _, score = load_judged(files, where, score)
        if any("error" in names for names in chosen) and not judged_by().is_accuracy:
            other = next((name for name in chosen[0] if name != "error"), "params")
            raise InputError(
                f"error is 1 - accuracy, and these runs are judged by {judged_by().name(score)}: name that in its place, e.g. "
                f"--objectives {judged_by().name(score)},{other}"
            )
    require_columns(frame, (score,), "the children")
    left_out = without_score(frame, score)
    notes = [f"{left_out:,} children without a score are not shown."] if left_out else []
    notes += filter(None, [unfinished_note(runs), budgets_note(runs)])
    if len(chosen) > 1:
        single = next((option for option, given in (("--reference", reference), ("--over", over)) if given), "")
        if single:
            raise InputError(f"{single} is of one front: give --objectives once with it")
        table, data, figure = _side_by_side(frame, chosen, measured, score, notes)
    elif chosen:
        frame, names, how = with_measured(frame, chosen[0], measured)
        notes.extend(f"{line}." for line in how)
        corner = _corner(frame, names, score, reference)
        notes.append(
            f"Hypervolume up to {reference_text(corner)}, of the logarithms (base 10) of costs: larger is better."
        )
        if over is None:
            table, data, figure = _objectives(frame, runs, names, score, corner, seed, notes, how)
        else:
            table, data, figure = _volumes_over(frame, runs, names, score, corner, over, seed, notes)
    else:
        table, data, figure = _accuracy_by_size(frame, runs, score, notes)
    echo_table(table, notes)
    write_csv(table, csv)
    save_figure(figure, output, files, "pareto", data)


def _error_label(score: str) -> str:
    return {"val_acc": "validation error (fraction)", "test_acc": "test error (fraction)"}.get(score, f"1 - {score}")


def _side_by_side(
    frame: pd.DataFrame, chosen: Sequence[Sequence[str]], measured: pd.DataFrame, score: str, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Compute the fronts over several costs; the table says how far the costs agree."""
    import pandas as pd

    from nasbench.analysis.pareto import objectives as pareto
    from nasbench.analysis.pareto.side_by_side import agreement_notes, check_pairs, cost_agreement, plot_side_by_side
    from nasbench.analysis.plotting.captions import describe_rows

    check_pairs(chosen)
    fronts, named, how = [], [], []
    for each in chosen:
        joined, names, said = pareto.with_measured(frame, each, measured)
        points = pareto.objective_points(joined, names, score)
        notes.extend(filter(None, [pareto.unmeasured_note(points)]))
        fronts.append(pareto.objective_front(points, names))
        named.append(names)
        how.extend(said)
    pairs = check_pairs(named)
    agreement = cost_agreement(fronts, pairs)
    data = pd.concat(
        [points.rename(columns={pair[1]: "cost"}).assign(over=pair[1]) for points, pair in zip(fronts, pairs)],
        ignore_index=True,
    )
    label = _error_label(score) if pairs[0][0] == "error" else ""
    about = "; ".join([describe_rows(frame, (score,) if pairs[0][0] == "error" else ()), *how])
    figure = plot_side_by_side(fronts, pairs, agreement, notes, label, about)
    notes.extend([*(f"{line}." for line in how), *agreement_notes(agreement)])
    return agreement, data, figure


def _accuracy_by_size(
    frame: pd.DataFrame, runs: pd.DataFrame, score: str, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    import pandas as pd

    from nasbench.analysis.pareto.pareto import hypervolume, lost_runs_note, pareto_front, plot_pareto
    from nasbench.analysis.plotting.captions import describe_rows

    notes.extend(filter(None, [lost_runs_note(frame, runs)]))
    fronts = {x: pareto_front(frame, x, score) for x in ("params", "mult_adds")}
    volumes = pd.concat([hypervolume(front, x, score).assign(cost=x) for x, front in fronts.items()], ignore_index=True)
    data = pd.concat([front.assign(cost=x) for x, front in fronts.items()], ignore_index=True)
    shown = volumes[["cost", "strategy", "points", "front", "hypervolume", "reference_x"]]
    data = judged_by().shown(data, [score]) if score in ("val_acc", "test_acc") else data
    return shown, data, plot_pareto(fronts, score, notes, describe_rows(frame, (score,)))


def _corner(frame: pd.DataFrame, names: Sequence[str], score: str, reference: str | None) -> dict[str, float]:
    """Return the reference point: the given one, or that of all architectures."""
    from nasbench.analysis.pareto.objectives import objective_points, parse_reference, reference_point

    if reference:
        return parse_reference(reference, names)
    return reference_point(objective_points(frame, names, score), names)


def _volumes_over(
    frame: pd.DataFrame,
    runs: pd.DataFrame,
    names: Sequence[str],
    score: str,
    corner: dict[str, float],
    over: Any,
    seed: int,
    notes: list[str],
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Compute volumes over the budget: at its quarters as the table, at all steps as the data; adds tests to the notes."""
    from nasbench.analysis.pareto import volume_course as course
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.runners.search.budget_of_runs import one_budget

    one_budget(runs, over)  # volumes of runs of several budgets are not compared
    courses = course.volume_courses(frame, runs, names, corner, score, over)
    data = course.volume_bands(courses, seed)
    notes.append("Medians over runs. Differences of the means at the end, with 95% intervals:")
    notes.extend(course.comparison_lines(course.volume_tests(courses)))
    shown = course.written(course.at_quarters(data))
    about = describe_rows(frame, (score,) if "error" in names else (), len(runs))
    return shown, data, course.plot_volume_course(data, notes, about)


def _objectives(
    frame: pd.DataFrame,
    all_runs: pd.DataFrame,
    names: Sequence[str],
    score: str,
    corner: dict[str, float],
    seed: int,
    notes: list[str],
    how: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Compute volumes (of all points and of single runs), points and figure; adds to the notes."""
    from nasbench.analysis.pareto import objectives as pareto
    from nasbench.analysis.pareto.objective_plots import plot_objectives
    from nasbench.analysis.plotting.captions import describe_rows

    single = pareto.objective_points(frame, names, score, by_run=True, runs=all_runs)
    points = pareto.objective_front(pareto.objective_points(frame, names, score), names)
    volumes = pareto.objective_volumes(points, names, corner)
    runs = pareto.run_volumes(single, names, corner, seed).rename(columns={"mean": "a run", "runs": "of runs"})
    table = volumes[["strategy", "points", "front", "hypervolume"]].merge(runs, on="strategy", how="left")
    notes.extend(filter(None, [pareto.unmeasured_note(points), pareto.lost_note(single), pareto.unknown_note(single)]))
    surfaces = pareto.surfaces_of_runs(single, names)
    label = _error_label(score) if names[0] == "error" else ""
    about = "; ".join([describe_rows(frame, (score,) if "error" in names else ()), *how])
    said = [line for line in notes if line.removesuffix(".") not in how]  # `about` has those
    return table, points, plot_objectives(points, names, surfaces, said, label, about)


@click.command()
@files_argument
@where_option
@allow_option
@margin_option
@table_format_option
@plot_options
def claims(
    files: Sequence[str],
    where: str | None,
    allow: Sequence[str],
    margin: float | None,
    table_format: str,
    output: str | None,
) -> None:
    """Test a claim of the lecture notes: is random search good, though slightly worse?

    Prints the mean of the top 1, 5 and 25 by children, and a verdict: differs (after Holm's correction over all
    comparisons), equivalent within the margin, or not shown to differ.

    \b
    Example:
      nasbench claims results/claims.h5
    """
    from nasbench.analysis.comparison.checks import check_comparable, of_surrogates
    from nasbench.analysis.comparison.columns import COMPARED
    from nasbench.analysis.comparison.random_search_claim import (
        differences,
        left_out_of_tops,
        plot_tops,
        top_means,
        verdict,
    )
    from nasbench.analysis.inference.equivalence import MARGIN
    from nasbench.analysis.inference.verdicts import after_holm
    from nasbench.analysis.plotting.captions import describe_rows
    from nasbench.errors import InputError

    frame, runs, _, _ = load_judged(files, where, columns=COMPARED)
    if not judged_by().is_accuracy:
        raise InputError(
            f"claims are of accuracies, and these runs are judged by {judged_by().val}; see: nasbench compare"
        )
    notes = [*check_comparable(frame, runs, allow)]
    about = describe_rows(frame, ("val_acc",), len(runs))
    data = top_means(frame, as_categories=True)
    del frame  # half of the memory, from here on
    table = differences(data, margin=margin_given(margin) or MARGIN)
    notes += [f"p_holm {after_holm(int(table['comparisons'].max()))}; an interval is of one comparison alone."]
    notes += left_out_of_tops(data, runs)
    shown = ["top", "strategy", "n_first", "n_second", "mean", "baseline_mean", "difference", "difference_low"]
    shown += ["difference_high", "p", "p_holm", "welch_p_holm", "tost_p_holm", "improvement", "detectable"]
    print_table_as(table_format, table[shown], notes)
    lines = verdict(table)
    click.echo("\n" + "\n".join(lines) + "\n", err=table_format != "text")
    figure = plot_tops(data, [*lines, *notes], about, predicted=bool(of_surrogates(runs)))
    save_figure(figure, output, files, "claims", data)
