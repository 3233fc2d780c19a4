"""`nasbench compare|curves|cost|pareto|claims`: a table on the terminal, and PNG, SVG and CSV beside the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.pricing import PriceTable
    from nasbench.store.query import Results

F = TypeVar("F", bound=Callable[..., Any])

_files = click.argument("files", nargs=-1, required=True)
_where = click.option("-w", "--where", default=None, help="Only children for which this pandas expression holds.")
_output = click.option("-o", "--output", default=None, help="Stem of the PNG, SVG and CSV [beside the first file].")
_allow = click.option(
    "--allow",
    multiple=True,
    metavar="CHECK",
    help="Compare although this check fails: protocol, data, space, budget, prices, children, duplicates, searcher, baseline or test.",
)


@click.command()
@_files
@click.option(
    "--by",
    default="gpu_hours",
    show_default=True,
    type=click.Choice(["gpu_hours", "children", "usd", "wall"]),
    help="The budget axis.",
)
@_where
@_allow
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@_output
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

    frame, runs, _ = _load(files, where)
    notes = check_comparable(frame, runs, allow)
    _print(readable(summarize(frame, runs, seed=seed)), notes)
    data = bands(anytime(frame, runs, by), seed=seed)
    _save(plot_compare(data, notes), output, files, "compare", data)


@click.command()
@_files
@_where
@click.option("--best", default=5, show_default=True, help="Curves to put in front.")
@_output
def curves(files: Sequence[str], where: str | None, best: int, output: str | None) -> None:
    """Draw the learning curves of the children, the best ones in front.

    \b
    Example:
      nasbench curves results/demo.h5 --where "strategy == 'ppo'"
    """
    from nasbench.analysis.curves import learning_curves, plot_curves

    frame, _, results = _load(files, where)
    data = learning_curves(results.all_curves(), frame, best)
    front = data[data["front"]].groupby("rank").tail(1).sort_values("rank")
    _print(front[["rank", "strategy", "hash", "epoch", "val_acc"]], ())
    _save(plot_curves(data), output, files, "curves", data)


@click.command()
@click.argument("files", nargs=-1)
@click.option(
    "--published", is_flag=True, help="Price the published searches instead, in both readings of their figures."
)
@_where
@click.option("--target", default=None, type=float, help="Validation accuracy in [0, 1]: what did it cost to reach it?")
@click.option("--at", default=None, help="Price all hours at this device, e.g. V100; see: nasbench devices.")
@click.option("--price", default=None, help="USD per device-hour, or a CSV price table of your own.")
@_output
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

    frame, runs, _ = _load(files, where)
    data = cost_by_strategy(frame, runs, prices, target, at)
    columns = ["strategy", "runs", "gpu_hours", "usd", "children", "hours_per_child", "usd_per_child"]
    shown = data[columns + (["to_target"] if target is not None else [])]
    _print(shown, [f"Priced at: {'; '.join(sorted(set(data['priced_at'])))}."])
    _save(plot_cost(data), output, files, "cost", data)


def _cost_of_published(at: str | None, prices: PriceTable | None, output: str | None) -> None:
    from nasbench.analysis.published_cost import cost_notes, plot_published_cost, published_cost

    data = published_cost(at, prices)
    columns = ["search", "reading", "arithmetic", "gpu_hours", "own_price", "own_usd"]
    notes = cost_notes(data)
    _print(data[columns + (["at_usd"] if at is not None else [])], notes)
    if output is not None:
        _save(plot_published_cost(data), output, (), "", data)


@click.command()
@_files
@_where
@click.option("-y", "--score", default="val_acc", show_default=True, help="val_acc, val_acc_best or test_acc.")
@_output
def pareto(files: Sequence[str], where: str | None, score: str, output: str | None) -> None:
    """Accuracy against parameters and multiply-adds, the front drawn, dominated points pale; with hypervolumes.

    \b
    Example:
      nasbench pareto results/demo.h5 --score test_acc
    """
    import pandas as pd

    from nasbench.analysis.pareto import hypervolume, pareto_front, plot_pareto, without_score

    frame, _, _ = _load(files, where)
    fronts = {x: pareto_front(frame, x, score) for x in ("params", "mult_adds")}
    volumes = pd.concat([hypervolume(front, x, score).assign(cost=x) for x, front in fronts.items()], ignore_index=True)
    left_out = without_score(frame, score)
    notes = [f"{left_out} children without a score are not shown."] if left_out else []
    _print(volumes[["cost", "strategy", "points", "front", "hypervolume", "reference_x"]], notes)
    data = pd.concat([front.assign(cost=x) for x, front in fronts.items()], ignore_index=True)
    _save(plot_pareto(fronts, score, notes), output, files, "pareto", data)


@click.command()
@_files
@_where
@_allow
@click.option("--seed", default=0, show_default=True, help="Seed of the bootstrap.")
@_output
def claims(files: Sequence[str], where: str | None, allow: Sequence[str], seed: int, output: str | None) -> None:
    """Test the notes' claim: is random search good, though slightly worse? Top 1, 5 and 25 by children, and a verdict.

    \b
    Example:
      nasbench claims results/claims.h5
    """
    from nasbench.analysis.checks import check_comparable
    from nasbench.analysis.claims import differences, plot_tops, top_means, verdict

    frame, runs, _ = _load(files, where)
    notes = check_comparable(frame, runs, allow)
    data = top_means(frame)
    table = differences(data, seed=seed)
    _print(table, notes)
    lines = verdict(table)
    click.echo("\n" + "\n".join(lines) + "\n")
    _save(plot_tops(data, [*lines, *notes]), output, files, "claims", data)


def _load(files: Sequence[str], where: str | None) -> tuple[pd.DataFrame, pd.DataFrame, Results]:
    """Children and runs of the files, and of the runs only those that have children left."""
    from nasbench.cli.query import select
    from nasbench.errors import InputError
    from nasbench.store.query import Results

    results = Results(list(files))
    frame, runs = results.frame(), results.runs()
    if where is not None:
        frame = select(frame, where, None, None)
        runs = runs[runs["run"].isin(set(frame["run"]))]
    if frame.empty:
        raise InputError(
            f"no children {'match ' + repr(where) if where else 'in'} {', '.join(files)}; see: nasbench query FILE"
        )
    return frame, runs, results


def _print(table: pd.DataFrame, notes: Sequence[str]) -> None:
    click.echo(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    for note in notes:
        click.echo(f"note: {note}")


def _save(figure: Figure, output: str | None, files: Sequence[str], what: str, data: pd.DataFrame) -> None:
    from nasbench.analysis.style import save

    stem = Path(output) if output else Path(files[0]).with_suffix("").with_name(f"{Path(files[0]).stem}-{what}")
    for path in save(figure, stem, data):
        click.echo(f"wrote {path}")
