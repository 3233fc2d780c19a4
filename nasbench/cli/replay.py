"""`nasbench replay`: search a complete table many times over, in seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench.cli.options import completing, pairs, print_table, strategy_names, take_over_option
from nasbench.errors import InputError

LINE_SECONDS = 10.0  # at most one plain line in this time

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.runners.replay import Replayed


@click.command()
@click.option(
    "--table",
    "path",
    required=True,
    type=click.Path(dir_okay=False),
    help="Archive of NAS-Bench-201 (.npz), or a results file whose children cover their space.",
)
@click.option("--data", default=None, help="For the archive: cifar10, cifar100 or imagenet16-120  [cifar10].")
@click.option("--space", default=None, help="The space that the table must be of; refused if it is another.")
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    shell_complete=completing(strategy_names),
    metavar="NAME[:KEY=VALUE,...]",
    help="Strategy with options, e.g. evolution:population=10; repeatable  [all with a published row].",
)
@click.option("--seeds", default=500, show_default=True, type=click.IntRange(min=1), help="Searches of each strategy.")
@click.option("--first-seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the first.")
@click.option(
    "--budget",
    default="12000 s",
    show_default=True,
    help='"12000 s" on the simulated clock, "100 children", "3 gpu-hours" or "3 usd".',
)
@click.option("--price", default=0.0, type=click.FloatRange(min=0), help="USD per device-hour, for budgets in USD.")
@click.option(
    "--jobs",
    "-j",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Processes that search at once; the result is the same.",
)
@click.option(
    "-o",
    "--output",
    default=None,
    type=click.Path(dir_okay=False),
    help="Results file (.h5) of all children, or CSV (.csv) of the choices.",
)
@click.option("--plot", default=None, help="Stem of a PNG, SVG and CSV of the regret by budget spent.")
@take_over_option
def replay(
    path: str,
    data: str | None,
    space: str | None,
    strategies: Sequence[str],
    seeds: int,
    first_seed: int,
    budget: str,
    price: float,
    jobs: int,
    output: str | None,
    plot: str | None,
    take_over: bool,
) -> None:
    """Search a complete table with the ledger and the stop rule of real runs, and print the published rows beside.

    Nothing is trained: a child takes, on a simulated clock, as long as the table says. A strategy that is given without options and has
    a published row on the table runs with the options of that row; the table says which.

    \b
    Example:
      nasbench replay --table nb201_tss.npz --strategy random --strategy evolution --seeds 500 --budget "12000 s"
    """
    import pandas as pd

    from nasbench.analysis.regret import choices_beside_published
    from nasbench.runners.budget import Budget
    from nasbench.runners.replay import Price, Setting
    from nasbench.runners.replay_jobs import replay_all
    from nasbench.spaces import get_space
    from nasbench.tables import published_replays, read_table

    if output is not None:
        _require_new(Path(output))
    limit = Price(Budget.parse(budget), price)
    table = read_table(path, data)
    if space is not None and get_space(space) != table.space:
        raise InputError(f"{path} is a table of {table.space.spec!r}, not of {space!r}; leave --space out")
    published = published_replays()
    published = published[(published["table"] == table.space.spec) & (published["data"] == table.name)]
    names = list(strategies) or published["strategy"].tolist()
    if not names:
        raise InputError(
            f"no row is published for {table.space.spec!r} on {table.name!r}; give --strategy, e.g. random"
        )
    usual = dict(zip(published["strategy"], published["options"]))
    settings = [Setting.of(*_parsed(name, usual)) for name in names]
    if len({setting.name for setting in settings}) < len(settings):
        raise InputError("each strategy can be replayed once a call; give other options of the same in another call")
    seed_range = range(first_seed, first_seed + seeds)
    with _Progress(len(settings) * seeds) as progress:
        runs = replay_all(table, settings, seed_range, limit, jobs, progress.ended)
    choices = pd.concat([run.frame() for run in runs], ignore_index=True)
    comparable = published.iloc[[place for place, row in enumerate(published.to_dict("records")) if _same(row, runs)]]
    _print(choices_beside_published(choices, comparable), {run.setting.name: run.setting.text for run in runs})
    click.echo(f"best in the table: {100 * table.best_test_acc:.2f}")
    if output is not None:
        _write(runs, choices, Path(output), take_over)
    if plot is not None:
        _plot(runs, plot)


class _Progress:
    """A bar on a terminal; elsewhere a line every ten seconds, so that what ends sooner prints none."""

    def __init__(self, searches: int) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=searches, unit=" searches", leave=False, disable=None)
        self._searches, self._done = searches, 0
        self._started = self._last = time.monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def ended(self, strategy: str, searches: int) -> None:
        """Count searches of a strategy that have ended."""
        self._done += searches
        self._bar.set_description(strategy, refresh=False)
        self._bar.update(searches)
        now = time.monotonic()
        if self._bar.disable and now - self._last >= LINE_SECONDS:
            self._last = now
            left = (now - self._started) / self._done * (self._searches - self._done)
            click.echo(
                f"{self._done} of {self._searches} searches, last {strategy}, ETA {self._bar.format_interval(left)}",
                err=True,
            )


def _parsed(text: str, usual: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The strategy's name and options; those of the published row where none are given."""
    name, _, given = text.partition(":")
    options = given or usual.get(name, "")
    return name, pairs([part for part in options.split(",") if part], f"--strategy {name}:")


