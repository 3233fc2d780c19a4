"""Replays: searches of a complete table with real strategies and stop rule, on a clock that adds the table's costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from nasbench.errors import InputError, blamed_on
from nasbench.protocols.protocol import validated
from nasbench.runners.replay.clock import Courses, Scored, ScoreOf, simulate, simulate_core
from nasbench.runners.replay.generations import GenerationReplay
from nasbench.runners.replay.guidance import NO_GUIDANCE, Guidance, ScoringSeconds
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget, Ledger
from nasbench.runners.strategies import Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.generations import GenerationStrategy, in_generations
from nasbench.runners.strategies.presets import with_preset
from nasbench.runners.strategies.proposals import require_proposal, within_training
from nasbench.runners.strategies.rungs import Core, RungStrategy
from nasbench.runners.strategies.source_files import load_class, source_of, strategy_class
from nasbench.runners.strategies.streams import stream_seed
from nasbench.runners.strategies.vectorized import VectorizedSearch, VectorizedStrategy
from nasbench.spaces import Architecture, Space
from nasbench.spaces.constrained import Counter, Limits, constrained, one_spelling, parse_limits
from nasbench.structures import Counts
from nasbench.tabular.tables import FloatArray, IntArray, Table
from nasbench.tabular.trainings import OutcomeFrom
from nasbench.training.clocks import reading

if TYPE_CHECKING:
    import pandas as pd

FIRST_CHILDREN = 256  # initial capacity in children per search; doubled when it is full


@dataclass(frozen=True)
class Setting:
    """A strategy with its options, resolved and checked.

    Args:
        name: name of the strategy.
        kind: its class.
        config: its options.
        where_arch: limits on the architectures that it may propose, see `SearchConfig`; "" for none.
        guidance: scores of untrained networks as a warm start or a filter.
        label: name in outputs where the strategy is replayed with other options, too; "" for its own name.
    """

    name: str
    kind: type[Strategy[Any]]
    config: StrategyConfig
    where_arch: str = ""
    guidance: Guidance = NO_GUIDANCE
    label: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        self.guidance.require(self.name, self.kind)

    @classmethod
    def of(
        cls,
        name: str,
        options: Mapping[str, Any],
        where_arch: str = "",
        children: float | None = None,
        guidance: Guidance = NO_GUIDANCE,
        space: str = "",
    ) -> Setting:
        """Resolve a strategy's name and options.

        Args:
            name: registered name of the strategy, or "file.py:Class", whose code runs.
            options: option -> value as text.
            where_arch: limits on the architectures, e.g. "params <= 100k"; "" for none.
            children: children that the budget pays for, for the option preset=auto; None if that is not known.
            guidance: scores of untrained networks as a warm start or a filter.
            space: text of the table's space, for the option preset=paper; "" if it is not known.

        Returns:
            The strategy with its options.

        Raises:
            UnknownName: when there is no such strategy.
            InputError: when it has no such option, or a value does not fit; the message names the option. Also when
                `where_arch` is no condition on counts, or a warm start does not fit the strategy.
        """
        kind = strategy_class(name)
        source = source_of(kind)
        stored = source.strategy if source is not None else name
        chosen = with_preset(kind, options, children, space=space)
        config = validated(kind.config_type, chosen, f"options of strategy {stored!r}")
        return cls(stored, kind, config, one_spelling(where_arch), guidance)

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Pickle a strategy of a file by the file, which a worker process loads again: its module has no name there."""
        source = source_of(self.kind)
        if source is None:
            return super().__reduce_ex__(protocol)
        options = self.config.model_dump(mode="json", exclude_defaults=True)
        return _loaded_again, (source.reference, source.digest, options, self.where_arch, self.guidance, self.label)

    @property
    def pays(self) -> bool:
        """Whether searches are charged for the searcher's work: for shared weights, or for scores that guide them."""
        return self.kind.charged_as == "supernet" or bool(self.guidance)

    @property
    def limited(self) -> bool:
        """Whether the strategy sees another space than the table's, so that architectures are drawn one by one."""
        return bool(self.where_arch or self.guidance)

    def spaces_of(self, table: Table, seeds: Sequence[int]) -> Iterator[tuple[int, Space, ScoringSeconds]]:
        """Pair the seed of each search's stream with the space as this search sees it, and the account of its scores.

        Args:
            table: the table to search.
            seeds: seeds of the searches, each >= 0.

        Returns:
            Seeds as of `streams`, each with a view of its own if scores guide the search, and with the seconds of these
            scores.

        Raises:
            InputError: when the limits name a count that the table lacks.
        """
        space = self.space_of(table)
        for seed, stream in zip(seeds, self.streams(seeds)):
            seconds = ScoringSeconds()
            yield stream, self.guidance.view(space, int(seed), seconds), seconds

    def space_of(self, table: Table) -> Space:
        """Return the space of a table under limits: only what fits, by the table's counts.

        Args:
            table: the table to search.

        Returns:
            The space, or a view of it under limits.

        Raises:
            InputError: when the limits name a count that the table lacks.
        """
        if not self.where_arch:
            return table.space
        condition = parse_limits(self.where_arch)
        table.check_counts(sorted(condition.names))
        return constrained(table.space, Limits(condition, CountsInTable(table)))

    def streams(self, seeds: Sequence[int]) -> list[int]:
        """Derive the seeds of the strategy's random numbers; see `stream_seed`.

        Args:
            seeds: seeds of the searches, each >= 0.

        Returns:
            One seed per search, in [0, 2**32).
        """
        options = self.config.model_dump(mode="json", exclude_defaults=True)
        return [stream_seed(self.name, options, int(seed)) for seed in seeds]

    def config_on(self, table: Table) -> StrategyConfig:
        """Return the options with which the strategy searches a table: the epochs of a whole training are the table's.

        Args:
            table: the table to search.

        Returns:
            The options.

        Raises:
            InputError: when the strategy stops trainings early, and the table has no curves, lacks values of them, or has none
                as long as its options say.
        """
        if not self.kind.asks_epochs:
            return self.config
        table.check_epochs(self.name)
        assert table.curves is not None
        return within_training(self.config, self.name, table.curves.epochs)

    @property
    def shown(self) -> str:
        """Name in outputs: the label, or the strategy's own name."""
        return self.label or self.name

    @property
    def text(self) -> str:
        """The strategy with the options that differ from its defaults, e.g. "evolution:population=10,sample=3"."""
        changed = [
            f"{field}={value:g}" if isinstance(value, float) else f"{field}={value}"
            for field, value in self.config.model_dump().items()
            if value != self.kind.config_type.model_fields[field].default
        ]
        return self.name + (":" + ",".join(changed) if changed else "")


