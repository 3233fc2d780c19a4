"""`nasbench replay`: search a complete table many times, in seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench.cli.options import completing, note_on_settings, print_table, strategy_names, take_over_option
from nasbench.cli.output import is_quiet, note, say
from nasbench.cli.outputs import require_results_output
from nasbench.cli.plotting import name_picture, page_options, save_figure
from nasbench.errors import InputError
from nasbench.outputs import write_output
from nasbench.texts import csv_cells

LINE_SECONDS = 10.0  # minimum seconds between two plain lines

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.runners.replay.replay import Replayed
    from nasbench.scores import Score
    from nasbench.tabular.tables import Table
    from nasbench.tabular.trainings import OutcomeFrom


@click.command()
@click.option(
    "--table",
    "path",
    required=True,
    type=click.Path(dir_okay=False),
    help="A table that ships (nasbench tables), a results file whose children cover their space, a compact table (.npz), "
    "the archive of NAS-Bench-201 (.npz), or a surrogate (nasbench surrogate).",
)
@click.option(
    "--search-on",
    "--data",
    "data",
    default=None,
    metavar="DATA",
    help="Data set that is searched; of the archive: cifar10, cifar100 or imagenet16-120  [cifar10].",
)
@click.option(
    "--report-on",
    default=None,
    metavar="DATA[,DATA...]",
    help="Data sets on which choices are scored, e.g. cifar100,imagenet16-120  [the searched one].",
)
@click.option(
    "-y",
    "--score",
    default="val_acc",
    show_default=True,
    metavar="NAME",
    help="Score that is searched: val_acc is what the table states, accuracy usually; val_loss, or a measured quantity "
    "such as val_ssim or latency[device=...].",
)
@click.option(
    "--search-seeds",
    default=None,
    metavar="SEED[,SEED...]",
    help="Training seeds whose scores the searches see, e.g. 0,1,2  [all].",
)
@click.option(
    "--report-seeds",
    default=None,
    metavar="SEED[,SEED...]",
    help="Training seeds by which choices are scored, e.g. 3,4,5, if different from those searched  [all].",
)
@click.option(
    "--draw",
    default="mean",
    show_default=True,
    type=click.Choice(["mean", "one"]),
    help="Outcome of a child: the mean over its trainings, or one of them, drawn by search seed and hash; of a surrogate, the "
    "prediction, or a simulated training.",
)
@click.option("--space", default=None, help="Expected space of the table; another one is refused.")
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    shell_complete=completing(strategy_names),
    metavar="NAME[:KEY=VALUE,...]",
    help="Strategy with options, e.g. evolution:population=10 or mine.py:Mine; repeatable  [all with a published row].",
)
@click.option(
    "--where-arch",
    default="",
    metavar="CONDITION",
    help='Limits on the architectures that are proposed, by the table\'s counts: "params <= 100k"  [none].',
)
@click.option(
    "--warm-start",
    default="",
    metavar="zero_cost:SCORE",
    help="Begin with the best of a pool by a zero-cost score: zero_cost:synflow,candidates=100,children=10  [none].",
)
@click.option(
    "--filter",
    "filter_",
    default="",
    metavar="zero_cost:SCORE",
    help="Never propose the worst by a zero-cost score: zero_cost:synflow,keep=0.5  [none].",
)
@click.option(
    "--score-protocol",
    default="digits",
    show_default=True,
    help="Protocol of the untrained networks that --warm-start and --filter score.",
)
@click.option(
    "--seeds", default=500, show_default=True, type=click.IntRange(min=1), help="Number of searches per strategy."
)
@click.option(
    "--first-seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the first search."
)
@click.option(
    "--budget",
    default="12000 s",
    show_default=True,
    help='"12000 s" on the simulated clock, "100 children", "3 gpu-hours" or "3 usd".',
)
@click.option(
    "--children-at-once",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Devices: children in training at once in each search, whose outcomes come in the order of the simulated ends.",
)
@click.option("--price", default=0.0, type=click.FloatRange(min=0), help="USD per device-hour, for budgets in USD.")
@click.option(
    "--jobs",
    "-j",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of processes; the result does not depend on it.",
)
@click.option(
    "--measurements",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Results file with measured quantities that a strategy has as objectives, e.g. latency; repeatable  [the table's file].",
)
@click.option(
    "-o",
    "--output",
    default=None,
    type=click.Path(dir_okay=False),
    help="Results file (.h5) of all children, or CSV (.csv) of the choices.",
)
@click.option("--plot", default=None, help="Picture, e.g. fig.pdf, or stem of several, of the regret by budget spent.")
@click.option("--panels", is_flag=True, help="With --plot: one picture with a panel per data set of --report-on.")
@page_options
@take_over_option
def replay(
    path: str,
    data: str | None,
    report_on: str | None,
    score: str,
    search_seeds: str | None,
    report_seeds: str | None,
    draw: OutcomeFrom,
    space: str | None,
    strategies: Sequence[str],
    where_arch: str,
    warm_start: str,
    filter_: str,
    score_protocol: str,
    seeds: int,
    first_seed: int,
    budget: str,
    children_at_once: int,
    price: float,
    jobs: int,
    measurements: Sequence[str],
    output: str | None,
    plot: str | None,
    panels: bool,
    take_over: bool,
) -> None:
    """Search a complete table with the ledger and stop rule of real runs, and print published results beside.

    Nothing is trained: on a simulated clock, a child takes the time that the table has for it. A strategy without
    options for which a result on this table was published uses the published options; the output names them.

    With --report-on the search sees scores and costs of one data set, and its choice is scored on others. With
    --report-seeds the choice is scored by trainings that the search did not see. Reported scores are means over
    trainings, for either --draw.

    A strategy that stops trainings early, such as asha, sees the score at the epoch where a training stops, and is charged
    the seconds up to there; one that goes on is charged the added epochs. Its choice is the child with the highest score at
    the epoch that it reached.

    With a surrogate as the table, scores and costs are predictions, and every output says so. It has no test scores, no
    training seeds and no scores after single epochs.

    --warm-start and --filter score untrained networks, which takes seconds a search. As in nasbench run, these are charged to
    the searcher, as measured here, so that under a budget in time or money the children depend on this machine, too.

    \b
    Example:
      nasbench replay --table nb201_tss.npz --strategy random --strategy evolution --seeds 500 --budget "12000 s"
      nasbench replay --table nb201_tss.npz --search-on cifar10 --report-on cifar100,imagenet16-120 --plot fig.png --panels
      nasbench replay --table results/digits201.h5 --strategy evolution --where-arch "params <= 40k" --budget "100 children"
      nasbench replay --table results/digits201.h5 --strategy random --search-seeds 0,1,2 --report-seeds 3,4,5 --draw one --budget "200 s"
      nasbench replay --table s.h5 --strategy random --strategy ppo --draw one --seeds 5 --budget "2000 children" -o replays.h5
    """
    import pandas as pd

    from nasbench.runners.replay.foreign_images import note_on_images
    from nasbench.runners.replay.guidance import Guidance
    from nasbench.runners.replay.jobs import replay_all
    from nasbench.runners.replay.published_settings import published_on, usual_options
    from nasbench.runners.replay.replay import ReplayBudget, Setting, told_apart, with_measured
    from nasbench.runners.search.budget import Budget
    from nasbench.runners.strategies.source_files import split_strategy, strategy_class
    from nasbench.spaces import get_space
    from nasbench.tabular.catalogue import table_file
    from nasbench.tabular.surrogates.table import SurrogateTable
    from nasbench.tabular.tables import Selection, read_tables

    if panels and plot is None:
        raise InputError("--panels is one picture of all data sets: give its name by --plot, e.g. --plot fig.png")
    if output is not None:
        _require_new(Path(output))
    limit = ReplayBudget(Budget.parse(budget), price)
    guidance = Guidance.of(warm_start, filter_, score_protocol)
    searched, reported = _seeds(search_seeds, "--search-seeds"), _seeds(report_seeds, "--report-seeds")
    names_reported: list[str | None] = list(_names(report_on)) or ([data] if searched or reported else [])
    selections = [Selection(each, reported, score) for each in names_reported]
    curves = any(strategy_class(split_strategy(text)[0]).asks_epochs for text in strategies)
    table, *reports = read_tables(table_file(path), [Selection(data, searched, score), *selections], curves, True)
    table.check_outcome_from(draw)
    if space is not None and get_space(space) != table.space:
        raise InputError(f"{path} is a {table.what} of {table.space.spec!r}, not of {space!r}; leave --space out")
    scored = reports or [table]
    published = published_on(table, scored)
    names = list(strategies) or list(dict.fromkeys(published["strategy"]))
    if not names:
        raise InputError(
            f"no row is published of a search of {table.space.spec!r} on {table.name!r} that is scored on "
            f"{', '.join(repr(each.name) for each in scored)}; give --strategy, e.g. random"
        )
    usual = usual_options(published, limit.budget)
    wanted = [_parsed(name, usual) for name in names]
    table.check_budget_unit(limit.budget.unit)
    children = table.children_of(limit.budget.limit, limit.budget.unit, children_at_once)
    spec = table.space.spec
    settings = told_apart([Setting.of(name, options, where_arch, children, guidance, spec) for name, options in wanted])
    for setting, (_, options) in zip(settings, wanted):
        used = setting.config.model_dump(exclude_unset=True)
        note_on_settings(setting.kind, setting.config_on(table), used, options, children)
        if foreign := note_on_images(setting, table.name):
            note(foreign, err=True)
    table = with_measured(table, settings, measurements or [table_file(path)])
    seed_range = range(first_seed, first_seed + seeds)
    with _Progress(len(settings) * seeds) as progress:
        runs = replay_all(table, settings, seed_range, limit, jobs, progress.ended, draw, children_at_once)
    choices = pd.concat([run.frame(each) for each in scored for run in runs], ignore_index=True)
    comparable = published.assign(strategy=[_same(row, runs) for row in published.to_dict("records")])
    comparable = comparable[comparable["strategy"] != ""]
    texts = {run.setting.shown: run.setting.text for run in runs}
    for kind in dict.fromkeys(each.score for each in scored):
        mine = choices[choices["data"].isin({each.name for each in scored if each.score == kind})]
        _print(mine, comparable, texts, bool(report_on), draw, table.score, kind)
    if isinstance(table, SurrogateTable):
        for line in table.surrogate.lines()[:3]:
            click.echo(line)
    for each in scored:
        of = f"the {each.what} of {each.name}" if report_on and each.what == "table" else _whole(each)
        by = f" (mean of training seeds {report_seeds})" if reported else ""
        limits = f" with {settings[0].where_arch}" if where_arch else ""
        words = f", {each.score.words('val_acc')}: there are no test scores"
        if each.what != "table":
            words = ", without noise; no network was trained"
        score = f", {each.score.words('test_acc')}" if each.has_test_scores else words
        click.echo(f"best in {of}{limits}: {each.score.text(runs[0].best_test_acc(each))}{by}{score}")
    costs = "" if limit.budget.unit == "children" else f" by the {table.what}'s costs"
    note(
        f"each search has the budget of {limit.budget.given}{costs}; the strategies' own seconds differ and are not "
        "charged to any" + _exception(runs)
    )
    if output is not None:
        _write(runs, reports, choices, Path(output), take_over)
    if plot is not None:
        from nasbench.analysis.statistics.regret_panels import panels_frame
        from nasbench.api.replaying import Replay

        found = Replay(tuple(runs), table, tuple(scored), published)
        if panels:
            save_figure(found.plot_panels(), plot, (), "", panels_frame(found.panels()))
            return
        for each in scored:
            picture = plot if len(scored) == 1 else name_picture(plot, each.name)
            save_figure(found.plot(each), picture, (), "", found.regret(each))


def _exception(runs: Sequence[Replayed]) -> str:
    """Which of the strategies' seconds are charged all the same."""
    paid = {run.setting.kind.charged_as for run in runs if run.searcher is not None}
    whose = {"supernet": "super-networks", "searcher": "scored untrained networks"}
    named = " and of ".join(whose[category] for category in sorted(paid, reverse=True))
    return f"; those of {named} are, as measured here" if named else ""


