"""`nasbench compare|curves|cost|pareto|claims`: a table on the terminal, and PNG, SVG and CSV beside the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.loading import (
    allow_option,
    echo_table,
    files_argument,
    load,
    output_option,
    save_figure,
    seed_option,
    where_option,
)
from nasbench.cli.options import csv_option, write_csv

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.pricing import PriceTable


@click.command()
@files_argument
@click.option(
    "--by",
    default="gpu_hours",
    show_default=True,
    type=click.Choice(["gpu_hours", "children", "usd", "wall"]),
    help="The budget axis.",
)
@where_option
@allow_option
@seed_option
@output_option
def compare(
    files: Sequence[str], by: Any, where: str | None, allow: Sequence[str], seed: int, output: str | None
) -> None:
    """Compare strategies: best validation so far by budget spent, and the incumbents' test accuracy.

    \b
    Example:
      nasbench compare results/demo.h5 --by children
    """
    from nasbench.analysis.checks import check_comparable
    from nasbench.analysis.compare import anytime, bands, plot_compare, readable, summarize

    frame, runs, _ = load(files, where)
    notes = check_comparable(frame, runs, allow)
    echo_table(readable(summarize(frame, runs, seed=seed)), notes)
    data = bands(anytime(frame, runs, by), seed=seed)
    save_figure(plot_compare(data, notes), output, files, "compare", data)


@click.command()
@files_argument
@where_option
@click.option("--best", default=5, show_default=True, help="Curves to put in front.")
@output_option
def curves(files: Sequence[str], where: str | None, best: int, output: str | None) -> None:
    """Draw the learning curves of the children, the best ones in front.

    \b
    Example:
      nasbench curves results/demo.h5 --where "strategy == 'ppo'"
    """
    from nasbench.analysis.curves import learning_curves, plot_curves

    frame, _, results = load(files, where)
    data = learning_curves(results.all_curves(), frame, best)
    front = data[data["front"]].groupby("rank").tail(1).sort_values("rank")
    echo_table(front[["rank", "strategy", "hash", "epoch", "val_acc"]], ())
    save_figure(plot_curves(data), output, files, "curves", data)


@click.command()
@click.argument("files", nargs=-1)
@click.option(
    "--published", is_flag=True, help="Price the published searches instead, in both readings of their figures."
)
@where_option
@click.option("--target", default=None, type=float, help="Validation accuracy in [0, 1]: what did it cost to reach it?")
@click.option("--at", default=None, help="Price all hours at this device, e.g. V100; see: nasbench devices.")
@click.option("--price", default=None, help="USD per device-hour, or a CSV price table of your own.")
@output_option
def cost(
    files: Sequence[str],
    published: bool,
    where: str | None,
    target: float | None,
    at: str | None,
    price: str | None,
    output: str | None,
) -> None:
    """GPU-hours and USD by ledger category, per child, and to reach an accuracy; or of the published searches.

    \b
    Example:
      nasbench cost results/demo.h5 --target 0.9 --at V100
      nasbench cost --published --at V100 -o results/published-cost
    """
    from nasbench.errors import InputError
    from nasbench.pricing import prices_from

    prices = prices_from(price) if price else None
    if published:
        _cost_of_published(at, prices, output)
        return
    if not files:
        raise InputError("nasbench cost needs results files, or --published for the published searches")
    from nasbench.analysis.cost import cost_by_strategy, plot_cost

    frame, runs, _ = load(files, where)
    data = cost_by_strategy(frame, runs, prices, target, at)
    columns = ["strategy", "runs", "gpu_hours", "usd", "children", "hours_per_child", "usd_per_child"]
    shown = data[columns + (["to_target"] if target is not None else [])]
    echo_table(shown, [f"Priced at: {'; '.join(sorted(set(data['priced_at'])))}."])
    save_figure(plot_cost(data), output, files, "cost", data)


def _cost_of_published(at: str | None, prices: PriceTable | None, output: str | None) -> None:
    from nasbench.analysis.published_cost import cost_notes, plot_published_cost, published_cost

    data = published_cost(at, prices)
    columns = ["search", "reading", "arithmetic", "gpu_hours", "own_price", "own_usd"]
    notes = cost_notes(data)
    echo_table(data[columns + (["at_usd"] if at is not None else [])], notes)
    if output is not None:
        save_figure(plot_published_cost(data), output, (), "", data)


@click.command()
@files_argument
@where_option
@click.option("-y", "--score", default="val_acc", show_default=True, help="val_acc, val_acc_best or test_acc.")
@click.option(
    "--objectives",
    default=None,
    metavar="A,B[,C]",
    help="Two or three to be small: error, params, mult_adds, gpu_hours, usd, latency  [error by params, and by mult_adds].",
)
@click.option(
    "--reference",
    default=None,
    metavar="A,B[,C]",
    help="Worst corner of the hypervolume, a number for each objective  [error 1; of a cost the power of ten above the largest].",
)
@seed_option
@output_option
@csv_option
def pareto(
    files: Sequence[str],
    where: str | None,
    score: str,
    objectives: str | None,
    reference: str | None,
    seed: int,
    output: str | None,
    csv: str | None,
) -> None:
    """Fronts of two or three objectives, exact, with hypervolumes, and what a share of the runs attains.

    Without --objectives: accuracy against parameters and multiply-adds, side by side.

    \b
    Example:
      nasbench pareto results/demo.h5 --score test_acc
      nasbench pareto results/claims.h5 --objectives error,params,mult_adds
    """
    from nasbench.analysis.checks import require_columns
    from nasbench.analysis.pareto import without_score
    from nasbench.errors import InputError

    if reference is not None and objectives is None:
        raise InputError("--reference is of the objectives: give them with --objectives, e.g. error,params")
    frame, _, _ = load(files, where)
    require_columns(frame, (score,), "the children")
    left_out = without_score(frame, score)
    notes = [f"{left_out} children without a score are not shown."] if left_out else []
    if objectives is not None:
        table, data, figure = _objectives(frame, objectives, score, reference, seed, notes)
    else:
        table, data, figure = _accuracy_by_size(frame, score, notes)
    echo_table(table, notes)
    write_csv(table, csv)
    save_figure(figure, output, files, "pareto", data)


def _accuracy_by_size(frame: pd.DataFrame, score: str, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    import pandas as pd

    from nasbench.analysis.pareto import hypervolume, pareto_front, plot_pareto

    fronts = {x: pareto_front(frame, x, score) for x in ("params", "mult_adds")}
    volumes = pd.concat([hypervolume(front, x, score).assign(cost=x) for x, front in fronts.items()], ignore_index=True)
    data = pd.concat([front.assign(cost=x) for x, front in fronts.items()], ignore_index=True)
    shown = volumes[["cost", "strategy", "points", "front", "hypervolume", "reference_x"]]
    return shown, data, plot_pareto(fronts, score, notes)


def _objectives(
    frame: pd.DataFrame, text: str, score: str, reference: str | None, seed: int, notes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, Figure]:
    """Volumes of all points and of single runs; the points; and the figure. Where the reference lies is added to the notes."""
    from nasbench.analysis import objectives as pareto

    names = pareto.parse_objectives(text)
    single = pareto.objective_points(frame, names, score, by_run=True)
    points = pareto.objective_front(pareto.objective_points(frame, names, score), names)
    corner = pareto.parse_reference(reference, names) if reference else pareto.reference_point(points, names)
    volumes = pareto.objective_volumes(points, names, corner)
    runs = pareto.run_volumes(single, names, corner, seed).rename(columns={"mean": "a run", "runs": "of runs"})
    table = volumes[["strategy", "points", "front", "hypervolume"]].merge(runs, on="strategy", how="left")
    units = ", ".join(f"{name} {corner[name]:g}" for name in names)
    notes.append(f"Hypervolume up to {units}, of the logarithms (base 10) of costs: larger is better.")
    what = {"val_acc": "validation error (fraction)", "test_acc": "test error (fraction)"}.get(score, f"1 - {score}")
    surfaces = pareto.attainment(single, names) if len(names) == 2 and len(single) else None
    return table, points, pareto.plot_objectives(points, names, surfaces, notes, what if names[0] == "error" else "")


@click.command()
@files_argument
@where_option
@allow_option
@seed_option
@output_option
def claims(files: Sequence[str], where: str | None, allow: Sequence[str], seed: int, output: str | None) -> None:
    """Test the notes' claim: is random search good, though slightly worse? Top 1, 5 and 25 by children, and a verdict.

    \b
    Example:
      nasbench claims results/claims.h5
    """
    from nasbench.analysis.checks import check_comparable
    from nasbench.analysis.claims import differences, plot_tops, top_means, verdict

    frame, runs, _ = load(files, where)
    notes = check_comparable(frame, runs, allow)
    data = top_means(frame)
    table = differences(data, seed=seed)
    echo_table(table, notes)
    lines = verdict(table)
    click.echo("\n" + "\n".join(lines) + "\n")
    save_figure(plot_tops(data, [*lines, *notes]), output, files, "claims", data)