def _loaded_again(
    reference: str, digest: str, options: Mapping[str, Any], where_arch: str, guidance: Guidance, label: str
) -> Setting:
    """Make the setting of a strategy in a file that must not have changed."""
    load_class(reference, digest)
    return replace(Setting.of(reference, options, where_arch, guidance=guidance), label=label)


def told_apart(settings: Sequence[Setting]) -> list[Setting]:
    """Label settings of one strategy by their options, e.g. "nsga2" and "nsga2:population=20".

    Args:
        settings: the strategies with their options.

    Returns:
        The same settings in their order, labelled where a strategy occurs more than once.

    Raises:
        InputError: when a strategy is given twice with the same options.
    """
    names, texts = [setting.name for setting in settings], [setting.text for setting in settings]
    for place, text in enumerate(texts):
        if text in texts[:place]:
            raise InputError(f"strategy {text!r} is given twice; give each once, or with other options")
    return [
        replace(setting, label=text) if names.count(setting.name) > 1 else setting
        for setting, text in zip(settings, texts)
    ]


@dataclass(frozen=True)
class CountsInTable(Counter):
    """Counts of a table's architectures, as the table holds them.

    Args:
        table: the table.
    """

    table: Table

    def counts(self, architecture: Architecture) -> Counts:
        """Return the counts of the architecture's row; see `Counter.counts`."""
        return self.table.counts_of(architecture)


