"""Replays: searches of a complete table with real strategies and stop rule, on a clock that adds the table's costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InputError, blamed_on
from nasbench.protocols.protocol import validated
from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget, Ledger
from nasbench.runners.strategies import STRATEGIES, Outcome, Strategy, StrategyConfig
from nasbench.runners.strategies.proposals import require_proposal
from nasbench.runners.strategies.streams import stream_seed
from nasbench.runners.strategies.vectorized import VectorizedSearch, VectorizedStrategy
from nasbench.spaces import Architecture, Space
from nasbench.spaces.constrained import Counter, Limits, constrained, one_spelling, parse_limits
from nasbench.structures import Counts
from nasbench.tabular.tables import FloatArray, IntArray, Table
from nasbench.tabular.trainings import OutcomeFrom

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
    """

    name: str
    kind: type[Strategy[Any]]
    config: StrategyConfig
    where_arch: str = ""

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any], where_arch: str = "") -> Setting:
        """Resolve a strategy's name and options.

        Args:
            name: registered name of the strategy.
            options: option -> value as text.
            where_arch: limits on the architectures, e.g. "params <= 100k"; "" for none.

        Returns:
            The strategy with its options.

        Raises:
            UnknownName: when there is no such strategy.
            InputError: when it has no such option, or a value does not fit; the message names the option. Also when
                `where_arch` is no condition on counts.
        """
        kind = STRATEGIES.get(name)
        config = validated(kind.config_type, options, f"options of strategy {name!r}")
        return cls(name, kind, config, one_spelling(where_arch))

    def space_of(self, table: Table) -> Space:
        """Return the space of a table as the strategy sees it: only what fits, by the table's counts.

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
        for name in sorted(condition.names):
            if (getattr(table, name) <= 0).any():
                raise InputError(
                    f"table {table.name!r} does not hold {name} of every architecture; leave it out of the limits"
                )
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

    @property
    def text(self) -> str:
        """The strategy with the options that differ from its defaults, e.g. "evolution:population=10,sample=3"."""
        changed = [
            f"{field}={value:g}" if isinstance(value, float) else f"{field}={value}"
            for field, value in self.config.model_dump().items()
            if value != self.kind.config_type.model_fields[field].default
        ]
        return self.name + (":" + ",".join(changed) if changed else "")


@dataclass(frozen=True)
class CountsInTable(Counter):
    """Counts of a table's architectures, as the table holds them.

    Args:
        table: the table.
    """

    table: Table

    def counts(self, architecture: Architecture) -> Counts:
        """Return the counts of the architecture's row; see `Counter.counts`."""
        code = int(self.table.code(np.array(architecture.choices)))
        return Counts(params=int(self.table.params[code]), mult_adds=int(self.table.mult_adds[code]))


