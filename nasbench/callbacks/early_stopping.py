"""Stopping a search that no longer gets better."""

from __future__ import annotations

from nasbench.callbacks.base import Callback, FinishedChild, SearchInfo
from nasbench.errors import InputError


class EarlyStopping(Callback):
    """Stop when the best validation accuracy has not risen for some children, or is high enough.

    A stopped run spent less than its budget: stop no run that is to be compared at equal budgets.

    Args:
        patience: number of counted children without a new best one after which the run stops, >= 1; None for no limit.
            The count starts again with each attempt, so that a resumed run does not stop at once.
        target: validation accuracy in [0, 1] at which the run stops; None for no target.

    Raises:
        InputError: without patience and target, or when one is out of range.

    Example:
        >>> import nasbench
        >>> settings = {"data": "fake:images=96,size=8,classes=3", "epochs": 1}
        >>> stopping = nasbench.EarlyStopping(target=0.01)
        >>> run = nasbench.search(
        ...     "nasnet:blocks=1", "random", "9 children", "early.h5",
        ...     set=settings, callbacks=[stopping], progress=False,
        ... )
        >>> run.status
        'interrupted'
    """

    def __init__(self, patience: int | None = None, target: float | None = None) -> None:
        if patience is None and target is None:
            raise InputError("EarlyStopping needs patience, target or both, e.g. EarlyStopping(patience=20)")
        if patience is not None and patience < 1:
            raise InputError(f"patience is a number of children, >= 1, got {patience}")
        if target is not None and not 0 <= target <= 1:
            raise InputError(f"target is a validation accuracy in [0, 1], got {target}")
        self.patience, self.target = patience, target
        self._waited = 0

    def on_start(self, search: SearchInfo) -> None:
        """Set the count of children without improvement to 0.

        Args:
            search: not used.
        """
        self._waited = 0

    def on_child(self, child: FinishedChild) -> None:
        """Count the child, and stop the search at the target or at the end of the patience.

        Args:
            child: the child; one that the budget does not count is ignored.
        """
        if not child.row["counted"]:
            return
        self._waited = 0 if child.incumbent else self._waited + 1
        if self.target is not None and child.incumbent and child.val_acc >= self.target:
            child.stop(f"validation accuracy {child.val_acc:.4f} reached the target {self.target:g}")
        elif self.patience is not None and self._waited >= self.patience:
            child.stop(f"the last {self._waited} children were no better")