class _Progress:
    """Progress display: a bar on a terminal, elsewhere a line every ten seconds (none if it ends sooner)."""

    def __init__(self, searches: int) -> None:
        from tqdm import tqdm

        self._unit = "search" if searches == 1 else "searches"
        self._bar = tqdm(total=searches, unit=f" {self._unit}", leave=False, disable=is_quiet() or None)
        self._searches, self._done = searches, 0
        self._started = self._last = time.monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def ended(self, strategy: str, searches: int) -> None:
        """Count ended searches of a strategy."""
        self._done += searches
        self._bar.set_description(strategy, refresh=False)
        self._bar.update(searches)
        now = time.monotonic()
        if self._bar.disable and now - self._last >= LINE_SECONDS:
            self._last = now
            left = (now - self._started) / self._done * (self._searches - self._done)
            say(
                f"{self._done} of {self._searches} {self._unit}, last {strategy}, "
                f"ETA {self._bar.format_interval(left)}",
                err=True,
            )


def _whole(table: Table) -> str:
    """What the best of a table is the best of."""
    return "the table" if table.what == "table" else f"{len(table.val_acc):,} architectures predicted by the surrogate"


def _parsed(text: str, usual: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Parse a strategy's name and options; without options, use those of the published row."""
    from nasbench.runners.strategies.option_texts import options_of
    from nasbench.runners.strategies.source_files import split_strategy

    name, given = split_strategy(text)
    return name, options_of(name, given or usual.get(name, ""))


def _same(row: Mapping[str, str], runs: Sequence[Replayed]) -> str:
    """Name in outputs of the run with a published row's options and budget, whose children follow one another; "" for none."""
    from nasbench.runners.replay.replay import Setting
    from nasbench.runners.search.budget import Budget

    for run in runs:
        if run.setting.name == row["strategy"] and run.devices == 1:
            wanted = Setting.of(*_parsed(f"{row['strategy']}:{row['options']}", {}))
            limit, theirs = run.budget.budget, Budget.parse(row["budget"])
            if wanted == run.setting and (limit.limit, limit.unit) == (theirs.limit, theirs.unit):
                return run.setting.shown
    return ""


def _print(
    choices: pd.DataFrame,
    published: pd.DataFrame,
    texts: Mapping[str, str],
    name_data: bool,
    draw: OutcomeFrom,
    searched: Score,
    score: Score,
) -> None:
    """Print one row per strategy and data set on which its choices are scored, all by one score."""
    from nasbench.analysis.statistics.regret import choices_beside_published

    beside = score.is_accuracy and bool(published["strategy"].isin(set(choices["strategy"])).any())
    rows = []
    for data, found in choices.groupby("data", sort=False):
        outcomes = found.groupby("strategy")["outcome"].mean()
        for row in choices_beside_published(found, published[published["data"] == data]).itertuples():
            theirs = "-" if row.paper == "" else f"{100 * row.published_acc:.2f} +- {100 * row.published_sd:.2f}"
            apart = "-" if row.paper == "" else f"{100 * row.difference:+.2f}"
            test, val, shown = "-", "-", "-"
            if row.n:
                spread = f" +- {score.plain(row.test_sd)}" if row.n > 1 else ""
                val = "-" if math.isnan(row.val_acc) else score.plain(row.val_acc)
                test = "-" if math.isnan(row.test_acc) else f"{score.plain(row.test_acc)}{spread}"
                shown = searched.plain(outcomes[row.strategy])
            seeds = f"{row.seeds}" if row.n == row.seeds else f"{row.n} of {row.seeds}"
            rows.append(
                (
                    texts[row.strategy],
                    *([str(data)] if name_data else []),
                    seeds,
                    f"{row.children:.1f}",
                    *([shown] if draw == "one" else []),
                    val,
                    test,
                    *([theirs, apart] if beside else []),
                )
            )
    head = (
        "strategy",
        *(["scored on"] if name_data else []),
        *("seeds", "children"),
        *([f"outcome {'%' if searched.is_accuracy else searched.val}"] if draw == "one" else []),
        *(score.heading("val_acc"), f"{score.heading('test_acc')} +- sd"),
        *(["published", "difference"] if beside else []),
    )
    print_table(head, rows)


def _names(report_on: str | None) -> list[str]:
    """Parse the data sets of --report-on, each once."""
    if report_on is None:
        return []
    names = [name.strip() for name in report_on.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise InputError(f"--report-on {report_on!r} should name data sets once each, e.g. cifar100,imagenet16-120")
    return names


def _seeds(text: str | None, option: str) -> tuple[int, ...] | None:
    """Parse the training seeds of an option, each once; None if it was not given."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(map(int, parts))) < len(parts):
        raise InputError(f"{option} {text!r} should name training seeds once each, e.g. {option} 0,1,2")
    return tuple(sorted(map(int, parts)))


def _require_new(path: Path) -> None:
    if path.suffix not in (".h5", ".csv"):
        raise InputError(f"cannot write {str(path)!r}; the name must end in .h5 (all children) or .csv (the choices)")
    if path.suffix == ".h5":
        require_results_output(str(path), new=True)


def _write(
    runs: Sequence[Replayed], reports: Sequence[Table], choices: pd.DataFrame, path: Path, take_over: bool
) -> None:
    if path.suffix == ".h5":
        from nasbench.runners.replay.rows import tables_of
        from nasbench.store.maintenance.table_builder import write_new

        write_new(str(path), tables_of(runs, reports), take_over)
    else:
        write_output(path, str(csv_cells(choices).to_csv(index=False)).encode("utf-8", "backslashreplace"))
    say(f"wrote {path}")