@dataclass(frozen=True)
class ReplayBudget:
    """Budget of a replay: its unit and its limit.

    Args:
        budget: the limit. Wall time is the simulated clock: children follow one another, and each takes the time in the
            table.
        usd_per_hour: price of a device-hour; used only for budgets in USD.

    Raises:
        InputError: when a budget in USD could never end.
    """

    budget: Budget
    usd_per_hour: float = 0.0

    def __post_init__(self) -> None:
        if self.budget.unit == "usd" and not self.usd_per_hour > 0:
            raise InputError(
                f"budget {self.budget.text!r} never ends at 0 USD per hour: give --price, e.g. --price 0.10"
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
    """

    setting: Setting
    table: Table
    budget: ReplayBudget
    seeds: tuple[int, ...]
    codes: IntArray
    outcome_from: OutcomeFrom = "mean"

    @cached_property
    def children(self) -> IntArray:
        """Number of counted children, [runs]."""
        counts: IntArray = (self.codes >= 0).sum(axis=1)
        return counts

    @cached_property
    def seconds(self) -> FloatArray:
        """Cumulative cost up to each child in seconds, [runs, most children]."""
        return np.where(self.codes >= 0, self.table.seconds[self.codes], 0.0).cumsum(axis=1)

    @cached_property
    def outcomes(self) -> FloatArray:
        """Validation scores of the children, oriented, [runs, most children]; NaN for failures and at the end."""
        scores = self.table.outcomes(self.codes, np.array(self.setting.streams(self.seeds))[:, None], self.outcome_from)
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
                "strategy": self.setting.name,
                "seed": self.seeds,
                "searched_on": self.table.name,
                "data": table.name,
                "children": self.children,
                "spent": self._spent_at_end(),
                "index": index,
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
                "strategy": self.setting.name,
                "seed": np.array(self.seeds)[runs],
                "searched_on": self.table.name,
                "data": table.name,
                "children": places + 1,
                "spent": self._spent(self.seconds[runs, places], places + 1),
                "val_acc": table.val_acc[codes],
                "test_acc": table.reported_acc[codes],
            }
        )

    def _spent_at_end(self) -> FloatArray:
        seconds = self.seconds[:, -1] if self.codes.shape[1] else np.zeros(len(self.seeds))
        return self._spent(seconds, self.children)

    def _spent(self, seconds: FloatArray, children: IntArray) -> FloatArray:
        if self.budget.unit == "children":
            return children.astype(np.float64)
        return self.budget.spent(seconds, 0)


def replay(
    table: Table, setting: Setting, seeds: Sequence[int], budget: ReplayBudget, outcome_from: OutcomeFrom = "mean"
) -> Replayed:
    """Search a table once per seed, with one child in training at a time.

    The simulated clock and the ledger use the costs of children in the table. The searcher's own time is not charged,
    so the result depends only on the table, the strategy and the seeds.

    Args:
        table: the complete table.
        setting: the strategy with its options.
        seeds: search seeds, at least one, each >= 0.
        budget: the budget.
        outcome_from: outcome of a child: "mean" over its trainings, or "one" of them. Which one depends only on the
            search (strategy and seed) and the child's hash, so a repeated proposal gets the same outcome, as from a
            cache. The cost of a child is the table's `seconds` in both cases, because trainings of one architecture may
            have run on machines of different speed.

    Returns:
        The results; for vectorized strategies they equal those of `replay_one_by_one`.

    Raises:
        InputError: when there are no seeds, the strategy cannot search the space, or no architecture of the table has
            several trainings to pick from.
        NothingFits: when almost no architecture satisfies the limits of the setting.
    """
    table.check_outcome_from(outcome_from)
    if not seeds:
        raise InputError("a replay needs at least one seed, e.g. --seeds 500")
    if issubclass(setting.kind, VectorizedStrategy) and not setting.where_arch:
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
    return replay_one_by_one(table, setting, seeds, budget, outcome_from)


def is_vectorized(table: Table, setting: Setting) -> bool:
    """Whether all searches of a strategy run at once in arrays on this table.

    Args:
        table: the complete table.
        setting: the strategy with its options.

    Returns:
        False if `ask` and `tell` are called for one search after another.
    """
    kind = setting.kind
    if setting.where_arch:  # rejected draws come at other steps in each search
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
    found = []
    space = setting.space_of(table)
    for seed in setting.streams(seeds):
        ledger = Ledger(budget.budget, budget.usd_per_hour)
        outcomes = partial(_picked, table, seed) if outcome_from == "one" else table.val_acc.__getitem__
        found.append(_ask_and_tell(table, setting.kind(space, seed, setting.config), ledger, outcomes))
    longest = max(map(len, found))
    codes = np.full((len(seeds), longest), -1, dtype=np.int64)
    for row, children in zip(codes, found):
        row[: len(children)] = children
    return Replayed(setting, table, budget, tuple(seeds), codes, outcome_from)


def _picked(table: Table, seed: int, code: int) -> float:
    return float(table.outcomes(np.array(code), np.array(seed), "one"))


def _ask_and_tell(table: Table, strategy: Strategy[Any], ledger: Ledger, outcomes: Callable[[int], float]) -> list[int]:
    """Run one search, given one outcome per position of the table; return the positions of the counted children."""
    codes: list[int] = []
    places = table.place_values.tolist()
    name = getattr(strategy, "name", type(strategy).__name__)  # a class of one's own need not be registered
    while ledger.room(0):
        with blamed_on(f"strategy {name!r}, ask()"):
            architecture = strategy.ask()
        if architecture is None:
            break
        require_proposal(architecture, table.space, name)
        if not strategy.space.allows(architecture):
            raise InputError(
                f"strategy {name!r} proposes {architecture}, which the limits do not allow; a strategy that "
                "makes architectures by decode must ask space.allows first"
            )
        code = sum(choice * place for choice, place in zip(architecture.choices, places))
        seconds = float(table.seconds[code]) if table.timed else 0.0  # its budget is then in children
        ledger.wall_seconds += seconds
        if not ledger.fits(seconds):
            break
        ledger.charge("cached", seconds)
        ledger.children += 1
        outcome = float(outcomes(code))
        reward = float(table.rewards(np.array(outcome)))
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
                )
            )
        codes.append(code)
    return codes


def _replay_vectorized(
    table: Table, searches: VectorizedSearch, seeds: Sequence[int], budget: ReplayBudget, outcome_from: OutcomeFrom
) -> IntArray:
    """Run all searches at once until the last has spent its budget.

    Proposals after the end of a search are not counted.
    """
    runs = np.array(seeds)
    codes: IntArray = np.full((len(runs), FIRST_CHILDREN), -1, dtype=np.int64)
    rewards = table.rewards(table.val_acc)
    seconds = np.zeros(len(runs))
    going = np.ones(len(runs), dtype=bool)
    children = 0
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
        searches.tell(
            rewards[proposed] if outcome_from == "mean" else table.rewards(table.outcomes(proposed, runs, outcome_from))
        )
