"""Checkpoints of trainings that stopped early: a later child continues one, to the bits of a training that never stopped."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nasbench.errors import InputError

if TYPE_CHECKING:
    from nasbench.training.evaluation import Child, Evaluation, Keeper, Trained
    from nasbench.training.loop import History, TrainingState

_log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"([0-9a-f]{32})-(\d{1,20})-(\d{1,9})\.training")
GIB: Final = 2**30


class Point(NamedTuple):
    """One epoch of one training of a run.

    Attributes:
        hash: hash of the architecture; equal hashes have equal trainings.
        seed: training seed, >= 0.
        epochs: completed epochs, >= 1.
    """

    hash: str
    seed: int
    epochs: int

    @property
    def file(self) -> str:
        """Name of the checkpoint's file."""
        return f"{self.hash}-{self.seed}-{self.epochs}.training"


@dataclass(frozen=True)
class KeepCheckpoint:
    """Continues a training from a checkpoint, and writes one where it stops. It is pickled with its child.

    Args:
        source: checkpoint to continue from; None to start at the first epoch. One that is gone, damaged or of another
            training counts as None, because a training from the start gives the same bits.
        target: file of the checkpoint at the last epoch; None to write none.
        identity: JSON values that identify the training.
        inner: keeper of the trained network; None for none.
    """

    source: Path | None
    target: Path | None
    identity: Mapping[str, Any]
    inner: Keeper | None = None

    def saved(self) -> TrainingState | None:
        """Read the checkpoint. Its seconds were charged to an earlier child, so the history begins with 0 seconds.

        Returns:
            The state after the checkpoint's epoch; None to start at the first one.
        """
        from nasbench.errors import MissingData
        from nasbench.models.files import STATE, read_document
        from nasbench.models.keeping import history_of
        from nasbench.training.loop import History, TrainingState

        if self.source is None:
            return None
        try:
            document, tensors = read_document(self.source, STATE)
            values = json.loads(document)
            if values["identity"] != dict(self.identity):
                return None
            return TrainingState(tensors, History(history_of(values["history"]).curves))
        except (InputError, MissingData, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.info("a training starts at its first epoch: %s", error)
            return None

    def epoch(self, history: History, epochs: int, state: Callable[[], TrainingState]) -> None:
        """Write the checkpoint after the last epoch; see `Keeper.epoch`.

        If it cannot be written, e.g. on a full disk, the search goes on, and a later child trains from the start.
        """
        if self.inner is not None:
            self.inner.epoch(history, epochs, state)
        if self.target is None or history.epochs < epochs:
            return
        from nasbench.models.files import STATE, write_document
        from nasbench.models.keeping import state_document

        try:
            write_document(self.target, state().tensors, STATE, state_document(self.identity, history))
        except InputError as error:
            _log.warning("a child that continues this training will train from its first epoch: %s", error)

    def trained(self, child: Child, trained: Trained, evaluation: Evaluation) -> None:
        """Give the network to the inner keeper; see `Keeper.trained`."""
        if self.inner is not None:
            self.inner.trained(child, trained, evaluation)


class Checkpoints:
    """The folder of a run's checkpoints, of limited size. The oldest are removed first.

    Args:
        folder: the folder; it is made with the first checkpoint.
        limit: most bytes that stay in it, >= 0. Children in training may exceed it until they end.
    """

    def __init__(self, folder: Path, limit: float) -> None:
        self.folder, self._limit = folder.absolute(), limit

    def path(self, point: Point) -> Path:
        """Name the file of a checkpoint.

        Args:
            point: epoch of a training.

        Returns:
            The path; there need not be a file.
        """
        return self.folder / point.file

    def points(self) -> dict[Point, Path]:
        """Find the checkpoints in the folder, the oldest first."""
        if not self.folder.is_dir():
            return {}
        found = [(entry.stat().st_mtime_ns, entry.name, Path(entry.path)) for entry in os.scandir(self.folder)]
        named = [(_NAME.fullmatch(name), path) for _, name, path in sorted(found)]
        return {Point(match[1], int(match[2]), int(match[3])): path for match, path in named if match}

    def committed(self, point: Point, needed: Collection[Point]) -> None:
        """Remove earlier checkpoints of a training that has gone on, then the oldest ones that exceed the limit.

        Args:
            point: epoch at which a child of this training was stored.
            needed: points from which children in training continue; they stay.
        """
        there = self.points()
        for other, path in list(there.items()):
            behind = other[:2] == point[:2] and other.epochs < point.epochs
            if behind and other not in needed:
                path.unlink(missing_ok=True)
                del there[other]
        sizes = {other: path.stat().st_size for other, path in there.items()}
        excess = sum(sizes.values()) - self._limit
        for other, path in there.items():
            if excess <= 0:
                return
            if other not in needed:
                path.unlink(missing_ok=True)
                excess -= sizes[other]

    def close(self) -> None:
        """Remove the folder, when the run is complete."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder)


def checkpoint_folder(results: Path, run: str) -> Path:
    """Name the folder of a run's checkpoints.

    Args:
        results: the results file.
        run: id of the run.

    Returns:
        RESULTS-RUN.checkpoints, in the folder of the results file.
    """
    return results.with_name(f"{results.stem}-{run}.checkpoints")
