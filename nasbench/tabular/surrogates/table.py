"""A surrogate in the place of a complete table: rows are made for architectures when a search proposes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.scores import ACCURACY
from nasbench.spaces.base import Architecture
from nasbench.structures import Counts
from nasbench.tabular.surrogates.model import Surrogate
from nasbench.tabular.tables import FloatArray, IntArray, Table, TableRow
from nasbench.tabular.trainings import Keys, OutcomeFrom

if TYPE_CHECKING:
    import pandas as pd

_FIRST = 1024  # rows for which there is room at first


class SurrogateTable(Table):
    """Predictions for the architectures that searches have proposed, numbered in the order in which they came.

    Positions are these numbers, so positions of one object mean nothing to another. A score, a cost or a simulated
    training does not depend on them: equal hashes have equal predictions.

    Args:
        surrogate: the surrogate.
    """

    def __init__(self, surrogate: Surrogate) -> None:
        given = {"surrogate": surrogate, "name": f"surrogate of {surrogate.about.data}", "space": surrogate.space}
        rows: dict[str, Any] = {
            "_places_of": {},
            "_choices": np.zeros((_FIRST, len(surrogate.space.decisions)), dtype=np.int64),
            "_val_acc": np.zeros(_FIRST),
            "_seconds": np.zeros(_FIRST),
            "_counts": np.zeros((_FIRST, 2), dtype=np.int64),
            "_keys": np.zeros(_FIRST, dtype=np.uint64),
        }
        for field, value in (given | rows | {"measured": {}, "score": ACCURACY}).items():
            object.__setattr__(self, field, value)  # the class is frozen

    surrogate: Surrogate
    _places_of: dict[bytes, int]
    _choices: IntArray
    _val_acc: FloatArray
    _seconds: FloatArray
    _counts: IntArray
    _keys: Keys

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the surrogate alone: a worker process numbers its own architectures."""
        return SurrogateTable, (self.surrogate,)

    @property
    def what(self) -> str:
        """ "surrogate": what outputs call it."""
        return "surrogate"

    def __len__(self) -> int:
        return len(self._places_of)

    def __bool__(self) -> bool:
        return True

    @property
    def val_acc(self) -> FloatArray:
        """Predictions for the architectures so far, without noise."""
        return self._val_acc[: len(self)]

    @property
    def test_acc(self) -> FloatArray:
        """NaN: a surrogate predicts validation scores only."""
        return np.full(len(self), np.nan)

    @property
    def seconds(self) -> FloatArray:
        """Predicted costs of the architectures so far."""
        return self._seconds[: len(self)]

    @property
    def params(self) -> IntArray:
        """Exact parameters of the architectures so far."""
        return self._counts[: len(self), 0]

    @property
    def mult_adds(self) -> IntArray:
        """Exact multiply-adds of the architectures so far."""
        return self._counts[: len(self), 1]

    @property
    def timed(self) -> bool:
        """True: a cost is predicted for every architecture."""
        return True

    @property
    def free(self) -> bool:
        """False: predicted costs are positive."""
        return False

    @property
    def has_test_scores(self) -> bool:
        """False."""
        return False

    @property
    def reported_acc(self) -> FloatArray:
        """The predictions without noise."""
        return self.val_acc

    @property
    def listed(self) -> IntArray:
        """Choices of the architectures so far, ints [architectures, decisions]."""
        return self._choices[: len(self)]

    @property
    def protocol(self) -> str:
        """Name in place of a protocol's."""
        return f"surrogate {self.surrogate.about.protocol}"

    @property
    def fingerprint(self) -> str:
        """Digest of what the predictions depend on, 16 hexadecimal digits."""
        return self.surrogate.fingerprint

    @property
    def best_test_acc(self) -> float:
        """Best prediction of the architectures so far."""
        return float(self.val_acc.max())

    def code(self, choices: IntArray) -> IntArray:
        """Return the positions of architectures, see `Table.code`; new ones get the next numbers.

        Args:
            choices: ints [..., decisions].

        Returns:
            Ints [...].
        """
        flat = np.ascontiguousarray(choices, dtype=np.int64).reshape(-1, choices.shape[-1])
        keys = [row.tobytes() for row in flat]
        new = {key: place for place, key in enumerate(keys) if key not in self._places_of}
        if new:
            self._add([self.space.decode(flat[place].tolist()) for place in new.values()], list(new))
        found: IntArray = np.array([self._places_of[key] for key in keys], dtype=np.int64)
        return found.reshape(choices.shape[:-1])

    def _add(self, architectures: Sequence[Architecture], keys: Sequence[bytes]) -> None:
        predicted = self.surrogate.predict(architectures)
        start = len(self)
        end = start + len(architectures)
        columns = {
            "_choices": np.array([each.choices for each in architectures], dtype=np.int64),
            "_val_acc": predicted.val_acc,
            "_seconds": predicted.seconds,
            "_counts": predicted.counts,
            "_keys": predicted.keys,
        }
        for name, values in columns.items():
            there: NDArray[Any] = getattr(self, name)
            if end > len(there):
                room = np.zeros((max(end, 2 * len(there)), *there.shape[1:]), dtype=there.dtype)
                room[:start] = there[:start]
                object.__setattr__(self, name, room)
                there = room
            there[start:end] = values
        self._places_of.update(zip(keys, range(start, end)))

    def position(self, choices: Sequence[int]) -> int:
        """Return the position of one architecture, see `Table.position`."""
        return int(self.code(np.array(choices, dtype=np.int64)))

    def architecture(self, code: int) -> Architecture:
        """Return the architecture at a position, see `Table.architecture`."""
        return self.space.decode(self._choices[code].tolist())

    def row(self, choices: Sequence[int]) -> TableRow:
        """Return the predictions for one architecture, see `Table.row`."""
        place = self.position(choices)
        params, mult_adds = self._counts[place].tolist()
        return TableRow(float(self._val_acc[place]), float("nan"), float(self._seconds[place]), params, mult_adds)

    def counts_of(self, architecture: Architecture) -> Counts:
        """Count an architecture without a prediction, see `Table.counts_of`."""
        return self.space.count(architecture, self.surrogate.features.scale)

    def check_counts(self, names: Sequence[str]) -> None:
        """Accept limits on any count, see `Table.check_counts`: all are known."""

    def check_outcome_from(self, outcome_from: OutcomeFrom) -> None:
        """Accept both, see `Table.check_outcome_from`: trainings are simulated."""

    def check_measured(self, names: Sequence[str]) -> None:
        """Refuse measured quantities, see `Table.check_measured`."""
        if names:
            raise self.no_objective(names[0])

    @property
    def other_objectives(self) -> str:
        """None, see `Table.other_objectives`: nothing was measured of architectures that were not trained."""
        return ""

    def with_measured(self, names: Sequence[str], measurements: pd.DataFrame) -> Table:
        """Refuse measured quantities, see `Table.with_measured`."""
        self.check_measured(names)
        return self

    def children_of(self, limit: float, unit: str, devices: int = 1) -> float | None:
        """Estimate how many children a budget pays for, see `Table.children_of`, by the mean cost of real trainings."""
        if unit == "children":
            return limit
        if unit == "usd":
            return None
        return limit * (devices if unit == "wall_seconds" else 1) / self.surrogate.about.mean_seconds

    def outcomes(
        self, codes: IntArray, runs: IntArray, outcome_from: OutcomeFrom, stops: IntArray | None = None
    ) -> FloatArray:
        """Return what searches receive, see `Table.outcomes`: predictions ("mean"), or simulated trainings ("one").

        Args:
            codes: positions.
            runs: search seeds, which with the hash determine the noise of a simulated training.
            outcome_from: "mean" or "one".
            stops: not used: all trainings are whole.

        Returns:
            Accuracies in [0, 1].
        """
        if outcome_from == "mean":
            return self._val_acc[codes]
        return self.surrogate.trained(self._val_acc[codes], self._keys[codes], runs)