@dataclass(frozen=True)
class ReplayBudget:
    """Budget of a replay: its unit and its limit.

    Args:
        budget: the limit. Wall time is the simulated clock, on which each child takes the time in the table: children
            follow one another, or with several devices run side by side.
        usd_per_hour: price of a device-hour; used only for budgets in USD.

    Raises:
        InputError: when the price is no amount of money, or a budget in USD could never end.
    """

    budget: Budget
    usd_per_hour: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.usd_per_hour < math.inf:
            raise InputError(f"the price of a device-hour is a finite number of USD >= 0; got {self.usd_per_hour}")
        if self.budget.unit == "usd" and not self.usd_per_hour > 0:
            raise InputError(
                f"budget {self.budget.given!r} never ends at 0 USD per hour: give --price, e.g. --price 0.10"
            )

    @property
    def text(self) -> str:
        """The budget as given, e.g. "100 children"."""
        return self.budget.text

    @property
    def unit(self) -> str:
        """Unit of the budget, e.g. "children"."""
        return self.budget.unit

    def spent(self, seconds: FloatArray, children: int) -> FloatArray:
        """Spending of searches so far, in the budget's unit.

        Args:
            seconds: [runs], the costs of their children so far.
            children: number of these children per search.

        Returns:
            [runs], amounts in the unit of the budget.
        """
        return self.budget.amount(
            children=np.full(len(seconds), float(children)),
            device_seconds=seconds,
            usd=seconds / SECONDS_PER_HOUR * self.usd_per_hour,
            wall_seconds=seconds,
        )

    def counted(self, before: FloatArray, cost: FloatArray, children: int) -> Any:
        """Whether the next child of each search counts: `Ledger.room` and `Ledger.fits` for many searches at once.

        Args:
            before: [runs], seconds charged so far.
            cost: [runs], seconds of the next children.
            children: number of children counted so far.

        Returns:
            Bools, [runs].
        """
        limit = self.budget.limit
        return (self.spent(before, children) < limit) & (self.spent(before + cost, children + 1) <= limit)


