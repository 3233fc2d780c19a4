"""Continuation of trainings within a run: which earlier child a proposal goes on from, and what is charged for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nasbench.errors import InputError
from nasbench.models.checkpoints import GIB, Checkpoints, checkpoint_folder
from nasbench.runners.executors import Executor
from nasbench.runners.search.config import SearchPlan
from nasbench.runners.search.rows import Proposal
from nasbench.store.prefixes import seconds_up_to
from nasbench.training.evaluation import Evaluation


@dataclass(frozen=True)
class Base:
    """The earlier child of a run whose training a proposal continues.

    Args:
        index: its index.
        epochs: epochs that it completed, >= 1.
    """

    index: int
    epochs: int

    def added(self, evaluation: Evaluation) -> float:
        """Device-seconds of a child without those of the epochs for which the earlier child was charged.

        Args:
            evaluation: the child: trained from the earlier one's checkpoint, from the first epoch, or from a cache.

        Returns:
            Device-seconds, >= 0.
        """
        if evaluation.from_epoch:
            return evaluation.device_seconds
        repeated = seconds_up_to({"curves": evaluation.curves}, self.epochs) * evaluation.devices
        return max(evaluation.device_seconds - repeated, 0.0)


class Reached:
    """The epochs that the trainings of a run have reached, by the rows that are stored so far.

    Args:
        total: epochs of a whole training, >= 1.
        by_hash: whether a proposal that names no earlier one continues any training of the same hash and seed.
    """

    def __init__(self, total: int, by_hash: bool) -> None:
        self._total, self._by_hash = total, by_hash
        self._by_index: dict[int, tuple[str, Base]] = {}  # with the hash
        self._by_training: dict[tuple[str, int], list[Base]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a stored child, if it stopped early and can be continued.

        Args:
            row: its columns.
        """
        if row["stop_epoch"] and row["status"] == "ok" and row["counted"]:
            base = Base(int(row["index"]), int(row["epochs"]))
            self._by_index[base.index] = row["hash"], base
            self._by_training.setdefault((row["hash"], int(row["seed"])), []).append(base)

    def base(self, proposal: Proposal) -> Base | None:
        """Find the child that a proposal continues.

        Args:
            proposal: the proposal.

        Returns:
            The one that it names; otherwise the longest training of the same hash and seed that stopped before. None
            for a training from the start.

        Raises:
            InputError: when the one that it names is of another architecture.
        """
        until = proposal.stop_epoch or self._total
        if proposal.continues is not None:
            digest, named = self._by_index.get(proposal.continues, (proposal.architecture.hash, None))
            if digest != proposal.architecture.hash:
                raise InputError(
                    f"proposal {proposal.index} is to continue child {proposal.continues}, which is of another "
                    "architecture; a strategy continues an architecture with `continues` of its own earlier proposal"
                )
            return named if named is not None and named.epochs < until else None
        if not self._by_hash:
            return None
        there = self._by_training.get((proposal.architecture.hash, proposal.seed), [])
        return max((base for base in there if base.epochs < until), key=lambda base: base.epochs, default=None)


def checkpoints_of(path: Path, plan: SearchPlan, executor: Executor) -> Checkpoints | None:
    """Make the folder object of a search's checkpoints.

    Args:
        path: the results file.
        plan: the search.
        executor: trains its children.

    Returns:
        The checkpoints, in a folder beside the results file; None for a strategy that never stops trainings early, and
        where children are trained on other machines, which do not share that folder.
    """
    if not plan.strategy_kind.asks_epochs or not executor.here:
        return None
    return Checkpoints(checkpoint_folder(path, plan.run), plan.config.checkpoint_gib * GIB)
