"""What a callback is, and what it sees of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasbench.spaces.base import Architecture


@dataclass(frozen=True)
class SearchInfo:
    """A search, as a callback sees it.

    Args:
        run: id of the run, 12 hexadecimal digits.
        path: the results file.
        config: the stored configuration: strategy, options, space, protocol, budget, seed, ...
        children: counted children of earlier attempts; 0 for a new run.
    """

    run: str
    path: str
    config: Mapping[str, Any]
    children: int

    @property
    def name(self) -> str:
        """A short name for people, e.g. "evolution-seed0-1f3a9c"."""
        return f"{self.config['strategy']}-seed{self.config['seed']}-{self.run[:6]}".replace(":", ".")


@dataclass(frozen=True)
class FinishedChild:
    """A child that has ended, is stored, and is charged to the run.

    Args:
        architecture: the architecture that was trained.
        row: all its columns, named as in `Results.frame()`: val_acc, status, params, device_seconds, ...
        curves: learning curves, one value per completed epoch: train_loss, train_acc, val_loss, val_acc.
        children: counted children of the run so far.
        spent: amount that the run has spent, in the unit of its budget.
        share: part of the budget that is spent, in [0, 1].
        best_val_acc: best validation accuracy of the run so far, in [0, 1]; NaN before the first.
        incumbent: whether this child is the best of its run so far.
        stopper: function that ends the run; its argument is the reason.
    """

    architecture: Architecture
    row: Mapping[str, Any]
    curves: Mapping[str, Sequence[float]]
    children: int
    spent: float
    share: float
    best_val_acc: float
    incumbent: bool
    stopper: Callable[[str], None] = field(repr=False, compare=False)

    @property
    def index(self) -> int:
        """Place in the order of asking, from 0; of a final training its place among these."""
        return int(self.row["index"])

    @property
    def status(self) -> str:
        """ "ok", "diverged", "out_of_memory", "timed_out" or "failed"."""
        return str(self.row["status"])

    @property
    def val_acc(self) -> float:
        """Validation accuracy in [0, 1]; NaN when the status is not "ok"."""
        return float(self.row["val_acc"])

    @property
    def test_acc(self) -> float:
        """Test accuracy in [0, 1]; NaN during the search, which never reads the test images."""
        return float(self.row["test_acc"])

    def stop(self, reason: str = "a callback asked for it") -> None:
        """Stop the run before it asks for another child. It is marked as interrupted and can be resumed.

        Args:
            reason: for `Run.stop_reason`.
        """
        self.stopper(reason or "a callback asked for it")


class Callback:
    """Methods that a search calls; override those that you need.

    They are called in the process and the thread of the search, after the child is stored. Their time is not charged,
    except to a budget in wall time. An exception ends the search; every child so far is kept and the run can be
    resumed. Children of earlier attempts are not seen again.

    Example:
        >>> import nasbench
        >>> class Print(nasbench.Callback):
        ...     def on_incumbent(self, child):
        ...         print(f"child {child.index} is the best so far")
        >>> settings = {"data": "fake:images=96,size=8,classes=3", "epochs": 1}
        >>> run = nasbench.search(
        ...     "nasnet:blocks=1", "random", "1 children", "callback.h5",
        ...     set=settings, callbacks=[Print()], progress=False,
        ... )
        child 0 is the best so far
    """

    def on_start(self, search: SearchInfo) -> None:
        """Receive the start of a search, or of a further attempt of it.

        Args:
            search: id, results file and configuration of the run.
        """

    def on_child(self, child: FinishedChild) -> None:
        """Receive a child of the search, also one without a score and one whose score was reused.

        Args:
            child: the child.
        """

    def on_incumbent(self, child: FinishedChild) -> None:
        """Receive a child that is better than all before it; called after `on_child`.

        Args:
            child: the child.
        """

    def on_final(self, child: FinishedChild) -> None:
        """Receive a final training, which has a test accuracy.

        Args:
            child: the training.
        """

    def on_end(self, search: SearchInfo, status: str) -> None:
        """Receive the end of a search.

        Args:
            search: the value that `on_start` received.
            status: "complete", "interrupted" (stopped by Ctrl-C or a callback) or "failed" (by an exception).
        """