@dataclass(frozen=True, eq=False)
class Replayed:
    """Results of searches of a table.

    Args:
        setting: the strategy with its options.
        table: the table that was searched.
        budget: the budget.
        seeds: search seeds, one per search.
        codes: [runs, most children], positions in the table of the counted children, in the order of their outcomes; -1
            after the last.
        outcome_from: outcome of a child: "mean" over the architecture's trainings, or "one" of them.
        devices: children in training at once.
        courses: the rest about the children, where trainings stop early or run side by side; None otherwise.
        searcher: [runs, most children], seconds that the searcher was charged for each child, as measured here, in the
            category `kind.charged_as`: of shared weights that were trained, or of untrained networks that were scored; None
            for a search with neither.
    """

    setting: Setting
    table: Table
    budget: ReplayBudget
    seeds: tuple[int, ...]
    codes: IntArray
    outcome_from: OutcomeFrom = "mean"
    devices: int = 1
    courses: Courses | None = None
    searcher: FloatArray | None = None

    @cached_property
    def children(self) -> IntArray:
        """Number of counted children, [runs]."""
        counts: IntArray = (self.codes >= 0).sum(axis=1)
        return counts

    @cached_property
    def seconds(self) -> FloatArray:
        """Cumulative cost up to each child in device-seconds, [runs, most children]."""
        return self.costs.cumsum(axis=1)

    @cached_property
    def costs(self) -> FloatArray:
        """Device-seconds that each child and the searcher for it were charged, [runs, most children]; 0 at the end."""
        return self.children_costs if self.searcher is None else self.children_costs + self.searcher

    @cached_property
    def children_costs(self) -> FloatArray:
        """Device-seconds that each child alone was charged, [runs, most children]; 0 at the end."""
        if self.courses is not None:
            return self.courses.costs
        return np.where(self.codes >= 0, self.table.seconds[self.codes], 0.0)

    @property
    def ends(self) -> FloatArray:
        """Simulated seconds since the start at which each child ended, [runs, most children]."""
        return self.seconds if self.courses is None else self.courses.ends

    @cached_property
    def outcomes(self) -> FloatArray:
        """Validation scores of the children, oriented, [runs, most children]; NaN for failures and at the end."""
        runs = np.array(self.setting.streams(self.seeds))[:, None]
        stops = None if self.courses is None else self.courses.stops
        scores = self.table.outcomes(self.codes, runs, self.outcome_from, stops)
        return np.where(self.codes >= 0, scores, np.nan)

    @cached_property
    def _scores(self) -> FloatArray:
        return np.where(np.isnan(self.outcomes), -np.inf, self.outcomes)

    def chosen(self) -> tuple[IntArray, IntArray]:
        """Find the choice of each run: its first child with the highest validation accuracy.

        Returns:
            Ints: runs that have a child with a score, and the position of the choice among the children of each.
        """
        if not self.codes.shape[1]:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        places = self._scores.argmax(axis=1)
        runs = np.flatnonzero(np.isfinite(self._scores[np.arange(len(places)), places]))
        return runs, places[runs]

    def improved(self) -> tuple[IntArray, IntArray]:
        """Find the incumbents: children with a higher validation accuracy than all earlier children of their run.

        Returns:
            Ints [incumbents]: their runs, and their positions among the children of the run; sorted by run, then
            position.
        """
        best = np.maximum.accumulate(self._scores, axis=1)
        before = np.concatenate([np.full((len(best), 1), -np.inf), best[:, :-1]], axis=1)
        runs, places = np.nonzero(self._scores > before)
        return runs, places

    def best_test_acc(self, report: Table | None = None) -> float:
        """Find the best test score that a choice could have, oriented; validation score in a table without test scores.

        Args:
            report: see `frame`.

        Returns:
            The best of the architectures that the limits of the setting allow: an accuracy in [0, 1], or an oriented score.

        Raises:
            InputError: when the table belongs to another space.
        """
        scored = self.scores_on(report)
        return float(np.nanmax(scored.reported_acc[self.table.fitting(self.setting.where_arch)]))

    def scores_on(self, report: Table | None) -> Table:
        """Return the table in which choices are scored.

        Args:
            report: a table of the same space; None for the searched table.

        Returns:
            The table.

        Raises:
            InputError: when the table belongs to another space.
        """
        if report is None or report is self.table:
            return self.table
        if report.space != self.table.space:
            raise InputError(
                f"choices of a search of {self.table.space.spec!r} have no scores in a table of {report.space.spec!r}"
            )
        return report

    def frame(self, report: Table | None = None) -> pd.DataFrame:
        """Make a frame with one row per search: its choice, the first child with the highest validation accuracy.

        Args:
            report: table of the same space in which the choices are scored, of any data set; None for the searched
                table.

        Returns:
            strategy, seed, searched_on and data (data sets of the search and of the scores), children, spent (in the
            budget's unit), index (of the choice in the order of proposals; -1 without one), choices, architecture
            (text), outcome (the validation score that the search received, on `searched_on`), val_acc, test_acc (on
            `data`, means over trainings). Accuracies are in [0, 1], and other scores in their own direction, as the tables
            have them; NaN without a choice.

        Raises:
            InputError: when the table belongs to another space.
        """
        import pandas as pd

        table = self.scores_on(report)
        runs, places = self.chosen()
        found = np.zeros(len(self.seeds), dtype=bool)
        index, chosen = np.full(len(found), -1), np.zeros(len(found), dtype=np.int64)
        found[runs], index[runs], chosen[runs] = True, places, self.codes[runs, places]
        outcomes = np.full(len(found), np.nan)
        outcomes[runs] = self.table.score.sign * self.outcomes[runs, places]
        architectures = {code: self.table.architecture(code) for code in set(chosen[found].tolist())}
        picks = [architectures.get(code) if ok else None for code, ok in zip(chosen.tolist(), found.tolist())]
        return pd.DataFrame(
            {
                "strategy": self.setting.shown,
                "seed": self.seeds,
                "searched_on": self.table.name,
                "data": table.name,
                "children": self.children,
                "spent": self._spent_at_end(),
                "index": self._proposal_numbers(runs, places, index),
                "choices": [pick.choices if pick else () for pick in picks],
                "architecture": [str(pick) if pick else "" for pick in picks],
                "outcome": outcomes,
                "val_acc": np.where(found, table.score.sign * table.val_acc[chosen], np.nan),
                "test_acc": np.where(found, table.score.sign * table.test_acc[chosen], np.nan),
            }
        )

    def incumbents(self, report: Table | None = None) -> pd.DataFrame:
        """Make a frame of the incumbents: one row per change of a search's choice so far.

        Args:
            report: see `frame`.

        Returns:
            strategy, seed, searched_on, data, children (counted so far, including this one), spent (in the budget's
            unit), val_acc, test_acc (both on `data`, oriented scores, means over trainings; in a table without test scores,
            test_acc is val_acc, by which choices are then compared).

        Raises:
            InputError: when the table belongs to another space.
        """
        import pandas as pd

        table = self.scores_on(report)
        runs, places = self.improved()
        codes = self.codes[runs, places]
        return pd.DataFrame(
            {
                "strategy": self.setting.shown,
                "seed": np.array(self.seeds)[runs],
                "searched_on": self.table.name,
                "data": table.name,
                "children": places + 1,
                "spent": self._spent(self.seconds[runs, places], self.ends[runs, places], places + 1),
                "val_acc": table.val_acc[codes],
                "test_acc": table.reported_acc[codes],
            }
        )

    def _spent_at_end(self) -> FloatArray:
        nothing = np.zeros(len(self.seeds))
        seconds, ends = (each[:, -1] if self.codes.shape[1] else nothing for each in (self.seconds, self.ends))
        return self._spent(seconds, np.maximum(ends, 0.0), self.children)

    def _spent(self, seconds: FloatArray, ends: FloatArray, children: IntArray) -> FloatArray:
        if self.budget.unit == "children":
            return children.astype(np.float64)
        return self.budget.spent(ends if self.budget.unit == "wall_seconds" else seconds, 0)

    def _proposal_numbers(self, runs: IntArray, places: IntArray, index: IntArray) -> IntArray:
        """Number of each run's choice in the order of the proposals, in place of that in the order of the ends."""
        if self.courses is not None:
            index[runs] = self.courses.indices[runs, places]
        return index


