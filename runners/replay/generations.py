"""Replays of strategies that make whole generations: outcomes and charges of a generation at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from nasbench.runners.search.budget import SECONDS_PER_HOUR, Budget
from nasbench.runners.strategies.generations import GenerationStrategy
from nasbench.runners.strategies.objectives import COUNTED, ERROR
from nasbench.tabular.tables import FloatArray, IntArray, Table
from nasbench.tabular.trainings import OutcomeFrom


class GenerationReplay:
    """Searches of one table by one strategy, a generation at a time. What it learns of hashes serves all of them.

    Args:
        table: the complete table.
        names: the objectives.
        budget: the budget.
        usd_per_hour: price of a device-hour, for a budget in USD.
        outcome_from: outcome of a child, see `replay`.
    """

    def __init__(
        self, table: Table, names: Sequence[str], budget: Budget, usd_per_hour: float, outcome_from: OutcomeFrom
    ) -> None:
        self._table, self._names = table, names
        self._budget, self._usd_per_hour, self._from = budget, usd_per_hour, outcome_from
        self._hashes: dict[int, Hashable] = {}

    @property
    def known(self) -> bool:
        """Whether the table has the objectives of every architecture; if not, a child without them is an error."""
        columns = [self._column(name) for name in self._names if name != ERROR]
        return all(bool(np.isfinite(column).all()) for column in columns) and all(
            bool((getattr(self._table, name) >= 0).all()) for name in self._names if name in COUNTED
        )

    def search(self, strategy: GenerationStrategy[Any], seed: int) -> list[int]:
        """Run one search.

        Args:
            strategy: a new strategy.
            seed: seed of its stream, which picks a training of each architecture if outcomes are of one.

        Returns:
            Positions in the table of the counted children.
        """
        table, found, seconds = self._table, list[int](), 0.0
        identify = self._choices if strategy.by_choices else self._graphs
        while len(strategy.rows):
            codes = table.code(strategy.rows)
            cost = table.seconds[codes] if table.timed else np.zeros(len(codes))
            spent = np.cumsum(np.concatenate([[seconds], cost]))  # added one after another, as the ledger does
            counted = self._counted(spent, len(found))
            found += codes[:counted].tolist()
            if counted < len(codes):
                break
            seconds = float(spent[-1])
            strategy.evolve(self._objectives(codes, seed), identify)
        return found

    def _counted(self, spent: FloatArray, children: int) -> int:
        """How many children of a generation count: `Ledger.room` and `Ledger.fits` for each."""
        amounts = self._budget.amount(
            children=children + np.arange(len(spent), dtype=np.float64),
            device_seconds=spent,
            usd=spent / SECONDS_PER_HOUR * self._usd_per_hour,
            wall_seconds=spent,
        )
        fits = (amounts[:-1] < self._budget.limit) & (amounts[1:] <= self._budget.limit)
        return len(fits) if fits.all() else int(fits.argmin())

    def _objectives(self, codes: IntArray, seed: int) -> FloatArray:
        table = self._table
        outcomes = table.outcomes(codes, np.array(seed), self._from)
        columns = [
            1.0 - table.rewards(outcomes, self._from) if name == ERROR else self._column(name)[codes].astype(np.float64)
            for name in self._names
        ]
        return np.stack(columns, axis=1)

    def _column(self, name: str) -> Any:
        return getattr(self._table, name) if name in COUNTED else self._table.measured[name]

    def _choices(self, rows: IntArray) -> list[Hashable]:
        positions: list[Hashable] = self._table.code(rows).tolist()
        return positions

    def _graphs(self, rows: IntArray) -> list[Hashable]:
        codes = self._table.code(rows)
        trainings = self._table.trainings
        if trainings is not None:  # equal hashes have one first training
            firsts: list[Hashable] = trainings.first[codes].tolist()
            return firsts
        for code in codes.tolist():
            if code not in self._hashes:
                self._hashes[code] = self._table.architecture(code).hash
        return [self._hashes[code] for code in codes.tolist()]
