"""The weights of a search's incumbent, in a model file beside the results file."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError

if TYPE_CHECKING:
    from nasbench.training.evaluation import Child, Evaluation, Trained
    from nasbench.training.loop import History, TrainingState

MOST_CHILDREN: Final = 10**6  # of a run, for the length of names


def incumbent_path(results: Path, run: str) -> Path:
    """Name the model file of a run's incumbent.

    Args:
        results: the results file.
        run: id of the run.

    Returns:
        RESULTS-RUN.best.safetensors, in the folder of the results file.
    """
    return results.with_name(f"{results.stem}-{run}.best.safetensors")


def require_no_model(path: Path) -> None:
    """Refuse to begin a run whose incumbent's model file is there already, e.g. of a results file that was deleted.

    Args:
        path: the model file, from `incumbent_path`.

    Raises:
        InputError: when something is at the path.
    """
    if os.path.lexists(path):
        raise InputError(
            f"{str(path)!r} exists, and this run has no children yet: it is of another results file. Move or delete it, "
            "or choose another results file with -o"
        )


@dataclass(frozen=True)
class KeepIfBetter:
    """Saves the model of a child that scores above the incumbent. It is pickled with its child.

    Args:
        path: model file of the child.
        above: validation accuracy of the incumbent when the child was handed out; NaN without one.
    """

    path: Path
    above: float

    def saved(self) -> None:
        """Return None: a child of a search starts at the first epoch."""

    def epoch(self, history: History, epochs: int, state: Callable[[], TrainingState]) -> None:
        """Keep nothing of an epoch; see `Keeper.epoch`."""

    def trained(self, child: Child, trained: Trained, evaluation: Evaluation) -> None:
        """Write the model file if the child scores above the incumbent; see `Keeper.trained`."""
        if math.isnan(self.above) or evaluation.val_acc > self.above:
            from nasbench.models.keeping import save_model

            save_model(self.path, child, trained, evaluation)


class IncumbentModel:
    """The model file of a run's incumbent, and those of children that may become it.

    Args:
        path: the model file, from `incumbent_path`.

    Raises:
        InputError: when the path holds another kind of file, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        from nasbench.models.files import MODEL, make_folder, require_replaceable

        self.path = path.absolute()  # workers may run in another folder
        require_replaceable(self.path, MODEL)
        make_folder(self._of_child(MOST_CHILDREN))

    def keeper(self, index: int, best: float) -> KeepIfBetter:
        """Make the keeper of a child.

        Args:
            index: number of the child in its run.
            best: validation accuracy of the incumbent; NaN without one.

        Returns:
            The keeper.
        """
        return KeepIfBetter(self._of_child(index), best)

    def committed(self, index: int, incumbent: bool) -> None:
        """Take over a child's model if it is the incumbent now, and remove it otherwise.

        Args:
            index: number of the child.
            incumbent: whether the child is the best of the run so far.
        """
        own = self._of_child(index)
        if own.exists():
            if incumbent:
                os.replace(own, self.path)
            else:
                own.unlink()

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Check whether the file has the network of a row.

        Args:
            row: columns "hash", "seed" and "val_acc" of a child.

        Returns:
            False too if there is no file. It is false for an incumbent whose score came from the cache.
        """
        from nasbench.models.loading import read_model

        if not self.path.exists():
            return False
        there, _ = read_model(self.path)
        return (there.hash, there.seed, there.scores.get("val_acc")) == (row["hash"], row["seed"], row["val_acc"])

    def close(self) -> None:
        """Remove the models of children that were not committed."""
        for left in self.path.parent.glob(f"{glob.escape(self.path.name)}.child-*"):
            left.unlink(missing_ok=True)

    def _of_child(self, index: int) -> Path:
        return self.path.with_name(f"{self.path.name}.child-{index}")