def with_measured(table: Table, settings: Sequence[Setting], files: Sequence[str | Path]) -> Table:
    """Add measured quantities to a table, as far as strategies have them as objectives.

    Args:
        table: the complete table.
        settings: the strategies.
        files: results files with the measurements, or the table's own file, which may have none.

    Returns:
        The table; this one if no strategy needs a measurement.

    Raises:
        InputError: when a quantity was not measured, in several ways, or not of every architecture.
        StoreError: when a file cannot be read.
    """
    from nasbench.store.query import Results

    names = list(dict.fromkeys(name for setting in settings for name in setting.config.measured))
    if not names:
        return table
    own = [file for file in files if Path(file).suffix != ".npz"]  # an archive and a compact table hold no measurements
    if not own or table.what != "table":
        table.check_measured(names)
        return table
    with Results([str(file) for file in own]) as opened:
        found = table.with_measured(names, opened.measurements())
    found.check_measured(names)
    return found


def replay(
    table: Table,
    setting: Setting,
    seeds: Sequence[int],
    budget: ReplayBudget,
    outcome_from: OutcomeFrom = "mean",
    devices: int = 1,
) -> Replayed:
    """Search a table once per seed.

    The simulated clock and the ledger use the costs of children in the table. The searcher's own time is not charged,
    so the result depends only on the table, the strategy and the seeds. Seconds in which a strategy trains shared weights, or
    in which a warm start or a filter scores untrained networks, are charged as they are measured; under a budget in time or
    money, the result depends on this machine, too.

    Args:
        table: the complete table.
        setting: the strategy with its options.
        seeds: search seeds, at least one, each >= 0.
        budget: the budget.
        outcome_from: outcome of a child: "mean" over its trainings, or "one" of them. Which one depends only on the
            search (strategy and seed) and the child's hash, so a repeated proposal gets the same outcome, as from a
            cache. The cost of a child is the table's `seconds` in both cases, because trainings of one architecture may
            have run on machines of different speed.
        devices: children in training at once, >= 1. With several, outcomes are received in the order of the simulated
            ends, as in a run that commits children as they finish; see `clock.simulate`.

    Returns:
        The results; for vectorized strategies they equal those of `replay_one_by_one`.

    Raises:
        InputError: when there are no seeds, the strategy cannot search the space, no architecture of the table has
            several trainings to pick from, or the table has no costs and the budget or several devices need them.
        NothingFits: when almost no architecture satisfies the limits of the setting.
    """
    table.check_outcome_from(outcome_from)
    table.check_budget_unit(budget.unit)
    if not seeds:
        raise InputError("a replay needs at least one seed, e.g. --seeds 500")
    if devices > 1 and setting.kind.charged_as == "supernet":
        raise InputError(
            f"strategy {setting.name!r} trains shared weights before its children, which a clock of {devices} devices does "
            "not count; replay it without --children-at-once"
        )
    if devices > 1 or setting.kind.asks_epochs:
        return replay_on_clock(table, setting, seeds, budget, outcome_from, devices)
    if issubclass(setting.kind, VectorizedStrategy) and not setting.limited:
        searches = setting.kind.vectorized(table.space, setting.streams(seeds), setting.config)
        if searches is not None:
            return Replayed(
                setting,
                table,
                budget,
                tuple(seeds),
                _replay_vectorized(table, searches, setting.streams(seeds), budget, outcome_from),
                outcome_from,
            )
    if in_generations(setting.kind) and not setting.limited:
        table.check_measured(setting.config.measured)
        codes = _replay_generations(table, setting, seeds, budget, outcome_from)
        if codes is not None:
            return Replayed(setting, table, budget, tuple(seeds), codes, outcome_from)
    return replay_one_by_one(table, setting, seeds, budget, outcome_from)


