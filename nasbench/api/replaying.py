"""Searching a complete table from Python: `replay`."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from nasbench.api.main_guard import require_main_guard
from nasbench.api.strategies import StrategyLike, given_strategy
from nasbench.errors import InputError, MissingData
from nasbench.outputs import output_rules, write_output
from nasbench.protocols.protocol import validated
from nasbench.runners.replay.replay import ReplayBudget, Replayed, Setting, told_apart, with_measured
from nasbench.runners.search.budget import Budget
from nasbench.runners.strategies.advice import advice_on
from nasbench.spaces.constrained import one_spelling
from nasbench.tabular.catalogue import table_file
from nasbench.tabular.tables import Selection, Table
from nasbench.tabular.trainings import OutcomeFrom
from nasbench.texts import csv_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.analysis.statistics.regret_panels import Panel

PathLike = str | os.PathLike[str]
_UNITS = {"wall_seconds": "s", "gpu_seconds": "device-seconds", "usd": "USD", "children": "children"}


@dataclass(frozen=True, eq=False)
class Replay:
    """Searches of a complete table.

    As the last value of a notebook's cell it shows its summary and the figure.

    Args:
        runs: one per strategy, with all its searches.
        table: the table that was searched.
        scored: tables whose test accuracies count; the one that was searched, unless other data or seeds were given.
        published: results that papers published for searches of this table.
    """

    runs: tuple[Replayed, ...]
    table: Table
    scored: tuple[Table, ...]
    published: pd.DataFrame

    @property
    def choices(self) -> pd.DataFrame:
        """What each search chose, one row each; the columns are those of `Replayed.frame`."""
        import pandas as pd

        return pd.concat([run.frame(each) for each in self.scored for run in self.runs], ignore_index=True)

    @property
    def summary(self) -> pd.DataFrame:
        """One row per strategy and data set: strategy, data, seeds, scored, children, val_acc, test_acc, test_sd, best.

        Of `seeds` searches, `scored` ended with a choice. Children are means over all searches, scores are means over
        those with a choice, so that strategies with different numbers of them cannot be compared by these means; `test_sd` is their standard deviation, `best` the best test score
        in the table (validation score where it has none), of the architectures that `where_arch` allows. Of a table that is
        judged by another score than accuracy, val_acc, test_acc and best are that score.
        """
        best = {each.name: each.score.sign * self.runs[0].best_test_acc(each) for each in self.scored}
        groups = self.choices.groupby(["strategy", "data"], sort=False)
        table = groups.agg(
            seeds=("seed", "size"),
            scored=("index", lambda places: int((places >= 0).sum())),
            children=("children", "mean"),
            val_acc=("val_acc", "mean"),
            test_acc=("test_acc", "mean"),
            test_sd=("test_acc", "std"),
        ).reset_index()
        return table.assign(best=table["data"].map(best))

    def regret(self, scored: Table | None = None) -> pd.DataFrame:
        """Compute the regret over seeds: how far the chosen architecture is from the table's best, by budget spent.

        Args:
            scored: the table whose test accuracies count, one of the attribute `scored`; None for the first.

        Returns:
            One row per strategy and budget: strategy, budget, runs, mean, low, high; the regret is a fraction, or in the
            unit of the table's score, low and high are its quartiles over seeds. Searches without a choice are left out,
            `runs` counts the others; budgets begin where each of these has a choice.
        """
        import pandas as pd

        from nasbench.analysis.statistics.regret import regret

        each = scored or self.scored[0]
        courses = pd.concat([run.incumbents(each) for run in self.runs], ignore_index=True)
        return regret(courses, self.runs[0].best_test_acc(each), self.runs[0].budget.budget.limit)

    def plot(self, scored: Table | None = None) -> Figure:
        """Draw the regret over the budget, one line per strategy.

        Args:
            scored: the table whose test accuracies count, one of the attribute `scored`; None for the first.

        Returns:
            The figure.
        """
        from nasbench.analysis.statistics.regret import plot_regret

        each = scored or self.scored[0]
        searched = "" if each.name == self.table.name else f", searched on {self.table.name}"
        where_arch = self.runs[0].setting.where_arch
        limits = f" with {where_arch}" if where_arch else ""
        own, measure = each.score, each.reported_measure
        unit = "%" if own.is_accuracy else f" {own.unit}".rstrip()
        predicted = "" if each.what == "table" else " prediction of an architecture that was proposed,"
        best = f"best{predicted}{limits} {own.text(self.runs[0].best_test_acc(each))}{unit}"
        without = "" if each.has_test_scores else f" No test scores: regret of the {own.words('val_acc')}."
        note = f"{each.what.capitalize()}: {each.space.spec}, {each.name}{searched}; {best}.{without}"
        data = self.regret(each)
        searches = int(data.groupby("strategy")["runs"].first().sum())
        score = own.words(measure) + ("" if each.has_test_scores else ", as there are no test scores")
        nearest = "the table's best"
        if each.what != "table":
            score, nearest = f"predicted {own.words(measure)}, without noise", "the best prediction"
        about = f"Data {each.name}{searched}; space {each.space.spec}; {searches:,} replayed searches; {score}"
        return plot_regret(data, _UNITS[self.runs[0].budget.unit], [note], about, own, measure, nearest)

    def plot_panels(self) -> Figure:
        """Draw the regret on every data set of `scored` in one picture, a panel each.

        Returns:
            The figure.
        """
        from nasbench.analysis.statistics.regret_panels import plot_panels

        names = ", ".join(each.name for each in self.scored)
        panels = self.panels()
        searches = int(panels[0].regret.groupby("strategy")["runs"].first().sum())
        about = f"Searched on {self.table.name}; space {self.table.space.spec}; {searches:,} replayed searches; regret on {names}"
        without = [each.name for each in self.scored if not each.has_test_scores]
        notes = [f"No test scores, so validation scores: {', '.join(without)}."] if without else []
        return plot_panels(panels, _UNITS[self.runs[0].budget.unit], notes, about)

    def panels(self) -> list[Panel]:
        """Compute what `plot_panels` draws.

        Returns:
            One panel per data set of `scored`, in their order.
        """
        from nasbench.analysis.statistics.regret_panels import Panel
        from nasbench.tabular.tables import agreement

        return [
            Panel(
                each.name,
                self.regret(each),
                each.score,
                self.runs[0].best_test_acc(each),
                math.nan if each.name == self.table.name else agreement(self.table, each),
                each.reported_measure,
            )
            for each in self.scored
        ]

    def save(self, path: PathLike, force: bool = False) -> Path:
        """Write the searches to a file: a results file with all children, or a CSV file with the choices.

        Args:
            path: name of a new results file, ending in .h5, or of a CSV file, ending in .csv.
            force: replace also a CSV file that is no earlier one of choices; a results file never is.

        Returns:
            The path of the file.

        Raises:
            InputError: for another ending, when the results file exists already, or when the file must not be replaced or
                cannot be written.
        """
        where = Path(path)
        if where.suffix == ".csv":
            content = str(csv_cells(self.choices).to_csv(index=False))
            with output_rules((), force):
                write_output(where, content.encode("utf-8", "backslashreplace"))
            return where
        if where.suffix != ".h5":
            raise InputError(
                f"cannot write {str(where)!r}; the name must end in .h5 (all children) or .csv (the choices)"
            )
        from nasbench.runners.replay.rows import tables_of
        from nasbench.store.maintenance.table_builder import require_new, write_new

        require_new(where)
        reports = [each for each in self.scored if each is not self.table]
        write_new(str(where), tables_of(self.runs, reports), False)
        return where

    def __repr__(self) -> str:
        return str(self.summary.to_string(index=False, float_format=lambda value: f"{value:.4g}"))

    def _repr_html_(self) -> str:
        from nasbench.api.html import card, figure_html, frame_html

        return card(frame_html(self.summary), figure_html(self.plot()))


def replay(
    table: PathLike,
    strategies: StrategyLike | Sequence[StrategyLike],
    seeds: int | Sequence[int] = 500,
    budget: str = "12000 s",
    *,
    search_on: str | None = None,
    report_on: Sequence[str] = (),
    score: str = "val_acc",
    search_seeds: Sequence[int] | None = None,
    report_seeds: Sequence[int] | None = None,
    draw: OutcomeFrom = "mean",
    where_arch: str = "",
    warm_start: str = "",
    filter: str = "",
    score_protocol: str = "digits",
    measurements: Sequence[PathLike] = (),
    price: float = 0.0,
    children_at_once: int = 1,
    jobs: int = 1,
    progress: bool = True,
) -> Replay:
    """Search a complete table many times over, in seconds: nothing is trained. As `nasbench replay`.

    A strategy that is given by its bare name and has a published row on the table runs with the options of that row.

    Args:
        table: a NAS-Bench-201 archive (.npz), a results file whose children cover their space, the name of a table
            that ships with the suite, e.g. "digits201", or a surrogate (`nasbench surrogate fit`).
        strategies: one or several, each as for `nasbench.search`. Several of one class are told apart by their
            options, in all outputs.
        seeds: number of searches per strategy (with the seeds 0, 1, ...), or their seeds.
        budget: budget of each search: "12000 s" on the simulated clock, "100 children", "3 gpu-hours" or "3 usd".
        search_on: data set of an archive whose validation accuracy the searches see: "cifar10", "cifar100" or
            "imagenet16-120"; None for the first of these.
        report_on: data sets whose test accuracy of the choices is reported; () for the one that is searched.
        score: what architectures are judged by: "val_acc" for what the table states, which is accuracy usually;
            "val_loss", or a measured quantity such as "val_ssim". Values that are lower are better where its direction says
            so.
        search_seeds: training seeds of the table whose scores searches see; None for all.
        report_seeds: training seeds of the table whose test accuracies are reported; None for all.
        draw: outcome of a child: the "mean" over its trainings in the table, or "one" of them, drawn by the search
            seed.
        where_arch: limits on the architectures that strategies may propose, by the table's counts, e.g.
            "params <= 100k"; "" for none. Such searches are not made in arrays, and take seconds instead of
            milliseconds.
        warm_start: as of `nasbench.search`: the strategy begins with the best of a pool by a zero-cost score, e.g.
            "zero_cost:synflow"; "" for none. Untrained networks are scored, which takes seconds a search: they are charged
            to the searcher, as measured here, so that a budget in time or money makes the children depend on this machine.
        filter: as of `nasbench.search`: what a zero-cost score ranks lowest is never proposed; "" for none. Charged likewise.
        score_protocol: protocol of these untrained networks.
        measurements: results files with measured quantities that strategies have as objectives, e.g. latency; () for the
            table's file.
        price: USD per device-hour, >= 0, for budgets in USD.
        children_at_once: devices: children in training at once in each search, >= 1, whose outcomes come in the order of
            the simulated ends.
        jobs: processes that search at once, >= 1; the result is the same. More than one needs strategies of an
            importable module.
        progress: whether to show a bar.

    Returns:
        The searches with their choices, a summary and the regret. In a notebook it shows summary and figure.

    Raises:
        UnknownName, InputError: one line that says what to correct.
        MissingData: when there is no such table.

    Example:
        >>> import nasbench
        >>> found = nasbench.replay("digits201", ["random", "local_search"], seeds=5, budget="20 children", progress=False)
        >>> found.summary["strategy"].tolist()
        ['random', 'local_search']
    """
    from nasbench.runners.replay.foreign_images import note_on_images
    from nasbench.runners.replay.guidance import Guidance
    from nasbench.runners.replay.jobs import replay_all
    from nasbench.runners.replay.published_settings import published_on
    from nasbench.tabular.tables import read_tables

    if jobs > 1:
        require_main_guard(f"jobs={jobs}")
    numbers = _search_seeds(seeds)
    if not isinstance(children_at_once, Integral) or children_at_once < 1:
        raise InputError(f"children_at_once is a whole number >= 1; got {children_at_once!r}")
    path = table_path(table)
    limit = ReplayBudget(Budget.parse(budget), price)
    seen, scored_with = _once(search_seeds, "search_seeds"), _once(report_seeds, "report_seeds")
    names: list[str | None] = list(report_on) or ([search_on] if seen or scored_with else [])
    given = _several(strategies)
    curves = any(given_strategy(each).kind.asks_epochs for each in given)
    searched, *reports = read_tables(
        path,
        [Selection(search_on, seen, score), *(Selection(name, scored_with, score) for name in names)],
        curves,
        True,
    )
    searched.check_outcome_from(draw)
    scored = reports or [searched]
    published = published_on(searched, scored)
    limits, guidance = one_spelling(where_arch), Guidance.of(warm_start, filter, score_protocol)
    searched.check_budget_unit(limit.budget.unit)
    children = searched.children_of(limit.budget.limit, limit.budget.unit, children_at_once)
    settings = [
        replace(
            _setting(each, published, limit.budget, children, searched.space.spec),
            where_arch=limits,
            guidance=guidance,
        )
        for each in given
    ]
    if not settings:
        raise InputError("name one strategy or several")
    for setting in settings:
        if advice := advice_on(setting.kind, setting.config_on(searched), children):
            warnings.warn(advice, stacklevel=2)  # e.g. that with these options it is random search
        if foreign := note_on_images(setting, searched.name):
            warnings.warn(foreign, stacklevel=2)
    settings = told_apart(settings)
    searched = with_measured(searched, settings, [Path(file) for file in measurements] or [path])
    with _bar(len(settings) * len(numbers), progress) as ended:
        runs = replay_all(searched, settings, numbers, limit, jobs, ended, draw, children_at_once)
    return Replay(tuple(runs), searched, tuple(scored), published)


def table_path(table: PathLike) -> Path:
    """Find the file of a table.

    Args:
        table: path of a file, or the name of a table that ships with the suite, e.g. "digits201".

    Returns:
        Path of the file: the given one, `results/NAME.h5` here or in a copy of the repository, or the compact table that
        is installed.

    Raises:
        MissingData: when there is no such file and no table of that name.
    """
    path = Path(table)
    if path.exists():
        return path
    folder = resources.files("nasbench.results")
    if re.fullmatch(r"[\w-]+", str(table)):
        for found in (Path("results") / f"{table}.h5", Path(str(folder)) / f"{table}.h5"):
            if found.exists():
                return found
        shipped = table_file(str(table))
        if shipped.exists():
            return shipped
    raise MissingData(
        f"there is no table {str(table)!r}: give the NAS-Bench-201 archive (.npz), a results file, or the name of one "
        "that ships (nasbench tables), e.g. digits201-2"
    )


def _several(strategies: StrategyLike | Sequence[StrategyLike]) -> Sequence[StrategyLike]:
    if isinstance(strategies, str) or not isinstance(strategies, Sequence):
        return [strategies]
    return strategies


def _setting(
    strategy: StrategyLike, published: pd.DataFrame, budget: Budget, children: float | None, space: str
) -> Setting:
    from nasbench.runners.replay.published_settings import usual_options
    from nasbench.runners.strategies.presets import with_preset

    if isinstance(strategy, str) and ":" not in strategy:
        usual = usual_options(published, budget).get(strategy)
        strategy = f"{strategy}:{usual}" if usual else strategy
    given = given_strategy(strategy)
    chosen = with_preset(given.kind, given.options, children, space=space)
    options = validated(given.kind.config_type, chosen, f"options of strategy {given.name!r}")
    return Setting(given.name, given.kind, options)


def _once(seeds: Sequence[int] | None, what: str) -> tuple[int, ...] | None:
    if seeds is None:
        return None
    return tuple(sorted(_distinct(list(seeds), f"{what} names training seeds", what)))


def _distinct(seeds: Sequence[int], named: str, what: str) -> list[int]:
    whole = all(isinstance(seed, Integral) and not isinstance(seed, bool) and seed >= 0 for seed in seeds)
    if not len(seeds) or not whole or len({*seeds}) < len(seeds):
        raise InputError(f"{named}, whole numbers >= 0, once each, e.g. {what}=[0, 1, 2]; got {list(seeds)}")
    return [int(seed) for seed in seeds]


def _search_seeds(seeds: int | Sequence[int]) -> list[int]:
    """Seeds of the searches, each once: two searches with one seed would count as two samples and be one."""
    if isinstance(seeds, Iterable):  # a numpy array, too
        return _distinct(list(seeds), "seeds is a number of searches or names their seeds", "seeds")
    if not isinstance(seeds, Integral) or isinstance(seeds, bool) or seeds < 1:
        raise InputError(f"seeds is a number of searches >= 1 or a list of seeds, e.g. seeds=50; got {seeds!r}")
    return list(range(int(seeds)))


@contextmanager
def _bar(searches: int, shown: bool) -> Iterator[Callable[[str, int], None]]:
    """A bar over searches; yields what counts those of a strategy."""
    from tqdm.auto import tqdm

    with tqdm(total=searches, unit=" searches", leave=False, disable=not shown) as bar:

        def ended(strategy: str, count: int) -> None:
            bar.set_description(strategy, refresh=False)
            bar.update(count)

        yield ended
