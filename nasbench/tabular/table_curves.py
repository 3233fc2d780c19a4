"""Curves of a complete table: score and cost of every architecture after each epoch. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.store.query import Results

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
_PARTS: Final = 4  # of a list of epochs


@dataclass(frozen=True, eq=False)
class TableCurves:
    """Scores and costs of a table's architectures up to each epoch.

    Args:
        kinds: ints [size], row of the arrays below for each position of the table; equal hashes have one row.
        val_acc: [hashes, epochs], validation accuracy after each epoch, mean over trainings; NaN for a failed one, and where
            none was recorded.
        seconds: [hashes, epochs], device-seconds up to the end of each epoch, set-up included.
        single: [trainings, epochs], validation accuracies of the single trainings, in the order of `Trainings.val_acc`;
            None if the table holds means only.
    """

    kinds: IntArray
    val_acc: FloatArray
    seconds: FloatArray
    single: FloatArray | None = None

    @property
    def epochs(self) -> int:
        """Epochs of a whole training, >= 1."""
        return int(self.val_acc.shape[1])


def epochs_text(epochs: IntArray) -> str:
    """List epochs, e.g. "1 to 3, 5".

    Args:
        epochs: ints [n], ascending, n >= 1.

    Returns:
        The text, with at most four parts.
    """
    parts = [
        f"{each[0]}" if len(each) == 1 else f"{each[0]} to {each[-1]}"
        for each in np.split(epochs, np.flatnonzero(np.diff(epochs) > 1) + 1)
    ]
    return ", ".join(parts if len(parts) <= _PARTS else [*parts[: _PARTS - 1], f"..., {epochs[-1]}"])


def curves_of(
    results: Results, rows: pd.DataFrame, costs: pd.DataFrame, hashes: list[str], single: IntArray | None, source: str
) -> TableCurves:
    """Read the curves behind a table.

    Args:
        results: the results file.
        rows: the children whose scores the table holds, with status ok; their index is the position in the file.
        costs: the children whose costs it holds, likewise.
        hashes: [size], the hash at each position of the table.
        single: positions in the file of the table's single trainings; None if it holds means only.
        source: the file's name, for errors.

    Returns:
        The curves.

    Raises:
        InputError: when children have no curves, or curves of different lengths.
    """
    import pandas as pd

    scores = _matrix(results, rows.index.to_numpy(), "val_acc", source)
    times = _matrix(results, costs.index.to_numpy(), "seconds", source).cumsum(axis=1)
    held = times * costs["devices"].to_numpy()[:, None]
    held += (costs["device_seconds"].to_numpy() - held[:, -1])[:, None]  # set-up comes before the first epoch
    kinds = pd.Index(sorted(set(hashes)))
    by_epoch = range(scores.shape[1])
    mean = pd.DataFrame(scores, columns=by_epoch).groupby(rows["hash"].to_numpy()).mean().reindex(kinds)
    cost = pd.DataFrame(held, columns=by_epoch).groupby(costs["hash"].to_numpy()).mean().reindex(kinds)
    one = None if single is None else _matrix(results, single, "val_acc", source, scores.shape[1])
    return TableCurves(kinds.get_indexer(hashes), mean.to_numpy(), np.maximum(cost.to_numpy(), 0.0), one)


def _matrix(results: Results, positions: IntArray, name: str, source: str, epochs: int = 0) -> FloatArray:
    """One curve of some children: [children, epochs]; with `epochs`, shorter ones (of failures) become NaN."""
    lengths, values = results.epochs_at(positions, name)
    longest = epochs or int(lengths.max(initial=0))
    shorter = lengths < longest
    if not longest or (shorter.any() and not epochs):
        raise InputError(
            f"{source} has no curves of all its trainings, so that none can stop early; choose a strategy of whole "
            "trainings, e.g. random"
        )
    found = np.full((len(positions), longest), np.nan)
    found[np.arange(longest) < lengths[:, None]] = values
    found[shorter] = np.nan
    return found