def _replay_generations(
    table: Table, setting: Setting, seeds: Sequence[int], budget: ReplayBudget, outcome_from: OutcomeFrom
) -> IntArray | None:
    """Search a generation at a time; None if objectives of some architecture are not known."""
    names = setting.config.names  # type: ignore[attr-defined]
    searches = GenerationReplay(table, names, budget.budget, budget.usd_per_hour, outcome_from)
    if not searches.known:
        return None
    found = []
    for seed in setting.streams(seeds):
        strategy = _started(setting, table.space, seed, setting.config)
        assert isinstance(strategy, GenerationStrategy)
        found.append(searches.search(strategy, seed))
    return _padded(found)


def _started(setting: Setting, space: Space, seed: int, config: StrategyConfig) -> Strategy[Any]:
    """Make a strategy, in the state before the first `ask`."""
    with blamed_on(f"strategy {setting.name!r}, its start"):
        return setting.kind(space, seed, config)


def _padded(found: Sequence[Sequence[int]]) -> IntArray:
    """Children of searches of different lengths as one array, -1 after the last."""
    codes = np.full((len(found), max(map(len, found))), -1, dtype=np.int64)
    for row, children in zip(codes, found):
        row[: len(children)] = children
    return codes


def is_vectorized(table: Table, setting: Setting) -> bool:
    """Whether all searches of a strategy run at once in arrays on this table.

    Args:
        table: the complete table.
        setting: the strategy with its options.

    Returns:
        False if `ask` and `tell` are called for one search after another.
    """
    kind = setting.kind
    if setting.limited or kind.asks_epochs:  # rejected draws come at other steps in each search
        return False
    return issubclass(kind, VectorizedStrategy) and kind.vectorized(table.space, [0], setting.config) is not None


def replay_one_by_one(
    table: Table, setting: Setting, seeds: Sequence[int], budget: ReplayBudget, outcome_from: OutcomeFrom = "mean"
) -> Replayed:
    """Do the same as `replay` with the strategy's `ask` and `tell`, one search after another.

    Args:
        table: see `replay`.
        setting: see `replay`.
        seeds: see `replay`.
        budget: see `replay`.
        outcome_from: see `replay`.

    Returns:
        The results.

    Raises:
        InputError: see `replay`.
    """
    table.check_outcome_from(outcome_from)
    found, own = [], []
    measured = setting.config.measured
    table.check_measured(measured)
    for seed, space, scoring in setting.spaces_of(table, seeds):
        ledger = Ledger(budget.budget, budget.usd_per_hour)
        outcomes = partial(_picked, table, seed) if outcome_from == "one" else partial(_mean, table)
        strategy = _started(setting, space, seed, setting.config)
        children, seconds = _ask_and_tell(table, strategy, ledger, outcomes, measured, scoring, outcome_from)
        found.append(children)
        own.append(seconds)
    codes = _padded(found)
    if not setting.pays:
        return Replayed(setting, table, budget, tuple(seeds), codes, outcome_from)
    searcher = np.zeros(codes.shape)
    for row, spent in zip(searcher, own):
        row[: len(spent)] = spent
    return Replayed(setting, table, budget, tuple(seeds), codes, outcome_from, searcher=searcher)