def _same(row: Mapping[str, str], runs: Sequence[Replayed]) -> bool:
    """Whether a published row was made with the options and the budget of one of the runs."""
    from nasbench.runners.budget import Budget
    from nasbench.runners.replay import Setting

    for run in runs:
        if run.setting.name == row["strategy"]:
            wanted = Setting.of(*_parsed(f"{row['strategy']}:{row['options']}", {}))
            limit, theirs = run.price.budget, Budget.parse(row["budget"])
            return wanted == run.setting and (limit.limit, limit.unit) == (theirs.limit, theirs.unit)
    return False


def _print(table: pd.DataFrame, texts: Mapping[str, str]) -> None:
    rows = []
    for row in table.itertuples():
        theirs = "-" if row.paper == "" else f"{100 * row.published_acc:.2f} +- {100 * row.published_sd:.2f}"
        apart = "-" if row.paper == "" else f"{100 * row.difference:+.2f}"
        test, val = "-", "-"
        if row.n:
            spread = f" +- {100 * row.test_sd:.2f}" if row.n > 1 else ""
            test, val = f"{100 * row.test_acc:.2f}{spread}", f"{100 * row.val_acc:.2f}"
        seeds = f"{row.seeds}" if row.n == row.seeds else f"{row.n} of {row.seeds}"
        rows.append((texts[row.strategy], seeds, f"{row.children:.1f}", val, test, theirs, apart))
    head = ("strategy", "seeds", "children", "validation %", "test % +- sd", "published", "difference")
    print_table(head, rows)


def _require_new(path: Path) -> None:
    if path.suffix not in (".h5", ".csv"):
        raise InputError(f"cannot write {str(path)!r}; the name must end in .h5 (all children) or .csv (the choices)")
    if path.suffix == ".h5" and path.exists():
        raise InputError(f"{path} is there already; name another file")


def _write(runs: Sequence[Replayed], choices: pd.DataFrame, path: Path, take_over: bool) -> None:
    if path.suffix == ".h5":
        from nasbench.runners.replay_rows import tables_of
        from nasbench.store.assembled import write_new

        write_new(str(path), tables_of(runs), take_over)
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            choices.to_csv(path, index=False)
        except OSError as error:
            raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    click.echo(f"wrote {path}")


def _plot(runs: Sequence[Replayed], stem: str) -> None:
    import pandas as pd

    from nasbench.analysis.regret import plot_regret, regret
    from nasbench.analysis.style import save

    first = runs[0]
    courses = pd.concat([run.incumbents() for run in runs], ignore_index=True)
    data = regret(courses, first.table.best_test_acc, first.price.budget.limit)
    unit = {"wall_seconds": "s", "gpu_seconds": "GPU-seconds", "usd": "USD", "children": "children"}
    note = f"Table: {first.table.space.spec}, {first.table.name}; best {100 * first.table.best_test_acc:.2f}%."
    figure = plot_regret(data, unit[first.price.budget.unit], [note])
    for path in save(figure, Path(stem), data):
        click.echo(f"wrote {path}")
