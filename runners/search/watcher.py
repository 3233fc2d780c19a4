"""Watcher of a search: it is notified of each committed child, and may request the run to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasbench.runners.search.budget import Ledger
from nasbench.runners.search.rows import Proposal


class SearchStopped(Exception):
    """The watcher requested the run to stop. The run is marked as interrupted and can be resumed."""


class Watcher:
    """Base class of watchers, which does nothing; subclasses show or record events.

    The time of a watcher is not charged to the run, but it is part of the wall time.

    Attributes:
        stop_reason: a text ends the run before the next proposal. Children whose training has ended by then are stored;
            those still in training are trained again when the run is resumed.
    """

    stop_reason: str = ""

    def started(self, ledger: Ledger, best: float) -> None:
        """Called when a run starts or is resumed.

        Args:
            ledger: charges of earlier attempts; empty for a new run.
            best: best validation accuracy of earlier attempts, in [0, 1]; NaN if there is none.
        """

    def committed(
        self,
        proposal: Proposal,
        row: Mapping[str, Any],
        curves: Mapping[str, Sequence[float]],
        ledger: Ledger,
        incumbent: bool,
    ) -> None:
        """Called after a child was stored and charged, and the strategy received its outcome.

        Args:
            proposal: the proposal.
            row: the child's columns (`store.format.schema.CHILD_COLUMNS`).
            curves: its curves, one value per completed epoch.
            ledger: charges of the run, including this child.
            incumbent: whether it is the best child of the search so far.
        """

    def ended(self, status: str) -> None:
        """Called when a run ends.

        Args:
            status: "complete", "interrupted" or "failed" (by an exception); the first two are stored before the call.
        """
