"""What watches a search from outside: told of each child when it is committed, it may ask the run to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasbench.runners.search.budget import Ledger
from nasbench.runners.search.rows import Proposal


class SearchStopped(Exception):
    """Raised inside a run whose watcher asked it to stop; the run is marked as interrupted and can be resumed."""


class Watcher:
    """Does nothing; subclasses show or record what happens.

    What a watcher does is not charged to the run, but wall time goes on meanwhile.

    Attributes:
        stop_reason: set to a text, it ends the run before anything else is asked for. Children that are in training
            then are trained again when the run is resumed.
    """

    stop_reason: str = ""

    def started(self, ledger: Ledger, best: float) -> None:
        """See a run begin or go on.

        Args:
            ledger: what earlier attempts spent; empty for a new run.
            best: best validation accuracy of earlier attempts, in [0, 1]; NaN for none.
        """

    def committed(
        self,
        proposal: Proposal,
        row: Mapping[str, Any],
        curves: Mapping[str, Sequence[float]],
        ledger: Ledger,
        incumbent: bool,
    ) -> None:
        """See a child that is stored, charged and given to the strategy.

        Args:
            proposal: what was asked for.
            row: its columns (`store.format.schema.CHILD_COLUMNS`).
            curves: one value per completed epoch.
            ledger: what is spent with it.
            incumbent: whether it is the best of the search so far.
        """

    def ended(self, status: str) -> None:
        """See a run end.

        Args:
            status: "complete", "interrupted" or "failed" (by an exception); the first two are stored already.
        """