def replay_on_clock(
    table: Table,
    setting: Setting,
    seeds: Sequence[int],
    budget: ReplayBudget,
    outcome_from: OutcomeFrom = "mean",
    devices: int = 1,
    whole_strategy: bool = False,
) -> Replayed:
    """Search a table on the simulated clock with several devices, or with trainings that stop early.

    Args:
        table: see `replay`.
        setting: see `replay`.
        seeds: see `replay`.
        budget: see `replay`.
        outcome_from: see `replay`.
        devices: children in training at once, >= 1.
        whole_strategy: whether to use `ask` and `tell` although the algorithm alone gives the same more quickly.

    Returns:
        The results.

    Raises:
        InputError: see `replay`.
    """
    table.check_devices(devices)
    config = setting.config_on(table)
    known = _Scores(table, outcome_from)
    found = []
    for seed, space, scoring in setting.spaces_of(table, seeds):
        ledger, score = Ledger(budget.budget, budget.usd_per_hour), known.of(seed)
        strategy = _started(setting, space, seed, config)
        core = None if whole_strategy or not table.score.is_accuracy else _core_of(strategy, table, seed)
        if core is not None and table.curves is not None:
            found.append(simulate_core(core, ledger, devices, score, table.curves.epochs))
        else:
            wanted = setting.config.measured
            found.append(simulate(table, strategy, ledger, devices, score, wanted, scoring, outcome_from))
    codes, courses, searcher = Courses.of(found)
    if not table.timed:
        courses = courses.without_costs(codes >= 0)
    paid = searcher if setting.pays else None
    return Replayed(setting, table, budget, tuple(seeds), codes, outcome_from, devices, courses, paid)


def _core_of(strategy: Strategy[Any], table: Table, seed: int) -> Core[int] | None:
    """Make the algorithm of a strategy with draws of positions; None if its draws are not uniform ones of the space."""
    space = strategy.space
    if not isinstance(strategy, RungStrategy) or not strategy.draws_uniformly or type(space).random is not Space.random:
        return None
    return strategy.core(UniformCodes(table, seed).next)


class UniformCodes:
    """Positions of uniform draws of a space, drawn ahead in blocks; they equal those of `Space.random`.

    Args:
        table: the table.
        seed: seed of the draws.
    """

    def __init__(self, table: Table, seed: int) -> None:
        self._rng, self._table = np.random.default_rng(seed), table
        self._bounds = np.array([decision.options for decision in table.space.decisions])
        self._block: list[int] = []

    def next(self) -> int:
        """Draw a position."""
        if not self._block:
            drawn = self._rng.integers(self._bounds, size=(FIRST_CHILDREN, len(self._bounds)))
            self._block = self._table.code(drawn).tolist()[::-1]
        return self._block.pop()


class _Scores:
    """Scores and costs of a table as lists, which are read faster one by one than arrays.

    Args:
        table: the table.
        outcome_from: see `replay`.
    """

    def __init__(self, table: Table, outcome_from: OutcomeFrom) -> None:
        self._table, self._from = table, outcome_from
        self._seconds: dict[int, list[float]] = {}
        self._means: dict[int, list[float]] = {}

    def of(self, seed: int) -> ScoreOf:
        """Make the function of scores for one search.

        Args:
            seed: seed of its stream, which picks a training of each architecture if outcomes are of one.

        Returns:
            See `clock.ScoreOf`.
        """
        if self._table.what != "table":  # its rows come with the proposals, and all trainings are whole
            return lambda code, stop: Scored(
                float(self._table.outcomes(np.array(code), np.array(seed), self._from)),
                float(self._table.seconds[code]),
            )
        scores = self._means if self._from == "mean" else {}

        def score(code: int, stop: int) -> Scored:
            if stop not in scores:
                scores[stop] = self._column(seed, stop)
            if stop not in self._seconds:
                self._seconds[stop] = self._costs(stop)
            return Scored(scores[stop][code], self._seconds[stop][code])

        return score

    def _column(self, seed: int, stop: int) -> list[float]:
        codes = np.arange(self._table.space.size)
        stops = np.full(len(codes), stop)
        values: list[float] = self._table.outcomes(codes, np.array(seed), self._from, stops).tolist()
        return values

    def _costs(self, stop: int) -> list[float]:
        table = self._table
        if not table.timed:  # its budget is then in children, which one device trains one after another
            return [0.0] * table.space.size
        seconds = table.seconds
        if stop and table.curves is not None:
            cut = table.curves.seconds[table.curves.kinds, stop - 1]
            seconds = np.where(np.isnan(cut), seconds, cut)  # of one that failed
        values: list[float] = seconds.tolist()
        return values


