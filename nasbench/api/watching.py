"""Callbacks of a user as the watcher of a search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nasbench.callbacks.base import Callback, FinishedChild, SearchInfo
from nasbench.errors import InputError
from nasbench.runners.search.budget import Ledger
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.rows import Proposal
from nasbench.runners.search.watcher import Watcher

CallbackLike = Callback | Callable[[FinishedChild], Any]


class _OnChild(Callback):
    """A function that is called with each child of the search."""

    def __init__(self, function: Callable[[FinishedChild], Any]) -> None:
        self._function = function

    def on_child(self, child: FinishedChild) -> None:
        """Call the function; what it returns means nothing."""
        self._function(child)


def callbacks_of(given: Sequence[CallbackLike] | CallbackLike) -> tuple[Callback, ...]:
    """Check the callbacks that a user gave, and wrap functions as callbacks.

    Args:
        given: one callback or function, or a sequence of them; a function is called with each `FinishedChild`.

    Returns:
        The callbacks, in the same order.

    Raises:
        InputError: when one is neither a callback nor a function.
    """
    several = given if isinstance(given, Sequence) else [given]
    found = []
    for each in several:
        if isinstance(each, type) or not (isinstance(each, Callback) or callable(each)):
            raise InputError(
                f"a callback is an object of a subclass of nasbench.Callback, or a function of one child, got {each!r}"
            )
        found.append(each if isinstance(each, Callback) else _OnChild(each))
    return tuple(found)


class CallbackWatcher(Watcher):
    """Calls callbacks in their order.

    Args:
        callbacks: callbacks, in the order of their calls.
        plan: plan of the search.
        path: the results file.
    """

    def __init__(self, callbacks: Sequence[Callback], plan: SearchPlan, path: str) -> None:
        self._callbacks, self._plan, self._path = callbacks, plan, path
        self._search: SearchInfo | None = None
        self._best = math.nan

    def started(self, ledger: Ledger, best: float) -> None:
        """Call `on_start` of every callback; see `Watcher.started`."""
        self._best = best
        config = self._plan.config.model_dump(mode="json")
        self._search = SearchInfo(self._plan.run, self._path, config, ledger.children)
        for callback in self._callbacks:
            callback.on_start(self._search)

    def committed(
        self,
        proposal: Proposal,
        row: Mapping[str, Any],
        curves: Mapping[str, Sequence[float]],
        ledger: Ledger,
        incumbent: bool,
    ) -> None:
        """Call `on_child`, then `on_incumbent` for a new best child; see `Watcher.committed`.

        For a final training, only `on_final` is called.
        """
        if incumbent:
            self._best = float(row["val_acc"])
        child = FinishedChild(
            architecture=proposal.architecture,
            row=dict(row),
            curves=dict(curves),
            children=ledger.children,
            spent=ledger.spent,
            share=min(1.0, ledger.spent / ledger.budget.limit),
            best_val_acc=self._best,
            incumbent=incumbent,
            stopper=self._stop,
        )
        for callback in self._callbacks:
            if row["stage"] == "final":
                callback.on_final(child)
                continue
            callback.on_child(child)
            if incumbent:
                callback.on_incumbent(child)

    def ended(self, status: str) -> None:
        """Call `on_end` of every callback, if the search had started; see `Watcher.ended`."""
        if self._search is not None:
            for callback in self._callbacks:
                callback.on_end(self._search, status)

    def _stop(self, reason: str) -> None:
        self.stop_reason = self.stop_reason or reason