def _mean(table: Table, code: int) -> float:
    return float(table.val_acc[code])


def _picked(table: Table, seed: int, code: int) -> float:
    return float(table.outcomes(np.array(code), np.array(seed), "one"))


def _ask_and_tell(
    table: Table,
    strategy: Strategy[Any],
    ledger: Ledger,
    outcomes: Callable[[int], float],
    measured: Sequence[str],
    scoring: ScoringSeconds,
    outcome_from: OutcomeFrom,
) -> tuple[list[int], list[float]]:
    """Run one search, given one outcome per position of the table, and the account of the scores that guide it.

    Return the positions of the counted children, and the seconds that the searcher was charged for each.
    """
    codes: list[int] = []
    charged: list[float] = []
    category = getattr(strategy, "charged_as", "searcher")  # see `name`
    shares, clock = category == "supernet", getattr(strategy, "charged_by", Strategy.charged_by)
    name = getattr(strategy, "name", type(strategy).__name__)  # a class of one's own need not be registered
    while ledger.room(0):
        began = reading(clock) if shares else 0.0
        with blamed_on(f"strategy {name!r}, ask()"):
            proposed = strategy.ask()
        scored = scoring.take()
        own = reading(clock) - began if shares else scored  # what shares weights scores while it is measured
        if proposed is None:
            break
        architecture = require_proposal(proposed, table.space, name)
        if not strategy.space.allows(architecture):
            raise InputError(
                f"strategy {name!r} proposes {architecture}, which the limits do not allow; a strategy that "
                "makes architectures by decode must ask space.allows first"
            )
        code = table.position(architecture.choices)
        seconds = float(table.seconds[code]) if table.timed else 0.0  # its budget is then in children
        ledger.wall_seconds += seconds + own
        if not ledger.fits(seconds + own):
            break
        ledger.charge(category, own)
        ledger.charge("cached", seconds)
        charged.append(own)
        ledger.children += 1
        outcome = float(outcomes(code))
        reward = table.reward(outcome, outcome_from)
        with blamed_on(f"strategy {name!r}, tell()"):
            strategy.tell(
                Outcome(
                    index=len(codes),
                    architecture=architecture,
                    status="failed" if math.isnan(outcome) else "ok",
                    val_curve=(),
                    val_acc=math.nan if math.isnan(outcome) else reward,
                    params=int(table.params[code]),
                    mult_adds=int(table.mult_adds[code]),
                    device_seconds=seconds,
                    measured={name: float(table.measured[name][code]) for name in measured},
                )
            )
        codes.append(code)
    return codes, charged


def _rewards(table: Table, runs: IntArray, outcome_from: OutcomeFrom) -> Callable[[IntArray], FloatArray]:
    """Make the function from positions, one per search, to rewards."""
    if outcome_from == "mean" and table.what == "table":  # converted once
        return table.rewards(table.val_acc).__getitem__
    return lambda codes: table.rewards(table.outcomes(codes, runs, outcome_from), outcome_from)


def _replay_vectorized(
    table: Table, searches: VectorizedSearch, seeds: Sequence[int], budget: ReplayBudget, outcome_from: OutcomeFrom
) -> IntArray:
    """Run all searches at once until the last has spent its budget.

    Proposals after the end of a search are not counted.
    """
    runs = np.array(seeds)
    codes: IntArray = np.full((len(runs), FIRST_CHILDREN), -1, dtype=np.int64)
    seconds = np.zeros(len(runs))
    going = np.ones(len(runs), dtype=bool)
    children = 0
    rewards = _rewards(table, runs, outcome_from)
    while True:
        proposed = table.code(searches.ask())
        cost = table.seconds[proposed]
        going &= budget.counted(seconds, cost, children)
        if not going.any():
            return codes[:, :children]
        seconds += cost
        if children == codes.shape[1]:
            codes = np.concatenate([codes, np.full_like(codes, -1)], axis=1)
        codes[:, children] = np.where(going, proposed, -1)
        children += 1
        searches.tell(rewards(proposed))
